import type { Socket } from 'node:dgram';

export interface JoinedDatagramsOptions {
  /** Bound: where clients send to. Closed with this. */
  readonly server: Socket;
  /** A socket that is, or soon will be, connected to the program. It may throw. */
  readonly open: () => Socket;
  readonly failed: (reason: string) => void;
  readonly nowMs: () => number;
}

interface Session {
  readonly socket: Socket;
  /** Datagrams that came before it was connected. */
  waiting: Uint8Array[] | undefined;
  usedMs: number;
}

/** Clients of one port at a time: each has a socket. */
const sessionsLimit = 1024;
/** A client that was silent so long is a new one. As long as NAT usually waits. */
const idleMs = 60_000;
const lookEveryMs = 10_000;
/** Of a client whose socket is not ready. */
const waitingLimit = 16;
/** What the system has not taken yet, of one socket; more is lost, as datagrams are. */
const queueLimitBytes = 262_144;

/** Datagrams between the clients of a port and a program that knows each of them by a port of its own. */
export class JoinedDatagrams implements Disposable {
  readonly #options: JoinedDatagramsOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: JoinedDatagramsOptions) {
    this.#options = options;
    const { server, nowMs, failed } = options;
    server.on('message', (octets, { address, port }) => {
      const key = `${address} ${port}`;
      const session = this.#sessions.get(key) ?? this.#begin(key, address, port);
      if (session === undefined) return;
      session.usedMs = nowMs();
      if (session.waiting === undefined) send(session.socket, octets);
      else if (session.waiting.length < waitingLimit) session.waiting.push(octets);
    });
    server.on('error', (error) => failed(error.message));
    this.#timer = setInterval(() => {
      for (const [key, { usedMs }] of this.#sessions) if (nowMs() >= usedMs + idleMs) this.#end(key);
    }, lookEveryMs);
  }

  #begin(key: string, address: string, port: number): Session | undefined {
    const { server, open, failed, nowMs } = this.#options;
    if (this.#sessions.size >= sessionsLimit) {
      failed(`${sessionsLimit} clients are there already`);
      return undefined;
    }
    let socket: Socket;
    try {
      socket = open();
    } catch (error) {
      failed((error as Error).message);
      return undefined;
    }
    const session: Session = { socket, waiting: [], usedMs: nowMs() };
    this.#sessions.set(key, session);
    socket.on('connect', () => {
      for (const octets of session.waiting ?? []) send(socket, octets);
      session.waiting = undefined;
    });
    socket.on('message', (octets) => {
      session.usedMs = nowMs();
      if (!this.#isClosed && server.getSendQueueSize() < queueLimitBytes) server.send(octets, port, address);
    });
    // Such as of a port where nobody listens now.
    socket.on('error', (error) => {
      failed(error.message);
      if (session.waiting !== undefined) this.#end(key);
    });
    return session;
  }

  #end(key: string): void {
    this.#sessions.get(key)?.socket.close();
    this.#sessions.delete(key);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const key of this.#sessions.keys()) this.#end(key);
    this.#options.server.close();
  }
}

/** Whether it arrives is not known: errors come to the socket. */
function send(socket: Socket, octets: Uint8Array): void {
  if (socket.getSendQueueSize() < queueLimitBytes) socket.send(octets);
}
