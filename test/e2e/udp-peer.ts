import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { atEndOfTest } from './end-of-test.ts';

const receiveBufferBytes = 4_194_304;

async function bound(host: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', recvBufferSize: receiveBufferBytes });
  socket.bind(port, host);
  await once(socket, 'listening');
  return socket;
}

/** A UDP server; it answers as `answer` says, or not. */
export class UdpServer implements Disposable {
  readonly #socket: Socket;
  /** Datagrams by the client's address and port. */
  readonly clients: Map<string, number> = new Map();
  received = 0;
  #isClosed = false;

  private constructor(socket: Socket, answer: (datagram: Buffer) => Uint8Array | undefined) {
    this.#socket = socket;
    socket.on('message', (datagram: Buffer, { address, port }: RemoteInfo) => {
      this.received++;
      const client = `${address}:${port}`;
      this.clients.set(client, (this.clients.get(client) ?? 0) + 1);
      const reply = answer(datagram);
      if (reply !== undefined) socket.send(reply, port, address);
    });
    atEndOfTest(() => this[Symbol.dispose]());
  }

  static async start(
    answer: (datagram: Buffer) => Uint8Array | undefined = (datagram) => datagram,
    host = '127.0.0.1',
    port = 0,
  ): Promise<UdpServer> {
    return new UdpServer(await bound(host, port), answer);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  [Symbol.dispose](): void {
    if (!this.#isClosed) this.#socket.close();
    this.#isClosed = true;
  }
}

/** A UDP client with a port of its own; whoever answers from another port than it sends to goes unheard. */
export class UdpClient implements Disposable {
  readonly #socket: Socket;
  /** Answers in the order in which they came. */
  readonly answers: Buffer[] = [];
  #heard: (() => void) | undefined;
  /** Errors of the socket: the other host says that nobody is there. */
  refusals = 0;
  #isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (datagram: Buffer) => {
      this.answers.push(datagram);
      this.#heard?.();
    });
    socket.on('error', () => this.refusals++);
    atEndOfTest(() => this[Symbol.dispose]());
  }

  static async start(port: number, host = '127.0.0.1'): Promise<UdpClient> {
    const socket = await bound(isIPv6(host) ? '::1' : host, 0);
    socket.connect(port, host);
    await once(socket, 'connect');
    return new UdpClient(socket);
  }

  send(datagram: Uint8Array | string): void {
    if (!this.#isClosed) this.#socket.send(datagram);
  }

  /** Sends a datagram and waits for the next answer; undefined when none comes in time. */
  async ask(datagram: Uint8Array | string, timeoutMs = 1000): Promise<Buffer | undefined> {
    const before = this.answers.length;
    this.send(datagram);
    await this.#next(timeoutMs, before);
    return this.answers[before];
  }

  async #next(timeoutMs: number, before: number): Promise<void> {
    if (this.answers.length > before) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#heard = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#heard = undefined;
  }

  /** Asks until there is an answer: datagrams may be lost. */
  async askAgain(datagram: Uint8Array | string, timeoutMs = 15_000): Promise<Buffer> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const answer = await this.ask(datagram, 250);
      if (answer !== undefined) return answer;
      if (performance.now() > endMs) throw new Error(`no answer within ${timeoutMs} ms`);
    }
  }

  [Symbol.dispose](): void {
    if (!this.#isClosed) this.#socket.close();
    this.#isClosed = true;
  }
}

/** A member of a multicast group, which hears what it sends itself, too. */
export class UdpGroupMember implements Disposable {
  readonly #socket: Socket;
  readonly #group: string;
  readonly heard: string[] = [];
  #isClosed = false;

  private constructor(socket: Socket, group: string) {
    this.#socket = socket;
    this.#group = group;
    socket.on('message', (datagram: Buffer) => void this.heard.push(String(datagram)));
    atEndOfTest(() => this[Symbol.dispose]());
  }

  /** `host`: the address of the interface. */
  static async start(group: string, port: number, host: string): Promise<UdpGroupMember> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    socket.bind(port, group);
    await once(socket, 'listening');
    socket.addMembership(group, host);
    socket.setMulticastInterface(host);
    return new UdpGroupMember(socket, group);
  }

  send(text: string): void {
    this.#socket.send(text, this.#socket.address().port, this.#group);
  }

  [Symbol.dispose](): void {
    if (!this.#isClosed) this.#socket.close();
    this.#isClosed = true;
  }
}
