import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HttpClient, HttpServer } from './http-peer.ts';
import { LinkProxy } from './link-proxy.ts';
import { Network, line } from './network.ts';
import { freePort } from './ports.ts';
import type { Entity } from './router-process.ts';
import { until } from './until.ts';

const host = '127.0.0.1';

/** A server that nobody has started, and the command that does: it runs until disposing, by its process id. */
class SleepingServer implements AsyncDisposable {
  readonly #folder: string;
  readonly port: number;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  static async make(delayMs: number): Promise<SleepingServer> {
    const server = new SleepingServer(await mkdtemp(join(tmpdir(), 'caravan-activation-')), await freePort());
    await writeFile(
      server.#file('server.mjs'),
      `import { createServer } from 'node:http';
       import { appendFileSync } from 'node:fs';
       appendFileSync('${server.#file('pids')}', process.pid + '\\n');
       const server = createServer((request, response) => response.end('awake'));
       setTimeout(() => server.listen(${server.port}, '${host}'), ${delayMs});`,
    );
    return server;
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  /** Leaves the server behind as a process of its own. */
  get command(): string {
    return `'${process.execPath}' '${this.#file('server.mjs')}' > /dev/null 2>&1 &`;
  }

  /** Process ids of all servers that have been started. */
  get started(): readonly number[] {
    if (!existsSync(this.#file('pids'))) return [];
    return readFileSync(this.#file('pids'), 'utf8').trim().split('\n').map(Number);
  }

  stop(): void {
    for (const pid of this.started) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function listener(address: string, port: number): Entity {
  return ['httpListener', { name: address, address, host, port }];
}

test('the first requests start a server and wait for it, over two hops', { timeout: 58_000 }, async () => {
  await using server = await SleepingServer.make(300);
  await using other = await HttpServer.start((_request, response) => response.end('awake'));
  const [port, lostPort, urlPort, wakePort, otherPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  // The hook that is called by URL opens the way to a server that runs.
  const late = createServer((_request, response) => response.end('awake'));
  const calls: string[] = [];
  await using hook = await HttpServer.start((request, response) => {
    calls.push(`${request.method} ${request.url}`);
    late.listen(wakePort, host, () => response.writeHead(204).end());
  });
  try {
    const target = { host, connectTimeoutMs: 1000 };
    await using network = await Network.start({
      links: line(['near', 'middle', 'far']),
      entities: {
        near: [listener('sleeping', port), listener('lost', lostPort), listener('called', urlPort), listener('other', otherPort)],
        middle: [],
        far: [
          ['httpConnector', { name: 'sleeping', address: 'sleeping', port: server.port, activationCommand: server.command, ...target }],
          [
            'httpConnector',
            { name: 'lost', address: 'lost', port: await freePort(), activationCommand: 'true', activationTimeoutMs: 1000, ...target },
          ],
          [
            'httpConnector',
            { name: 'called', address: 'called', port: wakePort, activationUrl: `http://${host}:${hook.port}/wake`, ...target },
          ],
          ['httpConnector', { name: 'other', address: 'other', port: other.port, ...target }],
        ],
      },
    });
    using awake = new HttpClient(otherPort, 1);
    await awake.answering();
    await network.router('near').logged(/service port open httpListener="called"/);
    assert.deepEqual(server.started, [], 'nothing is started before it is asked for');

    using client = new HttpClient(port, 5);
    const answers = await Promise.all(Array.from({ length: 5 }, (_, index) => client.ask({ method: index === 0 ? 'POST' : 'GET' })));
    assert.deepEqual(
      answers.map(({ status, body }) => `${status} ${body.toString()}`),
      Array.from({ length: 5 }, () => '200 awake'),
    );
    assert.equal(server.started.length, 1, 'it is started once');

    using called = new HttpClient(urlPort, 1);
    assert.equal((await called.ask()).body.toString(), 'awake');
    assert.deepEqual(calls, ['POST /wake']);

    using lost = new HttpClient(lostPort, 1);
    const { status, headers } = await lost.ask();
    assert.equal(status, 503);
    assert.match(String(headers['caravan-error']), /^connect-failed; site="near-00000000"; service="lost"; reason="/);

    // Scaled to zero again: the next request starts it anew.
    server.stop();
    await until('it is started again', async () => (await client.ask()).body.toString() === 'awake' && server.started.length === 2);
  } finally {
    late.closeAllConnections();
    late.close();
  }
});

test('a request that waits for its server survives the break of a link', { timeout: 58_000 }, async () => {
  await using server = await SleepingServer.make(1500);
  const [port, linkPort] = [await freePort(), await freePort()];
  await using proxy = await LinkProxy.start(linkPort);
  await using network = await Network.start({
    links: [
      { from: 'near', to: 'middle' },
      { from: 'near', to: 'other', cost: 2 },
      { from: 'other', to: 'far', cost: 2 },
    ],
    entities: {
      near: [listener('sleeping', port)],
      middle: [['connector', { name: 'proxied', role: 'inter-router', host, port: proxy.port }]],
      other: [],
      far: [
        ['listener', { name: 'proxied', role: 'inter-router', host, port: linkPort }],
        ['httpConnector', { name: 'sleeping', address: 'sleeping', host, port: server.port, activationCommand: server.command }],
      ],
    },
  });
  for (const name of ['middle', 'other']) await network.router(name).logged(/(link is up[^]*){2}/);
  await network.router('near').logged(/service port open/);
  using client = new HttpClient(port, 1);
  const answer = client.ask();
  await until('the server is being started', () => server.started.length === 1);
  proxy.cut(true);
  const { status, body } = await answer;
  assert.deepEqual([status, body.toString()], [200, 'awake']);
  assert.equal(server.started.length, 1);
});
