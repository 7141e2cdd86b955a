import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../sim/seeded-random.ts';
import { endpointKind } from '../layout/endpoint.ts';
import { maps } from '../layout/maps.ts';
import { Cluster } from '../simulation/cluster.ts';
import { Draws } from '../simulation/draws.ts';
import { tenantSubnet } from '../simulation/simulation.ts';
import type { VirtualHost } from '../simulation/virtual-host.ts';
import { addressHex, isInPrefix, octetsOf } from './address.ts';
import { usualDurations } from './durations.ts';
import type { HostOutput } from './host-control.ts';
import type { LocalEndpoint } from './host-maps.ts';
import { plan } from './plan.ts';
import type { SubnetSpec } from './spec.ts';

interface Bench {
  readonly cluster: Cluster;
  readonly outputs: { readonly hostId: number; readonly output: HostOutput }[];
  host(hostId: number): VirtualHost;
  /** Places an endpoint and waits until an owner knows it. */
  place(hostId: number, subnetId?: number, fixed?: readonly string[]): LocalEndpoint;
  /** Asks for one, and waits for the code of the error. */
  refused(hostId: number, subnetId?: number, fixed?: readonly string[]): string;
  run(forMs: number): void;
}

function bench(hosts: number, subnets: readonly SubnetSpec[] = [tenantSubnet(1, 512), tenantSubnet(2, 512), tenantSubnet(3, 512)]): Bench {
  const outputs: Bench['outputs'] = [];
  const cluster: Cluster = new Cluster({
    draws: new Draws(new SeededRandom(1)),
    hosts,
    subnets,
    durations: usualDurations,
    hasMaps: true,
    textShare: 1,
    output: ({ hostId }, output) => outputs.push({ hostId, output }),
    violation: (what) => assert.fail(what),
  });
  const run = (forMs: number): void => cluster.time.run(cluster.time.nowMs + forMs);
  run(1000);
  let last = 10;
  const host = (hostId: number): VirtualHost => cluster.hosts.get(hostId) ?? assert.fail(`there is no host ${hostId}`);
  const add = (hostId: number, subnetId: number, fixed: readonly string[]): HostOutput[] => {
    const requestId = ++last;
    const { control, nowMs } = host(hostId);
    control?.add(
      { requestId, subnetId, ifindex: requestId, mac: `02000000${requestId.toString(16).padStart(4, '0')}`, identity: 3, flags: 0, fixed },
      nowMs,
    );
    host(hostId).drive();
    run(6000);
    return outputs.map(({ output }) => output).filter((output) => 'requestId' in output && output.requestId === requestId);
  };
  return {
    cluster,
    outputs,
    host,
    run,
    place: (hostId, subnetId = 1, fixed = []) => {
      const [placed, done] = add(hostId, subnetId, fixed);
      assert.ok(placed?.kind === 'placed' && done?.kind === 'done', JSON.stringify([placed, done]));
      return placed.endpoint;
    },
    refused: (hostId, subnetId = 1, fixed = []) => {
      const failed = add(hostId, subnetId, fixed).at(-1);
      assert.ok(failed?.kind === 'failed', JSON.stringify(failed));
      return failed.error.code;
    },
  };
}

function known(host: VirtualHost, vni: number, address: string): { kind: number; hostId: number; generation: number } | undefined {
  const value = host.maps.map('endpoints').get(maps.endpoints.key.encode({ vni, address: octetsOf(address) }));
  return value === undefined ? undefined : maps.endpoints.value.decode(value);
}

test('an endpoint is in the maps of its host and of its two owners', () => {
  const { host, place } = bench(6);
  const endpoint = place(2);
  const [address = ''] = endpoint.addresses;
  assert.equal(known(host(2), 1, address)?.kind, endpointKind.local);
  const owners = host(2).control?.ownersOf(1, address) ?? [];
  assert.equal(owners.length, 2);
  for (const owner of owners) {
    if (owner !== 2)
      assert.deepEqual([known(host(owner), 1, address)?.kind, known(host(owner), 1, address)?.hostId], [endpointKind.directory, 2]);
  }
  const port = maps.ports.value.decode(
    host(2)
      .maps.map('ports')
      .get(maps.ports.key.encode({ index: endpoint.ifindex })) ?? assert.fail(),
  );
  assert.deepEqual([port.vni, port.subnetId, port.generation, port.identity, port.mtu], [1, 1, endpoint.generation, 3, 1418]);
  for (const other of [1, 3, 4, 5, 6]) if (!owners.includes(other)) assert.equal(known(host(other), 1, address), undefined);
});

test('two tenants have the same addresses, and do not see each other', () => {
  const { host, place, outputs, run } = bench(3);
  const fixed = [addressHex('10.64.0.200')];
  place(1, 1, fixed);
  place(2, 2, fixed);
  for (const vni of [1, 2]) {
    host(3).control?.resolve(vni, vni, fixed[0], host(3).nowMs);
    host(3).drive();
  }
  run(1000);
  const resolved = outputs.flatMap(({ output }) => (output.kind === 'resolved' ? [[output.requestId, output.entry?.hostId]] : []));
  assert.deepEqual(resolved.sort(), [
    [1, 1],
    [2, 2],
  ]);
});

test('an endpoint of a subnet with IPv4 and IPv6 has an address of each, under one generation', () => {
  const { place, host } = bench(4);
  const { addresses, generation } = place(1, 3);
  const [ipv4, ipv6] = tenantSubnet(3, 512).prefixes;
  assert.ok(isInPrefix(addresses[0], ipv4) && isInPrefix(addresses[1], ipv6));
  for (const address of addresses) assert.equal(known(host(1), 3, address)?.generation, generation);
});

test('a chosen address is given to one host only, and to another one after that', () => {
  const { host, place, refused, run } = bench(4);
  const fixed = [addressHex('10.64.0.210')];
  const first = place(1, 1, fixed);
  assert.deepEqual(first.addresses, fixed);
  assert.equal(refused(2, 1, fixed), 'address-in-use');
  assert.equal(refused(2, 1, [addressHex('10.99.0.1')]), 'address-not-in-subnet');
  assert.equal(refused(2, 99), 'unknown-subnet');
  host(1).control?.delete(first.ifindex, host(1).nowMs);
  host(1).drive();
  run(1000);
  assert.equal(known(host(1), 1, fixed[0]), undefined);
});

test("a chosen address whose endpoint was deleted is another host's as soon as that asks", () => {
  const { host, place, run } = bench(3);
  const fixed = [addressHex('10.64.0.211')];
  const first = place(1, 1, fixed);
  host(1).control?.delete(first.ifindex, host(1).nowMs);
  host(1).drive();
  run(100);
  const second = place(2, 1, fixed);
  assert.deepEqual(second.addresses, fixed);
  assert.ok(second.generation > first.generation);
});

test('a subnet has an end', () => {
  const prefix = { address: addressHex('10.1.0.0'), length: 124, gateway: addressHex('10.1.0.1'), fixed: undefined };
  const { place, refused } = bench(3, [{ ...tenantSubnet(1, 512), prefixes: [prefix] }]);
  const given = new Set(Array.from({ length: 12 }, () => place(1).addresses[0]));
  assert.equal(given.size, 12);
  assert.equal(refused(1), 'subnet-exhausted');
  assert.equal(refused(2), 'no-address');
});

test('an endpoint that moves keeps its address, is newer, and leaves a tombstone', () => {
  const { host, place, outputs, run } = bench(5);
  const endpoint = place(1);
  const [address = ''] = endpoint.addresses;
  host(1).control?.moveOut(900, endpoint.ifindex, host(1).nowMs);
  host(1).drive();
  run(100);
  assert.equal(known(host(1), 1, address)?.kind, endpointKind.local, 'served here until it has come');
  const done = outputs.find(({ output }) => output.kind === 'done' && output.requestId === 900)?.output;
  assert.ok(done?.kind === 'done' && done.ticket !== undefined);
  host(2).control?.moveIn(901, 500, done.ticket, host(2).nowMs);
  host(2).drive();
  run(1000);
  const here = known(host(2), 1, address);
  assert.ok(here?.kind === endpointKind.local && here.generation > endpoint.generation);
  for (const owner of host(1).control?.ownersOf(1, address) ?? []) {
    if (owner !== 2)
      assert.deepEqual([known(host(owner), 1, address)?.hostId, known(host(owner), 1, address)?.generation], [2, here.generation]);
  }
  assert.ok(known(host(1), 1, address)?.kind !== endpointKind.local);
  assert.equal(known(host(1), 1, address)?.hostId, 2, 'who comes here is told where it is');
  run(usualDurations.tombstoneMs);
  if (host(1).control?.ownersOf(1, address).includes(1) === false) assert.equal(known(host(1), 1, address), undefined);
  const again = place(1);
  assert.ok(!again.addresses.includes(address));
});

test('a daemon that is killed finds everything again and writes nothing; what was changed behind it is put right', () => {
  const { host, place, cluster, run } = bench(4);
  const endpoints = [place(1), place(1), place(2), place(3)];
  host(1).stop();
  const before = host(1).dump();
  host(1)
    .maps.map('ports')
    .delete(maps.ports.key.encode({ index: endpoints[0].ifindex }));
  host(1)
    .maps.map('devices')
    .put(maps.devices.key.encode({ index: 77 }), maps.devices.value.encode({ index: 77 }));
  host(1).start();
  cluster.tellSpec(host(1));
  run(1000);
  assert.deepEqual(new Set(host(1).control?.endpoints), new Set(endpoints.slice(0, 2)));
  assert.deepEqual(plan(before, host(1).dump()), []);
  const later = place(1);
  assert.ok(!endpoints.some(({ addresses }) => addresses[0] === later.addresses[0]));
});

test('a machine that starts anew has no endpoints, its owners forget them, and another host may have its addresses', () => {
  const { host, place, cluster, run } = bench(4);
  const endpoint = place(1);
  host(1).powerOff();
  run(1000);
  host(1).powerOn();
  cluster.publish();
  run(40_000);
  assert.deepEqual([...(host(1).control?.endpoints ?? [])], []);
  for (const { control } of cluster.running) assert.deepEqual([...(control?.directory ?? [])], []);
  assert.deepEqual(place(2, 1, endpoint.addresses).addresses, endpoint.addresses);
});

test('an owner tells the host whose packets it sent on, once a second, and no other host is believed', () => {
  const { host, place, outputs, run } = bench(5);
  const { addresses, generation } = place(1);
  const [address = ''] = addresses;
  const owners = host(1).control?.ownersOf(1, address) ?? [];
  const asking = [2, 3, 4, 5].find((hostId) => !owners.includes(hostId)) ?? 0;
  const owner = host(owners.find((hostId) => hostId !== 1) ?? 0);
  const event = { vni: 1, sourceHostId: asking, hostId: 1, generation, source: new Uint8Array(16), destination: octetsOf(address) };
  for (let at = 0; at < 3; at++) owner.control?.relayed(event, owner.nowMs);
  owner.drive();
  run(100);
  const paths = (): HostOutput[] => outputs.filter(({ output }) => output.kind === 'path').map(({ output }) => output);
  assert.equal(paths().length, 1);
  assert.ok(paths().every((output) => output.kind === 'path' && output.entry.hostId === 1 && output.hostGeneration === 1));
  const liar = [2, 3, 4, 5].find((hostId) => !owners.includes(hostId) && hostId !== asking) ?? 0;
  const lie = {
    type: 'located',
    vni: 1,
    address,
    hostId: liar,
    generation: generation + 1,
    identity: 0,
    flags: 0,
    mac: '020000000666',
  } as const;
  host(asking).control?.receive(liar, [lie], host(asking).nowMs);
  host(asking).drive();
  assert.equal(paths().length, 1);
});

test('a host that is believed dead is marked in the maps by one write, until it starts anew', () => {
  const { host } = bench(3);
  const { control } = host(1);
  const flags = (): number => {
    const record =
      host(1)
        .maps.map('hosts')
        .get(maps.hosts.key.encode({ index: 2 })) ?? assert.fail();
    return maps.hosts.value.decode(record).flags;
  };
  assert.equal(flags(), 3);
  control?.setHostAlive(2, false, host(1).nowMs);
  const writes = control?.takeOutputs() ?? [];
  assert.deepEqual(
    writes.map(({ kind }) => kind),
    ['map'],
  );
  control?.setHostAlive(2, true, host(1).nowMs);
  host(1).drive();
  assert.equal(flags(), 3);
});

test('an older spec is not taken, also after a restart', () => {
  const { host, cluster, run } = bench(3);
  const old = cluster.spec;
  cluster.dead.add(3);
  cluster.publish();
  run(1000);
  assert.equal(host(1).control?.setSpec(old, host(1).nowMs), false);
  host(1).stop();
  host(1).start();
  assert.equal(host(1).control?.setSpec(old, host(1).nowMs), false);
});
