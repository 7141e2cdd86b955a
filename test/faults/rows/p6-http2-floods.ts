import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { attacks } from '../../conformance/http2-attacks.ts';
import type { FloodAnswer, FloodQuestion } from '../programs/http2-flood.ts';
import { httpFronts } from '../rig/http-fronts.ts';
import type { HttpFront } from '../rig/http-fronts.ts';
import { startProgram } from '../rig/own-program.ts';
import { percentile } from '../rig/percentile.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const host = '127.0.0.1';
const mebibyte = 1_048_576;
/** Each attack goes on for this long. */
const floodMs = { full: 2000, fast: 400 };
/** Who says nothing or takes nothing is cut after this time, and looked at once a second. */
const idleTimeoutMs = 3000;
const patienceMs = 15_000;
/** Between requests of the client that does no harm. */
const pauseMs = 5;
const warmUpRequests = 2000;

async function ask(session: ClientHttp2Session): Promise<string> {
  const stream = session.request({ ':path': '/' });
  stream.setEncoding('utf8');
  let text = '';
  for await (const piece of stream) text += String(piece);
  return text;
}

/** The client that does no harm: asks one after the other until it is told to end. */
class GoodClient {
  readonly #session: ClientHttp2Session;
  failures = 0;

  constructor(port: number) {
    this.#session = connect(`http://${host}:${port}`);
    this.#session.on('error', () => {});
  }

  async warmUp(): Promise<void> {
    for (let done = 0; done < warmUpRequests; done += 4)
      await Promise.all([ask(this.#session), ask(this.#session), ask(this.#session), ask(this.#session)]);
  }

  /** Times of the requests until `isOver`, in milliseconds. */
  async times(isOver: () => boolean, each: () => void): Promise<number[]> {
    const times: number[] = [];
    while (!isOver()) {
      const startMs = performance.now();
      const answer = await ask(this.#session).catch(() => '');
      if (answer !== 'hello') this.failures++;
      times.push(performance.now() - startMs);
      each();
      await sleep(pauseMs);
    }
    return times;
  }

  end(): void {
    this.#session.destroy();
  }
}

interface Flooded {
  readonly notCut: string[];
  readonly growthMiB: number;
  readonly worst: string;
  readonly failures: number;
  readonly alive: boolean;
  /** p99 of the good client under the attack that troubles it most, and without any. */
  readonly p99Ms: number;
  readonly aloneP99Ms: number;
  readonly p99By: string;
}

async function floodAll(context: RowContext, front: HttpFront): Promise<Flooded> {
  const flooder = await startProgram('http2-flood', [String(front.ports[0])], /running/);
  const good = new GoodClient(front.ports[0]);
  try {
    await good.warmUp();
    const duration = context.fast ? floodMs.fast : floodMs.full;
    const aloneEndMs = performance.now() + Math.max(1000, duration);
    const alone = percentile(
      await good.times(
        () => performance.now() >= aloneEndMs,
        () => {},
      ),
      99,
    );
    const notCut: string[] = [];
    let [growth, worst, p99, p99By] = [0, '', 0, ''];
    for (const attack of Object.keys(attacks)) {
      context.signal.throwIfAborted();
      const before = front.residentBytes();
      let largest = before;
      let over = false;
      const asking = good.times(
        () => over,
        () => (largest = Math.max(largest, front.running ? front.residentBytes() : 0)),
      );
      const question: FloodQuestion = { attack, floodMs: duration, patienceMs };
      const { connections, cuts, writtenBytes } = await flooder.ask<FloodAnswer>(question);
      over = true;
      const mine = percentile(await asking, 99);
      if (mine > p99) [p99, p99By] = [mine, attack];
      if (cuts === 0) notCut.push(attack);
      if (largest - before > growth) [growth, worst] = [largest - before, attack];
      const grown = Math.round((largest - before) / mebibyte);
      context.note(
        `${front.name}, ${attack}: cut ${cuts} of ${connections}, ${writtenBytes >> 10} KiB; +${grown} MiB; p99 ${mine.toFixed(1)} ms`,
      );
      if (!front.running) break;
    }
    return {
      notCut,
      growthMiB: Math.round(growth / mebibyte),
      worst,
      failures: good.failures,
      alive: front.running,
      p99Ms: p99,
      aloneP99Ms: alone,
      p99By,
    };
  } finally {
    good.end();
    await flooder.stop();
  }
}

const large = Buffer.alloc(mebibyte, 'l');

async function run(context: RowContext): Promise<Measured> {
  const server = createServer((request, response) => {
    request.resume();
    response.end(request.url === '/large' ? large : 'hello');
  });
  server.listen(0, host);
  await once(server, 'listening');
  await using _server = {
    [Symbol.asyncDispose]: async (): Promise<void> => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const serverPorts = [(server.address() as AddressInfo).port];
  const [startOwn, ...startPeers] = httpFronts(context.peers);
  const own = await (async () => {
    await using front = await startOwn(serverPorts, { listener: { idleTimeoutMs } });
    return await floodAll(context, front);
  })();
  const peers: Record<string, PeerFigures> = {};
  for (const start of startPeers) {
    await using front = await start(serverPorts);
    // It speaks HTTP/2 only on ports that speak nothing else, or with TLS.
    if (front.name === 'nginx') continue;
    const { notCut, growthMiB, p99Ms, aloneP99Ms } = await floodAll(context, front);
    peers[front.name] = { 'not cut': notCut.length, growthMiB, 'p99 of others, ratio': Math.round((p99Ms / aloneP99Ms) * 10) / 10 };
  }
  const ratio = Math.round((own.p99Ms / own.aloneP99Ms) * 100) / 100;
  return {
    figures: [
      { name: 'attacks that are not cut off', value: own.notCut.length, unit: '', floor: 0 },
      { name: 'memory of the router under the worst', value: own.growthMiB, unit: 'MiB', floor: 64 },
      { name: 'requests of others that failed', value: own.failures, unit: '', floor: 0 },
      { name: 'routers that ended', value: own.alive ? 0 : 1, unit: '', floor: 0 },
      { name: 'p99 of others under the worst, ratio to before', value: ratio, unit: '', goal: 2, judged: !context.fast },
    ],
    peers,
    detail: { attacks: Object.keys(attacks).length, ...own },
  };
}

export const http2Floods: Row = {
  id: 'P6',
  title: 'HTTP/2 floods at a service port: resets, heads without end, PING, SETTINGS, fields that grow, windows of 0, silence',
  floor: 'every attacker is cut off, at most 64 MiB more memory, no request of others fails',
  goal: "others' p99 at most twice that before",
  fast: true,
  shortened: '0.4 s for each attack',
  limitSeconds: { full: 400, fast: 60 },
  missing: () => undefined,
  run,
};
