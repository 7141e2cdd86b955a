import { addressPatternProblem } from '../base/address-grant.ts';
import { address, host, logLevels } from '../management/attribute-types.ts';
import { logModules } from '../management/entity-tables.ts';
import {
  choice,
  flag,
  integer,
  list,
  mapOf,
  mismatch,
  optional,
  required,
  SchemaProblem,
  text,
  textMap,
  type Path,
  type Schema,
  type UnsupportedKey,
} from '../management/schema.ts';
import { nearestName } from '../base/nearest-name.ts';
import { duration } from './duration.ts';
import { checked, table, type TableSchema } from './resource-schema.ts';
import { flowDetailRate, flowDetailRateSetting } from './flow-settings.ts';
import { checkObserverSettings, observerSettingNames } from './observer-settings.ts';
import { readServiceSettings, type ServiceKind } from './service-settings.ts';
import { serviceTypes } from './resource-types.ts';
import type {
  AccessGrantSpec,
  AccessTokenSpec,
  ConnectorSpec,
  Kind,
  LinkEndpoint,
  LinkSpec,
  ListenerSpec,
  MultiKeyListenerSpec,
  MultiKeyStrategy,
  PriorityStrategy,
  RouterAccessRole,
  RouterAccessSpec,
  ServiceType,
  SiteSpec,
  Specs,
  WeightedStrategy,
} from './resource-types.ts';

/**
 * What the spec of each kind may say, for sites on a host. Keys that only Kubernetes can serve are refused with what to
 * write instead; keys that are not implemented yet are refused with that reason.
 */

const needsKubernetes = 'it needs Kubernetes';

/** A key of Skupper's that means something on Kubernetes only, but does no harm when it is off. */
const kubernetesOnly: UnsupportedKey = { reason: `${needsKubernetes}; leave it out on a host`, accept: [false] };

const settings = optional(textMap(), 'settings by name; no effect on a host');
const serviceSettingMap = optional(textMap(), 'settings by name, as the type has them');
const routingKey = required(address(), 'routing key: what listeners and connectors meet under');
const servicePort = integer(1, 65535);
const serviceType = optional(choice<ServiceType>(serviceTypes), 'protocol of the service; tcp when absent');
const observer = optional(choice(['auto', 'none', 'http1', 'http2']), 'protocol observer; feeds metrics only');
const cost = optional(integer(1, 9999), 'cost of the link for routing; 1 when absent');
const certificateName = text({
  maximumLength: 253,
  pattern: /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/,
  patternMeaning: 'the name of a Secret or certificate folder',
});
const clientTls = optional(certificateName, 'certificates to show to clients with TLS; no TLS when absent');
const pem = text({ pattern: /^\s*-----BEGIN [A-Z0-9 ]+-----/, patternMeaning: 'a certificate in PEM' });

const clusterAccess = "it needs Kubernetes; on a host use 'default'";

const siteSchema: TableSchema<SiteSpec> = table<SiteSpec>(
  {
    linkAccess: optional(
      choice(['none', 'default', 'local'], {
        route: clusterAccess,
        loadbalancer: clusterAccess,
        nodeport: clusterAccess,
        ingress: clusterAccess,
        'ingress-nginx': clusterAccess,
        'contour-http-proxy': clusterAccess,
        gateway: clusterAccess,
      }),
      'whether other sites may link to this one; none when absent, local = only from this host',
    ),
    serviceAccount: optional(text(), 'Kubernetes service account; no effect on a host'),
    defaultIssuer: optional(text(), 'name of the certificate authority; a host has one'),
    settings: optional(
      siteSettings(),
      'settings by name; router-logging sets log levels, require-signed: "true" refuses neighbours that do not sign, multicast: addresses with commas whose messages go to all consumers, flow-detail-rate: requests and connections that are recorded one by one, per second, observer: enabled runs an observer, which the settings observer-... are for',
    ),
  },
  {
    unsupported: {
      edge: { reason: 'edge sites are not implemented yet', accept: [false] },
      ha: { reason: `${needsKubernetes}; on a host run two sites`, accept: [false] },
    },
  },
);

const listenerSchema: TableSchema<ListenerSpec> = checked(
  table<ListenerSpec>(
    {
      routingKey,
      host: required(host(false), 'local address to listen on, such as 127.0.0.1 or 0.0.0.0'),
      port: required(servicePort, 'local port to listen on'),
      type: serviceType,
      tlsCredentials: clientTls,
      observer,
      settings: serviceSettingMap,
    },
    { unsupported: { exposePodsByName: kubernetesOnly } },
  ),
  (listener, path) => {
    const { authenticatePeer } = checkSettings('Listener', listener, path);
    if (authenticatePeer === true && listener.tlsCredentials === undefined) {
      throw new SchemaProblem('invalid', [...path, 'settings', 'require-client-cert'], 'needs tlsCredentials');
    }
  },
);

const connectorSchema: TableSchema<ConnectorSpec> = checked(
  table<ConnectorSpec>(
    {
      routingKey,
      host: required(host(false), 'where the server is; localhost for this host'),
      port: required(servicePort, 'port of the server'),
      type: serviceType,
      tlsCredentials: optional(certificateName, 'ca.crt of it proves the server with TLS; no TLS when absent'),
      useClientCert: optional(flag(), 'the server is shown tls.crt of the tlsCredentials'),
      verifyHostname: optional(flag(), "the server's certificate must name the host; true when absent"),
      settings: serviceSettingMap,
    },
    {
      unsupported: {
        selector: { reason: `${needsKubernetes}; on a host use 'host' to say where the server is`, remedy: 'write host: localhost' },
        exposePodsByName: kubernetesOnly,
        includeNotReadyPods: kubernetesOnly,
      },
    },
  ),
  (connector, path) => {
    checkSettings('Connector', connector, path);
    if (connector.useClientCert === true && connector.tlsCredentials === undefined) {
      throw new SchemaProblem('invalid', [...path, 'useClientCert'], 'needs tlsCredentials');
    }
  },
);

/** What a service's settings stand for. Throws SchemaProblem. */
function checkSettings(kind: ServiceKind, spec: ListenerSpec | ConnectorSpec, path: Path): Readonly<Record<string, unknown>> {
  const { type = 'tcp', tlsCredentials, settings: given = {} } = spec;
  if (type === 'udp' && tlsCredentials !== undefined) {
    throw new SchemaProblem('unsupported', [...path, 'tlsCredentials'], "key 'tlsCredentials' is not supported: type udp has no TLS");
  }
  return readServiceSettings(kind, type, given, [...path, 'settings']);
}

/** Weights are shares of the whole; 65535 leaves room for every ratio in one 32-bit sum of 256 keys. */
const weight = integer(0, 65535);

const prioritySchema: TableSchema<PriorityStrategy> = table<PriorityStrategy>({
  routingKeys: required(list(address(), 1), 'routing keys, the preferred one first'),
});

const weightedSchema: TableSchema<WeightedStrategy> = table<WeightedStrategy>({
  routingKeys: required(routingKeyMap(), 'weights by routing key; a key of weight 0 is used only when no other is reachable'),
});

const strategySchema: TableSchema<MultiKeyStrategy> = checked(
  table<MultiKeyStrategy>({
    priority: optional(prioritySchema, 'all connections go to the first key that is reachable'),
    weighted: optional(weightedSchema, 'connections are shared by weight among reachable keys'),
  }),
  (strategy, path) => {
    if ((strategy.priority === undefined) === (strategy.weighted === undefined)) {
      throw new SchemaProblem('invalid', path, "needs exactly one of 'priority' and 'weighted'");
    }
    const keys = strategy.priority?.routingKeys ?? [];
    const twice = keys.findIndex((key, index) => keys.indexOf(key) !== index);
    if (twice !== -1) throw new SchemaProblem('invalid', [...path, 'priority', 'routingKeys', twice], `'${keys[twice]}' stands twice`);
  },
);

const multiKeyListenerSchema: TableSchema<MultiKeyListenerSpec> = checked(
  table<MultiKeyListenerSpec>({
    host: required(host(false), 'local address to listen on, such as 127.0.0.1 or 0.0.0.0'),
    port: required(servicePort, 'local port to listen on'),
    strategy: required(strategySchema, 'how to choose among routing keys'),
    tlsCredentials: clientTls,
    requireClientCert: optional(flag(), 'clients must show a certificate of an authority in ca.crt of the tlsCredentials'),
    observer,
    settings,
  }),
  (listener, path) => {
    if (listener.requireClientCert === true && listener.tlsCredentials === undefined) {
      throw new SchemaProblem('invalid', [...path, 'requireClientCert'], 'needs tlsCredentials');
    }
  },
);

const endpointRole = choice(['inter-router', 'edge']);

/** Most endpoints of a Link: a router's connector has room for 16 besides its own host. */
const endpointCountLimit = 16;

const endpointSchema: TableSchema<LinkEndpoint> = table<LinkEndpoint>({
  name: required(endpointRole, 'what the endpoint is for; edge endpoints are not used'),
  host: required(host(false), 'where the other site accepts links'),
  port: required(portText(), 'port where the other site accepts links'),
  group: optional(text({ maximumLength: 253 }), 'endpoints of one group lead to the same router and stand in for each other'),
});

const linkSchema: TableSchema<LinkSpec> = checked(
  table<LinkSpec>({
    endpoints: required(list(endpointSchema, 1), 'where the other site accepts links'),
    tlsCredentials: optional(certificateName, "certificates to use; the site's own when absent"),
    cost,
    settings,
  }),
  (link, path) => {
    if (!link.endpoints.some(({ name }) => name === 'inter-router')) {
      throw new SchemaProblem(
        'unsupported',
        [...path, 'endpoints'],
        "has no 'inter-router' endpoint, and edge sites are not implemented yet",
      );
    }
    if (link.endpoints.length > endpointCountLimit) {
      throw new SchemaProblem('invalid', [...path, 'endpoints'], `has more than ${endpointCountLimit} endpoints`);
    }
    if (link.settings !== undefined && Object.hasOwn(link.settings, 'proxy-configuration')) {
      throw new SchemaProblem(
        'unsupported',
        [...path, 'settings', 'proxy-configuration'],
        'links through HTTP proxies are not implemented yet',
      );
    }
  },
);

const grantSchema: TableSchema<AccessGrantSpec> = table<AccessGrantSpec>({
  redemptionsAllowed: optional(integer(1, 10_000), 'how often the token can be redeemed; 1 when absent'),
  expirationWindow: optional(duration(), 'how long the token can be redeemed; 15m when absent'),
  code: optional(refused('codes are made by the site; the status of the grant shows it'), 'the site makes it'),
  issuer: optional(text(), 'certificate authority; a host has one'),
  settings: optional(grantSettings(), 'settings by name; advertise and consume: address patterns with commas that the redeemer may use'),
});

const tokenSchema: TableSchema<AccessTokenSpec> = table<AccessTokenSpec>({
  url: required(
    text({ maximumLength: 2048, pattern: /^https:\/\/[^\s/]+\/\S+$/, patternMeaning: 'an https:// address' }),
    'where to redeem',
  ),
  code: required(text({ maximumLength: 1024, secret: true }), 'the secret'),
  ca: required(pem, 'certificate of the network that the issuer belongs to'),
  linkCost: cost,
  settings,
});

const roleSchema: TableSchema<RouterAccessRole> = table<RouterAccessRole>({
  name: required(endpointRole, 'who may connect; nothing listens for edge'),
  port: optional(integer(0, 65535), 'port to listen on; 55671 when absent, 0 = any free one'),
});

const routerAccessSchema: TableSchema<RouterAccessSpec> = checked(
  table<RouterAccessSpec>({
    roles: required(list(roleSchema, 1), 'who may connect, and where'),
    tlsCredentials: required(certificateName, "certificates to use; the site's own when there are none of that name"),
    generateTlsCredentials: optional(flag(), 'no effect: the site makes certificates that are not supplied'),
    issuer: optional(text(), 'certificate authority; a host has one'),
    accessType: optional(
      choice(['local'], {
        route: clusterAccess,
        loadbalancer: clusterAccess,
        nodeport: clusterAccess,
        ingress: clusterAccess,
        'ingress-nginx': clusterAccess,
        'contour-http-proxy': clusterAccess,
        gateway: clusterAccess,
      }),
      'local = only from this host; from everywhere when absent',
    ),
    bindHost: optional(host(false), 'local address to listen on; as accessType says when absent'),
    subjectAlternativeNames: optional(list(host(false)), 'names by which other sites reach this one'),
    settings,
  }),
  (access, path) => {
    if (access.roles.filter(({ name }) => name === 'inter-router').length !== 1) {
      throw new SchemaProblem('invalid', [...path, 'roles'], "needs exactly one 'inter-router' role");
    }
  },
);

/** The schema of the spec of each kind but Secret, whose fields stand beside `metadata`. */
export const specSchemas: { readonly [K in Exclude<Kind, 'Secret'>]: TableSchema<Specs[K]> } = {
  Site: siteSchema,
  RouterAccess: routerAccessSchema,
  Link: linkSchema,
  Listener: listenerSchema,
  MultiKeyListener: multiKeyListenerSchema,
  Connector: connectorSchema,
  AccessGrant: grantSchema,
  AccessToken: tokenSchema,
};

/** The maps inside of specs, by where they stand. */
export const innerSchemas: Readonly<
  Record<
    string,
    | TableSchema<LinkEndpoint>
    | TableSchema<RouterAccessRole>
    | TableSchema<MultiKeyStrategy>
    | TableSchema<PriorityStrategy>
    | TableSchema<WeightedStrategy>
  >
> = {
  'Link.endpoints[]': endpointSchema,
  'RouterAccess.roles[]': roleSchema,
  'MultiKeyListener.strategy': strategySchema,
  'MultiKeyListener.strategy.priority': prioritySchema,
  'MultiKeyListener.strategy.weighted': weightedSchema,
};

/** Skupper's kinds that only a cluster can serve. */
export const clusterKinds: Readonly<Record<string, string>> = {
  AttachedConnector: `${needsKubernetes}; on a host use a Connector with 'host'`,
  AttachedConnectorBinding: `${needsKubernetes}; on a host use a Connector with 'host'`,
  SecuredAccess: `${needsKubernetes}; on a host use RouterAccess`,
  Certificate: 'sites on a host make their own certificates',
};

export interface LogSetting {
  readonly module: string;
  readonly enable: string;
}

/** Reads Site's setting `router-logging`: levels for everything or per module, such as `info+,ROUTER_LS:debug+`. Throws SchemaProblem. */
export function readLogging(value: string, path: readonly (string | number)[]): readonly LogSetting[] {
  return value.split(',').map((item) => {
    const setting = item.trim();
    const colon = setting.indexOf(':');
    const module = choice(logModules).read(colon === -1 ? 'DEFAULT' : setting.slice(0, colon), path);
    return { module, enable: logLevels().read(setting.slice(colon + 1), path) };
  });
}

/** Skupper's settings of a Site. Others may stand there too, like annotations, but not what looks like one of these misspelt. */
const siteSettingNames: readonly string[] = [
  'router-logging',
  'require-signed',
  'multicast',
  ...observerSettingNames,
  flowDetailRateSetting,
  'router-data-connection-count',
  'disable-anti-affinity',
  'size',
  'tls-prior-valid-revisions',
  'ingressClassName',
];

function siteSettings(): Schema<Readonly<Record<string, string>>> {
  return checked(textMap(), (values, path) => {
    for (const key of Object.keys(values)) {
      const near = siteSettingNames.includes(key) ? undefined : nearestName(key, siteSettingNames);
      if (near === undefined) continue;
      throw new SchemaProblem('unknown', [...path, key], `setting '${key}' is unknown; did you mean '${near}'?`);
    }
    const requireSigned = Object.hasOwn(values, 'require-signed') ? values['require-signed'] : 'false';
    if (requireSigned !== 'true' && requireSigned !== 'false') {
      throw new SchemaProblem('invalid', [...path, 'require-signed'], 'must be "true" or "false"');
    }
    flowDetailRate(values, path);
    for (const prefix of multicastPrefixes(values)) addressPrefix.read(prefix, [...path, 'multicast']);
    checkObserverSettings(values, path);
    const logging = Object.hasOwn(values, 'router-logging') ? values['router-logging'] : undefined;
    if (logging === undefined) return;
    const modules = readLogging(logging, [...path, 'router-logging']).map(({ module }) => module);
    const twice = modules.find((module, index) => modules.indexOf(module) !== index);
    if (twice !== undefined) throw new SchemaProblem('invalid', [...path, 'router-logging'], `names ${twice} twice`);
  });
}

/** Tokens of an address. */
const addressPrefix = text({ maximumLength: 253, pattern: /^[^\s,*#]+$/, patternMeaning: 'an address without blanks, * and #' });

/** The addresses in a Site's setting `multicast`, each with all below it. */
export function multicastPrefixes(values: Readonly<Record<string, string>>): readonly string[] {
  return [...new Set(readPatterns(Object.hasOwn(values, 'multicast') ? (values['multicast'] ?? '') : ''))];
}

/** Settings of an AccessGrant that say which addresses the redeemer may use; every address when absent. */
export const addressSettings = ['advertise', 'consume'] as const;

/** The patterns in a list with commas; an empty text is none. */
export function readPatterns(value: string): readonly string[] {
  return value.trim() === '' ? [] : value.split(',').map((pattern) => pattern.trim());
}

function grantSettings(): Schema<Readonly<Record<string, string>>> {
  return checked(textMap(), (values, path) => {
    for (const key of addressSettings) {
      if (!Object.hasOwn(values, key)) continue;
      for (const pattern of readPatterns(values[key] ?? '')) {
        const problem = addressPatternProblem(pattern);
        if (problem !== undefined) throw new SchemaProblem('invalid', [...path, key], `the pattern '${pattern}' ${problem}`);
      }
    }
  });
}

/** A key that is known, and that must not be there. */
function refused(reason: string): Schema<never> {
  return {
    type: 'refused',
    read(_value, path): never {
      throw new SchemaProblem('unsupported', path, `key '${String(path.at(-1))}' is not supported: ${reason}`, 'take it away');
    },
  };
}

function routingKeyMap(): Schema<Readonly<Record<string, number>>> {
  return checked(mapOf(weight), (weights, path) => {
    const keys = Object.keys(weights);
    if (keys.length === 0) throw new SchemaProblem('invalid', path, 'needs at least 1 routing key');
    for (const key of keys) address().read(key, [...path, key]);
    if (Object.values(weights).every((value) => value === 0)) throw new SchemaProblem('invalid', path, 'needs a weight above 0');
  });
}

/** Skupper's Link has its port as text; a number is what people write. */
function portText(): Schema<string> {
  const type = 'port number from 1 to 65535';
  return {
    type,
    read(value, path): string {
      const digits = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
      if (typeof digits !== 'number' || !Number.isInteger(digits) || digits < 1 || digits > 65535) throw mismatch(path, `a ${type}`, value);
      return String(digits);
    },
  };
}
