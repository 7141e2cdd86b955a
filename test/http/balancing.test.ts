import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExchangeFailure } from '../../src/services/http/exchange.ts';
import type { HttpIngress } from '../../src/services/http/http-ingress.ts';
import { findField } from '../../src/services/http/field-block.ts';
import { Chain, TestServer, fields, replying } from './virtual-http.ts';
import type { ClientRequest, HttpRouter } from './virtual-http.ts';

/** Requests that are under way together, answered in the end. */
function load(chain: Chain, router: HttpRouter, ingress: HttpIngress, count: number): ClientRequest[] {
  const clients: ClientRequest[] = [];
  for (let index = 0; index < count; index++) {
    clients.push(router.request(ingress).finish());
    chain.network.run(1);
  }
  return clients;
}

/** A server that never answers by itself. */
const silent = (): TestServer => new TestServer();

test('requests in progress are shared equally among servers behind several routers', () => {
  const chain = new Chain(3);
  const [first, second, third] = chain.routers;
  const servers = [silent(), silent(), silent(), silent()];
  second.serve('a', servers[0]);
  third.serve('b', servers[1]);
  third.serve('c', servers[2]);
  third.serve('d', servers[3]);
  const ingress = first.reach('service', { balancing: 'round-robin' });
  chain.network.run(100);
  load(chain, first, ingress, 40);
  chain.network.run(50);
  assert.deepEqual(
    servers.map(({ requests }) => requests.length),
    [10, 10, 10, 10],
  );
});

test('the load that other routers put on a server counts', () => {
  const chain = new Chain(3);
  const [first, middle, third] = chain.routers;
  const near = silent();
  const far = silent();
  middle.serve('near', near);
  third.serve('far', far);
  const one = first.reach('service');
  const other = third.reach('service', { balancing: 'closest' });
  chain.network.run(100);
  // All from the third router go to its own server at first.
  load(chain, third, other, 2);
  assert.equal(far.requests.length, 2);
  chain.network.run(200);
  const views = one.knownServers('service').map(({ routerId, view }) => [routerId, view.others]);
  assert.deepEqual(views.toSorted(), [
    ['r1', 0],
    ['r2', 2],
  ]);
});

test('a server that is not ready gets nothing, and is used again when it is', () => {
  const chain = new Chain(2);
  const [first, last] = chain.routers;
  const one = replying('one');
  const other = replying('other');
  last.serve('one', one);
  const offer = last.serve('other', other);
  const ingress = first.reach('service');
  offer.setReady(false);
  chain.network.run(20);
  load(chain, first, ingress, 10);
  assert.deepEqual([one.requests.length, other.requests.length], [10, 0]);
  offer.setReady(true);
  chain.network.run(20);
  load(chain, first, ingress, 10);
  assert.ok(other.requests.length > 3);
});

test('when no server is ready the network answers at once, and says why', () => {
  const chain = new Chain(2);
  const [first, last] = chain.routers;
  const offer = last.serve('one', replying('one'));
  const ingress = first.reach('service');
  offer.setReady(false);
  chain.network.run(20);
  const client = first.request(ingress).finish();
  chain.network.run(1);
  assert.deepEqual([client.over, client.status], ['end', 503]);
  assert.equal(
    findField(client.answer?.fields ?? new Uint8Array(0), 'caravan-error'),
    'no-server; site="r0"; service="service"; reason="no server of this service is ready"',
  );
  assert.equal(client.body.text, '503 Service Unavailable\nno server of this service is ready\n');
});

test('servers of the next priority get nothing before the first overflows', () => {
  const chain = new Chain(2);
  const [first, last] = chain.routers;
  const primary = silent();
  const spare = silent();
  last.serve('primary', primary, { overflow: 5 });
  last.serve('spare', spare, { priority: 1 });
  const ingress = first.reach('service');
  load(chain, first, ingress, 5);
  assert.deepEqual([primary.requests.length, spare.requests.length], [5, 0]);
  load(chain, first, ingress, 3);
  assert.deepEqual([primary.requests.length, spare.requests.length], [5, 3]);
});

test('a refused connection sends any request elsewhere; a server that was tried is not tried again', () => {
  const chain = new Chain(3);
  const [first, middle, last] = chain.routers;
  const refusing = (): TestServer =>
    new TestServer((request) => (request.onEnd = () => request.responder.fail(ExchangeFailure.unreachable, 'refused')));
  const broken = [refusing(), refusing(), refusing()];
  middle.serve('a', broken[0]);
  middle.serve('b', broken[1]);
  last.serve('c', broken[2]);
  const good = replying('good');
  last.serve('d', good);
  const ingress = first.reach('service');
  for (let round = 0; round < 8; round++) {
    const client = first.request(ingress, { method: 'POST', contentLength: 4 });
    client.send(new TextEncoder().encode('four'));
    client.finish();
    chain.network.runUntil(() => client.over !== undefined, 1000);
    assert.deepEqual([client.status, client.body.text, good.last.body.text], [200, 'good', 'four']);
    assert.ok(broken.every(({ requests }) => requests.length <= round + 1));
  }
  assert.equal(ingress.failed, 0);
});

test('when every server refuses, the client is told so', () => {
  const chain = new Chain(2);
  const [first, last] = chain.routers;
  const refusing = new TestServer(
    (request) => (request.onEnd = () => request.responder.fail(ExchangeFailure.unreachable, 'connection refused')),
  );
  last.serve('a', refusing);
  const ingress = first.reach('service');
  const client = first.request(ingress).finish();
  chain.network.runUntil(() => client.over !== undefined, 1000);
  assert.equal(client.status, 503);
  assert.match(
    findField(client.answer?.fields ?? new Uint8Array(0), 'caravan-error') ?? '',
    /^connect-failed; .*reason="connection refused; no other server is ready"$/,
  );
  assert.equal(refusing.requests.length, 1);
});

for (const [method, tries] of [
  ['GET', 3],
  ['PUT', 3],
  ['POST', 1],
  ['PATCH', 1],
] as const) {
  test(`a ${method} whose server breaks off is tried ${tries} times`, () => {
    const chain = new Chain(2);
    const [first, last] = chain.routers;
    const servers = Array.from(
      { length: 5 },
      () => new TestServer((request) => (request.onEnd = () => request.responder.fail(ExchangeFailure.broken, 'reset'))),
    );
    for (const [index, server] of servers.entries()) last.serve(`s${index}`, server);
    const ingress = first.reach('service');
    const client = first.request(ingress, { method }).finish();
    chain.network.runUntil(() => client.over !== undefined, 1000);
    assert.equal(client.status, 502);
    assert.equal(
      servers.reduce((sum, { requests }) => sum + requests.length, 0),
      tries,
    );
    chain.network.run(100);
    assert.equal(ingress.active, 0);
  });
}

test('retries of requests that may have been processed are a share of all', () => {
  const chain = new Chain(2);
  const [first, last] = chain.routers;
  const servers = Array.from(
    { length: 3 },
    () => new TestServer((request) => (request.onEnd = () => request.responder.fail(ExchangeFailure.broken, 'reset'))),
  );
  for (const [index, server] of servers.entries()) last.serve(`s${index}`, server);
  const ingress = first.reach('service');
  load(chain, first, ingress, 1000);
  chain.network.run(100);
  assert.ok(ingress.retriesSent <= 1000 * 0.2 + 100 + 1, `${ingress.retriesSent} retries`);
  assert.ok(ingress.retriesSent >= 100);
});

test('a server that takes no more requests sends them elsewhere', () => {
  const chain = new Chain(2);
  const [first, last] = chain.routers;
  const small = silent();
  const large = silent();
  last.serve('small', small, { maxRequests: 2 });
  last.serve('large', large);
  const ingress = first.reach('service');
  load(chain, first, ingress, 10);
  assert.deepEqual([small.requests.length, large.requests.length], [2, 8]);
});

test('a site that may not use the service is told so', () => {
  const chain = new Chain(2);
  const [first, last] = chain.routers;
  last.serve('one', replying('one'));
  const ingress = first.reach('service');
  assert.equal(ingress.knownServers('service').length, 1);
  // The server's router has learned of a narrower grant; the client's has not yet.
  const { forwarder } = last.router.control;
  const { table } = forwarder;
  forwarder.table = new Proxy(table, {
    get: (target, property): unknown => {
      if (property === 'mayConsume') return () => false;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const client = first.request(ingress).finish();
  chain.network.runUntil(() => client.over !== undefined, 1000);
  assert.equal(client.status, 503);
  assert.match(findField(client.answer?.fields ?? new Uint8Array(0), 'caravan-error') ?? '', /^not-allowed; /);
});

test('a server whose answers say that it fails is left alone, also when gRPC says it', () => {
  for (const head of [{ status: 503 }, { fields: fields('grpc-status: 14'), contentLength: 0 }]) {
    const chain = new Chain(2);
    const [first, last] = chain.routers;
    const failing = new TestServer((request) => (request.onEnd = () => request.reply('', head)));
    const good = replying('good');
    last.serve('failing', failing);
    last.serve('good', good);
    const ingress = first.reach('service', { balancing: 'round-robin' });
    for (let count = 0; count < 40; count++) {
      first.request(ingress, { method: 'POST' }).finish();
      chain.network.run(5);
    }
    assert.deepEqual([failing.requests.length, good.requests.length], [5, 35]);
  }
});
