import type { AddressInfo, Server, Socket } from 'node:net';
import rhea from 'rhea';
import type { Container, EventContext, Message, Receiver, Sender } from 'rhea';
import { atEndOfTest } from './end-of-test.ts';

/** What a broker does with a message: the outcome that its sender hears. */
export type BrokerOutcome = 'accept' | 'reject' | 'release';

/** What the typings of rhea leave out. */
interface Heartbeats {
  readonly remote: { readonly open: { idle_time_out: number } };
  readonly heartbeat_out: NodeJS.Timeout | undefined;
}

/** A small broker made of rhea: queues by name, in memory. What is taken and not accepted is put back. */
export class AmqpBroker implements AsyncDisposable {
  readonly #container: Container = rhea.create_container();
  readonly #queues = new Map<string, Message[]>();
  readonly #takers = new Map<string, Set<Sender>>();
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<Heartbeats>();
  #server: Server | undefined;
  /** Nodes that links may not be attached to. */
  readonly refused: Set<string> = new Set();
  outcome: BrokerOutcome = 'accept';
  /** User names of connections, as SASL has proven them. */
  readonly users: string[] = [];

  constructor(password?: string) {
    atEndOfTest(async () => await this.stop());
    const container = this.#container;
    if (password === undefined) container.sasl_server_mechanisms.enable_anonymous();
    else {
      container.sasl_server_mechanisms.enable_plain((user: string, given: string) => {
        if (given === password) this.users.push(user);
        return given === password;
      });
    }
    container.on('receiver_open', ({ receiver }: EventContext) => this.#attached(receiver));
    container.on('sender_open', ({ sender }: EventContext) => this.#offered(sender));
    container.on('message', ({ message, delivery, receiver }: EventContext) => {
      if (delivery === undefined || message === undefined || receiver === undefined) return;
      if (this.outcome === 'reject') delivery.reject({ condition: 'broker:full', description: 'the queue is full' });
      else if (this.outcome === 'release') delivery.release();
      else {
        delivery.accept();
        this.put(addressOf(receiver.target), message);
      }
    });
    container.on('connection_open', ({ connection }: EventContext) => this.#connections.add(connection as unknown as Heartbeats));
    container.on('sendable', () => this.#deliver());
    for (const event of ['released', 'modified', 'rejected'] as const) {
      container.on(event, ({ delivery, sender }: EventContext) => {
        const message = delivery === undefined ? undefined : this.#underWay.get(delivery.tag.toString());
        if (message !== undefined && sender !== undefined) this.queue(addressOf(sender.source)).unshift(message);
        this.#deliver();
      });
    }
    for (const event of ['error', 'protocol_error', 'disconnected', 'connection_error'] as const) container.on(event, () => {});
    container.on('sender_close', ({ sender }: EventContext) => {
      for (const takers of this.#takers.values()) if (sender !== undefined) takers.delete(sender);
    });
  }

  readonly #underWay = new Map<string, Message>();

  async start(port = 0): Promise<number> {
    const server = this.#container.listen({ port, host: '127.0.0.1' }) as unknown as Server;
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => {
      if (server.listening) resolve();
      else server.once('listening', resolve);
    });
    return (server.address() as AddressInfo).port;
  }

  queue(name: string): Message[] {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = [];
      this.#queues.set(name, queue);
    }
    return queue;
  }

  put(name: string, message: Message): void {
    this.queue(name).push(message);
    this.#deliver();
  }

  #attached(receiver: Receiver | undefined): void {
    if (receiver === undefined) return;
    const node = addressOf(receiver.target);
    if (this.refused.has(node)) receiver.close({ condition: 'amqp:not-found', description: `there is no ${node}` });
    else receiver.set_target({ address: node });
  }

  #offered(sender: Sender | undefined): void {
    if (sender === undefined) return;
    const node = addressOf(sender.source);
    sender.set_source({ address: node });
    const takers = this.#takers.get(node) ?? new Set<Sender>();
    takers.add(sender);
    this.#takers.set(node, takers);
    this.#deliver();
  }

  #deliver(): void {
    for (const [node, takers] of this.#takers) {
      const queue = this.queue(node);
      for (const sender of takers) {
        // When credit is taken back while messages are under way, rhea counts below zero and says that it can send.
        while (queue.length > 0 && (sender as Sender & { credit: number }).credit > 0 && sender.sendable()) {
          const message = queue.shift() as Message;
          const delivery = sender.send(message);
          this.#underWay.set(delivery.tag.toString(), message);
        }
      }
    }
  }

  /** Ends all connections and listens no more; queues stay. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const takers of this.#takers.values()) takers.clear();
    if (server === undefined) return;
    const closed = new Promise((resolve) => {
      server.close(resolve);
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    // What rhea writes after the end of a socket begins its heartbeats again, and they would go on for ever.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    for (const connection of this.#connections) {
      connection.remote.open.idle_time_out = 0;
      clearTimeout(connection.heartbeat_out);
    }
    this.#connections.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function addressOf(terminus: unknown): string {
  return (terminus as { readonly address?: string } | undefined)?.address ?? '';
}
