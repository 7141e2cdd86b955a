import type { FieldBlock } from '../http/exchange.ts';
import { noFields } from '../http/field-block.ts';
import { headOnlyFields, protectedFields, SpecialField, specialField } from './field-names.ts';
import { badMessage, HttpViolation } from './http-violation.ts';
import { maxContentLength, maxFields, maxNameBytes } from './limits.ts';
import type { OctetPool } from './octet-pool.ts';
import {
  asciiText,
  carriageReturn,
  colon,
  comma,
  isBlank,
  isDigit,
  isText,
  isValueOctet,
  lineFeed,
  lowerToken,
  octetsOf,
  slash,
} from './octets.ts';

/** The field `te: trailers`, as a block has it. It is no longer than the line that said so. */
const trailersAccepted: Uint8Array = new Uint8Array([2, 0, 8, ...octetsOf('tetrailers')]);

/** Of which part of a message fields are. */
export const FieldsOf = { request: 0, response: 1, trailers: 2 } as const;
export type FieldsOf = (typeof FieldsOf)[keyof typeof FieldsOf];

/**
 * Reads field lines (RFC 9112 section 5) into a field block, and what they say of the connection and the body into members:
 *
 *     (name ":" blanks value blanks CR LF)*
 *
 * One parser serves a connection, head after head; the members hold until the next `parse`.
 */
export class FieldParser {
  readonly #pool: OctetPool;
  fields: FieldBlock = noFields;
  /** -1 = none given. */
  contentLength = -1;
  chunked = false;
  /** Where Host's value stands in the octets given to `parse`; hostEnd is -1 without the field. */
  hostStart = 0;
  hostEnd = -1;
  close = false;
  keepAlive = false;
  /** First protocol of Upgrade that is not h2c, when Connection says upgrade; else empty. */
  upgrade = '';
  acceptsTrailers = false;
  expectContinue = false;
  /** From `Keep-Alive: timeout`; Infinity = none given. */
  keepAliveTimeoutMs: number = Infinity;
  #upgrade = '';
  #upgradeAsked = false;
  /** Other fields that Connection names. */
  #named: string[] | undefined;
  #of: FieldsOf = FieldsOf.request;

  constructor(pool: OctetPool) {
    this.#pool = pool;
  }

  /** Reads `bytes[start, end)`, which ends with a line's end unless it is empty. Throws HttpViolation. */
  parse(bytes: Uint8Array, start: number, end: number, of: FieldsOf): void {
    this.#reset(of);
    if (start === end) return;
    const pool = this.#pool;
    // A field in a block is never longer than its line.
    pool.reserve(end - start);
    const target = pool.bytes;
    let out = pool.start;
    let at = start;
    for (let count = 1; at < end; count++) {
      if (count > maxFields) throw new HttpViolation(431, `more than ${maxFields} fields`);
      const field = out;
      out += 3;
      const name = out;
      let octet = 0;
      for (; ; at++) {
        octet = bytes[at];
        const lower = lowerToken[octet];
        if (lower === 0) break;
        target[out++] = lower;
      }
      const nameLength = out - name;
      if (nameLength === 0) throw badMessage(isBlank(octet) ? 'a line that begins with a blank' : 'a field without a name');
      if (octet !== colon) throw badMessage('an octet in a field name that may not be there');
      if (nameLength > maxNameBytes) throw new HttpViolation(431, `a field name of more than ${maxNameBytes} octets`);
      at++;
      while (isBlank(bytes[at])) at++;
      const valueStart = at;
      const value = out;
      for (; ; at++) {
        octet = bytes[at];
        if (isValueOctet[octet] === 0) break;
        target[out++] = octet;
      }
      if (octet !== carriageReturn || bytes[at + 1] !== lineFeed) throw badMessage('a control octet in a field value');
      at += 2;
      while (out > value && isBlank(target[out - 1])) out--;
      const special = specialField(target, name, nameLength);
      if (special !== SpecialField.none) {
        this.#special(special, target, value, out, valueStart);
        out = field;
      } else if (of === FieldsOf.trailers && headOnlyFields.has(asciiText(target, name, value))) {
        out = field;
      } else {
        const valueLength = out - value;
        target[field] = nameLength;
        target[field + 1] = valueLength >> 8;
        target[field + 2] = valueLength & 0xff;
      }
    }
    if (this.#named !== undefined) out = this.#removeNamed(this.#named, target, pool.start, out);
    if (this.#upgradeAsked) this.upgrade = this.#upgrade;
    if (this.acceptsTrailers && of === FieldsOf.request) {
      target.set(trailersAccepted, out);
      out += trailersAccepted.length;
    }
    if (out > pool.start) this.fields = pool.take(out);
  }

  #reset(of: FieldsOf): void {
    this.#of = of;
    this.fields = noFields;
    this.contentLength = -1;
    this.chunked = false;
    this.hostEnd = -1;
    this.close = false;
    this.keepAlive = false;
    this.upgrade = '';
    this.acceptsTrailers = false;
    this.expectContinue = false;
    this.keepAliveTimeoutMs = Infinity;
    this.#upgrade = '';
    this.#upgradeAsked = false;
    this.#named = undefined;
  }

  /** Lets go of the fields. */
  release(): void {
    this.fields = noFields;
  }

  /** Takes the value `bytes[start, end)`; in the octets received it stands at `receivedStart`. */
  #special(special: SpecialField, bytes: Uint8Array, start: number, end: number, receivedStart: number): void {
    const inTrailers = this.#of === FieldsOf.trailers;
    switch (special) {
      case SpecialField.contentLength:
        if (inTrailers) throw badMessage('Content-Length in trailers');
        this.#contentLength(bytes, start, end);
        return;
      case SpecialField.transferEncoding:
        if (inTrailers) throw badMessage('Transfer-Encoding in trailers');
        if (this.chunked) throw badMessage('several Transfer-Encoding');
        if (!isText(bytes, start, end, 'chunked')) throw badMessage('a transfer coding other than chunked');
        this.chunked = true;
        return;
      case SpecialField.host:
        if (inTrailers) throw badMessage('Host in trailers');
        if (this.#of !== FieldsOf.request) return;
        if (this.hostEnd >= 0) throw badMessage('several Host');
        this.hostStart = receivedStart;
        this.hostEnd = receivedStart + (end - start);
        return;
      case SpecialField.disguised:
        throw badMessage('a framing field spelt with _');
      case SpecialField.connection:
        if (!inTrailers) this.#connection(bytes, start, end);
        return;
      case SpecialField.keepAlive:
        if (this.#of === FieldsOf.response) this.#keepAlive(bytes, start, end);
        return;
      case SpecialField.upgrade:
        this.#upgradeField(bytes, start, end);
        return;
      case SpecialField.te:
        if (namesTrailers(bytes, start, end)) this.acceptsTrailers = true;
        return;
      case SpecialField.expect:
        if (this.#of !== FieldsOf.request) return;
        if (!isText(bytes, start, end, '100-continue')) throw new HttpViolation(417, 'an expectation other than 100-continue');
        this.expectContinue = true;
        return;
      default:
    }
  }

  #contentLength(bytes: Uint8Array, start: number, end: number): void {
    if (this.contentLength >= 0) throw badMessage('several Content-Length');
    if (start === end) throw badMessage('an empty Content-Length');
    let length = 0;
    for (let at = start; at < end; at++) {
      if (!isDigit(bytes[at])) throw badMessage('a Content-Length that is no number');
      length = length * 10 + (bytes[at] - 0x30);
      if (length > maxContentLength) throw new HttpViolation(413, 'a Content-Length that no body has');
    }
    this.contentLength = length;
  }

  #connection(bytes: Uint8Array, start: number, end: number): void {
    for (const option of elements(bytes, start, end)) {
      if (option === 'close') this.close = true;
      else if (option === 'keep-alive') this.keepAlive = true;
      else if (option === 'upgrade') this.#upgradeAsked = true;
      else if (option === 'te' || option === 'http2-settings' || option === 'proxy-connection') continue;
      else if (!protectedFields.has(option)) (this.#named ??= []).push(option);
      else if (this.#of === FieldsOf.request) throw badMessage(`Connection names ${option}`);
    }
  }

  #keepAlive(bytes: Uint8Array, start: number, end: number): void {
    for (const part of asciiText(bytes, start, end).split(',')) {
      const match = /^\s*timeout\s*=\s*(\d{1,6})\s*$/i.exec(part);
      if (match !== null) this.keepAliveTimeoutMs = Number(match[1]) * 1000;
    }
  }

  #upgradeField(bytes: Uint8Array, start: number, end: number): void {
    if (this.#upgrade !== '') return;
    for (const protocol of asciiText(bytes, start, end).split(',')) {
      const name = protocol.trim();
      // RFC 9113 section 3.1: the upgrade to h2c is no more.
      if (name === '' || name.toLowerCase() === 'h2c') continue;
      if (!isProtocol(name)) throw badMessage('an Upgrade that names no protocol');
      this.#upgrade = name;
      return;
    }
  }

  /** Takes what Connection names out of `bytes[start, end)`; returns the new end. */
  #removeNamed(named: readonly string[], bytes: Uint8Array, start: number, end: number): number {
    let out = start;
    for (let at = start; at < end;) {
      const name = at + 3;
      const value = name + bytes[at];
      const next = value + ((bytes[at + 1] << 8) | bytes[at + 2]);
      if (!named.includes(asciiText(bytes, name, value))) {
        bytes.copyWithin(out, at, next);
        out += next - at;
      }
      at = next;
    }
    return out;
  }
}

/** Elements of a list of tokens, in lower case. Empty ones count for nothing (RFC 9110 section 5.6.1). */
function elements(bytes: Uint8Array, start: number, end: number): string[] {
  const found: string[] = [];
  let token = '';
  /** 0 = before a token, 1 = in one, 2 = behind one. */
  let state = 0;
  for (let at = start; at < end; at++) {
    const octet = bytes[at];
    if (octet === comma) {
      if (token !== '') found.push(token);
      token = '';
      state = 0;
    } else if (isBlank(octet)) {
      if (state === 1) state = 2;
    } else {
      const lower = lowerToken[octet];
      if (lower === 0 || state === 2) throw badMessage('a list of tokens that is none');
      token += String.fromCharCode(lower);
      state = 1;
    }
  }
  if (token !== '') found.push(token);
  return found;
}

/** Whether TE names trailers. Transfer codings, which may have weights, are not used here (RFC 9110 section 10.1.4). */
function namesTrailers(bytes: Uint8Array, start: number, end: number): boolean {
  return asciiText(bytes, start, end)
    .split(',')
    .some((coding) => coding.trim().toLowerCase() === 'trailers');
}

/** Token, or token "/" token (RFC 9110 section 7.8). */
function isProtocol(name: string): boolean {
  if (name.length > maxNameBytes) return false;
  let slashes = 0;
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (code === slash) {
      if (++slashes > 1 || at === 0 || at === name.length - 1) return false;
    } else if (code > 0x7f || lowerToken[code] === 0) return false;
  }
  return true;
}
