import type { FieldBlock } from '../http/exchange.ts';
import { buildFields, findField, removeField } from '../http/field-block.ts';

/**
 * WebSockets over HTTP/2 (RFC 8441 §5) have no key and no proof of having read it; over HTTP/1.1 (RFC 6455 §4) they must. Between the ends
 * all requests are of the latter form: an end that speaks HTTP/2 adds what is missing and takes away what is too much.
 *
 * The host makes keys and their proofs.
 */
export interface WebSocketKeys {
  /** A key: 16 random octets in base64. */
  make(): string;
  /** The proof that a key was read (RFC 6455 §1.3). */
  proofOf(key: string): string;
}

/** The fields of a request, with a key. */
export function withKey(fields: FieldBlock, keys: WebSocketKeys): FieldBlock {
  if (keyOf(fields) !== undefined) return fields;
  return joined(fields, buildFields([{ name: 'sec-websocket-key', value: keys.make() }]));
}

/** The fields of a request for a server that knows no key. */
export function withoutKey(fields: FieldBlock): FieldBlock {
  return removeField(fields, 'sec-websocket-key');
}

export function keyOf(fields: FieldBlock): string | undefined {
  return findField(fields, 'sec-websocket-key');
}

/** The fields of an answer, with the proof that the key was read. */
export function withProof(fields: FieldBlock, key: string, keys: WebSocketKeys): FieldBlock {
  if (findField(fields, 'sec-websocket-accept') !== undefined) return fields;
  return joined(fields, buildFields([{ name: 'sec-websocket-accept', value: keys.proofOf(key) }]));
}

/** The fields of an answer for a client that expects no proof. */
export function withoutProof(fields: FieldBlock): FieldBlock {
  return removeField(fields, 'sec-websocket-accept');
}

function joined(first: FieldBlock, second: FieldBlock): FieldBlock {
  const block = new Uint8Array(first.length + second.length);
  block.set(first);
  block.set(second, first.length);
  return block;
}
