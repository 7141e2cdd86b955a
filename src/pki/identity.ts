import { InputError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';

/**
 * Who a router is, as its certificate says it in a URI subject alternative name:
 *
 *     van://<network id>/<site name>/<router id>
 *
 * network id: 16 hex digits. Site name: an RFC 1123 label. Router id: `<site name>-<8 of a-z0-9>`; it is also the
 * router's AMQP container-id and its id in routing messages.
 */
export interface RouterIdentity {
  readonly networkId: string;
  readonly siteName: string;
  readonly routerId: string;
}

/** Length of the random part of a router id: 36^8 ids per site name. */
const routerSuffixLength = 8;

const labelPattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const networkIdPattern = /^[0-9a-f]{16}$/;
const routerSuffixPattern = /^[a-z0-9]{8}$/;

function isNetworkId(text: string): boolean {
  return networkIdPattern.test(text);
}

/** An RFC 1123 label: 1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends. */
export function isSiteName(text: string): boolean {
  return labelPattern.test(text);
}

/** Throws InputError `bad-site-name`. */
export function checkSiteName(text: string, where: string): void {
  if (isSiteName(text)) return;
  throw new InputError('bad-site-name', where, `"${text.slice(0, 80)}" is not a site name`, {
    remedy: 'use 1 to 63 of a-z, 0-9 and "-", with a letter or digit at both ends',
  });
}

/** `length` random characters of a-z0-9, all equally likely. */
export function randomLabel(random: Random, length: number): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';
  // Bytes from 252 up are thrown away: 252 is the largest multiple of 36 in a byte, so that no character is favoured.
  const fairLimit = 252;
  const bytes = new Uint8Array(length);
  let text = '';
  while (text.length < length) {
    random.fill(bytes);
    for (const byte of bytes) {
      if (byte < fairLimit && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}

export function newRouterId(siteName: string, random: Random): string {
  return `${siteName}-${randomLabel(random, routerSuffixLength)}`;
}

export function formatIdentity(identity: RouterIdentity): string {
  return `van://${identity.networkId}/${identity.siteName}/${identity.routerId}`;
}

/** The identity in a `van:` URI, or undefined when it is not exactly of that form. */
export function parseIdentity(uri: string): RouterIdentity | undefined {
  if (!uri.startsWith('van://')) return undefined;
  const [networkId, siteName, routerId, ...rest] = uri.slice('van://'.length).split('/');
  if (networkId === undefined || siteName === undefined || routerId === undefined || rest.length > 0) return undefined;
  if (!isNetworkId(networkId) || !isSiteName(siteName)) return undefined;
  if (!routerId.startsWith(`${siteName}-`) || !routerSuffixPattern.test(routerId.slice(siteName.length + 1))) return undefined;
  return { networkId, siteName, routerId };
}

/**
 * The identity in a subject alternative name as Node prints it (`URI:van://..., DNS:..., IP Address:...`), or
 * undefined unless there is exactly one `van:` URI. Node puts a name in quotes when it holds a comma, a quote or a
 * control character; none of our certificates has such a name, so a text with a quote is refused as a whole and no name
 * can pretend to be two.
 */
export function identityFromSubjectAltName(subjectAltName: string): RouterIdentity | undefined {
  if (subjectAltName.includes('"')) return undefined;
  const uris = subjectAltName
    .split(', ')
    .filter((name) => name.startsWith('URI:'))
    .map((name) => name.slice('URI:'.length));
  if (uris.length !== 1 || uris[0] === undefined) return undefined;
  return parseIdentity(uris[0]);
}
