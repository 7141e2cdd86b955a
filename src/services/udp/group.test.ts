import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../../amqp/performatives.ts';
import { silentLogger } from '../../base/log.ts';
import { Forwarder } from '../../forwarding/forwarder.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { RoutingEngine } from '../../routing/engine.ts';
import { datagramsType, headBytesOf } from './datagram-message.ts';
import { WaitingBudget } from './datagram-queue.ts';
import { RecordReader } from './datagram-records.ts';
import { SharedWindow } from './flow-window.ts';
import { GroupConnector } from './group-connector.ts';
import { GroupListener } from './group-listener.ts';
import { batchBytes } from './limits.ts';

class Messages implements Consumer {
  readonly outstanding = 0;
  readonly lengths: number[][] = [];
  congested = false;
  aborted = 0;

  deliver(head: MessageHead, _upstream: Upstream): Downstream {
    assert.equal(head.replyTo, null);
    assert.equal(head.annotations.flags, 0, 'a whole message is no stream');
    const { congested } = this;
    return {
      send: (bytes, start, end, more): void => {
        const lengths: number[] = [];
        new RecordReader({ datagram: (_bytes, from, to) => void lengths.push(to - from) }, headBytesOf(head)).read(bytes, start, end);
        assert.ok(!more);
        this.lengths.push(lengths);
      },
      abort: (): void => void this.aborted++,
      forget(): void {},
      congested,
      overloaded: false,
    };
  }
}

function listening(): { listener: GroupListener; messages: Messages; endTurn: () => void; forwarder: Forwarder; budget: WaitingBudget } {
  const { table } = new RoutingEngine({ routerId: 'a', instance: 1 });
  const random = { fill: (bytes: Uint8Array): void => void bytes.fill(7), number: (): number => 0.5 };
  const forwarder = new Forwarder(table, { localAddress(): void {}, localAddressGone(): void {} }, () => undefined, random);
  const messages = new Messages();
  forwarder.addConsumer('mc/lan', messages);
  const tasks: { endOfTurn(): void }[] = [];
  const budget = new WaitingBudget();
  const listener = new GroupListener(1000, {
    forwarder,
    clock: { nowMs: () => 0, wallMs: () => 0 },
    turns: { add: (task) => void tasks.push(task), touch(): void {} },
    log: silentLogger,
    budget: { waiting: budget, window: new SharedWindow() },
    chooseAddress: () => 'mc/lan',
  });
  const endTurn = (): void => {
    for (const task of tasks.splice(0)) task.endOfTurn();
  };
  return { listener, messages, endTurn, forwarder, budget };
}

test('what a group hears in one turn is one message, or some when there is much', () => {
  const { listener, messages, endTurn, budget } = listening();
  for (const length of [1, 0, 1000, 1001]) listener.received(new Uint8Array(length));
  endTurn();
  assert.deepEqual(messages.lengths, [[1, 0, 1000]]);
  assert.deepEqual(listener.drops.counts(), { tooLong: 1 });
  for (let count = 0; count < 100; count++) listener.received(new Uint8Array(1000));
  endTurn();
  const more = messages.lengths.slice(1);
  assert.equal(more.flat().length, 100);
  assert.ok(more.length >= 100_200 / batchBytes);
  assert.equal(budget.bytes, 0);
});

test('a full way, or none, loses what comes meanwhile', () => {
  const { listener, messages, endTurn, forwarder, budget } = listening();
  messages.congested = true;
  listener.received(new Uint8Array(1));
  endTurn();
  assert.deepEqual([messages.lengths.length, messages.aborted], [0, 1]);
  forwarder.removeConsumer('mc/lan', messages);
  listener.received(new Uint8Array(1));
  endTurn();
  assert.deepEqual(listener.drops.counts(), { congestion: 1, noWay: 1 });
  assert.equal(budget.bytes, 0);
});

test('a connector repeats what other sites have heard, and what clients send, but not what its own site has heard', () => {
  const sent: number[] = [];
  const connector = new GroupConnector(100, (_bytes, start, end) => void sent.push(end - start));
  const states: DeliveryState[] = [];
  const upstream: Upstream = { update: (state) => void states.push(state), relieved(): void {} };
  const head = (ingress: string | null, replyTo: string | null, contentType = datagramsType): MessageHead => ({
    annotations: { flags: 0, toOverride: null, ingress, trace: [], ingressMesh: null },
    annotationsEnd: 0,
    priority: 4,
    to: 'mc/lan',
    replyTo,
    correlationId: null,
    contentType,
    bodyStart: 0,
  });
  // The mark of the body, and one record.
  const message = Uint8Array.of(0, 0x53, 0x77, 0x40, 0, 3, 1, 2, 3);
  const carry = (what: MessageHead): void => connector.deliver(what, upstream).send(message, 0, message.length, false);
  carry(head(null, null));
  assert.deepEqual(sent, []);
  carry(head('0/b', null));
  carry(head(null, 'amqp:/_topo/0/a/temp.x'));
  assert.deepEqual(sent, [3, 3]);
  assert.deepEqual(states, [DeliveryState.accepted, DeliveryState.accepted, DeliveryState.accepted]);
  carry(head('0/b', null, 'text/plain'));
  assert.equal(states.at(-1), DeliveryState.released);
  assert.deepEqual([connector.outstanding, connector.datagramsIn], [0, 2]);
});
