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
import { attacks } from './http2-attacks.ts';
import { FrameClient } from './http2-frames.ts';

const mebibyte = 1_048_576;
const floodMs = Number(process.env['HTTP2_FLOOD_MS'] ?? 1_000);
/** The relay has to collect what is of no use any more, and ends if it keeps what attackers bring. */
const littleRoom = ['--initial-old-space-size=32', '--max-old-space-size=96'];
/** What one attack may cost. */
const mostMemoryBytes = 64 * mebibyte;

suite('floods', () => {
  let relay: ChildProcessByStdio<Writable, Readable, null>;
  let port = 0;
  let good: ClientHttp2Session;

  before(async () => {
    const program = join(import.meta.dirname, 'http2-relay-program.ts');
    relay = spawn(process.execPath, [...littleRoom, program], { stdio: ['pipe', 'pipe', 'inherit'] });
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
