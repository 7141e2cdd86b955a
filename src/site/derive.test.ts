import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { AddressGrant } from '../base/address-grant.ts';
import { configurationOf, type RouterConfiguration } from '../management/entities.ts';
import { attributesOf } from '../management/entity-schema.ts';
import { acceptsLinks, deriveSite, entityNames, type CertificateFiles, type SiteIdentity } from './derive.ts';
import { routingKeysOf, type NamedCertificates } from './derive-services.ts';
import { applyChanges, planChanges } from './plan.ts';
import { formatResources, parseResources } from './resources.ts';
import { resourcesOf, type Resource, type Specs } from './resource-types.ts';

function certificates(name: string): CertificateFiles {
  return { caCertFile: `/${name}/ca.crt`, certFile: `/${name}/tls.crt`, privateKeyFile: `/${name}/tls.key`, ordinal: 3 };
}

const member: SiteIdentity = {
  routerId: 'west-12345678',
  siteName: 'west',
  namespace: 'default',
  version: '0.1.0',
  network: { id: '0123456789abcdef', certificates: certificates('own') },
  credentials: new Map([
    ['east', certificates('east')],
    ['unused', certificates('unused')],
  ]),
};

/** A site that has neither issued nor redeemed a token. */
const { network: _network, ...alone } = member;

function resource<K extends keyof Specs>(kind: K, name: string, spec: Specs[K]): Resource {
  return { kind, metadata: { name }, spec } as Resource;
}

function configure(identity: SiteIdentity, ...resources: Resource[]): RouterConfiguration {
  const { configuration, withheld } = deriveSite({ resources, identity });
  assert.deepEqual([...withheld], []);
  return configuration;
}

const ownTrust = { sslProfile: 'own certificate', saslMechanisms: 'EXTERNAL' };
const connectionDefaults = { cost: 1, maxFrameSize: 16384, idleTimeoutSeconds: 16, linkCapacity: 250 };

/** What every listener for links is, besides its name, host and port. */
const linkListener = {
  ...connectionDefaults,
  ...ownTrust,
  role: 'inter-router',
  authenticatePeer: true,
  requireEncryption: false,
  requireSsl: true,
  initialHandshakeTimeoutSeconds: 5,
  http: false,
};

test('a site without resources is an interior router that knows its site', () => {
  const { router, site, addresses, sslProfiles, ...others } = configure(member, resource('Site', 'west', {}));
  assert.equal(router.id, 'west-12345678');
  assert.equal(router.mode, 'interior');
  assert.deepEqual(site, { type: 'site', name: 'west', namespace: 'default', platform: 'linux', version: '0.1.0' });
  assert.deepEqual(
    addresses.map(({ prefix, distribution }) => [prefix, distribution]),
    [['mc', 'multicast']],
  );
  assert.deepEqual(sslProfiles.map(attributesOf), [{ name: 'own certificate', ...certificates('own'), networkId: '0123456789abcdef' }]);
  assert.ok(Object.values(others).every((list) => Array.isArray(list) && list.length === 0));
});

test('a Listener is a tcpListener', () => {
  const { tcpListeners } = configure(alone, resource('Listener', 'web', { routingKey: 'backend', host: '::1', port: 8080 }));
  assert.deepEqual(tcpListeners.map(attributesOf), [
    { name: 'web', address: 'backend', host: '::1', port: 8080, backlog: 0, multiAddressStrategy: 'none' },
  ]);
});

test('a Connector is a tcpConnector', () => {
  const { tcpConnectors } = configure(alone, resource('Connector', 'web', { routingKey: 'backend', host: 'localhost', port: 80 }));
  assert.deepEqual(tcpConnectors.map(attributesOf), [{ name: 'web', address: 'backend', host: 'localhost', port: 80 }]);
});

test('hosts in brackets lose them: they are how URLs write addresses, not how sockets do', () => {
  const { tcpListeners, tcpConnectors } = configure(
    alone,
    resource('Listener', 'a', { routingKey: 'a', host: '[::1]', port: 1 }),
    resource('Connector', 'b', { routingKey: 'b', host: '[::1]', port: 1 }),
  );
  assert.deepEqual([tcpListeners[0]?.host, tcpConnectors[0]?.host], ['::1', '::1']);
});

test('a Link is a connector; its certificate proves a router identity, not a host name', () => {
  const link = resource('Link', 'to-east', { endpoints: [{ name: 'inter-router', host: 'east.example', port: '55671' }], cost: 7 });
  const { connectors } = configure(member, link);
  assert.deepEqual(connectors.map(attributesOf), [
    {
      ...connectionDefaults,
      ...ownTrust,
      name: 'to-east',
      role: 'inter-router',
      host: 'east.example',
      port: 55671,
      cost: 7,
      verifyHostname: false,
    },
  ]);
});

test('endpoints of one group stand in for each other, each group is a router to connect to, edge endpoints are left out', () => {
  const link = resource('Link', 'ha', {
    endpoints: [
      { name: 'inter-router', host: 'a1', port: '1', group: 'a' },
      { name: 'edge', host: 'e', port: '9', group: 'a' },
      { name: 'inter-router', host: 'b1', port: '2', group: 'b' },
      { name: 'inter-router', host: '::1', port: '3', group: 'a' },
      { name: 'inter-router', host: '[fe80::1%eth0]', port: '4', group: 'a' },
      { name: 'inter-router', host: 'c1', port: '5' },
    ],
  });
  const { connectors } = configure(member, link);
  assert.deepEqual(
    connectors.map(({ name, host, port, failoverUrls }) => [name, host, port, failoverUrls]),
    [
      ['ha', 'a1', 1, '[::1]:3,[fe80::1%eth0]:4'],
      ['ha/2', 'b1', 2, undefined],
      ['ha/3', 'c1', 5, undefined],
    ],
  );
  assert.deepEqual(entityNames(link), ['ha', 'ha/2', 'ha/3']);
});

test('a Link with a Secret uses its certificates and checks the host name; certificates that nothing uses are left out', () => {
  const link = resource('Link', 'to-skupper', {
    endpoints: [{ name: 'inter-router', host: 'east.example', port: '55671' }],
    tlsCredentials: 'east',
  });
  for (const identity of [member, alone]) {
    const { connectors, sslProfiles } = configure(identity, link);
    assert.equal(connectors[0]?.sslProfile, 'east');
    assert.equal(connectors[0]?.verifyHostname, true);
    assert.deepEqual(attributesOf(sslProfiles.at(-1) ?? assert.fail()), { name: 'east', ...certificates('east') });
    assert.equal(sslProfiles.length, identity === member ? 2 : 1);
  }
});

test('a Link whose certificates are missing, and links before there is a network, are withheld with the reason', () => {
  const endpoints = [{ name: 'inter-router', host: 'e', port: '1' }] as const;
  const missing = resource('Link', 'a', { endpoints, tlsCredentials: 'nobody' });
  const own = resource('Link', 'b', { endpoints });
  const access = resource('RouterAccess', 'c', { roles: [{ name: 'inter-router' }], tlsCredentials: 'nobody' });
  const { configuration, withheld } = deriveSite({ resources: [missing, own, access], identity: alone });
  const noNetwork = {
    reason: 'Pending',
    message: 'the site belongs to no network yet; issue a token here or redeem one of another site',
  };
  assert.deepEqual(Object.fromEntries(withheld), {
    'Link/a': { reason: 'Error', message: "TLS credentials 'nobody' do not exist; apply a Secret of that name" },
    'Link/b': noNetwork,
    'RouterAccess/c': noNetwork,
  });
  assert.deepEqual([configuration.connectors, configuration.listeners, configuration.sslProfiles], [[], [], []]);
});

test('Site.linkAccess listens on port 55671: for everybody, or for this host only', () => {
  for (const [linkAccess, host] of [
    ['default', '0.0.0.0'],
    ['local', '127.0.0.1'],
  ] as const) {
    const { listeners } = configure(member, resource('Site', 'west', { linkAccess }));
    assert.deepEqual(listeners.map(attributesOf), [{ ...linkListener, name: 'link-access', host, port: 55671 }]);
  }
  for (const spec of [{}, { linkAccess: 'none' }] as const) {
    assert.deepEqual(configure(member, resource('Site', 'west', spec)).listeners, []);
    assert.equal(acceptsLinks({ kind: 'Site', metadata: { name: 'west' }, spec }), false);
  }
});

test('Site.linkAccess waits for a network', () => {
  const { configuration, withheld } = deriveSite({ resources: [resource('Site', 'west', { linkAccess: 'default' })], identity: alone });
  assert.deepEqual(configuration.listeners, []);
  assert.equal(withheld.get('Site/west')?.reason, 'Pending');
});

test('RouterAccess says where links are accepted instead of Site.linkAccess', () => {
  const roles = [{ name: 'edge' }, { name: 'inter-router', port: 7000 }] as const;
  const cases: readonly (readonly [Specs['RouterAccess'], readonly [string, number, string]])[] = [
    [{ roles, tlsCredentials: 'x' }, ['0.0.0.0', 7000, 'own certificate']],
    [{ roles, tlsCredentials: 'east', accessType: 'local' }, ['127.0.0.1', 7000, 'east']],
    [{ roles, tlsCredentials: 'x', accessType: 'local', bindHost: '[::]' }, ['::', 7000, 'own certificate']],
    [{ roles: [{ name: 'inter-router' }], tlsCredentials: 'x' }, ['0.0.0.0', 55671, 'own certificate']],
  ];
  for (const [spec, [host, port, sslProfile]] of cases) {
    const { listeners } = configure(member, resource('Site', 'west', { linkAccess: 'default' }), resource('RouterAccess', 'in', spec));
    assert.deepEqual(listeners.map(attributesOf), [{ ...linkListener, name: 'access/in', host, port, sslProfile }]);
  }
});

test('a MultiKeyListener by priority: the first key has the highest value', () => {
  const listener = resource('MultiKeyListener', 'web', {
    host: '127.0.0.1',
    port: 8080,
    strategy: { priority: { routingKeys: ['near', 'far', 'last'] } },
  });
  const { tcpListeners, listenerAddresses } = configure(alone, listener);
  assert.deepEqual(tcpListeners.map(attributesOf), [
    { name: 'multi-key/web', host: '127.0.0.1', port: 8080, backlog: 0, multiAddressStrategy: 'priority' },
  ]);
  assert.deepEqual(listenerAddresses.map(attributesOf), [
    { name: 'multi-key/web/near', address: 'near', value: 2, listener: 'multi-key/web' },
    { name: 'multi-key/web/far', address: 'far', value: 1, listener: 'multi-key/web' },
    { name: 'multi-key/web/last', address: 'last', value: 0, listener: 'multi-key/web' },
  ]);
});

test('a MultiKeyListener by weight: each key has its weight', () => {
  const listener = resource('MultiKeyListener', 'web', {
    host: '127.0.0.1',
    port: 8080,
    strategy: { weighted: { routingKeys: { blue: 9, green: 1 } } },
  });
  const { tcpListeners, listenerAddresses } = configure(alone, listener);
  assert.equal(tcpListeners[0]?.multiAddressStrategy, 'weighted');
  assert.deepEqual(
    listenerAddresses.map(({ address, value }) => [address, value]),
    [
      ['blue', 9],
      ['green', 1],
    ],
  );
  const [typed] = resourcesOf([listener], 'MultiKeyListener');
  assert.deepEqual(routingKeysOf(typed ?? assert.fail()), ['blue', 'green']);
});

test('a Listener and a MultiKeyListener may have the same name', () => {
  const { tcpListeners } = configure(
    alone,
    resource('Listener', 'web', { routingKey: 'web', host: '127.0.0.1', port: 1 }),
    resource('MultiKeyListener', 'web', { host: '127.0.0.1', port: 2, strategy: { priority: { routingKeys: ['web'] } } }),
  );
  assert.equal(new Set(tcpListeners.map(({ name }) => name)).size, 2);
});

test('the setting router-logging becomes log entities, per module or for everything', () => {
  const { logs } = configure(alone, resource('Site', 'west', { settings: { 'router-logging': 'info+, ROUTER_LS:debug+' } }));
  assert.deepEqual(logs.map(attributesOf), [
    { name: 'log/DEFAULT', module: 'DEFAULT', enable: 'info+' },
    { name: 'log/ROUTER_LS', module: 'ROUTER_LS', enable: 'debug+' },
  ]);
});

test('the setting multicast of a Site becomes address entities, mc once', () => {
  const { addresses } = configure(alone, resource('Site', 'west', { settings: { multicast: 'news, alerts/fire,mc,news' } }));
  assert.deepEqual(
    addresses.map(({ prefix, distribution }) => [prefix, distribution]),
    [
      ['mc', 'multicast'],
      ['news', 'multicast'],
      ['alerts/fire', 'multicast'],
    ],
  );
});

test('tokens, grants and secrets are no part of the configuration', () => {
  const others = [
    resource('Secret', 's', { type: 'Opaque', data: {} }),
    resource('AccessGrant', 'g', {}),
    resource('AccessToken', 't', { url: 'https://a/b', code: 'c', ca: '-----BEGIN CERTIFICATE-----' }),
  ];
  assert.deepEqual(configure(member, ...others), configure(member));
  assert.deepEqual(others.flatMap(entityNames), []);
});

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const address = fc.oneof(fc.constantFrom('constructor', '__proto__', 'mc', '5', 'log/x'), fc.stringMatching(/^[!-~\u00e4]{1,30}$/));
const host = fc.constantFrom('localhost', '127.0.0.1', '::1', '[::1]', '[::1', '::', 'fe80::1%eth0', '.', ':', 'a_b.example.', 'cafe:80');
const port = fc.integer({ min: 1, max: 65535 });
const endpoint = fc.record(
  { name: fc.constantFrom('inter-router', 'edge'), host, port, group: fc.constantFrom('', 'a', 'b', ' ') },
  { requiredKeys: ['name', 'host', 'port'] },
);
const specs: readonly (readonly [string, fc.Arbitrary<unknown>])[] = [
  ['Site', fc.record({ linkAccess: fc.constantFrom('none', 'default', 'local') })],
  ['Listener', fc.record({ routingKey: address, host, port })],
  ['Connector', fc.record({ routingKey: address, host, port })],
  [
    'Link',
    fc.record(
      { endpoints: fc.array(endpoint, { minLength: 1, maxLength: 20 }), cost: port, tlsCredentials: fc.constantFrom('east', 'nobody') },
      { requiredKeys: ['endpoints'] },
    ),
  ],
  ['RouterAccess', fc.record({ roles: fc.constant([{ name: 'inter-router' }]), tlsCredentials: name, bindHost: host })],
  [
    'MultiKeyListener',
    fc.record({ host, port, strategy: fc.record({ priority: fc.record({ routingKeys: fc.uniqueArray(address, { minLength: 1 }) }) }) }),
  ],
  [
    'MultiKeyListener',
    fc.record({ host, port, strategy: fc.record({ weighted: fc.record({ routingKeys: fc.dictionary(address, port, { minKeys: 1 }) }) }) }),
  ],
];
const document = fc.oneof(
  ...specs.map(([kind, spec]) =>
    fc.record({ apiVersion: fc.constant('skupper.io/v2alpha1'), kind: fc.constant(kind), metadata: fc.record({ name }), spec }),
  ),
);

function readOrNothing(value: unknown): readonly Resource[] {
  try {
    return parseResources(JSON.stringify(value), 'f');
  } catch {
    return [];
  }
}

const signingFiles = { caCertFile: '/s/ca.crt', membershipFile: '/s/m.crt', privateKeyFile: '/s/key', stateFolder: '/state', ordinal: 2 };

function memberWith(more: Partial<NonNullable<SiteIdentity['network']>>): SiteIdentity {
  return { ...member, network: { id: '0123456789abcdef', certificates: certificates('own'), ...more } };
}

test('a member with a certified key signs, and takes only neighbours that do where the Site says so', () => {
  const signs = memberWith({ signing: signingFiles });
  const { signing } = configure(signs, resource('Site', 'west', {}));
  assert.deepEqual(signing, { type: 'signing', name: 'signing', ...signingFiles, requireSigned: false });
  const strict = resource('Site', 'west', { linkAccess: 'default', settings: { 'require-signed': 'true' } });
  assert.equal(configure(signs, strict).signing?.requireSigned, true);
  assert.equal(configure(member, resource('Site', 'west', {})).signing, undefined);
  const { configuration, withheld } = deriveSite({ resources: [strict], identity: member });
  assert.deepEqual([configuration.listeners, withheld.get('Site/west')?.reason], [[], 'Pending']);
});

test('services that the membership does not grant are withheld, each with what it may do', () => {
  const identity = memberWith({ grants: { advertise: new AddressGrant(['db.*']), consume: new AddressGrant(['web', 'db.*']) } });
  const place = { host: 'localhost', port: 80 };
  const resources = [
    resource('Connector', 'a', { routingKey: 'db.main', ...place }),
    resource('Connector', 'b', { routingKey: 'web', ...place }),
    resource('Listener', 'a', { routingKey: 'web', ...place }),
    resource('Listener', 'b', { routingKey: 'mail', ...place }),
    resource('MultiKeyListener', 'c', { ...place, strategy: { priority: { routingKeys: ['web', 'mail'] } } }),
  ];
  const { configuration, withheld } = deriveSite({ resources, identity });
  assert.deepEqual([...withheld.keys()], ['Connector/b', 'Listener/b', 'MultiKeyListener/c']);
  assert.deepEqual(
    [configuration.tcpConnectors, configuration.tcpListeners].map((entities) => entities.map(({ name }) => name)),
    [['a'], ['a']],
  );
  assert.equal(
    withheld.get('Listener/b')?.message,
    'not granted: this site may consume web, db.*; redeem a token that was issued with --consume mail',
  );
});

test('whatever is accepted as resources, a router accepts as configuration, now and once there is a network', () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.uniqueArray(document, { selector: ({ kind, metadata }) => `${kind} ${metadata.name}`, maxLength: 8 }), (documents) => {
      const resources = documents.flatMap(readOrNothing);
      accepted += resources.length;
      assert.deepEqual(parseResources(formatResources(resources), 'again').length, resources.length);
      for (const identity of [member, alone]) {
        const { configuration } = deriveSite({ resources, identity });
        const empty = configurationOf(configuration.router, []);
        assert.deepEqual(applyChanges(empty, planChanges(configuration, empty)), configuration);
        assert.deepEqual(deriveSite({ resources, identity }).configuration, configuration);
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(accepted > 500, `only ${accepted} resources were accepted`);
});

test('types and settings of services become entities of their own', () => {
  const { httpListeners, httpConnectors } = configure(
    alone,
    resource('Listener', 'shop', {
      routingKey: 'shop',
      host: '[::]',
      port: 8080,
      type: 'http',
      settings: { 'request-timeout': '30s', 'try-timeout': '0', 'max-tries': '2', balancing: 'closest' },
    }),
    resource('Connector', 'shop', {
      routingKey: 'shop',
      host: 'localhost',
      port: 80,
      type: 'http',
      settings: { priority: '1', overflow: '8' },
    }),
  );
  const [listener] = httpListeners;
  assert.deepEqual(
    [listener?.address, listener?.host, listener?.requestTimeoutMs, listener?.tryTimeoutMs, listener?.maxTries, listener?.balancing],
    ['shop', '::', 30_000, 0, 2, 'closest'],
  );
  const [connector] = httpConnectors;
  assert.deepEqual([connector?.priority, connector?.overflow, connector?.maxRequests, connector?.connectTimeoutMs], [1, 8, 1024, 3000]);
});

test('TLS credentials of services become profiles that show no more than is asked for', () => {
  const certified = { ...alone, credentials: new Map([['web-tls', certificates('web-tls')]]) };
  const tls = { routingKey: 'web', host: 'localhost', port: 443, tlsCredentials: 'web-tls' };
  const { sslProfiles, tcpListeners, tcpConnectors } = configure(
    certified,
    resource('Listener', 'web', { ...tls, settings: { 'require-client-cert': 'true' } }),
    resource('Connector', 'proven', { ...tls, useClientCert: true }),
    resource('Connector', 'web', { ...tls, verifyHostname: false }),
  );
  const { caCertFile, ordinal } = certificates('web-tls');
  assert.deepEqual(sslProfiles.map(attributesOf), [
    { name: 'web-tls', ...certificates('web-tls') },
    { name: 'web-tls (authorities only)', caCertFile, ordinal },
  ]);
  assert.deepEqual([tcpListeners[0]?.sslProfile, tcpListeners[0]?.authenticatePeer], ['web-tls', true]);
  assert.deepEqual(
    tcpConnectors.map(({ name, sslProfile, verifyHostname }) => [name, sslProfile, verifyHostname]),
    [
      ['proven', 'web-tls', undefined],
      ['web', 'web-tls (authorities only)', false],
    ],
  );
});

test('a service whose TLS credentials lack something is withheld, and says what', () => {
  const { caCertFile, certFile, ordinal } = certificates('half');
  const credentials = new Map<string, NamedCertificates>([
    ['authorities', { caCertFile, ordinal }],
    ['half', { certFile, ordinal }],
  ]);
  const spec = { routingKey: 'web', host: 'localhost', port: 443 };
  const lacking: readonly (readonly [Resource, string | undefined])[] = [
    [resource('Listener', 'a', { ...spec, tlsCredentials: 'none' }), "TLS credentials 'none' do not exist; apply a Secret of that name"],
    [resource('Listener', 'a', { ...spec, tlsCredentials: 'authorities' }), "TLS credentials 'authorities' lack tls.crt and tls.key"],
    [
      resource('Listener', 'a', { ...spec, tlsCredentials: 'half', settings: { 'require-client-cert': 'true' } }),
      "TLS credentials 'half' lack ca.crt and tls.key",
    ],
    [resource('Connector', 'a', { ...spec, tlsCredentials: 'authorities' }), undefined],
    [
      resource('Connector', 'a', { ...spec, tlsCredentials: 'authorities', useClientCert: true }),
      "TLS credentials 'authorities' lack tls.crt and tls.key",
    ],
    [resource('Connector', 'a', { ...spec, tlsCredentials: 'half' }), "TLS credentials 'half' lack ca.crt"],
  ];
  for (const [service, message] of lacking) {
    const { withheld, configuration } = deriveSite({
      resources: [resource('Site', 'west', {}), service],
      identity: { ...alone, credentials },
    });
    assert.equal(withheld.get(`${service.kind}/a`)?.message, message);
    assert.equal(configuration.tcpListeners.length + configuration.tcpConnectors.length, message === undefined ? 1 : 0);
  }
});
