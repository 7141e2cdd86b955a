import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { explainNetworkError } from '../host/network-error.ts';
import type { ListenerState } from '../management/operational-entities.ts';
import type { AddressChoice } from './address-choice.ts';
import { closeAtRest } from './close-at-rest.ts';
import { logRefusal } from './service.ts';
import type { ServiceContext } from './service.ts';
import { ClientTls } from './service-tls.ts';
import type { TlsProfile } from './tls-profiles.ts';

/** A port that could not be bound is tried again this often. */
const rebindMs = 1000;
/**
 * A port stays open for this long after routers have been lost: a link that fell silent for a moment is back by then, and clients wait instead
 * of being refused. (The system resets all that wait to be accepted when a port is closed.) When the last server is withdrawn it closes at once.
 */
const lingerMs = 2000;

/** The attributes that ports of TCP and HTTP services share. */
export interface PortEntity {
  readonly type: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly backlog: number;
  readonly sslProfile?: string;
  readonly authenticatePeer?: boolean;
}

export interface ServicePortOptions {
  /** The port is open while there is an address. */
  readonly addresses: Pick<AddressChoice, 'choose'>;
  /** Application protocols for TLS, in order of preference; none = whatever clients ask for. */
  readonly protocols: readonly string[];
  /** Takes a client: paused, half-open allowed; `transport` is what lies below TLS, or the same socket. */
  readonly accept: (socket: Socket, transport: Socket) => void;
}

/** The TCP socket of a service: it exists only while a server is reachable, so that clients are refused otherwise. */
export class ServicePort {
  readonly #context: ServiceContext;
  readonly #entity: PortEntity;
  readonly #options: ServicePortOptions;
  readonly #tls: ClientTls | undefined;
  #server: Server | undefined;
  /** Takes no more connections in a moment. */
  #closing: Server | undefined;
  #boundPort = 0;
  #message = '';
  #rebindTimer: NodeJS.Timeout | undefined;
  /** Runs while nothing is reachable and the port is still open. */
  #lingerTimer: NodeJS.Timeout | undefined;
  /** For clients that come meanwhile. */
  #lastAddress: string | undefined;
  /** Routers that could be reached when this was last looked at. */
  #routers = 0;
  #stopped = false;

  constructor(context: ServiceContext, entity: PortEntity, options: ServicePortOptions) {
    this.#context = context;
    this.#entity = entity;
    this.#options = options;
    if (entity.sslProfile === undefined) return;
    this.#tls = new ClientTls(context.tlsProfile(entity.sslProfile), {
      requireCertificate: entity.authenticatePeer === true,
      protocols: options.protocols,
      secured: (socket, transport) => {
        options.accept(socket, transport);
        context.turns.touch();
      },
      failed: (reason, transport) =>
        context.log.info('TLS handshake of a client failed', { [entity.type]: entity.name, from: transport.remoteAddress, reason }),
    });
  }

  /** The address for a new client; while the way to it is lost for a moment, the one that there was. */
  chooseAddress(): string | undefined {
    return this.#options.addresses.choose() ?? this.#lastAddress;
  }

  get state(): ListenerState {
    return {
      name: this.#entity.name,
      operStatus: this.#boundPort > 0 ? 'up' : 'down',
      boundPort: this.#boundPort,
      connectionMsg: this.#boundPort > 0 ? '' : this.#message || 'no connector is reachable',
    };
  }

  /** Opens or closes the socket as reachability says. Called when routes or local consumers changed. */
  update(): void {
    if (this.#stopped) return;
    const address = this.#options.addresses.choose();
    const { size } = this.#context.forwarder.table.routers;
    const isLoss = size < this.#routers;
    this.#routers = size;
    if (address !== undefined) {
      this.#lastAddress = address;
      clearTimeout(this.#lingerTimer);
      this.#lingerTimer = undefined;
      if (this.#server === undefined && this.#rebindTimer === undefined) this.#listen();
      return;
    }
    this.#message = '';
    if (this.#lingerTimer !== undefined) return;
    if (isLoss && this.#boundPort > 0) this.#lingerTimer = setTimeout(() => this.#close(false), lingerMs);
    else this.#close(false);
  }

  #listen(): void {
    const { log } = this.#context;
    const { type, host, port, name, backlog } = this.#entity;
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => this.#accept(socket));
    this.#server = server;
    server.on('error', (error) => {
      if (this.#server !== server || server.listening) {
        log.warn('accepting a connection failed', { [type]: name, reason: error.message });
        return;
      }
      const reason = explainNetworkError(error, `${host || '*'}:${port}`);
      if (this.#message !== reason) log.error('a service cannot listen', { [type]: name, reason });
      this.#message = reason;
      this.#server = undefined;
      this.#rebindTimer = setTimeout(() => {
        this.#rebindTimer = undefined;
        this.update();
      }, rebindMs);
    });
    server.listen({ port, ...(host === '' ? {} : { host }), backlog }, () => {
      if (this.#server !== server) return;
      const bound = server.address();
      this.#boundPort = typeof bound === 'object' && bound !== null ? bound.port : port;
      this.#message = '';
      log.info('service port open', { [type]: name, port: this.#boundPort });
    });
  }

  #accept(socket: Socket): void {
    const { sockets, turns } = this.#context;
    if (!sockets.take()) {
      socket.resetAndDestroy();
      logRefusal(this.#context, this.#entity);
      return;
    }
    socket.once('close', () => sockets.release());
    if (this.#tls !== undefined) {
      this.#tls.take(socket);
      return;
    }
    this.#options.accept(socket, socket);
    turns.touch();
  }

  #close(atRest: boolean): void {
    clearTimeout(this.#rebindTimer);
    this.#rebindTimer = undefined;
    clearTimeout(this.#lingerTimer);
    this.#lingerTimer = undefined;
    this.#lastAddress = undefined;
    if (this.#server === undefined) return;
    if (atRest) {
      this.#closing = this.#server;
      closeAtRest(this.#server, this.#context.clock);
    } else this.#server.close();
    this.#server = undefined;
    this.#boundPort = 0;
    this.#context.log.info('service port closed', { [this.#entity.type]: this.#entity.name });
  }

  /** New certificates for clients to come; connections that stand are left alone. */
  renew(profile: TlsProfile): void {
    this.#tls?.renew(profile);
  }

  /** Stops accepting; connections go on. */
  stopAccepting(): void {
    this.#stopped = true;
    this.#close(true);
  }

  stop(): void {
    this.#stopped = true;
    this.#close(false);
    this.#closing?.close();
    this.#tls?.stop();
  }
}
