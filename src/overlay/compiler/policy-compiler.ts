import { addRecords, type MapBuilder } from '../control/map-builder.ts';
import type { MapContents } from '../control/plan.ts';
import { maps } from '../layout/maps.ts';
import type { Labels } from '../resources/resource-types.ts';
import type { Policy } from '../resources/tenant-network.ts';
import { noIdentity } from './identity.ts';
import type { LabelBook } from './label-book.ts';
import { doesSelect, labelsText } from './labels.ts';
import type { LocalMembers } from './local-members.ts';
import { closedRecords, policyRecords } from './policy-records.ts';

/** What the compiler looks at of a VPC. */
export interface PolicyVpc {
  readonly name: string;
  readonly vni: number;
  /** VPCs whose endpoints are reached too. */
  readonly peers: readonly string[];
}

export interface PolicyChanges {
  readonly before: MapContents;
  readonly after: MapContents;
}

interface Compiled {
  readonly vni: number;
  readonly records: MapBuilder;
  readonly revision: number;
  readonly from: Inputs;
}

/** What a subject's records follow from: the same objects make the same records. */
interface Inputs {
  readonly policies: readonly Policy[];
  readonly labels: string;
  /** Identities by the text of the selector. */
  readonly peers: ReadonlyMap<string, readonly number[]>;
}

interface KnownVpc {
  readonly vpc: PolicyVpc;
  readonly policies: readonly Policy[];
  readonly text: string;
  /** What selectors have selected so far, by their texts. */
  readonly selected: Map<string, { readonly selector: Labels; peers: readonly number[] }>;
}

const limited = [maps.policies, maps.policyPrefixes] as const;

/** Policies of all VPCs, for the identities that endpoints of this host have: nobody else's packets are decided here. */
export class PolicyCompiler {
  readonly #members: LocalMembers;
  readonly #book: LabelBook;
  #vpcs = new Map<number, KnownVpc>();
  readonly #subjects = new Map<string, Compiled>();
  readonly #dirty = new Set<number>();
  readonly #sizes = new Map<string, number>();
  /** Subjects whose rules did not fit: nothing is allowed to them. As `vni/identity`. */
  readonly closed: Set<string> = new Set<string>();

  constructor(members: LocalMembers, book: LabelBook) {
    this.#members = members;
    this.#book = book;
  }

  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  hasPolicies(vni: number): boolean {
    return this.#vpcs.has(vni);
  }

  /** All policies of all VPCs. */
  setPolicies(policies: readonly Policy[], vpcs: readonly PolicyVpc[]): void {
    const before = this.#vpcs;
    this.#vpcs = new Map();
    const ofVpc = Map.groupBy(policies, (policy) => policy.vpc);
    for (const vpc of vpcs) {
      const own = ofVpc.get(vpc.name);
      if (own === undefined) continue;
      const text = JSON.stringify([vpc.name, vpc.peers.length > 0, own]);
      const known = before.get(vpc.vni);
      if (known?.text !== text) this.#dirty.add(vpc.vni);
      this.#vpcs.set(vpc.vni, known?.text === text ? known : { vpc, policies: own, text, selected: new Map() });
    }
    for (const vni of before.keys()) if (!this.#vpcs.has(vni)) this.#dirty.add(vni);
  }

  /** Identities of the VPC, or who has them here, are others. */
  identitiesChanged(vni: number): void {
    if (this.#vpcs.has(vni)) this.#dirty.add(vni);
  }

  compile(): PolicyChanges {
    const before: MapBuilder = new Map();
    const after: MapBuilder = new Map();
    for (const vni of this.#dirty) {
      const now = this.#subjectsOf(vni);
      for (const [name, known] of this.#subjects) {
        if (known.vni !== vni || now.get(name)?.records === known.records) continue;
        addRecords(before, known.records);
        this.#drop(name, known);
      }
      for (const [name, made] of now) {
        if (this.#subjects.has(name)) continue;
        const kept = this.#keep(name, made);
        addRecords(after, kept.records);
      }
    }
    this.#dirty.clear();
    return { before, after };
  }

  /** All records, as compiled last. */
  addContents(builder: MapBuilder): void {
    for (const { records } of this.#subjects.values()) addRecords(builder, records);
  }

  /** Subjects whose inputs are the same keep the records that they have. */
  #subjectsOf(vni: number): ReadonlyMap<string, Compiled & { readonly identity: number }> {
    const subjects = new Map<string, Compiled & { readonly identity: number }>();
    const known = this.#vpcs.get(vni);
    if (known === undefined) return subjects;
    const { vpc, policies, selected } = known;
    for (const one of selected.values()) {
      const peers = this.#peersOf(vpc, one.selector);
      if (peers.length !== one.peers.length || peers.some((peer, at) => peer !== one.peers[at])) one.peers = peers;
    }
    for (const identity of this.#members.identitiesOf(vni)) {
      const name = `${vni}/${identity}`;
      const labels = this.#book.labelsOf(vpc.name, identity);
      const text = labelsText(labels);
      const before = this.#subjects.get(name);
      const isSame =
        before?.from.policies === policies &&
        before.from.labels === text &&
        [...before.from.peers].every(([selector, peers]) => selected.get(selector)?.peers === peers);
      if (before !== undefined && isSame && !this.closed.has(name)) {
        subjects.set(name, { ...before, identity });
        continue;
      }
      const own = policies.filter(({ selector }) => doesSelect(selector, labels));
      const used = new Map<string, readonly number[]>();
      const peersOf = (selector: Labels): readonly number[] => {
        const key = labelsText(selector);
        const found = selected.get(key) ?? { selector, peers: this.#peersOf(vpc, selector) };
        selected.set(key, found);
        used.set(key, found.peers);
        return found.peers;
      };
      const made = own.length === 0 ? undefined : policyRecords(vni, identity, own, peersOf);
      if (made !== undefined) subjects.set(name, { vni, identity, from: { policies, labels: text, peers: used }, ...made });
    }
    return subjects;
  }

  /** Endpoints of which nothing is known may be a peer's VPC's, so they are this one's only where there is no peer. */
  #peersOf({ name, peers }: PolicyVpc, selector: Labels): readonly number[] {
    const selected = Array.from(this.#book.identitiesOf(name)).flatMap(([identity, labels]) =>
      doesSelect(selector, labels) ? [identity] : [],
    );
    return peers.length === 0 && doesSelect(selector, {}) ? [noIdentity, ...selected] : selected;
  }

  #keep(name: string, made: Compiled & { readonly identity: number }): Compiled {
    const fits = limited.every((map) => (this.#sizes.get(map.name) ?? 0) + sizeOf(made, map.name) <= map.maxEntries);
    const kept = fits ? made : { ...made, ...closedRecords(made.vni, made.identity) };
    if (!fits) this.closed.add(name);
    for (const { name: map } of limited) this.#sizes.set(map, (this.#sizes.get(map) ?? 0) + sizeOf(kept, map));
    this.#subjects.set(name, kept);
    return kept;
  }

  #drop(name: string, known: Compiled): void {
    for (const { name: map } of limited) this.#sizes.set(map, (this.#sizes.get(map) ?? 0) - sizeOf(known, map));
    this.#subjects.delete(name);
    this.closed.delete(name);
  }
}

function sizeOf({ records }: Compiled, map: string): number {
  return records.get(map)?.size ?? 0;
}
