import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { WebSocket as OtherWebSocket, WebSocketServer } from 'ws';
import { Network, line } from '../e2e/network.ts';
import { freePort } from '../e2e/ports.ts';
import { until } from '../e2e/until.ts';
import { webSocketCases } from './websocket-cases.ts';
import { exchange, upgrade } from './websocket-exchange.ts';
import { close, frame, Opcode, readFrames } from './websocket-frames.ts';
import { moveIntoOwnNetwork } from '../page/own-network.ts';

// Before anything listens.
moveIntoOwnNetwork();

const host = '127.0.0.1';
const caseTimeoutMs = 20_000;

/** `ws` as server: echoes messages; /later closes by itself; /page is for browsers, which report to /result. */
class EchoServer {
  readonly http: Server;
  readonly sockets: WebSocketServer;
  readonly results: string[] = [];
  closes: number[] = [];

  constructor() {
    this.http = createServer((request, response) => {
      if (request.url === '/page') response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
      else if (request.url === '/result') {
        void (async () => {
          let text = '';
          for await (const piece of request.setEncoding('utf8')) text += String(piece);
          this.results.push(text);
          response.end();
        })();
      } else response.end();
    });
    this.sockets = new WebSocketServer({
      server: this.http,
      perMessageDeflate: { threshold: 0 },
      handleProtocols: (offered) => (offered.has('caravan') ? 'caravan' : false),
    });
    this.sockets.on('connection', (socket, request) => {
      socket.on('error', () => {});
      socket.on('close', (code) => this.closes.push(code));
      if (request.url === '/later') socket.close(4001, 'enough');
      else socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
    });
  }

  get port(): number {
    return (this.http.address() as AddressInfo).port;
  }
}

/** What a browser does: sends text and octets, compares, closes, and says what it saw. */
const page = `<!doctype html><script>
  const socket = new WebSocket('ws://' + location.host + '/echo', 'caravan');
  socket.binaryType = 'arraybuffer';
  const seen = [];
  socket.onopen = () => { seen.push(socket.protocol); socket.send('κόσμε'); socket.send(new Uint8Array(300000).fill(7)); };
  socket.onmessage = ({ data }) => {
    seen.push(typeof data === 'string' ? data : data.byteLength);
    if (typeof data !== 'string') socket.close(4000, 'done');
  };
  socket.onclose = ({ code, wasClean }) => fetch('/result', { method: 'POST', body: JSON.stringify([...seen, code, wasClean]) });
</script>`;

const echo = new EchoServer();
let network: Network;
let port = 0;

before(async () => {
  echo.http.listen(0, host);
  await once(echo.http, 'listening');
  port = await freePort();
  network = await Network.start({
    tls: true,
    links: line(['near', 'middle', 'far']),
    entities: {
      near: [['httpListener', { name: 'chat', address: 'chat', host, port }]],
      middle: [],
      far: [['httpConnector', { name: 'chat', address: 'chat', host, port: echo.port }]],
    },
  });
  await until('an answer', async () => (await fetch(`http://${host}:${port}/`).catch(() => undefined))?.status === 200, 20_000);
});

after(async () => {
  for (const socket of echo.sockets.clients) socket.terminate();
  echo.http.closeAllConnections();
  await network[Symbol.asyncDispose]();
  await new Promise((resolve) => echo.http.close(resolve));
});

suite('frames over two hops: the same octets come back as without a network', () => {
  for (const one of webSocketCases) {
    test(one.name, { timeout: caseTimeoutMs }, async () => {
      const [direct, through] = await Promise.all([exchange(echo.port, one), exchange(port, one)]);
      assert.ok(through.equals(direct), 'what comes back is what the server sent');
      const frames = readFrames(through);
      const last = frames.at(-1);
      assert.equal(last?.opcode, Opcode.close);
      assert.equal(last.payload.length < 2 ? undefined : last.payload.readUInt16BE(0), one.closedWith);
      assert.equal(frames.filter(({ opcode }) => opcode === Opcode.text || opcode === Opcode.binary).length, one.messages);
    });
  }
});

test('ws as client: compression, a subprotocol, pings, and codes of closing both ways', { timeout: caseTimeoutMs }, async () => {
  const socket = new OtherWebSocket(`ws://${host}:${port}/echo`, ['caravan'], { perMessageDeflate: { threshold: 0 } });
  await once(socket, 'open');
  assert.equal(socket.protocol, 'caravan');
  assert.match(socket.extensions, /permessage-deflate/);
  const text = 'a message that is worth compressing '.repeat(10_000);
  socket.send(text);
  const [message] = (await once(socket, 'message')) as [Buffer];
  assert.equal(message.toString(), text);
  socket.ping('now');
  const [pong] = (await once(socket, 'pong')) as [Buffer];
  assert.equal(pong.toString(), 'now');
  echo.closes = [];
  socket.close(4321, 'bye');
  assert.equal((await once(socket, 'close'))[0], 4321);
  await until('the server sees the code', () => echo.closes.includes(4321));

  const later = new OtherWebSocket(`ws://${host}:${port}/later`);
  const [code, reason] = (await once(later, 'close')) as [number, Buffer];
  assert.deepEqual([code, reason.toString()], [4001, 'enough']);

  const abrupt = new OtherWebSocket(`ws://${host}:${port}/echo`);
  await once(abrupt, 'open');
  abrupt.terminate();
  await until('the server sees that the client is gone', () => echo.closes.includes(1006));
});

test("Node's client", { timeout: caseTimeoutMs }, async () => {
  const socket = new WebSocket(`ws://${host}:${port}/echo`, 'caravan');
  socket.binaryType = 'arraybuffer';
  await once(socket, 'open');
  const next = async (): Promise<unknown> => ((await once(socket, 'message')) as [MessageEvent])[0].data;
  socket.send('κόσμε');
  assert.equal(await next(), 'κόσμε');
  socket.send(new Uint8Array(300_000).fill(7));
  assert.equal(((await next()) as ArrayBuffer).byteLength, 300_000);
  socket.close(4000, 'done');
  const [event] = (await once(socket, 'close')) as [CloseEvent];
  assert.deepEqual([socket.protocol, event.code, event.wasClean], ['caravan', 4000, true]);
});

test('a client that speaks HTTP/2 to the network, with a server that speaks HTTP/1.1', { timeout: caseTimeoutMs }, async () => {
  const session = connectHttp2(`http://${host}:${port}`);
  try {
    await until('extended CONNECT is offered', () => session.remoteSettings.enableConnectProtocol === true);
    const stream = session.request(
      { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': '/echo', 'sec-websocket-version': '13' },
      { endStream: false },
    );
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    assert.equal(headers[':status'], 200);
    stream.write(Buffer.concat([frame(Opcode.text, 'one'), frame(Opcode.binary, 'two'), close(4002)]));
    const pieces: Buffer[] = [];
    for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece);
    const frames = readFrames(Buffer.concat(pieces)).map(({ opcode, payload }) => [opcode, payload.toString('latin1')]);
    assert.deepEqual(frames, [
      [Opcode.text, 'one'],
      [Opcode.binary, 'two'],
      [Opcode.close, '\x0f\xa2'],
    ]);
  } finally {
    session.destroy();
  }
});

test('each direction ends by itself', { timeout: caseTimeoutMs }, async () => {
  // Whoever takes an upgrade may read on when its own direction has ended, and write on when the other has.
  const server = createServer();
  server.on('upgrade', (_request, socket: Socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    let heard = '';
    socket.on('data', (octets) => (heard += octets.toString()));
    socket.on('end', () => socket.end(`heard ${heard}`));
  });
  server.listen(0, host);
  await once(server, 'listening');
  const ownPort = await freePort();
  await using own = await Network.start({
    links: line(['near', 'middle', 'far']),
    entities: {
      near: [['httpListener', { name: 'half', address: 'half', host, port: ownPort }]],
      middle: [],
      far: [['httpConnector', { name: 'half', address: 'half', host, port: (server.address() as AddressInfo).port }]],
    },
  });
  await own.router('near').logged(/service port open/);
  const { rest, socket } = await upgrade(ownPort);
  socket.end('all of it');
  assert.equal((await rest).toString(), 'heard all of it');
  server.close();
});

const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) => existsSync(file));

test('Chromium', { timeout: 60_000, skip: chromium === undefined && 'chromium is not installed' }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'caravan-chromium-'));
  const parameters = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', `--user-data-dir=${folder}`];
  const browser = spawn(chromium ?? '', [...parameters, `http://${host}:${port}/page`], { stdio: 'ignore', detached: true });
  try {
    await until('the browser reports', () => echo.results.length > 0, 50_000);
    assert.deepEqual(JSON.parse(echo.results[0]), ['caravan', 'κόσμε', 300_000, 4000, true]);
  } finally {
    // Its other processes would go on writing into the folder for a moment.
    if (browser.exitCode === null && browser.signalCode === null) {
      process.kill(-(browser.pid ?? assert.fail()), 'SIGKILL');
      await once(browser, 'exit');
    }
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
});
