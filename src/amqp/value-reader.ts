import { ProtocolViolation } from '../base/errors.ts';
import { Code, Condition, descriptorSymbols } from './constants.ts';
import type { TextCache } from './text-cache.ts';
import { Described } from './value.ts';
import type { AmqpMapKey, AmqpValue } from './value.ts';

/** Deepest nesting of compounds and descriptors; the routing protocol needs 5. Recursion stays far from the stack's end. */
export const maxNesting = 32;
/**
 * What a decoded value may cost in memory, per encoded byte, plus `costBase`. Costs are estimates of V8's sizes; the rule makes it
 * impossible that a small input becomes a large object (arrays of zero-width elements, lists of empty lists).
 */
const maxCostPerByte = 10;
const costBase = 4096;
const compoundCost = 48;
const elementCost = 8;
const mapEntryCost = 40;
const stringCost = 16;

/** Longer texts would become ropes in V8, with an object of 32 bytes for each character, were they joined of characters. */
const maxJoinedText = 12;

const emptyList: readonly AmqpValue[] = Object.freeze([]);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function violation(description: string): ProtocolViolation {
  return new ProtocolViolation(Condition.decodeError, description);
}

/**
 * Reads AMQP encodings (§1.6) from a range of bytes. A reader can be reset to another range, so that a connection needs one only.
 * It never reads past `end`, never allocates before the announced length has been checked, and throws `ProtocolViolation`
 * (amqp:decode-error) for anything malformed. Binary values are copied; strings are decoded: nothing refers to the input afterwards.
 *
 *     value       = constructor data
 *     constructor = format-code | 0x00 descriptor constructor
 *     list        = 0x45 | 0xc0 size:1 count:1 value* | 0xd0 size:4 count:4 value*     (size counts the count and the values)
 *     map         = 0xc1 | 0xd1, as list, keys and values in turn
 *     array       = 0xe0 | 0xf0 size count constructor data*
 */
export class ValueReader {
  bytes: Uint8Array;
  position: number;
  end: number;
  /** For a reader of many inputs with the same texts in them. */
  readonly texts: TextCache | undefined;
  #cost = 0;
  #costLimit = 0;

  constructor(bytes: Uint8Array = new Uint8Array(0), position = 0, end: number = bytes.length, texts?: TextCache) {
    this.texts = texts;
    this.bytes = bytes;
    this.position = position;
    this.end = end;
    this.#costLimit = costBase + maxCostPerByte * (end - position);
  }

  reset(bytes: Uint8Array, position: number, end: number): void {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
    this.#cost = 0;
    this.#costLimit = costBase + maxCostPerByte * (end - position);
  }

  get atEnd(): boolean {
    return this.position >= this.end;
  }

  readByte(): number {
    if (this.position >= this.end) throw violation('value is cut short');
    return this.bytes[this.position++];
  }

  readUint16(): number {
    const at = this.#advance(2);
    return (this.bytes[at] << 8) | this.bytes[at + 1];
  }

  readUint32(): number {
    const at = this.#advance(4);
    const bytes = this.bytes;
    return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
  }

  /** Reserves `length` bytes and returns where they start. */
  #advance(length: number): number {
    const at = this.position;
    if (length > this.end - at) throw violation('value is cut short');
    this.position = at + length;
    return at;
  }

  #charge(cost: number): void {
    this.#cost += cost;
    if (this.#cost > this.#costLimit) {
      throw new ProtocolViolation(Condition.resourceLimitExceeded, 'value would need many times its encoded size in memory');
    }
  }

  /** The descriptor of a described type as a number, or -1 if it is none that AMQP 1.0 knows (position unchanged then). */
  readDescriptor(): number {
    const start = this.position;
    if (this.end - start < 2 || this.bytes[start] !== Code.described) return -1;
    this.position = start + 1;
    const code = this.readByte();
    if (code === Code.smallUlong) return this.readByte();
    if (code === Code.ulong0) return 0;
    if (code === Code.ulong) {
      const high = this.readUint32();
      const low = this.readUint32();
      if (high === 0) return low;
    }
    if (code === Code.symbol8) {
      const known = descriptorSymbols.get(this.#text(this.readByte()));
      if (known !== undefined) return known;
    }
    this.position = start;
    return -1;
  }

  /**
   * Enters a list: returns the number of elements and moves to the first. The caller reads or skips the elements itself;
   * `endOfList` gives the position after it.
   */
  enterList(): number {
    const code = this.readByte();
    let size: number;
    let count: number;
    if (code === Code.list8) {
      size = this.readByte();
      this.endOfList = this.position + size;
      if (size < 1 || this.endOfList > this.end) throw violation('list is longer than what holds it');
      count = this.readByte();
    } else if (code === Code.list32) {
      size = this.readUint32();
      this.endOfList = this.position + size;
      if (size < 4 || this.endOfList > this.end) throw violation('list is longer than what holds it');
      count = this.readUint32();
    } else if (code === Code.list0) {
      this.endOfList = this.position;
      return 0;
    } else {
      throw violation(`a list is expected, not format code 0x${code.toString(16)}`);
    }
    if (count > this.endOfList - this.position) throw violation('list announces more elements than it has bytes');
    return count;
  }
  endOfList = 0;

  /** True and skipped if the next value is null. */
  skipNull(): boolean {
    if (this.position < this.end && this.bytes[this.position] === Code.null) {
      this.position++;
      return true;
    }
    return false;
  }

  readUint(): number {
    const code = this.readByte();
    switch (code) {
      case Code.uint0:
        return 0;
      case Code.smallUint:
      case Code.ubyte:
        return this.readByte();
      case Code.uint:
        return this.readUint32();
      case Code.ushort:
        return this.readUint16();
      default:
        throw violation(`an unsigned integer is expected, not format code 0x${code.toString(16)}`);
    }
  }

  readBoolean(): boolean {
    const code = this.readByte();
    if (code === Code.true) return true;
    if (code === Code.false) return false;
    if (code === Code.boolean) {
      const value = this.readByte();
      if (value <= 1) return value === 1;
    }
    throw violation(`a boolean is expected, not format code 0x${code.toString(16)}`);
  }

  /** A string or a symbol, no longer than `maxLength` bytes. */
  readText(maxLength: number): string {
    const code = this.readByte();
    let length: number;
    if (code === Code.string8 || code === Code.symbol8) length = this.readByte();
    else if (code === Code.string32 || code === Code.symbol32) length = this.readUint32();
    else throw violation(`a string or symbol is expected, not format code 0x${code.toString(16)}`);
    if (length > maxLength) {
      throw new ProtocolViolation(Condition.resourceLimitExceeded, `text of ${length} bytes; at most ${maxLength} are accepted here`);
    }
    return this.#text(length);
  }

  /** Moves past the binary value and returns its length; its bytes end at the new position. */
  skipBinary(): number {
    const code = this.readByte();
    let length: number;
    if (code === Code.binary8) length = this.readByte();
    else if (code === Code.binary32) length = this.readUint32();
    else throw violation(`binary is expected, not format code 0x${code.toString(16)}`);
    this.#advance(length);
    return length;
  }

  #text(length: number): string {
    const start = this.#advance(length);
    this.#charge(stringCost + length);
    const { bytes, texts } = this;
    if (length <= maxJoinedText) {
      // Short ASCII, the usual case: cheaper than a call of the decoder.
      let text = '';
      let index = start;
      const end = start + length;
      for (; index < end; index++) {
        const byte = bytes[index];
        if (byte > 0x7f) break;
        text += String.fromCharCode(byte);
      }
      if (index === end) return text;
    }
    try {
      if (texts === undefined) return utf8.decode(bytes.subarray(start, start + length));
      return texts.find(bytes, start, length) ?? texts.keep(bytes, start, length, utf8.decode(bytes.subarray(start, start + length)));
    } catch {
      throw violation('text is not valid UTF-8');
    }
  }

  /** Moves past one value of any type without decoding it: compounds by their size, so that only descriptors nest. */
  skip(depth = 0): void {
    let code = this.readByte();
    for (; code === Code.described; depth++) {
      if (depth >= maxNesting) throw violation('descriptors are nested too deeply');
      this.skip(depth + 1);
      code = this.readByte();
    }
    this.#skipData(code);
  }

  #skipData(code: number): void {
    switch (code >> 4) {
      case 0x4:
        if (code > Code.list0) break;
        return;
      case 0x5:
        this.#advance(1);
        return;
      case 0x6:
        this.#advance(2);
        return;
      case 0x7:
        this.#advance(4);
        return;
      case 0x8:
        this.#advance(8);
        return;
      case 0x9:
        this.#advance(16);
        return;
      case 0xa:
      case 0xc:
      case 0xe:
        this.#advance(this.readByte());
        return;
      case 0xb:
      case 0xd:
      case 0xf:
        this.#advance(this.readUint32());
        return;
      default:
        break;
    }
    throw violation(`format code 0x${code.toString(16)} is unknown`);
  }

  /** Decodes one value of any type. */
  readValue(depth = 0): AmqpValue {
    if (depth > maxNesting) throw violation('value is nested too deeply');
    const code = this.readByte();
    if (code === Code.described) {
      this.#charge(compoundCost);
      const descriptor = this.readValue(depth + 1);
      return new Described(descriptor, this.readValue(depth + 1));
    }
    return this.#readData(code, depth);
  }

  #readData(code: number, depth: number): AmqpValue {
    switch (code) {
      case Code.null:
        return null;
      case Code.true:
        return true;
      case Code.false:
        return false;
      case Code.boolean: {
        const value = this.readByte();
        if (value > 1) throw violation('a boolean is 0 or 1');
        return value === 1;
      }
      case Code.uint0:
      case Code.ulong0:
        return 0;
      case Code.ubyte:
      case Code.smallUint:
      case Code.smallUlong:
        return this.readByte();
      case Code.byte:
      case Code.smallInt:
      case Code.smallLong:
        return (this.readByte() << 24) >> 24;
      case Code.ushort:
        return this.readUint16();
      case Code.short:
        return (this.readUint16() << 16) >> 16;
      case Code.uint:
      case Code.char:
        return this.readUint32();
      case Code.int:
        return this.readUint32() | 0;
      case Code.ulong:
        return this.#wide(this.readUint32());
      case Code.long:
      case Code.timestamp:
        return this.#wide(this.readUint32() | 0);
      case Code.float:
        return this.#view(4).getFloat32(0);
      case Code.double:
        return this.#view(8).getFloat64(0);
      case Code.decimal32:
        return this.#copy(4);
      case Code.decimal64:
        return this.#copy(8);
      case Code.decimal128:
      case Code.uuid:
        return this.#copy(16);
      case Code.binary8:
        return this.#copy(this.readByte());
      case Code.binary32:
        return this.#copy(this.readUint32());
      case Code.string8:
      case Code.symbol8:
        return this.#text(this.readByte());
      case Code.string32:
      case Code.symbol32:
        return this.#text(this.readUint32());
      case Code.list0:
        return emptyList;
      case Code.list8:
      case Code.list32:
        this.position--;
        return this.#readList(depth);
      case Code.map8:
        return this.#readMap(this.readByte(), 1, depth);
      case Code.map32:
        return this.#readMap(this.readUint32(), 4, depth);
      case Code.array8:
        return this.#readArray(this.readByte(), 1, depth);
      case Code.array32:
        return this.#readArray(this.readUint32(), 4, depth);
      default:
        throw violation(`format code 0x${code.toString(16)} is unknown`);
    }
  }

  #wide(high: number): number | bigint {
    const low = this.readUint32();
    if (high >= -0x200000 && high < 0x200000) return high * 0x1_0000_0000 + low;
    this.#charge(stringCost);
    return (BigInt(high) << 32n) | BigInt(low);
  }

  #view(length: number): DataView {
    const at = this.#advance(length);
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + at, length);
  }

  #copy(length: number): Uint8Array {
    const at = this.#advance(length);
    this.#charge(compoundCost + length);
    return this.bytes.slice(at, at + length);
  }

  #readList(depth: number): readonly AmqpValue[] {
    const count = this.enterList();
    const end = this.endOfList;
    if (count === 0) {
      if (this.position !== end) throw violation('list has bytes after its last element');
      return emptyList;
    }
    this.#charge(compoundCost + elementCost * count);
    const list: AmqpValue[] = [];
    for (let index = 0; index < count; index++) list.push(this.readValue(depth + 1));
    if (this.position !== end) throw violation('list does not end where its size says');
    return list;
  }

  #readMap(size: number, width: number, depth: number): ReadonlyMap<AmqpMapKey, AmqpValue> {
    const end = this.position + size;
    if (size < width || end > this.end) throw violation('map is longer than what holds it');
    const count = width === 1 ? this.readByte() : this.readUint32();
    if (count % 2 !== 0) throw violation('map has a key without a value');
    if (count > end - this.position) throw violation('map announces more elements than it has bytes');
    this.#charge(compoundCost * 2 + (mapEntryCost * count) / 2);
    const map = new Map<AmqpMapKey, AmqpValue>();
    for (let index = 0; index < count; index += 2) {
      const key = this.readValue(depth + 1);
      if (typeof key === 'object' && key !== null) throw violation('map keys must be simple values');
      if (map.has(key)) throw violation('map has the same key twice');
      map.set(key, this.readValue(depth + 1));
    }
    if (this.position !== end) throw violation('map does not end where its size says');
    return map;
  }

  #readArray(size: number, width: number, depth: number): readonly AmqpValue[] {
    if (depth > maxNesting) throw violation('value is nested too deeply');
    const end = this.position + size;
    if (size < width || end > this.end) throw violation('array is longer than what holds it');
    const count = width === 1 ? this.readByte() : this.readUint32();
    // Also bounds arrays of zero-width elements (null, true, list0 ...), whose count costs no bytes.
    if (count > size) throw violation('array announces more elements than it has bytes');
    if (count === 0) {
      this.position = end;
      return emptyList;
    }
    this.#charge(compoundCost + elementCost * count);
    let descriptor: AmqpValue | undefined;
    let code = this.readByte();
    if (code === Code.described) {
      descriptor = this.readValue(depth + 1);
      code = this.readByte();
      if (code === Code.described) throw violation('array elements have one descriptor at most');
    }
    const list: AmqpValue[] = [];
    for (let index = 0; index < count; index++) {
      const value = this.#readElement(code, depth + 1);
      if (descriptor === undefined) list.push(value);
      else {
        this.#charge(compoundCost);
        list.push(new Described(descriptor, value));
      }
    }
    if (this.position !== end) throw violation('array does not end where its size says');
    return list;
  }

  /** As `#readData`, for lists in arrays, whose constructor byte stands apart from their data. */
  #readElement(code: number, depth: number): AmqpValue {
    if (depth > maxNesting) throw violation('value is nested too deeply');
    if (code !== Code.list8 && code !== Code.list32) return this.#readData(code, depth);
    const width = code === Code.list8 ? 1 : 4;
    const size = width === 1 ? this.readByte() : this.readUint32();
    const end = this.position + size;
    if (size < width || end > this.end) throw violation('list is longer than what holds it');
    const count = width === 1 ? this.readByte() : this.readUint32();
    if (count > end - this.position) throw violation('list announces more elements than it has bytes');
    this.#charge(compoundCost + elementCost * count);
    const list: AmqpValue[] = [];
    for (let index = 0; index < count; index++) list.push(this.readValue(depth + 1));
    if (this.position !== end) throw violation('list does not end where its size says');
    return list;
  }
}
