import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../sim/seeded-random.ts';
import { CircuitBreaker, RequestResult } from './circuit-breaker.ts';

function breaker(): CircuitBreaker {
  return new CircuitBreaker(new SeededRandom(7));
}

function run(subject: CircuitBreaker, result: RequestResult, nowMs: number): void {
  subject.ended(result, subject.started(nowMs), nowMs);
}

test('five failures in a row eject; a success in between starts the count anew; what was withdrawn says nothing', () => {
  const subject = breaker();
  for (let time = 0; time < 4; time++) run(subject, RequestResult.failure, 0);
  run(subject, RequestResult.success, 0);
  for (let time = 0; time < 4; time++) run(subject, RequestResult.failure, 0);
  for (let time = 0; time < 50; time++) run(subject, RequestResult.withdrawn, 0);
  assert.equal(subject.isEjected, false);
  run(subject, RequestResult.failure, 0);
  assert.equal(subject.isEjected, true);
});

test('half of twenty requests failing ejects, without five in a row', () => {
  const subject = breaker();
  for (let time = 0; time < 30 && !subject.isEjected; time++)
    run(subject, time % 2 === 0 ? RequestResult.failure : RequestResult.success, 0);
  assert.equal(subject.isEjected, true);
});

test('penalties double from one second to one minute, and are forgotten after successes', () => {
  const subject = breaker();
  for (let time = 0; time < 5; time++) run(subject, RequestResult.unreachable, 0);
  let nowMs = 0;
  const penalties: number[] = [];
  for (let probe = 0; probe < 9; probe++) {
    penalties.push(subject.ejectedUntilMs - nowMs);
    nowMs = subject.ejectedUntilMs;
    run(subject, RequestResult.failure, nowMs);
  }
  let least = 1_000;
  for (const penalty of penalties) {
    assert(penalty >= least && penalty <= least * 1.5, `${penalty} ms`);
    least = Math.min(60_000, least * 2);
  }
  nowMs = subject.ejectedUntilMs;
  run(subject, RequestResult.success, nowMs);
  run(subject, RequestResult.success, nowMs);
  for (let time = 0; time < 5; time++) run(subject, RequestResult.failure, nowMs);
  assert(subject.ejectedUntilMs - nowMs <= 1_500);
});

test('one probe at a time; requests from before the ejection neither close nor prolong it', () => {
  const subject = breaker();
  const early = subject.started(0);
  for (let time = 0; time < 5; time++) run(subject, RequestResult.failure, 0);
  const untilMs = subject.ejectedUntilMs;
  subject.ended(RequestResult.success, early, 1);
  assert.equal(subject.isEjected, true);
  assert.equal(subject.ejectedUntilMs, untilMs);
  assert.equal(subject.started(untilMs), true);
  assert.equal(subject.allows(untilMs), false);
  subject.ended(RequestResult.withdrawn, true, untilMs);
  assert.equal(subject.allows(untilMs), true);
});
