import type { BpfMap, BpfObject } from '../../src/overlay/kernel.ts';
import type { Fragment, FragmentKey } from '../../src/overlay/layout/fragment.ts';
import { backendTables, maps, type MapLayout } from '../../src/overlay/layout/maps.ts';
import type { FlowKey, Translation } from '../../src/overlay/layout/translation.ts';
import { fragmentName } from '../../src/overlay/model/flow.ts';
import { flowName } from '../../src/overlay/model/policy.ts';
import type { ServiceTables } from '../../src/overlay/model/service.ts';
import { parseAddress } from '../../src/overlay/packet/address.ts';

const noFragments: ReadonlyMap<string, Fragment> = new Map();
const none: ServiceTables = { services: new Map(), backendTables: new Map(), backends: new Map(), translations: new Map() };

/** The maps of services, and of fragments, in the kernel. What has not changed since the last time is not written again. */
export class KernelServices {
  readonly #object: BpfObject;
  #written = none;
  /** They may be there: somebody reads flows. */
  #hasFragments = false;

  constructor(object: BpfObject) {
    this.#object = object;
  }

  write(tables: ServiceTables = none, fragments: ReadonlyMap<string, Fragment> = noFragments): void {
    // Listing large maps takes the kernel milliseconds.
    if (tables === this.#written && tables === none && fragments === noFragments && !this.#hasFragments) return;
    this.#hasFragments = fragments !== noFragments || tables !== none;
    if (tables.services !== this.#written.services) {
      this.#refill(
        maps.services,
        [...tables.services].map(([name, service]) => {
          const [vni, address, port, protocol] = name.split(' ');
          return [{ vni: Number(vni), address: parseAddress(address!)!, port: Number(port), protocol: Number(protocol) }, service];
        }),
      );
    }
    if (tables.backends !== this.#written.backends) {
      this.#refill(
        maps.backends,
        [...tables.backends].map(([name, state]) => {
          const [serviceId, address, port] = name.split(' ');
          return [{ serviceId: Number(serviceId), address: parseAddress(address!)!, port: Number(port) }, state];
        }),
      );
    }
    if (tables.backendTables !== this.#written.backendTables) {
      const arrays = this.#object.mapOfMaps(backendTables.name);
      for (const [tableId, slots] of tables.backendTables)
        arrays.swap(
          tableId,
          slots.map((slot) => backendTables.value.encode(slot)),
        );
    }
    this.#written = tables;
    this.#refill(
      maps.translations,
      [...tables.translations].map(([name, translation]) => [flowKeyOf(name), translation]),
    );
    this.#refill(
      maps.fragments,
      [...fragments].map(([name, fragment]) => [fragmentKeyOf(name), fragment]),
    );
  }

  putTranslations(translations: ReadonlyMap<string, Translation>): void {
    const { key, value, name } = maps.translations;
    const map = this.#object.map(name);
    for (const [of, translation] of translations) map.put(key.encode(flowKeyOf(of)), value.encode(translation));
  }

  /** By `flowName`. */
  readTranslations(): Map<string, Translation> {
    if (this.#written === none) return new Map();
    const { key, value, name } = maps.translations;
    return new Map([...this.#object.map(name).entries()].map(([octets, record]) => [flowName(key.decode(octets)), value.decode(record)]));
  }

  /** By `fragmentName`. */
  readFragments(): Map<string, Fragment> {
    if (!this.#hasFragments) return new Map();
    const { key, value, name } = maps.fragments;
    return new Map(
      [...this.#object.map(name).entries()].map(([octets, record]) => [fragmentName(key.decode(octets)), value.decode(record)]),
    );
  }

  #refill<K, V>(layout: MapLayout<K, V>, entries: readonly (readonly [K, V])[]): void {
    const map: BpfMap = this.#object.map(layout.name);
    for (const key of [...map.entries()].map(([octets]) => octets)) map.delete(key);
    for (const [key, value] of entries) map.put(layout.key.encode(key), layout.value.encode(value));
  }
}

/** The reverse of `flowName`. */
export function flowKeyOf(name: string): FlowKey {
  const [vni, protocol, direction, source, sourcePort, destination, destinationPort] = name.split(' ');
  return {
    vni: Number(vni),
    protocol: Number(protocol),
    direction: Number(direction),
    source: parseAddress(source!)!,
    sourcePort: Number(sourcePort),
    destination: parseAddress(destination!)!,
    destinationPort: Number(destinationPort),
  };
}

function fragmentKeyOf(name: string): FragmentKey {
  const [vni, source, destination, id, protocol] = name.split(' ');
  return {
    vni: Number(vni),
    source: parseAddress(source!)!,
    destination: parseAddress(destination!)!,
    id: Number(id),
    protocol: Number(protocol),
  };
}
