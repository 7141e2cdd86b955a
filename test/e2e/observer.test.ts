import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { answerSchema } from '../../src/observer/openapi.ts';
import { routes } from '../../src/observer/rest-routes.ts';
import { schemas } from '../../src/observer/rest-schemas.ts';
import { schemaProblems } from '../../src/observer/schema-problems.test.ts';
import { askObserver } from '../../src/observer/web-control-client.ts';
import type { NetworkSnapshot, RequestRow, RequestTrace } from '../../src/flows/network-snapshot.ts';
import { atEndOfTest } from './end-of-test.ts';
import { freePort } from './ports.ts';
import { ask, TcpServer } from './tcp-peer.ts';
import { until } from './until.ts';
import { isAlive, VanSandbox } from './van-sandbox.ts';

const host = '127.0.0.1';
/** Records reach an observer within seconds; a busy machine takes longer. */
const patienceMs = 60_000;

interface Rig extends AsyncDisposable {
  readonly van: VanSandbox;
  readonly webPort: number;
  readonly dbPort: number;
  /** Sends so many requests through the network, every fifth of which fails. */
  load(count: number): Promise<void>;
}

/** Two linked sites: clients at `west`, an HTTP and a TCP server at `east`. */
async function twoSites(t: TestContext, westOptions = ''): Promise<Rig> {
  const van = await VanSandbox.make();
  const web = createServer((request, response) => {
    if (request.url?.startsWith('/bad') === true) response.statusCode = 500;
    response.end('hello');
  });
  web.listen(0, host);
  await until('the server listens', () => web.listening);
  atEndOfTest(() => web.close());
  const db = await TcpServer.echo();
  const rig = { van, webPort: await freePort(), dbPort: await freePort() };
  const dispose = async (): Promise<void> => {
    web.closeAllConnections();
    web.close();
    await db[Symbol.asyncDispose]();
    await van[Symbol.asyncDispose]();
  };
  t.after(dispose);
  const linkPort = await freePort();
  await van.done(`-n east site create east --enable-link-access --link-access-host ${host} --link-access-port ${linkPort}`);
  await van.done(`-n west site create west${westOptions}`);
  await van.done('-n east token issue token.yaml');
  await van.done('-n west token redeem token.yaml');
  const address = web.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await van.done(`-n east connector create web ${port} --type http`);
  await van.done(`-n east connector create db ${db.port}`);
  await van.done(`-n west listener create web ${rig.webPort} --type http`);
  await van.done(`-n west listener create db ${rig.dbPort}`);
  await until('requests come through', async () => (await statusOf(rig.webPort, '/ready').catch(() => 0)) === 200, patienceMs);
  const load = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) assert.equal(await statusOf(rig.webPort, n % 5 === 4 ? '/bad' : '/good'), n % 5 === 4 ? 500 : 200);
  };
  return { ...rig, load, [Symbol.asyncDispose]: dispose };
}

async function statusOf(port: number, path: string): Promise<number> {
  const response = await fetch(`http://${host}:${port}${path}`);
  await response.arrayBuffer();
  return response.status;
}

function observerOf(van: VanSandbox, namespace: string): <Body>(path: string) => Promise<Body> {
  const socket = join(van.folder, 'data/caravan/namespaces', namespace, 'runtime/observer.sock');
  return (path) => askObserver(socket, 'GET', path, 10_000);
}

type Ask = ReturnType<typeof observerOf>;

/** Requests or connections of a service that are in the history. */
async function counted(ask: Ask, service: string): Promise<number> {
  const { points } = await ask<{ points: readonly { readonly count: number }[] }>(`/api/v1/history?service=${service}&step=60`);
  return points.reduce((sum, { count }) => sum + count, 0);
}

/** Process ids of what a site has started. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').flatMap((id) => (id.trim() === '' ? [] : [Number(id)]));
}

test(
  'a site runs its observer, which tells what is there and counts each request once, also over its own end',
  { timeout: 170_000 },
  async (t) => {
    await using rig = await twoSites(t, ` --enable-observer --observer-listen ${host}:0`);
    const { van } = rig;
    const observer = observerOf(van, 'west');
    const sees = async (): Promise<boolean> => {
      const { sites, services } = await observer<NetworkSnapshot>('/api/v1/network');
      return sites.length === 2 && sites.every(({ state }) => state === 'up') && services.some(({ servers }) => servers.length > 0);
    };
    await until('the observer knows both sites', () => sees().catch(() => false), patienceMs);
    assert.match(await van.done('-n west site status'), /Console: +http:\/\/127\.0\.0\.1:\d+/);

    const before = await counted(observer, 'web');
    await rig.load(50);
    assert.equal(await ask(rig.dbPort, 'hello'), 'hello');
    await until('all requests are counted', async () => (await counted(observer, 'web')) === before + 50, patienceMs);
    await until('the connection is counted', async () => (await counted(observer, 'db')) === 1, patienceMs);

    const network = await observer<NetworkSnapshot>('/api/v1/network');
    const [link] = network.links;
    assert.deepEqual([link?.fromName, link?.toName, link?.directionKnown, link?.state], ['west', 'east', true, 'up']);
    const edge = network.edges.find(({ address }) => address === 'web');
    assert.deepEqual([edge?.sourceName, edge?.destName, edge?.secured], ['west', 'east', 'mutual-tls']);
    const { requests } = await observer<{ requests: readonly RequestRow[] }>('/api/v1/requests?service=web&status=5xx&kind=request');
    assert.ok(requests.length > 0 && requests.every(({ path, status }) => path === '/bad' && status === 500));
    const trace = await observer<RequestTrace>(`/api/v1/requests/${requests[0]?.id}`);
    assert.ok(trace.spans.length > 0);

    const ids = new Map([['/api/v1/requests', requests[0]?.id ?? '']]);
    for (const route of routes) {
      const owner = route.path.slice(0, Math.max(0, route.path.indexOf('/{id}')));
      const body = await observer(route.path.replace('{id}', encodeURIComponent(ids.get(owner) ?? '')));
      assert.deepEqual(schemaProblems(body, answerSchema(route), schemas), [], route.path);
      if (route.answers.envelope !== 'collection') continue;
      const [first] = (body as { readonly results: readonly { readonly identity: string }[] }).results;
      assert.ok(first !== undefined, `${route.path} tells nothing`);
      ids.set(route.path, first.identity);
    }

    const sitePid = await van.pid('west');
    const [observerPid = 0] = childrenOf(sitePid);
    process.kill(observerPid, 'SIGKILL');
    await rig.load(25);
    await until('another observer runs', () => childrenOf(sitePid).some((pid) => pid !== observerPid), patienceMs);
    await until(
      'what was requested meanwhile is counted',
      async () => (await counted(observer, 'web').catch(() => 0)) >= before + 75,
      patienceMs,
    );
    await rig.load(25);
    await until('and what follows', async () => (await counted(observer, 'web')) >= before + 100, patienceMs);
    assert.equal(await counted(observer, 'web'), before + 100);

    const [lastPid = 0] = childrenOf(sitePid);
    await van.done('-n west site stop');
    await until('the observer ends with its site', () => !isAlive(lastPid), patienceMs);
  },
);

test('an observer goes on when its site is restarted, and says when it is the second', { timeout: 120_000 }, async (t) => {
  await using rig = await twoSites(t);
  const { van } = rig;
  await using first = await observe(van, '-n west observe --listen 127.0.0.1:0 --access-log access.jsonl');
  const observer = observerOf(van, 'west');
  await rig.load(5);
  await until('requests are counted', async () => (await counted(observer, 'web')) >= 5, patienceMs);
  const second = await van.van('-n west observe --listen 127.0.0.1:0');
  assert.equal(second.code, 1);
  assert.match(second.error, /in use/);
  await van.done('-n west site stop');
  await until('it says that the site is gone', () => first.output().includes('the site tells no records'), patienceMs);
  await van.done('-n west site start');
  await until('it observes again', () => first.output().split('observing router=').length === 3, patienceMs);
  const before = await counted(observer, 'web');
  await until('requests come through', async () => (await statusOf(rig.webPort, '/ready').catch(() => 0)) === 200, patienceMs);
  const grows = async (): Promise<boolean> => {
    await rig.load(5);
    return (await counted(observer, 'web')) >= before + 10;
  };
  await until('requests are counted again', grows, patienceMs);
  const accessLines = (): string[] => readFileSync(van.file('access.jsonl'), 'utf8').split('\n').slice(0, -1);
  await until('the requests are in the access log', () => accessLines().length >= 10, patienceMs);
  assert.deepEqual(await first.end(), 0);
  const lines = accessLines();
  assert.ok(lines.every((line) => ['web', 'db'].includes((JSON.parse(line) as { service: string }).service)));
});

interface Running extends AsyncDisposable {
  /** What it has written on standard error. */
  output(): string;
  /** Ends it in order and gives its exit code. */
  end(): Promise<number | null>;
}

/** Runs `van observe` until it answers. */
async function observe(van: VanSandbox, line: string): Promise<Running> {
  const launcher = join(import.meta.dirname, '../../van');
  const child = spawn(launcher, line.split(' '), {
    cwd: van.folder,
    env: { ...process.env, ...van.environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  atEndOfTest(() => child.kill('SIGKILL'));
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const end = (): Promise<number | null> => ended(child, 'SIGTERM');
  await until(
    'the observer answers',
    () => output.includes('The console is at'),
    patienceMs,
    () => output,
  );
  return { output: () => output, end, [Symbol.asyncDispose]: async () => void (await end()) };
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.kill(signal);
  return await code;
}

const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0;

test(
  'a Prometheus server scrapes it, and the queries of the page give the right answers',
  {
    skip: hasPrometheus ? false : 'prometheus is not installed (Debian: prometheus)',
    timeout: 170_000,
  },
  async (t) => {
    await using rig = await twoSites(t);
    const { van } = rig;
    await using observer = await observe(van, `-n west observe --listen ${host}:0 --metrics-listen ${host}:0`);
    const [, target = ''] = /http:\/\/(\S+)\/metrics/.exec(observer.output()) ?? [];
    const port = await freePort();
    const configuration = van.file('prometheus.yml');
    writeFileSync(
      configuration,
      `global: {scrape_interval: 1s}\nscrape_configs:\n  - {job_name: van, static_configs: [{targets: ['${target}']}]}\n`,
    );
    const prometheus = spawn(
      'prometheus',
      [
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${van.file('tsdb')}`,
        `--web.listen-address=${host}:${port}`,
        '--log.level=error',
      ],
      { stdio: 'ignore' },
    );
    atEndOfTest(() => prometheus.kill('SIGKILL'));
    t.after(() => ended(prometheus, 'SIGKILL'));
    const query = async (text: string): Promise<Sample[]> => {
      const response = await fetch(`http://${host}:${port}/api/v1/query?query=${encodeURIComponent(text)}`);
      const body = (await response.json()) as {
        readonly status: string;
        readonly error?: string;
        readonly data?: { readonly result: Sample[] };
      };
      assert.equal(body.status, 'success', `${text}: ${body.error}`);
      return body.data?.result ?? [];
    };
    await until('it scrapes', async () => (await query('up == 1').catch(() => [])).length === 1, patienceMs);
    await until('the network is there', async () => (await query('count(caravan_site_up == 1)'))[0]?.value[1] === '2', patienceMs);
    const value = async (text: string): Promise<number> => Number((await query(text))[0]?.value[1] ?? Number.NaN);
    const requests = 'sum(request_total{src_site="west",dst_site="east",dst_service="web"})';
    const isCounted = async (): Promise<boolean> => (await statusOf(rig.webPort, '/ready')) === 200 && (await value(requests)) > 0;
    await until('requests are counted', isCounted, patienceMs);
    await settled();
    const before = await value(requests);
    for (let round = 0; round < 4; round++) {
      await rig.load(20);
      assert.equal(await ask(rig.dbPort, 'hello'), 'hello');
      await settled();
    }
    await until('all requests are counted', async () => (await value(requests)) === before + 80, patienceMs);
    await until('all connections are counted', async () => (await value('sum(tcp_close_total{dst_service="db"})')) === 4, patienceMs);
    const page = readFileSync(new URL('../../docs/observer.md', import.meta.url), 'utf8');
    const queries = [...page.matchAll(/```promql\n([\s\S]+?)```/g)].map(([, text = '']) => text.trim());
    assert.ok(queries.length >= 6, `${queries.length} queries on the page`);
    for (const text of queries) {
      const found = await query(text);
      if (isAlert(text)) continue;
      assert.ok(found.length > 0, `no answer: ${text}`);
    }
    // Four of five requests are fine; the first ones, which only found out that the service is there, are too.
    const success = await value(queries.find((text) => text.includes('classification="success"')) ?? '');
    assert.ok(success > 0.75 && success < 0.95, `${success}`);
    assert.equal(await value('sum(skupper_requests_total{source_site_name="west",code="500"})'), 16);
    assert.equal(await value('sum(tcp_open_total{dst_service="db"})'), 4);
    assert.equal(await value('sum(skupper_sent_bytes_total{routing_key="db"})'), 20);
    assert.equal(await value('caravan_link_up{src_site="west",dst_site="east"}'), 1);
  },
);

/** Routers tell sums once a second, and a scrape follows within another. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 2500));
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** A query that finds something only when something is wrong. */
function isAlert(text: string): boolean {
  return /[<>]|== 0/.test(text);
}
