import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import rhea from 'rhea';
import { WebSocket } from 'ws';
import { AmqpPeer, outcomeOf, send } from './amqp-peer.ts';
import { Authority } from './certificates.ts';
import { LinkProxy } from './link-proxy.ts';
import { Network } from './network.ts';
import type { Edge } from './network.ts';
import { freePort } from './ports.ts';
import { RouterProcess } from './router-process.ts';
import type { Entity } from './router-process.ts';
import { until } from './until.ts';

const host = '127.0.0.1';
const python = '/usr/bin/python3';
const withProton = spawnSync(python, ['-c', 'import proton'], { stdio: 'ignore' }).status === 0;

/** AMQP over WebSocket, as rhea wants it. */
function overWebSocket(url: string, options: object = {}): object {
  const connect = rhea.create_container().websocket_connect(WebSocket as never);
  return { connection_details: connect(url, ['amqp'], options) as never };
}

test('AMQP over TLS with client certificates, and over WebSocket with and without TLS', { timeout: 60_000 }, async () => {
  await using authority = await Authority.make();
  const credentials = await authority.issue('server-00000000');
  const [secure, plain] = [await freePort(), await freePort()];
  const ports: Entity[] = [
    authority.profile(credentials, false),
    [
      'amqpListener',
      { name: 'secure', address: 'orders', host, port: secure, sslProfile: 'links', authenticatePeer: true, webSocket: true },
    ],
    ['amqpListener', { name: 'plain', address: 'orders', host, port: plain, webSocket: true }],
  ];
  await using router = await RouterProcess.start({ id: 'a-00000000', entities: ports });
  for (const name of ['secure', 'plain']) await router.logged(new RegExp(`service port open.*${name}`));
  const [ca, cert, key] = await Promise.all(
    [authority.rootFile, credentials.certificateFile, credentials.keyFile].map((file) => readFile(file, 'utf8')),
  );
  const tls = { transport: 'tls', ca, cert, key, servername: 'localhost' } as const;
  // The certificate is the identity: SASL EXTERNAL.
  await using tlsClient = await new AmqpPeer(secure, { ...tls, enable_sasl_external: true } as never).opened();
  await using webClient = await new AmqpPeer(0, overWebSocket(`ws://${host}:${plain}`)).opened();
  await using secureWebClient = await new AmqpPeer(0, overWebSocket(`wss://localhost:${secure}`, { ca, cert, key })).opened();
  await using plainClient = await new AmqpPeer(plain).opened();
  const inbox = await plainClient.inbox('orders');
  for (const [index, client] of [tlsClient, webClient, secureWebClient].entries()) {
    const sender = await client.readySender('orders');
    assert.equal((await send(sender, { body: Buffer.alloc(index * 400_000 + 1) })).state, 'accepted');
  }
  await inbox.count(3);
  await using webConsumer = await new AmqpPeer(0, overWebSocket(`ws://${host}:${plain}`)).opened();
  inbox.receiver.close();
  const webInbox = await webConsumer.inbox('orders');
  const sender = await plainClient.readySender('orders');
  for (let index = 0; index < 100; index++) assert.equal((await send(sender, { body: index })).state, 'accepted');
  assert.deepEqual(
    webInbox.bodies,
    Array.from({ length: 100 }, (_, index) => index),
  );

  const answer = async (headers: Record<string, string>, protocols: string[] = ['amqp']): Promise<number | undefined> => {
    const socket = new WebSocket(`ws://${host}:${plain}`, protocols, { headers });
    socket.on('error', () => {});
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode?: number; destroy(): void }];
    response.destroy();
    return response.statusCode;
  };
  assert.equal(await answer({ origin: 'http://evil.example' }), 403);
  assert.equal(await answer({}, ['chat']), 400);
  assert.equal((await fetch(`http://${host}:${plain}/`)).status, 426);
  // Without a certificate the handshake fails.
  await assert.rejects(new AmqpPeer(secure, { transport: 'tls', ca, servername: 'localhost' } as never).opened());
});

/** west and east, with a link that can be cut in the middle. */
test(
  'a link fails while messages are under way: what was accepted has arrived, the rest can be sent again',
  { timeout: 60_000 },
  async () => {
    const [west, east, linkPort] = [await freePort(), await freePort(), await freePort()];
    await using proxy = await LinkProxy.start(linkPort);
    const links: readonly Edge[] = [{ from: 'a', to: 'b' }];
    const clients = (port: number): Entity => ['listener', { name: 'clients', role: 'normal', host, port }];
    const link: Entity = [
      'connector',
      { name: 'c', role: 'inter-router', host: 'localhost', port: proxy.port, saslMechanisms: 'ANONYMOUS' },
    ];
    await using _network = await Network.start({
      links,
      entities: {
        a: [clients(west)],
        b: [link],
        c: [clients(east), ['listener', { name: 'links', role: 'inter-router', host, port: linkPort, saslMechanisms: 'ANONYMOUS' }]],
      },
    });
    await using consumer = await new AmqpPeer(east).opened();
    await using producer = await new AmqpPeer(west).opened();
    const inbox = await consumer.inbox('orders');
    const sender = await producer.readySender('orders');
    const total = 3000;
    const states = new Map<string, number>();
    const accepted = new Set<number>();
    const waiting = Array.from({ length: total }, (_, body) => body);
    let underWay = 0;
    let cuts = 0;
    const counts = { accepted: 0, again: 0 };
    while (accepted.size < total) {
      await until('credit', () => underWay < 100 && (waiting.length === 0 || sender.sendable()), 20_000);
      const body = waiting.shift();
      if (body === undefined) {
        await until('something ends', () => waiting.length > 0 || accepted.size === total);
        continue;
      }
      underWay++;
      void outcomeOf(sender, sender.send({ body })).then(({ state }) => {
        underWay--;
        states.set(state, (states.get(state) ?? 0) + 1);
        if (state === 'accepted') {
          accepted.add(body);
          counts.accepted++;
        } else {
          waiting.push(body);
          counts.again++;
        }
        if (cuts < 2 && accepted.size > (cuts + 1) * 1000) {
          cuts++;
          proxy.cut(false);
        }
      });
    }
    const received = new Set(inbox.bodies);
    console.log(
      `# ${total} messages, ${cuts} cuts: ${[...states].map(([state, count]) => `${count} ${state}`).join(', ')}; ${inbox.messages.length} arrived`,
    );
    assert.equal(received.size, total);
    assert.deepEqual(
      [...states.keys()].filter((state) => !['accepted', 'released', 'modified'].includes(state)),
      [],
    );
    assert.equal(cuts, 2);
  },
);

test('Proton clients', { timeout: 60_000, skip: withProton ? false : 'python3-qpid-proton is not installed' }, async () => {
  const [port, far] = [await freePort(), await freePort()];
  const clients = (at: number): Entity => ['listener', { name: 'clients', role: 'normal', host, port: at }];
  const events: Entity = ['address', { prefix: 'events', distribution: 'multicast' }];
  await using _network = await Network.start({
    links: [{ from: 'a', to: 'b' }],
    entities: { a: [clients(port), events], b: [clients(far), events] },
  });
  const script = join(import.meta.dirname, '../interop/proton-client.py');
  const child = spawn(python, [script, String(port), String(far)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), 40_000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  assert.equal(code, 0, output);
  assert.deepEqual(output.trim().split('\n'), [
    'anycast accepted hello',
    'rejected shop:sold-out',
    'released',
    'modified True True',
    'multicast 2',
    'reply 42',
    'settled by sender five',
    'transactions refused amqp:not-implemented',
    'management refused amqp:unauthorized-access',
    'large accepted True',
  ]);
});
