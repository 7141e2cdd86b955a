import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { test } from 'node:test';
import { HttpClient, HttpServer } from './http-peer.ts';
import { Network, line } from './network.ts';
import { freePort } from './ports.ts';
import type { Entity } from './router-process.ts';
import { until } from './until.ts';

const host = '127.0.0.1';

function listener(name: string, address: string, port: number, more: Entity[1] = {}): Entity {
  return ['httpListener', { name, address, host, port, ...more }];
}

function connector(name: string, address: string, port: number, more: Entity[1] = {}): Entity {
  return ['httpConnector', { name, address, host, port, ...more }];
}

/** Answers with its name after a while. */
function named(name: string, delayMs = 0): RequestListener {
  return (_request, response) => {
    if (delayMs === 0) response.end(name);
    else setTimeout(() => response.end(name), delayMs);
  };
}

/** Asks `total` times, `atOnce` at a time; gives how often each answer came. */
async function tally(client: HttpClient, total: number, atOnce: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  let left = total;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const { status, body, headers } = await client.ask();
      const code = String(headers['caravan-error'] ?? '').split(';')[0];
      const what = status === 200 ? body.toString() : `${status} ${code}`.trim();
      counts[what] = (counts[what] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return counts;
}

test('policies choose among servers two and three hops away', { timeout: 58_000 }, async () => {
  await using quick = await HttpServer.start(named('quick'));
  await using slow = await HttpServer.start(named('slow', 60));
  const policies = ['round-robin', 'closest', 'peak-ewma', 'balanced'] as const;
  const ports = new Map<string, number>();
  for (const policy of policies) ports.set(policy, await freePort());
  await using network = await Network.start({
    links: [...line(['near', 'middle', 'far']), { from: 'far', to: 'further', cost: 3 }],
    entities: {
      near: policies.map((balancing) => listener(balancing, 'web', ports.get(balancing) ?? 0, { balancing })),
      middle: [],
      far: [connector('slow', 'web', slow.port)],
      further: [connector('quick', 'web', quick.port)],
    },
  });
  const results: Record<string, Record<string, number>> = {};
  for (const policy of policies) {
    using client = new HttpClient(ports.get(policy) ?? 0, 8);
    await client.answering();
    // Both are known when both have answered.
    await until(
      'both servers are known',
      async () => Object.keys(await tally(client, policy === 'closest' ? 1 : 16, 8)).length === (policy === 'closest' ? 1 : 2),
    );
    results[policy] = await tally(client, 80, policy === 'round-robin' ? 1 : 8);
  }
  console.log(`# ${JSON.stringify(results)}`);
  assert.equal(network.routers.length, 4);
  assert.deepEqual(results['round-robin'], { slow: 40, quick: 40 });
  assert.deepEqual(results['closest'], { slow: 80 });
  const { 'peak-ewma': ewma, balanced } = results;
  assert.ok((ewma['quick'] ?? 0) > 40, 'most requests go where answers are quick');
  // Far costs 2 and further 5: the third request in progress at far makes both equal, so with 8 both are used.
  assert.ok((balanced['slow'] ?? 0) > 0 && (balanced['quick'] ?? 0) > 0);
});

test(
  'priorities and overflow: the second choice helps while the first is past its backlog, and takes over when it is gone',
  { timeout: 58_000 },
  async () => {
    const first = await HttpServer.start(named('first', 30));
    await using second = await HttpServer.start(named('second', 30));
    const [port, firstPort] = [await freePort(), first.port];
    let firstIsThere = true;
    try {
      await using network = await Network.start({
        links: line(['near', 'middle', 'far']),
        entities: {
          near: [listener('web', 'web', port)],
          middle: [connector('second', 'web', second.port, { priority: 1 })],
          far: [connector('first', 'web', firstPort, { priority: 0, overflow: 4 })],
        },
      });
      using client = new HttpClient(port, 12);
      await client.answering();
      // The second is nearer and may be known before the first: both are when both have answered.
      await until('both servers are known', async () => Object.keys(await tally(client, 24, 12)).length === 2);
      // Although it is farther away, and as long as its backlog is short.
      assert.deepEqual(await tally(client, 30, 3), { first: 30 });
      const loaded = await tally(client, 120, 12);
      console.log(`# with 12 in progress: ${JSON.stringify(loaded)}`);
      assert.ok((loaded['first'] ?? 0) > 20 && (loaded['second'] ?? 0) > 20);
      firstIsThere = false;
      await first[Symbol.asyncDispose]();
      assert.deepEqual(await tally(client, 40, 3), { second: 40 });
      assert.equal(network.routers.length, 3);
    } finally {
      if (firstIsThere) await first[Symbol.asyncDispose]();
    }
  },
);

test('a server that fails is left out after a few failures, and used again when it has recovered', { timeout: 58_000 }, async () => {
  let isBroken = false;
  await using good = await HttpServer.start(named('good'));
  await using bad = await HttpServer.start((_request, response) => {
    response.statusCode = isBroken ? 500 : 200;
    response.end('bad');
  });
  const port = await freePort();
  await using network = await Network.start({
    links: line(['near', 'middle', 'far']),
    entities: {
      near: [listener('web', 'web', port, { balancing: 'round-robin' })],
      middle: [],
      far: [connector('good', 'web', good.port), connector('bad', 'web', bad.port)],
    },
  });
  using client = new HttpClient(port, 1);
  await client.answering();
  await until('both servers are known', async () => (await tally(client, 2, 1))['bad'] === 1);
  isBroken = true;
  const counts = await tally(client, 200, 1);
  console.log(`# with one server that fails: ${JSON.stringify(counts)}`);
  assert.ok((counts['500'] ?? 0) < 20, 'half of them would fail otherwise');
  isBroken = false;
  await until('it is used again', async () => (await tally(client, 10, 1))['bad'] === 5, 20_000);
  assert.equal(network.routers.length, 3);
});

test('retries are bounded by the budget, and each failure tells why', { timeout: 58_000 }, async () => {
  const breaking: RequestListener = (request) => request.socket.destroy();
  await using one = await HttpServer.start(breaking);
  await using two = await HttpServer.start(breaking);
  await using three = await HttpServer.start(breaking);
  const servers = [one, two, three];
  const port = await freePort();
  await using network = await Network.start({
    links: line(['near', 'middle', 'far']),
    entities: {
      near: [listener('web', 'web', port)],
      middle: [],
      far: servers.map((server, index) => connector(`web-${index}`, 'web', server.port)),
    },
  });
  using client = new HttpClient(port, 8);
  await until('the port is open', async () => (await client.ask().catch(() => undefined)) !== undefined);
  const asked = (): number => servers.reduce((sum, { requests }) => sum + requests, 0);
  const [before, startMs] = [asked(), performance.now()];
  const total = 400;
  const counts = await tally(client, total, 8);
  const seconds = (performance.now() - startMs) / 1000;
  const retries = asked() - before - total;
  console.log(`# ${JSON.stringify(counts)} in ${seconds.toFixed(1)} s, ${retries} retries of ${total} requests`);
  assert.deepEqual(counts, { '502 server-failed': total });
  assert.ok(retries > 0);
  // A fifth of the requests, and 10 a second over the window of 10 s and what goes beyond.
  assert.ok(retries <= total * 0.2 + 10 * (10 + seconds) + 10, 'two retries of each request would be 800');
  assert.equal(network.routers.length, 3);
});

test('times: of one try, after which another server is asked, and of the whole request', { timeout: 58_000 }, async () => {
  await using silent = await HttpServer.start((_request, response) => response.setTimeout(0));
  await using quick = await HttpServer.start(named('quick'));
  const [tryPort, totalPort] = [await freePort(), await freePort()];
  await using network = await Network.start({
    links: line(['near', 'middle', 'far']),
    entities: {
      near: [
        listener('tries', 'pair', tryPort, { tryTimeoutMs: 1500, balancing: 'round-robin' }),
        listener('total', 'silent', totalPort, { requestTimeoutMs: 400 }),
      ],
      middle: [],
      far: [
        connector('pair-silent', 'pair', silent.port),
        connector('pair-quick', 'pair', quick.port),
        connector('silent', 'silent', silent.port),
      ],
    },
  });
  using tries = new HttpClient(tryPort, 1);
  await tries.answering();
  assert.deepEqual(await tally(tries, 4, 1), { quick: 4 });
  assert.ok(silent.requests > 0, 'the silent one was asked as well');
  using total = new HttpClient(totalPort, 1);
  await until('the port is open', async () => (await total.ask().catch(() => undefined)) !== undefined);
  const { status, headers } = await total.ask({ method: 'POST', body: 'order' });
  assert.equal(status, 504);
  assert.match(String(headers['caravan-error']), /^timeout; site="near-00000000"; service="silent"; reason="/);
  assert.equal(network.routers.length, 3);
});
