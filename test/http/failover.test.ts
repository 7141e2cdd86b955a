import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualNetwork, pattern } from '../../src/sim/virtual-network.ts';
import { findField } from '../../src/services/http/field-block.ts';
import { Chain, HttpRouter, TestServer, assertAtRest, replying } from './virtual-http.ts';
import type { ClientRequest } from './virtual-http.ts';

/** One router where requests enter, one with the server, and two ways between them. */
function diamond() {
  const network = new VirtualNetwork(3);
  const names = ['in', 'left', 'right', 'out'];
  const routers = names.map((name) => new HttpRouter(network, name));
  const [first, left, right, last] = routers;
  const links = [
    network.link(first.router, left.router),
    network.link(left.router, last.router),
    network.link(first.router, right.router, 2),
    network.link(right.router, last.router, 2),
  ];
  return { network, routers, first, last, links };
}

for (const cut of [0, 1]) {
  test(`no GET fails when link ${cut} of the way in use is cut under load, and none that was sent is lost`, () => {
    const { network, routers, first, last, links } = diamond();
    const waiting: (() => void)[] = [];
    const server = new TestServer((request) => {
      request.onEnd = () => waiting.push(() => request.reply('ok'));
    });
    last.serve('one', server);
    const ingress = first.reach('service');
    const clients: ClientRequest[] = [];
    for (let round = 0; round < 100; round++) {
      clients.push(first.request(ingress).finish());
      if (round === 50) network.cut(links[cut]);
      network.run(1);
      for (const work of waiting.splice(0, waiting.length - 5)) work();
      last.router.touch();
    }
    for (let round = 0; round < 3000; round++) {
      for (const work of waiting.splice(0)) work();
      last.router.touch();
      network.run(1);
    }
    assert.deepEqual([...new Set(clients.map(({ over, status }) => `${over} ${status}`))], ['end 200']);
    assert.ok(ingress.retriesSent > 0);
    assertAtRest(network, routers);
  });
}

test('a POST that may have been processed is not sent again when its way is lost; one that was not is', () => {
  const { network, routers, first, last, links } = diamond();
  const server = new TestServer();
  last.serve('one', server);
  const ingress = first.reach('service');
  const client = first.request(ingress, { method: 'POST', contentLength: 3 });
  client.send(pattern(3));
  client.finish();
  network.runUntil(() => server.requests.length === 1, 1000);
  network.cut(links[1]);
  network.runUntil(() => client.over !== undefined, 1000);
  assert.equal(client.status, 502);
  assert.match(findField(client.answer?.fields ?? new Uint8Array(0), 'caravan-error') ?? '', /^link-lost; /);
  assert.equal(server.requests.length, 1);
  network.run(3000);
  assertAtRest(network, routers);
});

test('a request whose body has been sent on is not sent again; one whose body is held is', () => {
  for (const [bytes, tries] of [
    [60_000, 2],
    [200_000, 1],
  ] as const) {
    const chain = new Chain(2);
    const servers = [new TestServer(), new TestServer()];
    chain.last.serve('a', servers[0]);
    chain.last.serve('b', servers[1]);
    const client = chain.first.request(chain.first.reach('service'), { method: 'PUT', contentLength: bytes + 1 });
    for (let at = 0; at < bytes; at += 20_000) client.send(pattern(20_000, at));
    chain.network.run(20);
    const taken = servers.find(({ requests }) => requests.length > 0);
    taken?.last.responder.fail(2, 'reset');
    chain.last.router.touch();
    chain.network.run(20);
    assert.equal(servers[0].requests.length + servers[1].requests.length, tries);
    assert.equal(client.status, tries === 1 ? 502 : 0);
    if (tries > 1) {
      const other = servers.find((server) => server !== taken);
      client.send(pattern(1));
      client.finish();
      chain.network.runUntil(() => other?.last.ended === true, 1000);
      assert.equal(other?.last.body.length, bytes + 1);
      other.last.reply('ok');
      chain.last.router.touch();
    }
    chain.assertAtRest();
  }
});

test('requests wait for a service that was reachable a moment ago, and are answered when it stays away', () => {
  const chain = new Chain(2);
  chain.last.serve('one', replying('ok'));
  const ingress = chain.first.reach('service');
  chain.network.cut(chain.links[0]);
  const patient = chain.first.request(ingress).finish();
  chain.network.run(500);
  assert.equal(patient.over, undefined);
  chain.network.link(chain.first.router, chain.last.router);
  chain.network.runUntil(() => patient.over !== undefined, 1500);
  assert.equal(patient.status, 200);
  chain.network.cut([...chain.first.router.links][0]);
  const begunMs = chain.network.nowMs;
  const other = chain.first.request(ingress).finish();
  chain.network.runUntil(() => other.over !== undefined, 5000);
  assert.equal(other.status, 503);
  assert.ok(chain.network.nowMs - begunMs <= 2500, `${chain.network.nowMs - begunMs} ms`);
  chain.network.run(10_000);
  const late = chain.first.request(ingress).finish();
  chain.network.run(1);
  assert.equal(late.status, 503);
  chain.assertAtRest();
});

test('a try that takes too long goes to another server; the whole takes no longer than its time', () => {
  const chain = new Chain(2);
  const slow = new TestServer();
  chain.last.serve('slow', slow);
  const fast = replying('fast');
  const offer = chain.last.serve('fast', fast, { priority: 1 });
  const ingress = chain.first.reach('service', { tryTimeoutMs: 300, requestTimeoutMs: 1000 });
  offer.setReady(false);
  chain.network.run(10);
  const alone = chain.first.request(ingress).finish();
  chain.network.runUntil(() => alone.over !== undefined, 2000);
  assert.equal(alone.status, 504);
  chain.network.run(10);
  assert.equal(slow.last.aborted, 0);
  offer.setReady(true);
  chain.network.run(10);
  const begunMs = chain.network.nowMs;
  const client = chain.first.request(ingress).finish();
  chain.network.runUntil(() => client.over !== undefined, 2000);
  assert.deepEqual([client.body.text, chain.network.nowMs - begunMs >= 300, chain.network.nowMs - begunMs < 400], ['fast', true, true]);
  const posting = chain.first.request(ingress, { method: 'POST' }).finish();
  chain.network.runUntil(() => posting.over !== undefined, 2000);
  assert.equal(posting.status, 504);
  chain.assertAtRest();
});

test('the time of a request that has begun to be answered ends it as well', () => {
  const chain = new Chain(2);
  const server = new TestServer();
  chain.last.serve('one', server);
  const client = chain.first.request(chain.first.reach('service', { requestTimeoutMs: 1000 })).finish();
  chain.network.runUntil(() => server.requests.length > 0, 100);
  server.last.responder.head({ status: 200, fields: new Uint8Array(0), contentLength: -1, hasBody: true, upgrade: false });
  chain.last.router.touch();
  chain.network.runUntil(() => client.over !== undefined, 2000);
  chain.network.run(10);
  assert.deepEqual([client.over, client.status, server.last.aborted], [4, 200, 0]);
  chain.assertAtRest();
});

test('gRPC clients get errors of the network as gRPC writes them', () => {
  const chain = new Chain(2);
  const offer = chain.last.serve('one', replying('ok'));
  const ingress = chain.first.reach('service');
  offer.setReady(false);
  chain.network.run(20);
  const fields = new Uint8Array([12, 0, 16, ...new TextEncoder().encode('content-typeapplication/grpc')]);
  const client = chain.first.request(ingress, { method: 'POST', fields }).finish();
  chain.network.run(1);
  const block = client.answer?.fields ?? new Uint8Array(0);
  assert.deepEqual(
    [client.status, findField(block, 'grpc-status'), findField(block, 'grpc-message'), findField(block, 'content-type')],
    [200, '14', 'no-server: no server of this service is ready', 'application/grpc'],
  );
});
