import type { AddressHex } from '../control/address.ts';
import type { LocalEndpoint } from '../control/host-maps.ts';

/** What the compiler looks at of an endpoint at this host. */
export type Member = Pick<LocalEndpoint, 'ifindex' | 'vni' | 'identity' | 'addresses'>;

/** The endpoints of this host by VPC and identity. */
export class LocalMembers {
  readonly #byPort = new Map<number, Member>();
  readonly #byVni = new Map<number, Map<number, Set<Member>>>();
  readonly #addresses = new Set<string>();

  /** Adds it, in place of the one that its port had. */
  put(member: Member): void {
    this.delete(member.ifindex);
    this.#byPort.set(member.ifindex, member);
    const identities = this.#byVni.get(member.vni) ?? new Map<number, Set<Member>>();
    this.#byVni.set(member.vni, identities);
    const members = identities.get(member.identity) ?? new Set();
    identities.set(member.identity, members.add(member));
    for (const address of member.addresses) this.#addresses.add(keyOf(member.vni, address));
  }

  /** The one that the port had. */
  delete(ifindex: number): Member | undefined {
    const member = this.#byPort.get(ifindex);
    if (member === undefined) return undefined;
    this.#byPort.delete(ifindex);
    for (const address of member.addresses) this.#addresses.delete(keyOf(member.vni, address));
    const identities = this.#byVni.get(member.vni);
    const members = identities?.get(member.identity);
    members?.delete(member);
    if (members?.size === 0) identities?.delete(member.identity);
    if (identities?.size === 0) this.#byVni.delete(member.vni);
    return member;
  }

  /** Identities of a VPC that endpoints here have. */
  identitiesOf(vni: number): Iterable<number> {
    return this.#byVni.get(vni)?.keys() ?? [];
  }

  hasIdentity(vni: number, identity: number): boolean {
    return this.#byVni.get(vni)?.has(identity) === true;
  }

  membersOf(vni: number, identity: number): Iterable<Member> {
    return this.#byVni.get(vni)?.get(identity) ?? [];
  }

  has(vni: number, address: AddressHex): boolean {
    return this.#addresses.has(keyOf(vni, address));
  }
}

function keyOf(vni: number, address: AddressHex): string {
  return `${vni}/${address}`;
}
