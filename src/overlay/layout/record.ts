/**
 * Records of the data path's maps. Each is a C struct of `bpf/layout.h`: fields in order, without holes, integers in the byte order of
 * the host, which is little endian on every machine the data path is built for. Addresses, MACs and ports (`be16`) are in network order.
 */
import { assert } from '../../base/errors.ts';

/** What a field is: its C type, or how many octets. A `u64` is a bigint. */
export type FieldType = 'u8' | 'u16' | 'be16' | 'u32' | 'u64' | 'mac' | 'address';

const widths: Readonly<Record<FieldType, number>> = { u8: 1, u16: 2, be16: 2, u32: 4, u64: 8, mac: 6, address: 16 };

/** Types of fields whose values are of type `V`. */
type TypeOf<V> = V extends bigint ? 'u64' : V extends number ? 'u8' | 'u16' | 'be16' | 'u32' : 'mac' | 'address';

/** Fields of `T` in the order of the struct; a number stands for that many reserved octets, which are written as 0 and not read. */
export type Fields<T> = readonly (readonly [name: keyof T & string, type: TypeOf<T[keyof T]>] | number)[];

export interface PlacedField {
  /** In camelCase; the struct has it in snake_case. */
  readonly name: string;
  readonly type: FieldType;
  readonly offset: number;
  readonly width: number;
}

export interface RecordCodec<T> {
  /** The struct's name in C. */
  readonly structName: string;
  readonly byteLength: number;
  readonly fields: readonly PlacedField[];
  /** A new array. Throws (our bug) for an address or a MAC of another length. */
  encode(record: T): Uint8Array;
  /** A record of copies. Throws (our bug) when `bytes` is not exactly `byteLength` long. */
  decode(bytes: Uint8Array): T;
}

/** A codec for the struct `structName` with these fields. */
export function recordCodec<T>(structName: string, declared: Fields<T>): RecordCodec<T> {
  const fields: PlacedField[] = [];
  let byteLength = 0;
  for (const field of declared) {
    if (typeof field === 'number') {
      byteLength += field;
      continue;
    }
    const [name, type] = field;
    fields.push({ name, type, offset: byteLength, width: widths[type] });
    byteLength += widths[type];
  }
  return {
    structName,
    byteLength,
    fields,
    encode: (record) => encode(structName, fields, byteLength, record as Record<string, unknown>),
    decode: (bytes) => decode(structName, fields, byteLength, bytes) as T,
  };
}

function encode(structName: string, fields: readonly PlacedField[], byteLength: number, record: Record<string, unknown>): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  const view = new DataView(bytes.buffer);
  for (const { name, type, offset, width } of fields) {
    const value = record[name];
    if (type === 'u8') view.setUint8(offset, value as number);
    else if (type === 'u16') view.setUint16(offset, value as number, true);
    else if (type === 'be16') view.setUint16(offset, value as number, false);
    else if (type === 'u32') view.setUint32(offset, value as number, true);
    else if (type === 'u64') view.setBigUint64(offset, value as bigint, true);
    else {
      const octets = value as Uint8Array;
      assert(octets.length === width, `${structName}.${name} has ${octets.length} octets, not ${width}`);
      bytes.set(octets, offset);
    }
  }
  return bytes;
}

function decode(structName: string, fields: readonly PlacedField[], byteLength: number, bytes: Uint8Array): Record<string, unknown> {
  assert(bytes.length === byteLength, `${structName} is ${byteLength} octets, not ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const record: Record<string, unknown> = {};
  for (const { name, type, offset, width } of fields) {
    if (type === 'u8') record[name] = view.getUint8(offset);
    else if (type === 'u16') record[name] = view.getUint16(offset, true);
    else if (type === 'be16') record[name] = view.getUint16(offset, false);
    else if (type === 'u32') record[name] = view.getUint32(offset, true);
    else if (type === 'u64') record[name] = view.getBigUint64(offset, true);
    else record[name] = bytes.slice(offset, offset + width);
  }
  return record;
}
