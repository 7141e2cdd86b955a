import { explainNetworkError } from '../host/network-error.ts';
import { UdpGroupSocket } from '../host/udp-group-socket.ts';
import type { OwnGroupPorts } from '../host/udp-group-socket.ts';
import type { DatagramCounters, ListenerState, ServiceCounters } from '../management/operational-entities.ts';
import type { UdpConnectorEntity, UdpListenerEntity } from '../management/service-entities.ts';
import type { FlowBudget } from '../services/udp/flow-context.ts';
import { GroupConnector } from '../services/udp/group-connector.ts';
import { GroupListener } from '../services/udp/group-listener.ts';
import { AddressChoice } from './address-choice.ts';
import type { Offer, Port, ServiceContext } from './service.ts';
import { tooManyAddresses } from './tcp-services.ts';
import { UdpListenerSocket } from './udp-port.ts';

/** A udpListener of a multicast group. */
export class UdpGroupPort implements Port {
  readonly entity: UdpListenerEntity;
  readonly addresses: AddressChoice;
  readonly active = 0;
  readonly #socket: UdpListenerSocket;
  readonly #service: GroupListener;

  constructor(context: ServiceContext, entity: UdpListenerEntity, budget: FlowBudget, own: OwnGroupPorts) {
    this.entity = entity;
    context.records.listener(entity);
    const { forwarder, random, clock, turns, log } = context;
    this.addresses = new AddressChoice(forwarder, random, entity.address);
    this.#socket = new UdpListenerSocket(context, entity, this.addresses, {
      received: (datagram, from) => {
        if (!own.has(from.address, from.port)) this.#service.received(datagram);
      },
      dropped: () => {},
      closed: () => {},
    });
    this.#service = new GroupListener(entity.maxDatagramBytes, {
      forwarder,
      clock,
      turns,
      budget,
      log: log.child(`udpListener ${entity.name}`),
      chooseAddress: () => this.#socket.chooseAddress(),
    });
  }

  get state(): ListenerState {
    return this.#socket.state;
  }

  get counters(): ServiceCounters & DatagramCounters {
    return groupCounters(this.#service);
  }

  update(): void {
    this.#socket.update();
  }

  renew(): void {}

  retire(): void {}

  stopAccepting(): void {
    this.#socket.stop();
  }

  stop(): void {
    this.#socket.stop();
    this.#service.stop();
  }
}

/** A udpConnector to a multicast group. */
export class UdpGroupOffer implements Offer {
  readonly entity: UdpConnectorEntity;
  readonly active = 0;
  readonly taken = 0;
  readonly #context: ServiceContext;
  readonly #own: OwnGroupPorts;
  readonly #group: string;
  readonly #service: GroupConnector;
  #socket: UdpGroupSocket | undefined;
  #offered = false;
  #lastFailure = '';

  constructor(context: ServiceContext, entity: UdpConnectorEntity, group: string, own: OwnGroupPorts) {
    this.#context = context;
    this.entity = entity;
    context.records.connector(entity);
    this.#group = group;
    this.#own = own;
    this.#service = new GroupConnector(entity.maxDatagramBytes, (bytes, start, end) => {
      if (this.#socket?.send(bytes, start, end) !== true) this.#service.drops.add('socketFull');
    });
  }

  start(): void {
    const { address, name, host, port } = this.entity;
    this.#offered = this.#context.forwarder.addConsumer(address, this.#service);
    if (!this.#offered) throw tooManyAddresses('udpConnector', name);
    this.#socket = new UdpGroupSocket(this.#group, port, host, this.#own, (error) => this.#failed(error));
  }

  #failed(error: Error): void {
    this.#service.drops.add('refused');
    const reason = explainNetworkError(error, `${this.#group}:${this.entity.port}`);
    if (reason !== this.#lastFailure) this.#context.log.warn('a group cannot be sent to', { udpConnector: this.entity.name, reason });
    this.#lastFailure = reason;
  }

  get counters(): ServiceCounters & DatagramCounters {
    return groupCounters(this.#service);
  }

  renew(): void {}

  conceal(): void {
    if (this.#offered) this.#context.forwarder.concealConsumer(this.entity.address, this.#service);
  }

  withdraw(): void {
    if (this.#offered) this.#context.forwarder.removeConsumer(this.entity.address, this.#service);
    this.#offered = false;
  }

  stop(): void {
    this.withdraw();
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** Groups have no flows, and nothing comes back from them. */
function groupCounters({ bytesIn, datagramsIn, drops }: GroupListener | GroupConnector): ServiceCounters & DatagramCounters {
  const flows = { connectionsOpened: 0, connectionsClosed: 0 };
  return { ...flows, bytesIn, bytesOut: 0, datagramsIn, datagramsOut: 0, datagramsDropped: drops.counts() };
}
