import { isRouterId } from './control-address.ts';
import type { ControlMap, ControlValue } from './control-message.ts';
import { limits } from './limits.ts';
import { linkStateOf, sameLinks, type LinkState } from './link-state-graph.ts';
import { isMobileKey, isSmall } from './message-body.ts';
import { treatmentOfHint } from './mobile-addresses.ts';
import type { Treatment } from './route-table.ts';
import type { RouterIndex } from './router-index.ts';

/*
 * Payloads of signed records. Numbers are big-endian; a text is UTF-8 behind its length.
 *
 *   slot 0, link state
 *     2   number of slots in use: 2 + address slots
 *     8   instance: boot time in seconds since 1970
 *     8   sequence of the same link state as a skupper-router is told it
 *     2   number of neighbours, each
 *           1  flags: 1 = the neighbour does not sign
 *           4  cost
 *           1  length of its router id, then the id
 *     4   length of the site data, then a JSON object; 0 when there are none
 *
 *   slot 2 and above, addresses
 *     8   sequence of the update that told a skupper-router the same
 *     2   number of addresses, at most 64, each
 *           1  treatment
 *           2  length of the hash key, then the key
 */

/** Addresses in one slot: a change of one costs one record of a few kilobytes, and little work at whoever gets it. */
export const maxAddressesPerSlot = 64;
/** Values may be nested this deep in site data. */
const maxSiteDepth = 8;

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

export interface RecordPeer {
  readonly routerId: string;
  readonly cost: number;
  readonly isUnsigned: boolean;
}

/** What slot 0 says. */
export class LinkStateContent {
  readonly slots: number;
  readonly instance: number;
  readonly linkStateSequence: number;
  readonly peers: readonly RecordPeer[];
  readonly site: ControlMap | undefined;
  /** Whether some neighbour does not sign. */
  readonly hasUnsigned: boolean;
  #graphState: LinkState | undefined;
  /** The index that `#graphState` is for: routers of a simulation share it, or do without the sharing. */
  #index: RouterIndex | undefined;
  #generation = 0;
  /** How many routers had got numbers when neighbours were last looked for. */
  #resolvedAt = -1;
  #unresolved = false;

  constructor(fields: Pick<LinkStateContent, 'slots' | 'instance' | 'linkStateSequence' | 'peers' | 'site'>) {
    this.slots = fields.slots;
    this.instance = fields.instance;
    this.linkStateSequence = fields.linkStateSequence;
    this.peers = fields.peers;
    this.site = fields.site;
    this.hasUnsigned = fields.peers.some(({ isUnsigned }) => isUnsigned);
  }

  /** Whether all neighbours had a number when `graphState` was last asked for. */
  get isComplete(): boolean {
    return !this.#unresolved;
  }

  /**
   * The link state as the graph wants it. Neighbours without a number in the index are left out: nothing is known of them, so that the
   * edge could not count. They are looked for again when the index has grown.
   */
  graphState(index: RouterIndex): LinkState {
    const known = this.#index === index && this.#generation === index.generation ? this.#graphState : undefined;
    this.#index = index;
    this.#generation = index.generation;
    if (known !== undefined && (!this.#unresolved || this.#resolvedAt === index.added)) return known;
    const before = known?.peers.length ?? -1;
    const resolved: (readonly [string, number])[] = [];
    for (const { routerId, cost } of this.peers) if (index.find(routerId) >= 0) resolved.push([routerId, cost]);
    this.#unresolved = resolved.length < this.peers.length;
    this.#resolvedAt = index.added;
    if (known !== undefined && resolved.length === before) return known;
    const state = linkStateOf(index, resolved);
    this.#graphState = state;
    return state;
  }
}

/** Whether the paths cannot tell two link states of one origin from each other, and neither names a router that does not sign. */
export function hasSameLinks(one: LinkStateContent | undefined, other: LinkStateContent | undefined, index: RouterIndex): boolean {
  if (one === undefined || other === undefined || one.hasUnsigned || other.hasUnsigned) return false;
  return one.peers.length === other.peers.length && sameLinks(one.graphState(index), other.graphState(index));
}

export interface AddressContent {
  readonly mobileSequence: number;
  readonly addresses: ReadonlyMap<string, Treatment>;
}

/** Reads slot 0 of `origin`; undefined if it is malformed. */
export function readLinkState(payload: Uint8Array, origin: string): LinkStateContent | undefined {
  const reader = new PayloadReader(payload);
  const slots = reader.number(2);
  const instance = reader.safeInteger();
  const linkStateSequence = reader.safeInteger();
  const count = reader.number(2);
  if (count > limits.peersPerRouter) return undefined;
  const peers = new Map<string, RecordPeer>();
  for (let left = count; left > 0 && !reader.failed; left--) {
    const flags = reader.number(1);
    const cost = reader.number(4);
    const routerId = reader.text(1);
    if (cost < 1 || cost > limits.linkCost || !isRouterId(routerId) || routerId === origin || peers.has(routerId)) return undefined;
    peers.set(routerId, { routerId, cost, isUnsigned: (flags & 1) === 1 });
  }
  const siteText = reader.text(4);
  if (!reader.atEnd) return undefined;
  const site = siteText === '' ? undefined : siteFromText(siteText);
  if (siteText !== '' && site === undefined) return undefined;
  return new LinkStateContent({ slots, instance, linkStateSequence, peers: [...peers.values()], site });
}

/** Writes slot 0. Neighbours for which there is no room are left out; their number is returned. */
export function writeLinkState(content: LinkStateContent, room: number): { payload: Uint8Array; leftOut: number } {
  const site = content.site === undefined ? new Uint8Array(0) : encoder.encode(JSON.stringify(plainValue(content.site)));
  const writer = new PayloadWriter();
  const ids: { readonly peer: RecordPeer; readonly id: Uint8Array }[] = [];
  let octets = 2 + 8 + 8 + 2 + 4 + site.length;
  for (const peer of content.peers) {
    const id = encoder.encode(peer.routerId);
    if (id.length > 255) continue;
    if (octets + 6 + id.length > room || ids.length >= limits.peersPerRouter) break;
    octets += 6 + id.length;
    ids.push({ peer, id });
  }
  writer.number(content.slots, 2);
  writer.safeInteger(content.instance);
  writer.safeInteger(content.linkStateSequence);
  writer.number(ids.length, 2);
  for (const { peer, id } of ids) {
    writer.number(peer.isUnsigned ? 1 : 0, 1);
    writer.number(peer.cost, 4);
    writer.text(id, 1);
  }
  writer.text(site, 4);
  return { payload: writer.take(), leftOut: content.peers.length - ids.length };
}

/** Reads an address slot; undefined if it is malformed. */
export function readAddresses(payload: Uint8Array): AddressContent | undefined {
  const reader = new PayloadReader(payload);
  const mobileSequence = reader.safeInteger();
  const count = reader.number(2);
  if (count > maxAddressesPerSlot) return undefined;
  const addresses = new Map<string, Treatment>();
  for (let left = count; left > 0 && !reader.failed; left--) {
    const treatment = reader.number(1);
    const key = reader.text(2);
    if (!isMobileKey(key)) return undefined;
    addresses.set(key, treatmentOfHint(treatment));
  }
  return reader.atEnd ? { mobileSequence, addresses } : undefined;
}

export function writeAddresses(content: AddressContent): Uint8Array {
  const writer = new PayloadWriter();
  writer.safeInteger(content.mobileSequence);
  writer.number(content.addresses.size, 2);
  for (const [key, treatment] of content.addresses) {
    writer.number(treatment, 1);
    writer.text(encoder.encode(key), 2);
  }
  return writer.take();
}

/** Octets that an address takes in its slot. */
export function addressOctets(key: string): number {
  return 3 + encoder.encode(key).length;
}

function siteFromText(text: string): ControlMap | undefined {
  if (text.length > 4 * limits.siteDataCharacters) return undefined;
  try {
    const value = controlValue(JSON.parse(text), 0);
    return value instanceof Map && isSmall(value as ControlMap) ? (value as ControlMap) : undefined;
  } catch {
    return undefined;
  }
}

/** Throws where values are nested too deep. */
function controlValue(value: unknown, depth: number): ControlValue {
  if (depth > maxSiteDepth) throw new Error('nested too deep');
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map((element) => controlValue(element, depth + 1));
  if (typeof value !== 'object' || value === null) return null;
  return new Map(Object.entries(value).map(([key, entry]): [string, ControlValue] => [key, controlValue(entry, depth + 1)]));
}

function plainValue(value: ControlValue): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...(value as ControlMap)].map(([key, entry]): [string, unknown] => [key, plainValue(entry)]));
  }
  if (value instanceof Uint8Array) return null;
  return Array.isArray(value) ? (value as readonly ControlValue[]).map(plainValue) : value;
}

/** Reads numbers and texts; after the first that does not fit everything is 0 or empty and `failed` is true. */
class PayloadReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get atEnd(): boolean {
    return !this.failed && this.#at === this.#bytes.length;
  }

  number(octets: 1 | 2 | 4): number {
    if (!this.#has(octets)) return 0;
    const at = this.#at;
    this.#at += octets;
    if (octets === 1) return this.#view.getUint8(at);
    return octets === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  safeInteger(): number {
    const high = this.number(4);
    const low = this.number(4);
    if (high > 0x1f_ffff) this.failed = true;
    return this.failed ? 0 : high * 0x1_0000_0000 + low;
  }

  text(lengthOctets: 1 | 2 | 4): string {
    const length = this.number(lengthOctets);
    if (!this.#has(length)) return '';
    this.#at += length;
    try {
      return decoder.decode(this.#bytes.subarray(this.#at - length, this.#at));
    } catch {
      this.failed = true;
      return '';
    }
  }

  #has(octets: number): boolean {
    if (this.#bytes.length - this.#at < octets) this.failed = true;
    return !this.failed;
  }
}

class PayloadWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  number(value: number, octets: 1 | 2 | 4): void {
    this.#reserve(octets);
    if (octets === 1) this.#view.setUint8(this.#length, value);
    else if (octets === 2) this.#view.setUint16(this.#length, value);
    else this.#view.setUint32(this.#length, value);
    this.#length += octets;
  }

  safeInteger(value: number): void {
    this.number(Math.floor(value / 0x1_0000_0000), 4);
    this.number(value % 0x1_0000_0000, 4);
  }

  text(bytes: Uint8Array, lengthOctets: 1 | 2 | 4): void {
    this.number(bytes.length, lengthOctets);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(octets: number): void {
    if (this.#length + octets <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + octets));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
