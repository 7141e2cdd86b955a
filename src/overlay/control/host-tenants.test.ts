import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../sim/seeded-random.ts';
import { Catalog } from '../catalog/catalog.ts';
import { sliceKey, sliceRecord } from '../compiler/backend-slice.ts';
import type { TenantResources } from '../compiler/tenant-compiler.ts';
import { endpointFlag } from '../layout/endpoint.ts';
import { maps, ownerTables } from '../layout/maps.ts';
import { portFlag } from '../layout/port.ts';
import { backendFlag } from '../layout/service.ts';
import { memoryMaps } from '../memory-maps.ts';
import type { Labels } from '../resources/resource-types.ts';
import type { Policy, Service } from '../resources/tenant-network.ts';
import { tenantSubnet } from '../simulation/simulation.ts';
import { addressHex, octetsOf } from './address.ts';
import { usualDurations } from './durations.ts';
import { HostControl } from './host-control.ts';
import type { LocalEndpoint } from './host-maps.ts';
import { plan, plannedMaps, recordsOf, type MapContents, type MapWrite } from './plan.ts';

const serviceAddress = addressHex('10.9.0.1');
const web: Service = {
  name: 'web',
  vpc: 'red',
  addresses: [serviceAddress],
  ports: [{ protocol: 'tcp', port: 80, targetPort: 8080 }],
  selector: { app: 'web' },
  affinity: 'none',
};
const closed: Policy = { name: 'closed', vpc: 'red', selector: { app: 'web' }, ingress: [], egress: undefined };

/** A daemon that owns everything, with its maps and its catalog, whose disk outlives it; of the other host there are only words. */
class Daemon {
  readonly memory = memoryMaps();
  readonly catalog = new Catalog({ hostId: 1, random: new SeededRandom(1), stored: [], nowMs: 0 });
  readonly disk = new Map<string, unknown>();
  resources: TenantResources = { vpcs: [{ name: 'red', vni: 1, peers: [] }], services: [], policies: [] };
  control: HostControl;
  /** Map writes, oldest first. */
  writes: MapWrite[] = [];
  #nowMs = 0;
  #last = 0;

  constructor() {
    this.control = this.start();
  }

  /** A new process; the maps are as they were. */
  start(): HostControl {
    const self = { hostId: 1, generation: 1, uplinkIfindex: 2, underlayMtu: 1500, address: addressHex('192.0.2.1'), mac: '020000000001' };
    this.control = new HostControl({
      self,
      random: new SeededRandom(1),
      stored: [...this.disk],
      bootId: 'boot',
      catalog: this.catalog,
      resources: () => this.resources,
    });
    const { generation, address, mac } = self;
    const host = { hostId: 1, generation, address, mac, mtu: 1500, alive: true };
    const other = { ...host, hostId: 2, address: addressHex('192.0.2.2'), mac: '020000000002' };
    this.control.setSpec({ hosts: [host, other], subnets: [tenantSubnet(1, 1)], epochs: [{ epoch: 1, members: [1] }] }, this.#nowMs);
    for (const write of this.control.reconcile(this.dump(), this.#nowMs)) this.#apply(write);
    this.run(100);
    return this.control;
  }

  set(resources: Partial<TenantResources>): void {
    this.resources = { ...this.resources, ...resources };
    this.control.catalogChanged(this.#nowMs);
    this.run(0);
  }

  add(labels: Labels, forMs: number = 5000): LocalEndpoint {
    const ifindex = 100 + ++this.#last;
    const identity = this.control.identityFor(1, labels);
    const mac = `0200000000${ifindex.toString(16)}`;
    this.control.add({ requestId: ifindex, subnetId: 1, ifindex, mac, identity, flags: 0, fixed: [] }, this.#nowMs);
    this.run(forMs);
    return [...this.control.endpoints].find((endpoint) => endpoint.ifindex === ifindex) ?? assert.fail('it was not placed');
  }

  /** What the probes say of the other host. */
  setAlive(isAlive: boolean): void {
    this.control.setHostAlive(2, isAlive, this.#nowMs);
    this.run(0);
  }

  relabel(endpoint: LocalEndpoint, labels: Labels): void {
    this.control.relabel(endpoint.ifindex, labels, this.#nowMs);
    this.run(1000);
  }

  remove({ ifindex }: LocalEndpoint): void {
    this.control.delete(ifindex, this.#nowMs);
    this.run(0);
  }

  run(forMs: number): void {
    const untilMs = this.#nowMs + forMs;
    for (;;) {
      for (let outputs = this.control.takeOutputs(); outputs.length > 0; outputs = this.control.takeOutputs()) {
        for (const output of outputs) {
          if (output.kind === 'map') this.#apply(output.write);
          if (output.kind === 'store') this.disk.set(output.key, output.value);
          if (output.kind !== 'record') continue;
          const { key, value } = output.record;
          if (value === undefined) this.catalog.delete(key, this.#nowMs);
          else this.catalog.set(key, value, this.#nowMs);
          this.control.catalogChanged(this.#nowMs);
        }
      }
      const dueMs = this.control.nextDeadlineMs(this.#nowMs);
      if (dueMs > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      this.control.handleTimeout(this.#nowMs);
    }
    this.#nowMs = untilMs;
  }

  dump(): MapContents {
    return new Map(plannedMaps.map((name) => [name, recordsOf(this.memory.map(name).entries())]));
  }

  port({ ifindex }: LocalEndpoint): ReturnType<typeof maps.ports.value.decode> {
    const found = this.memory.map(maps.ports.name).get(maps.ports.key.encode({ index: ifindex }));
    return maps.ports.value.decode(found ?? assert.fail('there is no port'));
  }

  flags({ vni, addresses }: LocalEndpoint): number {
    const key = maps.endpoints.key.encode({ vni, address: octetsOf(addresses[0] ?? '') });
    return maps.endpoints.value.decode(this.memory.map(maps.endpoints.name).get(key) ?? assert.fail()).flags;
  }

  backend({ addresses }: Pick<LocalEndpoint, 'addresses'>): number | undefined {
    const service = { vni: 1, address: octetsOf(serviceAddress), port: 80, protocol: 6 };
    const found = this.memory.map(maps.services.name).get(maps.services.key.encode(service));
    const { serviceId } = maps.services.value.decode(found ?? assert.fail('there is no service'));
    const key = maps.backends.key.encode({ serviceId, address: octetsOf(addresses[0] ?? ''), port: 8080 });
    const backend = this.memory.map(maps.backends.name).get(key);
    return backend === undefined ? undefined : maps.backends.value.decode(backend).flags;
  }

  #apply(write: MapWrite): void {
    this.writes.push(write);
    if (write.kind === 'put') this.memory.map(write.map).put(write.key, write.value);
    else if (write.kind === 'delete') this.memory.map(write.map).delete(write.key);
    else if (write.kind === 'swap') this.memory.mapOfMaps(write.map).swap(write.index, write.values);
    else this.memory.mapOfMaps(write.map).clear(write.index);
  }
}

test('ports and endpoints have flags while their VPC has services and policies', () => {
  const daemon = new Daemon();
  const endpoint = daemon.add({ app: 'web' });
  const both = portFlag.hasServices | portFlag.hasPolicies;
  assert.deepEqual([daemon.port(endpoint).flags & both, daemon.flags(endpoint)], [0, 0]);
  daemon.set({ services: [web], policies: [closed] });
  assert.deepEqual(
    [daemon.port(endpoint).flags & both, daemon.flags(endpoint)],
    [both, endpointFlag.hasServices | endpointFlag.hasPolicies],
  );
  assert.equal(daemon.backend(endpoint), backendFlag.ready);
  daemon.set({ services: [], policies: [] });
  assert.deepEqual([daemon.port(endpoint).flags & both, daemon.flags(endpoint)], [0, 0]);
  assert.deepEqual(plan(daemon.control.desired(), daemon.dump()), []);
});

test('the rules for a pod are there before its port is', () => {
  const daemon = new Daemon();
  daemon.set({ policies: [closed] });
  daemon.writes = [];
  const endpoint = daemon.add({ app: 'web' });
  const order = daemon.writes.map(({ map }) => map);
  assert.ok(order.includes(maps.policyScopes.name));
  assert.ok(order.indexOf(maps.policyScopes.name) < order.indexOf(maps.ports.name), order.join());
  assert.notEqual(daemon.port(endpoint).identity, 0);
  assert.deepEqual(daemon.control.labelsOf(endpoint), { app: 'web' });
});

test('an endpoint that gets other labels drains, and has another identity at its port', () => {
  const daemon = new Daemon();
  daemon.set({ services: [web] });
  const endpoint = daemon.add({ app: 'web' });
  const { identity, generation } = daemon.port(endpoint);
  daemon.relabel(endpoint, { app: 'old' });
  assert.equal(daemon.backend(endpoint), backendFlag.draining);
  assert.notEqual(daemon.port(endpoint).identity, identity);
  assert.equal(daemon.port(endpoint).generation, generation);
  daemon.relabel(endpoint, { app: 'web' });
  assert.equal(daemon.backend(endpoint), backendFlag.ready);
  assert.equal(daemon.port(endpoint).identity, identity);
});

test('pods that come one after the other do not each cost a table, one that goes does at once', () => {
  const daemon = new Daemon();
  daemon.set({ services: [web] });
  const first = daemon.add({ app: 'web' });
  daemon.writes = [];
  const swaps = (): number => daemon.writes.filter(({ kind }) => kind === 'swap').length;
  const pods = Array.from({ length: 20 }, () => daemon.add({ app: 'web' }, 10));
  assert.equal(swaps(), 0);
  daemon.run(60);
  assert.equal(swaps(), 1);
  assert.ok(pods.every((pod) => daemon.backend(pod) === backendFlag.ready));
  daemon.remove(first);
  assert.equal(swaps(), 2);
  assert.equal(daemon.backend(first), undefined);
});

test('a new process leaves the maps as they are, but for tables, which nobody can read', () => {
  const daemon = new Daemon();
  daemon.set({ services: [web], policies: [closed] });
  daemon.add({ app: 'web' });
  daemon.writes = [];
  daemon.start();
  daemon.run(1000);
  assert.deepEqual([...new Set(daemon.writes.map(({ kind, map }) => `${kind} ${map}`))].toSorted(), [
    'swap backend_tables',
    `swap ${ownerTables.name}`,
  ]);
});

test('backends at a host that does not answer drain, and are gone when it is silent for too long', () => {
  const daemon = new Daemon();
  daemon.set({ services: [web] });
  const there = { addresses: [addressHex('10.1.0.77')] };
  daemon.catalog.set(sliceKey('red', 'web', 2), sliceRecord({ ready: there.addresses, draining: [] }), 0);
  daemon.set({});
  assert.equal(daemon.backend(there), backendFlag.ready);
  daemon.setAlive(false);
  assert.equal(daemon.backend(there), backendFlag.draining);
  daemon.run(usualDurations.deadHostResetAfterMs - 1);
  assert.equal(daemon.backend(there), backendFlag.draining);
  daemon.setAlive(true);
  daemon.run(usualDurations.deadHostResetAfterMs);
  assert.equal(daemon.backend(there), backendFlag.ready);
  daemon.setAlive(false);
  daemon.run(1000);
  // That it is silent is not news.
  daemon.setAlive(false);
  daemon.run(usualDurations.deadHostResetAfterMs - 1001);
  assert.equal(daemon.backend(there), backendFlag.draining);
  daemon.run(1);
  assert.equal(daemon.backend(there), undefined);
  assert.deepEqual(plan(daemon.control.desired(), daemon.dump()), []);
  daemon.setAlive(true);
  assert.equal(daemon.backend(there), backendFlag.ready);
});
