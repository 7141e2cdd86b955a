import type { TcpListener } from '../services/tcp/listener.ts';
import { contentOf, differenceAt } from './content.ts';
import type { Machine } from './machine.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { VirtualRouter } from './virtual-router.ts';
import type { Application } from './virtual-socket.ts';

/** Octets in front of the client's: number, octets to come, octets wanted back, and who ends first. */
const headerBytes = 16;

/** Who closes its direction first. */
const endings = ['client at once', 'client when answered', 'server at once'] as const;
type Ending = (typeof endings)[number];

/** A TCP connection through the network, from client to server. */
export interface SentStream {
  readonly number: number;
  readonly address: string;
  readonly from: Machine;
  readonly process: VirtualRouter;
  readonly startedAtMs: number;
  readonly upBytes: number;
  readonly downBytes: number;
  readonly client: Application;
  /** The client may give up by itself. */
  readonly mayReset: boolean;
  /** Each connection to a server in which octets of this client came. */
  readonly servers: ServerSide[];
}

/** What one server knows of a connection. */
export interface ServerSide {
  readonly machine: Machine;
  readonly process: VirtualRouter;
  readonly application: Application;
  readonly stream: SentStream;
  /** All octets of the answer have been written. */
  answered: boolean;
  /** FIN has come. */
  clientEnded: boolean;
}

/** Hears what happens to streams. */
export interface StreamObserver {
  /** First octets of a client came to a server. */
  streamServed(stream: SentStream, server: ServerSide): void;
  /** One side has got FIN. */
  streamEnded(stream: SentStream, side: 'client' | 'server', received: number): void;
  streamCorrupt(stream: SentStream | undefined, reason: string): void;
  streamGone(stream: SentStream, side: 'client' | 'server', how: 'end' | 'reset'): void;
}

/** Opens connections and checks each octet. */
export class StreamTraffic {
  readonly sent: Map<number, SentStream> = new Map();
  readonly observer: StreamObserver;
  readonly #random: SeededRandom;
  readonly #nowMs: () => number;
  #number = 0;
  /** Connections to servers that have not gone yet, by process. */
  readonly open: Set<ServerSide> = new Set();

  constructor(observer: StreamObserver, random: SeededRandom, nowMs: () => number) {
    this.observer = observer;
    this.#random = random;
    this.#nowMs = nowMs;
  }

  /** A client connects; undefined when the listener refuses it. */
  connect(from: Machine, process: VirtualRouter, listener: TcpListener, address: string, maxBytes: number): SentStream {
    const number = ++this.#number;
    const upBytes = this.#random.below(maxBytes);
    const downBytes = this.#random.below(maxBytes);
    const ending = this.#random.pick(endings);
    const mayReset = this.#random.chance(0.05);
    const stallMs = this.#random.chance(0.2) ? this.#random.below(4000) : 0;
    let stream: SentStream | undefined;
    process.connect(listener, (client) => {
      stream = { number, address, from, process, startedAtMs: this.#nowMs(), upBytes, downBytes, client, mayReset, servers: [] };
      this.sent.set(number, stream);
      this.#runClient(stream, ending);
    });
    if (stream === undefined) throw new Error('bug: a client that was not prepared');
    if (stallMs > 0) this.#stall(process, stream.client, stallMs);
    if (mayReset) process.after(this.#random.below(2000), () => stream?.client.reset());
    return stream;
  }

  /** A program that does not read for a while. */
  #stall(process: VirtualRouter, application: Application, stallMs: number): void {
    application.reading = false;
    process.after(stallMs, () => (application.reading = true));
  }

  #runClient(stream: SentStream, ending: Ending): void {
    const { client, number, upBytes, downBytes } = stream;
    client.keepChunks = false;
    let received = 0;
    client.onData = (bytes): void => {
      received = this.#check(stream, bytes, received, downBytes, number + 1, 'client');
      if (received === downBytes && ending === 'client when answered') client.end();
    };
    client.onEnd = (): void => {
      this.observer.streamEnded(stream, 'client', received);
      client.end();
    };
    client.onGone = (how): void => this.observer.streamGone(stream, 'client', how);
    const header = new Uint8Array(headerBytes);
    const view = new DataView(header.buffer);
    view.setUint32(0, number);
    view.setUint32(4, upBytes);
    view.setUint32(8, downBytes);
    view.setUint32(12, endings.indexOf(ending));
    client.write(header);
    client.write(contentOf(number, 0, upBytes));
    if (ending === 'client at once' || (ending === 'client when answered' && downBytes === 0)) client.end();
  }

  #check(stream: SentStream, bytes: Uint8Array, from: number, expected: number, salt: number, side: string): number {
    if (from + bytes.length > expected) this.observer.streamCorrupt(stream, `the ${side} got more than ${expected} octets`);
    const wrongAt = differenceAt(salt, from, bytes, 0, bytes.length);
    if (wrongAt >= 0) this.observer.streamCorrupt(stream, `the ${side} got a wrong octet at ${wrongAt}`);
    return from + bytes.length;
  }

  /** A server that answers as the client's header says. */
  serve(machine: Machine, process: VirtualRouter, address: string): void {
    process.serve(address, (application) => this.#runServer(machine, process, application));
  }

  #runServer(machine: Machine, process: VirtualRouter, application: Application): void {
    application.keepChunks = false;
    const header = new Uint8Array(headerBytes);
    let filled = 0;
    let received = 0;
    let server: ServerSide | undefined;
    application.onData = (bytes): void => {
      let at = 0;
      for (; filled < headerBytes && at < bytes.length; at++) header[filled++] = bytes[at];
      if (filled < headerBytes) return;
      server ??= this.#recognize(machine, process, application, header);
      if (server === undefined) return;
      const { stream } = server;
      received = this.#check(stream, bytes.subarray(at), received, stream.upBytes, stream.number, 'server');
    };
    application.onEnd = (): void => {
      if (server === undefined) {
        this.observer.streamCorrupt(undefined, 'a server got the end of a connection without its beginning');
        return;
      }
      server.clientEnded = true;
      this.observer.streamEnded(server.stream, 'server', received);
      if (server.answered) application.end();
    };
    application.onGone = (how): void => {
      if (server === undefined) return;
      this.open.delete(server);
      this.observer.streamGone(server.stream, 'server', how);
    };
  }

  #recognize(machine: Machine, process: VirtualRouter, application: Application, header: Uint8Array): ServerSide | undefined {
    const view = new DataView(header.buffer);
    const stream = this.sent.get(view.getUint32(0));
    if (stream === undefined || stream.upBytes !== view.getUint32(4) || stream.downBytes !== view.getUint32(8)) {
      this.observer.streamCorrupt(stream, 'a server got a header that no client has sent');
      return undefined;
    }
    const server: ServerSide = { machine, process, application, stream, answered: false, clientEnded: false };
    stream.servers.push(server);
    this.open.add(server);
    this.observer.streamServed(stream, server);
    const pauseMs = (stream.number * 37) % 400;
    process.after(pauseMs, () => {
      application.write(contentOf(stream.number + 1, 0, stream.downBytes));
      server.answered = true;
      if (server.clientEnded || endings[view.getUint32(12)] === 'server at once') application.end();
      process.touch();
    });
    return server;
  }
}
