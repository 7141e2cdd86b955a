import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../amqp/performatives.ts';
import type { Downstream, Upstream } from './leg.ts';
import { MulticastLeg } from './multicast.ts';

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

function fanOut(count: number): { leg: MulticastLeg; sinks: Sink[]; heard: unknown[]; relieved: () => number } {
  const heard: unknown[] = [];
  let relieved = 0;
  const leg = new MulticastLeg({
    update: (state, settled, offset): void => void heard.push([state, settled, offset]),
    relieved: (): void => void relieved++,
  });
  const sinks = Array.from({ length: count }, () => new Sink());
  for (const sink of sinks) {
    leg.add((outcome) => {
      sink.outcome = outcome;
      return sink;
    });
  }
  return { leg, sinks, heard, relieved: () => relieved };
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
