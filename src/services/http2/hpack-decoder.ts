import { fieldOverheadBytes } from '../http/field-block.ts';
import { FieldKind, isValue, kindOfName } from './field-kind.ts';
import { decodeHuffman } from './hpack-huffman.ts';
import { DecoderTable, TableEntry, entryOverheadBytes } from './hpack-table.ts';
import { ErrorCode, Http2Violation } from './http2-violation.ts';
import { maxNameBytes, tableBytes } from './limits.ts';

/** Integers of more are refused: nothing here is nearly as long. */
const maxInteger = 0x0f_ff_ff_ff;
/** The most octets that follow the prefix of an integer up to `maxInteger`. */
const maxIntegerOctets = 4;
const noOctets = new Uint8Array(0);

/**
 * Reads compressed heads (RFC 7541 §6), one field at a time:
 *
 *     1xxxxxxx                      field with the index x
 *     01xxxxxx [name] value         literal, its name with the index x, or 0 and as a string; enters the table
 *     001xxxxx                      the table has x octets at most from now on; only before the first field of a head
 *     0000xxxx, 0001xxxx            literal as above, does not enter the table
 *
 *     integer:  the prefix x, and if all its bits are ones, 7 bits per octet, least first, the highest bit says that more follow
 *     string:   Hxxxxxxx octets     x octets, H = in Huffman's code
 *
 * The owner gives place for literals; what they become is as in a block. What is wrong with a field says its kind; what is wrong with the code,
 * so that the tables of both ends would not be the same any more, is a violation.
 */
export class HpackDecoder {
  readonly table: DecoderTable = new DecoderTable();
  #bytes: Uint8Array = noOctets;
  #at = 0;
  #end = 0;
  #mayResize = false;
  /** The field `next` found: where it stands as in a block, and how long its parts are. */
  octets: Uint8Array = noOctets;
  start = 0;
  nameLength = 0;
  valueLength = 0;
  kind: FieldKind = FieldKind.ordinary;
  /** As SETTINGS_MAX_HEADER_LIST_SIZE counts it. */
  size = 0;
  /** The field did not find place; of no other member can be said anything then. */
  overflow = false;

  /** Begins a head, which is complete. */
  begin(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#mayResize = true;
  }

  /** Lets go of the head. */
  release(): void {
    this.#bytes = noOctets;
    this.octets = noOctets;
  }

  /**
   * Reads the next field; false at the end of the head. Literals are written to `target` from `at` on, where there are `tableBytes` and three
   * more octets at least. Throws Http2Violation.
   */
  next(target: Uint8Array, at: number): boolean {
    for (;;) {
      if (this.#at >= this.#end) return false;
      const first = this.#bytes[this.#at];
      if (first >= 0x80) {
        this.#mayResize = false;
        this.#indexed(this.#integer(0x7f));
        return true;
      }
      if (first >= 0x40) {
        this.#mayResize = false;
        this.#literal(this.#integer(0x3f), true, target, at);
        return true;
      }
      if (first < 0x20) {
        this.#mayResize = false;
        this.#literal(this.#integer(0x0f), false, target, at);
        return true;
      }
      const maxSize = this.#integer(0x1f);
      if (!this.#mayResize || maxSize > tableBytes) throw wrong('a size of the table that may not be');
      this.table.resize(maxSize);
    }
  }

  #indexed(index: number): void {
    const entry = this.#entry(index);
    this.octets = entry.octets;
    this.start = 0;
    this.nameLength = entry.nameLength;
    this.valueLength = entry.valueLength;
    this.kind = entry.kind;
    this.size = entry.size;
    this.overflow = false;
  }

  #entry(index: number): TableEntry {
    const entry = index === 0 ? undefined : this.table.at(index);
    if (entry === undefined) throw wrong('an index that is none');
    return entry;
  }

  #literal(index: number, isAdded: boolean, target: Uint8Array, at: number): void {
    const name = at + fieldOverheadBytes;
    let nameLength = 0;
    let nameKind: FieldKind = FieldKind.ordinary;
    let out = name;
    if (index > 0) {
      const entry = this.#entry(index);
      nameLength = entry.nameLength;
      nameKind = entry.nameKind;
      if (nameLength <= maxNameBytes) {
        const { octets } = entry;
        const nameEnd = fieldOverheadBytes + nameLength;
        for (let from = fieldOverheadBytes; from < nameEnd; from++) target[out++] = octets[from];
      }
    } else {
      out = this.#string(target, name);
      if (out < 0) nameKind = FieldKind.malformed;
      else {
        nameLength = out - name;
        nameKind = nameLength > maxNameBytes ? FieldKind.malformed : kindOfName(target, name, out);
        if (nameLength > maxNameBytes) out = name;
      }
    }
    const value = out < 0 ? name : out;
    const end = this.#string(target, value);
    if (out < 0 || end < 0) {
      // Longer than the table may be, whatever is in it.
      if (isAdded) this.table.makeRoom(tableBytes + 1);
      this.overflow = true;
      return;
    }
    const valueLength = end - value;
    this.octets = target;
    this.start = at;
    this.nameLength = nameLength;
    this.valueLength = valueLength;
    this.kind = isValue(target, value, end) ? nameKind : FieldKind.malformed;
    this.size = nameLength + valueLength + entryOverheadBytes;
    this.overflow = false;
    target[at] = nameLength;
    target[at + 1] = valueLength >> 8;
    target[at + 2] = valueLength & 0xff;
    if (isAdded && this.table.makeRoom(this.size)) {
      const octets = target.slice(at, end);
      this.table.add(new TableEntry(octets, nameLength, valueLength, nameKind, this.kind, this.size));
    }
  }

  /** Reads a string to `target[at]`; returns its end, or -1 when there is no place. */
  #string(target: Uint8Array, at: number): number {
    if (this.#at >= this.#end) throw wrong('a field that is cut short');
    const bytes = this.#bytes;
    const isHuffman = bytes[this.#at] >= 0x80;
    const length = this.#integer(0x7f);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw wrong('a string that is longer than its head');
    this.#at = end;
    if (isHuffman) return decodeHuffman(bytes, start, end, target, at, target.length);
    if (at + length > target.length) return -1;
    if (length > 64) target.set(bytes.subarray(start, end), at);
    else for (let from = start, to = at; from < end; from++, to++) target[to] = bytes[from];
    return at + length;
  }

  /** Reads an integer whose prefix has the bits of `mask`. */
  #integer(mask: number): number {
    let value = this.#bytes[this.#at++] & mask;
    if (value < mask) return value;
    for (let octets = 0; octets < maxIntegerOctets; octets++) {
      if (this.#at >= this.#end) break;
      const octet = this.#bytes[this.#at++];
      value += (octet & 0x7f) * 2 ** (7 * octets);
      if (octet < 0x80) {
        if (value > maxInteger) break;
        return value;
      }
    }
    throw wrong('an integer that is too long or cut short');
  }
}

function wrong(description: string): Http2Violation {
  return new Http2Violation(ErrorCode.compressionError, description);
}
