import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EdgeRow, RequestRow, RequestTrace, StatReport } from '../../src/flows/network-snapshot.ts';
import type { GatewayRow } from '../../src/cli/gateways.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';
import { VanSandbox } from './van-sandbox.ts';

const launcher = join(import.meta.dirname, '../../van');

/** A command that goes on while the test does something else. */
class Running implements AsyncDisposable {
  out = '';
  error = '';
  isOver = false;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended: Promise<unknown>;

  constructor(sandbox: VanSandbox, line: string) {
    const env = { ...process.env, ...sandbox.environment };
    this.#child = spawn(launcher, line.split(' '), {
      cwd: sandbox.folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 40_000,
      killSignal: 'SIGKILL',
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.error += text));
    this.#ended = once(this.#child, 'close').then(() => (this.isOver = true));
  }

  /** Waits until it says so on standard error. */
  async says(text: string): Promise<void> {
    await until(`the command says "${text}"`, () => this.error.includes(text) || this.isOver);
    assert.ok(this.error.includes(text), this.error);
  }

  async done(): Promise<string> {
    await this.#ended;
    assert.equal(this.#child.exitCode, 0, this.error);
    return this.out;
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

/** Asks the listener, and gives status and time to the head of the answer. */
async function ask(port: number, path: string, agent: Agent): Promise<{ status: number; firstByteMs: number }> {
  const startMs = performance.now();
  const request = get({ host: '127.0.0.1', port, path, agent, timeout: 10_000 });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const firstByteMs = performance.now() - startMs;
  response.resume();
  await once(response, 'end');
  return { status: response.statusCode ?? 0, firstByteMs };
}

test('commands show the traffic that there was', { timeout: 120_000 }, async (t) => {
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/fail') response.statusCode = 500;
    if (request.url === '/hold') {
      held.push(response);
      return;
    }
    setTimeout(() => response.end('hello'), request.url === '/slow' ? 80 : 10);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  t.after(() => server.closeAllConnections());
  using agent = new (class extends Agent implements Disposable {
    [Symbol.dispose](): void {
      this.destroy();
    }
  })({ keepAlive: true, maxSockets: 8 });
  await using sandbox = await VanSandbox.make();
  const linkPort = await freePort();
  const port = await freePort();
  await sandbox.done(`-n west site create west --enable-link-access --link-access-host 127.0.0.1 --link-access-port ${linkPort}`);
  await sandbox.done('-n east site create east');
  await sandbox.done('-n west token issue token.yaml');
  await sandbox.done('-n east token redeem token.yaml --name to-west');
  await sandbox.done(`-n east connector create shop ${(server.address() as AddressInfo).port} --type http --host 127.0.0.1`);
  await sandbox.done(`-n west listener create shop ${port} --type http --host 127.0.0.1`);
  await until('the service answers', async () => (await ask(port, '/', agent).catch(() => undefined))?.status === 200);

  /** Sends requests until the command has what it wants. */
  const askUntilOver = async (command: Running, paths: readonly string[]): Promise<void> => {
    for (let index = 0; !command.isOver; index++) {
      await ask(port, paths[index % paths.length] ?? '/', agent);
      await sleep(20);
    }
  };

  await t.test('stat counts every request, and its latencies are those of the clients', async () => {
    await using stat = new Running(sandbox, '-n west stat servers shop -t 10s -o json');
    await stat.says('listening for 10 s');
    const seen: { status: number; firstByteMs: number }[] = [];
    for (let index = 0; index < 30; index++) {
      seen.push(
        ...(await Promise.all(Array.from({ length: 4 }, (_, place) => ask(port, (index * 4 + place) % 10 === 0 ? '/fail' : '/', agent)))),
      );
    }
    const report = JSON.parse(await stat.done()) as StatReport;
    const [row] = report.rows;
    assert.ok(row !== undefined);
    assert.deepEqual([row.name, row.of], ['east/shop', 'shop']);
    const { golden } = row;
    assert.equal(Math.round((golden.perSecond * report.coveredMs) / 1000), 120);
    assert.equal(seen.filter(({ status }) => status === 500).length, 12);
    assert.ok(Math.abs((golden.successRatio ?? 0) - 0.9) < 1e-9, String(golden.successRatio));
    const sorted = seen.map(({ firstByteMs }) => firstByteMs).sort((a, b) => a - b);
    const p50 = sorted.at(60) ?? 0;
    const slowest = Math.max(...sorted);
    console.log(`# p50 ${golden.p50Ms?.toFixed(1)} ms by the router, ${p50.toFixed(1)} ms by the client`);
    assert.ok((golden.p50Ms ?? 0) >= 9 && (golden.p50Ms ?? 0) <= p50 * 1.15, `${golden.p50Ms} and ${p50}`);
    assert.ok((golden.p99Ms ?? 0) <= slowest * 1.15, `${golden.p99Ms} and ${slowest}`);
    assert.ok(report.droppedFlows === 0);
  });

  await t.test('tap merges both ends of each request', async () => {
    await using tap = new Running(sandbox, '-n east tap shop --status 2xx --from west --count 3 -o json');
    await askUntilOver(tap, ['/fail', '/cart']);
    const rows = (await tap.done())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as RequestRow);
    assert.equal(rows.length, 3);
    for (const row of rows) {
      assert.deepEqual([row.sourceSite, row.destSite, row.connector, row.trace], ['west', 'east', 'shop', ['west', 'east']]);
      assert.deepEqual([row.method, row.path, row.status, row.address], ['GET', '/cart', 200, 'shop']);
      const parts = (row.choiceMs ?? 0) + (row.networkMs ?? 0) + (row.connectMs ?? 0) + (row.serverMs ?? 0);
      assert.ok(Math.abs(parts - (row.firstByteMs ?? 0)) < 0.01, JSON.stringify(row));
      assert.ok((row.serverMs ?? 0) >= 9, JSON.stringify(row));
    }
  });

  await t.test('tap prints lines until it is interrupted', async () => {
    await using tap = new Running(sandbox, '-n west tap shop --path /slow');
    await tap.says('Ctrl-C ends');
    for (let index = 0; index < 200 && !tap.out.includes('end id='); index++) await ask(port, '/slow', agent);
    tap.interrupt();
    const lines = (await tap.done()).split('\n');
    assert.match(
      lines[0] ?? '',
      /^req id=\S+ way=west>east service=shop src=127\.0\.0\.1:\d+ dst=127\.0\.0\.1:\d+ :method=GET .*:path=\/slow$/,
    );
    assert.match(lines[1] ?? '', /^rsp id=\S+ :status=200 latency=\S+ choice=\S+ network=\S+ connect=\S+ server=\S+$/);
    assert.match(lines[2] ?? '', /^end id=\S+ duration=\S+ response-length=5B$/);
  });

  await t.test('the parts of a trace add up to its duration', async () => {
    await using command = new Running(sandbox, '-n west trace shop --path /slow -o json');
    await askUntilOver(command, ['/', '/slow']);
    const { request, spans } = JSON.parse(await command.done()) as RequestTrace;
    assert.equal(request.path, '/slow');
    assert.deepEqual(
      spans.map(({ what }) => what),
      ['choice of a server', 'link west → east', 'connection to the server', 'server', 'link east → west', 'rest of the answer'],
    );
    const sum = spans.reduce((total, { durationMs }) => total + durationMs, 0);
    assert.ok(Math.abs(sum - (request.durationMs ?? 0)) < 0.01, JSON.stringify({ request, spans }));
    assert.ok((spans[3]?.durationMs ?? 0) >= 79, 'the server takes 80 ms');
  });

  await t.test('without an observer a trace by id shows what is under way, and says what to do for the rest', async () => {
    await using tap = new Running(sandbox, '-n west tap shop --path /hold');
    await tap.says('Ctrl-C ends');
    const answered = ask(port, '/hold', agent);
    const shown = (): string => /^req id=(\S+) /m.exec(tap.out)?.[1] ?? '';
    await until('the request is shown', () => shown() !== '');
    const id = shown();
    // At the other site, and beside the one that listens already.
    for (const namespace of ['east', 'west']) {
      const { request } = JSON.parse(await sandbox.done(`-n ${namespace} trace ${id} -o json`)) as RequestTrace;
      assert.deepEqual([request.id, request.path, request.ended], [id, '/hold', false]);
    }
    for (const response of held) response.end('at last');
    assert.equal((await answered).status, 200);
    await until('its end is shown', () => tap.out.includes('\nend id='));
    const { code, error } = await sandbox.van(`-n west trace ${id}`);
    assert.equal(code, 1);
    assert.match(error, /is not under way, and no observer runs here that keeps those that have ended/);
    assert.match(error, /van -n west observe; or wait for the next request: van -n west trace SERVICE/);
  });

  await t.test('edges, gateways, top and links know both sites', async () => {
    const asking = new AbortController();
    const load = (async (): Promise<void> => {
      while (!asking.signal.aborted) await ask(port, '/', agent);
    })();
    try {
      const edges = JSON.parse(await sandbox.done('-n west edges shop -t 4s -o json')) as readonly EdgeRow[];
      assert.deepEqual(
        edges.map(({ sourceName, destName, secured }) => [sourceName, destName, secured]),
        [['west', 'east', 'mutual-tls']],
      );
      assert.ok((edges[0]?.golden.perSecond ?? 0) > 1);
      const [gateway] = JSON.parse(await sandbox.done('-n west gateways -o json')) as readonly GatewayRow[];
      assert.deepEqual([gateway?.site, gateway?.alive, gateway?.numberOfServices, gateway?.path], ['east', true, 1, 'direct']);
      assert.ok((gateway?.uptimeMs ?? 0) > 0);
      assert.match(await sandbox.done('-n east top --once -t 2s'), /^SERVICE +METHOD +PATH .*\nshop +GET +\/ +west +east +\d+ /);
      assert.match(
        await sandbox.done('-n east link status -o wide'),
        /^NAME .* RTT +LOSS +UPTIME +DOWNS +OUT\/SEC +IN\/SEC +MESSAGE\nto-west +Ready .*\d+s +0 /,
      );
    } finally {
      asking.abort();
      await load;
    }
    const { code, error } = await sandbox.van('-n west stat shpo -t 1s');
    assert.equal(code, 2);
    assert.match(error, /did you mean shop\?/);
  });
});
