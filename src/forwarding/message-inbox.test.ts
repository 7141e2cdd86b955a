import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../amqp/performatives.ts';
import type { Upstream } from './leg.ts';
import type { MessageHead } from './message-head.ts';
import { MessageInbox } from './message-inbox.ts';
import { noAnnotations } from './router-annotations.ts';

const head: MessageHead = {
  annotations: noAnnotations,
  annotationsEnd: 0,
  priority: 4,
  to: 'mc/sfe.all',
  replyTo: null,
  correlationId: null,
  contentType: null,
  bodyStart: 0,
};

function outcomes(): Upstream & { readonly states: DeliveryState[] } {
  const states: DeliveryState[] = [];
  return { states, update: (state) => void states.push(state), relieved: () => undefined };
}

test('messages come whole, whatever pieces they were sent in, and those that are cut off do not', () => {
  const taken: string[] = [];
  const inbox = new MessageInbox((octets, { to }, origin) => void taken.push(`${to} ${origin} ${octets.join()}`));
  const upstream = outcomes();
  const one = inbox.deliver(head, upstream, 'a');
  const other = inbox.deliver(head, upstream, 'b');
  one.send(Uint8Array.of(9, 1, 2), 1, 3, true);
  other.send(Uint8Array.of(7), 0, 1, true);
  assert.equal(inbox.gatheredBytes, 3);
  other.abort();
  one.send(Uint8Array.of(3), 0, 1, false);
  assert.deepEqual(taken, ['mc/sfe.all a 1,2,3']);
  assert.equal(inbox.gatheredBytes, 0);
  assert.deepEqual(upstream.states, [DeliveryState.accepted]);
});

test('a message that is too long is let go, and so is what is too much at a time', () => {
  const taken: number[] = [];
  const inbox = new MessageInbox((octets) => void taken.push(octets.length));
  const piece = new Uint8Array(262_144);
  const fitting = inbox.deliver(head, outcomes(), 'a');
  fitting.send(piece, 0, piece.length, false);
  const upstream = outcomes();
  const long = inbox.deliver(head, upstream, 'a');
  long.send(piece, 0, piece.length, true);
  long.send(piece, 0, 1, false);
  assert.deepEqual([taken, upstream.states, inbox.dropped, inbox.gatheredBytes], [[262_144], [DeliveryState.rejected], 1, 0]);
  const held = Array.from({ length: 16 }, () => inbox.deliver(head, outcomes(), 'a'));
  for (const leg of held) leg.send(piece, 0, piece.length, true);
  inbox.deliver(head, outcomes(), 'a').send(piece, 0, 1, false);
  assert.equal(inbox.dropped, 2);
  for (const leg of held) leg.abort();
  inbox.deliver(head, outcomes(), 'a').send(piece, 0, 1, false);
  assert.deepEqual([taken, inbox.gatheredBytes], [[262_144, 1], 0]);
});
