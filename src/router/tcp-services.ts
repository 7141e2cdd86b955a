import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import { explainNetworkError } from '../host/network-error.ts';
import { TcpSocket } from '../host/tcp-socket.ts';
import type { TurnQueue } from '../host/turn.ts';
import type { ListenerAddressEntity, TcpConnectorEntity, TcpListenerEntity } from '../management/entities.ts';
import type { ListenerState, TcpCounters } from '../management/operational-entities.ts';
import { TcpConnector } from '../services/tcp/connector.ts';
import { TcpListener } from '../services/tcp/listener.ts';
import type { WindowBudget } from '../services/tcp/window-budget.ts';
import { closeAtRest } from './close-at-rest.ts';
import type { SocketBudget } from './socket-budget.ts';

/** A port that could not be bound is tried again this often. */
const rebindMs = 1000;
/**
 * A port stays open for this long after routers have been lost: a link that fell silent for a moment is back by then, and clients wait instead
 * of being refused. (The system resets all that wait to be accepted when a port is closed.) When the last server is withdrawn it closes at once.
 */
const lingerMs = 2000;
/** A server that does not answer within this time counts as failed. */
const connectTimeoutMs = 10_000;

export interface ServiceContext {
  readonly forwarder: Forwarder;
  readonly turns: TurnQueue;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Shared by all services of the router. */
  readonly windows: WindowBudget;
  readonly sockets: SocketBudget;
  /** A new identity for a connection. */
  nextFlowId(): string;
}

/** Tells, once in a while, that the process has no files left for services. */
function logRefusal({ sockets, clock, log }: ServiceContext, entity: TcpListenerEntity | TcpConnectorEntity): void {
  if (!sockets.refused(clock.nowMs())) return;
  log.warn('no file descriptors are left for services: connections are refused', {
    [entity.type]: entity.name,
    limit: sockets.limit,
    keptForLinks: sockets.reserved,
    remedy: 'raise the limit of open files: ulimit -n, or LimitNOFILE= of a systemd unit',
  });
}

/** A tcpListener: its socket exists only while a connector is reachable, so that clients are refused otherwise. */
export class TcpListenerPort {
  readonly entity: TcpListenerEntity;
  readonly service: TcpListener;
  readonly #context: ServiceContext;
  /** By listenerAddress name; empty for a listener of one address. */
  readonly #addresses = new Map<string, ListenerAddressEntity>();
  #server: Server | undefined;
  /** Takes no more connections in a moment. */
  #closing: Server | undefined;
  #boundPort = 0;
  #message = '';
  #timer: NodeJS.Timeout | undefined;
  /** Runs while nothing is reachable and the port is still open. */
  #lingerTimer: NodeJS.Timeout | undefined;
  /** For clients that come meanwhile. */
  #lastAddress: string | undefined;
  /** Routers that could be reached when this was last looked at. */
  #routers = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(context: ServiceContext, entity: TcpListenerEntity) {
    this.#context = context;
    this.entity = entity;
    this.service = new TcpListener(
      context.forwarder,
      () => this.#chooseAddress() ?? this.#lastAddress,
      () => context.nextFlowId(),
      context.clock,
      (dueMs) => this.#retryAt(dueMs),
      context.log.child('tcp'),
      context.windows,
    );
  }

  /** Streams that found no way wait for this. */
  #retryAt(dueMs: number): void {
    const { clock, turns } = this.#context;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(
      () => {
        this.service.retryDue();
        turns.touch();
      },
      Math.max(1, Math.ceil(dueMs - clock.nowMs())),
    );
  }

  addAddress(address: ListenerAddressEntity): void {
    this.#addresses.set(address.name, address);
    this.update();
  }

  removeAddress(name: string): void {
    this.#addresses.delete(name);
    this.update();
  }

  /** One address: that, if reachable. Priority: the highest reachable. Weighted: at random among the reachable, by weight. */
  #chooseAddress(): string | undefined {
    const { forwarder, random } = this.#context;
    const { address, multiAddressStrategy } = this.entity;
    if (multiAddressStrategy === 'none') return address !== undefined && forwarder.reachable(address) ? address : undefined;
    const reachable = [...this.#addresses.values()].filter((entry) => forwarder.reachable(entry.address));
    if (multiAddressStrategy === 'priority') {
      let best: ListenerAddressEntity | undefined;
      for (const entry of reachable) if (best === undefined || entry.value > best.value) best = entry;
      return best?.address;
    }
    let rest = random.number() * reachable.reduce((sum, entry) => sum + entry.value, 0);
    for (const entry of reachable) {
      rest -= entry.value;
      if (rest < 0) return entry.address;
    }
    return reachable.at(-1)?.address;
  }

  get reachable(): boolean {
    return this.#chooseAddress() !== undefined;
  }

  get state(): ListenerState {
    return {
      name: this.entity.name,
      operStatus: this.#boundPort > 0 ? 'up' : 'down',
      boundPort: this.#boundPort,
      connectionMsg: this.#boundPort > 0 ? '' : this.#message || 'no connector is reachable',
    };
  }

  get counters(): TcpCounters {
    const { service } = this;
    return {
      connectionsOpened: service.opened,
      connectionsClosed: service.opened - service.active,
      bytesIn: service.bytesIn,
      bytesOut: service.bytesOut,
    };
  }

  /** Opens or closes the socket as reachability says. Called when routes or local consumers changed. */
  update(): void {
    this.service.routesChanged();
    if (this.#stopped) return;
    const address = this.#chooseAddress();
    const { size } = this.#context.forwarder.table.routers;
    const isLoss = size < this.#routers;
    this.#routers = size;
    if (address !== undefined) {
      this.#lastAddress = address;
      clearTimeout(this.#lingerTimer);
      this.#lingerTimer = undefined;
      if (this.#server === undefined && this.#timer === undefined) this.#listen();
      return;
    }
    this.#message = '';
    if (this.#lingerTimer !== undefined) return;
    if (isLoss && this.#boundPort > 0) this.#lingerTimer = setTimeout(() => this.#close(false), lingerMs);
    else this.#close(false);
  }

  #listen(): void {
    const { turns, log, sockets } = this.#context;
    const { host, port, name, backlog } = this.entity;
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
      if (!sockets.take()) {
        socket.resetAndDestroy();
        logRefusal(this.#context, this.entity);
        return;
      }
      socket.once('close', () => sockets.release());
      this.service.accept(new TcpSocket(socket, turns));
      turns.touch();
    });
    this.#server = server;
    server.on('error', (error) => {
      if (this.#server !== server || server.listening) {
        log.warn('accepting a connection failed', { tcpListener: name, reason: error.message });
        return;
      }
      const reason = explainNetworkError(error, `${host || '*'}:${port}`);
      if (this.#message !== reason) log.error('a service cannot listen', { tcpListener: name, reason });
      this.#message = reason;
      this.#server = undefined;
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.update();
      }, rebindMs);
    });
    server.listen({ port, ...(host === '' ? {} : { host }), backlog }, () => {
      if (this.#server !== server) return;
      const bound = server.address();
      this.#boundPort = typeof bound === 'object' && bound !== null ? bound.port : port;
      this.#message = '';
      log.info('service port open', { tcpListener: name, port: this.#boundPort });
    });
  }

  #close(atRest: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
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
    this.#context.log.info('service port closed', { tcpListener: this.entity.name });
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
    this.service.stop();
    clearTimeout(this.#retryTimer);
  }
}

/** A tcpConnector: offers a server under its address. */
export class TcpConnectorOffer {
  readonly entity: TcpConnectorEntity;
  readonly service: TcpConnector;
  readonly #context: ServiceContext;
  #offered = false;

  constructor(context: ServiceContext, entity: TcpConnectorEntity) {
    this.#context = context;
    this.entity = entity;
    const { host, port, name } = entity;
    this.service = new TcpConnector(
      context.forwarder,
      (connected, failed) => {
        const { sockets } = context;
        if (!sockets.take()) {
          logRefusal(context, entity);
          const refusal = setImmediate(() => {
            failed(new Error('no file descriptors are left'));
            context.turns.touch();
          });
          return () => clearImmediate(refusal);
        }
        const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
        socket.once('close', () => sockets.release());
        let done = false;
        const fail = (error: Error): void => {
          if (done) return;
          done = true;
          failed(new Error(explainNetworkError(error, `${host}:${port}`), { cause: error }));
          context.turns.touch();
        };
        socket.setTimeout(connectTimeoutMs, () => socket.destroy(new Error(`no answer within ${connectTimeoutMs} ms`)));
        socket.once('connect', () => {
          socket.setTimeout(0);
          socket.off('error', fail);
          if (done) return;
          done = true;
          connected(new TcpSocket(socket, context.turns));
          context.turns.touch();
        });
        socket.once('error', fail);
        return () => {
          done = true;
          socket.on('error', () => {});
          socket.destroy();
        };
      },
      context.log.child(`tcpConnector ${name}`),
      context.windows,
    );
  }

  /** Takes connections from now on. Throws WeatherError `too-many-addresses`. */
  start(): void {
    const { address, name } = this.entity;
    this.#offered = this.#context.forwarder.addConsumer(address, this.service);
    if (this.#offered) return;
    throw new WeatherError('too-many-addresses', `tcpConnector '${name}': this router offers as many addresses as it can`, {
      remedy: 'offer some of them at another site, or let several connectors share an address',
    });
  }

  get counters(): TcpCounters {
    const { service } = this;
    return {
      connectionsOpened: service.opened,
      connectionsClosed: service.opened - service.outstanding,
      bytesIn: service.bytesIn,
      bytesOut: service.bytesOut,
    };
  }

  /** Tells the network that this server is gone, and serves whoever has not heard. */
  conceal(): void {
    if (this.#offered) this.#context.forwarder.concealConsumer(this.entity.address, this.service);
  }

  /** Takes no new connections. */
  withdraw(): void {
    if (this.#offered) this.#context.forwarder.removeConsumer(this.entity.address, this.service);
    this.#offered = false;
  }

  stop(): void {
    this.withdraw();
    this.service.stop();
  }
}
