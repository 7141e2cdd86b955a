import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { TurnQueue } from './turn.ts';

test('registered tasks run in every turn with activity, before those of the turn, and each task once', async () => {
  const turns = new TurnQueue();
  const ran: string[] = [];
  const always = { endOfTurn: (): void => void ran.push('always') };
  turns.register(always);
  turns.add({ endOfTurn: (): void => void ran.push('a') });
  turns.add({ endOfTurn: (): void => void ran.push('b') });
  turns.touch();
  assert.deepEqual(ran, []);
  await nextTurn();
  assert.deepEqual(ran, ['always', 'a', 'b']);
  await nextTurn();
  assert.equal(ran.length, 3, 'nothing happened, nothing runs');
  turns.unregister(always);
  turns.touch();
  await nextTurn();
  assert.equal(ran.length, 3);
});

test('work that comes up at the end of a turn is done at the end of the next', async () => {
  const turns = new TurnQueue();
  const ran: string[] = [];
  const second = { endOfTurn: (): void => void ran.push('second') };
  turns.add({
    endOfTurn: (): void => {
      ran.push('first');
      turns.add(second);
    },
  });
  await nextTurn();
  assert.deepEqual(ran, ['first']);
  await nextTurn();
  await nextTurn();
  assert.deepEqual(ran, ['first', 'second']);
});
