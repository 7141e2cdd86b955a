/**
 * DNS messages, RFC 1035 section 4:
 *
 * ```text
 * id 2 | flags 2: QR 1, opcode 4, AA, TC, RD, RA, zero, AD, CD, rcode 4 | questions 2 | answers 2 | authorities 2 | additionals 2
 * question: name | type 2 | class 2
 * record:   name | type 2 | class 2 | ttl 4, seconds | length 2 | data
 * name:     labels, each length 1 (at most 63) and its octets, then 0, or 2 octets 0xc000 + where in the message the rest stands
 * ```
 *
 * The record OPT of EDNS (RFC 6891) has the octets that its sender takes by UDP as class, and upper bits of the rcode, a version and flags as ttl.
 */
export interface DnsMessage {
  readonly id: number;
  readonly isResponse: boolean;
  readonly opcode: number;
  readonly isAuthoritative: boolean;
  readonly isTruncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  /** With the upper bits of EDNS. */
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  /** Without OPT. */
  readonly additionals: readonly ResourceRecord[];
  readonly edns: Edns | undefined;
}

/** Labels, the outermost last, without the empty one of the root. A character is an octet; letters are as they were sent. */
export type DomainName = readonly string[];

export interface Question {
  readonly name: DomainName;
  readonly type: number;
  readonly recordClass: number;
}

export interface ResourceRecord {
  readonly name: DomainName;
  readonly type: number;
  readonly recordClass: number;
  readonly ttlSeconds: number;
  readonly data: RecordData;
}

export type RecordData =
  /** A and AAAA: 16 octets, IPv4 mapped. */
  | { readonly kind: 'address'; readonly address: Uint8Array }
  /** PTR, NS and CNAME. */
  | { readonly kind: 'name'; readonly name: DomainName }
  | ({ readonly kind: 'authority' } & StartOfAuthority)
  /** Any other: a copy of the octets. */
  | { readonly kind: 'octets'; readonly octets: Uint8Array };

export interface StartOfAuthority {
  readonly server: DomainName;
  readonly mailbox: DomainName;
  readonly serial: number;
  readonly refreshSeconds: number;
  readonly retrySeconds: number;
  readonly expireSeconds: number;
  /** How long an answer that there is nothing counts. */
  readonly minimumSeconds: number;
}

export interface Edns {
  /** What its sender takes by UDP. */
  readonly udpBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
}

export const recordTypes = { a: 1, ns: 2, cname: 5, soa: 6, ptr: 12, aaaa: 28, opt: 41, ixfr: 251, axfr: 252, any: 255 } as const;

export const internetClass = 1;

export const rcodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const;

export const headerBytes = 12;
export const labelLimit = 63;
/** Octets of a name on the wire. */
export const nameLimit = 255;
/** Of a message by TCP, and the most that the length in front of it can say. */
export const messageLimit = 65_535;
/** What everybody takes by UDP. */
export const plainUdpLimit = 512;

/** `web.red.overlay` as labels. */
export function nameOf(text: string): DomainName {
  return text === '' ? [] : text.split('.');
}

/** Names are the same whatever the case of their ASCII letters. */
export function lowerCase(label: string): string {
  return label.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
