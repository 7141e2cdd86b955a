import type { FieldBlock } from './exchange.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A head without fields. */
export const noFields: FieldBlock = new Uint8Array(0);

/** Octets of a field in a block besides its name and value. */
export const fieldOverheadBytes = 3;

const lowerCaseToken = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") lowerCaseToken[char.charCodeAt(0)] = 1;

/** Octets of a token as names of fields have them here: in lower case (RFC 9110 §5.6.2). */
export function isLowerCaseToken(byte: number): boolean {
  return lowerCaseToken[byte] === 1;
}

/** Fields that concern one connection, and those that a head says itself: none of them is ever in a block. */
const connectionFields: readonly Uint8Array[] = [
  'host',
  'expect',
  'upgrade',
  'connection',
  'keep-alive',
  'content-length',
  'proxy-connection',
  'transfer-encoding',
].map((name) => encoder.encode(name));
const te = encoder.encode('te');
const trailers = encoder.encode('trailers');

/** Whether `bytes[start, end)` is exactly `name`. */
export function octetsEqual(bytes: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  if (end - start !== name.length) return false;
  for (let index = 0; index < name.length; index++) if (bytes[start + index] !== name[index]) return false;
  return true;
}

/**
 * Why `bytes[start, end)` is no block of fields as `FieldBlock` says; undefined when it is one. For blocks that come from another router:
 * nothing in them may change how the next server reads the message.
 */
export function fieldBlockProblem(bytes: Uint8Array, start: number, end: number): string | undefined {
  let at = start;
  while (at < end) {
    if (end - at < fieldOverheadBytes) return 'a field is cut short';
    const nameStart = at + fieldOverheadBytes;
    const valueStart = nameStart + bytes[at];
    const valueEnd = valueStart + ((bytes[at + 1] << 8) | bytes[at + 2]);
    if (valueEnd > end) return 'a field is longer than its block';
    if (nameStart === valueStart) return 'a field has no name';
    for (let index = nameStart; index < valueStart; index++)
      if (lowerCaseToken[bytes[index]] === 0) return 'a name is no token in lower case';
    if (valueEnd > valueStart && (isBlank(bytes[valueStart]) || isBlank(bytes[valueEnd - 1]))) return 'a value has blanks around it';
    for (let index = valueStart; index < valueEnd; index++) {
      const byte = bytes[index];
      if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f) return 'a value has a control character';
    }
    if (isConnectionField(bytes, nameStart, valueStart, valueEnd)) return 'a field concerns one connection only';
    at = valueEnd;
  }
  return undefined;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}

function isConnectionField(bytes: Uint8Array, start: number, end: number, valueEnd: number): boolean {
  switch (end - start) {
    case 2:
      return octetsEqual(bytes, start, end, te) && !octetsEqual(bytes, end, valueEnd, trailers);
    case 4:
    case 6:
    case 7:
    case 10:
    case 14:
    case 16:
    case 17:
      for (const name of connectionFields) if (octetsEqual(bytes, start, end, name)) return true;
      return false;
    default:
      return false;
  }
}

/** One field of a block. */
export interface Field {
  readonly name: string;
  readonly value: string;
}

/** Makes a block. Names must be tokens in lower case, values without CR, LF and NUL: they are the program's own or have been checked. */
export function buildFields(fields: readonly Field[]): FieldBlock {
  const encoded = fields.map(({ name, value }) => [encoder.encode(name), encoder.encode(value)] as const);
  const block = new Uint8Array(encoded.reduce((sum, [name, value]) => sum + fieldOverheadBytes + name.length + value.length, 0));
  let at = 0;
  for (const [name, value] of encoded) {
    block[at] = name.length;
    block[at + 1] = value.length >> 8;
    block[at + 2] = value.length;
    block.set(name, at + fieldOverheadBytes);
    block.set(value, at + fieldOverheadBytes + name.length);
    at += fieldOverheadBytes + name.length + value.length;
  }
  return block;
}

/** The fields of a block as text, for status, tests and whatever is not done for every request. */
export function readFields(block: FieldBlock): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < block.length;) {
    const nameStart = at + fieldOverheadBytes;
    const valueStart = nameStart + block[at];
    const end = valueStart + ((block[at + 1] << 8) | block[at + 2]);
    fields.push({ name: decoder.decode(block.subarray(nameStart, valueStart)), value: decoder.decode(block.subarray(valueStart, end)) });
    at = end;
  }
  return fields;
}

/** Where the next field after `from` with this name (octets of `encoder`) starts; -1 when there is none. */
export function indexOfField(block: FieldBlock, name: Uint8Array, from = 0): number {
  for (let at = from; at < block.length; at = endOfField(block, at)) {
    if (block[at] === name.length && octetsEqual(block, at + fieldOverheadBytes, at + fieldOverheadBytes + name.length, name)) return at;
  }
  return -1;
}

/** Where the field that starts at `at` ends, which is where the next one starts. */
export function endOfField(block: FieldBlock, at: number): number {
  return at + fieldOverheadBytes + block[at] + ((block[at + 1] << 8) | block[at + 2]);
}

/** The value of the first field with this name; undefined when there is none. */
export function findField(block: FieldBlock, name: string): string | undefined {
  return findNamedField(block, encoder.encode(name));
}

/** The same for a name that is encoded already. */
export function findNamedField(block: FieldBlock, name: Uint8Array): string | undefined {
  const at = indexOfField(block, name);
  return at < 0 ? undefined : decoder.decode(block.subarray(at + fieldOverheadBytes + name.length, endOfField(block, at)));
}

/** The block without the fields of this name; the same block when it has none. */
export function removeField(block: FieldBlock, name: string): FieldBlock {
  const octets = encoder.encode(name);
  let at = indexOfField(block, octets);
  if (at < 0) return block;
  const kept = new Uint8Array(block.length);
  let length = 0;
  let from = 0;
  while (at >= 0) {
    kept.set(block.subarray(from, at), length);
    length += at - from;
    from = endOfField(block, at);
    at = indexOfField(block, octets, from);
  }
  kept.set(block.subarray(from), length);
  return kept.subarray(0, length + block.length - from);
}
