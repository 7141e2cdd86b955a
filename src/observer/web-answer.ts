import type { IncomingMessage, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import { securityHeaders } from './web-headers.ts';

/** An answer before it is sent. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** The page itself gets another content security policy. */
  readonly isPage?: boolean;
}

export function jsonAnswer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, contentType: 'application/json; charset=utf-8', body: JSON.stringify(body), headers };
}

/** An error as every interface of the observer tells it. `code` is stable. */
export function failure(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return jsonAnswer(status, { code, message }, headers);
}

/** Sends an answer. Everything that is not said to be kept is not kept by any cache. */
export function sendAnswer(request: IncomingMessage, response: ServerResponse, answer: Answer, isOverTls: boolean): void {
  if (response.headersSent || response.destroyed) return;
  // What is left of a body is not read: the connection ends with the answer.
  const isBodyLeft = !request.complete && hasBody(request);
  response.writeHead(answer.status, {
    ...securityHeaders(answer.isPage === true ? 'page' : 'data', isOverTls),
    'cache-control': 'no-store',
    ...(isBodyLeft ? { connection: 'close' } : {}),
    ...answer.headers,
    ...(answer.status === 304 ? {} : { 'content-type': answer.contentType, 'content-length': String(Buffer.byteLength(answer.body)) }),
  });
  response.end(request.method === 'HEAD' || answer.status === 304 ? undefined : answer.body);
}

/** Whether the request says that it has a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/** The whole answer to a request that could not be parsed, as octets for its connection. */
export function malformedAnswer(errorCode: string | undefined, isOverTls: boolean): string {
  const { status, code, message } = malformed(errorCode);
  const body = JSON.stringify({ code, message });
  const headers = {
    ...securityHeaders('data', isOverTls),
    'cache-control': 'no-store',
    connection: 'close',
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`;
}

function malformed(errorCode: string | undefined): { status: number; code: string; message: string } {
  if (errorCode === 'HPE_HEADER_OVERFLOW') return { status: 431, code: 'headers-too-large', message: 'the header fields are too large' };
  if (errorCode === 'ERR_HTTP_REQUEST_TIMEOUT') return { status: 408, code: 'request-timeout', message: 'the request came too slowly' };
  return { status: 400, code: 'malformed', message: 'this is no valid HTTP request' };
}
