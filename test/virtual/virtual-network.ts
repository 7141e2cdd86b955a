import { Connection } from '../../src/amqp/connection.ts';
import { SlabPool } from '../../src/amqp/transmit-buffer.ts';
import type { ByteMachine } from '../../src/base/byte-machine.ts';
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
  readonly to: VirtualRouter;
  inFlight = 0;
  freeAtMs = 0;

  constructor(to: VirtualRouter) {
    this.to = to;
  }
}

/** A link between two routers. */
export class VirtualLink {
  readonly ends: readonly [VirtualRouter, VirtualRouter];
  readonly neighbours: readonly [Neighbour, Neighbour];
  /** Octets per virtual millisecond; undefined = without limit. */
  rate: number | undefined;
  delayMs = 1;
  /** Cuts what arrives into pieces of random sizes up to this. */
  maxChunkBytes = Infinity;
  isCut = false;

  constructor(ends: readonly [VirtualRouter, VirtualRouter], neighbours: readonly [Neighbour, Neighbour]) {
    this.ends = ends;
    this.neighbours = neighbours;
  }
}

interface Attachment {
  readonly machine: ByteMachine;
  readonly pipe: Pipe;
  readonly link: VirtualLink;
}

/** A router without sockets: the product's control plane, data plane and services over pipes in memory. */
export class VirtualRouter {
  readonly network: VirtualNetwork;
  readonly control: ControlPlane;
  readonly attachments: Attachment[] = [];
  isAlive = true;
  #scheduled = false;

  constructor(network: VirtualNetwork, id: string, rule: TreatmentRule) {
    this.network = network;
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

  /** Something happened: there will be an end of this turn. */
  touch(): void {
    if (this.#scheduled || !this.isAlive) return;
    this.#scheduled = true;
    this.network.at(0, () => {
      this.#scheduled = false;
      if (this.isAlive) this.#endOfTurn();
    });
  }

  /** Control plane first, then each connection once: what one connection's output causes in another waits for the next turn. */
  #endOfTurn(): void {
    if (this.control.isDirty) this.control.drive();
    for (const attachment of [...this.attachments]) {
      this.network.flush(this, attachment);
      if (attachment.machine.ended && !attachment.machine.hasTransmit) this.network.cut(attachment.link);
    }
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
    return new TcpListener(
      forwarder,
      () => (forwarder.reachable(address) ? address : undefined),
      () => `flow:${flow++}`,
      silentLogger,
    );
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
  readonly routers: VirtualRouter[] = [];
  readonly #slabs = new SlabPool();
  #events: Event[] = [];
  #order = 0;
  #linkNumber = 0;

  constructor(seed = 1) {
    this.random = new SeededRandom(seed);
  }

  router(id: string, rule: TreatmentRule = () => undefined): VirtualRouter {
    const router = new VirtualRouter(this, id, rule);
    this.routers.push(router);
    return router;
  }

  /** `dialler` connects to `acceptor`. */
  link(dialler: VirtualRouter, acceptor: VirtualRouter, cost = 1): VirtualLink {
    const make = (router: VirtualRouter, dialled: boolean): Neighbour => {
      const neighbour = new Neighbour(++this.#linkNumber, dialled, cost, router.control, this.random, silentLogger);
      neighbour.connection = new Connection(
        {
          client: dialled,
          containerId: router.id,
          hostname: null,
          sasl: dialled
            ? { client: { mechanisms: ['ANONYMOUS'] } }
            : { server: { mechanisms: ['ANONYMOUS'], externallyAuthenticated: false } },
          maxFrameSize: 65_536,
          idleTimeoutMs: 16_000,
          handshakeTimeoutMs: 5000,
          capabilities: ['ANONYMOUS-RELAY', 'qd.streaming-links'],
          slabs: this.#slabs,
        },
        neighbour,
      );
      return neighbour;
    };
    const neighbours = [make(dialler, true), make(acceptor, false)] as const;
    const link = new VirtualLink([dialler, acceptor], neighbours);
    dialler.attachments.push({ machine: neighbours[0].connection, pipe: new Pipe(acceptor), link });
    acceptor.attachments.push({ machine: neighbours[1].connection, pipe: new Pipe(dialler), link });
    for (const { connection } of neighbours) connection.start(this.nowMs);
    for (const router of link.ends) router.touch();
    return link;
  }

  /** The connection breaks; what is on the way is lost. */
  cut(link: VirtualLink): void {
    if (link.isCut) return;
    link.isCut = true;
    for (const router of link.ends) {
      const index = router.attachments.findIndex((attachment) => attachment.link === link);
      const [attachment] = router.attachments.splice(index, 1);
      if (router.isAlive) attachment.machine.lost('the connection was closed');
      router.touch();
    }
  }

  /** A router dies: its links break, and nobody hears of it again. */
  kill(router: VirtualRouter): void {
    router.isAlive = false;
    for (const { link } of [...router.attachments]) this.cut(link);
  }

  flush(router: VirtualRouter, { machine, pipe, link }: Attachment): void {
    while (machine.hasTransmit && pipe.inFlight < maxInFlightBytes) {
      const lent = machine.nextTransmit();
      if (lent === undefined) return;
      const bytes = lent.slice();
      pipe.inFlight += bytes.length;
      this.#deliver(router, { machine, pipe, link }, bytes);
    }
  }

  #deliver(from: VirtualRouter, { machine, pipe, link }: Attachment, bytes: Uint8Array): void {
    pipe.freeAtMs = Math.max(pipe.freeAtMs, this.nowMs) + (link.rate === undefined ? 0 : bytes.length / link.rate);
    this.at(pipe.freeAtMs - this.nowMs + link.delayMs, () => {
      pipe.inFlight -= bytes.length;
      machine.transmitted();
      if (from.isAlive && machine.hasTransmit) from.touch();
      if (link.isCut || !pipe.to.isAlive) return;
      const receiver = link.neighbours[link.ends[0] === pipe.to ? 0 : 1].connection;
      for (let at = 0; at < bytes.length;) {
        const size = link.maxChunkBytes === Infinity ? bytes.length : 1 + this.random.below(link.maxChunkBytes);
        receiver.receive(bytes.subarray(at, Math.min(at + size, bytes.length)), this.nowMs);
        at += size;
      }
      pipe.to.touch();
    });
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
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (event !== undefined && event.atMs <= this.nowMs) {
        this.#events.shift();
        event.run();
      } else this.#handleTimeouts();
    }
    return this.nowMs - startMs;
  }

  #nextDeadlineMs(): number {
    let deadlineMs = Infinity;
    for (const router of this.routers) {
      if (!router.isAlive) continue;
      if (!router.control.isDirty) deadlineMs = Math.min(deadlineMs, router.control.nextDeadlineMs());
      for (const { machine } of router.attachments) deadlineMs = Math.min(deadlineMs, machine.nextDeadlineMs());
    }
    return deadlineMs;
  }

  #handleTimeouts(): void {
    for (const router of this.routers) {
      if (!router.isAlive) continue;
      if (router.control.nextDeadlineMs() <= this.nowMs) router.control.handleTimeout();
      for (const { machine } of [...router.attachments]) {
        if (machine.nextDeadlineMs() > this.nowMs) continue;
        machine.handleTimeout(this.nowMs);
        router.touch();
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
