import { isBlank, isText, isValueOctet, lowerToken } from '../http1/octets.ts';

/** What a field is to an end of HTTP/2. */
export const FieldKind = {
  /** Goes into the block. */
  ordinary: 0,
  /** Makes its message malformed (RFC 9113 §8.2): a name that is no token in lower case, a value with control characters. */
  malformed: 1,
  // Pseudo fields (§8.3).
  method: 2,
  scheme: 3,
  authority: 4,
  path: 5,
  protocol: 6,
  status: 7,
  // What heads say themselves.
  contentLength: 8,
  host: 9,
  expect: 10,
  te: 11,
  cookie: 12,
  /** Concerns one connection of HTTP/1 (§8.2.2). */
  connection: 13,
  /** Belongs to the upgrade of HTTP/1.1. */
  dropped: 14,
} as const;
export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind];

const colon = 0x3a;

/** The kind of a field by its name, `bytes[start, end)`. */
export function kindOfName(bytes: Uint8Array, start: number, end: number): FieldKind {
  if (start === end) return FieldKind.malformed;
  if (bytes[start] === colon) return kindOfPseudo(bytes, start, end);
  for (let at = start; at < end; at++) if (lowerToken[bytes[at]] !== bytes[at] || bytes[at] === 0) return FieldKind.malformed;
  switch (end - start) {
    case 2:
      return isText(bytes, start, end, 'te') ? FieldKind.te : FieldKind.ordinary;
    case 4:
      return isText(bytes, start, end, 'host') ? FieldKind.host : FieldKind.ordinary;
    case 6:
      if (isText(bytes, start, end, 'cookie')) return FieldKind.cookie;
      return isText(bytes, start, end, 'expect') ? FieldKind.expect : FieldKind.ordinary;
    case 7:
      return isText(bytes, start, end, 'upgrade') ? FieldKind.connection : FieldKind.ordinary;
    case 10:
      return isText(bytes, start, end, 'connection') || isText(bytes, start, end, 'keep-alive') ? FieldKind.connection : FieldKind.ordinary;
    case 14:
      if (isText(bytes, start, end, 'content-length')) return FieldKind.contentLength;
      return isText(bytes, start, end, 'http2-settings') ? FieldKind.dropped : FieldKind.ordinary;
    case 16:
      return isText(bytes, start, end, 'proxy-connection') ? FieldKind.connection : FieldKind.ordinary;
    case 17:
      return isText(bytes, start, end, 'transfer-encoding') ? FieldKind.connection : FieldKind.ordinary;
    default:
      return FieldKind.ordinary;
  }
}

function kindOfPseudo(bytes: Uint8Array, start: number, end: number): FieldKind {
  for (let at = start; at < end; at++) if (bytes[at] >= 0x41 && bytes[at] <= 0x5a) return FieldKind.malformed;
  switch (end - start) {
    case 5:
      return isText(bytes, start, end, ':path') ? FieldKind.path : FieldKind.malformed;
    case 7:
      if (isText(bytes, start, end, ':method')) return FieldKind.method;
      if (isText(bytes, start, end, ':scheme')) return FieldKind.scheme;
      return isText(bytes, start, end, ':status') ? FieldKind.status : FieldKind.malformed;
    case 9:
      return isText(bytes, start, end, ':protocol') ? FieldKind.protocol : FieldKind.malformed;
    case 10:
      return isText(bytes, start, end, ':authority') ? FieldKind.authority : FieldKind.malformed;
    default:
      return FieldKind.malformed;
  }
}

/** Whether `bytes[start, end)` may be a value: no control characters but tab, and no blanks around it (RFC 9113 §8.2.1). */
export function isValue(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (isValueOctet[bytes[at]] === 0) return false;
  return start === end || !(isBlank(bytes[start]) || isBlank(bytes[end - 1]));
}
