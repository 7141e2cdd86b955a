import { Connection } from '../amqp/connection.ts';
import type { ConnectionHandler, ConnectionOptions } from '../amqp/connection.ts';
import { SlabPool } from '../amqp/transmit-buffer.ts';
import { silentLogger } from '../base/log.ts';
import type { TreatmentRule } from '../forwarding/forwarder.ts';
import { Neighbour } from '../forwarding/neighbour.ts';
import { EventQueue } from './event-queue.ts';
import { SeededRandom } from './seeded-random.ts';
import { TraceHash } from './trace-hash.ts';
import { Cable, VirtualLink, maxInFlightBytes } from './virtual-link.ts';
import { VirtualNode } from './virtual-node.ts';
import { VirtualRouter } from './virtual-router.ts';
import type { VirtualRouterOptions } from './virtual-router.ts';
import type { Application } from './virtual-socket.ts';

/** So many events without time passing are no work any more, but somebody who asks to be woken at once for ever. */
const maxEventsAtOnce = 200_000;

/** How one end of a connection is set up. */
interface EndOptions {
  readonly dialled: boolean;
  readonly cost: number;
  readonly provenRouterId?: string | undefined;
}

/** Routers of one network in virtual time: no sockets, no timers, the same run for the same seed. */
export class VirtualNetwork {
  nowMs = 1_000_000;
  /** Events so far. */
  events = 0;
  readonly hash: TraceHash = new TraceHash();
  readonly random: SeededRandom;
  /** Jitter of the wires. */
  readonly wire: SeededRandom;
  readonly nodes: VirtualNode[] = [];
  /** Called after each event. */
  afterEvent: (() => void) | undefined;
  /** Called with each new connection between routers. */
  onLink: ((link: VirtualLink) => void) | undefined;
  /** Credit on each AMQP link between routers; undefined = as the product has it. */
  linkCapacity: number | undefined;
  readonly #slabs = new SlabPool();
  readonly #queue = new EventQueue();
  #linkNumber = 0;
  #eventsAtOnce = 0;

  constructor(seed = 1) {
    this.random = new SeededRandom(seed);
    this.wire = this.random.split('wire');
  }

  router(id: string, rule?: TreatmentRule): VirtualRouter {
    return this.start(id, rule === undefined ? {} : { rule });
  }

  /** Starts a router's process. */
  start(id: string, options: VirtualRouterOptions): VirtualRouter {
    return new VirtualRouter(this, id, options);
  }

  /** `dialler` connects to `acceptor`. */
  link(dialler: VirtualRouter, acceptor: VirtualRouter, cost = 1): VirtualLink {
    return this.connect(dialler, acceptor, { dialled: true, cost }, { dialled: false, cost }, new Cable());
  }

  /** A connection over a cable: `ends[0]` dials over its first direction. */
  connect(dialler: VirtualRouter, acceptor: VirtualRouter, first: EndOptions, second: EndOptions, cable: Cable): VirtualLink {
    return this.#join([dialler, acceptor], [this.#connection(dialler, first), this.#connection(acceptor, second)], cable);
  }

  /** A peer that somebody plays connects to `acceptor`. */
  strange(
    acceptor: VirtualRouter,
    containerId: string,
    handler: ConnectionHandler,
    properties?: ConnectionOptions['writeProperties'],
    provenRouterId?: string,
    cable: Cable = new Cable(),
    stranger: VirtualNode = new VirtualNode(this),
  ): VirtualLink {
    const connection = new Connection(this.#options(true, containerId, properties), handler);
    const accepting = this.#connection(acceptor, { dialled: false, cost: 1, provenRouterId });
    return this.#join([stranger, acceptor], [connection, accepting], cable);
  }

  #connection(router: VirtualRouter, { dialled, cost, provenRouterId }: EndOptions): Connection {
    const neighbour = new Neighbour(++this.#linkNumber, dialled, cost, router.neighbourHandler, router.random, silentLogger);
    neighbour.provenRouterId = provenRouterId;
    if (this.linkCapacity !== undefined) neighbour.linkCapacity = this.linkCapacity;
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

  #join(ends: readonly [VirtualNode, VirtualNode], connections: readonly [Connection, Connection], cable: Cable): VirtualLink {
    const link = new VirtualLink(this, ends, connections, cable);
    this.onLink?.(link);
    for (const end of [0, 1] as const) {
      ends[end].links.add(link);
      connections[end].start(ends[end].nowMs());
      ends[end].touch();
    }
    return link;
  }

  /** The connection breaks; both ends know at once, and what is on the way is lost. */
  cut(link: VirtualLink): void {
    for (const end of [0, 1] as const) link.endLost(end);
  }

  /** A router dies: its links break, and nobody hears of it again. */
  kill(router: VirtualRouter): void {
    router.isAlive = false;
    for (const link of [...router.links]) this.cut(link);
  }

  // ---- time ----

  at(delayMs: number, run: () => void): void {
    this.#queue.push(this.nowMs + delayMs, run);
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
      const nextMs = this.#queue.peek()?.atMs ?? Infinity;
      if (nextMs > endMs) {
        this.nowMs = endMs;
        if (must) throw new Error(`not so after ${limitMs} ms`);
        return limitMs;
      }
      if (nextMs > this.nowMs) {
        this.checkNothingForgotten();
        this.nowMs = nextMs;
        this.#eventsAtOnce = 0;
      } else if (++this.#eventsAtOnce > maxEventsAtOnce) {
        throw new Error(`time stands still: ${maxEventsAtOnce} events at one moment`);
      }
      this.#queue.pop()?.run();
      this.events++;
      this.afterEvent?.();
    }
    return this.nowMs - startMs;
  }

  /** Whatever can be written has been written before time passes: otherwise somebody has forgotten to ask for an end of turn. */
  checkNothingForgotten(): void {
    for (const node of this.nodes) {
      if (!node.isAlive || node.isPaused) continue;
      for (const link of node.links) {
        for (const end of [0, 1] as const) {
          if (link.ends[end] === node && link.connections[end].hasTransmit && link.pipes[end].inFlight < maxInFlightBytes) {
            throw new Error('bytes wait, and nobody has asked for an end of turn');
          }
        }
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
