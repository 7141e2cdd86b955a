import { assert } from '../../base/errors.ts';
import { replyError } from './netlink-error.ts';

/*
 * struct rtattr, host order, padded with zeros to 4 octets (rtnetlink(7)):
 *
 *   u16 length (of header and value, without padding) | u16 type (bit 15: nested, bit 14: network order) | value
 *
 * Host order is little endian on every platform that Caravan runs on.
 */

/** No request comes near it: the largest, a veth pair, has some 200 octets. */
const maxBodyBytes = 8192;
const attributeHeaderBytes = 4;
const typeMask = 0x3fff;

/** Writes the body of a message: fixed header fields, then attributes. */
export class BodyWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(192);
  #view: DataView = new DataView(this.#bytes.buffer);
  #length = 0;

  #grow(bytes: number): number {
    const at = this.#length;
    const end = at + bytes;
    assert(end <= maxBodyBytes, `a netlink message of more than ${maxBodyBytes} octets`);
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.min(maxBodyBytes, Math.max(end, 2 * this.#bytes.length)));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = end;
    return at;
  }

  u8(value: number): this {
    this.#view.setUint8(this.#grow(1), value);
    return this;
  }

  u16(value: number): this {
    this.#view.setUint16(this.#grow(2), value, true);
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#grow(4), value, true);
    return this;
  }

  octets(value: Uint8Array): this {
    this.#bytes.set(value, this.#grow(value.length));
    return this;
  }

  attribute(type: number, value: Uint8Array): this {
    this.u16(attributeHeaderBytes + value.length)
      .u16(type)
      .octets(value);
    return this.#pad();
  }

  attributeU8(type: number, value: number): this {
    return this.attribute(type, Uint8Array.of(value));
  }

  attributeU32(type: number, value: number): this {
    return this.u16(8).u16(type).u32(value);
  }

  /** Text with a NUL behind it, as for names of links. */
  attributeText(type: number, text: string): this {
    return this.attribute(type, new TextEncoder().encode(`${text}\0`));
  }

  /** An attribute that holds what `write` writes. */
  nest(type: number, write: (writer: this) => void): this {
    const start = this.#length;
    this.u16(0).u16(type);
    write(this);
    this.#view.setUint16(start, this.#length - start, true);
    return this.#pad();
  }

  #pad(): this {
    this.#grow(-this.#length & 3);
    return this;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/** The attributes of a message. Values are views of the message: copy to keep. */
export class Attributes {
  readonly #values = new Map<number, Uint8Array>();

  /** Of repeated types the last one counts. Throws NetlinkError `netlink-reply` when a length does not fit. */
  constructor(bytes: Uint8Array) {
    for (const { type, value } of attributeList(bytes)) this.#values.set(type, value);
  }

  octets(type: number): Uint8Array | undefined {
    return this.#values.get(type);
  }

  u8(type: number): number | undefined {
    return this.#values.get(type)?.[0];
  }

  u32(type: number): number | undefined {
    const value = this.#values.get(type);
    return value === undefined || value.length < 4 ? undefined : viewOf(value).getUint32(0, true);
  }

  text(type: number): string | undefined {
    const value = this.#values.get(type);
    if (value === undefined) return undefined;
    const end = value.indexOf(0);
    return new TextDecoder().decode(end === -1 ? value : value.subarray(0, end));
  }

  nested(type: number): Attributes | undefined {
    const value = this.#values.get(type);
    return value === undefined ? undefined : new Attributes(value);
  }
}

/** Attributes one after the other, in their order, repeated types too. */
export function attributeList(bytes: Uint8Array): { readonly type: number; readonly value: Uint8Array }[] {
  const list: { type: number; value: Uint8Array }[] = [];
  const view = viewOf(bytes);
  let at = 0;
  // Fewer octets than a header are padding.
  while (at + attributeHeaderBytes <= bytes.length) {
    const length = view.getUint16(at, true);
    if (length < attributeHeaderBytes || at + length > bytes.length) throw replyError('attribute', `length ${length} does not fit`);
    list.push({ type: view.getUint16(at + 2, true) & typeMask, value: bytes.subarray(at + attributeHeaderBytes, at + length) });
    at += (length + 3) & ~3;
  }
  return list;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
