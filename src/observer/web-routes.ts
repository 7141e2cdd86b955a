import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../base/log.ts';
import type { RestHandler } from './rest-handler.ts';
import { failure, hasBody, jsonAnswer, sendAnswer } from './web-answer.ts';
import type { Answer } from './web-answer.ts';
import { readJsonBody } from './web-body.ts';
import { windowOf, type EventStreams } from './web-event-streams.ts';
import type { WebFile, WebFiles } from './web-files.ts';
import { securityHeaders } from './web-headers.ts';
import type { Login } from './web-login.ts';
import { isFromOwnPages } from './web-origin.ts';
import type { AllowedHosts, Purpose } from './web-origin.ts';
import type { Passwords } from './web-passwords.ts';
import type { Session, Sessions } from './web-sessions.ts';

const loginPath = '/api/v1/login';
const logoutPath = '/api/v1/logout';
const sessionPath = '/api/v1/session';
const eventsPath = '/api/v1/events';
const metricsPath = '/metrics';

/** What requests are answered from. */
export interface WebRoutesOptions {
  readonly rest: RestHandler;
  readonly streams: EventStreams;
  readonly sessions: Sessions;
  readonly login: Login;
  readonly passwords: Passwords;
  /** What scrapers of metrics have to send. */
  readonly metricsToken: string;
  /** The console's pages, when they are there. */
  readonly files: Promise<WebFiles>;
  readonly hosts: AllowedHosts;
  /** Origins of this server's pages, when they are reached by a Host. */
  readonly origins: (host: string) => readonly string[];
  readonly cookieName: string;
  readonly isOverTls: boolean;
  readonly siteName: () => string;
  readonly log: Logger;
}

/**
 * Answers one request, in this order: is it well formed, by which name did it come, who says the browser is asking, what may the
 * path be asked, and who has logged in.
 */
export class WebRoutes {
  readonly #options: WebRoutesOptions;

  constructor(options: WebRoutesOptions) {
    this.#options = options;
  }

  /** Never throws. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { log, isOverTls } = this.#options;
    let answer: Answer | 'streaming';
    try {
      answer = await this.#answer(request, response);
    } catch (error) {
      log.error('a request to the console failed', { reason: error instanceof Error ? error.message : String(error) });
      answer = failure(500, 'internal', 'the observer could not answer; its log says why');
    }
    if (answer !== 'streaming') sendAnswer(request, response, answer, isOverTls);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Answer | 'streaming'> {
    const { hosts, origins } = this.#options;
    const { method = '', url = '', headers } = request;
    const [host = '', ...otherHosts] = request.headersDistinct['host'] ?? [];
    if (otherHosts.length > 0 || !url.startsWith('/')) return failure(400, 'malformed', 'a request names one path and one host');
    if (!hosts.allows(host, request.socket.localAddress)) {
      return failure(421, 'unknown-host', 'this console is not reached by that name; more names are allowed with --host-name');
    }
    if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') return methodNotAllowed('GET, HEAD, POST');
    const target = targetOf(url);
    if (target === undefined) return failure(400, 'malformed', 'the path is not valid');
    const { path, query } = target;
    const purpose: Purpose = method === 'POST' ? 'change' : isData(path) ? 'data' : 'page';
    if (!isFromOwnPages(headers, origins(host.toLowerCase()), purpose)) {
      return failure(403, 'foreign-origin', 'a page of another origin may not ask this');
    }
    if (path === loginPath || path === logoutPath) {
      if (method !== 'POST') return methodNotAllowed('POST');
      return path === loginPath ? this.#logIn(request) : this.#logOut(request);
    }
    if (method === 'POST') return methodNotAllowed('GET, HEAD');
    if (hasBody(request)) return failure(400, 'malformed', 'a request to read has no body');
    if (!isData(path)) return this.#file(path, request);
    return this.#data(request, response, path, query);
  }

  async #data(request: IncomingMessage, response: ServerResponse, path: string, query: URLSearchParams): Promise<Answer | 'streaming'> {
    const { rest, siteName } = this.#options;
    const session = await this.#session(request);
    if (session === undefined && !(path === metricsPath && this.#hasMetricsToken(request))) {
      const challenge: Record<string, string> = path === metricsPath ? { 'www-authenticate': 'Bearer' } : {};
      return failure(401, 'login-required', 'log in first: van console prints a link', challenge);
    }
    if (session !== undefined && path === sessionPath) {
      return jsonAnswer(200, { user: session.user, expiresMs: session.expiresMs, site: siteName() });
    }
    if (session !== undefined && path === eventsPath) {
      return request.method === 'GET' ? this.#stream(response, session, query) : methodNotAllowed('GET');
    }
    // A HEAD is answered as the GET would be, without its body.
    const answer = await rest.handle({ method: 'GET', path, query, user: session?.user ?? 'metrics' });
    return answer;
  }

  #stream(response: ServerResponse, session: Session, query: URLSearchParams): Answer | 'streaming' {
    const { streams, sessions, isOverTls } = this.#options;
    const windowMs = windowOf(query);
    if (typeof windowMs !== 'number') return windowMs;
    if (streams.isFull) return failure(429, 'too-many-streams', 'too many pages are reading events', { 'retry-after': '10' });
    for (const [name, value] of Object.entries(securityHeaders('data', isOverTls))) response.setHeader(name, value);
    streams.open(response, windowMs, session.ended, () => sessions.use(session));
    return 'streaming';
  }

  async #logIn(request: IncomingMessage): Promise<Answer> {
    const { login, sessions, log } = this.#options;
    const body = await readJsonBody(request);
    if ('answer' in body) return body.answer;
    const remoteAddress = request.socket.remoteAddress ?? 'unknown';
    const result = await login.attempt(body.value, remoteAddress);
    if (result.outcome === 'malformed') return failure(400, 'malformed', 'send {"code"} or {"user", "password"}');
    if (result.outcome === 'later') {
      return failure(429, 'too-many-tries', 'too many failed logins; wait a minute, or use a login link', { 'retry-after': '60' });
    }
    if (result.outcome === 'refused') {
      return failure(401, 'login-failed', 'the link or password is not valid: links work once, for a minute');
    }
    // Whatever session the browser had ends: an id that somebody planted is worth nothing.
    const before = await this.#session(request);
    if (before !== undefined) sessions.endOne(before);
    const { id, session } = sessions.open(result.login);
    log.info('login', { user: session.user, how: session.how, remoteAddress });
    const granted = { user: session.user, expiresMs: session.expiresMs };
    return jsonAnswer(200, granted, { 'set-cookie': `${this.#options.cookieName}=${id}; Path=/; Secure; HttpOnly; SameSite=Strict` });
  }

  async #logOut(request: IncomingMessage): Promise<Answer> {
    const { sessions, cookieName, log } = this.#options;
    const body = await readJsonBody(request);
    if ('answer' in body) return body.answer;
    const session = await this.#session(request);
    if (session === undefined) return failure(401, 'login-required', 'there is no session to end');
    sessions.endOne(session);
    log.info('logout', { user: session.user });
    return jsonAnswer(
      200,
      {},
      {
        'set-cookie': `${cookieName}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0`,
        'clear-site-data': '"cache"',
      },
    );
  }

  /** The session of a request. One of a user whose password was changed or removed ends here. */
  async #session(request: IncomingMessage): Promise<Session | undefined> {
    const { sessions, passwords, cookieName } = this.#options;
    const ids = cookieValues(request.headers.cookie ?? '', cookieName);
    // Two of one name: somebody else set one of them.
    if (ids.length !== 1 || ids[0] === undefined) return undefined;
    const session = sessions.find(ids[0]);
    if (session === undefined || (await isStillValid(session, passwords))) return session;
    sessions.endOne(session);
    return undefined;
  }

  #hasMetricsToken({ headers }: IncomingMessage): boolean {
    const sent = /^Bearer +([\w-]{1,200})$/i.exec(headers.authorization ?? '')?.[1];
    return sent !== undefined && timingSafeEqual(hashOf(sent), hashOf(this.#options.metricsToken));
  }

  async #file(path: string, { headers }: IncomingMessage): Promise<Answer> {
    const { log, files: reading } = this.#options;
    let files: WebFiles;
    try {
      files = await reading;
    } catch (error) {
      log.debug('there are no pages', { reason: String(error) });
      return failure(503, 'console-build', 'the pages of the console are not there; the log of the observer says why');
    }
    // Paths of the console's own pages have no dot: those of files do.
    const lastName = path.slice(path.lastIndexOf('/') + 1);
    const file = files.get(path) ?? (lastName.includes('.') ? undefined : files.get('/index.html'));
    return file === undefined ? failure(404, 'not-found', 'there is nothing here') : fileAnswer(file, headers);
  }
}

/** Whether the user of a session still has the password that opened it. */
export async function isStillValid({ how, user, passwordMark }: Session, passwords: Passwords): Promise<boolean> {
  return how === 'link' || (await passwords.mark(user)) === passwordMark;
}

function fileAnswer(file: WebFile, headers: IncomingMessage['headers']): Answer {
  const { contentType, body, compressed, etag, isImmutable, isPage } = file;
  const isCompressed = compressed !== undefined && /(?:^|[\s,])gzip(?:[\s,]|$)/i.test(headers['accept-encoding'] ?? '');
  return {
    status: headers['if-none-match'] === etag ? 304 : 200,
    contentType,
    body: isCompressed ? compressed : body,
    isPage,
    headers: {
      etag,
      'cache-control': isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      ...(compressed === undefined ? {} : { vary: 'accept-encoding' }),
      ...(isCompressed ? { 'content-encoding': 'gzip' } : {}),
    },
  };
}

/** Everything but the pages and their files. */
function isData(path: string): boolean {
  return path === '/api' || path.startsWith('/api/') || path === metricsPath || path === '/openapi.json';
}

/** Path and query as they came; undefined for a path that different programs may read differently. */
function targetOf(url: string): { readonly path: string; readonly query: URLSearchParams } | undefined {
  const at = url.indexOf('?');
  const path = at === -1 ? url : url.slice(0, at);
  if (!/^(?:\/[\w.~!$&'()*+,;=:@%-]*)+$/.test(path) || /\/\/|\/\.\.?(?:\/|$)|%(?![\da-f]{2})|%(?:2f|5c|00|2e%2e)/i.test(path))
    return undefined;
  return { path, query: new URLSearchParams(at === -1 ? '' : url.slice(at + 1)) };
}

function methodNotAllowed(allow: string): Answer {
  return failure(405, 'method-not-allowed', `use ${allow}`, { allow });
}

function cookieValues(header: string, name: string): readonly string[] {
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
