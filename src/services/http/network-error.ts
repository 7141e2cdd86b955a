import { buildFields, findField } from './field-block.ts';
import type { FieldBlock, RequestHead, Responder, ResponseHead } from './exchange.ts';

/** Why the network answers a request itself: the first word of `caravan-error`, with its status and its gRPC status. */
export const NetworkErrorCode = {
  /** The client's request cannot be understood, or has parts that the network does not carry. */
  badRequest: 'bad-request',
  /** The listener takes other methods only. */
  methodNotAllowed: 'method-not-allowed',
  requestTimeout: 'request-timeout',
  bodyTooLarge: 'body-too-large',
  uriTooLong: 'uri-too-long',
  headTooLarge: 'head-too-large',
  notImplemented: 'not-implemented',
  versionNotSupported: 'version-not-supported',
  expectationFailed: 'expectation-failed',
  /** No server of the service is known, or none is ready. */
  noServer: 'no-server',
  /** The router may not use the service. */
  notAllowed: 'not-allowed',
  /** The server could not be connected to. */
  connectFailed: 'connect-failed',
  /** The server refused the request before it did anything with it. */
  notProcessed: 'not-processed',
  overloaded: 'overloaded',
  /** A link broke, and the request may have been processed. */
  linkLost: 'link-lost',
  /** The server broke off. */
  serverFailed: 'server-failed',
  /** What came as an answer is none. */
  badAnswer: 'bad-answer',
  timeout: 'timeout',
} as const;
export type NetworkErrorCode = (typeof NetworkErrorCode)[keyof typeof NetworkErrorCode];

/** gRPC statuses, as its specification numbers them. */
const grpcDeadlineExceeded = 4;
const grpcInvalidArgument = 3;
const grpcUnimplemented = 12;
const grpcUnavailable = 14;

/** With which status the network answers. */
export function statusOf(code: NetworkErrorCode): { readonly status: number; readonly title: string; readonly grpcStatus: number } {
  switch (code) {
    case 'bad-request':
      return { status: 400, title: 'Bad Request', grpcStatus: grpcInvalidArgument };
    case 'method-not-allowed':
      return { status: 405, title: 'Method Not Allowed', grpcStatus: grpcUnimplemented };
    case 'request-timeout':
      return { status: 408, title: 'Request Timeout', grpcStatus: grpcDeadlineExceeded };
    case 'body-too-large':
      return { status: 413, title: 'Content Too Large', grpcStatus: grpcInvalidArgument };
    case 'uri-too-long':
      return { status: 414, title: 'URI Too Long', grpcStatus: grpcInvalidArgument };
    case 'head-too-large':
      return { status: 431, title: 'Request Header Fields Too Large', grpcStatus: grpcInvalidArgument };
    case 'not-implemented':
      return { status: 501, title: 'Not Implemented', grpcStatus: grpcUnimplemented };
    case 'version-not-supported':
      return { status: 505, title: 'HTTP Version Not Supported', grpcStatus: grpcUnimplemented };
    case 'expectation-failed':
      return { status: 417, title: 'Expectation Failed', grpcStatus: grpcInvalidArgument };
    case 'link-lost':
    case 'server-failed':
    case 'bad-answer':
      return { status: 502, title: 'Bad Gateway', grpcStatus: grpcUnavailable };
    case 'timeout':
      return { status: 504, title: 'Gateway Timeout', grpcStatus: grpcDeadlineExceeded };
    default:
      return { status: 503, title: 'Service Unavailable', grpcStatus: grpcUnavailable };
  }
}

/** An answer that the network makes itself. */
export interface NetworkError {
  readonly code: NetworkErrorCode;
  /** In words, for people. */
  readonly reason: string;
  /** The site that answers, and the service that was asked for. */
  readonly site: string;
  readonly service: string;
}

export interface NetworkAnswer {
  readonly head: ResponseHead;
  readonly body: Uint8Array;
}

/** Longest reason that is told. */
const maxReasonLength = 400;

const encoder = new TextEncoder();

/**
 * The answer for an error: a status with a short text, or for gRPC a status of its own in the fields ("trailers only"). Both carry
 *
 *     caravan-error: <code>; site="<site>"; service="<service>"; reason="<reason>"
 */
export function networkAnswer({ code, reason, site, service }: NetworkError, isGrpc: boolean, isHead: boolean): NetworkAnswer {
  const { status, title, grpcStatus } = statusOf(code);
  const told = reason.slice(0, maxReasonLength);
  const error = { name: 'caravan-error', value: `${code}; site=${quoted(site)}; service=${quoted(service)}; reason=${quoted(told)}` };
  if (isGrpc) {
    const fields = buildFields([
      { name: 'content-type', value: 'application/grpc' },
      { name: 'grpc-status', value: String(grpcStatus) },
      { name: 'grpc-message', value: percentEncoded(`${code}: ${told}`) },
      error,
    ]);
    return { head: { status: 200, fields, contentLength: 0, hasBody: !isHead, upgrade: false }, body: new Uint8Array(0) };
  }
  const body = encoder.encode(`${status} ${title}\n${visible(told)}\n`);
  const fields = buildFields([
    { name: 'content-type', value: 'text/plain; charset=utf-8' },
    { name: 'cache-control', value: 'no-store' },
    error,
  ]);
  return { head: { status, fields, contentLength: body.length, hasBody: !isHead, upgrade: false }, body };
}

/** Fields and body of an answer that a protocol's end makes itself, with a status of the list above. */
export function errorAnswer(
  status: number,
  reason: string,
  site: string,
  service: string,
): { readonly fields: FieldBlock; readonly body: Uint8Array } {
  const code = Object.values(NetworkErrorCode).find((candidate) => statusOf(candidate).status === status) ?? NetworkErrorCode.badRequest;
  const { head, body } = networkAnswer({ code, reason, site, service }, false, false);
  return { fields: head.fields, body };
}

/** Answers a request that nothing has been answered to. */
export function answerWithError(request: RequestHead, responder: Responder, error: NetworkError): void {
  const { head, body } = networkAnswer(error, isGrpc(request), request.method === 'HEAD');
  responder.head(head);
  if (head.hasBody && body.length > 0) responder.data(body, 0, body.length);
  responder.end(undefined);
}

export function isGrpc(request: RequestHead): boolean {
  const type = findField(request.fields, 'content-type');
  return type !== undefined && type.startsWith('application/grpc') && !type.startsWith('application/grpc-web');
}

function visible(text: string): string {
  // Anything but visible ASCII and blanks could be read as something else by somebody.
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}

/** quoted-string, RFC 9110 §5.6.4. */
function quoted(text: string): string {
  return `"${visible(text).replaceAll(/["\\]/g, '\\$&')}"`;
}

/** As gRPC writes messages: octets outside of visible ASCII, and %, in percent form. */
function percentEncoded(text: string): string {
  let encoded = '';
  for (const byte of encoder.encode(text)) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
