import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventChannel, maxEvents } from '../../src/services/events/event-channel.ts';
import type { EventChannelOptions } from '../../src/services/events/event-channel.ts';
import { maxEventRequestBytes } from '../../src/services/events/event-request.ts';
import { maxPartBytes } from '../../src/services/events/server-request.ts';
import { ExchangeFailure } from '../../src/services/http/exchange.ts';
import type { RequestHead } from '../../src/services/http/exchange.ts';
import { findField } from '../../src/services/http/field-block.ts';
import { Recorder } from '../../src/sim/messages.ts';
import { pattern } from '../../src/sim/virtual-network.ts';
import { Chain, ClientRequest, TestServer, answer, plainRequest, replying } from './virtual-http.ts';
import type { HttpRouter } from './virtual-http.ts';

interface Part {
  readonly site: string;
  readonly status?: number;
  readonly body?: string;
  readonly error?: { readonly code: string };
}

class Channel {
  readonly channel: EventChannel;
  readonly chain: Chain;
  readonly #router: HttpRouter;

  constructor(chain: Chain, options: Partial<EventChannelOptions> = {}) {
    this.chain = chain;
    const router = chain.first;
    this.#router = router;
    const { forwarder } = router.router.control;
    const channel: EventChannel = new EventChannel(
      { site: 'r0', service: 'service', form: 'json', requestTimeoutMs: 0, tryTimeoutMs: 0, ...options },
      {
        ...router.context(() => channel.handleTimeout()),
        chooseAddress: () => (forwarder.reachable('service') ? 'service' : undefined),
      },
    );
    this.channel = channel;
    const before = router.router.routesChanged;
    router.router.routesChanged = (): void => {
      before?.();
      channel.routesChanged();
    };
    chain.network.runUntil(() => forwarder.reachable('service'), 3000);
    chain.network.run(100);
  }

  request(head: Partial<RequestHead> = {}): ClientRequest {
    const { router } = this.#router;
    return new ClientRequest(this.channel, { ...plainRequest, method: 'POST', contentLength: -1, ...head }, (work) => {
      work();
      router.touch();
    });
  }

  /** An event with this body, answered. */
  post(body: string): Part[] {
    const client = this.request();
    client.send(new TextEncoder().encode(body));
    client.finish();
    this.chain.network.runUntil(() => client.over !== undefined, 60_000);
    return JSON.parse(client.body.text) as Part[];
  }

  assertAtRest(): void {
    assert.equal(this.channel.active, 0);
    this.channel.stop();
    this.chain.assertAtRest();
  }
}

test('a client that gives up takes its event back from every server', () => {
  const chain = new Chain(3);
  const servers = [new TestServer(), new TestServer()];
  chain.last.serve('a', servers[0]);
  chain.routers[1].serve('b', servers[1]);
  const channel = new Channel(chain);
  const client = channel.request({ contentLength: 200_000 });
  client.send(pattern(200_000));
  client.finish();
  chain.network.runUntil(() => servers.every(({ requests }) => requests.length === 1 && requests[0].ended), 1000);
  assert.deepEqual(servers[0].last.body.bytes, pattern(200_000));
  client.abort(ExchangeFailure.cancelled);
  chain.network.run(200);
  for (const server of servers) assert.equal(server.last.aborted, ExchangeFailure.cancelled);
  channel.assertAtRest();
});

test('a link that breaks while servers work is told in their parts, and the others are waited for', () => {
  const chain = new Chain(3);
  const [far, near] = [new TestServer(), new TestServer()];
  chain.last.serve('far', far);
  chain.first.serve('near', near);
  const channel = new Channel(chain);
  const client = channel.request();
  client.finish();
  chain.network.runUntil(() => far.requests.length === 1 && near.requests.length === 1, 1000);
  chain.links[1].break(() => 0);
  chain.network.run(500);
  assert.equal(client.over, undefined);
  near.last.reply('near');
  chain.network.runUntil(() => client.over !== undefined, 5000);
  const parts = JSON.parse(client.body.text) as Part[];
  assert.deepEqual(
    parts.map(({ site, body, error }) => [site, body ?? error?.code]),
    [
      ['r0', 'near'],
      ['r2', 'link-lost'],
    ],
  );
  assert.equal(far.requests.length, 1);
  channel.assertAtRest();
});

test('a server that does not answer in time is named, and hears that nobody waits', () => {
  const chain = new Chain(2);
  const silent = new TestServer();
  chain.last.serve('a', silent);
  chain.last.serve('b', replying('hello'));
  const channel = new Channel(chain, { requestTimeoutMs: 5000 });
  const parts = channel.post('event');
  assert.deepEqual(parts.map(({ body, error }) => body ?? error?.code).toSorted(), ['hello', 'timeout']);
  chain.network.run(100);
  assert.ok(silent.last.aborted !== undefined);
  channel.assertAtRest();
});

test('answers are cut off at their limit; one that fills it comes whole, to a client that reads slowly', () => {
  const chain = new Chain(2);
  const long = (bytes: number): TestServer =>
    new TestServer((request) => {
      request.onEnd = () => {
        request.responder.head(answer());
        request.responder.data(new Uint8Array(bytes).fill(0x61), 0, bytes);
        request.responder.end(undefined);
      };
    });
  chain.last.serve('a', long(maxPartBytes));
  chain.last.serve('b', long(maxPartBytes));
  chain.last.serve('c', long(maxPartBytes + 1));
  const channel = new Channel(chain);
  const client = channel.request();
  client.reading = false;
  client.finish();
  chain.network.run(2000);
  assert.equal(client.over, undefined);
  assert.ok(client.body.length < 2 * maxPartBytes);
  while (client.over === undefined) {
    client.pendingBytes = 0;
    client.read();
    client.reading = false;
  }
  const parts = JSON.parse(client.body.text) as Part[];
  assert.deepEqual(parts.map(({ body, error }) => body?.length ?? error?.code).toSorted(), [maxPartBytes, maxPartBytes, 'answer-too-long']);
  channel.assertAtRest();
});

test('a router that does not tell of its servers is waited for once, and named', () => {
  const chain = new Chain(2);
  chain.first.serve('a', replying('hello'));
  // A consumer of the address that is no HTTP server, at a router that does not answer to questions.
  const { forwarder } = chain.last.router.control;
  forwarder.removeLocal('services');
  forwarder.addConsumer('service', new Recorder());
  const channel = new Channel(chain);
  chain.network.runUntil(() => chain.first.router.control.forwarder.routersOf('service').length === 1, 3000);
  const { nowMs } = chain.network;
  const expected = [
    ['r0', 'hello'],
    ['r1', 'no-server'],
  ];
  const outcomes = (): unknown => channel.post('event').map(({ site, body, error }) => [site, body ?? error?.code]);
  assert.deepEqual(outcomes(), expected);
  assert.ok(chain.network.nowMs - nowMs <= 3000);
  const laterMs = chain.network.nowMs;
  assert.deepEqual(outcomes(), expected);
  assert.ok(chain.network.nowMs - laterMs < 100);
});

test('an event waits for a service that is gone for a moment', () => {
  const chain = new Chain(2);
  chain.last.serve('a', replying('hello'));
  const channel = new Channel(chain);
  chain.links[0].break(() => 0);
  chain.network.run(200);
  const client = channel.request({ contentLength: 0 });
  chain.network.run(200);
  assert.equal(client.over, undefined);
  chain.network.link(chain.first.router, chain.last.router);
  chain.network.runUntil(() => client.over !== undefined, 5000);
  assert.deepEqual([client.status, (JSON.parse(client.body.text) as Part[]).map(({ body }) => body)], [200, ['hello']]);
  channel.assertAtRest();
});

test('what an event channel does not take is refused, with the limit that it is beyond', () => {
  const chain = new Chain(2);
  const server = replying('hello');
  chain.last.serve('a', server);
  const channel = new Channel(chain);
  const refused = (head: Partial<RequestHead>, body?: Uint8Array): [number, string | undefined] => {
    const client = channel.request(head);
    if (body !== undefined) client.send(body);
    chain.network.run(50);
    if (client.over === undefined) client.finish();
    chain.network.run(50);
    return [client.status, findField(client.answer?.fields ?? new Uint8Array(0), 'caravan-error')?.split(';')[0]];
  };
  assert.deepEqual(refused({ method: 'GET', contentLength: 0 }), [405, 'method-not-allowed']);
  assert.deepEqual(refused({ upgrade: 'websocket' }), [501, 'not-implemented']);
  assert.deepEqual(refused({ contentLength: maxEventRequestBytes + 1 }), [413, 'body-too-large']);
  assert.deepEqual(refused({}, new Uint8Array(maxEventRequestBytes + 1)), [413, 'body-too-large']);
  assert.deepEqual(refused({ contentLength: 5 }, new Uint8Array(4)), [400, 'bad-request']);
  assert.equal(server.requests.length, 0);
  // The client waits for a word before it sends the body.
  const client = channel.request({ contentLength: 2, expectContinue: true });
  chain.network.run(10);
  assert.deepEqual(client.interims, [100]);
  client.send(new Uint8Array(2));
  client.finish();
  chain.network.runUntil(() => client.over === 'end', 1000);
  assert.equal(client.status, 200);
  assert.equal(server.last.head.expectContinue, false);
  channel.assertAtRest();
});

test('more events than a listener carries are refused; the others go on', () => {
  const chain = new Chain(2);
  const server = new TestServer();
  chain.last.serve('a', server, { maxRequests: 4096 });
  const channel = new Channel(chain);
  const clients = Array.from({ length: maxEvents + 1 }, () => channel.request({ contentLength: 0 }));
  chain.network.run(1000);
  assert.equal(clients.filter(({ status }) => status === 503).length, 1);
  for (const request of server.requests) request.reply('hello');
  chain.network.run(1000);
  assert.equal(clients.filter(({ status }) => status === 200).length, maxEvents);
  channel.assertAtRest();
});

test('a service without servers, and the end of the listener, are told as such', () => {
  const chain = new Chain(2);
  const server = chain.last.serve('a', new TestServer());
  const channel = new Channel(chain);
  const waiting = channel.request({ contentLength: 0 });
  chain.network.run(100);
  channel.channel.stop();
  assert.equal(waiting.status, 503);
  chain.last.egress.stop(server);
  const other = new Chain(2);
  other.last.serve('a', replying('hello'));
  const nobody = new Channel(other);
  other.links[0].break(() => 0);
  other.network.run(3000);
  const client = nobody.request({ contentLength: 0 });
  other.network.run(3000);
  assert.equal(client.status, 503);
  nobody.assertAtRest();
});
