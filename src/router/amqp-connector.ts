import { readFile } from 'node:fs/promises';
import type { AmqpError } from '../amqp/performatives.ts';
import type { SaslClientOptions } from '../amqp/sasl.ts';
import type { SlabPool } from '../amqp/transmit-buffer.ts';
import { TcpSocket } from '../host/tcp-socket.ts';
import type { AmqpConnectorEntity } from '../management/service-entities.ts';
import type { ServiceCounters } from '../management/operational-entities.ts';
import { ClientCounters } from '../services/amqp/client-port.ts';
import { ServerConnection } from '../services/amqp/server-connection.ts';
import { ServerDialler } from './server-dialler.ts';
import type { Offer, ServiceContext } from './service.ts';
import { StreamMachine } from './stream-machine.ts';
import type { TlsProfile } from './tls-profiles.ts';

/** A server that has not accepted a connection by then counts as failed. */
const connectTimeoutMs = 10_000;
/** Pauses between dials: the first, and the longest; each is twice the one before, and up to half of it shorter, at random. */
const firstPauseMs = 100;
const longestPauseMs = 10_000;
/** Streams that wait are looked at this often. */
const sweepMs = 500;

interface Server {
  readonly connection: ServerConnection;
  readonly machine: StreamMachine;
}

/** An amqpConnector: a node of an AMQP server, such as a queue of a broker, as consumer or producer of an address. */
export class AmqpConnectorOffer implements Offer {
  readonly entity: AmqpConnectorEntity;
  readonly #context: ServiceContext;
  readonly #slabs: SlabPool;
  readonly #dialler: ServerDialler;
  readonly #counters = new ClientCounters();
  #server: Server | undefined;
  #giveUp: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: NodeJS.Timeout | undefined;
  #pauseMs = firstPauseMs;
  #opened = 0;
  #lastFailure = '';
  #isWithdrawn = false;
  #isConcealed = false;
  #stopped = false;

  constructor(context: ServiceContext, entity: AmqpConnectorEntity, slabs: SlabPool) {
    this.#context = context;
    this.#slabs = slabs;
    this.entity = entity;
    context.records.connector(entity);
    this.#dialler = new ServerDialler(context, entity, { timeoutMs: connectTimeoutMs, protocols: ['amqp'] });
  }

  start(): void {
    this.#dial();
  }

  #dial(): void {
    this.#timer = undefined;
    // Read at each dial: a password that was changed is in effect without a new configuration.
    void this.#sasl().then(
      (sasl) => this.#connect(sasl),
      (error: unknown) => this.#failed(`no credentials: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  async #sasl(): Promise<SaslClientOptions> {
    const { saslUsername, saslPasswordFile, sslProfile } = this.entity;
    const mechanisms = sslProfile === undefined ? (['ANONYMOUS'] as const) : (['EXTERNAL', 'ANONYMOUS'] as const);
    if (saslUsername === undefined) {
      if (saslPasswordFile !== undefined) throw new Error('there is a file with a password, but no user name');
      return { mechanisms };
    }
    const password = saslPasswordFile === undefined ? '' : (await readFile(saslPasswordFile, 'utf8')).replace(/\r?\n$/, '');
    return { mechanisms: ['PLAIN'], username: saslUsername, password };
  }

  #connect(sasl: SaslClientOptions): void {
    if (this.#stopped || this.#isWithdrawn) return;
    this.#giveUp = this.#dialler.dial(
      (socket, transport) => {
        this.#giveUp = undefined;
        const { turns, clock } = this.#context;
        const connection = this.#connection(sasl);
        const machine = new StreamMachine(new TcpSocket(socket, turns, transport), connection.connection, clock, turns);
        this.#server = { connection, machine };
        this.#opened++;
        this.#sweeping ??= setInterval(() => this.#sweep(), sweepMs);
      },
      (error) => {
        this.#giveUp = undefined;
        this.#failed(error.message);
      },
    );
  }

  #connection(sasl: SaslClientOptions): ServerConnection {
    const { forwarder, clock } = this.#context;
    const { name, address, node, direction, host, maxFrameSize, idleTimeoutMs, linkCapacity } = this.entity;
    const connection = new ServerConnection(
      {
        address,
        node: node ?? address,
        direction,
        linkName: `caravan.${forwarder.routerId}.${name}`,
        containerId: forwarder.routerId,
        hostname: host,
        sasl,
        maxFrameSize,
        idleTimeoutMs,
        handshakeTimeoutMs: connectTimeoutMs,
        slabs: this.#slabs,
      },
      { forwarder, clock, counters: this.#counters, linkWindow: linkCapacity },
      {
        ready: () => {
          this.#pauseMs = firstPauseMs;
          this.#lastFailure = '';
          this.#context.log.info('the node of an AMQP server is attached', { amqpConnector: name, node: node ?? address });
          if (this.#isConcealed) connection.conceal();
        },
        ended: (error) => this.#ended(error),
      },
    );
    return connection;
  }

  #ended(error: AmqpError | undefined): void {
    this.#server = undefined;
    this.#failed(error === undefined ? 'the server closed the connection' : error.description || error.condition);
  }

  #failed(reason: string): void {
    if (this.#stopped || this.#isWithdrawn) return;
    const { log, random, turns } = this.#context;
    const { name, host, port } = this.entity;
    if (reason !== this.#lastFailure) log.warn('an AMQP server cannot be used', { amqpConnector: name, server: `${host}:${port}`, reason });
    this.#lastFailure = reason;
    const pauseMs = this.#pauseMs * (0.5 + random.number() / 2);
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
    this.#timer = setTimeout(() => this.#dial(), pauseMs);
    turns.touch();
  }

  #sweep(): void {
    const server = this.#server;
    if (server === undefined) return;
    server.connection.sweep(this.#context.clock.nowMs());
    this.#context.turns.touch();
  }

  /** Consumers of the address may have come or gone. */
  update(): void {
    this.#server?.connection.routesChanged();
  }

  get active(): number {
    return this.#server?.connection.outstanding ?? 0;
  }

  get taken(): number {
    return this.#counters.messagesOut;
  }

  get counters(): ServiceCounters {
    const { bytesIn, bytesOut } = this.#counters;
    const open = this.#server === undefined ? 0 : 1;
    // Of a server: what goes to it comes from clients.
    return { connectionsOpened: this.#opened, connectionsClosed: this.#opened - open, bytesIn: bytesOut, bytesOut: bytesIn };
  }

  renew(profile: TlsProfile): void {
    this.#dialler.renew(profile);
  }

  conceal(): void {
    this.#isConcealed = true;
    this.#server?.connection.conceal();
  }

  withdraw(): void {
    this.#isWithdrawn = true;
    this.#server?.connection.withdraw();
    this.#context.turns.touch();
  }

  stop(): void {
    this.withdraw();
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#sweeping);
    this.#giveUp?.();
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.connection.connection.close();
    server.machine.endOfTurn();
    server.machine.destroy();
  }
}
