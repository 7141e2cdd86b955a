import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '../../sim/seeded-random.ts';
import { Catalog } from '../catalog/catalog.ts';
import { addressHex, hexOf, octetsOf, type AddressHex } from '../control/address.ts';
import type { MapBuilder } from '../control/map-builder.ts';
import { plan, plannedMaps, recordsOf, type MapContents, type MapWrite } from '../control/plan.ts';
import { backendTables, maps } from '../layout/maps.ts';
import { backendFlag } from '../layout/service.ts';
import { subnetFlag } from '../layout/subnet.ts';
import { memoryMaps, type MemoryMaps } from '../memory-maps.ts';
import type { Labels } from '../resources/resource-types.ts';
import type { Policy, Service } from '../resources/tenant-network.ts';
import type { HostLife } from './service-compiler.ts';
import { TenantCompiler, type TenantResources } from './tenant-compiler.ts';

const vpcs = [
  { name: 'red', vni: 7, peers: [] },
  { name: 'blue', vni: 8, peers: [] },
];
const tcp = 6;

function serviceOf(name: string, vpc: string, last: number, selector: Labels, targetPort: number = 8080): Service {
  const ports = [{ protocol: 'tcp', port: 80, targetPort } as const];
  return { name, vpc, addresses: [addressHex(`10.9.0.${last}`)], ports, selector, affinity: 'none' };
}

function policyOf(name: string, vpc: string, selector: Labels, from: Labels): Policy {
  return { name, vpc, selector, ingress: [{ peers: [{ kind: 'selector', selector: from }], ports: [] }], egress: undefined };
}

interface TestMember {
  readonly ifindex: number;
  readonly vni: number;
  readonly identity: number;
  readonly addresses: readonly AddressHex[];
}

interface TestHost {
  compiler: TenantCompiler;
  readonly memory: MemoryMaps;
  readonly members: Map<number, TestMember>;
}

/** Hosts that share one catalog, as if all messages had come, each with the maps of its data path. */
class World {
  readonly catalog = new Catalog({ hostId: 1, random: new SeededRandom(1), stored: [], nowMs: 0 });
  readonly lives = new Map<number, HostLife>();
  readonly known = new Set<number>([1, 2, 3]);
  readonly left = new Set<string>();
  day = 20_000;
  readonly hosts = new Map<number, TestHost>();
  resources: TenantResources = { vpcs, services: [], policies: [] };

  constructor(hostIds: readonly number[] = [1, 2]) {
    for (const hostId of hostIds) this.hosts.set(hostId, { compiler: this.#newCompiler(hostId), memory: memoryMaps(), members: new Map() });
    this.settle();
  }

  setResources(resources: Partial<TenantResources>): void {
    this.resources = { ...this.resources, ...resources };
    for (const { compiler } of this.hosts.values()) compiler.setResources(this.resources);
    this.settle();
  }

  add(hostId: number, ifindex: number, address: string, labels: Labels, vni: number = 7): number {
    const { compiler, members } = this.host(hostId);
    const found = compiler.identityFor(vni, labels);
    assert.ok(found !== undefined);
    this.catalog.set(found.record.key, found.record.value, 0);
    const member = { ifindex, vni, identity: found.identity, addresses: [addressHex(address)] };
    members.set(ifindex, member);
    compiler.endpointWritten(member);
    this.settle();
    return found.identity;
  }

  remove(hostId: number, ifindex: number): void {
    const { compiler, members } = this.host(hostId);
    members.delete(ifindex);
    compiler.endpointRemoved(ifindex);
    this.settle();
  }

  setLife(hostId: number, life: HostLife): void {
    this.lives.set(hostId, life);
    for (const { compiler } of this.hosts.values()) compiler.hostsChanged([hostId]);
    this.settle();
  }

  /** A new process finds the maps as they are. */
  restart(hostId: number): MapWrite[] {
    const host = this.host(hostId);
    host.compiler = this.#newCompiler(hostId);
    const observed = this.dump(hostId);
    host.compiler.adopt(observed);
    for (const member of host.members.values()) host.compiler.endpointWritten(member);
    const { records } = host.compiler.compile();
    assert.deepEqual(records, []);
    const builder: MapBuilder = new Map();
    host.compiler.addContents(builder);
    const { swaps, clears } = host.compiler.tableWrites();
    return [...swaps, ...plan(builder, observed), ...clears];
  }

  /** Until nobody has anything to say. */
  settle(): void {
    for (let round = 0, isDone = false; !isDone; round++) {
      assert.ok(round < 5, 'hosts go on writing');
      isDone = true;
      for (const { compiler, memory } of this.hosts.values()) {
        if (!compiler.isDirty) continue;
        isDone = false;
        const { records, writes } = compiler.compile();
        for (const { key, value } of records) {
          if (value === undefined) this.catalog.delete(key, 0);
          else this.catalog.set(key, value, 0);
        }
        for (const write of writes) apply(memory, write);
      }
    }
  }

  dump(hostId: number): MapContents {
    const { memory } = this.host(hostId);
    return new Map(plannedMaps.map((name) => [name, recordsOf(memory.map(name).entries())]));
  }

  service(
    hostId: number,
    last: number,
    port: number = 80,
    protocol: number = tcp,
    vni: number = 7,
  ): ReturnType<typeof maps.services.value.decode> | undefined {
    const key = maps.services.key.encode({ vni, address: octetsOf(addressHex(`10.9.0.${last}`)), port, protocol });
    const found = this.host(hostId).memory.map(maps.services.name).get(key);
    return found === undefined ? undefined : maps.services.value.decode(found);
  }

  /** Backends of a service's table with their numbers of slots. */
  shares(hostId: number, last: number): Readonly<Record<string, number>> {
    const service = this.service(hostId, last);
    assert.ok(service !== undefined);
    const shares: Record<string, number> = {};
    for (const slot of this.host(hostId).memory.mapOfMaps(backendTables.name).get(service.tableId) ?? []) {
      const { address, port } = backendTables.value.decode(slot);
      const name = `${[...address.subarray(12)].join('.')}:${port}`;
      shares[name] = (shares[name] ?? 0) + 1;
    }
    return shares;
  }

  backend(hostId: number, last: number, address: string, port: number = 8080): number | undefined {
    const { serviceId = 0 } = this.service(hostId, last) ?? {};
    const key = maps.backends.key.encode({ serviceId, address: octetsOf(addressHex(address)), port });
    const found = this.host(hostId).memory.map(maps.backends.name).get(key);
    return found === undefined ? undefined : maps.backends.value.decode(found).flags;
  }

  host(hostId: number): TestHost {
    const host = this.hosts.get(hostId);
    assert.ok(host !== undefined);
    return host;
  }

  #newCompiler(hostId: number): TenantCompiler {
    const compiler = new TenantCompiler({
      hostId,
      catalog: this.catalog,
      lifeOf: (other) => this.lives.get(other) ?? 'alive',
      isHost: (other) => this.known.has(other),
      hasLeft: (vni, address) => this.left.has(`${hostId}/${vni}/${address}`),
      today: () => this.day,
    });
    compiler.setResources(this.resources);
    return compiler;
  }
}

/** Checks with each write that nothing refers to what is not there. */
function apply(memory: MemoryMaps, write: MapWrite): void {
  if (write.kind === 'put') memory.map(write.map).put(write.key, write.value);
  else if (write.kind === 'delete') assert.ok(memory.map(write.map).delete(write.key), `${write.map} has nothing to delete`);
  else if (write.kind === 'swap') memory.mapOfMaps(write.map).swap(write.index, write.values);
  else assert.ok(memory.mapOfMaps(write.map).clear(write.index));
  for (const [, value] of memory.map(maps.services.name).entries()) {
    const { tableId } = maps.services.value.decode(value);
    assert.ok(memory.mapOfMaps(backendTables.name).get(tableId) !== undefined, `a service names table ${tableId}, which is not there`);
  }
}

test('backends of all hosts share a service, and who goes is left out everywhere', () => {
  const world = new World();
  world.setResources({ services: [serviceOf('web', 'red', 1, { app: 'web' })] });
  assert.equal(world.service(1, 1)?.backends, 0);
  assert.deepEqual(world.shares(1, 1), { '0.0.0.0:0': 251 });
  world.add(1, 11, '10.0.0.11', { app: 'web' });
  world.add(2, 21, '10.0.0.21', { app: 'web', zone: 'b' });
  world.add(2, 22, '10.0.0.22', { app: 'db' });
  for (const host of [1, 2]) {
    assert.equal(world.service(host, 1)?.backends, 2);
    const shares = world.shares(host, 1);
    assert.deepEqual(Object.keys(shares).toSorted(), ['10.0.0.11:8080', '10.0.0.21:8080']);
    assert.ok(Object.values(shares).every((share) => share >= 125));
    assert.equal(world.backend(host, 1, '10.0.0.21'), backendFlag.ready);
  }
  assert.deepEqual(world.shares(1, 1), world.shares(2, 1));
  world.remove(2, 21);
  for (const host of [1, 2]) {
    assert.deepEqual(world.shares(host, 1), { '10.0.0.11:8080': 251 });
    assert.equal(world.backend(host, 1, '10.0.0.21'), undefined);
  }
});

test('addresses answer to ARP and echo requests by records of their own', () => {
  const world = new World();
  world.setResources({ services: [serviceOf('web', 'red', 1, {})] });
  const port = world.service(1, 1);
  assert.deepEqual([world.service(1, 1, 0, 0), world.service(1, 1, 0, 1)], [port, port]);
  assert.equal(world.service(1, 1, 81), undefined);
  assert.equal(world.service(1, 1, 80, tcp, 8), undefined);
});

test('backends of a host that is silent drain, then they are gone, and they come back with it', () => {
  const world = new World();
  world.setResources({ services: [serviceOf('web', 'red', 1, { app: 'web' })] });
  world.add(1, 11, '10.0.0.11', { app: 'web' });
  world.add(2, 21, '10.0.0.21', { app: 'web' });
  const generations = [world.service(1, 1)?.generation];
  for (const [life, flag] of [
    ['silent', backendFlag.draining],
    ['lost', undefined],
  ] as const) {
    world.setLife(2, life);
    assert.deepEqual(world.shares(1, 1), { '10.0.0.11:8080': 251 });
    assert.equal(world.service(1, 1)?.backends, 1);
    assert.equal(world.backend(1, 1, '10.0.0.21'), flag);
    // Flows look again whether they may go on.
    const generation = world.service(1, 1)?.generation;
    assert.ok(!generations.includes(generation));
    generations.push(generation);
    // Whatever others believe of it, a host reaches its own.
    assert.equal(world.service(2, 1)?.backends, 2);
  }
  world.setLife(2, 'alive');
  assert.equal(world.service(1, 1)?.backends, 2);
  assert.equal(world.backend(1, 1, '10.0.0.21'), backendFlag.ready);
  assert.equal(world.service(1, 1)?.generation, generations[0]);
});

test('when a backend only drains no more, no table is replaced', () => {
  const world = new World();
  world.setResources({ services: [serviceOf('web', 'red', 1, { app: 'web' })] });
  world.add(1, 11, '10.0.0.11', { app: 'web' });
  world.add(2, 21, '10.0.0.21', { app: 'web' });
  world.setLife(2, 'silent');
  world.lives.set(2, 'lost');
  const { compiler } = world.host(1);
  compiler.hostsChanged([2]);
  const kinds = compiler.compile().writes.map(({ kind, map }) => `${kind} ${map}`);
  // The generation last, of the port, of the address and of echoes: whoever looks then finds what is right.
  assert.deepEqual(kinds, [`delete ${maps.backends.name}`, ...Array.from({ length: 3 }, () => `put ${maps.services.name}`)]);
});

test('an endpoint that is there but not behind the service any more keeps its connections, and gets no new ones', () => {
  const world = new World();
  world.setResources({ services: [serviceOf('web', 'red', 1, { app: 'web' })] });
  world.add(1, 11, '10.0.0.11', { app: 'web' });
  world.add(2, 21, '10.0.0.21', { app: 'web' });
  world.add(2, 21, '10.0.0.21', { app: 'old' });
  assert.deepEqual(world.shares(1, 1), { '10.0.0.11:8080': 251 });
  assert.equal(world.backend(1, 1, '10.0.0.21'), backendFlag.draining);
  world.remove(2, 21);
  assert.equal(world.backend(1, 1, '10.0.0.21'), undefined);
});

test('an endpoint that moves keeps its connections, in whatever order the hosts say so', () => {
  const world = new World();
  world.setResources({ services: [serviceOf('web', 'red', 1, { app: 'web' })] });
  world.add(1, 11, '10.0.0.11', { app: 'web' });
  const left = `1/7/${addressHex('10.0.0.11')}`;
  world.left.add(left);
  world.remove(1, 11);
  assert.equal(world.backend(2, 1, '10.0.0.11'), backendFlag.draining);
  world.add(2, 21, '10.0.0.11', { app: 'web' });
  assert.equal(world.backend(1, 1, '10.0.0.11'), backendFlag.ready);
  world.left.delete(left);
  world.host(1).compiler.leftChanged(7);
  world.settle();
  assert.deepEqual(
    Array.from(world.catalog.entries('slice/'), ([key]) => key),
    ['slice/red/web/2'],
  );
});

test('a new process goes on with the numbers of the one before', () => {
  const world = new World();
  const services = [
    serviceOf('web', 'red', 1, { app: 'web' }),
    serviceOf('db', 'red', 2, { app: 'db' }),
    serviceOf('old', 'red', 3, { app: 'old' }),
  ];
  world.setResources({ services: services.slice(1) });
  world.setResources({ services, policies: [policyOf('p', 'red', { app: 'web' }, { app: 'db' })] });
  world.add(1, 11, '10.0.0.11', { app: 'web' });
  assert.deepEqual(
    world.restart(1).map(({ kind }) => kind),
    ['swap', 'swap', 'swap'],
  );
  const before = world.service(1, 3);
  world.resources = { ...world.resources, services: services.slice(0, 2) };
  const writes = world.restart(1);
  assert.deepEqual(
    writes.filter(({ kind }) => kind === 'clear'),
    [{ kind: 'clear', map: backendTables.name, index: before?.tableId }],
  );
  assert.equal(writes.at(-1)?.kind, 'clear');
});

test('a VPC has flags while it has services and policies', () => {
  const world = new World([1]);
  const compiler = world.host(1).compiler;
  world.resources = { ...world.resources, services: [serviceOf('web', 'red', 1, {})], policies: [policyOf('p', 'blue', {}, {})] };
  compiler.setResources(world.resources);
  assert.deepEqual(compiler.compile().flagged, [7, 8]);
  assert.deepEqual([compiler.flagsOf(7), compiler.flagsOf(8)], [subnetFlag.hasServices, subnetFlag.hasPolicies]);
  compiler.setResources({ vpcs, services: [], policies: [policyOf('p', 'blue', {}, {})] });
  assert.deepEqual(compiler.compile().flagged, [7]);
  assert.equal(compiler.flagsOf(7), 0);
});

test('policies are compiled for identities of this host, rules before the scope that they belong to', () => {
  const world = new World();
  const web = world.add(1, 11, '10.0.0.11', { app: 'web' });
  const db = world.add(2, 21, '10.0.0.21', { app: 'db' });
  world.setResources({ policies: [policyOf('p', 'red', { app: 'web' }, { app: 'db' })] });
  const scopes = (host: number): number[] =>
    [...(world.dump(host).get(maps.policyScopes.name) ?? new Map<string, string>()).keys()].map(
      (key) => maps.policyScopes.key.decode(octetsOf(key)).subject,
    );
  assert.deepEqual([scopes(1), scopes(2)], [[web], []]);
  const rules = [...(world.dump(1).get(maps.policies.name) ?? new Map<string, string>()).keys()].map((key) =>
    maps.policies.key.decode(octetsOf(key)),
  );
  assert.deepEqual(
    rules.map(({ subject, peer }) => [subject, peer]),
    [[web, db]],
  );
  const { compiler } = world.host(1);
  compiler.setResources({ ...world.resources, policies: [policyOf('p', 'red', { app: 'web' }, { app: 'none' })] });
  assert.deepEqual(
    compiler.compile().writes.map(({ kind, map }) => `${kind} ${map}`),
    ['delete policies', 'put policy_scopes'],
  );
});

test('identities of two VPCs are never the same, with the same labels neither', () => {
  const world = new World();
  const red = world.add(1, 11, '10.0.0.11', { app: 'web' });
  const blue = world.add(1, 12, '10.0.0.11', { app: 'web' }, 8);
  assert.notEqual(red, blue);
  assert.equal(world.add(2, 21, '10.0.0.21', { app: 'web' }), red);
  assert.deepEqual(world.host(2).compiler.labelsOf(7, red), { app: 'web' });
  assert.notEqual(world.add(2, 22, '10.0.0.22', {}), 0);
});

test('labels that nobody has for a week are forgotten, those in use never', () => {
  const world = new World();
  world.setResources({ services: [serviceOf('web', 'red', 1, { app: 'web' })] });
  const kept = world.add(1, 11, '10.0.0.11', { app: 'web' });
  world.add(2, 21, '10.0.0.21', { app: 'db' });
  const keys = (): string[] => Array.from(world.catalog.entries('identity/'), ([key]) => key);
  world.remove(2, 21);
  for (const days of [1, 6]) {
    world.day += days;
    for (const { compiler } of world.hosts.values()) compiler.sweep();
    world.settle();
    assert.equal(keys().length, 2);
  }
  world.day++;
  world.host(2).compiler.sweep();
  world.settle();
  assert.deepEqual(keys(), [`identity/red/${kept}`]);
  // A host that has never heard of its use is told.
  world.catalog.delete(`identity/red/${kept}`, 0);
  world.settle();
  assert.deepEqual(keys(), [`identity/red/${kept}`]);
  assert.equal(world.service(2, 1)?.backends, 1);
});

test('what a host that is no more said of its endpoints is forgotten', () => {
  const world = new World();
  world.setResources({ services: [serviceOf('web', 'red', 1, { app: 'web' })] });
  world.add(2, 21, '10.0.0.21', { app: 'web' });
  world.hosts.delete(2);
  world.known.delete(2);
  world.lives.set(2, 'lost');
  world.host(1).compiler.hostsChanged([2]);
  world.settle();
  assert.equal(world.service(1, 1)?.backends, 0);
  world.host(1).compiler.sweep();
  world.settle();
  assert.deepEqual([...world.catalog.entries('slice/')], []);
});

const labelSets: readonly Labels[] = [{}, { app: 'a' }, { app: 'b' }, { app: 'a', tier: 'x' }];
type Step = (world: World) => void;
const someServices = fc
  .uniqueArray(
    fc.record({ last: fc.integer({ min: 1, max: 4 }), selector: fc.constantFrom(...labelSets), port: fc.constantFrom(80, 8080) }),
    {
      selector: ({ last }) => last,
    },
  )
  .map((all) => all.map(({ last, selector, port }) => serviceOf(`s${last}`, last === 4 ? 'blue' : 'red', last, selector, port)));
const somePolicies = fc
  .array(fc.record({ selector: fc.constantFrom(...labelSets), from: fc.constantFrom(...labelSets) }), { maxLength: 3 })
  .map((all) => all.map(({ selector, from }, at) => policyOf(`p${at}`, 'red', selector, from)));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc
    .record({
      host: fc.constantFrom(1, 2),
      port: fc.integer({ min: 1, max: 5 }),
      labels: fc.constantFrom(...labelSets),
      vni: fc.constantFrom(7, 8),
    })
    .map(
      ({ host, port, labels, vni }): Step =>
        (world) =>
          void world.add(host, port, `10.${host}.${vni}.${port}`, labels, vni),
    ),
  fc.record({ host: fc.constantFrom(1, 2), port: fc.integer({ min: 1, max: 5 }) }).map(
    ({ host, port }): Step =>
      (world) =>
        world.remove(host, port),
  ),
  fc.constantFrom<HostLife>('alive', 'silent', 'lost').map(
    (life): Step =>
      (world) =>
        world.setLife(2, life),
  ),
  someServices.map(
    (services): Step =>
      (world) =>
        world.setResources({ services }),
  ),
  somePolicies.map(
    (policies): Step =>
      (world) =>
        world.setResources({ policies }),
  ),
);

test('after any steps the maps are what a compiler makes that sees it all at once', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
      const world = new World();
      for (const one of steps) one(world);
      for (const [hostId, { compiler, memory }] of world.hosts) {
        const builder: MapBuilder = new Map();
        compiler.addContents(builder);
        assert.deepEqual(plan(builder, world.dump(hostId)), []);
        for (const write of compiler.tableWrites().swaps) {
          assert.ok(write.kind === 'swap');
          assert.deepEqual(memory.mapOfMaps(write.map).get(write.index)?.map(hexOf), write.values.map(hexOf));
        }
      }
      // What this process knows in parts, a new one knows from the catalog.
      assert.deepEqual(
        world.restart(1).filter(({ kind }) => kind !== 'swap'),
        [],
      );
    }),
    { numRuns: 60 },
  );
});
