import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Calls, type Outgoing } from './calls.ts';
import { usualDurations } from './durations.ts';
import { formatMessage, messageLimits, type AnswerRecord, type CallRecord } from './messages.ts';

const { retryMs, callTimeoutMs } = usualDurations;
const moved = { type: 'moved', vni: 1, address: '0'.repeat(32), generation: 1 } as const;

function idOf(outgoing: readonly Outgoing[]): number {
  const [record] = outgoing.flatMap(({ records }) => records as CallRecord[]);
  return record.id;
}

test('a call is repeated until its answer comes, from whom it was made to, once', () => {
  const calls = new Calls(usualDurations, 7);
  const answers: (AnswerRecord | undefined)[] = [];
  calls.call(2, moved, 0, (answer) => answers.push(answer));
  const id = idOf(calls.take());
  assert.deepEqual(calls.take(), []);
  assert.equal(calls.nextDeadlineMs(), retryMs);
  calls.handleTimeout(retryMs);
  assert.equal(idOf(calls.take()), id);
  calls.answered(3, { type: 'done', id }, retryMs);
  assert.equal(answers.length, 0);
  calls.answered(2, { type: 'done', id }, retryMs);
  calls.answered(2, { type: 'done', id }, retryMs);
  assert.deepEqual(answers, [{ type: 'done', id }]);
  assert.equal(calls.nextDeadlineMs(), Infinity);
  assert.equal(calls.counts.get('moved'), 1);
});

test('a call that nobody answers is given up, with few repetitions', () => {
  const calls = new Calls(usualDurations, 0xffffffff);
  const answers: (AnswerRecord | undefined)[] = [];
  calls.call(2, moved, 0, (answer) => answers.push(answer));
  let sent = 0;
  for (let nowMs = 0; calls.size > 0; nowMs = calls.nextDeadlineMs()) {
    assert.ok(nowMs <= callTimeoutMs);
    calls.handleTimeout(nowMs);
    sent += calls.take().length;
  }
  assert.ok(sent >= 5 && sent <= 10, `${sent} times`);
  assert.deepEqual(answers, [undefined]);
});

test('what goes to one host goes in few messages', () => {
  const calls = new Calls(usualDurations, 1);
  for (let at = 0; at <= messageLimits.records; at++) calls.call(2, moved, 0, () => {});
  calls.notify(3, { type: 'ask', vni: 1, isList: false });
  assert.deepEqual(
    calls.take().map(({ to, records }) => [to, records.length]),
    [
      [2, messageLimits.records],
      [2, 1],
      [3, 1],
    ],
  );
});

test('long lists to one host go in more messages', () => {
  const calls = new Calls(usualDurations, 1);
  const entry = { address: '0'.repeat(32), generation: 1, identity: 0, flags: 0, mac: '0'.repeat(12) };
  const entries = Array.from({ length: messageLimits.entries }, () => entry);
  const list = { type: 'list', vni: 1, epoch: 1, from: entry.address, to: '', sequence: 1, entries } as const;
  for (let at = 0; at < 60; at++) calls.call(2, list, 0, () => {});
  const outgoing = calls.take();
  assert.equal(
    outgoing.reduce((sum, { records }) => sum + records.length, 0),
    60,
  );
  for (const { records } of outgoing) assert.ok(formatMessage(records).length <= messageLimits.bytes);
  assert.ok(outgoing.length > 1);
});

test('too many calls are refused at once', () => {
  const calls = new Calls(usualDurations, 1);
  let refused = 0;
  for (let at = 0; at < 16_385; at++) calls.call(2, moved, 0, () => refused++);
  assert.equal(refused, 1);
  assert.equal(calls.size, 16_384);
});
