import { ProtocolViolation } from '../../base/errors.ts';
import { Condition } from '../../amqp/constants.ts';
import type { TextCache } from '../../amqp/text-cache.ts';
import type { FieldBlock, RequestHead, ResponseHead } from './exchange.ts';
import { fieldBlockProblem } from './field-block.ts';
import { RecordKind } from './message-writer.ts';
import type { MessageWriter } from './message-writer.ts';

/**
 * Request head:
 *
 *     u8 flags (1 https, 2 expect-continue)   u64 content length, all ones = unknown
 *     u8 method length   u8 upgrade length   u8 client length   u16 authority length   u16 path length
 *     method upgrade client authority path   fields to the end
 *
 * Answer head:    u16 status   u8 flags (1 has a body, 2 upgrade)   u64 content length   fields to the end
 * Interim head:   u16 status   fields to the end
 *
 * What is read comes from another router and is checked as if it came from a client.
 */
const requestFixedBytes = 16;
const answerFixedBytes = 11;
const interimFixedBytes = 2;

const RequestFlag = { https: 1, expectContinue: 2 } as const;
const AnswerFlag = { hasBody: 1, upgrade: 2 } as const;

const tokenOctets = octets("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
/** Tokens, versions and lists of protocols. */
const upgradeOctets = octets("/!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
const clientOctets = octets('0123456789abcdefABCDEF.:%');
/** Host and port, with an address in brackets; no user and nothing of a path. */
const authorityOctets = octets("!$&'()*+,;=-._~%:[]0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
const visibleOctets = new Uint8Array(256);
visibleOctets.fill(1, 0x21, 0x7f);

function octets(chars: string): Uint8Array {
  const table = new Uint8Array(256);
  for (let index = 0; index < chars.length; index++) table[chars.charCodeAt(index)] = 1;
  return table;
}

/**
 * Writes the record of a request head up to its fields; the fields follow, then `endRecord` with what this returns. The head's texts are
 * ASCII and fit (`requestHeadFits`).
 */
export function beginRequestHead(writer: MessageWriter, head: RequestHead): number {
  const { method, upgrade, client, authority, path } = head;
  const record = writer.beginRecord(RecordKind.requestHead);
  writer.reserve(requestFixedBytes + 3 * (method.length + upgrade.length + client.length + authority.length + path.length));
  writer.uint8((head.scheme === 'https' ? RequestFlag.https : 0) | (head.expectContinue ? RequestFlag.expectContinue : 0));
  writeLength(writer, head.contentLength);
  writer.uint8(method.length);
  writer.uint8(upgrade.length);
  writer.uint8(client.length);
  writer.uint16(authority.length);
  writer.uint16(path.length);
  writer.text(method);
  writer.text(upgrade);
  writer.text(client);
  writer.text(authority);
  writer.text(path);
  return record;
}

/** A DNS name of 253 characters, or an address, and a port. */
const maxAuthorityLength = 260;

/** Whether the parts of a head fit their lengths in a record. */
export function requestHeadFits({ method, upgrade, client, authority, path }: RequestHead): boolean {
  return (
    method.length < 256 && upgrade.length < 256 && client.length < 256 && authority.length <= maxAuthorityLength && path.length < 65_536
  );
}

export function encodeAnswerHead(writer: MessageWriter, head: ResponseHead): void {
  const { fields } = head;
  writer.recordHeader(RecordKind.answerHead, answerFixedBytes + fields.length);
  writer.reserve(answerFixedBytes);
  writer.uint16(head.status);
  writer.uint8((head.hasBody ? AnswerFlag.hasBody : 0) | (head.upgrade ? AnswerFlag.upgrade : 0));
  writeLength(writer, head.contentLength);
  writer.raw(fields, 0, fields.length);
}

export function encodeInterimHead(writer: MessageWriter, status: number, fields: FieldBlock): void {
  writer.recordHeader(RecordKind.interimHead, interimFixedBytes + fields.length);
  writer.reserve(interimFixedBytes);
  writer.uint16(status);
  writer.raw(fields, 0, fields.length);
}

function writeLength(writer: MessageWriter, contentLength: number): void {
  if (contentLength < 0) {
    writer.uint32(0xffffffff);
    writer.uint32(0xffffffff);
    return;
  }
  writer.uint32(Math.floor(contentLength / 0x1_0000_0000));
  writer.uint32(contentLength % 0x1_0000_0000);
}

/** Reads the payload of a request head; its fields are a view. `texts` spares making texts that come again. Throws ProtocolViolation. */
export function decodeRequestHead(bytes: Uint8Array, start: number, end: number, texts?: TextCache): RequestHead {
  if (end - start < requestFixedBytes) throw violation('a request head is cut short');
  const flags = bytes[start];
  const contentLength = readLength(bytes, start + 1);
  const methodAt = start + requestFixedBytes;
  const upgradeAt = methodAt + bytes[start + 9];
  const clientAt = upgradeAt + bytes[start + 10];
  const authorityAt = clientAt + bytes[start + 11];
  const pathAt = authorityAt + ((bytes[start + 12] << 8) | bytes[start + 13]);
  const fieldsAt = pathAt + ((bytes[start + 14] << 8) | bytes[start + 15]);
  if (fieldsAt > end) throw violation('a request head is cut short');
  const method = readText(bytes, methodAt, upgradeAt, tokenOctets, 'method', texts);
  const path = readText(bytes, pathAt, fieldsAt, visibleOctets, 'path', texts);
  if (method === '') throw violation('a request has no method');
  if (path === '' ? method !== 'CONNECT' : path !== '*' && path.charCodeAt(0) !== 0x2f) throw violation('a path begins with /');
  const upgrade = readText(bytes, upgradeAt, clientAt, upgradeOctets, 'upgrade', texts);
  if (upgrade !== '' && contentLength !== 0) throw violation('a request for an upgrade has a body');
  return {
    method,
    scheme: (flags & RequestFlag.https) === 0 ? 'http' : 'https',
    authority: readText(bytes, authorityAt, pathAt, authorityOctets, 'authority', texts),
    path,
    fields: readFieldBlock(bytes, fieldsAt, end),
    contentLength,
    expectContinue: (flags & RequestFlag.expectContinue) !== 0,
    upgrade,
    client: readText(bytes, clientAt, authorityAt, clientOctets, 'client', texts),
  };
}

/** Reads the payload of an answer head; its fields are a view. Throws ProtocolViolation. */
export function decodeAnswerHead(bytes: Uint8Array, start: number, end: number): ResponseHead {
  if (end - start < answerFixedBytes) throw violation('an answer head is cut short');
  const status = (bytes[start] << 8) | bytes[start + 1];
  const flags = bytes[start + 2];
  const upgrade = (flags & AnswerFlag.upgrade) !== 0;
  if ((status < 200 || status > 599) && !(status === 101 && upgrade)) throw violation(`an answer has the status ${status}`);
  return {
    status,
    fields: readFieldBlock(bytes, start + answerFixedBytes, end),
    contentLength: readLength(bytes, start + 3),
    hasBody: (flags & AnswerFlag.hasBody) !== 0,
    upgrade,
  };
}

/** Status of an interim head. Throws ProtocolViolation. */
export function decodeInterimStatus(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < interimFixedBytes) throw violation('an interim head is cut short');
  const status = (bytes[start] << 8) | bytes[start + 1];
  if (status < 100 || status > 199 || status === 101) throw violation(`an interim answer has the status ${status}`);
  return status;
}

/** Fields of an interim head, as a view. Throws ProtocolViolation. */
export function decodeInterimFields(bytes: Uint8Array, start: number, end: number): FieldBlock {
  return readFieldBlock(bytes, start + interimFixedBytes, end);
}

/** A checked block of fields, as a view. Throws ProtocolViolation. */
export function readFieldBlock(bytes: Uint8Array, start: number, end: number): FieldBlock {
  const problem = fieldBlockProblem(bytes, start, end);
  if (problem !== undefined) throw violation(problem);
  return bytes.subarray(start, end);
}

function readLength(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
  const low = ((bytes[at + 4] << 24) | (bytes[at + 5] << 16) | (bytes[at + 6] << 8) | bytes[at + 7]) >>> 0;
  if (high === 0xffffffff && low === 0xffffffff) return -1;
  if (high > 0x1fffff) throw violation('a content length is beyond what numbers can hold');
  return high * 0x1_0000_0000 + low;
}

const chars: readonly string[] = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

function readText(bytes: Uint8Array, start: number, end: number, allowed: Uint8Array, what: string, texts: TextCache | undefined): string {
  for (let index = start; index < end; index++) {
    if (allowed[bytes[index]] === 0) throw violation(`a ${what} has a character that does not belong there`);
  }
  const kept = texts?.find(bytes, start, end - start);
  if (kept !== undefined) return kept;
  let text = '';
  for (let index = start; index < end; index++) text += chars[bytes[index]];
  return texts === undefined ? text : texts.keep(bytes, start, end - start, text);
}

function violation(description: string): ProtocolViolation {
  return new ProtocolViolation(Condition.decodeError, description);
}
