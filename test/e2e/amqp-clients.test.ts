import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventContext, Message } from 'rhea';
import { AmqpPeer, outcomeOf, send } from './amqp-peer.ts';
import type { Sender } from './amqp-peer.ts';
import { Network, line } from './network.ts';
import type { Entity } from './router-process.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';

const multicast: Entity = ['address', { prefix: 'events', distribution: 'multicast' }];
const closed: Entity = ['address', { prefix: 'closed', distribution: 'unavailable' }];

function clientPort(port: number, more: Entity[1] = {}): Entity {
  return ['listener', { name: 'clients', role: 'normal', host: '127.0.0.1', port, ...more }];
}

/** What the typings of rhea leave out. */
function creditOf(sender: Sender): number {
  return (sender as unknown as { readonly credit: number }).credit;
}

describe('AMQP clients over two hops', () => {
  let network: Network;
  let west = 0;
  let middle = 0;
  let east = 0;
  let narrow = 0;

  before(async () => {
    west = await freePort();
    middle = await freePort();
    east = await freePort();
    narrow = await freePort();
    network = await Network.start({
      links: line(['a', 'b', 'c']),
      entities: {
        a: [
          multicast,
          closed,
          clientPort(west),
          ['amqpListener', { name: 'narrow', address: 'orders', addresses: 'orders,open.*', host: '127.0.0.1', port: narrow }],
        ],
        b: [multicast, closed, clientPort(middle)],
        c: [multicast, closed, clientPort(east)],
      },
    });
  });

  after(async () => {
    await network[Symbol.asyncDispose]();
  });

  test('messages of an anycast address go to one of its consumers, untouched', { timeout: 30_000 }, async () => {
    await using consumer = await new AmqpPeer(east).opened();
    await using producer = await new AmqpPeer(west).opened();
    const inbox = await consumer.inbox('orders');
    const sender = await producer.readySender('orders');
    const message: Message = {
      message_id: 'id-1',
      to: 'elsewhere',
      subject: 'test',
      reply_to: 'answers',
      correlation_id: 'c-1',
      content_type: 'text/plain',
      durable: true,
      priority: 7,
      ttl: 60_000,
      message_annotations: { 'x-opt-shape': 'round' },
      application_properties: { count: 1, text: 'ü' },
      body: 'hello',
    };
    assert.deepEqual(await send(sender, message), { state: 'accepted', condition: undefined });
    const [received] = (await inbox.count(1)).messages;
    for (const [key, value] of Object.entries(message)) assert.deepEqual(received?.[key as keyof Message], value, key);
    assert.equal(received?.delivery_annotations, undefined);
  });

  test('outcomes of the consumer reach the producer, with their conditions', { timeout: 30_000 }, async () => {
    await using consumer = await new AmqpPeer(east).opened();
    await using producer = await new AmqpPeer(west).opened();
    const receiver = await consumer.receiver({ source: 'outcomes', autoaccept: false, autosettle: true });
    const answers = [
      ({ delivery }: EventContext) => delivery?.accept(),
      ({ delivery }: EventContext) => delivery?.reject({ condition: 'shop:sold-out', description: 'no more' }),
      ({ delivery }: EventContext) => delivery?.release(),
      ({ delivery }: EventContext) => delivery?.modified({ delivery_failed: true, undeliverable_here: true }),
    ];
    receiver.on('message', (context: EventContext) => answers.shift()?.(context));
    const sender = await producer.readySender('outcomes');
    assert.deepEqual(await send(sender, { body: 1 }), { state: 'accepted', condition: undefined });
    assert.deepEqual(await send(sender, { body: 2 }), { state: 'rejected', condition: 'shop:sold-out' });
    assert.deepEqual(await send(sender, { body: 3 }), { state: 'released', condition: undefined });
    let modified: { delivery_failed?: boolean; undeliverable_here?: boolean } = {};
    sender.on('modified', ({ delivery }: EventContext) => (modified = delivery?.remote_state as typeof modified));
    assert.equal((await send(sender, { body: 4 })).state, 'modified');
    assert.deepEqual([modified.delivery_failed, modified.undeliverable_here], [true, true]);
  });

  test('a multicast message reaches every consumer of the network once', { timeout: 30_000 }, async () => {
    await using one = await new AmqpPeer(west).opened();
    await using two = await new AmqpPeer(middle).opened();
    await using three = await new AmqpPeer(east).opened();
    await using producer = await new AmqpPeer(middle).opened();
    const inboxes = [await one.inbox('events'), await two.inbox('events'), await three.inbox('events'), await three.inbox('events')];
    const sender = await producer.readySender('events');
    // Until both other routers are known to have consumers.
    await until('all consumers are known', async () => {
      await send(sender, { body: 'probe' });
      return inboxes.every(({ messages }) => messages.length > 0);
    });
    const before = inboxes.map(({ messages }) => messages.length);
    for (let index = 0; index < 100; index++) assert.equal((await send(sender, { body: index })).state, 'accepted');
    await sleep(100);
    for (const [index, { bodies }] of inboxes.entries()) {
      assert.deepEqual(
        bodies.slice(before[index]),
        Array.from({ length: 100 }, (_, body) => body),
      );
    }
  });

  test('subscribers that take nothing hold nobody for ever: not the outcome, the credit or the memory', { timeout: 90_000 }, async () => {
    await using idle = await new AmqpPeer(east).opened();
    await using forgetful = await new AmqpPeer(middle).opened();
    await using lively = await new AmqpPeer(east).opened();
    await using producer = await new AmqpPeer(west).opened();
    await idle.receiver({ source: 'events.idle', credit_window: 0 });
    // Takes ten and settles none.
    const taken = await forgetful.inbox({ source: 'events.idle', credit_window: 0, autoaccept: false });
    taken.receiver.add_credit(10);
    const inbox = await lively.inbox('events.idle');
    const sender = await producer.readySender('events.idle');
    await until('both other routers are known', async () => {
      sender.send({ body: 'probe' });
      await sleep(100);
      return taken.messages.length > 0 && inbox.messages.length > 0;
    });
    const body = Buffer.alloc(20_000);
    const total = 1000;
    const startMs = performance.now();
    const memory = network.routers.map((router) => router.residentBytes());
    const before = inbox.messages.length;
    let accepted = 0;
    for (let sent = 0; sent < total; sent++) {
      await until('a producer has credit', () => sender.sendable(), 60_000);
      void outcomeOf(sender, sender.send({ body })).then(({ state }) => (accepted += state === 'accepted' ? 1 : 0));
    }
    await until('all are accepted', () => accepted === total, 30_000);
    const grown = network.routers.map((router, index) => Math.round((router.residentBytes() - (memory[index] ?? 0)) / 1_000_000));
    console.log(`# ${total} messages of 20 kB in ${Math.round(performance.now() - startMs)} ms; routers grew by ${grown.join(', ')} MB`);
    assert.equal(inbox.messages.length - before, total);
    assert.ok(
      grown.every((megabytes) => megabytes < 130),
      `memory grew by ${grown.join(', ')} MB`,
    );
  });

  test('request and reply with a dynamic address', { timeout: 30_000 }, async () => {
    await using server = await new AmqpPeer(east).opened();
    await using client = await new AmqpPeer(west).opened();
    const replies = await server.sender({});
    const requests = await server.receiver('doubling');
    requests.on('message', ({ message }: EventContext) => {
      replies.send({ to: message?.reply_to ?? '', correlation_id: message?.correlation_id, body: Number(message?.body) * 2 } as Message);
    });
    const answers = await client.inbox({ source: { dynamic: true, address: '' } });
    const { address } = answers.receiver.source;
    assert.match(address, /^amqp:\/_topo\/0\/a-00000000\/temp\.\S+$/);
    const sender = await client.readySender('doubling');
    for (let index = 0; index < 20; index++) sender.send({ reply_to: address, correlation_id: index, body: index });
    await answers.count(20);
    const results = answers.messages.map(({ correlation_id, body }) => [correlation_id, body as unknown]);
    results.sort(([left], [right]) => Number(left) - Number(right));
    assert.deepEqual(
      results,
      Array.from({ length: 20 }, (_, index) => [index, index * 2]),
    );
  });

  test('what is not for clients is refused with the right condition', { timeout: 30_000 }, async () => {
    const refused = async (port: number, attach: (peer: AmqpPeer) => Promise<unknown>): Promise<string | undefined> => {
      await using peer = await new AmqpPeer(port).opened();
      await attach(peer);
      await until('the link is refused', () => peer.errors.length > 0);
      return peer.errors[0];
    };
    assert.equal(await refused(narrow, (peer) => peer.sender('secrets')), 'amqp:unauthorized-access');
    assert.equal(await refused(narrow, (peer) => peer.receiver('secrets')), 'amqp:unauthorized-access');
    assert.equal(await refused(narrow, (peer) => peer.receiver('open')), 'amqp:unauthorized-access');
    assert.equal(await refused(west, (peer) => peer.sender('$management')), 'amqp:unauthorized-access');
    assert.equal(await refused(west, (peer) => peer.receiver('_topo/0/a-00000000/services')), 'amqp:unauthorized-access');
    assert.equal(await refused(west, (peer) => peer.sender('amqp:/_topo/0/b-00000000/services')), 'amqp:unauthorized-access');
    assert.equal(await refused(west, (peer) => peer.sender('closed')), 'amqp:not-found');
    assert.equal(await refused(west, (peer) => peer.receiver({ source: {} as never })), 'amqp:invalid-field');
    await using peer = await new AmqpPeer(narrow).opened();
    const [one, other] = [await peer.receiver('open.x'), await peer.receiver('orders')];
    assert.deepEqual([one.is_open(), other.is_open()], [true, true]);
    const anonymous = await peer.sender({});
    await until('credit', () => anonymous.sendable());
    assert.deepEqual(await send(anonymous, { to: 'secrets', body: 1 }), {
      state: 'rejected',
      condition: 'amqp:unauthorized-access',
    });
    assert.deepEqual(await send(anonymous, { body: 1 }), { state: 'rejected', condition: 'amqp:precondition-failed' });
    assert.deepEqual(await send(anonymous, { to: 'open.nobody', body: 1 }), { state: 'released', condition: undefined });
  });

  test('a producer has credit while there is a consumer', { timeout: 30_000 }, async () => {
    await using producer = await new AmqpPeer(west).opened();
    const sender = await producer.sender('rare');
    await sleep(200);
    assert.equal(sender.sendable(), false);
    {
      await using consumer = await new AmqpPeer(east).opened();
      const inbox = await consumer.inbox('rare');
      await until('credit comes with the consumer', () => sender.sendable());
      assert.equal(creditOf(sender), 250);
      await send(sender, { body: 'x' });
      await inbox.count(1);
    }
    await until('credit is taken back', () => creditOf(sender) === 0);
  });

  test('consumers without credit are passed over', { timeout: 30_000 }, async () => {
    await using idle = await new AmqpPeer(west).opened();
    await using busy = await new AmqpPeer(west).opened();
    await using producer = await new AmqpPeer(west).opened();
    const waiting = await idle.inbox({ source: 'work', credit_window: 0 });
    const working = await busy.inbox('work');
    const sender = await producer.readySender('work');
    for (let index = 0; index < 50; index++) assert.equal((await send(sender, { body: index })).state, 'accepted');
    assert.deepEqual([waiting.messages.length, working.messages.length], [0, 50]);
    // One credit is one message.
    busy.connection.close();
    await until('the other consumer is gone', () => busy.gone);
    const deliveries = [sender.send({ body: 'last' }), sender.send({ body: 'never' })];
    await sleep(100);
    assert.equal(waiting.messages.length, 0);
    waiting.receiver.add_credit(1);
    await waiting.count(1);
    await sleep(100);
    assert.deepEqual(waiting.bodies, ['last']);
    await until('the first is settled', () => deliveries[0]?.remote_settled);
    // What waits is given back when its consumer leaves.
    waiting.receiver.close();
    await until('the second is given back', () => deliveries[1]?.remote_settled);
  });

  test('a consumer that takes nothing holds up nobody else, and little is kept for it', { timeout: 60_000 }, async () => {
    await using stuck = await new AmqpPeer(east).opened();
    await using lively = await new AmqpPeer(east).opened();
    await using producer = await new AmqpPeer(west).opened();
    await stuck.receiver({ source: 'stuck', credit_window: 0 });
    const inbox = await lively.inbox('lively');
    const body = Buffer.alloc(100_000);
    const flood = await producer.readySender('stuck');
    // As much as the credit lets through: it becomes less with the size of the messages.
    let flooded = 0;
    while (flood.sendable() && flooded < 1000) {
      flood.send({ body });
      flooded++;
      await sleep(1);
    }
    assert.ok(flooded < 300, `${flooded} messages of 100 kB were let through`);
    const sender = await producer.readySender('lively');
    for (let index = 0; index < 200; index++) assert.equal((await send(sender, { body: index })).state, 'accepted');
    assert.equal(inbox.messages.length, 200);
  });

  test('messages settled by their sender, and consumers that want all settled', { timeout: 30_000 }, async () => {
    await using consumer = await new AmqpPeer(east).opened();
    await using producer = await new AmqpPeer(west).opened();
    const inbox = await consumer.inbox('settled');
    const sender = await producer.readySender({ target: 'settled', snd_settle_mode: 1 });
    for (let index = 0; index < 1000; index++) {
      await until('credit', () => sender.sendable());
      sender.send({ body: index });
    }
    await inbox.count(1000);
    assert.equal(
      inbox.deliveries.every(({ remote_settled }) => remote_settled),
      true,
    );
    const wantsSettled = await consumer.inbox({ source: 'taken', snd_settle_mode: 1 });
    const other = await producer.readySender('taken');
    assert.equal((await send(other, { body: 1 })).state, 'accepted');
    assert.equal((await wantsSettled.count(1)).deliveries[0]?.remote_settled, true);
    // Mode `second`: the consumer's outcome is settled by the router.
    const second = await consumer.receiver({ source: 'second', rcv_settle_mode: 1 });
    let settled = 0;
    second.on('settled', () => settled++);
    const third = await producer.readySender('second');
    assert.equal((await send(third, { body: 1 })).state, 'accepted');
    await until('the router has settled', () => settled === 1);
  });

  test('a message of 100 MB streams: no router keeps it whole', { timeout: 60_000 }, async () => {
    await using consumer = await new AmqpPeer(east, { max_frame_size: 65_536 }).opened();
    await using producer = await new AmqpPeer(west).opened();
    const inbox = await consumer.inbox('large');
    const sender = await producer.readySender('large');
    const body = Buffer.alloc(100_000_000, 'caravan ');
    const memory = (): number[] => network.routers.map((router) => router.residentBytes());
    const start = memory();
    const peak = [...start];
    const timer = setInterval(() => {
      for (const [index, bytes] of memory().entries()) peak[index] = Math.max(peak[index] ?? 0, bytes);
    }, 20);
    const startMs = performance.now();
    assert.equal((await send(sender, { body })).state, 'accepted');
    clearInterval(timer);
    const grown = peak.map((bytes, index) => Math.round((bytes - (start[index] ?? 0)) / 1_000_000));
    console.log(`# 100 MB in ${Math.round(performance.now() - startMs)} ms; routers grew by ${grown.join(', ')} MB`);
    assert.equal(Buffer.compare(inbox.messages[0]?.body as Buffer, body), 0);
    assert.ok(
      grown.every((megabytes) => megabytes < 130),
      `memory grew by ${grown.join(', ')} MB`,
    );
  });
});
