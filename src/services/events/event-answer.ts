import type { Random } from '../../base/random.ts';
import { discriminator } from '../../base/random.ts';
import type { NetworkErrorCode } from '../http/network-error.ts';
import type { Field } from '../http/field-block.ts';

/** How the answers of all servers become one. */
export type EventChannelForm = 'json' | 'multipart';

/** What one server made of a request. */
export interface EventPart {
  /** Its router, which is where it is. */
  readonly site: string;
  /** Its id at that router; empty when the router did not tell of its servers. */
  readonly server: string;
  readonly answer?: {
    readonly status: number;
    readonly fields: readonly Field[];
    readonly body: Uint8Array;
  };
  /** Why there is no answer. */
  readonly error?: { readonly code: NetworkErrorCode | 'answer-too-long'; readonly reason: string };
}

export interface EventAnswer {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** 24 characters that nobody can guess: no body has them by chance or on purpose. */
const boundaryLength = 24;

const encoder = new TextEncoder();

/** One answer with all parts in it, in order of site and server. */
export function eventAnswer(form: EventChannelForm, parts: readonly EventPart[], random: Random): EventAnswer {
  const sorted = [...parts].sort((a, b) => compare(a.site, b.site) || compare(a.server, b.server));
  return form === 'json' ? jsonAnswer(sorted) : multipartAnswer(sorted, random);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 *     [{"site": ..., "server": ..., "status": 200, "headers": {"content-type": "text/plain", ...}, "body": "text"},
 *      {"site": ..., "server": ..., "error": {"code": "connect-failed", "reason": ...}}]
 *
 * A header that a server sent several times is a list; a body that is no text in UTF-8 is `bodyBase64`.
 */
function jsonAnswer(parts: readonly EventPart[]): EventAnswer {
  const plain = parts.map(({ site, server, answer, error }) => {
    if (answer === undefined) return { site, server, error };
    const { status, fields, body } = answer;
    return { site, server, status, headers: headersOf(fields), ...plainBody(body) };
  });
  return { contentType: 'application/json', body: encoder.encode(`${JSON.stringify(plain)}\n`) };
}

function headersOf(fields: readonly Field[]): Readonly<Record<string, string | readonly string[]>> {
  const values = new Map<string, string[]>();
  for (const { name, value } of fields) {
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return Object.fromEntries([...values].map(([name, list]) => [name, list.length === 1 ? (list[0] ?? '') : list]));
}

function plainBody(body: Uint8Array): { readonly body: string } | { readonly bodyBase64: string } {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(body);
  // What is no UTF-8 comes back as something else.
  const again = encoder.encode(text);
  return again.length === body.length && again.every((byte, index) => byte === body[index]) ? { body: text } : { bodyBase64: base64(body) };
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function base64(bytes: Uint8Array): string {
  const groups: string[] = [];
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const bits = (bytes[at] << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    groups.push(
      digits[bits >> 18] + digits[(bits >> 12) & 63] + (left > 1 ? digits[(bits >> 6) & 63] : '=') + (left > 2 ? digits[bits & 63] : '='),
    );
  }
  return groups.join('');
}

/**
 * RFC 2046 §5.1.3, one part for each server:
 *
 *     --boundary
 *     caravan-site: east-1a2b3c4d
 *     caravan-server: server.x.0
 *     caravan-status: 200                 or caravan-error: <code>, with the reason as body
 *     content-type: text/plain            and the other headers of the answer
 *
 *     body
 */
function multipartAnswer(parts: readonly EventPart[], random: Random): EventAnswer {
  const boundary = `caravan-${discriminator(random, boundaryLength).replaceAll('+', '.')}`;
  const pieces: Uint8Array[] = [];
  for (const { site, server, answer, error } of parts) {
    const own = [`caravan-site: ${visible(site)}`, `caravan-server: ${visible(server)}`];
    const lines =
      answer === undefined
        ? [...own, `caravan-error: ${error?.code ?? ''}`, 'content-type: text/plain; charset=utf-8']
        : [...own, `caravan-status: ${answer.status}`, ...answer.fields.map(({ name, value }) => `${name}: ${value}`)];
    pieces.push(encoder.encode(`--${boundary}\r\n${lines.join('\r\n')}\r\n\r\n`));
    pieces.push(answer === undefined ? encoder.encode(error?.reason ?? '') : answer.body, encoder.encode('\r\n'));
  }
  pieces.push(encoder.encode(`--${boundary}--\r\n`));
  return { contentType: `multipart/mixed; boundary="${boundary}"`, body: joined(pieces) };
}

/** Names of routers and servers come from the network: they must not end their line. */
function visible(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}

/** One array of octets of several. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
