import type { CatalogView } from '../catalog/catalog-view.ts';
import type { Networks } from '../catalog/networks.ts';
import type { AddressHex } from '../control/address.ts';
import { parseAddress } from '../packet/address.ts';

/** Addresses that one name gives at most: they fit into an answer by UDP, and a client tries few of them. */
export const addressesLimit = 16;

/** The names of one VPC. */
export interface VpcNames {
  readonly vpc: string;
  /** Addresses by name, in lower case and without the VPC's own part: `web` for `web.red.overlay`. */
  readonly addresses: ReadonlyMap<string, readonly AddressHex[]>;
  /** What names of several labels end with: these exist too, without records. */
  readonly branches: ReadonlySet<string>;
  /** The name of an address. */
  readonly names: ReadonlyMap<AddressHex, string>;
}

/** Key of the record that gives a pod a name: one for each interface, so that two pods of one name do not undo each other's. */
export function podNameKey(vpc: string, name: string, host: string, attachment: string): string {
  return `${podNamePrefix}${vpc}/${name}/${host}/${attachment}`;
}

/** What all of these keys begin with. */
export const podNamePrefix = 'name/';

/** What a record of a pod's name says. */
export interface PodNameRecord {
  readonly addresses: readonly string[];
}

/** A name that DNS can say, of one label or more; in lower case. Undefined for others. */
export function usableName(text: string): string | undefined {
  const name = text.toLowerCase();
  return name.length <= 128 && /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)*$/.test(name)
    ? name
    : undefined;
}

/** What names are made of, beside pods. */
export type NamedThings = Pick<Networks, 'vpcs' | 'endpoints' | 'services'>;

/**
 * All names by VPC, of services, endpoints with a name and pods; a VPC without names has an empty table. Where two have one name the service
 * counts, then the endpoint. Records that are not as they should be are left out.
 */
export function readNames({ vpcs, endpoints, services }: NamedThings, catalog: CatalogView): ReadonlyMap<string, VpcNames> {
  const tables = new Map(vpcs.map(({ name }) => [name, new NameBuilder(name)]));
  for (const { vpc, name, addresses } of services) tables.get(vpc)?.add(name, addresses);
  for (const { vpc, name, addresses } of endpoints) {
    const table = tables.get(vpc);
    if (table === undefined || table.addresses.has(name)) continue;
    const placed = addressesIn(catalog.get(`placed/${name}`));
    table.add(name, placed.length > 0 ? placed : addresses);
  }
  const taken = new Map([...tables].map(([vpc, { addresses }]) => [vpc, new Set(addresses.keys())]));
  for (const [key, value] of catalog.entries(podNamePrefix)) {
    const [, vpc = '', name = ''] = key.split('/');
    if (taken.get(vpc)?.has(name) === false) tables.get(vpc)?.add(name, addressesIn(value));
  }
  return tables;
}

class NameBuilder implements VpcNames {
  readonly vpc: string;
  readonly addresses: Map<string, AddressHex[]> = new Map<string, AddressHex[]>();
  readonly branches: Set<string> = new Set<string>();
  readonly names: Map<AddressHex, string> = new Map<AddressHex, string>();

  constructor(vpc: string) {
    this.vpc = vpc;
  }

  /** Of a name that is there already the addresses come to those before. */
  add(name: string, addresses: readonly AddressHex[]): void {
    const known = this.addresses.get(name) ?? [];
    this.addresses.set(name, known);
    for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) this.branches.add(name.slice(dot + 1));
    for (const address of addresses) {
      if (!this.names.has(address)) this.names.set(address, name);
      if (known.length < addressesLimit && !known.includes(address)) known.push(address);
    }
  }
}

/** The address that a name below `in-addr.arpa` or `ip6.arpa` stands for; undefined when it is none, or stands for a range. */
export function addressOfReverse(labels: readonly string[]): AddressHex | undefined {
  const [zone, top] = labels.slice(-2).map((label) => label.toLowerCase());
  if (top !== 'arpa') return undefined;
  const digits = labels.slice(0, -2).reverse();
  if (zone === 'in-addr' && digits.length === 4) return parseAddress(digits.join('.'))?.toHex();
  if (zone !== 'ip6' || digits.length !== 32 || !digits.every((digit) => /^[0-9a-f]$/i.test(digit))) return undefined;
  return digits.join('').toLowerCase();
}

/** Texts in `addresses`, of a pod perhaps with the length of a prefix. */
function addressesIn(value: unknown): readonly AddressHex[] {
  const list = (value as { readonly addresses?: unknown } | null | undefined)?.addresses;
  if (!Array.isArray(list)) return [];
  return list.flatMap((text: unknown): readonly AddressHex[] => {
    const octets = typeof text === 'string' ? parseAddress(text.split('/')[0] ?? '') : undefined;
    return octets === undefined ? [] : [octets.toHex()];
  });
}
