import { ServerActivation } from '../host/server-activation.ts';
import type { HttpConnectorEntity, HttpListenerEntity } from '../management/service-entities.ts';
import type { ListenerState, RequestCounters, ServiceCounters } from '../management/operational-entities.ts';
import { EventChannel } from '../services/events/event-channel.ts';
import type { HttpEgress } from '../services/http/http-egress.ts';
import { HttpIngress } from '../services/http/http-ingress.ts';
import type { HttpIngressContext } from '../services/http/http-ingress.ts';
import type { HttpServer } from '../services/http/http-server.ts';
import { AddressChoice } from './address-choice.ts';
import { HttpClients, tlsProtocols } from './http-clients.ts';
import { serverPool, serverProtocols } from './http-server-pool.ts';
import type { ServerPool } from './http-server-pool.ts';
import { ServerDialler } from './server-dialler.ts';
import type { Offer, Port, ServiceContext } from './service.ts';
import type { ConnectorRecord } from './service-records.ts';
import { ServicePort } from './service-port.ts';
import type { TlsProfile } from './tls-profiles.ts';
import { WakeTimer } from './wake-timer.ts';

/**
 * When the port closes, connections without a request are kept for this long: those that have just been accepted have one on its way, and a
 * request that meets the end of its connection is lost.
 */
const lastRequestMs = 500;

/** An httpListener: each request of its clients goes to a server of its own. */
export class HttpListenerPort implements Port {
  readonly entity: HttpListenerEntity;
  readonly addresses: AddressChoice;
  readonly #context: ServiceContext;
  readonly #port: ServicePort;
  /** Each request goes to one server, or to all of them. */
  readonly #ingress: HttpIngress | EventChannel;
  readonly #clients: HttpClients;
  readonly #wake: WakeTimer;
  #closing: NodeJS.Timeout | undefined;

  constructor(context: ServiceContext, entity: HttpListenerEntity) {
    this.#context = context;
    this.entity = entity;
    const { forwarder, random, clock, turns, log, windows, siteName } = context;
    const { name, address, balancing, requestTimeoutMs, tryTimeoutMs, maxTries, protocol, eventChannel } = entity;
    this.addresses = new AddressChoice(forwarder, random, address);
    this.#port = new ServicePort(context, entity, {
      addresses: this.addresses,
      protocols: tlsProtocols(protocol),
      accept: (socket, transport) => this.#clients.accept(socket, transport),
    });
    this.#wake = new WakeTimer(context, () => this.#ingress.handleTimeout());
    const { meter } = context.records.listener(entity);
    const ingressContext: HttpIngressContext = {
      forwarder,
      chooseAddress: () => this.#port.chooseAddress(),
      clock,
      random,
      turns,
      wakeAt: (dueMs) => this.#wake.at(dueMs),
      windows,
      log: log.child(`httpListener ${name}`),
      meter,
    };
    const timeouts = { requestTimeoutMs, tryTimeoutMs };
    this.#ingress =
      eventChannel === undefined
        ? new HttpIngress({ site: siteName, service: address, balancing, maxTries, ...timeouts }, ingressContext)
        : new EventChannel({ site: siteName, service: address, form: eventChannel, ...timeouts }, ingressContext);
    this.#clients = new HttpClients(context, entity, this.#ingress, meter);
  }

  get state(): ListenerState {
    return this.#port.state;
  }

  /** Connections of clients, and requests whose client is gone but that have not ended. */
  get active(): number {
    return Math.max(this.#clients.active, this.#ingress.active);
  }

  get counters(): ServiceCounters & RequestCounters {
    const { requests, failed, bytesIn, bytesOut } = this.#ingress;
    const { active, opened } = this.#clients;
    return {
      connectionsOpened: opened,
      connectionsClosed: opened - active,
      bytesIn,
      bytesOut,
      requests,
      requestsFailed: failed,
    };
  }

  report(): void {
    this.#ingress.report();
  }

  update(): void {
    this.#port.update();
    this.#ingress.routesChanged();
  }

  renew(profile: TlsProfile): void {
    this.#port.renew(profile);
  }

  retire(): void {
    this.#clients.retire();
  }

  stopAccepting(): void {
    this.#port.stopAccepting();
    this.#clients.retire();
    this.#closing ??= setTimeout(() => {
      this.#clients.drain();
      this.#context.turns.touch();
    }, lastRequestMs);
  }

  stop(): void {
    this.#port.stop();
    this.#ingress.stop();
    this.#clients.stop();
    this.#wake.stop();
    clearTimeout(this.#closing);
  }
}

/** An httpConnector: a server with the connections to it. */
export class HttpConnectorOffer implements Offer {
  readonly entity: HttpConnectorEntity;
  readonly #egress: HttpEgress;
  readonly #dialler: ServerDialler;
  readonly #pool: ServerPool;
  readonly #wake: WakeTimer;
  readonly #activation: ServerActivation | undefined;
  readonly #record: ConnectorRecord;
  #server: HttpServer | undefined;
  #connections = 0;

  /** `egress`: that of the router. */
  constructor(context: ServiceContext, entity: HttpConnectorEntity, egress: HttpEgress) {
    this.entity = entity;
    this.#egress = egress;
    this.#record = context.records.connector(entity);
    const { connectTimeoutMs, activationUrl, activationCommand, activationTimeoutMs } = entity;
    this.#dialler = new ServerDialler(context, entity, { timeoutMs: connectTimeoutMs, protocols: serverProtocols(entity) });
    const way =
      activationUrl !== undefined ? { url: activationUrl } : activationCommand !== undefined ? { command: activationCommand } : undefined;
    if (way !== undefined) this.#activation = new ServerActivation(way, context.log.child(`httpConnector ${entity.name}`));
    const activation = this.#activation;
    this.#wake = new WakeTimer(context, () => this.#pool.handleTimeout());
    this.#pool = serverPool(context, entity, {
      dialler: this.#dialler,
      activation: activation === undefined ? undefined : { activate: () => activation.activate(), timeoutMs: activationTimeoutMs },
      wakeAt: (dueMs) => this.#wake.at(dueMs),
      connected: () => this.#connections++,
    });
  }

  start(): void {
    const { name, address, priority, overflow, maxRequests } = this.entity;
    this.#server = this.#egress.add({ name, address, priority, overflow, maxRequests }, this.#pool, this.#record.supplement);
    this.#record.setServer(this.#server.id);
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
