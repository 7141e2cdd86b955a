import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pattern } from '../../src/sim/virtual-network.ts';
import { ExchangeFailure } from '../../src/services/http/exchange.ts';
import type { RequestHead } from '../../src/services/http/exchange.ts';
import { findField } from '../../src/services/http/field-block.ts';
import type { HttpIngress } from '../../src/services/http/http-ingress.ts';
import { Chain, TestServer, answer } from './virtual-http.ts';
import type { ClientRequest, ServedRequest } from './virtual-http.ts';

/** How far a request has come when something breaks. */
interface Stage {
  readonly name: string;
  readonly head: Partial<RequestHead>;
  /** Brings the request so far; the request at the server is there afterwards. */
  prepare(client: ClientRequest, server: TestServer, chain: Chain): void;
  readonly answered: boolean;
}

const stages: readonly Stage[] = [
  {
    name: 'during the body of a request',
    head: { method: 'POST', contentLength: 1_000_000 },
    answered: false,
    prepare(client, server, { network }) {
      client.send(pattern(200_000));
      network.runUntil(() => server.requests.length > 0 && server.last.body.length === 200_000, 1000);
    },
  },
  {
    name: 'while a complete request waits for its answer',
    head: { method: 'POST', contentLength: 4 },
    answered: false,
    prepare(client, server, { network }) {
      client.send(pattern(4));
      client.finish();
      network.runUntil(() => server.requests.length > 0 && server.last.ended, 1000);
    },
  },
  {
    name: 'while a long request waits for its answer',
    head: { method: 'POST', contentLength: 100_000 },
    answered: false,
    prepare(client, server, { network }) {
      client.send(pattern(100_000));
      client.finish();
      network.runUntil(() => server.requests.length > 0 && server.last.ended, 1000);
    },
  },
  {
    name: 'during an answer',
    head: {},
    answered: true,
    prepare(client, server, { network }) {
      client.finish();
      network.runUntil(() => server.requests.length > 0, 1000);
      server.last.responder.head(answer());
      server.last.responder.data(pattern(100_000), 0, 100_000);
      network.runUntil(() => client.body.length === 100_000, 1000);
    },
  },
  {
    name: 'while both directions of an upgraded connection are open',
    head: { upgrade: 'websocket' },
    answered: true,
    prepare(client, server, { network }) {
      network.runUntil(() => server.requests.length > 0, 1000);
      server.last.responder.head(answer({ status: 101, upgrade: true }));
      network.runUntil(() => client.answer !== undefined, 1000);
      client.send(pattern(10));
      network.runUntil(() => server.last.body.length === 10, 1000);
    },
  },
];

interface Begun {
  readonly chain: Chain;
  readonly ingress: HttpIngress;
  readonly server: TestServer;
  readonly client: ClientRequest;
  readonly served: ServedRequest;
}

function begin(stage: Stage, length: number): Begun {
  const chain = new Chain(length);
  const server = new TestServer();
  chain.last.serve('one', server);
  const ingress = chain.first.reach('service');
  const client = chain.first.request(ingress, stage.head);
  stage.prepare(client, server, chain);
  return { chain, ingress, server, client, served: server.last };
}

for (const stage of stages) {
  for (const length of [1, 2, 3]) {
    const where = `${stage.name}, over ${length} routers`;

    test(`the client goes ${where}`, () => {
      const { chain, client, server, served } = begin(stage, length);
      client.abort(ExchangeFailure.cancelled);
      chain.network.run(10);
      assert.equal(served.aborted, ExchangeFailure.cancelled);
      assert.deepEqual([client.over, server.requests.length], [undefined, 1]);
      chain.assertAtRest();
    });

    test(`the server breaks off ${where}`, () => {
      const { chain, client, server, served } = begin(stage, length);
      served.responder.fail(ExchangeFailure.broken, 'connection reset');
      chain.last.router.touch();
      chain.network.run(10);
      if (stage.answered)
        assert.deepEqual([client.over, client.status], [ExchangeFailure.broken, stage.head.upgrade === undefined ? 200 : 101]);
      else {
        assert.deepEqual([client.over, client.status], ['end', 502]);
        assert.match(
          findField(client.answer?.fields ?? new Uint8Array(0), 'caravan-error') ?? '',
          /^server-failed; .*reason="connection reset"$/,
        );
      }
      assert.equal(server.requests.length, 1);
      chain.assertAtRest();
    });

    test(`the listener stops ${where}`, () => {
      const { chain, client, ingress, served } = begin(stage, length);
      ingress.stop();
      chain.first.router.touch();
      chain.network.run(10);
      assert.equal(served.aborted, ExchangeFailure.cancelled);
      assert.equal(client.over, stage.answered ? ExchangeFailure.broken : 'end');
      chain.assertAtRest();
    });

    test(`the connector stops ${where}`, () => {
      const { chain, client, served } = begin(stage, length);
      chain.last.egress.stop(chain.last.servers[0]);
      chain.last.router.touch();
      chain.network.run(10);
      assert.equal(served.aborted, ExchangeFailure.cancelled);
      assert.equal(client.over, stage.answered ? ExchangeFailure.broken : 'end');
      chain.assertAtRest();
    });

    for (let cut = 0; cut < length - 1; cut++) {
      test(`link ${cut} is cut ${where}`, () => {
        const { chain, client, served } = begin(stage, length);
        chain.network.cut(chain.links[cut]);
        chain.network.run(10);
        if (stage.answered) assert.equal(client.over, ExchangeFailure.broken);
        else assert.deepEqual([client.over, client.status], ['end', 502]);
        assert.equal(served.aborted, ExchangeFailure.cancelled);
        chain.assertAtRest();
      });
    }
  }
}

test('a server that answers before it has read the request ends the exchange', () => {
  const [stage] = stages;
  const { chain, client, served } = begin(stage, 3);
  served.reply('too large', { status: 413 });
  chain.last.router.touch();
  chain.network.run(20);
  assert.deepEqual([client.over, client.status, client.body.text], ['end', 413, 'too large']);
  client.send(pattern(10_000));
  assert.equal(client.congested, false);
  chain.assertAtRest();
});
