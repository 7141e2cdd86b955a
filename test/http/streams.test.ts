import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pattern } from '../../src/sim/virtual-network.ts';
import { maxPendingBytes } from '../../src/services/http/exchange.ts';
import { windowBytes } from '../../src/services/tcp/tcp-stream.ts';
import { Chain, TestServer, answer, fields, text } from './virtual-http.ts';

/** Pieces of a body of this length. */
function pieces(length: number, size: number): Uint8Array[] {
  const all = pattern(length);
  const result: Uint8Array[] = [];
  for (let at = 0; at < length; at += size) result.push(all.subarray(at, Math.min(length, at + size)));
  return result;
}

/** Sends back what it gets, as it comes, with a length if the request has one. */
function echo(): TestServer {
  return new TestServer((request) => {
    const { head, responder } = request;
    responder.head(answer({ contentLength: head.contentLength }));
    const add = request.data.bind(request);
    request.data = (bytes, start, end): void => {
      add(bytes, start, end);
      responder.data(bytes, start, end);
    };
    request.onEnd = () => responder.end(request.trailers);
  });
}

test('bodies of any length come back as they were, however they and the wire are divided', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom(1000, 30_000, 33_000, 70_000, 400_000),
      fc.constantFrom(1, 11, 900, 8192, 8193, 65_536),
      fc.constantFrom(7, 200, 70_000),
      (seed, length, hasLength, hasTrailers, bytes, size, maxChunkBytes) => {
        const total = size < 100 || maxChunkBytes < 100 ? Math.min(bytes, 3000) : bytes;
        const chain = new Chain(length, seed);
        const server = echo();
        chain.last.serve('one', server);
        const ingress = chain.first.reach('service');
        for (const link of chain.links) link.maxChunkBytes = maxChunkBytes;
        const client = chain.first.request(ingress, { method: 'POST', contentLength: hasLength ? total : -1 });
        for (const piece of pieces(total, size)) {
          client.send(piece);
          if (chain.network.random.below(4) === 0) chain.network.run(1);
        }
        client.finish(hasTrailers ? fields('checksum: 1') : undefined);
        chain.network.runUntil(() => client.over !== undefined, 10_000);
        assert.equal(client.over, 'end');
        assert.deepEqual(server.last.body.bytes, pattern(total));
        assert.deepEqual(client.body.bytes, pattern(total));
        assert.deepEqual(client.trailers && text(client.trailers), hasTrailers ? ['checksum: 1'] : undefined);
        assert.deepEqual([ingress.bytesIn, ingress.bytesOut], [total, total]);
        chain.assertAtRest();
      },
    ),
    { numRuns: 60 },
  );
});

test('a server that does not take a body stops the client; when it does, all arrives', () => {
  const chain = new Chain(3);
  const server = new TestServer();
  chain.last.serve('one', server);
  const ingress = chain.first.reach('service');
  const client = chain.first.request(ingress, { method: 'POST', contentLength: 3_000_000 });
  let sent = 0;
  const all = pattern(3_000_000);
  const pump = (): void => {
    while (sent < all.length && !client.congested) {
      client.send(all.subarray(sent, sent + 50_000));
      sent += 50_000;
    }
  };
  client.send(all.subarray(0, (sent = 50_000)));
  chain.network.runUntil(() => server.requests.length > 0, 1000);
  server.last.congested = true;
  for (let round = 0; round < 50; round++) {
    pump();
    chain.network.run(10);
  }
  assert.ok(sent <= windowBytes + 200_000, `${sent} octets are under way`);
  server.last.congested = false;
  server.last.responder.requestRelieved();
  chain.last.router.touch();
  for (let round = 0; round < 200 && sent < all.length; round++) {
    pump();
    chain.network.run(10);
  }
  client.finish();
  chain.network.runUntil(() => server.last.ended, 1000);
  assert.deepEqual(server.last.body.bytes, all);
  assert.ok(client.relieved > 0);
  server.last.reply('');
  chain.last.router.touch();
  chain.network.runUntil(() => client.over !== undefined, 1000);
  chain.assertAtRest();
});

test('a client that does not read stops its server; when it does, all arrives', () => {
  const chain = new Chain(3);
  const server = new TestServer();
  chain.last.serve('one', server);
  const ingress = chain.first.reach('service');
  const client = chain.first.request(ingress).finish();
  client.reading = false;
  chain.network.runUntil(() => server.requests.length > 0, 1000);
  const { responder } = server.last;
  const all = pattern(3_000_000);
  responder.head(answer({ contentLength: all.length }));
  let sent = 0;
  const pump = (): void => {
    while (sent < all.length && responder.pendingBytes < maxPendingBytes) {
      responder.data(all, sent, Math.min(all.length, sent + 50_000));
      sent += 50_000;
    }
    chain.last.router.touch();
  };
  for (let round = 0; round < 50; round++) {
    pump();
    chain.network.run(10);
  }
  assert.ok(sent >= 100_000 && sent <= windowBytes + 200_000, `${sent} octets are under way`);
  assert.equal(client.answer?.contentLength, all.length);
  for (let round = 0; round < 400 && sent < all.length; round++) {
    client.read();
    pump();
    chain.network.run(10);
  }
  assert.ok(server.last.written > 0);
  responder.end(undefined);
  chain.last.router.touch();
  chain.network.runUntil(() => client.over !== undefined, 1000);
  assert.deepEqual(client.body.bytes, all);
  chain.assertAtRest();
});

test('events that a server sends arrive one by one', () => {
  const chain = new Chain(3);
  const server = new TestServer();
  chain.last.serve('one', server);
  const ingress = chain.first.reach('service');
  const client = chain.first.request(ingress).finish();
  chain.network.runUntil(() => server.requests.length > 0, 1000);
  const { responder } = server.last;
  responder.head(answer({ fields: fields('content-type: text/event-stream') }));
  chain.network.runUntil(() => client.answer !== undefined, 1000);
  for (let event = 1; event <= 5; event++) {
    chain.network.run(20_000);
    responder.data(new TextEncoder().encode(`data: ${event}\n\n`), 0, 9);
    chain.last.router.touch();
    chain.network.runUntil(() => client.body.length === event * 9, 100);
  }
  client.abort(0);
  chain.assertAtRest();
});

test('an upgraded connection carries octets both ways, and each way ends by itself', () => {
  const chain = new Chain(3);
  const server = new TestServer();
  chain.last.serve('one', server);
  const ingress = chain.first.reach('service', { requestTimeoutMs: 5000 });
  const client = chain.first.request(ingress, { upgrade: 'websocket', fields: fields('sec-websocket-key: x') });
  chain.network.runUntil(() => server.requests.length > 0, 1000);
  assert.deepEqual([server.last.head.upgrade, server.last.ended], ['websocket', false]);
  const { responder } = server.last;
  responder.head(answer({ status: 101, upgrade: true }));
  chain.last.router.touch();
  chain.network.runUntil(() => client.answer !== undefined, 1000);
  assert.deepEqual([client.status, client.answer?.upgrade], [101, true]);
  client.send(pattern(100_000));
  responder.data(pattern(50_000, 3), 0, 50_000);
  chain.last.router.touch();
  chain.network.run(60_000);
  assert.deepEqual(server.last.body.bytes, pattern(100_000));
  assert.deepEqual(client.body.bytes, pattern(50_000, 3));
  responder.end(undefined);
  chain.last.router.touch();
  chain.network.runUntil(() => client.over === 'end', 1000);
  client.send(pattern(10));
  chain.network.runUntil(() => server.last.body.length === 100_010, 1000);
  client.finish();
  chain.network.runUntil(() => server.last.ended, 1000);
  chain.assertAtRest();
});

test('an upgrade that the server declines has an answer like any other', () => {
  const chain = new Chain(3);
  const server = new TestServer((request) => request.reply('no', { status: 400 }));
  chain.last.serve('one', server);
  const client = chain.first.request(chain.first.reach('service'), { upgrade: 'websocket' });
  chain.network.runUntil(() => client.over !== undefined, 1000);
  assert.deepEqual([client.status, client.body.text], [400, 'no']);
  chain.assertAtRest();
});

test('a client that waits for 100 hears it from the server, with all interim answers', () => {
  const chain = new Chain(3);
  const server = new TestServer();
  chain.last.serve('one', server);
  const client = chain.first.request(chain.first.reach('service'), { method: 'PUT', contentLength: 5, expectContinue: true });
  chain.network.runUntil(() => server.requests.length > 0, 1000);
  assert.equal(server.last.head.expectContinue, true);
  server.last.responder.interim(103, fields('link: </style.css>'));
  server.last.responder.interim(100, fields());
  chain.last.router.touch();
  chain.network.runUntil(() => client.interims.length === 2, 1000);
  assert.deepEqual(client.interims, [103, 100]);
  client.send(pattern(5));
  client.finish();
  chain.network.runUntil(() => server.last.ended, 1000);
  server.last.reply('done', { status: 201 });
  chain.last.router.touch();
  chain.network.runUntil(() => client.over !== undefined, 1000);
  assert.deepEqual([client.status, client.body.text], [201, 'done']);
  chain.assertAtRest();
});

test('answers without a body say what they would have had', () => {
  const chain = new Chain(2);
  const server = new TestServer((request) => {
    request.responder.head(answer({ contentLength: 12_345, hasBody: false }));
    request.responder.end(undefined);
  });
  chain.last.serve('one', server);
  const client = chain.first.request(chain.first.reach('service'), { method: 'HEAD' }).finish();
  chain.network.runUntil(() => client.over !== undefined, 1000);
  assert.deepEqual([client.over, client.answer?.contentLength, client.answer?.hasBody, client.body.length], ['end', 12_345, false, 0]);
  chain.assertAtRest();
});

test('an answer that is shorter or longer than it says is cut off', () => {
  for (const given of [9, 11, 100_000]) {
    const chain = new Chain(2);
    const server = new TestServer((request) => {
      request.responder.head(answer({ contentLength: 10 }));
      request.responder.data(pattern(given), 0, given);
      request.responder.end(undefined);
    });
    chain.last.serve('one', server);
    const client = chain.first.request(chain.first.reach('service'), { method: 'POST' }).finish();
    chain.network.runUntil(() => client.over !== undefined, 1000);
    assert.ok(client.status === 502 || client.over !== 'end', `${given}: ${client.status}`);
    chain.assertAtRest();
  }
});
