import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { InputError, WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import {
  maxRequestBytes,
  parseRedemptionRequest,
  parseRenewalRequest,
  redeemPathPrefix,
  renewPath,
  requestTimeoutMs,
} from '../pki/redemption-protocol.ts';
import type { Admission, RedemptionRequest, RenewalRequest } from '../pki/redemption-protocol.ts';
import { FailedTries } from './failed-tries.ts';
import { RevokedError } from './trust-revocation.ts';
import type { RedeemResult } from './trust-issuing.ts';

/** What the server asks of the trust store. */
interface RedemptionHandler {
  redeem(grantId: string, request: RedemptionRequest, remoteAddress: string): Promise<RedeemResult>;
  renew(request: RenewalRequest, remoteAddress: string): Promise<Admission>;
}

export interface RedemptionServerOptions {
  readonly handler: RedemptionHandler;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** Connections at a time; more are closed. */
  readonly connectionLimit?: number;
  /** Ends the server as disposal does. */
  readonly signal?: AbortSignal;
}

export interface RedemptionServer extends AsyncDisposable {
  /** Serves one request on an accepted TLS connection (ALPN `http/1.1`) and closes it. Takes over the socket. */
  accept(socket: TLSSocket): void;
}

/** Enough for a rush of a whole fleet, and at most 256 x 8 KiB of bodies in memory. */
const defaultConnectionLimit = 256;
/** Request line and headers. Ours have about 200 bytes. */
const maxHeaderBytes = 4096;
/** Longest life of a connection: the request's deadline, and as long again for the work and the answer. */
const connectionTimeoutMs: number = 2 * requestTimeoutMs;

/** Every token that cannot be used gets this, so that the answer does not tell whether it exists, existed, or was used. */
const notFound = { code: 'not-found', message: 'this token cannot be redeemed: it is unknown, expired, used up or altered' };

/** Serves redemption and renewal on connections that the link port's TLS server hands over. It listens to nothing itself. */
export function createRedemptionServer(options: RedemptionServerOptions): RedemptionServer {
  const { handler, log, nowMs, connectionLimit = defaultConnectionLimit, signal } = options;
  const failedTries = new FailedTries(nowMs);
  const sockets = new Map<TLSSocket, NodeJS.Timeout>();
  let closed = false;

  const server = createServer({ maxHeaderSize: maxHeaderBytes, keepAlive: false }, (request, response) => {
    response.setHeader('connection', 'close');
    answer(request, response).catch((error: unknown) => {
      log.error('redemption failed', { reason: String(error) });
      if (response.headersSent) response.destroy();
      else send(response, 500, { code: 'internal', message: 'the issuer could not answer; its log says why' });
    });
  });
  server.on('clientError', (_error, socket) => socket.destroy());

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const remoteAddress = request.socket.remoteAddress ?? 'unknown';
    const path = request.url ?? '';
    const isRenewal = path === renewPath;
    if (!isRenewal && !path.startsWith(redeemPathPrefix)) return send(response, 404, notFound);
    if (request.method !== 'POST') return send(response, 405, { code: 'method-not-allowed', message: 'use POST' });
    if (failedTries.isBlocked(remoteAddress)) {
      response.setHeader('retry-after', '60');
      return send(response, 429, { code: 'too-many-tries', message: 'too many failed tries from this address; wait a minute' });
    }
    const body = await readBody(request);
    if (body === undefined) return send(response, 413, { code: 'too-large', message: `a request has at most ${maxRequestBytes} bytes` });
    try {
      if (isRenewal) return send(response, 200, await handler.renew(parseRenewalRequest(body), remoteAddress));
      const grantId = path.slice(redeemPathPrefix.length);
      const result = await handler.redeem(grantId, parseRedemptionRequest(body), remoteAddress);
      if (result.outcome === 'admitted') return send(response, 200, result.admission);
      if (result.verdict === 'wrong-code') failedTries.add(remoteAddress);
      return send(response, 404, notFound);
    } catch (error) {
      if (!(error instanceof WeatherError)) throw error;
      failedTries.add(remoteAddress);
      log.warn('request refused', { path: isRenewal ? renewPath : redeemPathPrefix, remoteAddress, reason: error.message });
      const statement = error instanceof RevokedError ? error.statement : undefined;
      const { code, message, remedy } = error;
      return send(response, statusOf(error), {
        code,
        message,
        remedy,
        ...(statement === undefined ? {} : { revocation: Buffer.from(statement).toString('base64') }),
      });
    }
  }

  function accept(socket: TLSSocket): void {
    if (closed || sockets.size >= connectionLimit) {
      socket.destroy();
      return;
    }
    const timer = setTimeout(() => socket.destroy(), requestTimeoutMs);
    sockets.set(socket, timer);
    socket.once('close', () => {
      clearTimeout(sockets.get(socket));
      sockets.delete(socket);
    });
    socket.on('error', () => socket.destroy());
    server.emit('connection', socket);
  }

  /** Reads the body, or undefined when it is too long. With its end the connection gets the time for the answer. */
  async function readBody(request: IncomingMessage): Promise<string | undefined> {
    if (Number(request.headers['content-length'] ?? 0) > maxRequestBytes) return undefined;
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxRequestBytes) return undefined;
      chunks.push(chunk);
    }
    const socket = request.socket as TLSSocket;
    clearTimeout(sockets.get(socket));
    if (sockets.has(socket)) {
      sockets.set(
        socket,
        setTimeout(() => socket.destroy(), connectionTimeoutMs - requestTimeoutMs),
      );
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  async function close(): Promise<void> {
    closed = true;
    signal?.removeEventListener('abort', destroyAll);
    destroyAll();
    await Promise.resolve();
  }

  function destroyAll(): void {
    closed = true;
    for (const socket of sockets.keys()) socket.destroy();
  }

  if (signal?.aborted === true) closed = true;
  signal?.addEventListener('abort', destroyAll, { once: true });
  return { accept, [Symbol.asyncDispose]: close };
}

function statusOf(error: WeatherError): number {
  if (error instanceof InputError) return error.code === 'membership-refused' ? 403 : 400;
  return error.code === 'not-an-issuer' || error.code === 'no-network' ? 404 : 503;
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
