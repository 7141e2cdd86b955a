import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { processClock } from '../../src/host/process-clock.ts';
import { processRandom } from '../../src/host/process-random.ts';
import { parseRouterConfiguration } from '../../src/management/router-configuration.ts';
import { Router } from '../../src/router/router.ts';
import { EventConsumer } from '../../src/services/events/event-consumer.ts';
import { eventMessage } from '../../src/services/events/event-message.ts';
import type { EventMessage } from '../../src/services/events/event-message.ts';
import { Publication } from '../../src/services/events/publication.ts';
import { AmqpPeer, send } from './amqp-peer.ts';
import { Network, routerId } from './network.ts';
import { freePort } from './ports.ts';
import type { Entity } from './router-process.ts';
import { dial } from './tcp-peer.ts';
import { until } from './until.ts';

const host = '127.0.0.1';
const multicast: Entity = ['address', { prefix: 'mc', distribution: 'multicast' }];
const skupperSkip =
  process.env['VAN_TEST_SKROUTERD'] !== '1'
    ? 'runs when VAN_TEST_SKROUTERD=1'
    : spawnSync('skrouterd', ['--version']).status !== 0 && 'skrouterd (skupper-router) is not on the PATH';

/** A router in this process that is linked to the one in the middle. */
async function linked(name: string, port: number): Promise<Router> {
  const entities: readonly unknown[] = [
    ['router', { id: routerId(name), mode: 'interior' }],
    multicast,
    ['connector', { name: 'middle', role: 'inter-router', host: 'localhost', port, saslMechanisms: 'ANONYMOUS' }],
  ];
  const router = new Router(parseRouterConfiguration(JSON.stringify(entities), 'test'), {
    clock: processClock,
    random: processRandom(),
    log: silentLogger,
    version: '0',
  });
  await router.start();
  return router;
}

function subscribe(router: Router): EventMessage[] {
  const messages: EventMessage[] = [];
  router.forwarder.addConsumer('mc/news', new EventConsumer(router.forwarder, (message) => messages.push(message) > 0));
  router.turns.touch();
  return messages;
}

function textOf({ body }: EventMessage): string {
  return new TextDecoder().decode(body);
}

async function exchange(skupper: readonly string[]): Promise<void> {
  const [linkPort, clientPort] = [await freePort(), await freePort()];
  await using network = await Network.start({
    links: [],
    skupper,
    entities: {
      middle: [
        multicast,
        ['listener', { name: 'links', role: 'inter-router', host, port: linkPort, saslMechanisms: 'ANONYMOUS', authenticatePeer: false }],
        ['listener', { name: 'clients', role: 'normal', host, port: clientPort, saslMechanisms: 'ANONYMOUS', authenticatePeer: false }],
      ],
    },
  });
  assert.equal(network.routers.length, 1);
  await using near = await linked('near', linkPort);
  await using far = await linked('far', linkPort);
  const atNear = subscribe(near);
  const atFar = subscribe(far);
  // A skupper-router opens its ports a little later than it says that it runs.
  await until('the client port is open', async () => {
    const socket = await dial(clientPort).catch(() => undefined);
    socket?.destroy();
    return socket !== undefined;
  });
  await using client = await new AmqpPeer(clientPort).opened();
  const inbox = await client.inbox('mc/news');
  await until(
    'all consumers are known',
    () => near.forwarder.routersOf('mc/news').length === 2 && far.forwarder.routersOf('mc/news').length === 2,
  );

  const message = eventMessage({
    to: 'mc/news',
    messageId: 'one',
    subject: 'greeting',
    contentType: 'text/plain',
    headers: new Map([['a', 'b']]),
    body: new TextEncoder().encode('hello'),
  });
  const publication = new Publication(near.forwarder, message, () => undefined);
  near.turns.touch();
  await until('an outcome and both receipts', () => publication.outcome !== undefined && publication.receipts === 2);
  publication.close();
  assert.equal(publication.outcome, 'accepted');
  assert.deepEqual([atNear.map(textOf), atFar.map(textOf)], [['hello'], ['hello']]);
  assert.deepEqual([atFar[0].subject, atFar[0].contentType, [...atFar[0].headers]], ['greeting', 'text/plain', [['a', 'b']]]);
  await inbox.count(1);
  const [got] = inbox.messages;
  const body = got.body as { content?: Buffer };
  assert.deepEqual(
    [got.subject, got.content_type, got.message_id, got.application_properties, (body.content ?? Buffer.alloc(0)).toString()],
    ['greeting', 'text/plain', 'one', { a: 'b' }, 'hello'],
  );

  const sender = await client.readySender('mc/news');
  assert.equal((await send(sender, { body: 'from a client', subject: 'other' })).state, 'accepted');
  await until('the message is everywhere', () => atNear.length === 2 && atFar.length === 2 && inbox.messages.length === 2);
  assert.deepEqual([textOf(atNear[1]), textOf(atFar[1]), atFar[1].subject], ['from a client', 'from a client', 'other']);
}

describe('messages that are published and taken here, and AMQP clients', () => {
  test('at a router of the same kind', { timeout: 30_000 }, () => exchange([]));
  test('at a skupper-router in the middle', { timeout: 30_000, skip: skupperSkip }, () => exchange(['middle']));
});
