import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { connect } from 'node:net';
import type { TestConsole } from './test-console.ts';

/** What a server answered. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  /** Trusts this certificate's issuer and asks over TLS. */
  readonly ca?: string;
  readonly maxVersion?: 'TLSv1.2';
}

/** Longer than anything that is kept waiting on purpose. */
const replyTimeoutMs = 40_000;

/** Asks with exactly these header fields. */
export function ask(port: number, path: string, { method = 'GET', headers = {}, body, ca, maxVersion }: Question = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers: headers as Record<string, string>, agent: false as const };
    const signal = AbortSignal.timeout(replyTimeoutMs);
    const outgoing =
      ca === undefined
        ? request({ ...options, signal })
        : tlsRequest({ ...options, signal, ca, ...(maxVersion === undefined ? {} : { maxVersion }) });
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    outgoing.end(body);
  });
}

/** Header fields that a browser sends with a request of a page of this console. */
export function ofOwnPage(port: number, cookie?: string): Record<string, string> {
  return {
    origin: `http://127.0.0.1:${port}`,
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'cors',
    'sec-fetch-dest': 'empty',
    'content-type': 'application/json',
    ...(cookie === undefined ? {} : { cookie }),
  };
}

/** Logs in as a page does. */
export function logIn(port: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
  return ask(port, '/api/v1/login', { method: 'POST', headers: { ...ofOwnPage(port), ...headers }, body: JSON.stringify(body) });
}

/** The name and value of the cookie that an answer sets. */
export function cookieOf({ headers }: Reply): string {
  const [first = ''] = headers['set-cookie'] ?? [];
  return first.split(';')[0] ?? '';
}

/** Logs in by a link and gives the cookie. */
export async function logInByLink(console: TestConsole): Promise<string> {
  const code = new URL(await console.loginLink()).hash.replace('#code=', '');
  const reply = await logIn(console.port, { code });
  if (reply.status !== 200) throw new Error(`the login was answered with ${reply.status}: ${reply.text}`);
  return cookieOf(reply);
}

/** Sends octets as they are and gives what comes back until the connection ends, or until `enough` of it came. */
export function exchange(port: number, text: string, enough: (answer: string) => boolean = () => false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    const timer = setTimeout(
      () => socket.destroy(new Error(`no end of the answer within ${replyTimeoutMs} ms: ${answer}`)),
      replyTimeoutMs,
    );
    socket.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? undefined : reject(error),
    );
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
    socket.setEncoding('latin1').on('data', (part: string) => {
      answer += part;
      if (enough(answer)) socket.destroy();
    });
    socket.write(text, 'latin1');
  });
}

/** A request for events as octets, of a page that is logged in. */
export function eventsRequest(port: number, cookie: string): string {
  return `GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nCookie: ${cookie}\r\nSec-Fetch-Site: same-origin\r\n\r\n`;
}
