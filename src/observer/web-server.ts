import { randomBytes } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { isIP } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { InputError, WeatherError } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { explainNetworkError } from '../host/network-error.ts';
import { builtConsole } from './console-build.ts';
import type { ObserverEvents, RestHandler, RestRequest, RestResponse } from './rest-handler.ts';
import { failure, jsonAnswer, malformedAnswer, sendAnswer } from './web-answer.ts';
import { EventStreams } from './web-event-streams.ts';
import { readWebFiles } from './web-files.ts';
import { loginCodeLifetimeMs } from './web-login-codes.ts';
import { Login } from './web-login.ts';
import { AllowedHosts } from './web-origin.ts';
import { Passwords, readPrivateFile } from './web-passwords.ts';
import { isStillValid, WebRoutes } from './web-routes.ts';
import { Sessions } from './web-sessions.ts';

export interface WebServerOptions {
  /** Port 0: a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string };
  /** A proxy with TLS stands in front, so that another address than loopback may be listened on without. */
  readonly behindProxy?: boolean;
  /** Names besides the address and those of loopback that requests may be sent to. */
  readonly hostNames?: readonly string[];
  readonly rest: RestHandler;
  readonly events: ObserverEvents;
  /** The observer's own folder: users and the token for metrics. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly siteName: () => string;
  /** Built pages to serve instead of the console's own. */
  readonly consoleFolder?: string;
}

export interface WebServer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
  /** Where browsers find it. */
  readonly url: string;
  /** What the owner of the site may ask over the observer's unix socket: `/control/...`. */
  readonly control: RestHandler;
}

/** Cookies of all ports of 127.0.0.1 come along with each request, so the header fields may be larger than this server's own. */
const maxHeaderBytes: number = 16 * 1024;
/** Browsers hold six connections each, and one for each event stream. */
const maxConnections = 256;
/** Requests that are being answered. Beyond it: 429. */
const maxRequests = 64;
/** From the first octet of a request to the last of its header fields, and to the last of its body. */
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 15_000;
const keepAliveTimeoutMs = 10_000;
const handshakeTimeoutMs = 5000;
/** A client has to have taken an answer by then. */
const answerTimeoutMs = 60_000;
/** How often it looks for requests, sessions and certificates whose time is over. */
const connectionsCheckMs = 1000;
const sweepMs = 15_000;

/** Serves the console and the observer's interfaces to browsers. Throws InputError or WeatherError when it cannot listen. */
export async function openWebServer(options: WebServerOptions): Promise<WebServer> {
  const { listen, tls, behindProxy = false, hostNames = [], folder, clock, log, siteName } = options;
  if (!isLoopback(listen.host) && tls === undefined && !behindProxy) {
    throw new InputError('console-not-loopback', '--listen', `${listen.host} is not a loopback address, and there is no TLS`, {
      remedy: 'add --tls-cert and --tls-key, or --behind-proxy when a proxy with TLS stands in front; or listen on 127.0.0.1',
    });
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const isOverTls = tls !== undefined || behindProxy;
  const serverOptions: ServerOptions = {
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: connectionsCheckMs,
    // Answered here, with all header fields.
    requireHostHeader: false,
  };
  const certificate = tls === undefined ? undefined : await readCertificate(tls);
  const secure =
    certificate === undefined
      ? undefined
      : createTlsServer({ ...serverOptions, ...certificate.context, minVersion: 'TLSv1.3', handshakeTimeout: handshakeTimeoutMs });
  const server: Server = secure ?? createServer(serverOptions);
  server.maxConnections = maxConnections;
  const address = await listenAt(server, listen.host, listen.port);

  const sessions = new Sessions(clock);
  const passwords = new Passwords(folder, () => clock.nowMs());
  const login = new Login(passwords, log, () => clock.nowMs());
  const streams = new EventStreams(options.events, clock);
  const files = (options.consoleFolder === undefined ? builtConsole(log) : Promise.resolve(options.consoleFolder)).then(readWebFiles);
  files.catch((error: unknown) =>
    log.error('the console has no pages', { reason: error instanceof Error ? error.message : String(error) }),
  );
  const routes = new WebRoutes({
    rest: options.rest,
    streams,
    sessions,
    login,
    passwords,
    metricsToken: await metricsToken(folder),
    files,
    hosts: new AllowedHosts(listen.host, hostNames),
    origins: (host) => {
      if (tls !== undefined) return [`https://${host}`];
      return behindProxy ? [`https://${host}`, ...(isLoopback(host.replace(/:\d+$/, '')) ? [`http://${host}`] : [])] : [`http://${host}`];
    },
    // Cookies do not tell ports apart: with the port in the name, consoles of two networks on one host do not end each other's sessions.
    cookieName: `__Host-session-${address.port}`,
    isOverTls,
    siteName,
    log,
  });
  serve(server, routes, isOverTls);

  const url = urlOf(options, address.port);
  let readMs = certificate?.readMs;
  const timer = setInterval(() => {
    endInvalid(sessions, passwords).catch((error: unknown) =>
      log.error('the users of the console cannot be read', { reason: String(error) }),
    );
    if (tls === undefined || secure === undefined) return;
    renewedCertificate(tls, readMs ?? 0).then(
      (renewed) => {
        if (renewed === undefined) return;
        readMs = renewed.readMs;
        secure.setSecureContext({ ...renewed.context, minVersion: 'TLSv1.3' });
        log.info('the console has a new certificate');
      },
      (error: unknown) => log.warn('the new certificate of the console cannot be used', { reason: String(error) }),
    );
  }, sweepMs);
  log.info('the console listens', { url });
  return {
    address: { host: listen.host, port: address.port },
    url,
    control: { handle: (request) => Promise.resolve(control(request, { url, login, sessions, clock })) },
    async [Symbol.asyncDispose](): Promise<void> {
      clearInterval(timer);
      streams[Symbol.dispose]();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await files.catch(() => undefined);
    },
  };
}

/** Sessions whose time is over, or whose user has another password by now: also those that only read events. */
async function endInvalid(sessions: Sessions, passwords: Passwords): Promise<void> {
  for (const { session } of sessions.list()) if (!(await isStillValid(session, passwords))) sessions.endOne(session);
}

function serve(server: Server, routes: WebRoutes, isOverTls: boolean): void {
  let requests = 0;
  /** Connections on which something is being answered: no other answer may be written there. */
  const answering = new Map<Socket, number>();
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    answering.set(socket, (answering.get(socket) ?? 0) + 1);
    let isCounted = true;
    requests++;
    const done = (): void => {
      if (isCounted) requests--;
      isCounted = false;
    };
    const deadline = setTimeout(() => response.destroy(), answerTimeoutMs);
    response.once('close', () => {
      clearTimeout(deadline);
      done();
      const left = (answering.get(socket) ?? 1) - 1;
      if (left > 0) answering.set(socket, left);
      else answering.delete(socket);
    });
    if (requests > maxRequests) {
      sendAnswer(request, response, failure(429, 'too-many-requests', 'too many requests at a time', { 'retry-after': '1' }), isOverTls);
      return;
    }
    void routes.handle(request, response).then(() => {
      // An event stream has limits of its own.
      if (!response.headersSent || response.writableEnded) return;
      clearTimeout(deadline);
      done();
    });
  });
  // 100-continue is Node's own answer; of any other expectation only the refusal.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    sendAnswer(request, response, failure(417, 'unknown-expectation', 'only 100-continue can be expected'), isOverTls);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable || answering.has(socket) || error.code === 'ECONNRESET') socket.destroy();
    else socket.end(malformedAnswer(error.code, isOverTls), () => socket.destroy());
  });
  server.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
}

async function listenAt(server: Server, host: string, port: number): Promise<AddressInfo> {
  // The name can mean something else in a hosts file; a loopback address cannot.
  const address = host === 'localhost' ? '127.0.0.1' : host;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new WeatherError('console-port', explainNetworkError(cause, `${host}:${port}`), {
          cause,
          remedy: 'choose another one with --listen',
        }),
      );
    });
    server.listen({ host: address, port }, resolve);
  });
  server.removeAllListeners('error');
  server.on('error', () => undefined);
  return server.address() as AddressInfo;
}

/** The token that scrapers of metrics send; made at the first start. */
async function metricsToken(folder: string): Promise<string> {
  const file = `${folder}/metrics-token`;
  const known = (await readPrivateFile(file, 1024))?.trim();
  if (known !== undefined && /^[\w-]{32,200}$/.test(known)) return known;
  const token = randomBytes(32).toString('base64url');
  await writeFileAtomic(file, `${token}\n`);
  return token;
}

interface ControlOptions {
  readonly url: string;
  readonly login: Login;
  readonly sessions: Sessions;
  readonly clock: Clock;
}

function control({ method, path, query }: RestRequest, { url, login, sessions, clock }: ControlOptions): RestResponse {
  const answer = ((): { status: number; contentType: string; body: string | Uint8Array } => {
    if (method === 'POST' && path === '/control/login-link') {
      // Behind a number sign: browsers keep it to themselves, so it is in no log.
      return jsonAnswer(200, { url: `${url}/login#code=${login.codes.issue()}`, expiresMs: clock.wallMs() + loginCodeLifetimeMs });
    }
    if (method === 'POST' && path === '/control/end-sessions') {
      return jsonAnswer(200, { ended: sessions.endAll(query.get('user') ?? undefined) });
    }
    if (method === 'GET' && path === '/control/sessions') {
      const rows = sessions.list().map(({ session, usedWallMs }) => ({
        number: session.number,
        user: session.user,
        how: session.how,
        remoteAddress: session.remoteAddress,
        openedMs: session.openedWallMs,
        usedMs: usedWallMs,
        expiresMs: session.expiresMs,
      }));
      return jsonAnswer(200, { sessions: rows });
    }
    return failure(404, 'not-found', 'there is nothing here');
  })();
  return { ...answer, body: String(answer.body) };
}

interface Certificate {
  readonly context: { readonly cert: string; readonly key: string };
  readonly readMs: number;
}

async function readCertificate({ certificateFile, keyFile }: { certificateFile: string; keyFile: string }): Promise<Certificate> {
  try {
    const readMs = await changedMs(certificateFile, keyFile);
    return { context: { cert: await readFile(certificateFile, 'utf8'), key: await readFile(keyFile, 'utf8') }, readMs };
  } catch (cause) {
    throw new WeatherError('console-certificate', `cannot read the certificate of the console: ${(cause as Error).message}`, { cause });
  }
}

/** The certificate when its files are newer. */
async function renewedCertificate(files: { certificateFile: string; keyFile: string }, readMs: number): Promise<Certificate | undefined> {
  return (await changedMs(files.certificateFile, files.keyFile)) > readMs ? readCertificate(files) : undefined;
}

async function changedMs(...files: readonly string[]): Promise<number> {
  return Math.max(...(await Promise.all(files.map(async (file) => (await stat(file)).mtimeMs))));
}

function urlOf({ listen, tls, behindProxy = false, hostNames = [] }: WebServerOptions, port: number): string {
  const [name] = hostNames;
  if (behindProxy && name !== undefined) return `https://${name}`;
  const isAny = listen.host === '0.0.0.0' || listen.host === '::';
  const host = name ?? (isAny ? 'localhost' : listen.host);
  return `${tls === undefined ? 'http' : 'https'}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}
