import { InputError } from '../base/errors.ts';

/**
 * Reads DER (X.690): one tag octet, the length in its shortest form, the content. Only what certificates of a network hold: no tag
 * above 30, no indefinite length, no element above 64 KiB. It does not copy, and its cost is linear in the octets.
 */

export const DerTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** A context tag of a primitive element: `[number] IMPLICIT` of a string or number. */
export function contextTag(number: number): number {
  return 0x80 | number;
}

/** A context tag of an element that holds others. */
export function constructedContextTag(number: number): number {
  return 0xa0 | number;
}

const constructedBit = 0x20;
/** The form of tags above 30, which take more than one octet. */
const longTagBits = 0x1f;
/** Elements within elements. A certificate has seven levels. */
const maxDepth = 16;

/** Elements one after the other. All methods throw InputError `bad-der` when the next element is another one, or is not DER. */
export class DerReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  get isDone(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#at];
  }

  nextIs(tag: number): boolean {
    return this.nextTag === tag;
  }

  /** The next element with tag and length. */
  whole(tag: number): Uint8Array<ArrayBuffer> {
    const start = this.#at;
    this.content(tag);
    return this.#bytes.subarray(start, this.#at);
  }

  /** The content of the next element. */
  content(tag: number): Uint8Array<ArrayBuffer> {
    if (!this.nextIs(tag)) throw notDer('another element than expected');
    return this.anyContent();
  }

  anyContent(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes;
    if (((bytes[this.#at] ?? longTagBits) & longTagBits) === longTagBits) throw notDer('no tag of one octet');
    const first = bytes[this.#at + 1] ?? 0x80;
    const start = this.#at + 2 + (first & 0x80 ? first & 0x7f : 0);
    let length = first;
    if (first === 0x81) length = bytes[this.#at + 2] ?? 0;
    else if (first === 0x82) length = ((bytes[this.#at + 2] ?? 0) << 8) | (bytes[this.#at + 3] ?? 0);
    else if (first >= 0x80) throw notDer('a length of another form');
    if ((first === 0x81 && length < 0x80) || (first === 0x82 && length < 0x100)) throw notDer('a length that is not in its shortest form');
    if (start + length > bytes.length) throw notDer('an element that is cut off');
    this.#at = start + length;
    return bytes.subarray(start, this.#at);
  }

  /** A reader for the content of the next element. */
  inside(tag: number): DerReader {
    return new DerReader(this.content(tag));
  }

  boolean(): boolean {
    const content = this.content(DerTag.boolean);
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw notDer('a truth value of another form');
    return content[0] === 0xff;
  }

  /** The octets of a number that is not negative, without a leading zero; at most `maxLength`. */
  unsigned(maxLength: number): Uint8Array<ArrayBuffer> {
    const content = this.content(DerTag.integer);
    const [first = 0x80, second = 0x80] = content;
    if (first >= 0x80) throw notDer('a number out of range');
    if (first === 0 && content.length > 1 && second < 0x80) throw notDer('a number that is not in its shortest form');
    const octets = first === 0 ? content.subarray(1) : content;
    if (octets.length > maxLength) throw notDer('a number out of range');
    return octets;
  }

  /** A number from 0 to 2^31 - 1. */
  smallInteger(): number {
    const octets = this.unsigned(4);
    if ((octets[0] ?? 0) >= 0x80 && octets.length === 4) throw notDer('a number out of range');
    return octets.reduce((value, octet) => value * 256 + octet, 0);
  }

  /** A BIT STRING of whole octets. */
  wholeOctets(): Uint8Array<ArrayBuffer> {
    const content = this.content(DerTag.bitString);
    if (content[0] !== 0) throw notDer('a bit string that has no whole octets');
    return content.subarray(1);
  }

  text(tag: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.content(tag));
    } catch (cause) {
      if (cause instanceof InputError) throw cause;
      throw new InputError('bad-der', 'DER', 'a text that is not UTF-8', { cause });
    }
  }

  /** An object identifier, its content in hex. */
  objectIdentifier(): string {
    const content = this.content(DerTag.objectIdentifier);
    const isWhole = (content.at(-1) ?? 0x80) < 0x80;
    const isShortest = content.every((octet, at) => octet !== 0x80 || (content[at - 1] ?? 0) >= 0x80);
    if (!isWhole || !isShortest) throw notDer('an object identifier of another form');
    return content.toHex();
  }

  /** Throws when anything is left. */
  end(): void {
    if (!this.isDone) throw notDer('more than expected');
  }
}

/** Throws InputError `bad-der` unless `bytes` are one element, and it and all within it are of the form that `DerReader` reads. */
export function checkDer(bytes: Uint8Array<ArrayBuffer>): void {
  const reader = new DerReader(bytes);
  checkNext(reader, 0);
  reader.end();
}

function checkNext(reader: DerReader, depth: number): void {
  const isConstructed = ((reader.nextTag ?? 0) & constructedBit) !== 0;
  const content = reader.anyContent();
  if (!isConstructed) return;
  if (depth === maxDepth) throw notDer('too many elements within elements');
  const inside = new DerReader(content);
  while (!inside.isDone) checkNext(inside, depth + 1);
}

/** Content octets of an object identifier in hex, as `DerReader.objectIdentifier` gives them. `dotted`: `2.5.29.15`. */
export function objectIdentifierHex(dotted: string): string {
  const [first = 0n, second = 0n, ...arcs] = dotted.split('.').map(BigInt);
  return [first * 40n + second, ...arcs].map(arcHex).join('');
}

/** Seven bits in each octet, the highest bit set in all but the last. */
function arcHex(arc: bigint): string {
  const octets = [Number(arc & 0x7fn)];
  for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) octets.unshift(Number(rest & 0x7fn) | 0x80);
  return Uint8Array.from(octets).toHex();
}

function notDer(what: string): InputError {
  return new InputError('bad-der', 'DER', what);
}
