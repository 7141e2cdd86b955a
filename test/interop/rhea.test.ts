import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { test } from 'node:test';
import rhea from 'rhea';
import type { Connection as RheaConnection, Container, EventContext, Message, Receiver } from 'rhea';
import type { ConnectionOptions } from '../../src/amqp/connection.ts';
import type { DeliverySource, OutgoingDelivery } from '../../src/amqp/delivery.ts';
import type { IncomingLink, OutgoingLink } from '../../src/amqp/link.ts';
import { DeliveryState } from '../../src/amqp/performatives.ts';
import type { AmqpError } from '../../src/amqp/performatives.ts';
import { RecordingHandler, connectionOptions, termini } from '../fuzz/connection-pair.ts';
import { SocketConnection, dataMessage, dial, listen, noise, until } from './socket-connection.ts';

const megabyte = 1_048_576;

/** Our server and a rhea client on one TCP connection. */
class OurServer implements AsyncDisposable {
  readonly handler = new RecordingHandler();
  readonly container: Container = rhea.create_container({ id: 'rhea' });
  rhea!: RheaConnection;
  ours!: SocketConnection;
  #stop: AsyncDisposable | undefined;

  async start(options: Partial<ConnectionOptions> = {}, client: object = {}): Promise<this> {
    const server = await listen((socket) => {
      this.ours = new SocketConnection(socket, connectionOptions(false, options), this.handler);
    });
    this.#stop = server;
    for (const event of ['error', 'disconnected'] as const) this.container.on(event, () => {});
    this.rhea = this.container.connect({ host: '127.0.0.1', port: server.port, reconnect: false, ...client });
    return this;
  }

  /** The link that rhea attached. */
  async offered(): Promise<IncomingLink | OutgoingLink> {
    await until('rhea attaches', () => this.handler.links.length > 0);
    return this.handler.links[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop?.[Symbol.asyncDispose]();
  }
}

/** A rhea server and our client on one TCP connection. */
class OurClient implements AsyncDisposable {
  readonly handler = new RecordingHandler();
  readonly container: Container = rhea.create_container({ id: 'rhea' });
  ours!: SocketConnection;
  #server: Server | undefined;

  async start(options: Partial<ConnectionOptions> = {}): Promise<this> {
    for (const event of ['error', 'disconnected'] as const) this.container.on(event, () => {});
    const server = this.container.listen({ port: 0, host: '127.0.0.1' });
    this.#server = server;
    await once(server, 'listening');
    const socket = await dial((server.address() as AddressInfo).port);
    this.ours = new SocketConnection(socket, connectionOptions(true, options), this.handler);
    return this;
  }

  async opened(): Promise<void> {
    await until('OPEN', () => this.ours.connection.opened);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ours[Symbol.asyncDispose]();
    this.#server?.close();
  }
}

class Outcomes implements DeliverySource {
  readonly states: DeliveryState[] = [];
  readonly errors: (AmqpError | undefined)[] = [];
  disposition(delivery: OutgoingDelivery, state: DeliveryState, settled: boolean, _offset: number, error: AmqpError | undefined): void {
    this.states.push(state);
    this.errors.push(error);
    if (!settled) delivery.forget();
  }
  lost(): void {
    throw new Error('no delivery is lost here');
  }
}

function send(link: OutgoingLink, source: DeliverySource | undefined, message: Uint8Array): void {
  link.deliver(false, source).send(message, 0, message.length, false);
}

function body(message: Message | undefined): Buffer {
  const content: unknown = message?.body;
  if (Buffer.isBuffer(content)) return content;
  const inner = (content as { content?: unknown } | undefined)?.content;
  assert.ok(Buffer.isBuffer(inner));
  return inner;
}

test('rhea sends 1 MB in many frames, our server accepts', async () => {
  await using server = await new OurServer().start({}, { max_frame_size: 4096 });
  const content = noise(megabyte);
  const sender = server.rhea.open_sender('q');
  let accepted = 0;
  sender.on('accepted', () => accepted++);
  sender.once('sendable', () => sender.send({ body: rhea.message.data_section(Buffer.from(content)) }));
  await until('accepted', () => accepted === 1);
  const [message] = server.handler.messages;
  assert.ok(message !== undefined && Buffer.from(message).indexOf(content) > 0);
});

test('our server sends 1 MB in many frames, rhea accepts', async () => {
  await using server = await new OurServer().start({}, { max_frame_size: 4096 });
  const content = noise(megabyte);
  const received: Buffer[] = [];
  server.container.on('message', (context: EventContext) => received.push(body(context.message)));
  server.rhea.open_receiver('q');
  const link = await server.offered();
  assert.ok(!link.receiver);
  const outcomes = new Outcomes();
  send(link, outcomes, dataMessage(content));
  server.ours.flush();
  await until('the outcome', () => outcomes.states.length === 1);
  assert.deepEqual(outcomes.states, [DeliveryState.accepted]);
  assert.ok(received[0]?.equals(content));
});

test('our client sends and receives 1 MB through a rhea server', async () => {
  await using client = await new OurClient().start();
  const content = noise(megabyte, 7);
  client.container.on('message', (context: EventContext) => {
    assert.ok(body(context.message).equals(content));
    const sender = context.connection.open_sender('back');
    sender.once('sendable', () => sender.send({ body: rhea.message.data_section(Buffer.from(content)) }));
  });
  await client.opened();
  const link = client.ours.connection.openSession().attachOutgoing('out', ...termini());
  const outcomes = new Outcomes();
  send(link, outcomes, dataMessage(content));
  client.ours.flush();
  await until('the message comes back', () => client.handler.messages.length === 1);
  assert.deepEqual(outcomes.states, [DeliveryState.accepted]);
  assert.ok(Buffer.from(client.handler.messages[0] ?? []).indexOf(content) > 0);
});

test('SASL: ANONYMOUS and PLAIN with rhea as the client, and a wrong password', async () => {
  const verifyPlain = (username: string, password: string): boolean => username === 'u' && password === 'p';
  const sasl = { server: { mechanisms: ['ANONYMOUS', 'PLAIN'], externallyAuthenticated: false, verifyPlain } } as const;
  for (const login of [{ username: 'u', password: 'p' }, { username: 'anonymous' }]) {
    await using server = await new OurServer().start({ sasl }, login);
    await until('OPEN', () => server.handler.open !== undefined);
  }
  await using server = await new OurServer().start({ sasl }, { username: 'u', password: 'wrong' });
  await until('refusal', () => server.handler.closedCount === 1);
  assert.equal(server.handler.error?.condition, 'amqp:unauthorized-access');
});

test('SASL: ANONYMOUS and PLAIN with rhea as the server, and a wrong password', async () => {
  const start = async (password: string): Promise<OurClient> => {
    const client = new OurClient();
    client.container.sasl_server_mechanisms.enable_plain((username: string, given: string) => username === 'u' && given === 'p');
    return client.start({ sasl: { client: { mechanisms: ['PLAIN'], username: 'u', password } } });
  };
  {
    await using client = await start('p');
    await client.opened();
  }
  {
    await using client = await start('wrong');
    await until('refusal', () => client.handler.closedCount === 1);
    assert.equal(client.handler.error?.condition, 'amqp:unauthorized-access');
  }
  const anonymous = new OurClient();
  anonymous.container.sasl_server_mechanisms.enable_anonymous();
  await using client = await anonymous.start({ sasl: { client: { mechanisms: ['EXTERNAL', 'ANONYMOUS'] } } });
  await client.opened();
});

test('outcomes that our server gives reach rhea', async () => {
  for (const [outcome, event] of [
    [DeliveryState.accepted, 'accepted'],
    [DeliveryState.rejected, 'rejected'],
    [DeliveryState.released, 'released'],
    [DeliveryState.modified, 'modified'],
  ] as const) {
    await using server = await new OurServer().start();
    server.handler.outcome = outcome;
    const heard: string[] = [];
    const sender = server.rhea.open_sender('q');
    for (const name of ['accepted', 'rejected', 'released', 'modified'] as const) sender.on(name, () => heard.push(name));
    sender.once('sendable', () => sender.send({ body: 'x' }));
    await until(event, () => heard.includes(event));
    // rhea reports modified as released first.
    assert.equal(heard.at(-1), event);
  }
});

test('outcomes that rhea gives reach our client', async () => {
  for (const [outcome, give] of [
    [
      DeliveryState.rejected,
      (context: EventContext): unknown => context.delivery?.reject({ condition: 'app:no', description: 'not this' }),
    ],
    [DeliveryState.released, (context: EventContext): unknown => context.delivery?.release()],
    [
      DeliveryState.modified,
      (context: EventContext): unknown => context.delivery?.modified({ delivery_failed: true, undeliverable_here: true }),
    ],
  ] as const) {
    await using client = await new OurClient().start();
    client.container.on('receiver_open', (context: EventContext) => context.receiver?.set_credit_window(10));
    client.container.on('connection_open', (context: EventContext) =>
      Object.assign(context.connection.options, { receiver_options: { autoaccept: false } }),
    );
    client.container.on('message', (context: EventContext) => void give(context));
    await client.opened();
    const link = client.ours.connection.openSession().attachOutgoing('out', ...termini());
    const outcomes = new Outcomes();
    send(link, outcomes, dataMessage(noise(10)));
    client.ours.flush();
    await until('the outcome', () => outcomes.states.length > 0);
    assert.deepEqual(outcomes.states, [outcome]);
    if (outcome === DeliveryState.rejected) assert.deepEqual(outcomes.errors, [{ condition: 'app:no', description: 'not this' }]);
  }
});

test('credit and drain with rhea as the receiver', async () => {
  await using server = await new OurServer().start();
  let received = 0;
  let drained = 0;
  server.container.on('message', () => received++);
  server.container.on('receiver_drained', () => drained++);
  const receiver: Receiver = server.rhea.open_receiver({ source: 'q', credit_window: 0 });
  const link = await server.offered();
  assert.ok(!link.receiver);
  for (let index = 0; index < 5; index++) send(link, undefined, dataMessage(noise(10)));
  server.ours.flush();
  receiver.add_credit(3);
  await until('three messages', () => received === 3);
  assert.equal(link.credit, 0);
  receiver.drain_credit();
  receiver.add_credit(10);
  await until('five messages and drained', () => received === 5 && drained > 0);
  assert.equal(link.credit, 0);
});

test('credit and drain with rhea as the sender', async () => {
  await using server = await new OurServer().start();
  server.handler.credit = 0;
  const sender = server.rhea.open_sender('q');
  const link = await server.offered();
  assert.ok(link.receiver);
  let sent = 0;
  sender.on('sendable', () => {
    for (; sender.sendable() && sent < 4; sent++) sender.send({ body: `${sent}` });
  });
  sender.on('sender_draining', () => sender.set_drained(true));
  link.grant(2);
  server.handler.settle = false;
  server.ours.flush();
  await until('two messages', () => server.handler.messages.length === 2);
  let drained = 0;
  link.handler = { attached: (): void => {}, detached: (): void => {}, drained: () => void drained++ };
  link.replenish();
  link.replenish();
  link.drain();
  server.ours.flush();
  await until('drained', () => drained === 1);
  assert.equal(link.credit, 0);
});

test('heartbeats keep an idle connection open in both directions', async () => {
  await using server = await new OurServer().start({ idleTimeoutMs: 400 }, { idle_time_out: 300 });
  let disconnected = 0;
  server.container.on('disconnected', () => disconnected++);
  await until('OPEN', () => server.handler.open !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal(disconnected, 0);
  assert.equal(server.handler.closedCount, 0);
  assert.ok(server.ours.connection.opened);
});

test('errors of close and detach arrive on either side', async () => {
  await using server = await new OurServer().start();
  const sender = server.rhea.open_sender('q');
  const link = await server.offered();
  let senderError: string | undefined;
  sender.on('sender_error', () => (senderError = (sender.error as { condition?: string } | undefined)?.condition));
  link.detach({ condition: 'amqp:not-found', description: 'no q' });
  server.ours.flush();
  await until('the error of the link', () => senderError !== undefined);
  assert.equal(senderError, 'amqp:not-found');
  let closeError: string | undefined;
  server.container.on('connection_error', (context: EventContext) => {
    closeError = (context.connection.error as { condition?: string } | undefined)?.condition;
  });
  server.ours.connection.close({ condition: 'amqp:connection:forced', description: 'maintenance' });
  server.ours.flush();
  await until('the error of the connection', () => closeError !== undefined);
  assert.equal(closeError, 'amqp:connection:forced');

  await using client = await new OurClient().start();
  client.container.on('connection_open', (context: EventContext) => {
    context.connection.close({ condition: 'amqp:not-allowed', description: 'go away' });
  });
  await until('closed', () => client.handler.closedCount === 1);
  assert.deepEqual(client.handler.error, { condition: 'amqp:not-allowed', description: 'go away' });
});
