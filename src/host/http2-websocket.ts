import { createHash, randomBytes } from 'node:crypto';
import type { FieldBlock } from '../services/http/exchange.ts';
import { buildFields, findField } from '../services/http/field-block.ts';

/**
 * WebSockets over HTTP/2 (RFC 8441 §5) have no key and no proof of having read it; over HTTP/1.1 (RFC 6455 §4) they must. Between the ends
 * all requests are of the latter form: an end that speaks HTTP/2 adds what is missing and takes away what is too much.
 */

/** Every server adds it to the key before it hashes it (RFC 6455 §1.3). */
const keySuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const keyBytes = 16;

/** The fields of a request, with a key. */
export function withKey(fields: FieldBlock): FieldBlock {
  if (keyOf(fields) !== undefined) return fields;
  return joined(fields, buildFields([{ name: 'sec-websocket-key', value: randomBytes(keyBytes).toString('base64') }]));
}

export function keyOf(fields: FieldBlock): string | undefined {
  return findField(fields, 'sec-websocket-key');
}

/** The fields of an answer, with the proof that the key was read. */
export function acceptOf(fields: FieldBlock, key: string): FieldBlock {
  if (findField(fields, 'sec-websocket-accept') !== undefined) return fields;
  const value = createHash('sha1')
    .update(key + keySuffix)
    .digest('base64');
  return joined(fields, buildFields([{ name: 'sec-websocket-accept', value }]));
}

function joined(first: FieldBlock, second: FieldBlock): FieldBlock {
  const block = new Uint8Array(first.length + second.length);
  block.set(first);
  block.set(second, first.length);
  return block;
}
