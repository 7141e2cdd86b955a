import { counterKeyCodec, reason, sumCounters, type Reason } from '../../src/overlay/layout/counter.ts';
import { endpointKeyCodec, type EndpointKey } from '../../src/overlay/layout/endpoint.ts';
import { relayedEventCodec, type RelayedEvent } from '../../src/overlay/layout/event.ts';
import { maps, ownerTables, type MapLayout } from '../../src/overlay/layout/maps.ts';
import type { Path } from '../../src/overlay/layout/path.ts';
import type { Bpf, BpfMap, BpfObject } from '../../src/overlay/kernel.ts';
import { endpointName, type Tables } from '../../src/overlay/model/tables.ts';
import { parseAddress } from '../../src/overlay/packet/address.ts';
import { KernelPolicies } from './kernel-policies.ts';
import { KernelServices } from './kernel-services.ts';

const reasonNames = new Map(Object.entries(reason).map(([name, code]) => [code as number, name as Reason]));
/** More than one packet can bring about. */
const eventLimit = 16;
const events = 'events';

/** The maps of the data path in the kernel, written from and read as the model's tables. */
export class KernelTables {
  readonly #bpf: Bpf;
  readonly #object: BpfObject;
  readonly policies: KernelPolicies;
  readonly services: KernelServices;

  constructor(bpf: Bpf, object: BpfObject) {
    this.policies = new KernelPolicies(object);
    this.services = new KernelServices(object);
    this.#bpf = bpf;
    this.#object = object;
  }

  #map<K, V>(layout: MapLayout<K, V>): BpfMap {
    return this.#object.map(layout.name);
  }

  /** Replaces everything but the counters. */
  write(tables: Tables): void {
    const index = (value: number): { index: number } => ({ index: value });
    this.#fill(maps.settings, [[index(0), tables.settings]]);
    this.#fill(
      maps.ports,
      [...tables.ports].map(([ifindex, port]) => [index(ifindex), port] as const),
    );
    this.#fill(
      maps.hosts,
      [...tables.hosts].map(([hostId, host]) => [index(hostId), host] as const),
    );
    this.#refill(
      maps.hostIds,
      [...tables.hostIds].map(([text, hostId]) => [{ address: parseAddress(text)! }, index(hostId)] as const),
    );
    this.#refill(
      maps.endpoints,
      [...tables.endpoints].map(([name, endpoint]) => [keyOf(name), endpoint] as const),
    );
    this.#refill(
      maps.subnets,
      tables.subnets.map(({ key, subnet }) => [key, subnet] as const),
    );
    if (tables.ports.size === 0) this.#refill(maps.ports, []);
    const arrays = this.#object.mapOfMaps(ownerTables.name);
    for (const [tableId, owners] of tables.ownerTables)
      arrays.swap(
        tableId,
        owners.map((slot) => ownerTables.value.encode(slot)),
      );
    this.writePaths(tables.paths);
    this.services.write(tables.services, tables.fragments);
    this.policies.write(tables.policy);
  }

  writePaths(paths: ReadonlyMap<string, Path>): void {
    this.#refill(
      maps.paths,
      [...paths].map(([name, path]) => [keyOf(name), path] as const),
    );
  }

  /** What XDP may redirect to. */
  writeDevices(devices: Iterable<number>): void {
    this.#refill(
      maps.devices,
      [...devices].map((ifindex) => [{ index: ifindex }, { index: ifindex }] as const),
    );
  }

  readPaths(): Map<string, Path> {
    const entries = this.#map(maps.paths).entries();
    return new Map([...entries].map(([key, value]) => [endpointName(endpointKeyCodec.decode(key)), maps.paths.value.decode(value)]));
  }

  /** What was counted since the last call, as `vni reason packets octets`. */
  takeCounts(): string[] {
    const map = this.#map(maps.counters);
    const counted = [...map.entries()].map(([key, value]) => {
      const { vni, reason: code } = counterKeyCodec.decode(key);
      const { packets, bytes } = sumCounters(value);
      return { key, text: `${vni} ${reasonNames.get(code) ?? code} ${packets} ${bytes}` };
    });
    for (const { key } of counted) map.delete(key);
    return counted.map(({ text }) => text).sort();
  }

  takeEvents(): RelayedEvent[] {
    return this.#bpf.drainEvents(this.#object, events, eventLimit).map((octets) => relayedEventCodec.decode(octets));
  }

  #fill<K, V>(layout: MapLayout<K, V>, entries: readonly (readonly [K, V])[]): void {
    const map = this.#map(layout);
    for (const [key, value] of entries) map.put(layout.key.encode(key), layout.value.encode(value));
  }

  #refill<K, V>(layout: MapLayout<K, V>, entries: readonly (readonly [K, V])[]): void {
    const map = this.#map(layout);
    for (const key of [...map.entries()].map(([key]) => key)) map.delete(key);
    this.#fill(layout, entries);
  }
}

function keyOf(name: string): EndpointKey {
  const [vni, address] = name.split(' ');
  return { vni: Number(vni), address: parseAddress(address!)! };
}
