import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { applyChange, type ConfigurationChange } from '../management/configuration-change.ts';
import { configurationOf, entitiesOf, type Entity, type RouterConfiguration } from '../management/entities.ts';
import { readEntity } from '../management/entity-schema.ts';
import { applyChanges, planChanges } from './plan.ts';

const router = readEntity('router', { id: 'west-12345678', mode: 'interior' });

function configuration(...entities: Entity[]): RouterConfiguration {
  return configurationOf(router, entities);
}

const profile = readEntity('sslProfile', { name: 'tls', caCertFile: '/ca', ordinal: 1 });
const renewedProfile = readEntity('sslProfile', { name: 'tls', caCertFile: '/ca', ordinal: 2 });
const access = readEntity('listener', { name: 'access', role: 'inter-router', port: 1, sslProfile: 'tls' });
const link = readEntity('connector', { name: 'east', role: 'inter-router', host: 'east', port: 1, sslProfile: 'tls' });
const backend = readEntity('tcpListener', { name: 'backend', address: 'backend', host: '127.0.0.1', port: 8080 });
const many = readEntity('tcpListener', { name: 'many', host: '127.0.0.1', port: 8081, multiAddressStrategy: 'priority' });
const manyA = readEntity('listenerAddress', { name: 'many/a', address: 'a', value: 1, listener: 'many' });
const manyB = readEntity('listenerAddress', { name: 'many/b', address: 'b', value: 0, listener: 'many' });
const everything = configuration(profile, access, link, backend, many, manyA, manyB);

/** A change as one line. */
function line(change: ConfigurationChange): string {
  switch (change.operation) {
    case 'RESTART':
      return 'RESTART';
    case 'DELETE':
      return `DELETE ${change.type} ${change.name}`;
    default:
      return `${change.operation} ${change.entity.type} ${change.entity.name}`;
  }
}

function linesOf(desired: RouterConfiguration, observed: RouterConfiguration): readonly string[] {
  return planChanges(desired, observed).map(line);
}

test('an empty router gets everything, each entity after those it refers to; and loses it in the reverse order', () => {
  assert.deepEqual(linesOf(everything, configuration()), [
    'CREATE sslProfile tls',
    'CREATE listener access',
    'CREATE connector east',
    'CREATE tcpListener backend',
    'CREATE tcpListener many',
    'CREATE listenerAddress many/a',
    'CREATE listenerAddress many/b',
  ]);
  assert.deepEqual(linesOf(configuration(), everything), [
    'DELETE listenerAddress many/a',
    'DELETE listenerAddress many/b',
    'DELETE tcpListener backend',
    'DELETE tcpListener many',
    'DELETE connector east',
    'DELETE listener access',
    'DELETE sslProfile tls',
  ]);
});

test('what is the same is not touched, whatever order it is listed in', () => {
  assert.deepEqual(linesOf(everything, everything), []);
  assert.deepEqual(linesOf(configuration(manyB, manyA, many, backend, link, access, profile), everything), []);
});

test('renewed certificates are an update: links that use them stay', () => {
  const desired = configuration(renewedProfile, access, link, backend, many, manyA, manyB);
  assert.deepEqual(linesOf(desired, everything), ['UPDATE sslProfile tls']);
});

test('a service that moves to another port is replaced, and nothing else', () => {
  const moved = readEntity('tcpListener', { name: 'backend', address: 'backend', host: '127.0.0.1', port: 9090 });
  const desired = configuration(profile, access, link, moved, many, manyA, manyB);
  assert.deepEqual(linesOf(desired, everything), ['DELETE tcpListener backend', 'CREATE tcpListener backend']);
});

test('what refers to something replaced is taken away before and put back after, though it is the same', () => {
  const moved = readEntity('tcpListener', { name: 'many', host: '127.0.0.1', port: 9091, multiAddressStrategy: 'priority' });
  const desired = configuration(profile, access, link, backend, moved, manyA, manyB);
  assert.deepEqual(linesOf(desired, everything), [
    'DELETE listenerAddress many/a',
    'DELETE listenerAddress many/b',
    'DELETE tcpListener many',
    'CREATE tcpListener many',
    'CREATE listenerAddress many/a',
    'CREATE listenerAddress many/b',
  ]);
});

test('two listeners that swap their ports are both closed before either opens', () => {
  const [a, b] = [1, 2].map((port) => readEntity('tcpListener', { name: `l${port}`, address: 'x', host: '', port }));
  assert.ok(a && b);
  const swapped = configuration({ ...a, port: 2 }, { ...b, port: 1 });
  assert.deepEqual(linesOf(swapped, configuration(a, b)), [
    'DELETE tcpListener l1',
    'DELETE tcpListener l2',
    'CREATE tcpListener l1',
    'CREATE tcpListener l2',
  ]);
});

test('a new router identity needs a restart with everything', () => {
  const other = configurationOf(readEntity('router', { id: 'west-87654321', mode: 'interior' }), [profile, access]);
  assert.deepEqual(planChanges(other, everything), [{ operation: 'RESTART', configuration: other }]);
  assert.equal(applyChanges(everything, planChanges(other, everything)), other);
});

const few = fc.constantFrom('a', 'b', 'c');
const port = fc.integer({ min: 1, max: 2 });

/** Few names and values, so that two configurations often share entities, differ in one attribute or refer to what changed. */
const configurations: fc.Arbitrary<RouterConfiguration> = fc
  .record({
    site: fc.option(fc.record({ name: few, version: few }), { nil: undefined }),
    logs: fc.uniqueArray(fc.record({ module: fc.constantFrom('ROUTER', 'SERVER'), enable: fc.constantFrom('info+', 'debug+') }), {
      selector: ({ module }) => module,
    }),
    addresses: fc.uniqueArray(fc.record({ prefix: few, distribution: fc.constantFrom('closest', 'balanced') }), {
      selector: ({ prefix }) => prefix,
    }),
    profiles: fc.uniqueArray(fc.record({ name: few, ordinal: port, caCertFile: few }), { selector: ({ name }) => name }),
    connections: fc.uniqueArray(fc.record({ name: few, port, profile: fc.nat(2), listens: fc.boolean() }), {
      selector: ({ name }) => name,
    }),
    services: fc.uniqueArray(fc.record({ name: few, port, keys: fc.option(fc.uniqueArray(few)), value: port }), {
      selector: ({ name }) => name,
    }),
    targets: fc.uniqueArray(fc.record({ name: few, address: few, port }), { selector: ({ name }) => name }),
  })
  .map(({ site, logs, addresses, profiles, connections, services, targets }) =>
    configuration(
      ...(site === undefined ? [] : [readEntity('site', site)]),
      ...logs.map((log) => readEntity('log', log)),
      ...addresses.map((address) => readEntity('address', address)),
      ...profiles.map((item) => readEntity('sslProfile', item)),
      ...connections.map((item) => {
        const sslProfile = profiles[item.profile]?.name;
        const attributes = {
          name: item.name,
          port: item.port,
          role: 'inter-router',
          ...(sslProfile === undefined ? {} : { sslProfile }),
        };
        return readEntity(item.listens ? 'listener' : 'connector', attributes);
      }),
      ...services.flatMap((item): Entity[] => {
        if (item.keys === null) return [readEntity('tcpListener', { name: item.name, port: item.port, address: 'x' })];
        const listener = readEntity('tcpListener', { name: item.name, port: item.port, multiAddressStrategy: 'weighted' });
        const keys = item.keys.map((address) =>
          readEntity('listenerAddress', { name: `${item.name}/${address}`, address, value: item.value, listener: item.name }),
        );
        return [listener, ...keys];
      }),
      ...targets.map((target) => readEntity('tcpConnector', target)),
    ),
  );

function sortedEntities(config: RouterConfiguration): readonly Entity[] {
  return entitiesOf(config).toSorted((a, b) => (`${a.type} ${a.name}` < `${b.type} ${b.name}` ? -1 : 1));
}

test('a plan leads from any configuration to any other, and each of its changes is allowed when its turn comes', () => {
  fc.assert(
    fc.property(configurations, configurations, (desired, observed) => {
      // applyChange refuses what the router would: dangling references, names in use, fixed attributes.
      const reached = planChanges(desired, observed).reduce(applyChange, observed);
      assert.deepEqual(sortedEntities(reached), sortedEntities(desired));
      assert.deepEqual(planChanges(desired, reached), []);
    }),
    { numRuns: 1000 },
  );
});

test('a plan names only what differs, or refers to something that is replaced', () => {
  fc.assert(
    fc.property(configurations, configurations, (desired, observed) => {
      const changes = planChanges(desired, observed);
      assert.deepEqual(planChanges(desired, desired), []);
      const deleted = new Set(changes.filter(({ operation }) => operation === 'DELETE').map((change) => line(change).slice(7)));
      const wanted = new Map(entitiesOf(desired).map((entity) => [`${entity.type} ${entity.name}`, JSON.stringify(entity)]));
      for (const entity of entitiesOf(observed)) {
        const key = `${entity.type} ${entity.name}`;
        if (wanted.get(key) !== JSON.stringify(entity) || !deleted.has(key)) continue;
        const owners = [
          entity.type === 'listenerAddress' ? `tcpListener ${entity.listener}` : '',
          entity.type === 'listener' || entity.type === 'connector' ? `sslProfile ${entity.sslProfile}` : '',
        ];
        assert.ok(
          owners.some((owner) => deleted.has(owner)),
          `${key} is the same in both and was deleted`,
        );
      }
    }),
    { numRuns: 500 },
  );
});
