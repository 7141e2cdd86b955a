import type { RequestHead, ResponseHead } from '../services/http/exchange.ts';
import { removeField } from '../services/http/field-block.ts';
import { authorityText } from '../services/http1/authority.ts';
import { HttpViolation, badMessage } from '../services/http1/http-violation.ts';
import { appendFields, pseudoField, readFields } from './http2-fields.ts';
import type { RawFields } from './http2-fields.ts';
import { maxMethodBytes } from './http2-limits.ts';
import { acceptOf, keyOf, withKey } from './http2-websocket.ts';

const methodToken = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible ASCII without `#`, which ends the target for some and not for others. */
const originForm = /^\/[!"$-~]*$/;
const statusNumber = /^[1-5]\d\d$/;

/** What a connection of a client says of all its requests. */
export interface ClientSide {
  readonly scheme: 'http' | 'https';
  readonly client: string;
  /** The authority that was checked last: most requests of a connection have the same. */
  checkedAuthority: string;
}

/**
 * The head of a request (RFC 9113 §8.3.1). An extended CONNECT (RFC 8441) becomes what HTTP/1.1 says for the same: a GET with `upgrade`.
 * Throws HttpViolation.
 */
export function readRequestHead(raw: RawFields, bodyFollows: boolean, side: ClientSide): RequestHead {
  const method = pseudoField(raw, ':method') ?? '';
  if (!methodToken.test(method)) throw badMessage('a method that is no token');
  if (method.length > maxMethodBytes) throw new HttpViolation(501, 'a method that nobody knows');
  const protocol = pseudoField(raw, ':protocol') ?? '';
  if (protocol !== '' && (method !== 'CONNECT' || !methodToken.test(protocol))) throw badMessage('a protocol without CONNECT');
  const fields = readFields(raw);
  const authority = pseudoField(raw, ':authority') ?? fields.host ?? '';
  if (fields.host !== undefined && fields.host !== authority) throw badMessage('a host that is not the authority');
  if (authority !== '' && authority !== side.checkedAuthority) {
    const octets = Buffer.from(authority, 'latin1');
    authorityText(octets, 0, octets.length);
    side.checkedAuthority = authority;
  }
  if (method === 'CONNECT' && protocol === '') throw new HttpViolation(501, 'tunnels are not offered');
  const path = pseudoField(raw, ':path') ?? '';
  if (!originForm.test(path) && !(path === '*' && method === 'OPTIONS')) throw badMessage('a path that is none');
  const { scheme, client } = side;
  if (protocol !== '') {
    const block = protocol === 'websocket' ? withKey(fields.block) : fields.block;
    return { method: 'GET', scheme, authority, path, fields: block, contentLength: 0, expectContinue: false, upgrade: protocol, client };
  }
  const contentLength = bodyFollows ? fields.contentLength : 0;
  const expectContinue = fields.expectContinue && contentLength !== 0;
  return { method, scheme, authority, path, fields: fields.block, contentLength, expectContinue, upgrade: '', client };
}

/** The head of a request for a server. `host` is for those that name no authority. */
export function requestFields(head: RequestHead, scheme: string, host: string): string[] {
  const { upgrade, method, path, authority, contentLength } = head;
  const raw = [':method', upgrade === '' ? method : 'CONNECT', ':scheme', scheme, ':authority', authority === '' ? host : authority];
  raw.push(':path', path);
  if (upgrade !== '') raw.push(':protocol', upgrade);
  if (contentLength > 0) raw.push('content-length', String(contentLength));
  if (head.expectContinue) raw.push('expect', '100-continue');
  appendFields(raw, upgrade === '' ? head.fields : removeField(head.fields, 'sec-websocket-key'));
  return raw;
}

/** The head of a server's answer to `request`. Throws HttpViolation. */
export function readResponseHead(raw: RawFields, bodyFollows: boolean, request: RequestHead): ResponseHead {
  const status = statusOf(raw);
  const { block, contentLength } = readFields(raw);
  if (request.upgrade !== '' && status < 300 && bodyFollows) {
    const key = request.upgrade === 'websocket' ? keyOf(request.fields) : undefined;
    const fields = key === undefined ? block : acceptOf(block, key);
    return { status: 101, fields, contentLength: -1, hasBody: true, upgrade: true };
  }
  const hasBody = request.method !== 'HEAD' && status !== 204 && status !== 304;
  const length = hasBody && !bodyFollows ? 0 : contentLength;
  return { status, fields: block, contentLength: status === 204 ? 0 : length, hasBody, upgrade: false };
}

/** The status of a head: 100 to 599, but not 101, which HTTP/2 does not have. Throws HttpViolation. */
export function statusOf(raw: RawFields): number {
  const text = pseudoField(raw, ':status') ?? '';
  if (!statusNumber.test(text) || text === '101') throw badMessage('a status that is none');
  return Number(text);
}

/** The head of an answer for a client. `complete` = nothing follows it. */
export function responseFields(head: ResponseHead, complete: boolean): string[] {
  const { status, contentLength, hasBody, upgrade } = head;
  if (upgrade) {
    const raw = [':status', '200'];
    appendFields(raw, removeField(head.fields, 'sec-websocket-accept'));
    return raw;
  }
  const raw = [':status', String(status)];
  // The end of the stream says that there is no body.
  const isSaid = contentLength > 0 || (contentLength === 0 && hasBody && !complete);
  if (isSaid && status !== 204) raw.push('content-length', String(contentLength));
  appendFields(raw, head.fields);
  return raw;
}
