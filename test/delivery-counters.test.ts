import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../src/amqp/performatives.ts';
import { consume, line, produce } from '../src/sim/messages.ts';
import { imbalance } from './faults/rig/conservation.ts';
import type { Imbalance } from './faults/rig/conservation.ts';

const { accepted, rejected, released, modified } = DeliveryState;

test('each message ends once in the counters of every router, whatever becomes of it', () => {
  const { network, alpha, beta, gamma } = line();
  const consumer = consume(gamma, 'queue');
  network.runUntil(() => alpha.control.forwarder.reachable('queue'), 3000);
  const total = (): Imbalance =>
    imbalance(
      [alpha, beta, gamma].map(({ control: { forwarder } }) => ({
        incoming: forwarder.incoming.counts(),
        outgoing: forwarder.outgoing.counts(),
      })),
    );

  for (const state of [accepted, rejected, released, modified, accepted]) {
    produce(alpha, 'queue', 100);
    network.run(50);
    consumer.taken.at(-1)?.settle(state);
    gamma.touch();
  }
  produce(alpha, 'queue', 100, false, true);
  const [abandoned, waiting] = [produce(alpha, 'queue', 100, true), produce(alpha, 'queue', 100)];
  network.run(50);
  abandoned.downstream?.abort();
  alpha.touch();
  network.run(50);
  // One message waits for its outcome, at both ends of both links.
  assert.deepEqual(total(), { unaccounted: 0, inFlight: 4, betweenRouters: 0, outcomes: 0, begun: 16 });
  assert.deepEqual(gamma.control.forwarder.incoming.counts(), {
    begun: 8,
    accepted: 2,
    rejected: 1,
    released: 1,
    modified: 1,
    forgotten: 1,
    aborted: 1,
    inFlight: 1,
  });
  assert.deepEqual(waiting.outcomes, []);

  // The link to the consumer is lost: its sender hears of it, and the consumer cannot be heard any more.
  for (const link of [...gamma.links]) network.cut(link);
  network.run(100);
  assert.deepEqual(waiting.outcomes, [modified]);
  assert.equal(total().unaccounted, 0);
  assert.equal(total().inFlight, 0);
  assert.equal(beta.control.forwarder.outgoing.modified, 2);
});
