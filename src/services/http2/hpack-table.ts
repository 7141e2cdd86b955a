import { fieldOverheadBytes } from '../http/field-block.ts';
import { octetsOf } from '../http1/octets.ts';
import { kindOfName } from './field-kind.ts';
import type { FieldKind } from './field-kind.ts';
import { tableBytes } from './limits.ts';

/** What the tables count for each field besides its octets (RFC 7541 §4.1). */
export const entryOverheadBytes = 32;

/** A field of a table, looked at once when it comes in. */
export class TableEntry {
  /** As in a block: (u8 name length, u16 value length, name, value). Without name and value when the name is too long for that. */
  readonly octets: Uint8Array;
  readonly nameLength: number;
  readonly valueLength: number;
  /** By its name alone: fields with the same name and another value refer to it. */
  readonly nameKind: FieldKind;
  /** Of the field as it is. */
  readonly kind: FieldKind;
  /** As §4.1 counts it. */
  readonly size: number;

  constructor(octets: Uint8Array, nameLength: number, valueLength: number, nameKind: FieldKind, kind: FieldKind, size: number) {
    this.octets = octets;
    this.nameLength = nameLength;
    this.valueLength = valueLength;
    this.nameKind = nameKind;
    this.kind = kind;
    this.size = size;
  }

  /** The entry for a field that is neither from a peer nor too long. */
  static of(name: string, value: string): TableEntry {
    const octets = octetsOf(`\0\0\0${name}${value}`);
    octets[0] = name.length;
    octets[1] = value.length >> 8;
    octets[2] = value.length & 0xff;
    const kind = kindOfName(octets, fieldOverheadBytes, fieldOverheadBytes + name.length);
    return new TableEntry(octets, name.length, value.length, kind, kind, name.length + value.length + entryOverheadBytes);
  }
}

/** RFC 7541 appendix A, from index 1 on: names with their values. */
const staticFields: readonly (readonly [string, string?])[] = [
  [':authority'],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset'],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language'],
  ['accept-ranges'],
  ['accept'],
  ['access-control-allow-origin'],
  ['age'],
  ['allow'],
  ['authorization'],
  ['cache-control'],
  ['content-disposition'],
  ['content-encoding'],
  ['content-language'],
  ['content-length'],
  ['content-location'],
  ['content-range'],
  ['content-type'],
  ['cookie'],
  ['date'],
  ['etag'],
  ['expect'],
  ['expires'],
  ['from'],
  ['host'],
  ['if-match'],
  ['if-modified-since'],
  ['if-none-match'],
  ['if-range'],
  ['if-unmodified-since'],
  ['last-modified'],
  ['link'],
  ['location'],
  ['max-forwards'],
  ['proxy-authenticate'],
  ['proxy-authorization'],
  ['range'],
  ['referer'],
  ['refresh'],
  ['retry-after'],
  ['server'],
  ['set-cookie'],
  ['strict-transport-security'],
  ['transfer-encoding'],
  ['user-agent'],
  ['vary'],
  ['via'],
  ['www-authenticate'],
];

/** Entry `index - 1` has index `index`; the dynamic table follows it. */
export const staticTable: readonly TableEntry[] = staticFields.map(([name, value = '']) => TableEntry.of(name, value));

/** The indexes of some static entries. */
export const StaticIndex = {
  authority: 1,
  get: 2,
  post: 3,
  path: 4,
  http: 6,
  https: 7,
  status: 8,
  contentLength: 28,
  expect: 35,
} as const;

/** The longest table there is has this many entries at most. */
const ringSize: number = tableBytes / entryOverheadBytes;

/** The dynamic table of what is read (RFC 7541 §2.3.2): the youngest entry has the lowest index. */
export class DecoderTable {
  readonly #ring: (TableEntry | undefined)[] = [];
  /** Entries that were ever added. */
  #added = 0;
  #count = 0;
  #size = 0;
  #maxSize: number = tableBytes;

  get count(): number {
    return this.#count;
  }

  get size(): number {
    return this.#size;
  }

  /** The entry with this index of both tables, from 1 on; undefined when there is none. */
  at(index: number): TableEntry | undefined {
    if (index <= staticTable.length) return staticTable[index - 1];
    const age = index - staticTable.length;
    return age <= this.#count ? this.#ring[(this.#added - age) % ringSize] : undefined;
  }

  /** Sets how large it may be; `tableBytes` at most. */
  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#evict(0);
  }

  /** Makes room for an entry of this size; false when it is too large for the table, which is empty then (§4.4). */
  makeRoom(size: number): boolean {
    this.#evict(size);
    return size <= this.#maxSize;
  }

  /** Adds an entry, for which there is room. */
  add(entry: TableEntry): void {
    this.#ring[this.#added % ringSize] = entry;
    this.#added++;
    this.#count++;
    this.#size += entry.size;
  }

  #evict(needed: number): void {
    while (this.#count > 0 && this.#size + needed > this.#maxSize) {
      const place = (this.#added - this.#count) % ringSize;
      this.#size -= this.#ring[place]?.size ?? 0;
      this.#ring[place] = undefined;
      this.#count--;
    }
  }
}
