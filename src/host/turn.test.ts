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

test('many messages in one turn: what is registered runs in between, the tasks of the turn at its end', async () => {
  const turns = new TurnQueue();
  const ran: string[] = [];
  turns.register({ endOfTurn: (): void => void ran.push('always') });
  turns.add({ endOfTurn: (): void => void ran.push('task') });
  for (let message = 1; message <= 40; message++) {
    turns.messageArrived();
    assert.equal(ran.length, Math.floor(message / 16), `${message} messages`);
  }
  await nextTurn();
  assert.deepEqual(ran, ['always', 'always', 'always', 'task']);
  for (let message = 1; message <= 15; message++) turns.messageArrived();
  assert.equal(ran.length, 4, 'each turn counts for itself');
  await nextTurn();
  assert.equal(ran.length, 5);
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
