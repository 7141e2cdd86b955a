import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { webSocketCases } from '../../conformance/websocket-cases.ts';
import type { WebSocketCase } from '../../conformance/websocket-cases.ts';
import { exchange } from '../../conformance/websocket-exchange.ts';
import { Opcode, readFrames } from '../../conformance/websocket-frames.ts';
import { freePort } from '../../e2e/ports.ts';
import { RouterProcess } from '../../e2e/router-process.ts';
import { until } from '../../e2e/until.ts';
import { httpFronts } from '../rig/http-fronts.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const host = '127.0.0.1';
const caseTimeoutMs = 15_000;

/** A server that echoes messages. */
class EchoServer implements AsyncDisposable {
  readonly #http = createServer((_request, response) => response.end());
  readonly #sockets = new WebSocketServer({ server: this.#http });

  async start(): Promise<this> {
    this.#sockets.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
    });
    this.#http.listen(0, host);
    await once(this.#http, 'listening');
    return this;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

/** What of an answer is not as RFC 6455 wants it; undefined = nothing. */
function fault(one: WebSocketCase, octets: Buffer): string | undefined {
  const frames = readFrames(octets);
  const last = frames.at(-1);
  if (last?.opcode !== Opcode.close) return 'no close frame';
  const code = last.payload.length < 2 ? undefined : last.payload.readUInt16BE(0);
  if (code !== one.closedWith) return `closed with ${code} instead of ${one.closedWith}`;
  const messages = frames.filter(({ opcode }) => opcode === Opcode.text || opcode === Opcode.binary).length;
  return messages === one.messages ? undefined : `${messages} messages instead of ${one.messages}`;
}

/** Goes through the cases, one after the other, and gives what is wrong. */
async function faultsOf(
  context: RowContext,
  cases: readonly WebSocketCase[],
  look: (one: WebSocketCase) => Promise<string | undefined>,
): Promise<string[]> {
  const faults: string[] = [];
  for (const one of cases) {
    context.signal.throwIfAborted();
    const late = sleep(caseTimeoutMs, 'no end of the connection', { ref: false });
    const found = await Promise.race([look(one).catch((error: unknown) => (error as Error).message), late]);
    if (found !== undefined) faults.push(`${one.name}: ${found}`);
  }
  return faults;
}

/** The same octets have to come back as without anything between. */
async function through(context: RowContext, port: number, serverPort: number): Promise<string[]> {
  await until('an answer', async () => (await fetch(`http://${host}:${port}/`).catch(() => undefined))?.status === 200, 20_000);
  return await faultsOf(context, webSocketCases, async (one) => {
    const [direct, forwarded] = await Promise.all([exchange(serverPort, one), exchange(port, one)]);
    return fault(one, forwarded) ?? (forwarded.equals(direct) ? undefined : 'other octets than without a proxy');
  });
}

/** Cases in which no message arrives: what is wrong with the frames has to be found by whoever reads them. */
const framing = webSocketCases.filter(({ messages }) => messages === 0);

async function atAmqpPort(context: RowContext): Promise<string[]> {
  const port = await freePort();
  await using router = await RouterProcess.start({
    id: 'near-00000000',
    entities: [['listener', { name: 'amqp', role: 'normal', host, port, saslMechanisms: 'ANONYMOUS', http: true }]],
  });
  await router.logged(/service port open/);
  return await faultsOf(context, framing, async (one) => fault(one, await exchange(port, one, 'Sec-WebSocket-Protocol: amqp\r\n')));
}

async function run(context: RowContext): Promise<Measured> {
  await using echo = await new EchoServer().start();
  const [startOwn, ...startPeers] = httpFronts(context.peers);
  const own = await startOwn([echo.port]);
  const passing = await (async () => {
    await using front = own;
    return await through(context, front.ports[0], echo.port);
  })();
  const amqp = await atAmqpPort(context);
  const peers: Record<string, PeerFigures> = {};
  for (const start of startPeers) {
    await using front = await start([echo.port]);
    // Its upgrades have to be asked for one by one; without that it says nothing about frames.
    if (front.name === 'nginx') continue;
    const faults = await through(context, front.ports[0], echo.port);
    peers[front.name] = { 'cases that end otherwise': faults.length };
  }
  return {
    figures: [
      { name: 'cases that end otherwise through two routers', value: passing.length, unit: '', floor: 0 },
      { name: 'cases that end otherwise at a port for AMQP over WebSocket', value: amqp.length, unit: '', floor: 0 },
      { name: 'cases', value: webSocketCases.length + framing.length, unit: '', better: 'higher' },
    ],
    peers,
    detail: { passing, amqp },
  };
}

export const webSocketConformance: Row = {
  id: 'P8',
  title: 'WebSocket: right and wrong frames through two routers to a server, and at a port for AMQP over WebSocket',
  floor: 'every case of RFC 6455 ends as it must',
  goal: 'the same, octet by octet what the server sent; text, fragments and closing included',
  fast: true,
  limitSeconds: { full: 180, fast: 60 },
  missing: () => undefined,
  run,
};
