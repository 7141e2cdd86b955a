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
  { untilMs: recentMs, pauseMs: 500 },
  { untilMs: 600_000, pauseMs: 2_000 },
  { untilMs: Infinity, pauseMs: 10_000 },
];
/** A connection that stood this long was good: the next pause is the first again. */
const stableMs = 10_000;
/**
 * Pauses after the peer has refused this router by name (amqp:unauthorized-access): it will not change its mind soon. New certificates
 * end such a pause.
 */
const firstRefusedPauseMs = 10_000;
const maximumRefusedPauseMs = 60_000;
/** Without a sign of life for this long, a try to connect is given up. */
const dialTimeoutMs = 5000;
/**
 * The same for the first answer of TCP while the link has not been down for long: the kernel repeats a lost packet after 1 and 3 s only, a new
 * try sooner. Each fourth try is more patient, for a line on which answers take so long.
 */
const answerTimeoutMs = 700;
const patientAnswerTimeoutMs = 2000;
const patientTry = 4;

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
  #diallingSinceMs = 0;
  #link: Link | undefined;
  #dialling: Socket | undefined;
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
    const endpoint = this.#endpoints[this.#attempt++ % this.#endpoints.length] ?? this.entity;
    const { host, port } = endpoint;
    const { sslProfile } = this.entity;
    let socket: Socket;
    this.#diallingSinceMs = this.#context.clock.nowMs();
    if (sslProfile === undefined) {
      socket = connectTcp({ host, port });
      socket.once('connect', () => this.#connected(socket, undefined));
    } else {
      const profile = this.#context.tlsProfile(sslProfile);
      const { networkId } = profile.entity;
      const secure = connectTls({
        host,
        port,
        secureContext: profile.context,
        minVersion: 'TLSv1.3',
        ALPNProtocols: ['amqp'],
        ...(isIP(host) === 0 ? { servername: host } : {}),
        // In a network of our own the router's identity counts, whatever host name it is reached by.
        ...(networkId !== undefined || !this.entity.verifyHostname ? { checkServerIdentity: (): undefined => undefined } : {}),
      });
      secure.once('secureConnect', () => this.#connected(secure, networkId));
      socket = secure;
    }
    this.#dialling = socket;
    const timeoutMs = this.#answerTimeoutMs();
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${socket.timeout ?? timeoutMs} ms`)));
    socket.prependOnceListener('connect', () => socket.setTimeout(dialTimeoutMs));
    const failed = (error: Error): void => {
      if (this.#dialling !== socket) return;
      this.#dialling = undefined;
      this.#failed(explainDialError(error, socket, `${host}:${port}`), this.#pauseAfterDial());
    };
    socket.on('error', failed);
    socket.once('close', () => failed(new Error('the connection was closed')));
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
    this.#dialling = undefined;
    const link = new Link(this.#context, socket, this.entity, peer, secure ? (socket as TLSSocket).getProtocol() : null);
    this.#link = link;
    link.ended = (error): void => {
      if (this.#link !== link) return;
      this.#link = undefined;
      if (this.#context.clock.nowMs() - link.openedMs > stableMs) {
        this.#failures = 0;
        this.#refusals = 0;
      }
      const pauseMs = error?.condition === Condition.unauthorizedAccess ? this.#pauseAfterRefusal() : this.#pause();
      this.#failed(error === undefined ? 'the peer closed the link' : `${error.condition}: ${error.description}`, pauseMs);
    };
  }

  get #downMs(): number {
    return this.#failures === 0 ? 0 : this.#context.clock.nowMs() - this.#failingSinceMs;
  }

  #answerTimeoutMs(): number {
    if (this.#downMs >= recentMs) return dialTimeoutMs;
    return this.#attempt % patientTry === 0 ? patientAnswerTimeoutMs : answerTimeoutMs;
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
    const socket = this.#dialling;
    this.#dialling = undefined;
    socket?.destroy();
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
