import type { Socket } from 'node:net';
import type { SlabPool } from '../amqp/transmit-buffer.ts';
import type { AmqpError } from '../amqp/performatives.ts';
import { Condition } from '../amqp/constants.ts';
import type { StreamSocket } from '../base/stream-socket.ts';
import { TcpSocket } from '../host/tcp-socket.ts';
import type { AmqpListenerEntity } from '../management/service-entities.ts';
import type { ListenerState, ServiceCounters } from '../management/operational-entities.ts';
import { AddressRights } from '../services/amqp/address-rights.ts';
import { ClientConnection } from '../services/amqp/client-connection.ts';
import { ClientCounters } from '../services/amqp/client-port.ts';
import type { ClientPort } from '../services/amqp/client-port.ts';
import { AddressChoice } from './address-choice.ts';
import { AmqpWebSockets } from './amqp-websockets.ts';
import { ClientTraffic } from './client-traffic.ts';
import type { Port, ServiceContext } from './service.ts';
import { ServicePort } from './service-port.ts';
import { StreamMachine } from './stream-machine.ts';
import type { TlsProfile } from './tls-profiles.ts';

/** Streams that wait are looked at this often. */
const sweepMs = 500;
/** Clients of one port; each may hold a few megabytes. */
const maxClients = 4096;
/** Application protocols with TLS. */
const protocols = ['amqp', 'http/1.1'] as const;

interface Client {
  readonly connection: ClientConnection;
  readonly machine: StreamMachine;
}

/** An amqpListener: a port for clients that speak AMQP 1.0, also over WebSocket. */
export class AmqpListenerPort implements Port {
  readonly entity: AmqpListenerEntity;
  readonly addresses: AddressChoice;
  readonly #context: ServiceContext;
  readonly #port: ServicePort;
  readonly #clientPort: ClientPort;
  readonly #counters = new ClientCounters();
  readonly #clients = new Set<Client>();
  readonly #webSockets: AmqpWebSockets | undefined;
  readonly #traffic: ClientTraffic;
  #sweeping: NodeJS.Timeout | undefined;
  #opened = 0;
  #stopped = false;

  constructor(context: ServiceContext, entity: AmqpListenerEntity, slabs: SlabPool) {
    this.#context = context;
    this.entity = entity;
    this.#traffic = new ClientTraffic(context.records.listener(entity).meter, entity.address);
    const { forwarder, random, clock, turns, log } = context;
    this.addresses = new AddressChoice(forwarder, random, entity.address);
    const patterns = (entity.addresses ?? entity.address).split(/[\s,]+/).filter((pattern) => pattern !== '');
    this.#clientPort = {
      forwarder,
      rights: new AddressRights(forwarder.routerId, patterns),
      clock,
      random,
      log: log.child('amqp'),
      slabs,
      containerId: forwarder.routerId,
      version: context.version,
      maxFrameSize: entity.maxFrameSize,
      idleTimeoutMs: entity.idleTimeoutMs,
      handshakeTimeoutMs: entity.handshakeTimeoutMs,
      linkWindow: entity.linkCapacity,
      counters: this.#counters,
      sasl: (authenticated) => ({ mechanisms: mechanismsOf(entity), externallyAuthenticated: authenticated }),
    };
    this.#port = new ServicePort(context, entity, {
      // Whoever is to receive must be able to come first: the port is open though nobody can be reached.
      addresses: { choose: () => entity.address },
      protocols: entity.sslProfile === undefined ? [] : protocols,
      accept: (socket, transport) => this.#accept(socket, transport),
    });
    if (!entity.webSocket) return;
    this.#webSockets = new AmqpWebSockets(turns, (stream, socket) => this.#serve(stream, socket));
  }

  #accept(socket: Socket, transport: Socket): void {
    if (this.#clients.size >= maxClients) {
      transport.resetAndDestroy();
      this.#context.log.warn('too many AMQP clients', { amqpListener: this.entity.name, limit: maxClients });
      return;
    }
    const serve = (): void => this.#serve(new TcpSocket(socket, this.#context.turns, transport), socket);
    if (this.#webSockets === undefined) serve();
    else this.#webSockets.distinguish(socket, serve);
  }

  #serve(stream: StreamSocket, socket: Socket): void {
    if (this.#stopped) {
      stream.destroy(true);
      return;
    }
    const { clock, turns } = this.#context;
    const authenticated = 'authorized' in socket && socket.authorized === true && this.entity.authenticatePeer === true;
    const from = `${socket.remoteAddress}:${socket.remotePort}`;
    const connection = new ClientConnection(this.#clientPort, authenticated);
    const machine = new StreamMachine(stream, connection.connection, clock, turns);
    const client = { connection, machine };
    this.#clients.add(client);
    this.#opened++;
    this.#traffic.opened();
    connection.ended = (error): void => {
      this.#clients.delete(client);
      this.#traffic.ended(error === undefined || error.condition === Condition.connectionForced);
      this.#logEnd(from, error);
    };
    this.#sweeping ??= setInterval(() => this.#sweep(), sweepMs);
  }

  #logEnd(from: string, error: AmqpError | undefined): void {
    if (error === undefined || error.condition === Condition.connectionForced) return;
    const { condition, description } = error;
    this.#context.log.info('the connection of an AMQP client ended', {
      amqpListener: this.entity.name,
      from,
      condition,
      reason: description,
    });
  }

  #sweep(): void {
    const nowMs = this.#context.clock.nowMs();
    for (const { connection } of this.#clients) connection.sweep(nowMs);
    this.#context.turns.touch();
    if (this.#clients.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }

  report(): void {
    this.#traffic.report(this.#counters.bytesIn, this.#counters.bytesOut);
  }

  get state(): ListenerState {
    return this.#port.state;
  }

  get active(): number {
    return this.#clients.size;
  }

  get counters(): ServiceCounters {
    const { bytesIn, bytesOut } = this.#counters;
    return { connectionsOpened: this.#opened, connectionsClosed: this.#opened - this.#clients.size, bytesIn, bytesOut };
  }

  update(): void {
    this.#port.update();
    for (const { connection } of this.#clients) connection.routesChanged();
  }

  renew(profile: TlsProfile): void {
    this.#port.renew(profile);
  }

  /** Other routers send no more to the clients of this one; who has not heard is served. */
  retire(): void {
    for (const { connection } of this.#clients) connection.conceal();
  }

  /** Clients are told to go elsewhere: none of them would end by itself. */
  stopAccepting(): void {
    this.#port.stopAccepting();
    this.#stopped = true;
    for (const { connection } of this.#clients) {
      connection.withdraw();
      connection.connection.close({ condition: Condition.connectionForced, description: 'the router leaves' });
    }
    this.#context.turns.touch();
  }

  stop(): void {
    this.#port.stop();
    this.#stopped = true;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
    for (const { connection, machine } of [...this.#clients]) {
      connection.connection.close({ condition: Condition.connectionForced, description: 'the port is closed' });
      machine.destroy();
    }
    this.#webSockets?.stop();
  }
}

/** A client that must show a certificate may not leave it at that. */
function mechanismsOf(entity: AmqpListenerEntity): readonly ('EXTERNAL' | 'ANONYMOUS')[] {
  const known = ['EXTERNAL', 'ANONYMOUS'] as const;
  const configured = entity.saslMechanisms?.toUpperCase().split(/[\s,]+/);
  return configured === undefined ? known : known.filter((mechanism) => configured.includes(mechanism));
}
