import { ownerSlot, type Owners } from '../layout/owners.ts';
import { isInPrefix, octetsOf, type AddressHex } from './address.ts';
import { ownerTable, type OwnerTable } from './owner-table.ts';
import type { OverlaySpec, SubnetSpec } from './spec.ts';

/** Makes an owner table; `ownerTable`, or one that remembers what it made. */
export type TableSource = (seed: number, members: readonly number[]) => OwnerTable;

/** Who owns which key, in the epochs that the spec names. Immutable: a new spec makes a new one. */
export class Tables {
  readonly epoch: number;
  /** The oldest one that the spec still names. */
  readonly firstEpoch: number;
  readonly #spec: OverlaySpec;
  readonly #source: TableSource;
  readonly #made = new Map<string, OwnerTable>();
  readonly #subnetsOfVni = new Map<number, SubnetSpec[]>();
  readonly #subnets = new Map<number, SubnetSpec>();

  /** `before`: the tables of the spec before, whose work is kept where it is the same. */
  constructor(spec: OverlaySpec, source: TableSource = ownerTable, before?: Tables) {
    this.#spec = spec;
    this.#source = source;
    this.epoch = spec.epochs.at(-1)?.epoch ?? 0;
    this.firstEpoch = spec.epochs[0]?.epoch ?? 0;
    for (const subnet of spec.subnets) {
      const known = this.#subnetsOfVni.get(subnet.vni);
      if (known === undefined) this.#subnetsOfVni.set(subnet.vni, [subnet]);
      else known.push(subnet);
      this.#subnets.set(subnet.subnetId, subnet);
    }
    if (before === undefined) return;
    for (const [key, table] of before.#made) {
      const [subnetId = '', epoch = ''] = key.split('/');
      if (this.#subnets.has(Number(subnetId)) && this.#membersOf(Number(epoch)) !== undefined) this.#made.set(key, table);
    }
  }

  get spec(): OverlaySpec {
    return this.#spec;
  }

  subnet(subnetId: number): SubnetSpec | undefined {
    return this.#subnets.get(subnetId);
  }

  /** The subnet with the longest prefix that holds the address. */
  subnetOf(vni: number, address: AddressHex): SubnetSpec | undefined {
    let found: SubnetSpec | undefined;
    let length = -1;
    for (const subnet of this.#subnetsOfVni.get(vni) ?? []) {
      for (const prefix of subnet.prefixes) {
        if (prefix.length > length && isInPrefix(address, prefix)) {
          found = subnet;
          length = prefix.length;
        }
      }
    }
    return found;
  }

  /** The owners in a subnet in an epoch that the spec names; undefined for another one, or before the subnet was there. */
  table(subnetId: number, epoch: number = this.epoch): OwnerTable | undefined {
    const subnet = this.#subnets.get(subnetId);
    const members = this.#membersOf(epoch);
    if (subnet === undefined || members === undefined || epoch < subnet.createdEpoch) return undefined;
    const key = `${subnetId}/${epoch}`;
    let table = this.#made.get(key);
    if (table === undefined) {
      table = this.#source(subnetId, members);
      this.#made.set(key, table);
    }
    return table;
  }

  /** Owners of a key in an epoch: none, one or two hosts, the first one first. */
  ownersOf(vni: number, address: AddressHex, epoch: number = this.epoch): number[] {
    const subnet = this.subnetOf(vni, address);
    const owners = subnet === undefined ? undefined : this.table(subnet.subnetId, epoch)?.[slotOf(vni, address)];
    return owners === undefined ? [] : hostsOf(owners);
  }

  #membersOf(epoch: number): readonly number[] | undefined {
    return this.#spec.epochs.find((candidate) => candidate.epoch === epoch)?.members;
  }
}

export function slotOf(vni: number, address: AddressHex): number {
  return ownerSlot({ vni, address: octetsOf(address) });
}

export function hostsOf({ first, second }: Owners): number[] {
  return [first, second].filter((host) => host !== 0);
}
