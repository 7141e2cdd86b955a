import { parse, stringify } from 'yaml';
import { InputError } from '../base/errors.ts';
import { nearestName } from '../base/nearest-name.ts';
import { isHost } from './ip-address.ts';
import { redeemPathPrefix } from './redemption-protocol.ts';

/**
 * A token file: Skupper's v2alpha1 resource AccessToken.
 *
 *     apiVersion: skupper.io/v2alpha1
 *     kind: AccessToken
 *     metadata: {name: ...}
 *     spec:
 *       url: https://<host>:<port>/redeem/<grant id>
 *       code: <secret>
 *       ca: <PEM of the network's root>
 *       linkCost: 1
 *
 * All trust is pinned to `spec.ca`: who answers at the address must have a certificate of that network. The address may
 * therefore be anything that leads there (a forwarded port, a load balancer), and a stolen DNS name is of no use.
 */
export interface AccessToken {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly grantId: string;
  readonly code: string;
  /** PEM of the root. */
  readonly ca: string;
  readonly linkCost: number;
}

const apiVersion = 'skupper.io/v2alpha1';
/** Largest token file. Ours have about 1 KiB. */
export const maxTokenBytes: number = 16 * 1024;
const knownSpecKeys: readonly string[] = ['url', 'code', 'ca', 'linkCost', 'settings'];

export function formatAccessToken(token: AccessToken): string {
  const host = token.host.includes(':') ? `[${token.host}]` : token.host;
  return stringify({
    apiVersion,
    kind: 'AccessToken',
    metadata: { name: token.name },
    spec: {
      url: `https://${host}:${token.port}${redeemPathPrefix}${token.grantId}`,
      code: token.code,
      ca: token.ca,
      linkCost: token.linkCost,
    },
  });
}

/** Reads a token file. `where` names it in errors. Throws InputError `bad-token` with the place and what is wrong there. */
export function parseAccessToken(text: string, where: string): AccessToken {
  if (text.length > maxTokenBytes) throw bad(where, `longer than ${maxTokenBytes} bytes`);
  let document: unknown;
  try {
    document = parse(text, { maxAliasCount: 0, logLevel: 'error' });
  } catch (cause) {
    throw new InputError('bad-token', where, 'not YAML', { cause, remedy: 'copy the token file again, unchanged' });
  }
  const resource = objectAt(document, where, 'the document');
  if (resource['kind'] !== 'AccessToken') throw bad(where, `kind is ${JSON.stringify(resource['kind'])}, not "AccessToken"`);
  if (resource['apiVersion'] !== apiVersion)
    throw bad(where, `apiVersion is ${JSON.stringify(resource['apiVersion'])}, not "${apiVersion}"`);
  return parseAccessTokenSpec(textAt(objectAt(resource['metadata'], where, 'metadata'), 'name', where), resource['spec'], where);
}

/** The same for a resource that has been read already. */
export function parseAccessTokenSpec(name: string, value: unknown, where: string): AccessToken {
  const spec = objectAt(value, where, 'spec');
  for (const key of Object.keys(spec)) {
    if (knownSpecKeys.includes(key)) continue;
    const nearest = nearestName(key, knownSpecKeys);
    throw bad(where, `spec.${key} is not known${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`);
  }
  const linkCost = spec['linkCost'] ?? 1;
  if (typeof linkCost !== 'number' || !Number.isInteger(linkCost) || linkCost < 1)
    throw bad(where, 'spec.linkCost is not a whole number above 0');
  return {
    name,
    ...parseUrl(textAt(spec, 'url', where), where),
    code: textAt(spec, 'code', where),
    ca: textAt(spec, 'ca', where),
    linkCost,
  };
}

function parseUrl(text: string, where: string): { host: string; port: number; grantId: string } {
  const url = URL.parse(text);
  if (url === null || url.protocol !== 'https:') throw bad(where, 'spec.url is not an https URL');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const grantId = url.pathname.startsWith(redeemPathPrefix) ? url.pathname.slice(redeemPathPrefix.length) : '';
  if (!isHost(host) || !/^[a-z0-9]{1,64}$/.test(grantId) || url.username !== '' || url.search !== '') {
    throw bad(
      where,
      'spec.url is not of the form https://HOST:PORT/redeem/ID',
      'tokens of other products are redeemed with their own tools',
    );
  }
  return { host, port: url.port === '' ? 443 : Number(url.port), grantId };
}

function objectAt(value: unknown, where: string, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(where, `${what} is not a mapping`);
  return value as Record<string, unknown>;
}

function textAt(fields: Record<string, unknown>, key: string, where: string): string {
  const value = fields[key];
  if (typeof value !== 'string' || value === '') throw bad(where, `${key} is missing or not a text`);
  return value;
}

function bad(where: string, message: string, remedy = 'use the token file as it was written by "van token issue"'): InputError {
  return new InputError('bad-token', where, message, { remedy });
}
