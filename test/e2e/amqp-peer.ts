import rhea from 'rhea';
import type {
  Connection,
  ConnectionOptions,
  Container,
  Delivery,
  EventContext,
  Message,
  Receiver,
  ReceiverOptions,
  Sender,
  SenderOptions,
} from 'rhea';
import { atEndOfTest } from './end-of-test.ts';
import { until } from './until.ts';

export type { Connection, Container, Delivery, Message, Receiver, Sender };

/** How a message ended for its sender. */
export interface Outcome {
  readonly state: string;
  readonly condition: string | undefined;
}

/** A client of a router's port: rhea, with every event kept. */
export class AmqpPeer implements AsyncDisposable {
  readonly container: Container = rhea.create_container();
  readonly connection: Connection;
  /** Conditions with which the router refused links or ended the connection. */
  readonly errors: string[] = [];
  #isOpen = false;
  #isGone = false;

  constructor(port: number, options: Partial<ConnectionOptions> & { connection_details?: () => unknown } = {}) {
    atEndOfTest(() => {
      if (!this.#isGone) this.connection.close();
    });
    for (const event of ['sender_error', 'receiver_error', 'session_error', 'connection_error'] as const) {
      this.container.on(event, (context: EventContext) => {
        const ended = {
          sender_error: context.sender,
          receiver_error: context.receiver,
          session_error: context.session,
          connection_error: context.connection,
        };
        const { condition } = (ended[event]?.error ?? {}) as { condition?: string };
        this.errors.push(condition ?? event);
      });
    }
    for (const event of ['error', 'protocol_error'] as const) this.container.on(event, (error: Error) => this.errors.push(error.message));
    this.container.on('connection_open', () => (this.#isOpen = true));
    this.container.on('disconnected', () => (this.#isGone = true));
    this.container.on('connection_close', () => (this.#isGone = true));
    this.connection = this.container.connect({ host: '127.0.0.1', port, reconnect: false, ...options } as ConnectionOptions);
  }

  async opened(): Promise<this> {
    await until('a client has opened its connection', () => this.#isOpen || this.#isGone);
    if (this.#isGone) throw new Error(`the connection was refused: ${this.errors.join(', ')}`);
    return this;
  }

  get gone(): boolean {
    return this.#isGone;
  }

  /** Attaches a receiver, and waits for the answer. */
  async receiver(options: ReceiverOptions | string): Promise<Receiver> {
    const receiver = this.connection.open_receiver(options);
    await until('a receiver is attached', () => receiver.is_open() || this.errors.length > 0 || this.#isGone);
    return receiver;
  }

  /** A receiver whose messages are kept. */
  async inbox(options: ReceiverOptions | string): Promise<Inbox> {
    return new Inbox(await this.receiver(options));
  }

  async sender(options: SenderOptions | string): Promise<Sender> {
    const sender = this.connection.open_sender(options);
    await until('a sender is attached', () => sender.is_open() || this.errors.length > 0 || this.#isGone);
    return sender;
  }

  /** A sender that has credit. */
  async readySender(options: SenderOptions | string): Promise<Sender> {
    const sender = await this.sender(options);
    await until('a sender has credit', () => sender.sendable());
    return sender;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isGone) return;
    this.connection.close();
    await until('a client is gone', () => this.#isGone).catch(() => {});
    await Promise.resolve();
  }
}

/** What a receiver got. */
export class Inbox {
  readonly receiver: Receiver;
  readonly messages: Message[] = [];
  readonly deliveries: Delivery[] = [];

  constructor(receiver: Receiver) {
    this.receiver = receiver;
    receiver.on('message', ({ message, delivery }: EventContext) => {
      if (message !== undefined) this.messages.push(message);
      if (delivery !== undefined) this.deliveries.push(delivery);
    });
  }

  get bodies(): unknown[] {
    return this.messages.map(({ body }) => body as unknown);
  }

  async count(messages: number): Promise<this> {
    await until(
      `${messages} messages have come`,
      () => this.messages.length >= messages,
      10_000,
      () => `${this.messages.length} have`,
    );
    return this;
  }
}

/** Sends a message, and tells how it ended. */
export async function send(sender: Sender, message: Message | Buffer): Promise<Outcome> {
  const delivery = sender.send(message as Message, undefined, Buffer.isBuffer(message) ? 0 : undefined);
  const state = await outcomeOf(sender, delivery);
  return state;
}

/** Who waits for which message of a sender. */
const waiting = new WeakMap<Sender, Map<Delivery, (outcome: Outcome) => void>>();

export async function outcomeOf(sender: Sender, delivery: Delivery): Promise<Outcome> {
  let waits = waiting.get(sender);
  if (waits === undefined) {
    const known = new Map<Delivery, (outcome: Outcome) => void>();
    sender.on('settled', (context: EventContext) => {
      const settled = context.delivery;
      if (settled === undefined) return;
      const state = settled.remote_state as { constructor?: { composite_type?: string }; error?: { condition?: string } } | undefined;
      known.get(settled)?.({ state: state?.constructor?.composite_type ?? 'none', condition: state?.error?.condition });
      known.delete(settled);
    });
    waiting.set(sender, known);
    waits = known;
  }
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  waits.set(delivery, resolve);
  return await promise;
}
