import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import type { StatReport } from '../flows/network-snapshot.ts';
import { Attribute, RecordType } from '../flows/record-types.ts';
import type { AttributeValue } from '../flows/record.ts';
import type { JsonSchema } from './json-schema.ts';
import { observerState, startMs, tellRequest } from './observer-fixtures.test.ts';
import type { ObserverState } from './observer-state.ts';
import { answerSchema, openApiDocument } from './openapi.ts';
import { gonePaths, routes } from './rest-routes.ts';
import { schemas } from './rest-schemas.ts';
import { restServer } from './rest-server.ts';
import { schemaProblems } from './schema-problems.test.ts';

const page = new URL('openapi.json', import.meta.url);

async function ask(state: ObserverState, url: string, method = 'GET'): Promise<{ status: number; body: unknown }> {
  const { pathname, searchParams } = new URL(url, 'http://observer');
  const answer = await restServer(state, silentLogger).handle({ method, path: pathname, query: searchParams, user: null });
  const body: unknown = answer.contentType.startsWith('application/json') ? JSON.parse(answer.body) : answer.body;
  return { status: answer.status, body };
}

interface Collection {
  readonly results: readonly (Readonly<Record<string, unknown>> & { readonly identity: string })[];
  readonly count: number;
  readonly timeRangeCount: number;
}

async function collection(state: ObserverState, url: string): Promise<Collection> {
  const { status, body } = await ask(state, url);
  assert.equal(status, 200, JSON.stringify(body));
  return body as Collection;
}

test('the OpenAPI document beside the code is that of the routes', () => {
  const text = `${JSON.stringify(openApiDocument('1'), null, 2)}\n`;
  if (process.env['UPDATE_PAGES'] === '1') writeFileSync(page, text);
  assert.equal(readFileSync(page, 'utf8'), text, 'write it anew: UPDATE_PAGES=1 node --test src/observer/rest-server.test.ts');
});

test('every route answers, and what it answers fits its schema', async (t) => {
  const { state } = observerState(t);
  const firstIds = new Map<string, string>([['/api/v1/requests', 'aaaaa:21']]);
  let answered = 0;
  for (const route of routes) {
    const owner = route.path.slice(0, Math.max(0, route.path.indexOf('/{id}')));
    const id = firstIds.get(owner);
    if (owner !== '') assert.ok(id !== undefined, `${owner} has nothing to ask for one by one`);
    const path = route.path.replace('{id}', encodeURIComponent(id ?? ''));
    const { status, body } = await ask(state, path);
    assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
    assert.deepEqual(schemaProblems(body, answerSchema(route), schemas), [], path);
    if (route.answers.envelope === 'collection') {
      const [first] = (body as Collection).results;
      assert.ok(first !== undefined, `${path} has no records to look at`);
      const chosen = (body as Collection).results.find(({ name }) => name === 'web') ?? first;
      firstIds.set(route.path, chosen.identity);
    }
    answered++;
  }
  assert.ok(answered > 30, `${answered} routes`);
  for (const path of gonePaths) assert.equal((await ask(state, path.replace('{id}', 'x'))).status, 410, path);
});

test('the checker of schemas sees what does not fit', () => {
  const schema: JsonSchema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'], additionalProperties: false };
  assert.deepEqual(schemaProblems({ a: 1 }, schema, {}), []);
  for (const wrong of [{}, { a: 1.5 }, { a: null }, { a: 1, b: 2 }, [], 'a'])
    assert.notDeepEqual(schemaProblems(wrong, schema, {}), [], JSON.stringify(wrong));
});

test('questions that cannot be accepted get an error that says why', async (t) => {
  const { state } = observerState(t);
  const cases: readonly (readonly [string, number])[] = [
    ['/api/v1/nothing', 404],
    ['/api/v1/requests/zzzzz:1', 404],
    ['/api/v1/requests/%ff', 400],
    ['/api/v1/network?window=soon', 400],
    ['/api/v1/network?window=2h', 400],
    ['/api/v1/stat?kind=pod', 400],
    ['/api/v1/requests?status=abc', 400],
    ['/api/v1/requests?limit=100000', 400],
    ['/api/v1/requests?before=yesterday', 400],
    ['/api/v1/requests?after=x', 400],
    ['/api/v1/history?from=5&to=1', 400],
    ['/api/v1/history?from=0&step=10', 400],
    ['/api/v2alpha1/sites?color=red', 400],
    ['/api/v2alpha1/sites?sortBy=color.asc', 400],
    ['/api/v2alpha1/sites/none', 404],
    ['/api/v2alpha1/sites/none/routers', 404],
    ['/api/v2alpha1/__proto__', 404],
    ['/api/v2alpha1/sites?__proto__=x', 400],
  ];
  for (const [url, expected] of cases) {
    const { status, body } = await ask(state, url);
    assert.equal(status, expected, url);
    assert.deepEqual(schemaProblems(body, { $ref: '#/components/schemas/Error' }, schemas), [], url);
  }
  assert.equal((await ask(state, '/api/v1/network', 'POST')).status, 405);
});

test('collections filter, order and page as Skupper has it', async (t) => {
  const { state, clock } = observerState(t);
  const path = '/api/v2alpha1';
  assert.deepEqual(
    (await collection(state, `${path}/sites?sortBy=name.desc`)).results.map(({ name }) => name),
    ['west', 'east'],
  );
  assert.deepEqual(
    (await collection(state, `${path}/sites?name=we`)).results.map(({ name }) => name),
    ['west'],
  );
  assert.deepEqual((await collection(state, `${path}/sites?name=we&name=ea`)).count, 2);
  assert.deepEqual(
    (await collection(state, `${path}/sites?routerCount=1&limit=1&offset=1&sortBy=name.asc`)).results.map(({ name }) => name),
    ['west'],
  );
  const paged = await collection(state, `${path}/sites?limit=1`);
  assert.deepEqual([paged.count, paged.timeRangeCount], [1, 2]);
  assert.equal((await collection(state, `${path}/sites?limit=0`)).count, 0);
  const byPlatform = await Promise.all(
    [0, 1].map((offset) => collection(state, `${path}/sites?sortBy=platform.desc&limit=1&offset=${offset}`)),
  );
  assert.equal(new Set(byPlatform.flatMap(({ results }) => results.map(({ identity }) => identity))).size, 2);
  const [service] = (await collection(state, `${path}/services?name=web`)).results;
  assert.equal(service?.['isBound'], true);
  assert.deepEqual(
    (await collection(state, `${path}/processes?services=${service?.identity}`)).results.map(({ name }) => name),
    ['web-1'],
  );
  assert.deepEqual(
    (await collection(state, `${path}/processes?services=WEB`)).results.map(({ name }) => name),
    ['web-1'],
  );
  const now = (startMs + 1000) * 1000;
  const flows = `${path}/applicationflows`;
  assert.equal((await collection(state, `${flows}?state=terminated`)).count, 1);
  assert.equal((await collection(state, `${flows}?state=active`)).count, 0);
  assert.equal((await collection(state, `${flows}?timeRangeStart=${now + 1}&timeRangeEnd=${now + 10}`)).count, 0);
  assert.equal((await collection(state, `${flows}?timeRangeOperation=within&timeRangeStart=${now - 6000}&timeRangeEnd=${now}`)).count, 1);
  assert.equal((await collection(state, `${flows}?timeRangeOperation=within&timeRangeStart=${now - 1000}&timeRangeEnd=${now}`)).count, 0);
  assert.equal(
    (await collection(state, `${flows}?timeRangeOperation=contains&timeRangeStart=${now - 4000}&timeRangeEnd=${now - 1000}`)).count,
    1,
  );
  clock.atMs += 3_600_000;
  assert.equal((await collection(state, flows)).count, 0, 'an hour later it is not of the last quarter of an hour');
});

test('connections and requests tell both ends, the way and the pair', async (t) => {
  const { state } = observerState(t);
  const [request] = (await collection(state, '/api/v2alpha1/applicationflows')).results;
  assert.deepEqual(
    [
      request?.['sourceSiteName'],
      request?.['destSiteName'],
      request?.['destProcessName'],
      request?.['method'],
      request?.['status'],
      request?.['duration'],
    ],
    ['west', 'east', 'web-1', 'GET', '200', 5000],
  );
  assert.deepEqual(request?.['traceSites'], ['west', 'east']);
  const [connection] = (await collection(state, '/api/v2alpha1/connections')).results;
  assert.equal(request?.['connectionId'], connection?.identity);
  const pairs = await collection(state, '/api/v2alpha1/processpairs');
  assert.ok(pairs.results.some(({ identity, pairType }) => identity === connection?.['processPairId'] && pairType === 'PROCESS'));
  const sitePairs = await collection(state, '/api/v2alpha1/sitepairs?protocol=http');
  assert.deepEqual(
    sitePairs.results.map(({ identity }) => identity),
    [connection?.['sitePairId']],
  );
  const [link] = (await collection(state, '/api/v2alpha1/routerlinks')).results;
  assert.deepEqual(
    [link?.['status'], link?.['sourceSiteName'], link?.['destinationSiteName'], link?.['proxyProtocol']],
    ['up', 'west', 'east', 'NONE'],
  );
});

test('requests that the model has forgotten come from history', async (t) => {
  const { state } = observerState(t);
  const live = state.model.request('aaaaa:21');
  assert.ok(live !== undefined);
  state.history.addRow({ ...live, id: 'old:1', startMs: startMs - 60_000, status: 404 });
  state.history.addRow(live);
  tellRequest(state.model, 'aaaaa:22', startMs + 3000, []);
  const ids = async (query: string): Promise<string[]> =>
    ((await ask(state, `/api/v1/requests?${query}`)).body as { requests: { id: string }[] }).requests.map(({ id }) => id);
  assert.deepEqual(await ids('kind=request'), ['aaaaa:22', 'aaaaa:21', 'old:1']);
  assert.deepEqual(await ids(`kind=request&before=${startMs}`), ['old:1']);
  assert.deepEqual(await ids('status=4xx'), ['old:1']);
  assert.deepEqual(await ids('kind=request&limit=2'), ['aaaaa:22', 'aaaaa:21']);
  const { status, body } = await ask(state, '/api/v1/requests/old:1');
  assert.equal(status, 200);
  assert.ok((body as { spans: unknown[] }).spans.length >= 4, JSON.stringify(body));
});

test('statistics of long windows come from history, and no secret leaves with the site', async (t) => {
  const { state, clock } = observerState(t);
  clock.atMs = startMs + 3_600_000;
  const { body } = await ask(state, '/api/v1/stat?window=2h');
  const { rows, coveredMs } = body as { rows: { name: string; golden: { successRatio: number } }[]; coveredMs: number };
  assert.deepEqual(
    rows.map(({ name, golden }) => [name, golden.successRatio]),
    [['web', 0.9]],
  );
  assert.equal(coveredMs, 3_600_000);
  const site = JSON.stringify((await ask(state, '/api/v1/site?check=true')).body);
  assert.match(site, /"check":\{"success":true\}/);
  assert.match(site, /https:\/\/x/);
  assert.doesNotMatch(site, /very-secret/);
});

test('while history has stopped the live views answer, and what needs history says so', async (t) => {
  const { state } = observerState(t);
  state.history[Symbol.dispose]();
  for (const path of ['/api/v1/network', '/api/v1/stat', '/api/v1/requests', '/api/v1/requests/aaaaa:21', '/api/v2alpha1/sites']) {
    assert.equal((await ask(state, path)).status, 200, path);
  }
  const { status, body } = await ask(state, '/api/v1/history');
  assert.deepEqual([status, (body as { code: string }).code], [503, 'history-stopped']);
});

test('requests are followed from one answer to the next, and those that were too many are counted', async (t) => {
  const { state } = observerState(t);
  interface Answer {
    readonly requests: readonly { readonly id: string }[];
    readonly next: number;
    readonly missed: number;
  }
  const follow = async (after: number): Promise<Answer> =>
    (await ask(state, `/api/v1/requests?after=${after}&limit=1000&status=2xx`)).body as Answer;
  const { next: start } = (await ask(state, '/api/v1/requests?limit=1')).body as Answer;
  tellRequest(state.model, 'aaaaa:100', startMs + 3000);
  tellRequest(state.model, 'aaaaa:101', startMs + 3000, [[Attribute.result, '500']]);
  const first = await follow(start);
  assert.deepEqual([first.requests.map(({ id }) => id), first.missed], [['aaaaa:100'], 0]);
  for (let number = 0; number < 12_000; number++) tellRequest(state.model, `aaaaa:${1000 + number}`, startMs + 4000);
  let after = first.next;
  const seen: string[] = [];
  let missed = 0;
  for (let page = 0; page < 20; page++) {
    const answer = await follow(after);
    if (answer.requests.length === 0) break;
    after = answer.next;
    missed += answer.missed;
    seen.push(...answer.requests.map(({ id }) => id));
  }
  assert.deepEqual([seen.length + missed, new Set(seen).size, seen.at(-1)], [12_000, seen.length, 'aaaaa:12999']);
  assert.ok(seen.length > 9_900);
});

test('pages of requests repeat none and leave none out, also where many began at once and history goes on', async (t) => {
  const { state } = observerState(t);
  const ids: string[] = [];
  const tell = (number: number, beganMs: number): void => {
    const id = `aaaaa:${number}`;
    ids.push(id);
    tellRequest(state.model, id, startMs + 60_000, [
      [Attribute.path, '/paged'],
      [Attribute.startTime, Math.round((startMs + beganMs) * 1000) + (number % 7) * 100],
    ]);
    const row = state.model.request(id);
    assert.ok(row !== undefined);
    state.history.addRow(row);
  };
  // Told in another order than begun; the model forgets the first of them, but not the long one.
  tell(100, 0);
  for (let number = 0; number < 12_000; number++) {
    if (number === 6_000) tell(50, -50_000);
    tell(1000 + number, Math.floor(((number * 7919) % 12_000) / 150));
  }
  state.history.flush();
  interface Answer {
    readonly requests: readonly { readonly id: string }[];
    readonly older: string | null;
  }
  for (const limit of [1000, 997]) {
    const seen: string[] = [];
    for (let before = ''; seen.length <= ids.length;) {
      const { requests, older } = (await ask(state, `/api/v1/requests?path=/paged&limit=${limit}&before=${before}`)).body as Answer;
      seen.push(...requests.map(({ id }) => id));
      if (older === null) break;
      before = older;
    }
    assert.equal(new Set(seen).size, seen.length, 'none twice');
    assert.equal(seen.length, ids.length);
    assert.equal(seen.at(-1), 'aaaaa:50');
  }
});

test('what was not recorded is that of the window, of long ones as well', async (t) => {
  const { state, clock } = observerState(t);
  const tellLoss = (droppedFlows: number): void => {
    const told = new Map<number, AttributeValue>([
      [Attribute.recordType, RecordType.loss],
      [Attribute.identity, 'aaaaa:77'],
      [Attribute.droppedFlows, droppedFlows],
    ]);
    state.model.record('aaaaa:0', told, clock.wallMs());
  };
  tellLoss(5);
  clock.atMs += 3 * 3_600_000;
  tellLoss(12);
  clock.atMs += 5000;
  for (const [window, inWindow] of [
    ['1m', 7],
    ['1h', 7],
    ['1d', 12],
  ] as const) {
    const { droppedFlows, droppedSinceStart } = (await ask(state, `/api/v1/stat?window=${window}`)).body as StatReport;
    assert.deepEqual([droppedFlows, droppedSinceStart], [inWindow, 12], window);
  }
});
