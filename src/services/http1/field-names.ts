import { isText } from './octets.ts';

/** Fields that the parsers and serialisers deal with themselves: they concern one connection or the extent of a message. */
export const SpecialField = {
  none: 0,
  contentLength: 1,
  transferEncoding: 2,
  host: 3,
  connection: 4,
  keepAlive: 5,
  upgrade: 6,
  te: 7,
  expect: 8,
  /** Of one connection, and without meaning here. */
  dropped: 9,
  /** A framing field spelt with `_`, which gateways in the style of CGI take for the same. */
  disguised: 10,
} as const;
export type SpecialField = (typeof SpecialField)[keyof typeof SpecialField];

/** Which of them `bytes[start, start + length)` names, in lower case. */
export function specialField(bytes: Uint8Array, start: number, length: number): SpecialField {
  switch (length) {
    case 2:
      return isText(bytes, start, start + 2, 'te') ? SpecialField.te : SpecialField.none;
    case 4:
      return isText(bytes, start, start + 4, 'host') ? SpecialField.host : SpecialField.none;
    case 6:
      return isText(bytes, start, start + 6, 'expect') ? SpecialField.expect : SpecialField.none;
    case 7:
      return isText(bytes, start, start + 7, 'upgrade') ? SpecialField.upgrade : SpecialField.none;
    case 10:
      if (isText(bytes, start, start + 10, 'connection')) return SpecialField.connection;
      return isText(bytes, start, start + 10, 'keep-alive') ? SpecialField.keepAlive : SpecialField.none;
    case 14:
      if (isText(bytes, start, start + 14, 'content-length')) return SpecialField.contentLength;
      if (isText(bytes, start, start + 14, 'http2-settings')) return SpecialField.dropped;
      return isText(bytes, start, start + 14, 'content_length') ? SpecialField.disguised : SpecialField.none;
    case 16:
      return isText(bytes, start, start + 16, 'proxy-connection') ? SpecialField.dropped : SpecialField.none;
    case 17:
      if (isText(bytes, start, start + 17, 'transfer-encoding')) return SpecialField.transferEncoding;
      return isText(bytes, start, start + 17, 'transfer_encoding') ? SpecialField.disguised : SpecialField.none;
    default:
      return SpecialField.none;
  }
}

/**
 * Fields that all recipients need: a request may not have them taken out by naming them in Connection (RFC 9110 section 7.6.1), as the
 * server would then believe something else than the programs before it.
 */
export const protectedFields: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'trailer',
  'authorization',
  'cookie',
  'cache-control',
  'expect',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'x-request-id',
  'via',
  'origin',
  'range',
  'caravan-error',
]);

/** Fields that mean something before the body only (RFC 9110 section 6.5.1): in trailers they are dropped. */
export const headOnlyFields: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'cache-control',
  'caravan-error',
  'content-encoding',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'expires',
  'forwarded',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'location',
  'max-forwards',
  'origin',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'retry-after',
  'set-cookie',
  'trailer',
  'vary',
  'via',
  'warning',
  'www-authenticate',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'x-request-id',
]);
