import { endOfField, fieldOverheadBytes } from '../http/field-block.ts';
import type { FieldBlock } from '../http/exchange.ts';
import { octetsOf } from '../http1/octets.ts';
import { StaticIndex, entryOverheadBytes, staticTable } from './hpack-table.ts';
import { tableBytes } from './limits.ts';

/** Index of the youngest entry of the dynamic table. */
const firstDynamic: number = staticTable.length + 1;
/** Places where fields are looked for, by their hash. */
const slots = 64;
/** Fields and texts from this length on are always written out: they would push everything else from the table. */
const longestEntry: number = tableBytes / 4;
/** Of a literal besides the octets of name and value: its first octet or index, and two lengths. */
const literalOverheadBytes = 10;
/** Values of these names are secrets: whoever shares a connection with others could find them out by the length of heads (RFC 7541 §7.1). */
const secretNames: ReadonlySet<number> = new Set(
  ['authorization', 'cookie', 'set-cookie', 'proxy-authorization'].map((name) => hashOf(octetsOf(name), 0, name.length)),
);
/** Index of a static entry by the hash of its name. No two have the same; other names are compared. */
const staticNames: ReadonlyMap<number, number> = new Map(
  staticTable.map(({ octets, nameLength }, index) => [hashOf(octets, fieldOverheadBytes, fieldOverheadBytes + nameLength), index + 1]),
);

/** A field of the encoder's table. */
interface SentEntry {
  readonly octets: FieldBlock;
  readonly size: number;
}

/**
 * Writes compressed heads (see HpackDecoder for the layout). A field enters the table when it is seen for the second time, so that those of one
 * message only do not push out the others. Strings are written as they are: Huffman's code would cost more than the octets that it saves.
 */
export class HpackEncoder {
  /** Where heads are written, and where the next octet goes. */
  target: Uint8Array = new Uint8Array(0);
  at = 0;
  /** As `(u8, u16, name, value)`; the first is the oldest. */
  readonly #entries: SentEntry[] = [];
  /** How many have left the table: entry `number` is at `#entries[number - #evicted]`. */
  #evicted = 0;
  #size = 0;
  #maxSize: number = tableBytes;
  /** The smallest size since the last head, while it has to be told; else -1. */
  #toldMinimum = -1;
  /** By slot of a field's hash: the hash that was seen last and has no entry, and the number of an entry + 1 (0 = none). */
  #seen: Int32Array | undefined;
  #numbers: Int32Array | undefined;
  readonly #authority: SentText = { text: '', number: -1 };
  readonly #path: SentText = { text: '', number: -1 };

  /** The most octets that a block of fields becomes. */
  static blockBytes(fields: FieldBlock): number {
    // The shortest field has four octets in a block.
    return fields.length + (fields.length >> 2) * (literalOverheadBytes - fieldOverheadBytes) + literalOverheadBytes;
  }

  /** The most octets that one text becomes. */
  static textBytes(text: string): number {
    return text.length + literalOverheadBytes;
  }

  /** What the peer allows for the table. */
  resize(maxSize: number): void {
    const size = Math.min(maxSize, tableBytes);
    if (size === this.#maxSize) return;
    this.#toldMinimum = this.#toldMinimum < 0 ? size : Math.min(this.#toldMinimum, size);
    this.#maxSize = size;
    this.#makeRoom(0);
  }

  /** Begins a head at `target[at]`, where its owner has made sure of enough room. */
  begin(target: Uint8Array, at: number): void {
    this.target = target;
    this.at = at;
    if (this.#toldMinimum < 0) return;
    if (this.#toldMinimum < this.#maxSize) this.#integer(0x20, 0x1f, this.#toldMinimum);
    this.#integer(0x20, 0x1f, this.#maxSize);
    this.#toldMinimum = -1;
  }

  /** A field of the static table. */
  indexed(index: number): void {
    this.target[this.at++] = 0x80 | index;
  }

  /** A field whose name is static, with a value of visible ASCII that is not to be remembered. */
  text(nameIndex: number, text: string): void {
    this.#integer(0x00, 0x0f, nameIndex);
    this.#string(text);
  }

  authority(text: string): void {
    this.#remembered(this.#authority, StaticIndex.authority, text);
  }

  path(text: string): void {
    this.#remembered(this.#path, StaticIndex.path, text);
  }

  /** A number as value. */
  decimal(nameIndex: number, value: number): void {
    this.#integer(0x00, 0x0f, nameIndex);
    const lengthAt = this.at++;
    let scale = 1;
    while (scale * 10 <= value) scale *= 10;
    for (; scale >= 1; scale /= 10) this.target[this.at++] = 0x30 + (Math.floor(value / scale) % 10);
    this.target[lengthAt] = this.at - lengthAt - 1;
  }

  /** A field whose name is written out, with a value of visible ASCII. */
  named(name: string, text: string): void {
    this.target[this.at++] = 0x00;
    this.#string(name);
    this.#string(text);
  }

  /** All fields of a block. */
  fields(fields: FieldBlock): void {
    for (let at = 0; at < fields.length;) {
      const next = endOfField(fields, at);
      this.#field(fields, at, next);
      at = next;
    }
  }

  #field(fields: FieldBlock, start: number, end: number): void {
    const hash = hashOf(fields, start, end);
    const slot = hash & (slots - 1);
    const numbers = (this.#numbers ??= new Int32Array(slots));
    const number = numbers[slot] - 1;
    if (number >= this.#evicted && this.#isEntry(number, fields, start, end)) {
      this.#integer(0x80, 0x7f, this.#indexOf(number));
      return;
    }
    const name = start + fieldOverheadBytes;
    const value = name + fields[start];
    const nameHash = hashOf(fields, name, value);
    // What is a secret stays one for those that write it again.
    const isSecret = secretNames.has(nameHash);
    const size = end - name + entryOverheadBytes;
    const seen = (this.#seen ??= new Int32Array(slots));
    if (seen[slot] === hash && !isSecret && this.#mayRemember(size)) {
      this.#literal(0x40, 0x3f, nameHash, fields, name, value, end);
      numbers[slot] = this.#add(fields.slice(start, end), size) + 1;
      return;
    }
    seen[slot] = hash;
    this.#literal(isSecret ? 0x10 : 0x00, 0x0f, nameHash, fields, name, value, end);
  }

  #mayRemember(size: number): boolean {
    return size <= longestEntry && size <= this.#maxSize;
  }

  #isEntry(number: number, fields: FieldBlock, start: number, end: number): boolean {
    const { octets } = this.#entries[number - this.#evicted];
    if (octets.length !== end - start) return false;
    for (let index = 0; index < octets.length; index++) if (octets[index] !== fields[start + index]) return false;
    return true;
  }

  #literal(bits: number, mask: number, nameHash: number, fields: FieldBlock, name: number, value: number, end: number): void {
    const index = staticName(nameHash, fields, name, value);
    if (index > 0) this.#integer(bits, mask, index);
    else {
      this.target[this.at++] = bits;
      this.#octets(fields, name, value);
    }
    this.#octets(fields, value, end);
  }

  #remembered(sent: SentText, nameIndex: number, text: string): void {
    if (sent.text !== text) {
      sent.text = text;
      sent.number = -1;
    } else if (sent.number >= this.#evicted) {
      this.#integer(0x80, 0x7f, this.#indexOf(sent.number));
      return;
    } else {
      const size = staticTable[nameIndex - 1].nameLength + text.length + entryOverheadBytes;
      if (this.#mayRemember(size)) {
        this.#integer(0x40, 0x3f, nameIndex);
        this.#string(text);
        // Found by its number only.
        sent.number = this.#add(noOctets, size);
        return;
      }
    }
    this.text(nameIndex, text);
  }

  #indexOf(number: number): number {
    return firstDynamic + this.#evicted + this.#entries.length - 1 - number;
  }

  #add(octets: FieldBlock, size: number): number {
    this.#makeRoom(size);
    this.#entries.push({ octets, size });
    this.#size += size;
    return this.#evicted + this.#entries.length - 1;
  }

  #makeRoom(needed: number): void {
    while (this.#entries.length > 0 && this.#size + needed > this.#maxSize) {
      this.#size -= this.#entries.shift()?.size ?? 0;
      this.#evicted++;
    }
  }

  #octets(bytes: Uint8Array, start: number, end: number): void {
    this.#integer(0x00, 0x7f, end - start);
    const { target } = this;
    let out = this.at;
    for (let from = start; from < end; from++) target[out++] = bytes[from];
    this.at = out;
  }

  #string(text: string): void {
    this.#integer(0x00, 0x7f, text.length);
    const { target } = this;
    let out = this.at;
    for (let from = 0; from < text.length; from++) target[out++] = text.charCodeAt(from);
    this.at = out;
  }

  #integer(bits: number, mask: number, value: number): void {
    if (value < mask) {
      this.target[this.at++] = bits | value;
      return;
    }
    this.target[this.at++] = bits | mask;
    let rest = value - mask;
    for (; rest >= 0x80; rest >>>= 7) this.target[this.at++] = 0x80 | (rest & 0x7f);
    this.target[this.at++] = rest;
  }
}

/** A text that was sent last under a name. */
interface SentText {
  text: string;
  /** Of its entry; -1 = none. */
  number: number;
}

const noOctets: FieldBlock = new Uint8Array(0);

/** FNV-1a. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
  return hash | 0;
}

/** Index of the static entry with the name `bytes[start, end)`, which has this hash; 0 when there is none. */
function staticName(hash: number, bytes: Uint8Array, start: number, end: number): number {
  const index = staticNames.get(hash) ?? 0;
  if (index === 0) return 0;
  const { octets, nameLength } = staticTable[index - 1];
  if (nameLength !== end - start) return 0;
  for (let at = 0; at < nameLength; at++) if (octets[fieldOverheadBytes + at] !== bytes[start + at]) return 0;
  return index;
}
