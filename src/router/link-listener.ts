import { createServer as createTcpServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import { WeatherError } from '../base/errors.ts';
import { explainNetworkError } from '../host/network-error.ts';
import type { ListenerEntity } from '../management/entities.ts';
import type { ListenerState } from '../management/operational-entities.ts';
import { Link } from './link.ts';
import type { LinkContext } from './link-context.ts';
import { provePeer, unprovenPeer } from './link-handshake.ts';
import type { TlsProfile } from './tls-profiles.ts';

/**
 * TLS handshakes and AMQP openings that may be under way at a time: strangers must not hold more. Beyond it the oldest is closed: a router
 * needs milliseconds for its handshake, so that it gets through between any number of connections that are silent.
 */
const maxUnauthenticated = 256;
/** Of the files that are kept for links and the router itself, strangers have this part at most. */
const strangersShare = 1 / 4;
/** That there are too many is logged at most this often. */
const crowdedLogMs = 10_000;
/** Without a TLS handshake after this time the socket is closed. */
const tlsHandshakeTimeoutMs = 5000;

/** Takes connections that did not come for a link but for HTTP (ALPN `http/1.1`): redemption and renewal of certificates. */
export type HttpAcceptor = (socket: TLSSocket) => void;

/** A port on which links from other routers are accepted. */
export class LinkListener {
  readonly entity: ListenerEntity;
  readonly #context: LinkContext;
  readonly #http: (() => HttpAcceptor | undefined) | undefined;
  readonly #maxStrangers: number;
  /** With the ends of their connections. */
  readonly #links = new Map<Link, string>();
  /** Accepted connections by their ends, oldest first, that are not known to have become links. */
  readonly #strangers = new Map<string, { readonly socket: Socket; readonly acceptedMs: number }>();
  #crowdedLoggedMs = -Infinity;
  #server: Server | undefined;
  #boundPort = 0;
  #message = '';

  constructor(context: LinkContext, entity: ListenerEntity, http: (() => HttpAcceptor | undefined) | undefined) {
    this.#context = context;
    this.entity = entity;
    this.#http = http;
    this.#maxStrangers = Math.min(maxUnauthenticated, Math.ceil(context.filesKept * strangersShare));
  }

  get state(): ListenerState {
    return {
      name: this.entity.name,
      operStatus: this.#boundPort > 0 ? 'up' : 'down',
      boundPort: this.#boundPort,
      connectionMsg: this.#message,
    };
  }

  /** Begins to listen. Throws WeatherError `port-unavailable`. */
  async start(): Promise<void> {
    const { sslProfile, host, port } = this.entity;
    const server = sslProfile === undefined ? this.#plainServer() : this.#tlsServer(this.#context.tlsProfile(sslProfile));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        this.#message = explainNetworkError(error, `${host || '*'}:${port}`);
        reject(
          new WeatherError('port-unavailable', `listener '${this.entity.name}' cannot listen: ${this.#message}`, {
            cause: error,
            remedy: 'stop what uses the port, or choose another port or host',
          }),
        );
      });
      server.listen({ port, ...(host === '' ? {} : { host }) }, resolve);
    });
    // Errors of accept (no file descriptors left, say) pass; the port stays open.
    server.on('error', (error) => this.#context.log.warn('accepting a link failed', { reason: error.message }));
    const bound = server.address();
    this.#boundPort = typeof bound === 'object' && bound !== null ? bound.port : port;
    this.#message = '';
  }

  #plainServer(): Server {
    return createTcpServer((socket) => {
      socket.on('error', () => socket.destroy());
      this.#admit(socket);
      this.#open(socket, unprovenPeer, null);
    });
  }

  #tlsServer(profile: TlsProfile): TlsServer {
    const server = createTlsServer({
      ...profile.options,
      requestCert: true,
      // Decided after the handshake, where the reason can be told and where redemption needs no certificate.
      rejectUnauthorized: false,
      handshakeTimeout: tlsHandshakeTimeoutMs,
      ALPNProtocols: this.#http === undefined ? ['amqp'] : ['amqp', 'http/1.1'],
    });
    server.on('connection', (socket: Socket) => this.#admit(socket));
    server.on('tlsClientError', (error, socket) => {
      this.#context.log.info('TLS handshake failed', { listener: this.entity.name, from: socket.remoteAddress, reason: error.message });
      socket.destroy();
    });
    server.on('secureConnection', (socket) => this.#secured(socket));
    return server;
  }

  /** Makes room for a connection by closing the oldest that has not become a link. */
  #admit(socket: Socket): void {
    const strangers = this.#strangers;
    if (strangers.size >= this.#maxStrangers) {
      for (const [{ connection }, ends] of this.#links) if (connection.opened) strangers.delete(ends);
    }
    const [oldest] = strangers.size >= this.#maxStrangers ? strangers : [];
    if (oldest !== undefined) {
      this.#logCrowd();
      strangers.delete(oldest[0]);
      oldest[1].socket.destroy();
    }
    const ends = endsOf(socket);
    strangers.set(ends, { socket, acceptedMs: this.#context.clock.nowMs() });
    socket.once('close', () => {
      if (strangers.get(ends)?.socket === socket) strangers.delete(ends);
    });
  }

  #logCrowd(): void {
    const { clock, log } = this.#context;
    const nowMs = clock.nowMs();
    if (nowMs - this.#crowdedLoggedMs < crowdedLogMs) return;
    this.#crowdedLoggedMs = nowMs;
    log.warn('too many connections have not become links; the oldest are closed', {
      listener: this.entity.name,
      limit: this.#maxStrangers,
    });
  }

  #secured(socket: TLSSocket): void {
    socket.on('error', () => socket.destroy());
    const profile = this.#context.tlsProfile(this.entity.sslProfile ?? '');
    const acceptHttp = socket.alpnProtocol === 'http/1.1' ? this.#http?.() : undefined;
    if (acceptHttp !== undefined) {
      acceptHttp(socket);
      return;
    }
    const peer = provePeer(socket, profile.entity.networkId, this.entity.authenticatePeer);
    if (typeof peer === 'string') {
      this.#context.log.warn('link refused', { listener: this.entity.name, from: socket.remoteAddress, reason: peer });
      this.#context.audit.record({ event: 'linkRefused', fields: { from: socket.remoteAddress, reason: peer } });
      socket.destroy();
      return;
    }
    this.#open(socket, peer, socket.getProtocol());
  }

  #open(socket: Socket, peer: Link['peer'], tlsVersion: string | null): void {
    if (socket.destroyed) return;
    const ends = endsOf(socket);
    // TLS and AMQP share one deadline: what the first has used is gone.
    const nowMs = this.#context.clock.nowMs();
    const spentMs = tlsVersion === null ? 0 : Math.round(nowMs - (this.#strangers.get(ends)?.acceptedMs ?? nowMs));
    const link = new Link(this.#context, socket, this.entity, peer, tlsVersion, spentMs);
    this.#links.set(link, ends);
    link.ended = (error): void => {
      this.#links.delete(link);
      if (link.neighbour.routerId !== '') return;
      this.#context.log.info('a connection did not become a link', {
        listener: this.entity.name,
        from: link.remoteHost,
        reason: error?.description,
      });
    };
  }

  /** New certificates for connections to come; those that stand are left alone. */
  renew(profile: TlsProfile): void {
    (this.#server as TlsServer | undefined)?.setSecureContext?.(profile.options);
  }

  /** Stops accepting; links stand. */
  stopAccepting(): void {
    this.#server?.close();
    this.#boundPort = 0;
  }

  stop(): void {
    this.stopAccepting();
    for (const link of Array.from(this.#links.keys())) link.close();
  }
}

/** Remote and local address as one text. A TLS socket gives the same as the socket below it. */
function endsOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort} ${socket.localAddress}:${socket.localPort}`;
}
