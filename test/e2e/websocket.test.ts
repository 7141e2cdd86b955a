import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import { LinkProxy } from './link-proxy.ts';
import { Network } from './network.ts';
import { freePort } from './ports.ts';
import type { Entity } from './router-process.ts';
import { until } from './until.ts';

const host = '127.0.0.1';
/** Longer than any time limit of a request's head, of its answer, or of a connection between two requests. */
const idleMs = 15_000;

/** What came, each message whole. */
class Messages {
  readonly texts: string[] = [];
  readonly sizes: number[] = [];
  pings = 0;
  pongs = 0;
  closeCode: number | undefined;

  constructor(socket: WebSocket) {
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.sizes.push(data.length);
      else this.texts.push(data.toString('utf8'));
    });
    socket.on('ping', () => this.pings++);
    socket.on('pong', () => this.pongs++);
    socket.on('close', (code: number) => (this.closeCode = code));
    socket.on('error', () => {});
  }
}

describe('WebSockets over two hops, with a link that can fail', { timeout: 90_000 }, () => {
  const server = new WebSocketServer({ host, port: 0, handleProtocols: (protocols) => [...protocols][0] ?? false });
  const served: { readonly socket: WebSocket; readonly messages: Messages }[] = [];
  let network: Network;
  let proxy: LinkProxy;
  let url = '';

  before(async () => {
    server.on('connection', (socket) => {
      served.push({ socket, messages: new Messages(socket) });
      socket.on('message', (data: Buffer, isBinary: boolean) => socket.send(data, { binary: isBinary }));
    });
    if (server.address() === null) await once(server, 'listening');
    const [port, linkPort] = [await freePort(), await freePort()];
    url = `ws://${host}:${port}/chat`;
    proxy = await LinkProxy.start(linkPort);
    const link: Entity = [
      'connector',
      { name: 'c', role: 'inter-router', host: 'localhost', port: proxy.port, saslMechanisms: 'ANONYMOUS' },
    ];
    const target = { name: 'chat', address: 'chat', host };
    network = await Network.start({
      links: [{ from: 'a', to: 'b' }],
      entities: {
        a: [['httpListener', { ...target, port }]],
        b: [link],
        c: [
          ['listener', { name: 'links', role: 'inter-router', host, port: linkPort, saslMechanisms: 'ANONYMOUS' }],
          ['httpConnector', { ...target, port: (server.address() as AddressInfo).port }],
        ],
      },
    });
  });

  after(async () => {
    for (const client of server.clients) client.terminate();
    server.close();
    await network[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  /** A client that is connected: the service takes a moment to be known, at first and when the link has failed. */
  async function dialled(): Promise<{ socket: WebSocket; messages: Messages; peer: (typeof served)[number] }> {
    return await until(
      'a WebSocket is open',
      async () => {
        const socket = new WebSocket(url, ['chat']);
        const messages = new Messages(socket);
        const known = served.length;
        await until('it is open or closed', () => socket.readyState !== WebSocket.CONNECTING);
        const peer = served[known];
        if (socket.readyState === WebSocket.OPEN && peer !== undefined) return { socket, messages, peer };
        await sleep(100);
        return undefined;
      },
      20_000,
    );
  }

  test('messages of all sizes, in fragments too, pings, and the reason of the end', async () => {
    const { socket, messages, peer } = await dialled();
    assert.equal(socket.protocol, 'chat');
    const sizes = [0, 1, 125, 126, 65_535, 65_536, 1_000_000];
    for (const size of sizes) socket.send(Buffer.alloc(size));
    for (const [text, fin] of [
      ['in ', false],
      ['three ', false],
      ['parts', true],
    ] as const) {
      socket.send(text, { fin });
    }
    await until('all has come back', () => messages.sizes.length === sizes.length && messages.texts.length === 1);
    assert.deepEqual([messages.sizes, messages.texts], [sizes, ['in three parts']]);
    socket.ping('a');
    peer.socket.ping('b');
    await until('pings and pongs have come', () => messages.pongs + messages.pings + peer.messages.pongs + peer.messages.pings === 4);
    socket.close(4001, 'enough');
    await until('both have ended', () => messages.closeCode !== undefined && peer.messages.closeCode !== undefined);
    assert.deepEqual([messages.closeCode, peer.messages.closeCode], [4001, 4001]);
  });

  test('a WebSocket with nothing to say stays, with pings and without', async () => {
    const [silent, pinged] = [await dialled(), await dialled()];
    const timer = setInterval(() => pinged.peer.socket.ping(), 1000);
    await sleep(idleMs);
    clearInterval(timer);
    assert.ok(pinged.peer.messages.pongs >= idleMs / 2000, `${pinged.peer.messages.pongs} pongs have come`);
    for (const { socket, messages } of [silent, pinged]) {
      socket.send('still here');
      await until('it comes back', () => messages.texts.length === 1);
      socket.close(1000);
      await until('it ends', () => messages.closeCode !== undefined);
      assert.equal(messages.closeCode, 1000);
    }
  });

  test('a link fails in the middle: both ends hear it at once, with whole messages before it; another can be opened', async () => {
    const { socket, messages, peer } = await dialled();
    const size = 10_000;
    const timer = setInterval(() => {
      if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < 1_000_000)
        for (let count = 0; count < 20; count++) socket.send(Buffer.alloc(size));
    }, 5);
    await until('much has come back', () => messages.sizes.length > 500);
    const startMs = performance.now();
    proxy.cut(false);
    await until('both have ended', () => messages.closeCode !== undefined && peer.messages.closeCode !== undefined);
    clearInterval(timer);
    console.log(
      `# both ends have heard of the failure after ${Math.round(performance.now() - startMs)} ms; ${messages.sizes.length} messages before it`,
    );
    // Not an end of the protocol: nobody has said it.
    assert.deepEqual([messages.closeCode, peer.messages.closeCode], [1006, 1006]);
    for (const received of [...messages.sizes, ...peer.messages.sizes]) assert.equal(received, size);
    assert.ok(messages.sizes.length <= peer.messages.sizes.length);
    const again = await dialled();
    again.socket.send('again');
    await until('it comes back', () => again.messages.texts.length === 1);
    again.socket.close();
  });
});
