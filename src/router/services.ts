import { OwnGroupPorts } from '../host/udp-group-socket.ts';
import { SlabPool } from '../amqp/transmit-buffer.ts';
import type {
  ListenerAddressEntity,
  ServiceConnectorEntity,
  ServiceListenerEntity,
  UdpConnectorEntity,
  UdpListenerEntity,
} from '../management/service-entities.ts';
import { HttpEgress } from '../services/http/http-egress.ts';
import { WaitingBudget } from '../services/udp/datagram-queue.ts';
import type { FlowBudget } from '../services/udp/flow-context.ts';
import { SharedWindow } from '../services/udp/flow-window.ts';
import { AmqpConnectorOffer } from './amqp-connector.ts';
import { AmqpListenerPort } from './amqp-listener.ts';
import { HttpConnectorOffer, HttpListenerPort } from './http-services.ts';
import type { TcpConnectionRow } from './open-connections.ts';
import type { Offer, Port, ServiceContext } from './service.ts';
import { TcpConnectorOffer, TcpListenerPort } from './tcp-services.ts';
import type { TlsProfile } from './tls-profiles.ts';
import { UdpGroupOffer, UdpGroupPort } from './udp-group-services.ts';
import { UdpConnectorOffer, UdpListenerPort } from './udp-services.ts';
import { WakeTimer } from './wake-timer.ts';

type ServiceEntity = ServiceListenerEntity | ServiceConnectorEntity | ListenerAddressEntity;

/** The services of one router: ports for clients and offers of servers, of all protocols. */
export class RouterServices {
  readonly #context: ServiceContext;
  /** By entity type and name. */
  readonly #ports = new Map<string, Port>();
  readonly #offers = new Map<string, Offer>();
  /** Where each listenerAddress belongs, by its name. */
  readonly #portsOfAddresses = new Map<string, Port>();

  /** What all UDP services of the router share. */
  readonly #ownGroupPorts: OwnGroupPorts;
  readonly #flowBudget: FlowBudget = { waiting: new WaitingBudget(), window: new SharedWindow() };
  #egress: HttpEgress | undefined;
  #egressWake: WakeTimer | undefined;

  /** Of the connections of AMQP clients. */
  readonly #slabs = new SlabPool();

  constructor(context: ServiceContext) {
    this.#context = context;
    this.#ownGroupPorts = new OwnGroupPorts(() => context.clock.nowMs());
  }

  port(type: ServiceListenerEntity['type'], name: string): Port | undefined {
    return this.#ports.get(`${type}/${name}`);
  }

  offer(type: ServiceConnectorEntity['type'], name: string): Offer | undefined {
    return this.#offers.get(`${type}/${name}`);
  }

  /** Throws ChangeRefused or WeatherError, and leaves everything as it was. */
  create(entity: ServiceEntity): void {
    const key = `${entity.type}/${entity.name}`;
    switch (entity.type) {
      case 'tcpListener':
        this.#open(key, new TcpListenerPort(this.#context, entity));
        return;
      case 'tcpConnector':
        this.#start(key, new TcpConnectorOffer(this.#context, entity));
        return;
      case 'listenerAddress': {
        const port = this.#ports.get(`tcpListener/${entity.listener}`);
        if (port === undefined) return;
        port.addresses.add(entity);
        this.#portsOfAddresses.set(entity.name, port);
        port.update();
        return;
      }
      case 'httpListener':
        this.#open(key, new HttpListenerPort(this.#context, entity));
        return;
      case 'httpConnector':
        this.#start(key, new HttpConnectorOffer(this.#context, entity, this.#httpEgress()));
        return;
      case 'udpListener':
        this.#open(key, this.#udpPort(entity));
        return;
      case 'udpConnector':
        this.#start(key, this.#udpOffer(entity));
        return;
      case 'amqpConnector':
        this.#start(key, new AmqpConnectorOffer(this.#context, entity, this.#slabs));
        return;
      case 'amqpListener':
        this.#open(key, new AmqpListenerPort(this.#context, entity, this.#slabs));
        return;
    }
  }

  #udpPort(entity: UdpListenerEntity): Port {
    if (entity.multicastGroup === undefined) return new UdpListenerPort(this.#context, entity, this.#flowBudget);
    return new UdpGroupPort(this.#context, entity, this.#flowBudget, this.#ownGroupPorts);
  }

  #udpOffer(entity: UdpConnectorEntity): Offer {
    const { multicastGroup } = entity;
    if (multicastGroup === undefined) return new UdpConnectorOffer(this.#context, entity, this.#flowBudget);
    return new UdpGroupOffer(this.#context, entity, multicastGroup, this.#ownGroupPorts);
  }

  /** What all HTTP servers of the router share. */
  #httpEgress(): HttpEgress {
    if (this.#egress !== undefined) return this.#egress;
    const wake = new WakeTimer(this.#context, () => egress.handleTimeout());
    const egress = new HttpEgress({ ...this.#context, log: this.#context.log.child('http'), wakeAt: (dueMs) => wake.at(dueMs) });
    this.#egress = egress;
    this.#egressWake = wake;
    return egress;
  }

  #open(key: string, port: Port): void {
    this.#ports.set(key, port);
    port.update();
  }

  #start(key: string, offer: Offer): void {
    try {
      offer.start();
    } catch (error) {
      this.#context.records.ended(key);
      throw error;
    }
    this.#offers.set(key, offer);
  }

  delete(type: ServiceEntity['type'], name: string): void {
    if (type === 'listenerAddress') {
      const owner = this.#portsOfAddresses.get(name);
      this.#portsOfAddresses.delete(name);
      owner?.addresses.remove(name);
      owner?.update();
      return;
    }
    const key = `${type}/${name}`;
    this.#context.records.ended(key);
    (this.#ports.get(key) ?? this.#offers.get(key))?.stop();
    this.#ports.delete(key);
    this.#offers.delete(key);
  }

  /** The files of an sslProfile have new content. */
  renew(profile: TlsProfile): void {
    for (const service of [...this.#ports.values(), ...this.#offers.values()]) {
      if ('sslProfile' in service.entity && service.entity.sslProfile === profile.entity.name) service.renew(profile);
    }
  }

  /** Brings records of services up to date. */
  refreshRecords(): void {
    this.#context.records.refresh(this.#ports, this.#offers);
  }

  /** Tells whoever listens the octets of connections that go on. */
  report(): void {
    for (const port of this.#ports.values()) port.report?.();
  }

  /** Routes or local consumers have changed. */
  routesChanged(): void {
    for (const port of this.#ports.values()) port.update();
    for (const offer of this.#offers.values()) offer.update?.();
  }

  /** The open TCP connections. */
  get connections(): readonly TcpConnectionRow[] {
    return [...this.#ports.values(), ...this.#offers.values()].flatMap(({ connections }) => connections?.rows() ?? []);
  }

  /** Connections, flows and requests that are open. */
  get active(): number {
    let count = 0;
    for (const port of this.#ports.values()) count += port.active;
    for (const offer of this.#offers.values()) count += offer.active;
    return count;
  }

  /** Connections, flows and requests that the servers have been given since the start. */
  get taken(): number {
    let count = 0;
    for (const offer of this.#offers.values()) count += offer.taken;
    return count;
  }

  /** Tells the network that the servers are gone and clients that the ports will be, and serves whoever has not heard. */
  conceal(): void {
    for (const port of this.#ports.values()) port.retire();
    for (const offer of this.#offers.values()) offer.conceal();
  }

  /** Takes nothing new. */
  stopAccepting(): void {
    for (const port of this.#ports.values()) port.stopAccepting();
    for (const offer of this.#offers.values()) offer.withdraw();
  }

  stop(): void {
    for (const port of this.#ports.values()) port.stop();
    for (const offer of this.#offers.values()) offer.stop();
    this.#egressWake?.stop();
  }
}
