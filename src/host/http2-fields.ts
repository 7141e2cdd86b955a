import type { FieldBlock } from '../services/http/exchange.ts';
import { maxFieldBytes } from '../services/http/exchange.ts';
import { endOfField, fieldOverheadBytes, isLowerCaseToken, noFields } from '../services/http/field-block.ts';
import { HttpViolation, badMessage } from '../services/http1/http-violation.ts';
import { maxFields, maxNameBytes } from './http2-limits.ts';

/** Names and values in turn, each character one octet, as `node:http2` has them. Names that begin with `:` come first. */
export type RawFields = readonly string[];

/** What a head says besides its block. */
export interface HeadFields {
  readonly block: FieldBlock;
  /** -1 = not said. */
  readonly contentLength: number;
  readonly host: string | undefined;
  readonly expectContinue: boolean;
}

const maxLengthDigits = 15;

/**
 * Makes a block of the fields behind the pseudo fields. Crumbs of cookies become one field again (RFC 9113 §8.2.3). Throws HttpViolation for
 * what makes a message malformed (§8.2): names in upper case, characters that frame other protocols, fields that concern one connection.
 */
export function readFields(raw: RawFields): HeadFields {
  let size = 0;
  let count = 0;
  let contentLength = -1;
  let host: string | undefined;
  let expectContinue = false;
  let cookie: string | undefined;
  const kept: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (name.charCodeAt(0) === 0x3a) {
      if (count > 0) throw badMessage('a pseudo field behind other fields');
      continue;
    }
    if (++count > maxFields) throw new HttpViolation(431, 'too many fields');
    const value = trimmed(raw[index + 1] ?? '');
    switch (name) {
      case 'content-length': {
        const length = /^\d+$/.test(value) && value.length <= maxLengthDigits ? Number(value) : -1;
        if (length < 0 || (contentLength >= 0 && length !== contentLength)) throw badMessage('a content-length that is none');
        contentLength = length;
        continue;
      }
      case 'host':
        if (host !== undefined && host !== value) throw badMessage('two hosts');
        host = value;
        continue;
      case 'expect':
        if (value.toLowerCase() !== '100-continue') throw new HttpViolation(417, 'an expectation that nobody knows');
        expectContinue = true;
        continue;
      case 'te':
        if (value.toLowerCase() !== 'trailers') throw badMessage('a field of a connection: te');
        break;
      case 'connection':
      case 'keep-alive':
      case 'proxy-connection':
      case 'transfer-encoding':
      case 'upgrade':
        throw badMessage(`a field of a connection: ${name}`);
      case 'http2-settings':
        // Belongs to the upgrade of HTTP/1.1.
        continue;
      case 'cookie':
        cookie = cookie === undefined ? value : `${cookie}; ${value}`;
        continue;
      default:
    }
    kept.push(name, name === 'te' ? 'trailers' : value);
    size += fieldOverheadBytes + name.length + value.length;
  }
  if (cookie !== undefined) {
    kept.push('cookie', cookie);
    size += fieldOverheadBytes + 'cookie'.length + cookie.length;
  }
  if (size > maxFieldBytes) throw new HttpViolation(431, 'fields that are too long');
  return { block: kept.length === 0 ? noFields : toBlock(kept, size), contentLength, host, expectContinue };
}

/** Makes a block of trailers. Throws HttpViolation. */
export function readTrailers(raw: RawFields): FieldBlock | undefined {
  const { block } = readFields(raw);
  return block.length === 0 ? undefined : block;
}

function trimmed(value: string): string {
  const last = value.length - 1;
  return last >= 0 && (isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(last))) ? value.replaceAll(/^[ \t]+|[ \t]+$/g, '') : value;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function toBlock(fields: RawFields, size: number): FieldBlock {
  const block = new Uint8Array(size);
  let at = 0;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? '';
    const value = fields[index + 1] ?? '';
    if (name.length === 0 || name.length > maxNameBytes) throw badMessage('a field whose name is empty or too long');
    block[at] = name.length;
    block[at + 1] = value.length >> 8;
    block[at + 2] = value.length & 0xff;
    at += fieldOverheadBytes;
    for (let octet = 0; octet < name.length; octet++, at++) {
      const code = name.charCodeAt(octet);
      if (code > 0xff || !isLowerCaseToken(code)) throw badMessage('a name that is no token in lower case');
      block[at] = code;
    }
    for (let octet = 0; octet < value.length; octet++, at++) {
      const code = value.charCodeAt(octet);
      if (code > 0xff || (code < 0x20 && code !== 0x09) || code === 0x7f) throw badMessage('a value with a control character');
      block[at] = code;
    }
  }
  return block;
}

/** Appends the fields of a block, as `node:http2` takes them. */
export function appendFields(raw: string[], block: FieldBlock): void {
  if (block.length === 0) return;
  const text = Buffer.from(block.buffer, block.byteOffset, block.length).toString('latin1');
  for (let at = 0; at < block.length;) {
    const nameStart = at + fieldOverheadBytes;
    const nameEnd = nameStart + (block[at] ?? 0);
    at = endOfField(block, at);
    raw.push(text.slice(nameStart, nameEnd), text.slice(nameEnd, at));
  }
}

/** Trailers as `node:http2` takes them. */
export function trailerFields(block: FieldBlock | undefined): Record<string, string[]> {
  const fields: Record<string, string[]> = {};
  if (block === undefined) return fields;
  const raw: string[] = [];
  appendFields(raw, block);
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    // A name like `__proto__` is a token, too.
    if (Object.hasOwn(fields, name)) fields[name]?.push(raw[index + 1] ?? '');
    else Object.defineProperty(fields, name, { value: [raw[index + 1] ?? ''], enumerable: true, configurable: true, writable: true });
  }
  return fields;
}

/** The value of a pseudo field; undefined when there is none. */
export function pseudoField(raw: RawFields, name: string): string | undefined {
  for (let index = 0; index < raw.length; index += 2) {
    const candidate = raw[index] ?? '';
    if (candidate.charCodeAt(0) !== 0x3a) return undefined;
    if (candidate === name) return raw[index + 1];
  }
  return undefined;
}
