import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AmqpBroker } from './amqp-broker.ts';
import { AmqpPeer, send } from './amqp-peer.ts';
import { Network, line } from './network.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';
import type { Entity } from './router-process.ts';

function clientPort(port: number): Entity {
  return ['listener', { name: 'clients', role: 'normal', host: '127.0.0.1', port }];
}

function connector(port: number, address: string, more: Entity[1] = {}): Entity {
  return ['amqpConnector', { name: address, address, host: '127.0.0.1', port, ...more }];
}

/** Clients at one end of two hops, a broker at the other. */
async function start(entities: readonly Entity[]): Promise<{ network: Network; clients: number } & AsyncDisposable> {
  const clients = await freePort();
  const network = await Network.start({ links: line(['a', 'b', 'c']), entities: { a: [clientPort(clients)], b: [], c: [...entities] } });
  await network.router('a').logged(/service port open/);
  return { network, clients, [Symbol.asyncDispose]: async () => network[Symbol.asyncDispose]() };
}

describe('AMQP servers as consumers and producers over two hops', () => {
  test('a queue takes the messages of an address, and its outcomes are theirs', { timeout: 60_000 }, async () => {
    await using broker = new AmqpBroker();
    const port = await broker.start();
    await using running = await start([connector(port, 'orders', { node: 'orders-in' })]);
    await using client = await new AmqpPeer(running.clients).opened();
    const sender = await client.readySender('orders');
    assert.deepEqual(await send(sender, { body: 'one', subject: 's' }), { state: 'accepted', condition: undefined });
    assert.deepEqual(
      broker.queue('orders-in').map(({ body, subject }) => [body as string, subject]),
      [['one', 's']],
    );
    broker.outcome = 'reject';
    assert.deepEqual(await send(sender, { body: 'two' }), { state: 'rejected', condition: 'broker:full' });
    broker.outcome = 'release';
    assert.deepEqual(await send(sender, { body: 'three' }), { state: 'released', condition: undefined });
    assert.equal(broker.queue('orders-in').length, 1);
  });

  test('a broker that goes and comes back is found again; meanwhile producers wait', { timeout: 60_000 }, async () => {
    await using broker = new AmqpBroker();
    const port = await broker.start();
    await using running = await start([connector(port, 'orders')]);
    await using client = await new AmqpPeer(running.clients).opened();
    const sender = await client.readySender('orders');
    await send(sender, { body: 1 });
    await broker.stop();
    await until('the producer has no credit', () => !sender.sendable(), 20_000);
    await broker.start(port);
    await until('the producer has credit again', () => sender.sendable(), 20_000);
    assert.equal((await send(sender, { body: 2 })).state, 'accepted');
    assert.equal(broker.queue('orders').length, 2);
  });

  test('a link that fails in the middle: what was accepted is in the queue, the rest can be sent again', { timeout: 60_000 }, async () => {
    await using broker = new AmqpBroker();
    const port = await broker.start();
    await using running = await start([connector(port, 'orders')]);
    await using client = await new AmqpPeer(running.clients).opened();
    const sender = await client.readySender('orders');
    const accepted: number[] = [];
    for (let number = 0; number < 60; number++) {
      // Without credit a message waits at the client; one that is under way when the way ends comes back, or not.
      const sent = send(sender, { body: number });
      if (number === 20) {
        await running.network.router('b').kill();
        await running.network.router('b').run();
      }
      const { state } = await sent;
      if (state === 'accepted') accepted.push(number);
    }
    const stored = new Set(broker.queue('orders').map(({ body }) => body as number));
    assert.deepEqual(
      accepted.filter((number) => !stored.has(number)),
      [],
    );
    assert.ok(accepted.length >= 58, `${accepted.length} of 60 were accepted`);
  });

  test('what a queue has goes to consumers of the address, and stays there while there are none', { timeout: 60_000 }, async () => {
    await using broker = new AmqpBroker();
    const port = await broker.start();
    for (const body of ['one', 'two', 'three']) broker.put('outbox', { body });
    await using running = await start([connector(port, 'invoices', { node: 'outbox', direction: 'from-server' })]);
    await using client = await new AmqpPeer(running.clients).opened();
    assert.equal(broker.queue('outbox').length, 3);
    const inbox = await (await client.inbox('invoices')).count(3);
    assert.deepEqual(inbox.bodies, ['one', 'two', 'three']);
    assert.equal(broker.queue('outbox').length, 0);
    inbox.receiver.close();
    await until('nobody consumes', () => inbox.receiver.is_closed());
    // Its end has to be known at the other end of the network before the next message stays.
    await until('messages stay', async () => {
      broker.put('outbox', { body: 'late' });
      await new Promise((resolve) => {
        setTimeout(resolve, 200);
      });
      return broker.queue('outbox').length > 0;
    });
  });

  test('a password from a file, and a server that refuses', { timeout: 60_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'amqp-connector-'));
    try {
      const file = join(folder, 'password');
      await writeFile(file, 'wrong\n');
      await using broker = new AmqpBroker('secret');
      broker.refused.add('nothing');
      const port = await broker.start();
      const login = { saslUsername: 'van', saslPasswordFile: file };
      await using running = await start([connector(port, 'orders', login), connector(port, 'nothing', login)]);
      await using client = await new AmqpPeer(running.clients).opened();
      const sender = await client.sender('orders');
      await until('the refusal is told', () => /an AMQP server cannot be used/.test(running.network.router('c').log), 20_000);
      assert.equal(sender.sendable(), false);
      await writeFile(file, 'secret\n');
      await until('the producer has credit', () => sender.sendable(), 20_000);
      assert.equal((await send(sender, { body: 1 })).state, 'accepted');
      assert.equal(broker.users[0], 'van');
      await until('the reason is told', () => /there is no nothing/.test(running.network.router('c').log), 20_000);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
