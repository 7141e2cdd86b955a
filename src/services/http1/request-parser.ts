import type { FieldBlock, RequestHead } from '../http/exchange.ts';
import { authorityText } from './authority.ts';
import { FieldsOf } from './field-parser.ts';
import { HeadKind } from './head-buffer.ts';
import { badMessage, HttpViolation } from './http-violation.ts';
import { maxMethodBytes } from './limits.ts';
import { MessageParser } from './message-parser.ts';
import type { OctetPool } from './octet-pool.ts';
import { asciiText, asterisk, carriageReturn, isDigit, isPathOctet, isText, lineFeed, lowerToken, slash, space } from './octets.ts';

const methods: readonly string[] = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS'];
/** A path of the last request that is kept to be used again. */
const maxKeptPathBytes = 256;

class ParsedRequest implements RequestHead {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly path: string;
  readonly fields: FieldBlock;
  readonly contentLength: number;
  readonly expectContinue: boolean;
  readonly upgrade: string;
  readonly client: string;

  constructor(
    method: string,
    scheme: 'http' | 'https',
    authority: string,
    path: string,
    fields: FieldBlock,
    contentLength: number,
    expectContinue: boolean,
    upgrade: string,
    client: string,
  ) {
    this.method = method;
    this.scheme = scheme;
    this.authority = authority;
    this.path = path;
    this.fields = fields;
    this.contentLength = contentLength;
    this.expectContinue = expectContinue;
    this.upgrade = upgrade;
    this.client = client;
  }
}

/**
 * Reads a client's requests. After a head with `upgrade` the owner either calls `tunnel`, once the protocol has changed, or goes on with
 * `next`, which ends the request.
 *
 *     method SP target SP "HTTP/1." ("0" | "1") CR LF  fields  CR LF          RFC 9112 section 3
 */
export class RequestParser extends MessageParser {
  readonly #scheme: 'http' | 'https';
  readonly #client: string;
  /** The last head. */
  head: RequestHead | undefined;
  /** The client speaks HTTP/1.0. */
  isOld = false;
  /** The connection may serve another request after this one. */
  keepAlive = false;
  /** The client takes trailers. */
  acceptsTrailers = false;
  #method = '';
  #path = '';
  #authority = '';
  /** Octets of the last path, as text. Requests of one client are often alike. */
  #lastPath = '';
  #lastAuthority = '';

  constructor(pool: OctetPool, maxHeaderBytes: number, scheme: 'http' | 'https', client: string) {
    super(pool, maxHeaderBytes, HeadKind.request);
    this.#scheme = scheme;
    this.#client = client;
  }

  override release(): void {
    super.release();
    this.head = undefined;
  }

  protected override readHead(bytes: Uint8Array, start: number, end: number): void {
    const fieldsStart = this.#requestLine(bytes, start, end);
    const fields = this.fieldParser;
    fields.parse(bytes, fieldsStart, end, FieldsOf.request);
    this.#host(bytes);
    const { isOld } = this;
    if (fields.chunked && isOld) throw badMessage('Transfer-Encoding in HTTP/1.0');
    if (fields.chunked && fields.contentLength >= 0) throw badMessage('Transfer-Encoding and Content-Length');
    const contentLength = fields.chunked ? -1 : Math.max(0, fields.contentLength);
    if (contentLength !== 0 && this.#method === 'TRACE') throw badMessage('TRACE with a body');
    this.keepAlive = !fields.close && (!isOld || fields.keepAlive);
    this.acceptsTrailers = fields.acceptsTrailers && !isOld;
    if (fields.chunked) this.chunkedBody();
    else this.countedBody(contentLength);
    this.head = new ParsedRequest(
      this.#method,
      this.#scheme,
      this.#authority,
      this.#path,
      fields.fields,
      contentLength,
      fields.expectContinue && contentLength !== 0 && !isOld,
      // With a body of its own the request is answered as if it had not asked for another protocol.
      contentLength === 0 && !isOld ? fields.upgrade : '',
      this.#client,
    );
  }

  /** Returns where the fields start. */
  #requestLine(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && lowerToken[bytes[at]] !== 0) at++;
    if (at === start || bytes[at] !== space) throw badMessage('a request line without a method');
    if (at - start > maxMethodBytes) throw new HttpViolation(501, 'a method that nobody knows');
    this.#method = methodText(bytes, start, at);
    const target = ++at;
    while (at < end && isPathOctet[bytes[at]] !== 0) at++;
    if (at === target || bytes[at] !== space) throw badMessage('a request target that is none');
    this.#version(bytes, at + 1);
    if (this.#method === 'CONNECT') throw new HttpViolation(501, 'CONNECT is not served here');
    this.#target(bytes, target, at);
    return at + 11;
  }

  #version(bytes: Uint8Array, at: number): void {
    const isVersion =
      bytes[at] === 0x48 &&
      bytes[at + 1] === 0x54 &&
      bytes[at + 2] === 0x54 &&
      bytes[at + 3] === 0x50 &&
      bytes[at + 4] === slash &&
      isDigit(bytes[at + 5]) &&
      bytes[at + 6] === 0x2e &&
      isDigit(bytes[at + 7]);
    if (!isVersion || bytes[at + 8] !== carriageReturn || bytes[at + 9] !== lineFeed) throw badMessage('a request line without a version');
    const minor = bytes[at + 7] - 0x30;
    if (bytes[at + 5] !== 0x31 || minor > 1) throw new HttpViolation(505, 'a version other than 1.0 and 1.1');
    this.isOld = minor === 0;
  }

  #target(bytes: Uint8Array, start: number, end: number): void {
    this.#authority = '';
    if (bytes[start] === slash) {
      this.#path = this.#pathText(bytes, start, end);
      return;
    }
    if (end - start === 1 && bytes[start] === asterisk) {
      if (this.#method !== 'OPTIONS') throw badMessage('a target * of a method other than OPTIONS');
      this.#path = '*';
      return;
    }
    this.#absolute(bytes, start, end);
  }

  /** scheme "://" authority [path] [query] */
  #absolute(bytes: Uint8Array, start: number, end: number): void {
    const authorityStart = start + this.#scheme.length + 3;
    if (authorityStart > end || !isText(bytes, start, authorityStart, `${this.#scheme}://`)) {
      throw badMessage('a request target of another scheme');
    }
    let at = authorityStart;
    while (at < end && bytes[at] !== slash && bytes[at] !== 0x3f) at++;
    this.#authority = authorityText(bytes, authorityStart, at);
    if (at === end) this.#path = this.#method === 'OPTIONS' ? '*' : '/';
    else this.#path = bytes[at] === slash ? asciiText(bytes, at, end) : `/${asciiText(bytes, at, end)}`;
  }

  #pathText(bytes: Uint8Array, start: number, end: number): string {
    if (isSame(bytes, start, end, this.#lastPath)) return this.#lastPath;
    const path = asciiText(bytes, start, end);
    if (path.length <= maxKeptPathBytes) this.#lastPath = path;
    return path;
  }

  #host(bytes: Uint8Array): void {
    const { hostStart, hostEnd } = this.fieldParser;
    if (hostEnd < 0) {
      if (!this.isOld) throw badMessage('no Host');
      return;
    }
    if (!isSame(bytes, hostStart, hostEnd, this.#lastAuthority) || hostStart === hostEnd) {
      this.#lastAuthority = authorityText(bytes, hostStart, hostEnd);
    }
    if (this.#authority === '') this.#authority = this.#lastAuthority;
    else if (this.#authority.toLowerCase() !== this.#lastAuthority.toLowerCase()) throw badMessage('a target and a Host that differ');
  }
}

function methodText(bytes: Uint8Array, start: number, end: number): string {
  for (const method of methods) if (isSame(bytes, start, end, method)) return method;
  return asciiText(bytes, start, end);
}

function isSame(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let at = 0; at < text.length; at++) if (bytes[start + at] !== text.charCodeAt(at)) return false;
  return true;
}
