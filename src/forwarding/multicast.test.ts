import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../amqp/performatives.ts';
import type { Consumer, Downstream, Upstream } from './leg.ts';
import { MulticastLeg, copyTimeoutMs, remoteCopyTimeoutMs } from './multicast.ts';

class Sink implements Downstream {
  sent = 0;
  aborts = 0;
  forgets = 0;
  complete = false;
  congested = false;
  overloaded = false;
  outcome!: Upstream;
  send(_bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.sent += end - start;
    this.complete = !more;
  }
  abort(): void {
    this.aborts++;
  }
  forget(): void {
    this.forgets++;
  }
}

interface FanOut {
  readonly leg: MulticastLeg;
  readonly sinks: readonly Sink[];
  readonly heard: unknown[];
  readonly waited: Set<MulticastLeg>;
  readonly stuck: Set<Consumer>;
  relieved(): number;
}

/** A leg with copies for consumers here, or (`isRemote`) at other routers. */
function fanOut(count: number, isRemote = false): FanOut {
  const heard: unknown[] = [];
  let relieved = 0;
  const upstream: Upstream = {
    update: (state, settled, offset): void => void heard.push([state, settled, offset]),
    relieved: (): void => void relieved++,
  };
  const waited = new Set<MulticastLeg>();
  const stuck = new Set<Consumer>();
  const leg = new MulticastLeg(upstream, false, waited, stuck);
  const sinks = Array.from({ length: count }, () => new Sink());
  for (const sink of sinks) {
    const deliver = (outcome: Upstream): Sink => {
      sink.outcome = outcome;
      return sink;
    };
    leg.add(deliver, isRemote ? undefined : { outstanding: 0, deliver: (_head, outcome) => deliver(outcome) });
  }
  return { leg, sinks, heard, waited, stuck, relieved: () => relieved };
}

const { accepted, modified, received, rejected, released } = DeliveryState;

for (const [states, expected] of [
  [[released, modified, accepted], accepted],
  [[rejected, accepted], rejected],
  [[released, modified], modified],
  [[released, released], released],
] as const) {
  test(`copies that end ${states.join(', ')} are ${expected} together, told once when all have ended`, () => {
    const { leg, sinks, heard } = fanOut(states.length);
    leg.send(new Uint8Array(8), 0, 8, false);
    assert.ok(sinks.every((sink) => sink.complete && sink.sent === 8));
    states.forEach((state, index) => {
      assert.deepEqual(heard, []);
      sinks[index].outcome.update(state, true, 0, undefined);
      sinks[index].outcome.update(rejected, true, 0, undefined);
    });
    assert.deepEqual(heard, [[expected, true, 0]]);
  });
}

test('a copy that finds no way is not waited for', () => {
  const { leg, sinks, heard } = fanOut(1);
  leg.add(() => undefined);
  assert.equal(leg.copies, 1);
  leg.send(new Uint8Array(1), 0, 1, false);
  sinks[0].outcome.update(accepted, true, 0, undefined);
  assert.deepEqual(heard, [[accepted, true, 0]]);
});

test('what all have acknowledged counts as acknowledged, without those that left', () => {
  const { leg, sinks, heard } = fanOut(3);
  leg.send(new Uint8Array(100), 0, 100, true);
  sinks[0].outcome.update(received, false, 90, undefined);
  sinks[1].outcome.update(received, false, 40, undefined);
  assert.deepEqual(heard, []);
  sinks[2].outcome.update(modified, true, 0, undefined);
  assert.deepEqual(heard, [[received, false, 40]]);
  sinks[1].outcome.update(received, false, 30, undefined);
  sinks[1].outcome.update(received, false, 95, undefined);
  assert.deepEqual(heard.slice(1), [[received, false, 90]]);
});

test('when the last listener has left, the producer hears it before the message is complete', () => {
  const { leg, sinks, heard } = fanOut(2);
  leg.send(new Uint8Array(1), 0, 1, true);
  for (const sink of sinks) sink.outcome.update(modified, true, 0, undefined);
  assert.deepEqual(heard, [[modified, true, 0]]);
  leg.send(new Uint8Array(1), 0, 1, false);
  assert.deepEqual(heard, [[modified, true, 0]]);
  assert.ok(sinks.every((sink) => sink.sent === 1 && !sink.complete));
});

test('congestion of one is congestion of all; every copy is asked; abort and forget reach those that listen', () => {
  const { leg, sinks, relieved } = fanOut(2);
  assert.deepEqual([leg.congested, leg.overloaded], [false, false]);
  sinks[1].congested = true;
  sinks[0].overloaded = true;
  assert.deepEqual([leg.congested, leg.overloaded], [true, true]);
  sinks[1].outcome.relieved();
  assert.equal(relieved(), 1);
  sinks[0].outcome.update(released, true, 0, undefined);
  leg.forget();
  leg.abort();
  assert.deepEqual(
    sinks.map(({ aborts, forgets }) => [aborts, forgets]),
    [
      [0, 0],
      [1, 1],
    ],
  );
});

for (const [where, isRemote, limitMs] of [
  ['here', false, copyTimeoutMs],
  ['at other routers', true, remoteCopyTimeoutMs],
] as const) {
  test(`a consumer ${where} that does not settle holds the outcome for ${limitMs} ms`, () => {
    const { leg, sinks, heard, waited, stuck, relieved } = fanOut(2, isRemote);
    leg.send(new Uint8Array(8), 0, 8, false);
    sinks[0].outcome.update(accepted, true, 0, undefined);
    leg.sweep(1000);
    leg.sweep(999 + limitMs);
    assert.deepEqual([heard, sinks[1].aborts, waited.has(leg)], [[], 0, true]);
    leg.sweep(1000 + limitMs);
    assert.deepEqual([heard, sinks[0].aborts, sinks[1].aborts], [[[accepted, true, 0]], 0, 1]);
    assert.deepEqual([waited.size, stuck.size, relieved()], [0, isRemote ? 0 : 1, 1]);
    sinks[1].outcome.update(accepted, true, 0, undefined);
    assert.equal(heard.length, 1);
  });
}

test('a stream does not wait for a consumer that takes none of it; those that take it get all', () => {
  const { leg, sinks, heard, relieved } = fanOut(3);
  leg.send(new Uint8Array(500_000), 0, 500_000, true);
  sinks[0].congested = true;
  sinks[1].outcome.update(received, false, 1, undefined);
  sinks[2].outcome.update(received, false, 400_000, undefined);
  for (let nowMs = 0; nowMs <= copyTimeoutMs; nowMs += 1000) leg.sweep(nowMs);
  assert.deepEqual(
    sinks.map(({ aborts }) => aborts),
    [1, 1, 0],
  );
  assert.deepEqual([heard.at(-1), relieved()], [[received, false, 400_000], 2]);
  leg.send(new Uint8Array(1), 0, 1, false);
  assert.deepEqual(
    sinks.map(({ complete }) => complete),
    [false, false, true],
  );
});

test('a consumer that gets further, and one that waits for its producer, are not given up', () => {
  const { leg, sinks, heard } = fanOut(2);
  leg.send(new Uint8Array(1_000_000), 0, 1_000_000, true);
  for (let nowMs = 0; nowMs <= 5 * copyTimeoutMs; nowMs += 1000) {
    sinks[0].outcome.update(received, false, 1000 + nowMs, undefined);
    sinks[1].congested = nowMs % copyTimeoutMs === 0;
    leg.sweep(nowMs);
  }
  sinks[1].congested = false;
  sinks[0].outcome.update(received, false, 900_000, undefined);
  for (let nowMs = 0; nowMs <= 5 * copyTimeoutMs; nowMs += 1000) leg.sweep(5 * copyTimeoutMs + nowMs);
  assert.deepEqual(
    sinks.map(({ aborts }) => aborts),
    [0, 0],
  );
  assert.ok(heard.every((update) => (update as unknown[])[1] === false));
});

test('a message that nobody waits for is not looked at', () => {
  const forgotten = fanOut(1);
  forgotten.leg.forget();
  assert.equal(forgotten.waited.size, 1);
  forgotten.leg.send(new Uint8Array(1), 0, 1, false);
  const settledLate = fanOut(1);
  settledLate.leg.send(new Uint8Array(1), 0, 1, false);
  settledLate.leg.forget();
  const aborted = fanOut(1);
  aborted.leg.abort();
  assert.deepEqual([forgotten.waited.size, settledLate.waited.size, aborted.waited.size], [0, 0, 0]);
});
