import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Treatment } from '../src/routing/route-table.ts';
import { DeliveryState } from '../src/amqp/performatives.ts';
import type { Downstream } from '../src/forwarding/leg.ts';
import { Refusal } from '../src/services/tcp/listener.ts';
import type { TcpListener } from '../src/services/tcp/listener.ts';
import { sharedWindowBytes } from '../src/services/tcp/window-budget.ts';
import { VirtualNetwork, pattern, servers } from '../src/sim/virtual-network.ts';
import type { VirtualLink } from '../src/sim/virtual-link.ts';
import type { VirtualRouter } from '../src/sim/virtual-router.ts';
import type { Application } from '../src/sim/virtual-socket.ts';

interface Chain {
  readonly network: VirtualNetwork;
  readonly routers: readonly [VirtualRouter, VirtualRouter, VirtualRouter];
  readonly links: readonly [VirtualLink, VirtualLink];
}

/** alpha - beta - gamma; beta is dialled by both. */
function chain(seed = 1): Chain {
  const network = new VirtualNetwork(seed);
  const routers = [network.router('alpha'), network.router('beta'), network.router('gamma')] as const;
  const [alpha, beta, gamma] = routers;
  return { network, routers, links: [network.link(alpha, beta), network.link(gamma, beta)] };
}

/** A listener whose address is reachable. */
function listen(network: VirtualNetwork, router: VirtualRouter, address: string): TcpListener {
  const listener = router.listener(address);
  network.runUntil(() => router.control.forwarder.reachable(address), 3000);
  return listener;
}

function outstanding(router: VirtualRouter, address: string): number {
  return [...router.control.forwarder.outstanding(address).values()].reduce((sum, count) => sum + count, 0);
}

for (const [client, server, hops] of [
  [0, 1, 1],
  [1, 0, 1],
  [0, 2, 2],
  [2, 0, 2],
  [1, 1, 0],
] as const) {
  test(`an echo over ${hops} hops, from router ${client} to router ${server}`, () => {
    const { network, routers } = chain();
    const connector = routers[server].serve('echo', servers.echo);
    const listener = listen(network, routers[client], 'echo');
    const application = routers[client].connect(listener);
    const sent = pattern(300_000);
    application.write(sent);
    application.end();
    network.runUntil(() => application.gone !== undefined, 3000);
    assert.deepEqual(application.bytes, sent);
    assert.equal(application.gone, 'end');
    network.run(100);
    assert.equal(listener.active, 0);
    assert.equal(connector.outstanding, 0);
    for (const router of routers) assert.equal(outstanding(router, 'echo'), 0);
    assert.deepEqual([listener.bytesIn, listener.bytesOut, connector.bytesIn, connector.bytesOut], [300_000, 300_000, 300_000, 300_000]);
  });
}

test('octets are exact however the wire and the programs divide them', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.constantFrom(1, 7, 100, 5000, 70_000),
      fc.array(fc.integer({ min: 0, max: 150_000 }), { minLength: 1, maxLength: 6 }),
      (seed, maxChunkBytes, writes) => {
        const { network, routers, links } = chain(seed);
        // Tiny pieces cost a call each: less is sent then.
        const scale = maxChunkBytes < 100 ? 100 : 1;
        routers[2].serve('echo', servers.echo);
        const listener = listen(network, routers[0], 'echo');
        for (const link of links) link.maxChunkBytes = maxChunkBytes;
        const application = routers[0].connect(listener);
        const expected = pattern(
          writes.reduce((sum, size) => sum + Math.floor(size / scale), 0),
          seed,
        );
        let at = 0;
        for (const size of writes) {
          application.write(expected.subarray(at, at + Math.floor(size / scale)));
          at += Math.floor(size / scale);
          network.run(network.random.below(3));
        }
        application.end();
        network.runUntil(() => application.gone !== undefined, 5000);
        assert.equal(application.gone, 'end');
        assert.deepEqual(application.bytes, expected);
      },
    ),
    { numRuns: 40 },
  );
});

test('each side ends its direction by itself', () => {
  const { network, routers } = chain();
  let server: Application | undefined;
  const connector = routers[2].serve('service', (application) => (server = application));
  const listener = listen(network, routers[0], 'service');
  const client = routers[0].connect(listener);
  client.write(pattern(10));
  client.end();
  network.runUntil(() => server?.ended === true, 1000);
  assert.equal(server?.received, 10);
  // Half of the connection is closed: the answer still comes, a minute later.
  network.run(60_000);
  assert.equal(client.ended, false);
  server.write(pattern(500_000));
  network.runUntil(() => client.received === 500_000, 1000);
  server.end();
  network.runUntil(() => client.gone === 'end', 1000);
  network.run(100);
  assert.equal(connector.outstanding + listener.active, 0);
});

test('the last octets arrive when a program closes at once', () => {
  // The window of the middle router is closed by a slow link: the end is written long after the client has gone.
  const { network, routers, links } = chain();
  let server: Application | undefined;
  routers[2].serve('sink', (application) => {
    server = application;
    application.end();
  });
  const listener = listen(network, routers[0], 'sink');
  links[1].rate = 1000;
  const client = routers[0].connect(listener);
  client.write(pattern(900_000));
  client.end();
  network.runUntil(() => client.gone !== undefined, 2000);
  assert.ok((server?.received ?? 0) < 900_000);
  network.runUntil(() => server?.ended === true, 5000);
  assert.equal(server?.received, 900_000);
  network.run(100);
  assert.equal(listener.active, 0);
});

for (const who of ['client', 'server'] as const) {
  test(`a reset of the ${who} resets the other side`, () => {
    const { network, routers } = chain();
    let server: Application | undefined;
    const connector = routers[2].serve('service', (application) => (server = application));
    const listener = listen(network, routers[0], 'service');
    const client = routers[0].connect(listener);
    client.write(pattern(100));
    network.runUntil(() => server?.received === 100, 1000);
    assert.ok(server !== undefined);
    const [first, second] = who === 'client' ? [client, server] : [server, client];
    first.reset();
    network.runUntil(() => second.gone !== undefined, 1000);
    assert.equal(second.gone, 'reset');
    network.run(100);
    assert.equal(connector.outstanding + listener.active, 0);
    assert.equal(outstanding(routers[0], 'service'), 0);
    assert.equal(outstanding(routers[1], 'service'), 0);
  });
}

test('a server that refuses is told to the client, with the reason to both sides', () => {
  const { network, routers } = chain();
  const connector = routers[2].serve('dead');
  const listener = listen(network, routers[0], 'dead');
  const client = routers[0].connect(listener);
  network.runUntil(() => client.gone !== undefined, 1000);
  assert.equal(client.gone, 'reset');
  assert.equal(connector.lastFailure, 'connect ECONNREFUSED');
  assert.deepEqual([connector.failed, listener.failed, connector.outstanding, listener.active], [1, 1, 0, 0]);
  assert.equal(outstanding(routers[0], 'dead'), 0);
});

test('without a server the address is not reachable, and a connection is refused', () => {
  const { network, routers } = chain();
  const connector = routers[2].serve('service', servers.echo);
  const listener = listen(network, routers[0], 'service');
  routers[2].control.forwarder.removeConsumer('service', connector);
  routers[2].touch();
  network.runUntil(() => !routers[0].control.forwarder.reachable('service'), 1000);
  const client = routers[0].connect(listener);
  assert.equal(client.gone, 'reset');
  assert.equal(listener.failed, 1);
});

test('a client that leaves before the server is connected leaves nothing behind', () => {
  const { network, routers } = chain();
  let served = 0;
  const connector = routers[2].serve('service', () => served++);
  const listener = listen(network, routers[0], 'service');
  const client = routers[0].connect(listener);
  client.reset();
  network.run(1000);
  assert.equal(served, 0);
  assert.deepEqual([connector.outstanding, listener.active, outstanding(routers[0], 'service')], [0, 0, 0]);
});

test('the loss of the middle router ends both sides, and nothing stays counted', () => {
  const { network, routers } = chain();
  let server: Application | undefined;
  const connector = routers[2].serve('service', (application) => (server = application));
  const listener = listen(network, routers[0], 'service');
  const client = routers[0].connect(listener);
  client.write(pattern(200_000));
  network.runUntil(() => (server?.received ?? 0) > 0, 1000);
  network.kill(routers[1]);
  network.run(10);
  assert.equal(client.gone, 'reset');
  assert.equal(server?.gone, 'reset');
  assert.deepEqual([connector.outstanding, listener.active], [0, 0]);
  assert.equal(outstanding(routers[0], 'service'), 0);
  assert.equal(routers[0].control.forwarder.reachable('service'), false);
});

test('the loss of a link is routed around at once', () => {
  const network = new VirtualNetwork();
  const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map((id) => network.router(id));
  const direct = network.link(alpha, gamma, 1);
  network.link(alpha, beta, 1);
  network.link(beta, gamma, 1);
  gamma.serve('echo', servers.echo);
  const listener = listen(network, alpha, 'echo');
  network.runUntil(() => alpha.control.forwarder.table.routers.size === 2, 3000);
  network.run(2000);
  const first = alpha.connect(listener);
  first.write(pattern(10));
  network.runUntil(() => first.received === 10, 1000);
  network.cut(direct);
  network.run(1);
  assert.equal(first.gone, 'reset', 'a stream does not change its path');
  assert.equal(alpha.control.forwarder.reachable('echo'), true, 'there is another way at once');
  const second = alpha.connect(listener);
  second.write(pattern(20));
  network.runUntil(() => second.received === 20, 1000);
});

test('a server that does not read holds at most 1 MiB, and other streams go on', () => {
  const { network, routers } = chain();
  const stalled: Application[] = [];
  routers[2].serve('stalled', (application) => {
    application.reading = false;
    stalled.push(application);
  });
  routers[2].serve('echo', servers.echo);
  const stalledListener = listen(network, routers[0], 'stalled');
  const echoListener = listen(network, routers[0], 'echo');
  const senders = Array.from({ length: 8 }, () => routers[0].connect(stalledListener));
  for (const sender of senders) sender.write(pattern(3_000_000));
  network.run(2000);
  for (const sender of senders) {
    // Eight that stall have the shared octets in equal parts: an eighth of what the others leave.
    assert.ok(sender.taken >= sharedWindowBytes / 16, `the window is used: ${sender.taken}`);
    assert.ok(sender.taken <= 1_048_576, `held: ${sender.taken}`);
  }
  const other = routers[0].connect(echoListener);
  other.write(pattern(2_000_000));
  other.end();
  const tookMs = network.runUntil(() => other.gone === 'end', 1000);
  assert.equal(other.received, 2_000_000);
  assert.ok(tookMs < 300, `${tookMs} ms`);
  // And the stalled ones go on when they are read.
  for (const application of stalled) application.reading = true;
  network.runUntil(() => stalled.every((application) => application.received === 3_000_000), 2000);
});

test('a client that does not read holds at most 1 MiB of the answer', () => {
  const { network, routers } = chain();
  let server: Application | undefined;
  routers[2].serve('source', (application) => {
    server = application;
    application.write(pattern(5_000_000));
    application.end();
  });
  const client = routers[0].connect(listen(network, routers[0], 'source'));
  client.reading = false;
  network.run(2000);
  assert.ok((server?.taken ?? 0) <= 1_048_576, `held: ${server?.taken}`);
  client.reading = true;
  client.end();
  network.runUntil(() => client.gone !== undefined, 2000);
  assert.equal(client.received, 5_000_000);
  assert.deepEqual(client.bytes, pattern(5_000_000));
});

test('a slow link does not slow streams of the same neighbour to others', () => {
  const network = new VirtualNetwork();
  const [alpha, beta, gamma, delta] = ['alpha', 'beta', 'gamma', 'delta'].map((id) => network.router(id));
  network.link(alpha, beta);
  const slow = network.link(gamma, beta);
  network.link(delta, beta);
  gamma.serve('slow', servers.echo);
  delta.serve('fast', servers.echo);
  const slowListener = listen(network, alpha, 'slow');
  const fastListener = listen(network, alpha, 'fast');
  slow.rate = 100;
  const slowClients = Array.from({ length: 10 }, () => alpha.connect(slowListener));
  for (const client of slowClients) client.write(pattern(1_000_000));
  network.run(500);
  for (let round = 0; round < 20; round++) {
    const client = alpha.connect(fastListener);
    client.keepChunks = false;
    client.write(pattern(2_000_000));
    client.end();
    const tookMs = network.runUntil(() => client.gone === 'end', 1000);
    assert.equal(client.received, 2_000_000);
    assert.ok(tookMs < 300, `round ${round}: ${tookMs} ms`);
  }
  assert.ok(slowClients.every((client) => client.received < 1_000_000));
  slow.rate = undefined;
  network.runUntil(() => slowClients.every((client) => client.received === 1_000_000), 200_000);
});

test('work overflows to the next site when the backlog exceeds the cost of the way', () => {
  const network = new VirtualNetwork();
  const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map((id) => network.router(id));
  network.link(alpha, beta, 1);
  network.link(alpha, gamma, 6);
  const hold = (): void => {};
  const near = beta.serve('work', hold);
  const far = gamma.serve('work', hold);
  const listener = listen(network, alpha, 'work');
  network.runUntil(() => alpha.control.forwarder.table.addresses.get('Mwork')?.routers.length === 2, 3000);
  const clients: Application[] = [];
  const split = [];
  for (let count = 1; count <= 11; count++) {
    clients.push(alpha.connect(listener));
    network.run(10);
    split.push([near.outstanding, far.outstanding]);
  }
  assert.deepEqual(split.slice(0, 5), [
    [1, 0],
    [2, 0],
    [3, 0],
    [4, 0],
    [5, 0],
  ]);
  // At 5 the values are equal (5 + 1 and 0 + 6): the nearer is found first; then in turn.
  assert.deepEqual(split.at(-1), [8, 3]);
  for (const client of clients) client.reset();
  network.run(100);
  assert.deepEqual([near.outstanding, far.outstanding, outstanding(alpha, 'work')], [0, 0, 0]);
});

test('a local server takes work until its backlog exceeds the cost of the way', () => {
  const network = new VirtualNetwork();
  const [alpha, beta] = ['alpha', 'beta'].map((id) => network.router(id));
  network.link(alpha, beta, 3);
  const local = alpha.serve('work', () => {});
  const remote = beta.serve('work', () => {});
  const listener = listen(network, alpha, 'work');
  network.runUntil(() => alpha.control.forwarder.table.addresses.has('Mwork'), 3000);
  for (let count = 0; count < 9; count++) {
    alpha.connect(listener);
    network.run(10);
  }
  assert.deepEqual([local.outstanding, remote.outstanding], [6, 3]);
});

test('closest takes equally near routers in turn and never one further away', () => {
  const network = new VirtualNetwork();
  const rule = (): { treatment: Treatment; priority: undefined } => ({ treatment: Treatment.closest, priority: undefined });
  const [alpha, beta, gamma, delta] = ['alpha', 'beta', 'gamma', 'delta'].map((id) => network.router(id, rule));
  network.link(alpha, beta, 2);
  network.link(alpha, gamma, 2);
  network.link(alpha, delta, 3);
  const connectors = [beta, gamma, delta].map((router) => router.serve('near', servers.echo));
  const listener = listen(network, alpha, 'near');
  network.runUntil(() => alpha.control.forwarder.table.addresses.get('Mnear')?.routers.length === 3, 3000);
  for (let count = 0; count < 10; count++) {
    const client = alpha.connect(listener);
    client.end();
    network.runUntil(() => client.gone === 'end', 1000);
    network.run(50);
  }
  assert.deepEqual(
    connectors.map(({ opened }) => opened),
    [5, 5, 0],
  );
});

test('streaming links are used again', () => {
  const { network, routers, links } = chain();
  routers[2].serve('echo', servers.echo);
  const listener = listen(network, routers[0], 'echo');
  const [, connection] = links[0].connections;
  let attached = 0;
  const handler = connection.handler;
  const offered = handler.linkOffered.bind(handler);
  handler.linkOffered = (...parameters): void => {
    attached++;
    offered(...parameters);
  };
  for (let count = 0; count < 20; count++) {
    const client = routers[0].connect(listener);
    client.write(pattern(1000));
    client.end();
    network.runUntil(() => client.gone === 'end', 1000);
    network.run(20);
  }
  assert.equal(attached, 1);
});

test('a stream that is released before a server has seen it is sent again, a bounded number of times', () => {
  for (const [releases, tries, end] of [
    [3, 4, 'end'],
    [99, 26, 'reset'],
  ] as const) {
    const { network, routers } = chain();
    const connector = routers[2].serve('service', servers.echo);
    const { forwarder } = routers[2].control;
    const deliver = connector.deliver.bind(connector);
    let tried = 0;
    connector.deliver = (head, upstream): Downstream => (++tried <= releases ? new Refusal(upstream) : deliver(head, upstream));
    const client = routers[0].connect(listen(network, routers[0], 'service'));
    client.write(pattern(100));
    client.end();
    network.runUntil(() => client.gone !== undefined, 5000);
    assert.deepEqual([client.gone, tried, client.received], [end, tries, end === 'end' ? 100 : 0]);
    assert.equal(outstanding(routers[0], 'service'), 0);
    assert.equal(forwarder.localConsumers('service'), 1);
  }
});

test('a stream whose answer finds no way back at the site of the server is sent again', () => {
  const { network, routers } = chain();
  const connector = routers[2].serve('service', servers.echo);
  const { forwarder } = routers[2].control;
  const forward = forwarder.forward.bind(forwarder);
  let lost = 0;
  forwarder.forward = (head, more, preSettled, from, upstream): ReturnType<typeof forward> =>
    from === undefined && lost++ < 3 ? DeliveryState.released : forward(head, more, preSettled, from, upstream);
  const client = routers[0].connect(listen(network, routers[0], 'service'));
  client.write(pattern(100));
  client.end();
  network.runUntil(() => client.gone !== undefined, 5000);
  assert.deepEqual([client.gone, client.received, connector.opened], ['end', 100, 4]);
});

test('a stream whose link is lost before the server has answered takes the next way', () => {
  const network = new VirtualNetwork();
  const [alpha, beta, gamma, delta] = ['alpha', 'beta', 'gamma', 'delta'].map((id) => network.router(id));
  const first = network.link(alpha, beta);
  network.link(beta, gamma);
  network.link(alpha, delta, 5);
  network.link(delta, gamma, 5);
  const connector = gamma.serve('service', servers.echo);
  const deliver = connector.deliver.bind(connector);
  let tried = 0;
  // The first try reaches the server's site and is never answered.
  const unanswered: Downstream = { congested: false, overloaded: false, send: () => {}, abort: () => {}, forget: () => {} };
  connector.deliver = (head, upstream): Downstream => (++tried === 1 ? unanswered : deliver(head, upstream));
  const listener = listen(network, alpha, 'service');
  network.runUntil(() => alpha.control.forwarder.table.routers.get('gamma')?.cost === 2, 3000);
  const client = alpha.connect(listener);
  client.write(pattern(1000));
  client.end();
  network.runUntil(() => tried === 1, 1000);
  network.cut(first);
  network.runUntil(() => client.gone !== undefined, 2000);
  assert.deepEqual([client.gone, client.received, tried], ['end', 1000, 2]);
  assert.equal(outstanding(alpha, 'service'), 0);

  // Without another way the client is told after some patience.
  const alone = new VirtualNetwork();
  const [left, right] = ['left', 'right'].map((id) => alone.router(id));
  const only = alone.link(left, right);
  right.serve('service', servers.echo).deliver = (): Downstream => unanswered;
  const lonely = left.connect(listen(alone, left, 'service'));
  alone.run(100);
  alone.cut(only);
  alone.runUntil(() => lonely.gone !== undefined, 5000);
  assert.equal(lonely.gone, 'reset');
});
