import { InputError } from '../base/errors.ts';
import type { LinkEndpoint } from './grant.ts';
import { isHost } from './ip-address.ts';

/**
 * Redemption and renewal: HTTP/1.1 over TLS 1.3 on the link port (ALPN `http/1.1`), JSON both ways.
 *
 *     POST /redeem/<grant id>   RedemptionRequest -> Admission
 *     POST /renew               RenewalRequest    -> Admission
 *
 * An answer other than 200 is `{code, message}`. Every unknown, expired, used or wrong token gets the same 404.
 */

/** Largest body of a request. A renewal with the longest membership chain needs about 6 KiB, and 14 KiB with the longest lists of addresses. */
export const maxRequestBytes = 16_384;
/** Largest answer. It holds three chains of at most six certificates. */
export const maxResponseBytes: number = 64 * 1024;
/** Time from the accepted connection to the complete request. */
export const requestTimeoutMs = 5000;
/** Names and addresses in one certificate. */
export const maxHosts = 16;
/** Endpoints in one answer. */
const maxLinks = 16;
/** Characters of a key or signature in base64: 64 octets need 88. */
const maxKeyTextLength = 128;

export const redeemPathPrefix = '/redeem/';
export const renewPath = '/renew';

export interface RenewalRequest {
  /** The membership chain, PEM. */
  readonly membership: string;
  /** Certificate request signed with the registered key, PEM. */
  readonly csr: string;
  /** Certificate request signed with the key for a delegated issuer, PEM. */
  readonly issuerCsr?: string;
  /** Ed25519 public key of the site, and its signature over `csr` (pki/signing-key), base64. Absent: the site does not sign. */
  readonly signingKey?: string;
  readonly signingProof?: string;
  /** Names and addresses the site is reached by. They carry no authority: links are checked by router id. */
  readonly hosts: readonly string[];
}

export interface RedemptionRequest {
  readonly code: string;
  readonly csr: string;
  readonly issuerCsr?: string;
  readonly signingKey?: string;
  readonly signingProof?: string;
  readonly hosts: readonly string[];
  /** The name the site would like to have. */
  readonly siteName: string;
  /** Sent by a site that is a member of this network already. */
  readonly membership?: string;
}

export interface Admission {
  readonly network: string;
  readonly siteName: string;
  readonly routerId: string;
  /** Root, PEM. */
  readonly ca: string;
  /** TLS certificate and the issuers above it, PEM. */
  readonly certificate: string;
  /** Membership and the issuers above it, PEM. Absent when the present one stays. */
  readonly membership?: string;
  /** Delegated issuer and the issuers above it, PEM. */
  readonly issuerCertificate?: string;
  /** Where to link to. Empty on renewal. */
  readonly links: readonly LinkEndpoint[];
  readonly linkCost: number;
}

/** Throws InputError `bad-request`. */
export function parseRedemptionRequest(text: string): RedemptionRequest {
  const fields = parseObject(text);
  return {
    code: requiredText(fields, 'code', 128),
    siteName: requiredText(fields, 'siteName', 128),
    ...parseRequests(fields),
    ...optionalText(fields, 'membership', maxRequestBytes),
  };
}

/** Throws InputError `bad-request`. */
export function parseRenewalRequest(text: string): RenewalRequest {
  const fields = parseObject(text);
  return { membership: requiredText(fields, 'membership', maxRequestBytes), ...parseRequests(fields) };
}

/** Reads an issuer's answer. Throws InputError `bad-request`; what the certificates say is checked by who adopts them. */
export function parseAdmission(text: string): Admission {
  const fields = parseObject(text);
  const linkCost = fields['linkCost'];
  if (typeof linkCost !== 'number' || !Number.isInteger(linkCost) || linkCost < 1) throw bad('linkCost', 'not a whole number above 0');
  return {
    network: requiredText(fields, 'network', 64),
    siteName: requiredText(fields, 'siteName', 64),
    routerId: requiredText(fields, 'routerId', 128),
    ca: requiredText(fields, 'ca', maxResponseBytes),
    certificate: requiredText(fields, 'certificate', maxResponseBytes),
    ...optionalText(fields, 'membership', maxResponseBytes),
    ...optionalText(fields, 'issuerCertificate', maxResponseBytes),
    links: parseList(fields['links'], 'links', maxLinks, parseLink),
    linkCost,
  };
}

function parseRequests(fields: Record<string, unknown>): Omit<RenewalRequest, 'membership'> {
  return {
    csr: requiredText(fields, 'csr', maxRequestBytes),
    ...optionalText(fields, 'issuerCsr', maxRequestBytes),
    ...optionalText(fields, 'signingKey', maxKeyTextLength),
    ...optionalText(fields, 'signingProof', maxKeyTextLength),
    hosts: parseHosts(fields['hosts'] ?? []),
  };
}

/** Checks names and addresses for a certificate. Throws InputError `bad-request`. */
export function parseHosts(value: unknown): readonly string[] {
  return parseList(value, 'hosts', maxHosts, (host) => {
    if (typeof host !== 'string' || !isHost(host)) throw bad('hosts', 'not a host name or address');
    return host;
  });
}

function parseLink(value: unknown): LinkEndpoint {
  const { host, port } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof host !== 'string' || !isHost(host)) throw bad('links', 'host is not a host name or address');
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) throw bad('links', 'port is not from 1 to 65535');
  return { host, port };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InputError('bad-request', 'body', 'not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad('body', 'not a JSON object');
  return value as Record<string, unknown>;
}

function requiredText(fields: Record<string, unknown>, key: string, maxLength: number): string {
  const value = fields[key];
  if (typeof value !== 'string' || value === '' || value.length > maxLength) throw bad(key, `not a text of 1 to ${maxLength} characters`);
  return value;
}

function optionalText<K extends string>(fields: Record<string, unknown>, key: K, maxLength: number): { [P in K]?: string } {
  if (fields[key] === undefined) return {};
  return { [key]: requiredText(fields, key, maxLength) } as { [P in K]?: string };
}

function parseList<T>(value: unknown, where: string, maxLength: number, parse: (item: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length > maxLength) throw bad(where, `not a list of at most ${maxLength}`);
  return value.map(parse);
}

function bad(where: string, message: string): InputError {
  return new InputError('bad-request', where, message);
}
