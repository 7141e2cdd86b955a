import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../../amqp/performatives.ts';
import { silentLogger } from '../../base/log.ts';
import { Forwarder } from '../../forwarding/forwarder.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { linkLost } from '../../forwarding/remote-leg.ts';
import { RoutingEngine } from '../../routing/engine.ts';
import { connectFailed } from './conditions.ts';
import { headBytesOf } from './datagram-message.ts';
import { WaitingBudget } from './datagram-queue.ts';
import { RecordReader } from './datagram-records.ts';
import { SharedWindow } from './flow-window.ts';
import { maxFlows, newWaysPerSecond } from './limits.ts';
import type { ServerSocket, ServerSocketHandler } from './server-socket.ts';
import { UdpConnector } from './udp-connector.ts';
import { UdpListener } from './udp-listener.ts';

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const octets = (word: string): Uint8Array => Uint8Array.from(word, (letter) => letter.charCodeAt(0));

/** A socket to a server that does nothing by itself. */
class Server implements ServerSocket {
  readonly handler: ServerSocketHandler;
  readonly got: string[] = [];
  isClosed = false;

  constructor(handler: ServerSocketHandler) {
    this.handler = handler;
  }

  send(bytes: Uint8Array, start: number, end: number): void {
    this.got.push(text(bytes.subarray(start, end)));
  }

  close(): void {
    this.isClosed = true;
  }
}

/** A consumer that keeps what it is given. */
class Taker implements Consumer {
  readonly outstanding = 0;
  readonly got: string[] = [];
  readonly upstreams: Upstream[] = [];
  aborted = 0;
  completed = 0;
  congested = false;
  severed = false;

  deliver(head: MessageHead, upstream: Upstream): Downstream {
    this.upstreams.push(upstream);
    const reader = new RecordReader(
      { datagram: (bytes, start, end) => void this.got.push(text(bytes.subarray(start, end))) },
      headBytesOf(head),
    );
    const isCongested = (): boolean => this.congested;
    const isSevered = (): boolean => this.severed;
    return {
      send: (bytes, start, end, more): void => {
        reader.read(bytes, start, end);
        if (!more) this.completed++;
      },
      abort: (): void => void this.aborted++,
      forget(): void {},
      get congested(): boolean {
        return isCongested();
      },
      overloaded: false,
      get severed(): boolean {
        return isSevered();
      },
    };
  }
}

class Bench {
  nowMs = 0;
  readonly budget = { waiting: new WaitingBudget(), window: new SharedWindow() };
  readonly forwarder: Forwarder;
  readonly listener: UdpListener;
  readonly servers: Server[] = [];
  readonly replies: string[] = [];
  noSockets = false;
  #tasks: { endOfTurn(): void }[] = [];

  constructor(maxDatagramBytes = 65_507) {
    const { table } = new RoutingEngine({ routerId: 'a', instance: 1 });
    let seed = 1;
    const random = {
      fill: (bytes: Uint8Array): void => bytes.forEach((_, index) => void (bytes[index] = (seed = (seed * 48_271) % 0x7fff_ffff) & 0xff)),
      number: (): number => 0.5,
    };
    this.forwarder = new Forwarder(table, { localAddress(): void {}, localAddressGone(): void {} }, () => undefined, random);
    this.listener = new UdpListener(
      { idleTimeoutMs: 30_000, maxDatagramBytes },
      {
        ...this.#context(),
        chooseAddress: () => 'service',
        correlationId: () => 'flow',
        retryAt: () => {},
        reply: (address, port, bytes, start, end) => void this.replies.push(`${address}:${port} ${text(bytes.subarray(start, end))}`),
      },
    );
  }

  #context() {
    return {
      forwarder: this.forwarder,
      clock: { nowMs: (): number => this.nowMs, wallMs: (): number => 0 },
      turns: { add: (task: { endOfTurn(): void }): void => void this.#tasks.push(task), touch(): void {} },
      log: silentLogger,
      budget: this.budget,
      sweepAt: (): void => {},
    };
  }

  connector(): UdpConnector {
    const connector = new UdpConnector(
      { idleTimeoutMs: 30_000, maxDatagramBytes: 65_507 },
      (handler) => {
        if (this.noSockets) return undefined;
        const server = new Server(handler);
        this.servers.push(server);
        return server;
      },
      this.#context(),
    );
    this.forwarder.addConsumer('service', connector);
    return connector;
  }

  taker(): Taker {
    const taker = new Taker();
    this.forwarder.addConsumer('service', taker);
    return taker;
  }

  client(word: string, port = 1): void {
    this.listener.received(octets(word), '10.0.0.1', port);
  }

  endTurn(): void {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) task.endOfTurn();
  }

  later(milliseconds: number): void {
    this.nowMs += milliseconds;
    this.listener.retryDue();
    this.listener.sweep();
    this.endTurn();
  }

  isClean(): void {
    assert.equal(this.budget.waiting.bytes, 0);
    assert.equal(this.budget.window.bytes, 0);
    assert.equal(this.forwarder.temporaryAddresses, 0);
  }
}

test('each client has a socket of its own, and gets the answers to it', () => {
  const bench = new Bench();
  const connector = bench.connector();
  bench.client('a1', 1);
  bench.client('b1', 2);
  bench.client('a2', 1);
  bench.endTurn();
  assert.equal(bench.servers.length, 2);
  assert.deepEqual(bench.servers[0].got, [], 'the socket is not open yet');
  for (const { handler } of bench.servers) handler.opened();
  assert.deepEqual(
    bench.servers.map(({ got }) => got),
    [['a1', 'a2'], ['b1']],
  );
  bench.servers[1].handler.received(octets('to b'));
  bench.servers[0].handler.received(octets('to a'));
  bench.endTurn();
  assert.deepEqual(bench.replies.sort(), ['10.0.0.1:1 to a', '10.0.0.1:2 to b']);
  assert.equal(connector.outstanding, 2);
  bench.listener.stop();
  assert.equal(connector.outstanding, 0);
  assert.ok(bench.servers.every(({ isClosed }) => isClosed));
  bench.isClean();
});

test('idle flows end in order at both ends, whoever is first', () => {
  for (const first of ['listener', 'connector'] as const) {
    const bench = new Bench();
    const connector = bench.connector();
    bench.client('a');
    bench.endTurn();
    bench.servers[0].handler.opened();
    bench.servers[0].handler.received(octets('b'));
    bench.endTurn();
    for (bench.nowMs = 1000; bench.nowMs < 30_000; bench.nowMs += 1000) {
      connector.sweep();
      bench.listener.sweep();
    }
    assert.deepEqual([bench.listener.flows, connector.outstanding], [1, 1]);
    if (first === 'listener') bench.listener.sweep();
    else connector.sweep();
    assert.deepEqual([bench.listener.flows, connector.outstanding, bench.servers[0].isClosed], [0, 0, true], first);
    bench.isClean();
    bench.client('again');
    bench.endTurn();
    assert.equal(bench.servers.length, 2);
    assert.deepEqual(bench.listener.drops.counts(), {});
  }
});

test('what no server was given goes to another; what one may have been given does not', () => {
  const bench = new Bench();
  const taker = bench.taker();
  bench.client('first');
  bench.endTurn();
  assert.deepEqual(taker.got, ['first']);
  taker.upstreams[0].update(DeliveryState.released, true, 0, undefined);
  bench.later(5);
  assert.deepEqual(taker.got, ['first', 'first'], 'released: nobody had it');
  taker.upstreams[1].update(DeliveryState.modified, true, 0, linkLost);
  bench.later(5);
  assert.equal(taker.upstreams.length, 2, 'lost: there is nothing to send');
  bench.client('second');
  bench.endTurn();
  assert.deepEqual(taker.got.slice(2), ['second'], 'the next datagram finds a new way at once');
  taker.upstreams[2].update(DeliveryState.received, false, 8, undefined);
  taker.upstreams[2].update(DeliveryState.released, true, 0, undefined);
  bench.later(5);
  assert.equal(taker.upstreams.length, 3, 'a server had it already');
  bench.listener.stop();
  bench.isClean();
});

test('while there is no way datagrams wait for 100 ms, and go on when routes change', () => {
  const bench = new Bench();
  bench.client('too early');
  bench.endTurn();
  bench.later(101);
  assert.deepEqual(bench.listener.drops.counts(), { noWay: 1 });
  bench.client('in time');
  bench.later(1);
  const taker = bench.taker();
  bench.listener.routesChanged();
  assert.deepEqual(taker.got, ['in time']);
});

test('a full way lets the newest through when it is free', () => {
  const bench = new Bench();
  const taker = bench.taker();
  taker.congested = true;
  bench.client('old');
  bench.endTurn();
  bench.nowMs += 90;
  bench.client('new');
  bench.endTurn();
  bench.nowMs += 20;
  assert.deepEqual(taker.got, []);
  taker.congested = false;
  taker.upstreams[0].relieved();
  assert.deepEqual(taker.got, ['new']);
  assert.deepEqual(bench.listener.drops.counts(), { congestion: 1 });
});

test('a server that is not there is tried no more than every 100 ms', () => {
  const bench = new Bench();
  const connector = bench.connector();
  bench.client('a');
  bench.endTurn();
  bench.servers[0].handler.opened();
  bench.servers[0].handler.failed('nobody is there');
  assert.equal(connector.lastFailure, 'nobody is there');
  assert.ok(bench.servers[0].isClosed);
  bench.client('b');
  bench.endTurn();
  assert.equal(bench.servers.length, 1);
  bench.later(100);
  bench.servers[1].handler.opened();
  assert.deepEqual(bench.servers[1].got, ['b']);
  assert.deepEqual(connector.drops.counts(), { refused: 1 });
});

test('a server whose socket does not open has been given nothing: another gets it', () => {
  const bench = new Bench();
  const connector = bench.connector();
  bench.client('a');
  bench.endTurn();
  bench.forwarder.removeConsumer('service', connector);
  const taker = bench.taker();
  bench.servers[0].handler.failed('no such name');
  bench.later(5);
  assert.deepEqual(taker.got, ['a']);
});

test('without sockets a connector refuses, and takes that of a flow that is idle', () => {
  const bench = new Bench();
  const connector = bench.connector();
  bench.client('a', 1);
  bench.endTurn();
  bench.noSockets = true;
  bench.client('b', 2);
  bench.endTurn();
  assert.equal(connector.outstanding, 1);
  bench.nowMs += 1500;
  bench.client('c', 3);
  bench.endTurn();
  assert.equal(connector.outstanding, 0, 'the idle flow gave way, although the other found no socket either');
  assert.ok(bench.servers[0].isClosed);
});

test('a way that falls silent is left', () => {
  const bench = new Bench();
  const taker = bench.taker();
  bench.client('a');
  bench.endTurn();
  bench.later(2900);
  assert.equal(taker.aborted, 0);
  bench.later(200);
  assert.equal(taker.aborted, 1);
  bench.client('b');
  bench.endTurn();
  assert.deepEqual(taker.got, ['a', 'b']);
  taker.severed = true;
  bench.listener.routesChanged();
  assert.equal(taker.aborted, 2, 'also when the first link on it does');
});

test('what is left to acknowledge is told now and then, so that quiet flows do not look dead', () => {
  const bench = new Bench();
  const connector = bench.connector();
  bench.client('a');
  bench.endTurn();
  bench.servers[0].handler.opened();
  bench.servers[0].handler.received(octets('b'));
  bench.endTurn();
  for (let second = 1; second < 20; second++) {
    bench.nowMs += 1000;
    connector.sweep();
    bench.listener.sweep();
  }
  assert.deepEqual([bench.listener.flows, connector.outstanding, bench.servers.length], [1, 1, 1]);
  assert.equal(bench.budget.window.bytes, 0);
});

test('the flow that is idle longest gives way, first of those without an answer', () => {
  const bench = new Bench();
  const taker = bench.taker();
  const connector = bench.connector();
  bench.forwarder.removeConsumer('service', taker);
  bench.client('answered', 1);
  bench.endTurn();
  bench.servers[0].handler.opened();
  bench.servers[0].handler.received(octets('yes'));
  bench.endTurn();
  bench.forwarder.removeConsumer('service', connector);
  for (let port = 2; port <= maxFlows; port++) {
    bench.nowMs += 1;
    bench.client('x', port);
    bench.endTurn();
  }
  assert.equal(bench.listener.flows, maxFlows);
  bench.client('one more', 60_000);
  assert.equal(bench.listener.flows, maxFlows);
  bench.servers[0].handler.received(octets('still'));
  bench.endTurn();
  assert.deepEqual(bench.replies, ['10.0.0.1:1 yes', '10.0.0.1:1 still']);
  bench.listener.stop();
  assert.equal(bench.listener.flows, 0);
  bench.isClean();
});

test('so many flows may begin in a second, the others lose their datagrams', () => {
  const bench = new Bench();
  const taker = bench.taker();
  for (let port = 1; port <= newWaysPerSecond + 10; port++) bench.client('x', port);
  bench.endTurn();
  assert.equal(taker.upstreams.length, newWaysPerSecond);
  assert.deepEqual(bench.listener.drops.counts(), { newFlowLimit: 10 });
  bench.nowMs += 100;
  bench.client('y', newWaysPerSecond + 1);
  bench.endTurn();
  assert.equal(taker.upstreams.length, newWaysPerSecond + 1);
});

test('datagrams that are too long are dropped where they come in', () => {
  const bench = new Bench(10);
  bench.connector();
  bench.client('12345678901');
  bench.client('1234567890');
  bench.endTurn();
  bench.servers[0].handler.opened();
  assert.deepEqual(bench.servers[0].got, ['1234567890']);
  bench.servers[0].handler.received(octets('98765432101'));
  bench.endTurn();
  assert.deepEqual(bench.replies, []);
  assert.deepEqual(bench.listener.drops.counts(), { tooLong: 2 });
});

test('a withdrawn server keeps its flows until they are quiet', () => {
  const bench = new Bench();
  const connector = bench.connector();
  bench.client('a');
  bench.endTurn();
  bench.servers[0].handler.opened();
  connector.withdraw();
  bench.nowMs += 900;
  bench.client('b');
  bench.endTurn();
  connector.sweep();
  assert.deepEqual(bench.servers[0].got, ['a', 'b']);
  bench.nowMs += 1001;
  connector.sweep();
  assert.deepEqual([connector.outstanding, bench.listener.flows], [0, 0]);
});

test('a withdrawn server does not keep a flow that is never quiet; its next datagram goes elsewhere', () => {
  const bench = new Bench();
  const connector = bench.connector();
  bench.client('a');
  bench.endTurn();
  bench.servers[0].handler.opened();
  bench.forwarder.removeConsumer('service', connector);
  connector.withdraw();
  const taker = bench.taker();
  for (let tenth = 0; tenth < 40; tenth++) {
    bench.nowMs += 100;
    bench.client(String(tenth));
    bench.endTurn();
    connector.sweep();
  }
  assert.equal(connector.outstanding, 0);
  assert.equal(bench.servers[0].got.length + taker.got.length, 41, 'nothing is lost, nothing comes twice');
  assert.ok(taker.got.length > 5);
});

test('messages that are no flows are released', () => {
  const bench = new Bench();
  const connector = bench.connector();
  const states: DeliveryState[] = [];
  const upstream: Upstream = { update: (state) => void states.push(state), relieved(): void {} };
  const head: MessageHead = {
    annotations: { flags: 0, toOverride: null, ingress: null, trace: [], ingressMesh: null },
    annotationsEnd: 0,
    priority: 4,
    to: 'service',
    replyTo: 'x',
    correlationId: null,
    contentType: 'text/plain',
    bodyStart: 0,
  };
  connector.deliver(head, upstream).send(new Uint8Array(4), 0, 4, false);
  assert.deepEqual(states, [DeliveryState.released]);
  assert.equal(connector.outstanding, 0);
});

test('the reason of a failure names what failed', () => {
  const bench = new Bench();
  const connector = bench.connector();
  const errors: (string | undefined)[] = [];
  const taker = bench.taker();
  bench.forwarder.removeConsumer('service', connector);
  bench.client('a');
  bench.endTurn();
  taker.upstreams[0].update(DeliveryState.modified, true, 0, { condition: connectFailed, description: 'gone' });
  errors.push(bench.listener.failures === 1 ? 'counted' : undefined);
  assert.deepEqual(errors, ['counted']);
});
