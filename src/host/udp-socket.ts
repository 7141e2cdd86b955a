import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket, SocketOptions } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { maxSocketQueueBytes } from '../services/udp/limits.ts';
import type { ServerSocket, ServerSocketHandler } from '../services/udp/server-socket.ts';
import type { ResolvedHost } from './resolved-host.ts';
import type { TurnQueue } from './turn.ts';

/** What the system should keep for a port that all clients send to, until it is read: a stall of 100 ms at 40 MB/s. It may give less. */
const portReceiveBufferBytes = 4_194_304;

type Lookup = NonNullable<SocketOptions['lookup']>;

/** Addresses are numbers already: nothing is looked up, nor waited for. */
export const asItIs: Lookup = (
  address: string,
  options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void => {
  callback(null, address, options === 6 ? 6 : 4);
};

/** Hears of a port. */
export interface UdpPortHandler {
  /** A datagram, which is never written again. */
  received(datagram: Uint8Array, from: RemoteInfo): void;
  listening(port: number): void;
  /** Before `listening`: the port could not be bound, and is closed. */
  failed(error: Error): void;
  /** A datagram was not sent: the system's queue is full, or the client's host cannot be reached. */
  dropped(reason: 'socketFull' | 'refused'): void;
}

/** A local UDP port that many clients send to. */
export class UdpPort {
  readonly #socket: Socket;
  readonly #handler: UdpPortHandler;
  #isListening = false;
  #isClosed = false;

  /**
   * Binds `port` of `address`, which is a number, or '' for all addresses of this host. With `group` the port is that of this multicast group
   * on the interface that has the address; other programs may have it, too.
   */
  constructor(address: string, port: number, turns: TurnQueue, handler: UdpPortHandler, group?: string) {
    this.#handler = handler;
    const local = group ?? (address === '' ? '::' : address);
    const socket = createSocket({ type: isIPv6(local) ? 'udp6' : 'udp4', lookup: asItIs, reuseAddr: group !== undefined });
    this.#socket = socket;
    socket.on('message', (datagram, from) => {
      handler.received(datagram, from);
      turns.touch();
    });
    socket.on('error', (error) => {
      // Errors of a port in use are those of single datagrams.
      if (this.#isListening || this.#isClosed) return;
      this.close();
      handler.failed(error);
    });
    socket.bind({ port, address: local, exclusive: true }, () => {
      if (this.#isClosed) return;
      try {
        if (group !== undefined) socket.addMembership(group, address === '' ? undefined : address);
      } catch (error) {
        this.close();
        handler.failed(error as Error);
        return;
      }
      this.#isListening = true;
      enlargeReceiveBuffer(socket);
      handler.listening(socket.address().port);
    });
  }

  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.#handler.dropped('refused');
  };

  /** Sends from the port. */
  send(address: string, port: number, bytes: Uint8Array, start: number, end: number): void {
    if (!this.#isListening || this.#isClosed) return;
    if (this.#socket.getSendQueueSize() > maxSocketQueueBytes) this.#handler.dropped('socketFull');
    else this.#socket.send(bytes, start, end - start, port, address, this.#sent);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }
}

/** As large as the system allows: it is what bridges the pauses of this process. */
function enlargeReceiveBuffer(socket: Socket): void {
  try {
    socket.setRecvBufferSize(portReceiveBufferBytes);
  } catch {
    // The system's own size will do.
  }
}

/** A socket with a port of its own that talks to one server. */
export class UdpServerSocket implements ServerSocket {
  readonly #turns: TurnQueue;
  readonly #handler: ServerSocketHandler;
  readonly #explain: (error: Error) => string;
  #socket: Socket | undefined;
  #isClosed = false;

  /** The handler is called later. */
  constructor(host: ResolvedHost, port: number, turns: TurnQueue, handler: ServerSocketHandler, explain: (error: Error) => string) {
    this.#turns = turns;
    this.#handler = handler;
    this.#explain = explain;
    host.resolve((address) => this.#open(address, port), this.#failed);
  }

  #open(address: string, port: number): void {
    if (this.#isClosed) return;
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', lookup: asItIs });
    this.#socket = socket;
    socket.on('message', (datagram) => {
      if (this.#isClosed) return;
      this.#handler.received(datagram);
      this.#turns.touch();
    });
    socket.on('error', this.#failed);
    socket.once('connect', () => {
      if (this.#isClosed) return;
      this.#handler.opened();
      this.#turns.touch();
    });
    socket.connect(port, address);
  }

  readonly #failed = (error: Error): void => {
    if (this.#isClosed) return;
    this.#handler.failed(this.#explain(error));
    this.#turns.touch();
  };

  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.#failed(error);
  };

  send(bytes: Uint8Array, start: number, end: number): void {
    const socket = this.#socket;
    if (this.#isClosed || socket === undefined) return;
    if (socket.getSendQueueSize() > maxSocketQueueBytes) this.#handler.dropped();
    else socket.send(bytes, start, end - start, this.#sent);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket?.close();
  }
}
