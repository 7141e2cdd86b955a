import type { BpfObject } from '../../src/overlay/kernel.ts';
import { maps, type MapLayout } from '../../src/overlay/layout/maps.ts';
import { policyVerdict, type FlowState } from '../../src/overlay/layout/policy.ts';
import { flowName, noPolicies, type PolicyTables } from '../../src/overlay/model/policy.ts';
import { flowKeyOf } from './kernel-services.ts';

/** The maps of policies in the kernel. What has not changed since the last time is not written again. */
export class KernelPolicies {
  readonly #object: BpfObject;
  #written = noPolicies;

  constructor(object: BpfObject) {
    this.#object = object;
  }

  write(tables: PolicyTables = noPolicies): void {
    const before = this.#written;
    this.#written = tables;
    if (tables.rules !== before.rules)
      this.#refill(
        maps.policies,
        tables.rules.map((rule) => [rule, { verdict: policyVerdict.allow }]),
      );
    if (tables.prefixes !== before.prefixes)
      this.#refill(
        maps.policyPrefixes,
        tables.prefixes.map(({ key, peer }) => [key, { peer }]),
      );
    if (tables.scopes !== before.scopes)
      this.#refill(
        maps.policyScopes,
        [...tables.scopes].map(([name, scope]) => {
          const [vni, subject] = name.split(' ');
          return [{ vni: Number(vni), subject: Number(subject) }, scope];
        }),
      );
    if (tables !== before) this.#refill(maps.flows, [...tables.flows].map(flowEntry));
  }

  putFlows(flows: Iterable<readonly [name: string, state: FlowState]>): void {
    this.#fill(maps.flows, [...flows].map(flowEntry));
  }

  /** By `flowName`. */
  readFlows(): Map<string, FlowState> {
    if (this.#written === noPolicies) return new Map();
    const { key, value, name } = maps.flows;
    return new Map([...this.#object.map(name).entries()].map(([octets, record]) => [flowName(key.decode(octets)), value.decode(record)]));
  }

  #fill<K, V>(layout: MapLayout<K, V>, entries: readonly (readonly [K, V])[]): void {
    const map = this.#object.map(layout.name);
    for (const [key, value] of entries) map.put(layout.key.encode(key), layout.value.encode(value));
  }

  #refill<K, V>(layout: MapLayout<K, V>, entries: readonly (readonly [K, V])[]): void {
    const map = this.#object.map(layout.name);
    for (const key of [...map.entries()].map(([octets]) => octets)) map.delete(key);
    this.#fill(layout, entries);
  }
}

function flowEntry([name, state]: readonly [string, FlowState]): readonly [ReturnType<typeof flowKeyOf>, FlowState] {
  return [flowKeyOf(name), state];
}
