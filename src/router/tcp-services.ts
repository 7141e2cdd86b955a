import { WeatherError } from '../base/errors.ts';
import { TcpSocket } from '../host/tcp-socket.ts';
import type { TcpConnectorEntity, TcpListenerEntity } from '../management/service-entities.ts';
import type { ListenerState, ServiceCounters } from '../management/operational-entities.ts';
import { TcpConnector } from '../services/tcp/connector.ts';
import type { ConnectServer } from '../services/tcp/connector.ts';
import { TcpListener } from '../services/tcp/listener.ts';
import { AddressChoice } from './address-choice.ts';
import { OpenConnections } from './open-connections.ts';
import { ServerDialler } from './server-dialler.ts';
import type { Offer, Port, ServiceContext } from './service.ts';
import { ServicePort } from './service-port.ts';
import type { TlsProfile } from './tls-profiles.ts';
import { WakeTimer } from './wake-timer.ts';

/** A server that does not answer within this time counts as failed. */
const connectTimeoutMs = 10_000;

/** A tcpListener. */
export class TcpListenerPort implements Port {
  readonly entity: TcpListenerEntity;
  readonly addresses: AddressChoice;
  readonly service: TcpListener;
  readonly connections: OpenConnections;
  readonly #port: ServicePort;
  /** For streams that found no way. */
  readonly #wake: WakeTimer;

  constructor(context: ServiceContext, entity: TcpListenerEntity) {
    this.entity = entity;
    this.#wake = new WakeTimer(context, () => this.service.retryDue());
    const { forwarder, random, clock, turns, log, windows } = context;
    this.connections = new OpenConnections('in', clock);
    this.addresses = new AddressChoice(forwarder, random, entity.address, entity.multiAddressStrategy);
    this.#port = new ServicePort(context, entity, {
      addresses: this.addresses,
      protocols: [],
      accept: (socket, transport) => {
        const tcp = new TcpSocket(socket, turns, transport);
        const address = this.service.accept(tcp, transport.remoteAddress, transport.remotePort);
        if (address !== undefined) this.connections.add(context.nextFlowId(), address, transport, tcp);
      },
    });
    this.service = new TcpListener(
      forwarder,
      () => this.#port.chooseAddress(),
      () => context.nextMessageId(),
      clock,
      (dueMs) => this.#wake.at(dueMs),
      log.child('tcp'),
      windows,
      context.records.listener(entity).meter,
    );
  }

  get state(): ListenerState {
    return this.#port.state;
  }

  get active(): number {
    return this.service.active;
  }

  get counters(): ServiceCounters {
    const { opened, active, bytesIn, bytesOut } = this.service;
    return { connectionsOpened: opened, connectionsClosed: opened - active, bytesIn, bytesOut };
  }

  report(): void {
    this.service.report();
  }

  update(): void {
    this.service.routesChanged();
    this.#port.update();
  }

  renew(profile: TlsProfile): void {
    this.#port.renew(profile);
  }

  /** TCP has no words for it. */
  retire(): void {}

  stopAccepting(): void {
    this.#port.stopAccepting();
  }

  stop(): void {
    this.#port.stop();
    this.service.stop();
    this.#wake.stop();
  }
}

/** A tcpConnector. */
export class TcpConnectorOffer implements Offer {
  readonly entity: TcpConnectorEntity;
  readonly service: TcpConnector;
  readonly connections: OpenConnections;
  readonly #context: ServiceContext;
  readonly #dialler: ServerDialler;
  #offered = false;

  constructor(context: ServiceContext, entity: TcpConnectorEntity) {
    this.#context = context;
    this.entity = entity;
    this.connections = new OpenConnections('out', context.clock);
    this.#dialler = new ServerDialler(context, entity, { timeoutMs: connectTimeoutMs, protocols: [] });
    const connect: ConnectServer = (connected, failed) =>
      this.#dialler.dial((socket, transport) => {
        const tcp = new TcpSocket(socket, context.turns, transport);
        this.connections.add(context.nextFlowId(), entity.address, transport, tcp);
        connected(tcp);
      }, failed);
    const { forwarder, log, windows, records, clock } = context;
    const { supplement } = records.connector(entity);
    this.service = new TcpConnector(forwarder, connect, log.child(`tcpConnector ${entity.name}`), windows, supplement, clock);
  }

  start(): void {
    const { address, name } = this.entity;
    this.#offered = this.#context.forwarder.addConsumer(address, this.service);
    if (!this.#offered) throw tooManyAddresses('tcpConnector', name);
  }

  get active(): number {
    return this.service.outstanding;
  }

  get taken(): number {
    return this.service.opened;
  }

  get counters(): ServiceCounters {
    const { opened, outstanding, bytesIn, bytesOut } = this.service;
    return { connectionsOpened: opened, connectionsClosed: opened - outstanding, bytesIn, bytesOut };
  }

  renew(profile: TlsProfile): void {
    this.#dialler.renew(profile);
  }

  conceal(): void {
    if (this.#offered) this.#context.forwarder.concealConsumer(this.entity.address, this.service);
  }

  withdraw(): void {
    if (this.#offered) this.#context.forwarder.removeConsumer(this.entity.address, this.service);
    this.#offered = false;
  }

  stop(): void {
    this.withdraw();
    this.service.stop();
  }
}

/** The error of an offer whose address finds no room in the router's table. */
export function tooManyAddresses(type: string, name: string): WeatherError {
  return new WeatherError('too-many-addresses', `${type} '${name}': this router offers as many addresses as it can`, {
    remedy: 'offer some of them at another site, or let several connectors share an address',
  });
}
