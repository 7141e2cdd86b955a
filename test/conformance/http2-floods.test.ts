/** Clients of HTTP/2 that do harm at little cost of their own: each is cut off, costs little memory, and others are served meanwhile. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameClient, field, flag, frame, frameType, requestBlock, settings, uint32 } from './http2-frames.ts';

const mebibyte = 1_048_576;
const floodMs = Number(process.env['HTTP2_FLOOD_MS'] ?? 1_000);
/** What one attack may cost. */
const mostMemoryBytes = 64 * mebibyte;

interface Attack {
  /** Settings of the client. */
  readonly settings?: readonly (readonly [number, number])[];
  /** Octets of one round. */
  readonly round: (round: number) => Buffer;
  /** Octets after which it waits for what becomes of it. */
  readonly mostBytes?: number;
}

const headers = flag.endHeaders;
const streamOf = (round: number, index: number, perRound: number): number => (round * perRound + index) * 2 + 1;
const many = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));

/** Fills the table of fields with one of 3 kB, then names it again and again: 1 octet each. */
function bomb(stream: number, first: boolean): Buffer {
  const value = Buffer.alloc(3_000, 'b');
  const length = Buffer.from([0x7f, ...integer(value.length - 127)]);
  const entry = Buffer.concat([Buffer.from([0x40, 4]), Buffer.from('x-b1'), length, value]);
  const block = Buffer.concat([requestBlock(), first ? entry : Buffer.alloc(0), Buffer.alloc(8_000, 0x80 | 62)]);
  return frame(frameType.headers, flag.endStream | headers, stream, block);
}

function integer(value: number): number[] {
  const octets: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) octets.push((rest % 128) | 0x80);
  return [...octets, rest];
}

const attacks: Readonly<Record<string, Attack>> = {
  'requests that are given up at once (rapid reset)': {
    round: (round) =>
      many(100, (index) => {
        const stream = streamOf(round, index, 100);
        return Buffer.concat([
          frame(frameType.headers, flag.endStream | headers, stream, requestBlock()),
          frame(frameType.reset, 0, stream, uint32(8)),
        ]);
      }),
  },
  'malformed requests, which the server resets': {
    round: (round) =>
      many(100, (index) =>
        frame(
          frameType.headers,
          flag.endStream | headers,
          streamOf(round, index, 100),
          Buffer.concat([requestBlock(), field('Upper', 'x')]),
        ),
      ),
  },
  'requests without a path, which the server resets': {
    round: (round) =>
      many(100, (index) => frame(frameType.headers, flag.endStream | headers, streamOf(round, index, 100), requestBlock('nowhere'))),
  },
  'a head without end (CONTINUATION)': {
    round: (round) =>
      round === 0
        ? frame(frameType.headers, flag.endStream, 1, requestBlock())
        : many(16, () =>
            frame(
              frameType.continuation,
              0,
              1,
              many(60, () => field('x-continued', 'c'.repeat(100))),
            ),
          ),
  },
  'a head without end, of empty frames': {
    round: (round) =>
      round === 0 ? frame(frameType.headers, flag.endStream, 1, requestBlock()) : many(500, () => frame(frameType.continuation, 0, 1)),
  },
  'PING without pause': { round: () => many(500, () => frame(frameType.ping, 0, 0, Buffer.alloc(8))) },
  'SETTINGS without pause': { round: () => many(100, () => settings([1, 4096], [4, 65_535])) },
  'SETTINGS that say nothing': { round: () => many(500, () => settings()) },
  'PRIORITY without pause': { round: () => many(500, (index) => frame(frameType.priority, 0, index * 2 + 1, Buffer.alloc(5))) },
  'WINDOW_UPDATE without pause': { round: () => many(500, () => frame(frameType.windowUpdate, 0, 0, uint32(1))) },
  'DATA of no octets': {
    round: (round) =>
      round === 0 ? frame(frameType.headers, headers, 1, requestBlock('/', 'POST')) : many(500, () => frame(frameType.data, 0, 1)),
  },
  'frames of a type that nobody knows': { round: () => many(100, () => frame(0x99, 0, 0, Buffer.alloc(100))) },
  'fields that grow when they are read (HPACK bomb)': {
    round: (round) => many(10, (index) => bomb(streamOf(round, index, 10), round === 0 && index === 0)),
  },
  'more requests at a time than allowed': {
    round: (round) => many(100, (index) => frame(frameType.headers, headers, streamOf(round, index, 100), requestBlock('/', 'POST'))),
  },
  'answers that nobody takes (windows of 0)': {
    settings: [[4, 0]],
    mostBytes: 4_000,
    round: (round) => frame(frameType.headers, flag.endStream | headers, streamOf(round, 0, 1), requestBlock('/large')),
  },
  'a connection that says nothing': { mostBytes: 1, round: () => Buffer.alloc(0) },
};

suite('floods', () => {
  let relay: ChildProcessByStdio<Writable, Readable, null>;
  let port = 0;
  let good: ClientHttp2Session;

  before(async () => {
    relay = spawn(process.execPath, [join(import.meta.dirname, 'http2-relay-program.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [text] = (await once(relay.stdout, 'data')) as [Buffer];
    port = Number(/port (\d+)/.exec(text.toString())?.[1]);
    good = connect(`http://127.0.0.1:${port}`);
    // Its memory grows with its first work, whoever asks.
    for (let index = 0; index < 500; index++) await Promise.all([ask(good), ask(good), ask(good), ask(good)]);
  });

  after(() => {
    good.destroy();
    relay.stdin.end();
  });

  const residentBytes = (): number => {
    const [, kibibytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${relay.pid}/status`, 'utf8')) ?? [];
    return Number(kibibytes) * 1024;
  };

  for (const [name, attack] of Object.entries(attacks)) {
    test(name, { timeout: 60_000 }, async () => {
      const isOver = new AbortController();
      const times: number[] = [];
      const before = residentBytes();
      let most = before;
      const asking = (async () => {
        while (!isOver.signal.aborted) {
          const startMs = performance.now();
          assert.equal(await ask(good), 'hello');
          times.push(performance.now() - startMs);
          most = Math.max(most, residentBytes());
          await sleep(5);
        }
      })();
      const untilMs = performance.now() + floodMs;
      let cuts = 0;
      let writtenBytes = 0;
      // Who is cut off comes again.
      do {
        const client = await FrameClient.open(port, ...(attack.settings ?? []));
        let wasCut = await client.flood(attack.round, untilMs, attack.mostBytes);
        // The connection is looked at once in 200 ms here; what is slow is found out by time: 3 to 6 s.
        for (let waits = 0; !wasCut && waits < (cuts > 0 ? 4 : 400); waits++) {
          await sleep(25);
          wasCut = client.closed;
        }
        if (wasCut) cuts++;
        writtenBytes += client.writtenBytes;
        client.destroy();
      } while (performance.now() < untilMs);
      isOver.abort();
      await asking;
      times.sort((a, b) => a - b);
      const share = (part: number): string => (times[Math.floor(times.length * part)] ?? 0).toFixed(1);
      console.log(
        `# cut ${cuts} times, ${Math.round(writtenBytes / 1024)} KiB; memory +${Math.round((most - before) / mebibyte)} MiB; others: median ${share(0.5)} ms, p99 ${share(0.99)} ms of ${times.length}`,
      );
      assert.ok(most - before < mostMemoryBytes, 'it costs little memory');
      assert.ok(cuts > 0, 'it is cut off');
    });
  }
});

async function ask(session: ClientHttp2Session): Promise<string> {
  const stream = session.request({ ':path': '/' });
  stream.setEncoding('utf8');
  let text = '';
  for await (const piece of stream) text += String(piece);
  return text;
}
