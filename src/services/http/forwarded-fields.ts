import type { RequestHead } from './exchange.ts';
import { endOfField, fieldOverheadBytes, isLowerCaseToken, octetsEqual } from './field-block.ts';
import type { MessageWriter } from './message-writer.ts';

/** Longest request id of a client that is kept. */
const maxRequestIdBytes = 128;
/** Longest list of former proxies that another one is added to; a longer one is replaced. */
const maxForwardedBytes = 4_096;

const encoder = new TextEncoder();
const requestId = encoder.encode('x-request-id');
const forwarded = encoder.encode('forwarded');
const forwardedFor = encoder.encode('x-forwarded-for');
const forwardedProto = encoder.encode('x-forwarded-proto');
const forwardedHost = encoder.encode('x-forwarded-host');

/**
 * Writes the fields of requests as the network passes them on: who asked, and how, is added (`forwarded`, RFC 7239, and
 * `x-forwarded-for`) or set (`x-forwarded-proto`, `x-forwarded-host`), and a request without an `x-request-id` gets one.
 *
 * Most clients send many requests with the same host, so what is said of one is kept for the next.
 */
export class ForwardedFields {
  #scheme = '';
  #authority = '';
  #client = '';
  /** The fields of a request that came directly, without x-request-id: a block of them. */
  #block: Uint8Array = new Uint8Array(0);
  /** Elements to be added to lists. */
  #forwarded: Uint8Array = new Uint8Array(0);
  #for: Uint8Array = new Uint8Array(0);

  /** Writes the block of the request's fields. */
  write(writer: MessageWriter, head: RequestHead, ownRequestId: string): void {
    if (head.authority !== this.#authority || head.client !== this.#client || head.scheme !== this.#scheme) this.#prepare(writer, head);
    const { fields } = head;
    let hasRequestId = false;
    let forwardedAt = -1;
    let forwardedForAt = -1;
    let copiedTo = 0;
    for (let at = 0; at < fields.length;) {
      const next = endOfField(fields, at);
      const nameStart = at + fieldOverheadBytes;
      const nameEnd = nameStart + fields[at];
      let dropped = false;
      switch (fields[at]) {
        case 12:
          if (!octetsEqual(fields, nameStart, nameEnd, requestId)) break;
          dropped = hasRequestId || !isRequestId(fields, nameEnd, next);
          hasRequestId ||= !dropped;
          break;
        case 9:
          if (!octetsEqual(fields, nameStart, nameEnd, forwarded)) break;
          dropped = true;
          forwardedAt = at;
          break;
        case 15:
          if (!octetsEqual(fields, nameStart, nameEnd, forwardedFor)) break;
          dropped = true;
          forwardedForAt = at;
          break;
        case 16:
          dropped = octetsEqual(fields, nameStart, nameEnd, forwardedHost);
          break;
        case 17:
          dropped = octetsEqual(fields, nameStart, nameEnd, forwardedProto);
          break;
        default:
      }
      if (dropped) {
        writer.raw(fields, copiedTo, at);
        copiedTo = next;
      }
      at = next;
    }
    writer.raw(fields, copiedTo, fields.length);
    if (!hasRequestId) {
      writer.reserve(fieldOverheadBytes + requestId.length + ownRequestId.length);
      writer.uint8(requestId.length);
      writer.uint16(ownRequestId.length);
      writer.raw(requestId, 0, requestId.length);
      writer.text(ownRequestId);
    }
    if (forwardedAt < 0 && forwardedForAt < 0) {
      writer.raw(this.#block, 0, this.#block.length);
      return;
    }
    writeList(writer, fields, forwarded, this.#forwarded);
    writeList(writer, fields, forwardedFor, this.#for);
    // The rest of the block: what is set whatever came.
    const setAt = endOfField(this.#block, endOfField(this.#block, 0));
    writer.raw(this.#block, setAt, this.#block.length);
  }

  #prepare(writer: MessageWriter, { scheme, authority, client }: RequestHead): void {
    this.#scheme = scheme;
    this.#authority = authority;
    this.#client = client;
    const node = client === '' ? 'unknown' : client.includes(':') ? `"[${client}]"` : client;
    const host = authority === '' ? '' : `;host="${authority.replaceAll(/["\\]/g, '\\$&')}"`;
    this.#forwarded = encoder.encode(`for=${node}${host};proto=${scheme}`);
    this.#for = encoder.encode(client === '' ? 'unknown' : client);
    const start = writer.length;
    writeField(writer, forwarded, this.#forwarded);
    writeField(writer, forwardedFor, this.#for);
    writeField(writer, forwardedProto, encoder.encode(scheme));
    if (authority !== '') writeField(writer, forwardedHost, encoder.encode(authority));
    this.#block = writer.bytes.slice(start, writer.length);
    writer.length = start;
  }
}

function isRequestId(bytes: Uint8Array, start: number, end: number): boolean {
  if (end === start || end - start > maxRequestIdBytes) return false;
  for (let index = start; index < end; index++) {
    const byte = bytes[index];
    // A token; capital letters are as good as small ones.
    if (!isLowerCaseToken(byte) && !(byte >= 0x41 && byte <= 0x5a)) return false;
  }
  return true;
}

function writeField(writer: MessageWriter, name: Uint8Array, value: Uint8Array): void {
  writer.reserve(fieldOverheadBytes);
  writer.uint8(name.length);
  writer.uint16(value.length);
  writer.raw(name, 0, name.length);
  writer.raw(value, 0, value.length);
}

/** One field with the values of all fields of this name, and `element` behind them. */
function writeList(writer: MessageWriter, fields: Uint8Array, name: Uint8Array, element: Uint8Array): void {
  writer.reserve(fieldOverheadBytes);
  const start = writer.length;
  writer.uint8(name.length);
  writer.uint16(0);
  writer.raw(name, 0, name.length);
  const valueStart = writer.length;
  for (let at = 0; at < fields.length; at = endOfField(fields, at)) {
    const nameStart = at + fieldOverheadBytes;
    const nameEnd = nameStart + fields[at];
    if (!octetsEqual(fields, nameStart, nameEnd, name)) continue;
    const end = endOfField(fields, at);
    if (end === nameEnd) continue;
    if (writer.length - valueStart + end - nameEnd > maxForwardedBytes) {
      writer.length = valueStart;
      break;
    }
    writer.raw(fields, nameEnd, end);
    writer.raw(separator, 0, separator.length);
  }
  writer.raw(element, 0, element.length);
  const value = writer.length - valueStart;
  writer.bytes[start + 1] = value >>> 8;
  writer.bytes[start + 2] = value;
}

const separator = encoder.encode(', ');
