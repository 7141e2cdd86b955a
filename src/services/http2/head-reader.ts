import type { FieldBlock, RequestHead, ResponseHead } from '../http/exchange.ts';
import { maxFieldBytes } from '../http/exchange.ts';
import { fieldOverheadBytes, noFields } from '../http/field-block.ts';
import { authorityText } from '../http1/authority.ts';
import { HttpViolation, badMessage } from '../http1/http-violation.ts';
import type { OctetPool } from '../http1/octet-pool.ts';
import { asterisk, isDigit, isPathOctet, isText, lowerToken, octetsOf, slash } from '../http1/octets.ts';
import { FieldKind } from './field-kind.ts';
import type { HpackDecoder } from './hpack-decoder.ts';
import { maxContentLength, maxFields, maxMethodBytes, tableBytes } from './limits.ts';
import { TextCache } from './text-cache.ts';
import type { WebSocketKeys } from './websocket-keys.ts';
import { keyOf, withKey, withProof } from './websocket-keys.ts';

/** Of what a head is. */
const HeadOf = { request: 0, response: 1, trailers: 2 } as const;
type HeadOf = (typeof HeadOf)[keyof typeof HeadOf];

const noText = '';
const cookieName = octetsOf('cookie');
const crumbSeparator = octetsOf('; ');
const trailersValue = octetsOf('trailers');

/** What a client's connection says of all its requests. */
export interface ClientSide {
  readonly scheme: 'http' | 'https';
  readonly client: string;
}

/**
 * Makes heads and trailers of what is read from the compressed form. One for all connections of a listener or a pool; the tables are those of
 * the connection, and are kept right whatever is wrong with the head itself.
 *
 * What is wrong with a head (RFC 9113 §8.1.1) is told by `problem`: status 400 is malformed, others can be answered.
 */
export class HeadReader {
  readonly #pool: OctetPool;
  readonly #maxListBytes: number;
  readonly #keys: WebSocketKeys;
  readonly #texts = new TextCache();
  #lastAuthority = '';
  /** Where fields are put together: a list of the longest, and what the decoder wants behind it. */
  readonly #scratch: Uint8Array;
  #crumbs: Uint8Array | undefined;
  problem: HttpViolation | undefined;
  /** Of the last head, those included that found no place. */
  fieldsRead = 0;
  /** 0 = none was said. */
  status = 0;
  #fields: FieldBlock = noFields;
  #contentLength = -1;
  #method = '';
  #path = '';
  #authority: string | undefined;
  #host: string | undefined;
  #protocol = '';
  #hasScheme = false;
  #expectContinue = false;

  /** `maxListBytes`: of a head as HTTP/2 counts them, 32 for each field besides its octets; `maxFieldBytes` at most. */
  constructor(pool: OctetPool, maxListBytes: number, keys: WebSocketKeys) {
    this.#pool = pool;
    this.#maxListBytes = Math.min(maxListBytes, maxFieldBytes);
    this.#keys = keys;
    this.#scratch = new Uint8Array(this.#maxListBytes + tableBytes + 2 * fieldOverheadBytes);
  }

  /**
   * The head of a request (RFC 9113 §8.3.1); undefined when there is a problem. An extended CONNECT (RFC 8441) becomes what HTTP/1.1 says for
   * the same: a GET with `upgrade`. Throws Http2Violation.
   */
  request(
    decoder: HpackDecoder,
    bytes: Uint8Array,
    start: number,
    end: number,
    bodyFollows: boolean,
    side: ClientSide,
  ): RequestHead | undefined {
    this.#read(decoder, bytes, start, end, HeadOf.request);
    if (this.problem !== undefined) return undefined;
    const method = this.#method;
    const upgrade = this.#protocol;
    const authority = this.#authority ?? this.#host ?? '';
    if (method === '') return this.#refuse(badMessage('a request without a method'));
    if (upgrade !== '' && method !== 'CONNECT') return this.#refuse(badMessage('a protocol without CONNECT'));
    if (this.#host !== undefined && this.#host !== authority) return this.#refuse(badMessage('a host that is not the authority'));
    if (method === 'CONNECT' && upgrade === '') return this.#refuse(new HttpViolation(501, 'tunnels are not offered'));
    if (!this.#hasScheme) return this.#refuse(badMessage('a request without a scheme'));
    const path = this.#path;
    if (path === '' || (path === '*' && method !== 'OPTIONS')) return this.#refuse(badMessage('a path that is none'));
    const { scheme, client } = side;
    if (upgrade !== '') {
      const fields = upgrade === 'websocket' ? withKey(this.#fields, this.#keys) : this.#fields;
      return { method: 'GET', scheme, authority, path, fields, contentLength: 0, expectContinue: false, upgrade, client };
    }
    const contentLength = bodyFollows ? this.#contentLength : 0;
    if (!bodyFollows && this.#contentLength > 0) return this.#refuse(badMessage('a body that is shorter than its head says'));
    const expectContinue = this.#expectContinue && contentLength !== 0;
    return { method, scheme, authority, path, fields: this.#fields, contentLength, expectContinue, upgrade: '', client };
  }

  /** The method of a request with a problem, as far as it was read. */
  get method(): string {
    return this.#method;
  }

  #refuse(problem: HttpViolation): undefined {
    this.problem = problem;
    return undefined;
  }

  /** Reads the head of an answer; `status` and `problem` tell about it. Throws Http2Violation. */
  response(decoder: HpackDecoder, bytes: Uint8Array, start: number, end: number): void {
    this.#read(decoder, bytes, start, end, HeadOf.response);
    if (this.problem === undefined && this.status === 0) this.problem = badMessage('an answer without a status');
  }

  /** The fields of an answer before the answer. */
  get interimFields(): FieldBlock {
    return this.#fields;
  }

  /** The head that `response` read. */
  answerTo(request: RequestHead, bodyFollows: boolean): ResponseHead {
    const { status } = this;
    const fields = this.#fields;
    if (request.upgrade !== '' && status < 300 && bodyFollows) {
      const key = request.upgrade === 'websocket' ? keyOf(request.fields) : undefined;
      const proven = key === undefined ? fields : withProof(fields, key, this.#keys);
      return { status: 101, fields: proven, contentLength: -1, hasBody: true, upgrade: true };
    }
    const hasBody = request.method !== 'HEAD' && status !== 204 && status !== 304;
    let contentLength = this.#contentLength;
    if (status === 204 || (hasBody && !bodyFollows)) contentLength = 0;
    return { status, fields, contentLength, hasBody, upgrade: false };
  }

  /** Octets that the body of the answer has, as its head said; -1 = not said. */
  get contentLength(): number {
    return this.#contentLength;
  }

  /** Trailers; undefined when there are none, or a problem. Throws Http2Violation. */
  trailers(decoder: HpackDecoder, bytes: Uint8Array, start: number, end: number): FieldBlock | undefined {
    this.#read(decoder, bytes, start, end, HeadOf.trailers);
    return this.problem === undefined && this.#fields.length > 0 ? this.#fields : undefined;
  }

  /** Reads a head for the tables alone. Throws Http2Violation. */
  skip(decoder: HpackDecoder, bytes: Uint8Array, start: number, end: number): void {
    this.fieldsRead = 0;
    decoder.begin(bytes, start, end);
    while (decoder.next(this.#scratch, 0)) this.fieldsRead++;
    decoder.release();
  }

  #read(decoder: HpackDecoder, bytes: Uint8Array, start: number, end: number, of: HeadOf): void {
    this.#reset();
    const scratch = this.#scratch;
    let out = 0;
    let listBytes = 0;
    let count = 0;
    let hasOrdinary = of === HeadOf.trailers;
    let crumbsLength = -1;
    decoder.begin(bytes, start, end);
    while (decoder.next(scratch, out)) {
      count++;
      if (this.problem !== undefined) continue;
      listBytes += decoder.size;
      if (decoder.overflow || listBytes > this.#maxListBytes || count > maxFields) {
        this.problem = new HttpViolation(431, 'fields that are too long or too many');
        out = 0;
        continue;
      }
      const { kind, octets } = decoder;
      if (kind >= FieldKind.method && kind <= FieldKind.status) {
        if (hasOrdinary) this.problem = badMessage('a pseudo field behind other fields');
        else this.#pseudo(kind, decoder, of);
        continue;
      }
      hasOrdinary = true;
      const nameEnd = decoder.start + fieldOverheadBytes + decoder.nameLength;
      const valueEnd = nameEnd + decoder.valueLength;
      switch (kind) {
        case FieldKind.ordinary:
          if (octets !== scratch) copy(octets, 0, valueEnd, scratch, out);
          out += fieldOverheadBytes + decoder.nameLength + decoder.valueLength;
          break;
        case FieldKind.contentLength:
          this.#length(octets, nameEnd, valueEnd);
          break;
        case FieldKind.host:
          if (of === HeadOf.request) this.#hostField(octets, nameEnd, valueEnd);
          break;
        case FieldKind.expect:
          if (of !== HeadOf.request) break;
          if (isText(octets, nameEnd, valueEnd, '100-continue')) this.#expectContinue = true;
          else this.problem = new HttpViolation(417, 'an expectation that nobody knows');
          break;
        case FieldKind.te:
          if (isText(octets, nameEnd, valueEnd, 'trailers')) {
            if (octets !== scratch) copy(octets, 0, valueEnd, scratch, out);
            copy(trailersValue, 0, trailersValue.length, scratch, out + fieldOverheadBytes + decoder.nameLength);
            out += fieldOverheadBytes + decoder.nameLength + decoder.valueLength;
          } else this.problem = badMessage('a field of a connection: te');
          break;
        case FieldKind.cookie:
          crumbsLength = this.#crumb(crumbsLength, octets, nameEnd, valueEnd);
          break;
        case FieldKind.dropped:
          break;
        case FieldKind.connection:
          this.problem = badMessage('a field of a connection of HTTP/1');
          break;
        default:
          this.problem = badMessage('a field that is none');
      }
    }
    decoder.release();
    this.fieldsRead = count;
    if (this.problem !== undefined) return;
    if (crumbsLength >= 0) out = this.#cookie(crumbsLength, out);
    if (out === 0) return;
    const pool = this.#pool;
    pool.reserve(out);
    copy(scratch, 0, out, pool.bytes, pool.start);
    this.#fields = pool.take(pool.start + out);
  }

  #reset(): void {
    this.problem = undefined;
    this.status = 0;
    this.#fields = noFields;
    this.#contentLength = -1;
    this.#method = noText;
    this.#path = noText;
    this.#authority = undefined;
    this.#host = undefined;
    this.#protocol = noText;
    this.#hasScheme = false;
    this.#expectContinue = false;
  }

  #pseudo(kind: FieldKind, decoder: HpackDecoder, of: HeadOf): void {
    const { octets } = decoder;
    const start = decoder.start + fieldOverheadBytes + decoder.nameLength;
    const end = start + decoder.valueLength;
    if ((kind === FieldKind.status) !== (of === HeadOf.response)) {
      this.problem = badMessage('a pseudo field of another kind of head');
      return;
    }
    switch (kind) {
      case FieldKind.method:
        if (this.#method !== '' || !isToken(octets, start, end)) this.problem = badMessage('a method that is none');
        else if (end - start > maxMethodBytes) this.problem = new HttpViolation(501, 'a method that nobody knows');
        else this.#method = this.#texts.text(octets, start, end);
        return;
      case FieldKind.path:
        if (this.#path !== '' || !isPath(octets, start, end)) this.problem = badMessage('a path that is none');
        else this.#path = this.#texts.text(octets, start, end);
        return;
      case FieldKind.authority:
        if (this.#authority !== undefined) this.problem = badMessage('two authorities');
        else this.#authority = this.#authorityText(octets, start, end);
        return;
      case FieldKind.protocol:
        if (this.#protocol !== '' || !isToken(octets, start, end)) this.problem = badMessage('a protocol that is none');
        else this.#protocol = this.#texts.text(octets, start, end);
        return;
      case FieldKind.scheme:
        if (this.#hasScheme) this.problem = badMessage('two schemes');
        this.#hasScheme = true;
        return;
      default:
        this.#statusField(octets, start, end);
    }
  }

  #statusField(octets: Uint8Array, start: number, end: number): void {
    const isNumber = end - start === 3 && isDigit(octets[start]) && isDigit(octets[start + 1]) && isDigit(octets[start + 2]);
    const status = (octets[start] - 0x30) * 100 + (octets[start + 1] - 0x30) * 10 + (octets[start + 2] - 0x30);
    // HTTP/2 does not have 101.
    if (this.status !== 0 || !isNumber || status < 100 || status > 599 || status === 101)
      this.problem = badMessage('a status that is none');
    else this.status = status;
  }

  /** Empty stays empty: what is asked for decides then. */
  #authorityText(octets: Uint8Array, start: number, end: number): string {
    if (start === end) return '';
    const last = this.#lastAuthority;
    if (last.length === end - start) {
      let at = start;
      while (at < end && octets[at] === last.charCodeAt(at - start)) at++;
      if (at === end) return last;
    }
    try {
      this.#lastAuthority = authorityText(octets, start, end);
      return this.#lastAuthority;
    } catch (error) {
      if (!(error instanceof HttpViolation)) throw error;
      this.problem = error;
      return '';
    }
  }

  #hostField(octets: Uint8Array, start: number, end: number): void {
    const host = this.#authorityText(octets, start, end);
    if (this.#host !== undefined && this.#host !== host) this.problem = badMessage('two hosts');
    this.#host = host;
  }

  #length(octets: Uint8Array, start: number, end: number): void {
    let length = 0;
    for (let at = start; at < end && length <= maxContentLength; at++) {
      length = isDigit(octets[at]) ? length * 10 + (octets[at] - 0x30) : Infinity;
    }
    const isOther = this.#contentLength >= 0 && length !== this.#contentLength;
    if (start === end || length > maxContentLength || isOther) this.problem = badMessage('a content-length that is none');
    else this.#contentLength = length;
  }

  /** Crumbs of cookies become one field again (RFC 9113 §8.2.3). Returns how long they are together. */
  #crumb(length: number, octets: Uint8Array, start: number, end: number): number {
    const crumbs = (this.#crumbs ??= new Uint8Array(this.#scratch.length));
    let out = Math.max(length, 0);
    if (length >= 0) {
      copy(crumbSeparator, 0, crumbSeparator.length, crumbs, out);
      out += crumbSeparator.length;
    }
    copy(octets, start, end, crumbs, out);
    return out + end - start;
  }

  #cookie(length: number, at: number): number {
    const scratch = this.#scratch;
    const name = at + fieldOverheadBytes;
    const value = name + cookieName.length;
    scratch[at] = cookieName.length;
    scratch[at + 1] = length >> 8;
    scratch[at + 2] = length & 0xff;
    copy(cookieName, 0, cookieName.length, scratch, name);
    if (this.#crumbs !== undefined) copy(this.#crumbs, 0, length, scratch, value);
    return value + length;
  }
}

function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  let out = at;
  for (let index = start; index < end; index++) to[out++] = from[index];
}

function isToken(octets: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (lowerToken[octets[at]] === 0) return false;
  return end > start;
}

/** Origin form, or an asterisk. */
function isPath(octets: Uint8Array, start: number, end: number): boolean {
  if (start === end) return false;
  if (octets[start] !== slash) return end - start === 1 && octets[start] === asterisk;
  for (let at = start; at < end; at++) if (isPathOctet[octets[at]] === 0) return false;
  return true;
}
