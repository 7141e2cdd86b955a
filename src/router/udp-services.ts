import { explainNetworkError } from '../host/network-error.ts';
import { ResolvedHost } from '../host/resolved-host.ts';
import { UdpServerSocket } from '../host/udp-socket.ts';
import type { DatagramCounters, ListenerState, ServiceCounters } from '../management/operational-entities.ts';
import type { UdpConnectorEntity, UdpListenerEntity } from '../management/service-entities.ts';
import type { FlowBudget } from '../services/udp/flow-context.ts';
import type { ServerSocket, ServerSocketHandler } from '../services/udp/server-socket.ts';
import { UdpConnector } from '../services/udp/udp-connector.ts';
import { UdpListener } from '../services/udp/udp-listener.ts';
import { AddressChoice } from './address-choice.ts';
import { logRefusal } from './service.ts';
import type { Offer, Port, ServiceContext } from './service.ts';
import { tooManyAddresses } from './tcp-services.ts';
import { UdpListenerSocket } from './udp-port.ts';
import { WakeTimer } from './wake-timer.ts';

/** A udpListener. */
export class UdpListenerPort implements Port {
  readonly entity: UdpListenerEntity;
  readonly addresses: AddressChoice;
  readonly #socket: UdpListenerSocket;
  readonly #service: UdpListener;
  readonly #retryWake: WakeTimer;
  readonly #sweepWake: WakeTimer;

  /** `budget`: that of all UDP services of the router. */
  constructor(context: ServiceContext, entity: UdpListenerEntity, budget: FlowBudget) {
    this.entity = entity;
    const { forwarder, random, clock, turns, log } = context;
    const { name, address, idleTimeoutMs, maxDatagramBytes } = entity;
    this.addresses = new AddressChoice(forwarder, random, address);
    this.#retryWake = new WakeTimer(context, () => this.#service.retryDue());
    this.#sweepWake = new WakeTimer(context, () => this.#service.sweep());
    this.#socket = new UdpListenerSocket(context, entity, this.addresses, {
      received: (datagram, from) => this.#service.received(datagram, from.address, from.port),
      dropped: (reason) => this.#service.drops.add(reason),
      closed: () => this.#service.stop(),
    });
    this.#service = new UdpListener(
      { idleTimeoutMs, maxDatagramBytes },
      {
        forwarder,
        clock,
        turns,
        budget,
        meter: context.records.listener(entity).meter,
        service: address,
        log: log.child(`udpListener ${name}`),
        chooseAddress: () => this.#socket.chooseAddress(),
        correlationId: () => context.nextMessageId(),
        retryAt: (dueMs) => this.#retryWake.at(dueMs),
        sweepAt: (dueMs) => this.#sweepWake.at(dueMs),
        reply: (client, port, bytes, start, end) => this.#socket.send(client, port, bytes, start, end),
      },
    );
  }

  get state(): ListenerState {
    return this.#socket.state;
  }

  get active(): number {
    return this.#service.active;
  }

  get counters(): ServiceCounters & DatagramCounters {
    const { opened, flows, bytesIn, bytesOut, datagramsIn, datagramsOut, drops } = this.#service;
    const connectionsClosed = opened - flows;
    return { connectionsOpened: opened, connectionsClosed, bytesIn, bytesOut, datagramsIn, datagramsOut, datagramsDropped: drops.counts() };
  }

  report(): void {
    this.#service.report();
  }

  update(): void {
    this.#service.routesChanged();
    this.#socket.update();
  }

  renew(): void {}

  retire(): void {}

  stopAccepting(): void {
    this.#service.stopAccepting();
    this.#socket.stopUpdating();
  }

  stop(): void {
    this.#service.stop();
    this.#socket.stop();
    this.#retryWake.stop();
    this.#sweepWake.stop();
  }
}

/** A udpConnector. */
export class UdpConnectorOffer implements Offer {
  readonly entity: UdpConnectorEntity;
  readonly #context: ServiceContext;
  readonly #host: ResolvedHost;
  readonly #service: UdpConnector;
  readonly #sweepWake: WakeTimer;
  #offered = false;

  /** `budget`: that of all UDP services of the router. */
  constructor(context: ServiceContext, entity: UdpConnectorEntity, budget: FlowBudget) {
    this.#context = context;
    this.entity = entity;
    context.records.connector(entity);
    const { forwarder, clock, turns, log } = context;
    const { name, host, idleTimeoutMs, maxDatagramBytes } = entity;
    this.#host = new ResolvedHost(host, () => clock.nowMs());
    this.#sweepWake = new WakeTimer(context, () => this.#service.sweep());
    this.#service = new UdpConnector({ idleTimeoutMs, maxDatagramBytes }, (handler) => this.#open(handler), {
      forwarder,
      clock,
      turns,
      budget,
      log: log.child(`udpConnector ${name}`),
      sweepAt: (dueMs) => this.#sweepWake.at(dueMs),
    });
  }

  #open(handler: ServerSocketHandler): ServerSocket | undefined {
    const { sockets, turns } = this.#context;
    if (!sockets.take()) {
      logRefusal(this.#context, this.entity);
      return undefined;
    }
    const { host, port } = this.entity;
    const socket = new UdpServerSocket(this.#host, port, turns, handler, (error) => explainNetworkError(error, `${host}:${port}`));
    return {
      send: (bytes, start, end) => socket.send(bytes, start, end),
      close: () => {
        socket.close();
        sockets.release();
      },
    };
  }

  start(): void {
    const { address, name } = this.entity;
    this.#offered = this.#context.forwarder.addConsumer(address, this.#service);
    if (!this.#offered) throw tooManyAddresses('udpConnector', name);
  }

  get active(): number {
    return this.#service.active;
  }

  get taken(): number {
    return this.#service.opened;
  }

  get counters(): ServiceCounters & DatagramCounters {
    const { opened, outstanding, bytesIn, bytesOut, datagramsIn, datagramsOut, drops } = this.#service;
    const connectionsClosed = opened - outstanding;
    return { connectionsOpened: opened, connectionsClosed, bytesIn, bytesOut, datagramsIn, datagramsOut, datagramsDropped: drops.counts() };
  }

  renew(): void {}

  conceal(): void {
    if (this.#offered) this.#context.forwarder.concealConsumer(this.entity.address, this.#service);
  }

  withdraw(): void {
    if (this.#offered) this.#context.forwarder.removeConsumer(this.entity.address, this.#service);
    this.#offered = false;
    this.#service.withdraw();
  }

  stop(): void {
    this.withdraw();
    this.#service.stop();
    this.#sweepWake.stop();
  }
}
