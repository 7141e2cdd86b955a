import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionPair, termini } from '../../test/fuzz/connection-pair.ts';
import { by, emptyFlow, received, send, sending, text } from '../../test/fuzz/sending.ts';
import { DeliveryState } from './delivery-performatives.ts';
import type { IncomingDelivery, OutgoingDelivery } from './delivery.ts';
import type { IncomingLink } from './link.ts';
import { maxBacklogBytes, maxBacklogPieces } from './outgoing-link.ts';
import { encodeFlow } from './performatives.ts';

test('outcomes of every kind come back, with their errors and offsets', () => {
  for (const state of [DeliveryState.accepted, DeliveryState.rejected, DeliveryState.released, DeliveryState.modified]) {
    const { pair, link, outcomes } = sending();
    pair.serverHandler.settle = false;
    const deliveries: IncomingDelivery[] = [];
    const offered = pair.serverHandler.links[0] as IncomingLink;
    offered.sink = {
      transfer: (delivery) => void deliveries.push(delivery),
      aborted: () => {},
      senderSettled: () => {},
    };
    send(link, outcomes, 'x');
    pair.pump();
    const error = { condition: 'amqp:not-found', description: 'no such thing' };
    deliveries[0]?.update(DeliveryState.received, false, 12_345);
    deliveries[0]?.update(state, true, 0, state === DeliveryState.rejected ? error : undefined);
    deliveries[0]?.update(DeliveryState.accepted, true);
    pair.pump();
    assert.deepEqual(outcomes.states, [state]);
    assert.deepEqual(outcomes.offsets, [12_345]);
    assert.deepEqual(outcomes.errors.at(-1), state === DeliveryState.rejected ? error : undefined);
  }
});

test('a delivery waits for credit and goes when credit comes', () => {
  const { pair, link, outcomes } = sending(0);
  send(link, outcomes, 'one');
  send(link, outcomes, 'two');
  pair.pump();
  assert.deepEqual(received(pair), []);
  const offered = pair.serverHandler.links[0] as IncomingLink;
  offered.grant(1);
  pair.serverHandler.settle = false;
  pair.pump();
  assert.deepEqual(received(pair), ['one']);
  offered.replenish();
  pair.pump();
  assert.deepEqual(received(pair), ['one', 'two']);
  assert.equal(link.backlogBytes, 0);
});

test('what was written on before the link is attached goes when it is', () => {
  const pair = new ConnectionPair();
  pair.pump();
  const link = pair.client.openSession().attachOutgoing('l', ...termini());
  send(link, undefined, 'early');
  pair.pump();
  assert.deepEqual(received(pair), ['early']);
});

test('deliveries of one link never interleave, and one that is unfinished blocks none for ever', () => {
  const { pair, link, outcomes } = sending();
  const first = send(link, outcomes, 'a', true);
  send(link, outcomes, 'second');
  first.send(text('b'), 0, 1, true);
  const third = send(link, outcomes, 'th', true);
  pair.pump();
  assert.deepEqual(received(pair), []);
  first.send(text('c'), 0, 1, false);
  pair.pump();
  assert.deepEqual(received(pair), ['abc', 'second']);
  third.send(text('ird'), 0, 3, false);
  pair.pump();
  assert.deepEqual(received(pair), ['abc', 'second', 'third']);
});

test('the largest credit and the largest window are credit and window', () => {
  const { pair, session, link } = sending(0);
  const offered = pair.serverHandler.links[0] as IncomingLink;
  const { server } = pair;
  by(server, 0, () =>
    encodeFlow(server.writer, { ...emptyFlow, incomingWindow: 0xffffffff, handle: offered.handle, linkCredit: 0xffffffff }),
  );
  pair.pump();
  assert.equal(link.credit, 0xffffffff);
  assert.equal(session.remoteIncomingWindow, 0xffffffff);
});

test('drain uses what waits, gives up the rest and is heard of', () => {
  const { pair, link, outcomes } = sending(0);
  const offered = pair.serverHandler.links[0] as IncomingLink;
  let drained = 0;
  offered.handler = { attached: () => {}, detached: () => {}, drained: () => void drained++ };
  offered.grant(10);
  pair.pump();
  // The owner may use the credit when it hears of the flow; then the rest is given up.
  outcomes.onFlow = (sender): void => {
    outcomes.onFlow = () => {};
    send(sender, outcomes, 'last');
  };
  offered.drain();
  pair.pump();
  assert.equal(drained, 1);
  assert.equal(link.credit, 0);
  assert.equal(offered.credit, 0);
  assert.deepEqual(received(pair), ['last']);
  offered.grant(2);
  pair.pump();
  assert.equal(link.credit, 2);
});

test('drain waits for a delivery that is being written', () => {
  const { pair, link, outcomes } = sending(10);
  const offered = pair.serverHandler.links[0] as IncomingLink;
  let drained = 0;
  offered.handler = { attached: () => {}, detached: () => {}, drained: () => void drained++ };
  const first = send(link, outcomes, 'a', true);
  send(link, outcomes, 'b');
  offered.drain();
  pair.pump();
  assert.equal(drained, 0);
  first.send(text('!'), 0, 1, false);
  pair.pump();
  assert.equal(drained, 1);
  assert.deepEqual(received(pair), ['a!', 'b']);
});

test('credit that is taken back may have been used already', () => {
  const { pair, link, outcomes } = sending(10);
  const offered = pair.serverHandler.links[0] as IncomingLink;
  offered.grant(0);
  send(link, outcomes, 'in flight');
  pair.pump();
  assert.deepEqual(received(pair), ['in flight']);
  assert.deepEqual(outcomes.detachErrors, []);
  send(link, outcomes, 'too late');
  pair.pump();
  assert.equal(received(pair).length, 1);
});

test('a transfer beyond the credit ends the link, not the session', () => {
  const { pair, session, link, outcomes } = sending(1);
  pair.serverHandler.settle = false;
  send(link, outcomes, 'fits');
  session.writeTransfer(link.handle, { id: 77, settled: true } as OutgoingDelivery, true, text('x'), 0, 1, false);
  session.writeTransfer(link.handle, { id: 78, settled: true } as OutgoingDelivery, true, text('x'), 0, 1, false);
  pair.pump();
  assert.equal(outcomes.detachErrors[0]?.condition, 'amqp:link:transfer-limit-exceeded');
  assert.equal(pair.serverHandler.closedCount, 0);
  assert.ok(!session.endSent);
});

test('backlog: the limit is kept, limit + 1 is given up and everything is returned', () => {
  const { pair, link, outcomes } = sending(0);
  const full = send(link, outcomes, new Uint8Array(maxBacklogBytes), true);
  assert.equal(link.backlogBytes, maxBacklogBytes);
  assert.deepEqual(outcomes.states, []);
  send(link, outcomes, 'x');
  assert.deepEqual(outcomes.states, ['lost']);
  full.abort();
  assert.equal(link.backlogBytes, 0);
  const many = send(link, outcomes, 'x', true);
  for (let index = 1; index < maxBacklogPieces; index++) many.send(text('x'), 0, 1, true);
  assert.equal(link.backlogBytes, maxBacklogPieces);
  many.send(text('x'), 0, 1, true);
  assert.deepEqual(outcomes.states, ['lost', 'lost']);
  assert.equal(link.backlogBytes, 0);
  (pair.serverHandler.links[0] as IncomingLink).grant(10);
  pair.pump();
  send(link, outcomes, 'still alive');
  pair.pump();
  assert.deepEqual(received(pair), ['still alive']);
});

test('abort: of what has begun, of what waits, of what nobody has heard of', () => {
  const { pair, link, outcomes } = sending(2);
  const begun = send(link, outcomes, 'begun', true);
  const waits = send(link, outcomes, 'waits', true);
  const silent = link.deliver(false, outcomes);
  send(link, outcomes, 'whole');
  pair.pump();
  waits.abort();
  silent.abort();
  begun.abort();
  begun.abort();
  begun.send(text('x'), 0, 1, false);
  pair.pump();
  assert.equal(pair.serverHandler.aborts, 1);
  assert.deepEqual(received(pair), ['whole']);
  assert.deepEqual(outcomes.states, [DeliveryState.accepted]);
});

test('a delivery aborted in its first frame is nobody’s concern and gives its credit back', () => {
  const { pair, session, link } = sending(4);
  for (let index = 0; index < 40; index++) {
    session.writeAbort(link.handle, { id: 1000 + index } as OutgoingDelivery);
    pair.pump();
  }
  assert.equal(pair.serverHandler.aborts, 0);
  assert.equal(pair.serverHandler.closedCount, 0);
  assert.equal(link.session.endSent, false);
});

test('a settlement in the middle of a message settles it', () => {
  const { pair, session, link } = sending();
  pair.serverHandler.settle = false;
  const delivery = send(link, undefined, 'a', true);
  pair.pump();
  delivery.forget();
  pair.pump();
  assert.equal(pair.serverHandler.senderSettles, 1);
  delivery.send(text('b'), 0, 1, false);
  pair.pump();
  assert.deepEqual(received(pair), ['ab']);
  assert.equal((pair.serverHandler.links[0] as IncomingLink).unsettled, 0);
  assert.ok(!session.endSent);
});
