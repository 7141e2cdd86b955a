import type { Connection } from '../amqp/connection.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import type { VirtualNode } from './virtual-node.ts';

/** As much as a socket takes before the rest waits in the machine. */
export const maxInFlightBytes = 1_048_576;

/** On a slow line a write arrives in pieces that take about this long each, or in so many. */
const pieceMs = 50;
const maxPieces = 64;

/** One direction between two machines: what a cable does to all that runs over it. */
export class Direction {
  delayMs = 1;
  /** Up to this much is added to the delay, at random; the order of bytes stays. */
  jitterMs = 0;
  /** Octets per virtual millisecond; undefined = without limit. */
  rate: number | undefined;
  readonly pipes: Set<Pipe> = new Set();
  #blocks = 0;

  /** Nothing passes, not even the news that the other end has closed; what was sent waits, as in a TCP that repeats it. */
  get blocked(): boolean {
    return this.#blocks > 0;
  }

  /** Several causes may block it at the same time. */
  block(): void {
    this.#blocks++;
  }

  /** The line is good again: what waits in it is not kept by how bad it was. */
  hasten(): void {
    for (const pipe of [...this.pipes]) pipe.hasten();
  }

  unblock(): void {
    if (this.#blocks > 0) this.#blocks--;
    if (!this.blocked) for (const pipe of [...this.pipes]) pipe.drain();
  }

  /** However many causes there were. */
  unblockWholly(): void {
    this.#blocks = 0;
    this.unblock();
  }
}

/** Both directions between two machines; it outlives the connections over it. */
export class Cable {
  readonly directions: readonly [Direction, Direction] = [new Direction(), new Direction()];
}

/** Bytes on their way, or the news that the sending end is gone. */
interface Segment {
  readyAtMs: number;
  bytes: Uint8Array | undefined;
  /** Octets of the write that it is the last piece of, 0 for other pieces: the lent slab goes back when all have been delivered. */
  readonly lentBytes: number;
}

/** One direction of one connection: bytes in order. */
export class Pipe {
  readonly link: VirtualLink;
  /** The end that receives: 0 or 1. */
  readonly toEnd: 0 | 1;
  readonly direction: Direction;
  inFlight = 0;
  #freeAtMs = 0;
  #lastReadyMs = 0;
  readonly #queue: Segment[] = [];
  #brokenAfter = false;

  constructor(link: VirtualLink, toEnd: 0 | 1, direction: Direction) {
    this.link = link;
    this.toEnd = toEnd;
    this.direction = direction;
    direction.pipes.add(this);
  }

  send(bytes: Uint8Array): void {
    const { network } = this.link;
    const { rate } = this.direction;
    this.inFlight += bytes.length;
    this.#freeAtMs = Math.max(this.#freeAtMs, network.nowMs);
    if (this.#brokenAfter) {
      this.#freeAtMs += rate === undefined ? 0 : bytes.length / rate;
      return;
    }
    // On a slow line bytes arrive as they come, not all at the end.
    const pieceBytes = rate === undefined ? bytes.length : Math.max(Math.ceil(rate * pieceMs), Math.ceil(bytes.length / maxPieces));
    for (let start = 0; start < bytes.length; start += pieceBytes) {
      const end = Math.min(start + pieceBytes, bytes.length);
      this.#freeAtMs += rate === undefined ? 0 : (end - start) / rate;
      this.#push(this.#freeAtMs, bytes.subarray(start, end), end === bytes.length ? bytes.length : 0);
    }
  }

  /** The other end hears, behind what was sent, that this end is gone. */
  close(): void {
    if (this.#brokenAfter) return;
    this.#brokenAfter = true;
    this.#push(Math.max(this.#freeAtMs, this.link.network.nowMs), undefined, 0);
  }

  /** The connection breaks: only the first `kept` octets of what is on its way arrive, then the news. */
  break(kept: number): void {
    let rest = kept;
    for (let index = 0; index < this.#queue.length; index++) {
      const segment = this.#queue[index];
      const { bytes } = segment;
      if (bytes === undefined) return;
      if (bytes.length > rest) {
        this.#queue.length = index;
        if (rest > 0) this.#queue.push({ readyAtMs: segment.readyAtMs, bytes: bytes.subarray(0, rest), lentBytes: 0 });
        break;
      }
      rest -= bytes.length;
    }
    this.close();
  }

  #push(freeAtMs: number, bytes: Uint8Array | undefined, lentBytes: number): void {
    const { network } = this.link;
    const { delayMs, jitterMs } = this.direction;
    const jitter = jitterMs > 0 ? network.wire.number() * jitterMs : 0;
    const readyAtMs = Math.max(this.#lastReadyMs, freeAtMs + delayMs + jitter);
    this.#lastReadyMs = readyAtMs;
    this.#queue.push({ readyAtMs, bytes, lentBytes });
    network.at(readyAtMs - network.nowMs, () => this.drain());
  }

  /** What is on its way arrives after the line's delay at the latest. */
  hasten(): void {
    const { network } = this.link;
    const latestMs = network.nowMs + this.direction.delayMs + this.direction.jitterMs;
    for (const segment of this.#queue) segment.readyAtMs = Math.min(segment.readyAtMs, latestMs);
    this.#lastReadyMs = Math.min(this.#lastReadyMs, latestMs);
    this.#freeAtMs = Math.min(this.#freeAtMs, network.nowMs);
    network.at(latestMs - network.nowMs, () => this.drain());
  }

  /** Delivers what has arrived. */
  drain(): void {
    const { link, toEnd, direction } = this;
    const { network } = link;
    const node = link.ends[toEnd];
    while (!direction.blocked && !node.isPaused) {
      const segment = this.#queue[0];
      if (segment === undefined || segment.readyAtMs > network.nowMs) return;
      this.#queue.shift();
      const { bytes, lentBytes } = segment;
      if (bytes === undefined) {
        link.endLost(toEnd);
        return;
      }
      this.inFlight -= lentBytes;
      if (lentBytes > 0) link.transmitted(toEnd === 0 ? 1 : 0);
      link.arrived(toEnd, bytes);
    }
  }

  discard(): void {
    this.#queue.length = 0;
    this.direction.pipes.delete(this);
  }
}

/** Sees the octets of a connection as its ends do. Not to be kept: they are the network's. */
export interface WireWatch {
  sent(end: 0 | 1, bytes: Uint8Array): void;
  received(end: 0 | 1, bytes: Uint8Array): void;
}

/** A connection between two nodes, each end of which may be gone without the other knowing. */
export class VirtualLink {
  readonly network: VirtualNetwork;
  readonly ends: readonly [VirtualNode, VirtualNode];
  readonly connections: readonly [Connection, Connection];
  readonly cable: Cable;
  /** Carries what end 0 sends, and what end 1 sends. */
  readonly pipes: readonly [Pipe, Pipe];
  readonly isOpen: [boolean, boolean] = [true, true];
  /** Told when the socket of an end is gone. */
  onEnd: ((end: 0 | 1) => void) | undefined;
  /** Cuts what arrives into pieces of random sizes up to this. */
  maxChunkBytes: number = Infinity;
  watch: WireWatch | undefined;

  constructor(
    network: VirtualNetwork,
    ends: readonly [VirtualNode, VirtualNode],
    connections: readonly [Connection, Connection],
    cable: Cable,
  ) {
    this.network = network;
    this.ends = ends;
    this.connections = connections;
    this.cable = cable;
    this.pipes = [new Pipe(this, 1, cable.directions[0]), new Pipe(this, 0, cable.directions[1])];
  }

  set rate(rate: number | undefined) {
    for (const direction of this.cable.directions) direction.rate = rate;
  }

  set delayMs(delayMs: number) {
    for (const direction of this.cable.directions) direction.delayMs = delayMs;
  }

  get isCut(): boolean {
    return !this.isOpen[0] && !this.isOpen[1];
  }

  /** Takes what end `from` has to send, as far as its socket takes it. */
  flush(from: 0 | 1): void {
    const machine = this.connections[from];
    const pipe = this.pipes[from];
    while (machine.hasTransmit && pipe.inFlight < maxInFlightBytes) {
      const lent = machine.nextTransmit();
      if (lent === undefined) return;
      this.watch?.sent(from, lent);
      pipe.send(lent.slice());
    }
  }

  transmitted(from: 0 | 1): void {
    if (!this.isOpen[from]) return;
    this.connections[from].transmitted();
    if (this.connections[from].hasTransmit) this.ends[from].touch();
  }

  arrived(at: 0 | 1, bytes: Uint8Array): void {
    const node = this.ends[at];
    if (!this.isOpen[at]) {
      // Nobody listens here any more: a machine that runs answers with a reset.
      if (node.isMachineOn) this.pipes[at].close();
      return;
    }
    if (!node.isAlive) return;
    this.network.hash.word(node.number);
    this.network.hash.bytes(bytes);
    this.watch?.received(at, bytes);
    for (let from = 0; from < bytes.length;) {
      const size = this.maxChunkBytes === Infinity ? bytes.length : 1 + this.network.random.below(this.maxChunkBytes);
      this.connections[at].receive(bytes.subarray(from, Math.min(from + size, bytes.length)), node.nowMs());
      from += size;
    }
    node.touch();
  }

  /** The end has said its last word, or its process is gone: the other end hears it. */
  close(end: 0 | 1): void {
    if (!this.isOpen[end]) return;
    this.endLost(end);
    this.pipes[end].close();
  }

  /** The socket of this end is gone. */
  endLost(end: 0 | 1): void {
    if (!this.isOpen[end]) return;
    this.isOpen[end] = false;
    const node = this.ends[end];
    node.links.delete(this);
    this.network.hash.word(0x0dead + node.number);
    if (node.isAlive) {
      this.connections[end].lost('the connection was closed');
      node.touch();
    }
    this.onEnd?.(end);
    if (this.isCut) for (const pipe of this.pipes) pipe.discard();
  }

  /** The connection breaks in the middle: each end gets a random part of what is on its way, then hears of it. */
  break(keep: () => number): void {
    for (const pipe of this.pipes) pipe.break(Math.floor(keep() * pipe.inFlight));
  }
}
