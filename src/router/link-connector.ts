import { connect as connectTcp, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { Condition } from '../amqp/constants.ts';
import type { ConnectorEntity } from '../management/entities.ts';
import type { ConnectorState } from '../management/operational-entities.ts';
import { explainNetworkError } from '../host/network-error.ts';
import { explainTlsFailure } from '../host/peer-identity.ts';
import { splitEndpoint } from '../management/attribute-types.ts';
import { Link } from './link.ts';
import type { LinkContext } from './link-context.ts';
import { provePeer, unprovenPeer } from './link-handshake.ts';

/** First pause after a failed or lost connection; each further one is twice as long, up to the longest, ± half at random. */
const firstPauseMs = 100;
/**
 * The longest pause by how long the link has been down: most links heal soon, and then somebody waits for them; one that is down for a day is
 * not worth a packet each second.
 */
const recentMs = 60_000;
const longestPausesMs: readonly { readonly untilMs: number; readonly pauseMs: number }[] = [
  { untilMs: recentMs, pauseMs: 400 },
  { untilMs: 600_000, pauseMs: 2_000 },
  { untilMs: Infinity, pauseMs: 10_000 },
];
/** A connection that stood this long was good: whatever was before it is forgotten. */
const stableMs = 10_000;
/**
 * Pauses after the peer has refused this router by name (amqp:unauthorized-access): it will not change its mind soon. New certificates
 * end such a pause.
 */
const firstRefusedPauseMs = 10_000;
const maximumRefusedPauseMs = 60_000;
/**
 * A link that stood no longer than this was a flap, else the next pause is the first again. More flaps in a row lengthen the pause, since each
 * costs both ends a handshake and routing waits anyway until the link has stood. The first ones cost nothing: then somebody may wait for the link.
 */
const flapMs = 2_000;
const flapPausesMs: readonly number[] = [0, 0, 0, 500, 1_000, 2_000];
/** Without a sign of life for this long, a try to connect is given up. */
const dialTimeoutMs = 5000;
/**
 * While the link has not been down for long, and TCP does not answer, this many tries are made in a row, so far apart. The kernel repeats a lost
 * packet only after a second: so one goes out each quarter of a second while they last, and where the way is slow, each try has more than a second.
 */
const maxTries = 4;
const tryEveryMs = 250;
const triesTimeoutMs = 1_950;

/** Keeps a connection to another router: dials, and dials again when it is lost. */
export class LinkConnector {
  readonly entity: ConnectorEntity;
  readonly #context: LinkContext;
  readonly #endpoints: readonly { host: string; port: number }[];
  #attempt = 0;
  #failures = 0;
  /** When the first of them was. */
  #failingSinceMs = 0;
  /** Refusals in a row. */
  #refusals = 0;
  /** Links in a row that stood for a moment only. */
  #flaps = 0;
  #diallingSinceMs = 0;
  #link: Link | undefined;
  /** Tries under way; one alone once TCP has answered. */
  readonly #tries = new Set<Socket>();
  #triesTimer: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #message = 'not tried yet';

  constructor(context: LinkContext, entity: ConnectorEntity) {
    this.#context = context;
    this.entity = entity;
    const others = (entity.failoverUrls ?? '').split(',').filter((text) => text.trim() !== '');
    this.#endpoints = [
      { host: entity.host, port: entity.port },
      ...others.map((text) => {
        const { host, port } = splitEndpoint(text.trim());
        return { host, port: Number(port) };
      }),
    ];
  }

  start(): void {
    this.#dial();
  }

  get link(): Link | undefined {
    return this.#link;
  }

  get state(): ConnectorState {
    const link = this.#link;
    const up = link?.neighbour.isUp ?? false;
    return {
      name: this.entity.name,
      connectionStatus: up ? 'SUCCESS' : this.#failures > 0 ? 'FAILED' : 'CONNECTING',
      connectionMsg: up ? '' : this.#message,
      remoteContainer: up ? (link?.neighbour.routerId ?? null) : null,
    };
  }

  /** Dials at once if it is waiting, e.g. because certificates are new. */
  retryNow(): void {
    if (this.#timer === undefined || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#failures = 0;
    this.#refusals = 0;
    this.#dial();
  }

  #dial(): void {
    this.#diallingSinceMs = this.#context.clock.nowMs();
    this.#try();
  }

  /** One more try beside those that TCP has not answered yet. */
  #try(): void {
    const endpoint = this.#endpoints[this.#attempt++ % this.#endpoints.length] ?? this.entity;
    const place = `${endpoint.host}:${endpoint.port}`;
    const socket = this.#connect(endpoint);
    this.#tries.add(socket);
    socket.setTimeout(dialTimeoutMs, () => socket.destroy(new Error(`no answer within ${dialTimeoutMs} ms`)));
    socket.prependOnceListener('connect', () => this.#answered(socket));
    const failed = (error: Error): void => {
      if (!this.#tries.delete(socket) || this.#tries.size > 0) return;
      this.#triesOver();
      this.#failed(explainDialError(error, socket, place), this.#pauseAfterDial());
    };
    socket.on('error', failed);
    socket.once('close', () => failed(new Error('the connection was closed')));
    if (this.#downMs >= recentMs) return;
    const spentMs = this.#context.clock.nowMs() - this.#diallingSinceMs;
    this.#triesTimer =
      this.#tries.size < maxTries && spentMs + tryEveryMs < triesTimeoutMs
        ? setTimeout(() => this.#try(), tryEveryMs)
        : setTimeout(() => this.#giveUp(place), triesTimeoutMs - spentMs);
  }

  #connect({ host, port }: { readonly host: string; readonly port: number }): Socket {
    const { sslProfile } = this.entity;
    if (sslProfile === undefined) {
      const socket = connectTcp({ host, port });
      socket.once('connect', () => this.#connected(socket, undefined));
      return socket;
    }
    const profile = this.#context.tlsProfile(sslProfile);
    const { networkId } = profile.entity;
    const socket = connectTls({
      host,
      port,
      secureContext: profile.context,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['amqp'],
      ...(isIP(host) === 0 ? { servername: host } : {}),
      // In a network of our own the router's identity counts, whatever host name it is reached by.
      ...(networkId !== undefined || !this.entity.verifyHostname ? { checkServerIdentity: (): undefined => undefined } : {}),
    });
    socket.once('secureConnect', () => this.#connected(socket, networkId));
    return socket;
  }

  /** TCP has answered one of the tries: the others are not needed. */
  #answered(socket: Socket): void {
    if (!this.#tries.has(socket)) return;
    this.#triesOver();
    for (const other of this.#tries) if (other !== socket) this.#drop(other);
  }

  #giveUp(place: string): void {
    for (const socket of this.#tries) this.#drop(socket);
    this.#failed(`${place}: no answer within ${triesTimeoutMs} ms`, this.#pauseAfterDial());
  }

  #drop(socket: Socket): void {
    this.#tries.delete(socket);
    socket.destroy();
  }

  /** No further tries beside those under way, and no common end of them. */
  #triesOver(): void {
    clearTimeout(this.#triesTimer);
    this.#triesTimer = undefined;
  }

  #connected(socket: Socket, networkId: string | undefined): void {
    if (this.#stopped) {
      socket.destroy();
      return;
    }
    socket.setTimeout(0);
    const secure = this.entity.sslProfile !== undefined;
    const peer = secure ? provePeer(socket as TLSSocket, networkId, true) : unprovenPeer;
    if (typeof peer === 'string') {
      socket.destroy(new Error(peer));
      return;
    }
    this.#tries.delete(socket);
    const link = new Link(this.#context, socket, this.entity, peer, secure ? (socket as TLSSocket).getProtocol() : null);
    this.#link = link;
    link.ended = (error): void => {
      if (this.#link !== link) return;
      this.#link = undefined;
      this.#noteLife(link);
      const pauseMs = error?.condition === Condition.unauthorizedAccess ? this.#pauseAfterRefusal() : this.#pauseAfterLoss();
      this.#failed(error === undefined ? 'the peer closed the link' : `${error.condition}: ${error.description}`, pauseMs);
    };
  }

  #noteLife({ openedMs, neighbour }: Link): void {
    const stoodMs = this.#context.clock.nowMs() - openedMs;
    // What was accepted by something before the router, which is not there, was no link.
    if (stoodMs <= flapMs && neighbour.routerId !== '') this.#flaps++;
    if (stoodMs > flapMs) this.#failures = 0;
    if (stoodMs > stableMs) {
      this.#flaps = 0;
      this.#refusals = 0;
    }
  }

  get #downMs(): number {
    return this.#failures === 0 ? 0 : this.#context.clock.nowMs() - this.#failingSinceMs;
  }

  /** Twice as long after each failure. */
  #pause(): number {
    const longest = longestPausesMs.find(({ untilMs }) => this.#downMs < untilMs);
    return Math.min(longest?.pauseMs ?? firstPauseMs, firstPauseMs * 2 ** Math.min(this.#failures, 10));
  }

  /** A try that took longer than the pause has been pause enough: where nothing answers, the next try must not come late. */
  #pauseAfterDial(): number {
    const pauseMs = this.#pause();
    return this.#context.clock.nowMs() - this.#diallingSinceMs > pauseMs ? firstPauseMs : pauseMs;
  }

  #pauseAfterLoss(): number {
    return Math.max(this.#pause(), flapPausesMs[Math.min(this.#flaps, flapPausesMs.length - 1)] ?? 0);
  }

  #pauseAfterRefusal(): number {
    return Math.min(maximumRefusedPauseMs, firstRefusedPauseMs * 2 ** Math.min(this.#refusals++, 10));
  }

  /** Dials again after about `pauseMs`. */
  #failed(message: string, pauseMs: number): void {
    this.#message = message;
    if (this.#stopped) return;
    if (this.#failures === 0) this.#context.log.warn('link is down', { connector: this.entity.name, reason: message });
    else this.#context.log.debug('link is still down', { connector: this.entity.name, reason: message });
    if (this.#failures++ === 0) this.#failingSinceMs = this.#context.clock.nowMs();
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#dial();
      },
      pauseMs * (0.5 + this.#context.random.number()),
    );
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#triesOver();
    for (const socket of this.#tries) this.#drop(socket);
    this.#link?.close();
  }
}

/** Why dialling failed: the certificate of the peer, or what the network said. */
function explainDialError(error: Error, socket: Socket, place: string): string {
  // Undefined without TLS, null unless the certificate has been found wanting.
  const { authorizationError } = socket as { authorizationError?: unknown };
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof authorizationError !== 'string' || authorizationError !== code || code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return explainNetworkError(error, place);
  }
  return `${place}: ${explainTlsFailure(code)}`;
}
