import type { Socket } from 'node:net';
import { ServerActivation } from '../host/server-activation.ts';
import { TcpSocket } from '../host/tcp-socket.ts';
import type { HttpConnectorEntity, HttpListenerEntity } from '../management/service-entities.ts';
import type { ListenerState, RequestCounters, ServiceCounters } from '../management/operational-entities.ts';
import { ConnectionPool, defaultIdleTimeoutMs } from '../services/http/connection-pool.ts';
import { maxFieldBytes } from '../services/http/exchange.ts';
import type { HttpEgress } from '../services/http/http-egress.ts';
import { HttpIngress } from '../services/http/http-ingress.ts';
import type { HttpServer } from '../services/http/http-server.ts';
import { errorAnswer } from '../services/http/network-error.ts';
import { HeadWriter } from '../services/http1/head-writer.ts';
import { Http1Client } from '../services/http1/http1-client.ts';
import { Http1Listener } from '../services/http1/http1-listener.ts';
import { OctetPool } from '../services/http1/octet-pool.ts';
import { AddressChoice } from './address-choice.ts';
import { ServerDialler } from './server-dialler.ts';
import type { Offer, Port, ServiceContext } from './service.ts';
import { ServicePort } from './service-port.ts';
import type { TlsProfile } from './tls-profiles.ts';
import { WakeTimer } from './wake-timer.ts';

/** Timeouts of clients are looked at this often. */
const sweepMs = 1000;
/**
 * When the port closes, connections without a request are kept for this long: those that have just been accepted have one on its way, and a
 * request that meets the end of its connection is lost.
 */
const lastRequestMs = 500;
/** Application protocols with TLS. */
const protocols = ['http/1.1'] as const;

/** An httpListener: each request of its clients goes to a server of its own. */
export class HttpListenerPort implements Port {
  readonly entity: HttpListenerEntity;
  readonly addresses: AddressChoice;
  readonly #context: ServiceContext;
  readonly #port: ServicePort;
  readonly #ingress: HttpIngress;
  readonly #http1: Http1Listener;
  readonly #wake: WakeTimer;
  #sweeping: NodeJS.Timeout | undefined;
  #closing: NodeJS.Timeout | undefined;
  #connections = 0;

  constructor(context: ServiceContext, entity: HttpListenerEntity) {
    this.#context = context;
    this.entity = entity;
    const { forwarder, random, clock, turns, log, windows, siteName } = context;
    const { name, address, balancing, requestTimeoutMs, tryTimeoutMs, maxTries, maxHeaderBytes, headerTimeoutMs, idleTimeoutMs } = entity;
    this.addresses = new AddressChoice(forwarder, random, address);
    this.#port = new ServicePort(context, entity, {
      addresses: this.addresses,
      protocols,
      accept: (socket, transport) => this.#accept(socket, transport),
    });
    this.#wake = new WakeTimer(context, () => this.#ingress.handleTimeout());
    this.#ingress = new HttpIngress(
      { site: siteName, service: address, balancing, requestTimeoutMs, tryTimeoutMs, maxTries },
      {
        forwarder,
        chooseAddress: () => this.#port.chooseAddress(),
        clock,
        random,
        turns,
        wakeAt: (dueMs) => this.#wake.at(dueMs),
        windows,
        log: log.child(`httpListener ${name}`),
      },
    );
    this.#http1 = new Http1Listener(this.#ingress, clock, {
      scheme: entity.sslProfile === undefined ? 'http' : 'https',
      maxHeaderBytes,
      headerTimeoutMs,
      idleTimeoutMs,
      errorAnswer: (status, reason) => errorAnswer(status, reason, siteName, address),
    });
  }

  #accept(socket: Socket, transport: Socket): void {
    const client = transport.remoteAddress;
    if (client === undefined) {
      // Gone again.
      socket.destroy();
      return;
    }
    this.#connections++;
    this.#http1.accept(new TcpSocket(socket, this.#context.turns, transport), plainAddress(client), undefined);
    this.#sweeping ??= setInterval(() => this.#sweep(), sweepMs);
  }

  #sweep(): void {
    this.#http1.sweep(this.#context.clock.nowMs());
    this.#context.turns.touch();
    if (this.#http1.active > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }

  get state(): ListenerState {
    return this.#port.state;
  }

  /** Connections of clients, and requests whose client is gone but that have not ended. */
  get active(): number {
    return Math.max(this.#http1.active, this.#ingress.active);
  }

  get counters(): ServiceCounters & RequestCounters {
    const { requests, failed, bytesIn, bytesOut } = this.#ingress;
    const { active } = this.#http1;
    return {
      connectionsOpened: this.#connections,
      connectionsClosed: this.#connections - active,
      bytesIn,
      bytesOut,
      requests,
      requestsFailed: failed,
    };
  }

  update(): void {
    this.#port.update();
    this.#ingress.routesChanged();
  }

  renew(profile: TlsProfile): void {
    this.#port.renew(profile);
  }

  retire(): void {
    this.#http1.retire();
  }

  stopAccepting(): void {
    this.#port.stopAccepting();
    this.#http1.retire();
    this.#closing ??= setTimeout(() => {
      this.#http1.drain();
      this.#context.turns.touch();
    }, lastRequestMs);
  }

  stop(): void {
    this.#port.stop();
    this.#ingress.stop();
    this.#http1.stop();
    this.#wake.stop();
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
    clearTimeout(this.#closing);
  }
}

/** An httpConnector: a server with the connections to it. */
export class HttpConnectorOffer implements Offer {
  readonly entity: HttpConnectorEntity;
  readonly #egress: HttpEgress;
  readonly #dialler: ServerDialler;
  readonly #pool: ConnectionPool;
  readonly #wake: WakeTimer;
  readonly #activation: ServerActivation | undefined;
  #server: HttpServer | undefined;
  #connections = 0;

  /** `egress`: that of the router. */
  constructor(context: ServiceContext, entity: HttpConnectorEntity, egress: HttpEgress) {
    this.entity = entity;
    this.#egress = egress;
    const { clock, turns, log } = context;
    const { host, port, connectTimeoutMs, maxRequests, activationUrl, activationCommand, activationTimeoutMs } = entity;
    this.#dialler = new ServerDialler(context, entity, { timeoutMs: connectTimeoutMs, protocols });
    const way =
      activationUrl !== undefined ? { url: activationUrl } : activationCommand !== undefined ? { command: activationCommand } : undefined;
    if (way !== undefined) this.#activation = new ServerActivation(way, log.child(`httpConnector ${entity.name}`));
    const activation = this.#activation;
    const octets = new OctetPool();
    const client = {
      pool: octets,
      writer: new HeadWriter(octets),
      maxHeaderBytes: maxFieldBytes,
      host: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
    };
    this.#wake = new WakeTimer(context, () => this.#pool.handleTimeout());
    this.#pool = new ConnectionPool(
      {
        maxConnections: maxRequests,
        idleTimeoutMs: defaultIdleTimeoutMs,
        ...(activation === undefined ? {} : { activation: { activate: () => activation.activate(), timeoutMs: activationTimeoutMs } }),
      },
      {
        connect: (connected, failed) =>
          this.#dialler.dial((socket, transport) => {
            this.#connections++;
            connected(new TcpSocket(socket, turns, transport));
          }, failed),
        open: (owner, socket) => new Http1Client(client, owner, socket),
        clock,
        turns,
        wakeAt: (dueMs) => this.#wake.at(dueMs),
      },
    );
  }

  start(): void {
    const { name, address, priority, overflow, maxRequests } = this.entity;
    this.#server = this.#egress.add({ name, address, priority, overflow, maxRequests }, this.#pool);
  }

  get active(): number {
    return this.#server?.outstanding ?? 0;
  }

  get taken(): number {
    return this.#server?.requests ?? 0;
  }

  get counters(): ServiceCounters & RequestCounters {
    const { bytesIn = 0, bytesOut = 0, requests = 0, failed = 0 } = this.#server ?? {};
    return {
      connectionsOpened: this.#connections,
      connectionsClosed: this.#connections - this.#pool.connections,
      bytesIn,
      bytesOut,
      requests,
      requestsFailed: failed,
    };
  }

  renew(profile: TlsProfile): void {
    this.#dialler.renew(profile);
  }

  conceal(): void {
    if (this.#server !== undefined) this.#egress.conceal(this.#server);
  }

  withdraw(): void {
    if (this.#server !== undefined) this.#egress.withdraw(this.#server);
  }

  stop(): void {
    if (this.#server !== undefined) this.#egress.stop(this.#server);
    this.#pool.stop();
    this.#activation?.stop();
    this.#wake.stop();
  }
}

/** Addresses of IPv4 that came to a socket of IPv6, as they are. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
