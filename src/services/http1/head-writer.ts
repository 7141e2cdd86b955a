import type { FieldBlock, RequestHead } from '../http/exchange.ts';
import { SpecialField, specialField } from './field-names.ts';
import type { DateLine } from './http-date.ts';
import type { OctetPool } from './octet-pool.ts';
import { carriageReturn, colon, isText, lineFeed, octetsOf, space } from './octets.ts';
import { statusText } from './status-text.ts';

const endOfLine: Uint8Array = octetsOf('\r\n');
const version: Uint8Array = octetsOf('HTTP/1.1 ');
const endOfRequestLine: Uint8Array = octetsOf(' HTTP/1.1\r\nhost: ');
const contentLengthName: Uint8Array = octetsOf('content-length: ');
const chunkedLine: Uint8Array = octetsOf('transfer-encoding: chunked\r\n');
const closeLine: Uint8Array = octetsOf('connection: close\r\n');
const keepAliveLine: Uint8Array = octetsOf('connection: keep-alive\r\n');
const trailersLines: Uint8Array = octetsOf('connection: te\r\nte: trailers\r\n');
const upgradeLines: Uint8Array = octetsOf('connection: upgrade\r\nupgrade: ');
const upgradeTrailersLines: Uint8Array = octetsOf('connection: upgrade, te\r\nte: trailers\r\nupgrade: ');
const expectLine: Uint8Array = octetsOf('expect: 100-continue\r\n');
const lastChunk: Uint8Array = octetsOf('0\r\n');
/** More than all of these lines together, with a status line and the longest numbers. */
const fixedBytes = 512;

/** What an answer says of its body's extent, and of the connection. */
export interface AnswerFraming {
  /** Octets of the body as Content-Length; -1 = not said. */
  readonly contentLength: number;
  readonly chunked: boolean;
  readonly close: boolean;
  /** Says that the connection stays, to a client of HTTP/1.0. */
  readonly keepAlive: boolean;
  /** The protocol that the connection changes to, or empty. */
  readonly upgrade: string;
}

/**
 * Writes heads anew from their parsed form. Fields of one connection that are in a block by mistake are left out, so that a message never
 * has two statements about its extent.
 *
 * What a call has written is `bytes[start, end)`, until the next call; the octets stay as they are. What is written next usually stands right
 * behind it.
 */
export class HeadWriter {
  readonly #pool: OctetPool;
  bytes: Uint8Array = endOfLine;
  start = 0;
  end = 0;
  #target: Uint8Array = endOfLine;
  #at = 0;
  #hasDate = false;
  #acceptsTrailers = false;

  constructor(pool: OctetPool) {
    this.#pool = pool;
  }

  /** `host` is named when the request names none. */
  request(head: RequestHead, host: string): void {
    const { method, path, fields, contentLength, upgrade } = head;
    const authority = head.authority === '' ? host : head.authority;
    this.#start(fixedBytes + method.length + path.length + authority.length + upgrade.length, fields);
    this.#text(method);
    this.#target[this.#at++] = space;
    this.#text(path);
    this.#octets(endOfRequestLine);
    this.#text(authority);
    this.#octets(endOfLine);
    this.#fields(fields);
    if (upgrade !== '') {
      this.#octets(this.#acceptsTrailers ? upgradeTrailersLines : upgradeLines);
      this.#text(upgrade);
      this.#octets(endOfLine);
    } else {
      if (this.#acceptsTrailers) this.#octets(trailersLines);
      if (contentLength < 0) this.#octets(chunkedLine);
      else if (contentLength > 0 || method === 'POST' || method === 'PUT' || method === 'PATCH') this.#contentLength(contentLength);
      if (head.expectContinue && contentLength !== 0) this.#octets(expectLine);
    }
    this.#end();
  }

  /** `date` is added when the fields have none. */
  answer(status: number, fields: FieldBlock, framing: AnswerFraming, date: DateLine): void {
    this.#start(fixedBytes + framing.upgrade.length, fields);
    this.#status(status);
    this.#fields(fields);
    if (!this.#hasDate) this.#octets(date.octets);
    if (framing.upgrade !== '') {
      this.#octets(upgradeLines);
      this.#text(framing.upgrade);
      this.#octets(endOfLine);
    } else {
      if (framing.chunked) this.#octets(chunkedLine);
      else if (framing.contentLength >= 0) this.#contentLength(framing.contentLength);
      if (framing.close) this.#octets(closeLine);
      else if (framing.keepAlive) this.#octets(keepAliveLine);
    }
    this.#end();
  }

  /** An answer before the answer proper. */
  interim(status: number, fields: FieldBlock): void {
    this.#start(fixedBytes, fields);
    this.#status(status);
    this.#fields(fields);
    this.#end();
  }

  /** A whole chunk, with a copy of its octets. */
  chunk(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(24 + end - start);
    this.#hexadecimal(end - start);
    this.#octets(endOfLine);
    this.#target.set(bytes.subarray(start, end), this.#at);
    this.#at += end - start;
    this.#octets(endOfLine);
    this.#keep();
  }

  /** What stands in front of a chunk's octets; `chunkEnd` follows them. */
  chunkStart(length: number): void {
    this.#reserve(24);
    this.#hexadecimal(length);
    this.#octets(endOfLine);
    this.#keep();
  }

  /** A copy of octets of a body. */
  copy(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    const target = this.#target;
    let at = this.#at;
    for (let from = start; from < end; from++) target[at++] = bytes[from];
    this.#at = at;
    this.#keep();
  }

  /** The end of a body in chunks. */
  lastChunk(trailers: FieldBlock | undefined): void {
    if (trailers === undefined) {
      this.#reserve(fixedBytes);
      this.#octets(lastChunk);
    } else {
      this.#start(fixedBytes, trailers);
      this.#octets(lastChunk);
      this.#fields(trailers);
    }
    this.#end();
  }

  #start(length: number, fields: FieldBlock): void {
    // A field in a block takes three octets besides name and value, in a head four; the shortest has four in all.
    this.#reserve(length + fields.length + (fields.length >> 2) + 1);
  }

  #reserve(length: number): void {
    this.#pool.reserve(length);
    this.#target = this.#pool.bytes;
    this.#at = this.#pool.start;
  }

  #end(): void {
    this.#octets(endOfLine);
    this.#keep();
  }

  #keep(): void {
    this.bytes = this.#target;
    this.start = this.#pool.start;
    this.end = this.#at;
    this.#pool.keep(this.#at);
  }

  #status(status: number): void {
    this.#octets(version);
    this.#decimal(status);
    this.#target[this.#at++] = space;
    this.#text(statusText(status));
    this.#octets(endOfLine);
  }

  #fields(fields: FieldBlock): void {
    const target = this.#target;
    let out = this.#at;
    this.#hasDate = false;
    this.#acceptsTrailers = false;
    for (let at = 0; at < fields.length;) {
      const name = at + 3;
      const nameLength = fields[at];
      const value = name + nameLength;
      const next = value + ((fields[at + 1] << 8) | fields[at + 2]);
      at = next;
      const special = specialField(fields, name, nameLength);
      if (special !== SpecialField.none) {
        if (special === SpecialField.te && isText(fields, value, next, 'trailers')) this.#acceptsTrailers = true;
        continue;
      }
      if (nameLength === 4 && isText(fields, name, value, 'date')) this.#hasDate = true;
      for (let from = name; from < value; from++) target[out++] = fields[from];
      target[out++] = colon;
      target[out++] = space;
      for (let from = value; from < next; from++) target[out++] = fields[from];
      target[out++] = carriageReturn;
      target[out++] = lineFeed;
    }
    this.#at = out;
  }

  #contentLength(length: number): void {
    this.#octets(contentLengthName);
    this.#decimal(length);
    this.#octets(endOfLine);
  }

  #octets(octets: Uint8Array): void {
    for (let from = 0; from < octets.length; from++) this.#target[this.#at++] = octets[from];
  }

  /** Text of ASCII only. */
  #text(text: string): void {
    for (let from = 0; from < text.length; from++) this.#target[this.#at++] = text.charCodeAt(from);
  }

  #decimal(number: number): void {
    let scale = 1;
    while (scale * 10 <= number) scale *= 10;
    for (; scale >= 1; scale /= 10) this.#target[this.#at++] = 0x30 + (Math.floor(number / scale) % 10);
  }

  #hexadecimal(number: number): void {
    this.#text(number.toString(16));
  }
}

/** Behind the octets of a chunk. */
export const chunkEnd: Uint8Array = endOfLine;
