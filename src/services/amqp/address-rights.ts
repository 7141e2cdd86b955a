import { AddressClass, parseAddress } from '../../forwarding/address.ts';

/** Names of addresses that are made for answers; other names of one router are for routers alone. */
const temporary = /^(?:amqps?:)?(?:\/\/[^/]*)?\/?_(?:topo\/[^/]+\/[^/]+|local)\/temp\.[^/]+$/;

/** What a client's address is to the port that it came through. */
export type ClientAddress =
  | { readonly kind: 'service'; readonly name: string }
  | { readonly kind: 'temporary' }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * The addresses that clients of one port may use: a list of `name` (that one), `prefix*` (all that begin so) and `*` (all). Addresses for
 * answers can be used by whoever has been told them.
 */
export class AddressRights {
  readonly #routerId: string;
  readonly #names = new Set<string>();
  readonly #prefixes: string[] = [];

  constructor(routerId: string, patterns: readonly string[]) {
    this.#routerId = routerId;
    for (const pattern of patterns) {
      if (pattern.endsWith('*')) this.#prefixes.push(pattern.slice(0, -1));
      else this.#names.add(pattern);
    }
  }

  judge(address: string): ClientAddress {
    const { addressClass, name } = parseAddress(address, this.#routerId);
    if (addressClass !== AddressClass.mobile) {
      if (temporary.test(address)) return { kind: 'temporary' };
      return { kind: 'refused', reason: 'addresses of routers are not for clients' };
    }
    if (name === '') return { kind: 'refused', reason: 'an address is empty' };
    if (name.startsWith('$') || name.startsWith('_')) {
      return { kind: 'refused', reason: 'addresses that begin with $ or _ are not for clients' };
    }
    if (this.#names.has(name) || this.#prefixes.some((prefix) => name.startsWith(prefix))) return { kind: 'service', name };
    return { kind: 'refused', reason: 'clients of this port may not use this address' };
  }
}
