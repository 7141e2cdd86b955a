/** Hash classes of addresses as the routing protocol names them. */
export const AddressClass = { topological: 'T', local: 'L', router: 'R', mobile: 'M', edge: 'H' } as const;
export type AddressClass = (typeof AddressClass)[keyof typeof AddressClass];

/** Where an address points, seen from one router. */
export interface ParsedAddress {
  readonly addressClass: AddressClass;
  /** Class letter and name, e.g. `Mbackend`, `Rbeta`, `Ltemp.x`, `Tqdrouter`: the key of route tables. */
  readonly key: string;
  /** The key without its letter: the service address, the router id, or what follows this router's own prefix. */
  readonly name: string;
}

/** Most addresses are looked up by their name: the key is made for those that ask. */
class Parsed implements ParsedAddress {
  readonly addressClass: AddressClass;
  readonly name: string;
  #key: string | undefined = undefined;

  constructor(addressClass: AddressClass, name: string) {
    this.addressClass = addressClass;
    this.name = name;
  }

  get key(): string {
    return (this.#key ??= this.addressClass + this.name);
  }
}

function make(addressClass: AddressClass, name: string): ParsedAddress {
  return new Parsed(addressClass, name);
}

/** Addresses whose parts are kept: more than are in use at a time at most routers. */
const maxKept = 512;
/** Longer ones are not kept: 512 of them, with what is around them, are 256 KiB. */
const maxKeptLength = 256;

/** Parses addresses as one router sees them, and keeps what it parsed lately: the same ones come with message after message. */
export class AddressParser {
  readonly #routerId: string;
  readonly #kept = new Map<string, ParsedAddress>();

  constructor(routerId: string) {
    this.#routerId = routerId;
  }

  parse(text: string): ParsedAddress {
    const kept = this.#kept.get(text);
    if (kept !== undefined) return kept;
    const parsed = parseAddress(text, this.#routerId);
    if (text.length <= maxKeptLength) {
      if (this.#kept.size >= maxKept) this.#kept.clear();
      this.#kept.set(text, parsed);
    }
    return parsed;
  }
}

/** How addresses of requests and answers begin. */
const routerPrefix = 'amqp:/_topo/0/';

/**
 * Parses the forms
 *
 *     [amqp:][//host]/ address [/|.]
 *     _local/x   _topo/all/x   _topo/0/all/x   _topo/0/<router>/x   _edge/<router>/x   anything else: a service
 *
 * The area of `_topo` is always "0" in an interior network; it is not looked at.
 */
export function parseAddress(text: string, routerId: string): ParsedAddress {
  if (text.startsWith(routerPrefix)) {
    const parsed = parseOfRouter(text, routerId);
    if (parsed !== undefined) return parsed;
  }
  let start = 0;
  if (text.startsWith('amqp:') || text.startsWith('amqps:')) start = text.indexOf(':') + 1;
  if (text.startsWith('//', start)) {
    const slash = text.indexOf('/', start + 2);
    start = slash < 0 ? text.length : slash;
  }
  if (text.startsWith('/', start)) start++;
  let end = text.length;
  if (end > start && (text.endsWith('/') || text.endsWith('.'))) end--;
  const address = text.slice(start, end);
  if (!address.startsWith('_')) return make(AddressClass.mobile, address);
  if (address.startsWith('_local/')) return make(AddressClass.local, address.slice(7));
  if (address.startsWith('_topo/')) return parseTopological(address, routerId);
  if (address.startsWith('_edge/')) {
    const slash = address.indexOf('/', 6);
    const edge = slash < 0 ? address.slice(6) : address.slice(6, slash);
    if (edge === routerId && slash > 0) return make(AddressClass.local, address.slice(slash + 1));
    return make(AddressClass.edge, edge);
  }
  return make(AddressClass.mobile, address);
}

/** `amqp:/_topo/0/<router>/x`, the usual form, in one step; undefined for what needs a closer look. */
function parseOfRouter(text: string, routerId: string): ParsedAddress | undefined {
  const slash = text.indexOf('/', routerPrefix.length);
  const last = text.charCodeAt(text.length - 1);
  // Of a slash or a dot at the end one is dropped.
  if (slash < 0 || last === 0x2f || last === 0x2e) return undefined;
  const router = text.slice(routerPrefix.length, slash);
  if (router === routerId) return make(AddressClass.local, text.slice(slash + 1));
  return router === 'all' ? undefined : make(AddressClass.router, router);
}

function parseTopological(address: string, routerId: string): ParsedAddress {
  if (address.startsWith('_topo/all/')) return make(AddressClass.topological, address.slice(10));
  const areaEnd = address.indexOf('/', 6);
  if (areaEnd < 0) return make(AddressClass.mobile, address);
  const routerEnd = address.indexOf('/', areaEnd + 1);
  const router = address.slice(areaEnd + 1, routerEnd < 0 ? undefined : routerEnd);
  if (router === 'all' && routerEnd > 0) return make(AddressClass.topological, address.slice(routerEnd + 1));
  if (router === routerId && routerEnd > 0) return make(AddressClass.local, address.slice(routerEnd + 1));
  return make(AddressClass.router, router);
}
