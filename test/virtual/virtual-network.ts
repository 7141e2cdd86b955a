import { Connection } from '../../src/amqp/connection.ts';
import type { ConnectionHandler, ConnectionOptions } from '../../src/amqp/connection.ts';
import { SlabPool } from '../../src/amqp/transmit-buffer.ts';
import type { Clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { TreatmentRule } from '../../src/forwarding/forwarder.ts';
import { Neighbour } from '../../src/forwarding/neighbour.ts';
import { ControlPlane } from '../../src/router/control-plane.ts';
import { TcpConnector } from '../../src/services/tcp/connector.ts';
import { TcpListener } from '../../src/services/tcp/listener.ts';
import { SeededRandom } from '../fuzz/seeded-random.ts';
import { VirtualSocket } from './virtual-socket.ts';
import type { Application } from './virtual-socket.ts';

/** As much as a socket takes before the rest waits in the machine. */
const maxInFlightBytes = 1_048_576;

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** One direction of a link: bytes in order, with a delay, and a rate if it is a slow one. */
class Pipe {
  readonly to: VirtualNode;
  readonly receiver: Connection;
  inFlight = 0;
  freeAtMs = 0;

  constructor(to: VirtualNode, receiver: Connection) {
    this.to = to;
    this.receiver = receiver;
  }
}

/** A link between two routers. */
export class VirtualLink {
  readonly ends: readonly [VirtualNode, VirtualNode];
  readonly connections: readonly [Connection, Connection];
  /** Octets per virtual millisecond; undefined = without limit. */
  rate: number | undefined;
  delayMs = 1;
  /** Cuts what arrives into pieces of random sizes up to this. */
  maxChunkBytes = Infinity;
  isCut = false;

  constructor(ends: readonly [VirtualNode, VirtualNode], connections: readonly [Connection, Connection]) {
    this.ends = ends;
    this.connections = connections;
  }
}

interface Attachment {
  readonly machine: Connection;
  readonly pipe: Pipe;
  readonly link: VirtualLink;
}

/** Something with connections: a router, or a stranger that a test plays. */
export class VirtualNode {
  readonly network: VirtualNetwork;
  readonly attachments: Attachment[] = [];
  isAlive = true;
  #scheduled = false;

  constructor(network: VirtualNetwork) {
    this.network = network;
  }

  /** Something happened: there will be an end of this turn. */
  touch(): void {
    if (this.#scheduled || !this.isAlive) return;
    this.#scheduled = true;
    this.network.at(0, () => {
      this.#scheduled = false;
      if (this.isAlive) this.endOfTurn();
    });
  }

  /** Each connection once: what one connection's output causes in another waits for the next turn. */
  endOfTurn(): void {
    for (const attachment of [...this.attachments]) {
      this.network.flush(this, attachment);
      if (attachment.machine.ended && !attachment.machine.hasTransmit) this.network.closeAfterDelivery(attachment.link);
    }
  }

  /** When something of its own, beside its connections, is due. */
  nextDeadlineMs(): number {
    return Infinity;
  }

  handleTimeout(): void {}
}

/** A router without sockets: the product's control plane, data plane and services over pipes in memory. */
export class VirtualRouter extends VirtualNode {
  readonly control: ControlPlane;
  readonly #listeners: TcpListener[] = [];

  constructor(network: VirtualNetwork, id: string, rule: TreatmentRule) {
    super(network);
    this.control = new ControlPlane({
      routing: { routerId: id, instance: Math.floor(network.nowMs) },
      rule,
      clock: network.clock,
      random: network.random,
      log: silentLogger,
      wake: () => this.touch(),
    });
    this.touch();
  }

  get id(): string {
    return this.control.routerId;
  }

  override endOfTurn(): void {
    if (this.control.isDirty && this.control.drive()) for (const listener of this.#listeners) listener.routesChanged();
    super.endOfTurn();
  }

  override nextDeadlineMs(): number {
    return this.control.isDirty ? Infinity : this.control.nextDeadlineMs();
  }

  override handleTimeout(): void {
    this.control.handleTimeout();
  }

  /** Work of this router, at the end of which there is an end of turn. */
  readonly later = (work: () => void): void => {
    this.network.at(0, () => {
      if (!this.isAlive) return;
      work();
      this.touch();
    });
  };

  // ---- services ----

  listener(address: string): TcpListener {
    const { forwarder } = this.control;
    let flow = 0;
    const listener = new TcpListener(
      forwarder,
      () => (forwarder.reachable(address) ? address : undefined),
      () => `flow:${flow++}`,
      silentLogger,
    );
    this.#listeners.push(listener);
    return listener;
  }

  /** A client that connects to the listener. */
  connect(listener: TcpListener): Application {
    const socket = new VirtualSocket(this.later);
    listener.accept(socket);
    this.touch();
    return socket.application;
  }

  /** Offers a server: `serve` gets each connection; without it the server refuses them. */
  serve(address: string, serve?: (application: Application) => void): TcpConnector {
    const connector = new TcpConnector(
      this.control.forwarder,
      (connected, failed) => {
        let given = true;
        this.later(() => {
          if (!given) return;
          if (serve === undefined) {
            failed(new Error('connect ECONNREFUSED'));
            return;
          }
          const socket = new VirtualSocket(this.later);
          serve(socket.application);
          connected(socket);
        });
        return () => {
          given = false;
        };
      },
      silentLogger,
    );
    this.control.forwarder.addConsumer(address, connector);
    return connector;
  }
}

/** Routers of one network in virtual time: no sockets, no timers, the same run for the same seed. */
export class VirtualNetwork {
  nowMs = 1_000_000;
  readonly clock: Clock = { nowMs: () => this.nowMs, wallMs: () => this.nowMs };
  readonly random: SeededRandom;
  readonly nodes: VirtualNode[] = [];
  readonly #slabs = new SlabPool();
  #events: Event[] = [];
  #order = 0;
  #linkNumber = 0;

  constructor(seed = 1) {
    this.random = new SeededRandom(seed);
  }

  router(id: string, rule: TreatmentRule = () => undefined): VirtualRouter {
    const router = new VirtualRouter(this, id, rule);
    this.nodes.push(router);
    return router;
  }

  /** `dialler` connects to `acceptor`. */
  link(dialler: VirtualRouter, acceptor: VirtualRouter, cost = 1): VirtualLink {
    return this.#join([dialler, acceptor], [this.#connection(dialler, true, cost), this.#connection(acceptor, false, cost)]);
  }

  /** A peer that a test plays connects to `acceptor`. */
  strange(
    acceptor: VirtualRouter,
    containerId: string,
    handler: ConnectionHandler,
    properties?: ConnectionOptions['writeProperties'],
  ): VirtualLink {
    const stranger = new VirtualNode(this);
    this.nodes.push(stranger);
    const connection = new Connection(this.#options(true, containerId, properties), handler);
    return this.#join([stranger, acceptor], [connection, this.#connection(acceptor, false, 1)]);
  }

  #connection(router: VirtualRouter, dialled: boolean, cost: number): Connection {
    const neighbour = new Neighbour(++this.#linkNumber, dialled, cost, router.control, this.random, silentLogger);
    neighbour.connection = new Connection(this.#options(dialled, router.id, undefined), neighbour);
    return neighbour.connection;
  }

  #options(client: boolean, containerId: string, properties: ConnectionOptions['writeProperties']): ConnectionOptions {
    return {
      client,
      containerId,
      hostname: null,
      sasl: client ? { client: { mechanisms: ['ANONYMOUS'] } } : { server: { mechanisms: ['ANONYMOUS'], externallyAuthenticated: false } },
      maxFrameSize: 65_536,
      idleTimeoutMs: 16_000,
      handshakeTimeoutMs: 5000,
      capabilities: ['ANONYMOUS-RELAY', 'qd.streaming-links'],
      ...(properties === undefined ? {} : { writeProperties: properties }),
      slabs: this.#slabs,
    };
  }

  #join(ends: readonly [VirtualNode, VirtualNode], connections: readonly [Connection, Connection]): VirtualLink {
    const link = new VirtualLink(ends, connections);
    ends[0].attachments.push({ machine: connections[0], pipe: new Pipe(ends[1], connections[1]), link });
    ends[1].attachments.push({ machine: connections[1], pipe: new Pipe(ends[0], connections[0]), link });
    for (const connection of connections) connection.start(this.nowMs);
    for (const node of ends) node.touch();
    return link;
  }

  /** The connection breaks; what is on the way is lost. */
  cut(link: VirtualLink): void {
    if (link.isCut) return;
    link.isCut = true;
    for (const node of link.ends) {
      const index = node.attachments.findIndex((attachment) => attachment.link === link);
      const [attachment] = node.attachments.splice(index, 1);
      if (node.isAlive) attachment.machine.lost('the connection was closed');
      node.touch();
    }
  }

  /** One end has said its last word: the other still gets it. */
  closeAfterDelivery(link: VirtualLink): void {
    this.at(link.delayMs, () => this.cut(link));
  }

  /** A router dies: its links break, and nobody hears of it again. */
  kill(router: VirtualRouter): void {
    router.isAlive = false;
    for (const { link } of [...router.attachments]) this.cut(link);
  }

  flush(node: VirtualNode, { machine, pipe, link }: Attachment): void {
    while (machine.hasTransmit && pipe.inFlight < maxInFlightBytes) {
      const lent = machine.nextTransmit();
      if (lent === undefined) return;
      const bytes = lent.slice();
      pipe.inFlight += bytes.length;
      pipe.freeAtMs = Math.max(pipe.freeAtMs, this.nowMs) + (link.rate === undefined ? 0 : bytes.length / link.rate);
      this.at(pipe.freeAtMs - this.nowMs + link.delayMs, () => {
        pipe.inFlight -= bytes.length;
        machine.transmitted();
        if (machine.hasTransmit) node.touch();
        if (link.isCut || !pipe.to.isAlive) return;
        this.#receive(pipe.receiver, bytes, link.maxChunkBytes);
        pipe.to.touch();
      });
    }
  }

  #receive(receiver: Connection, bytes: Uint8Array, maxChunkBytes: number): void {
    for (let at = 0; at < bytes.length;) {
      const size = maxChunkBytes === Infinity ? bytes.length : 1 + this.random.below(maxChunkBytes);
      receiver.receive(bytes.subarray(at, Math.min(at + size, bytes.length)), this.nowMs);
      at += size;
    }
  }

  // ---- time ----

  at(delayMs: number, run: () => void): void {
    const event = { atMs: this.nowMs + delayMs, order: this.#order++, run };
    let at = this.#events.length;
    while (at > 0 && this.#events[at - 1].atMs > event.atMs) at--;
    this.#events.splice(at, 0, event);
  }

  /** Lets time pass. */
  run(durationMs: number): void {
    this.runUntil(() => false, durationMs, false);
  }

  /** Lets time pass until the condition holds; how long that took. Throws after `limitMs`. */
  runUntil(condition: () => boolean, limitMs: number, must = true): number {
    const startMs = this.nowMs;
    const endMs = startMs + limitMs;
    while (!condition()) {
      const event = this.#events[0];
      const deadlineMs = this.#nextDeadlineMs();
      const nextMs = Math.min(event?.atMs ?? Infinity, deadlineMs);
      if (nextMs > endMs) {
        this.nowMs = endMs;
        if (must) throw new Error(`not so after ${limitMs} ms`);
        return limitMs;
      }
      if (nextMs > this.nowMs) this.#checkNothingForgotten();
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (event !== undefined && event.atMs <= this.nowMs) {
        this.#events.shift();
        event.run();
      } else this.#handleTimeouts();
    }
    return this.nowMs - startMs;
  }

  /** Whatever can be written has been written before time passes: otherwise somebody has forgotten to ask for an end of turn. */
  #checkNothingForgotten(): void {
    for (const node of this.nodes) {
      if (!node.isAlive) continue;
      for (const { machine, pipe } of node.attachments) {
        if (machine.hasTransmit && pipe.inFlight < maxInFlightBytes) throw new Error('bytes wait, and nobody has asked for an end of turn');
      }
    }
  }

  #nextDeadlineMs(): number {
    let deadlineMs = Infinity;
    for (const node of this.nodes) {
      if (!node.isAlive) continue;
      deadlineMs = Math.min(deadlineMs, node.nextDeadlineMs());
      for (const { machine } of node.attachments) deadlineMs = Math.min(deadlineMs, machine.nextDeadlineMs());
    }
    return deadlineMs;
  }

  #handleTimeouts(): void {
    for (const node of this.nodes) {
      if (!node.isAlive) continue;
      if (node.nextDeadlineMs() <= this.nowMs) node.handleTimeout();
      for (const { machine } of [...node.attachments]) {
        if (machine.nextDeadlineMs() > this.nowMs) continue;
        machine.handleTimeout(this.nowMs);
        node.touch();
      }
    }
  }
}

/** Octets that show where a piece is missing, doubled or out of place. */
export function pattern(length: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >> 8) * 17 + (at >> 16) + salt) & 255;
  return bytes;
}

/** Servers for tests. */
export const servers = {
  /** Sends back what it gets; ends when the client has ended. */
  echo(application: Application): void {
    application.keepChunks = false;
    application.onData = (bytes) => application.write(bytes);
    application.onEnd = () => application.end();
  },
} as const;
