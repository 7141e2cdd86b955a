import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acknowledgeStepBytes, FlowWindow, SharedWindow, sharedWindowBytes } from './flow-window.ts';

const step = acknowledgeStepBytes;

/** A way with one queue: it takes `bytesPerMs`, and each acknowledgement comes `delayMs` after its octets have left the queue. */
function drive(window: FlowWindow, bytesPerMs: number, delayMs: number, durationMs: number): { longestMs: number; carried: number } {
  let sent = 0;
  let left = 0;
  let acknowledged = 0;
  let longestMs = 0;
  const leaving: { at: number; end: number }[] = [];
  for (let nowMs = 0; nowMs < durationMs; nowMs++) {
    while (window.mayPass(2000)) {
      sent += 2000;
      window.sent(2000, nowMs);
    }
    left = Math.min(sent, left + bytesPerMs);
    if (nowMs > durationMs / 2) longestMs = Math.max(longestMs, (sent - left) / bytesPerMs);
    while (left - (leaving.at(-1)?.end ?? acknowledged) >= step) {
      leaving.push({ at: nowMs + delayMs, end: (leaving.at(-1)?.end ?? acknowledged) + step });
    }
    for (let first = leaving[0]; first !== undefined && first.at <= nowMs; first = leaving[0]) {
      leaving.shift();
      acknowledged = first.end;
      window.acknowledged(first.end, nowMs);
    }
  }
  return { longestMs, carried: left };
}

test('a slow way does not let datagrams wait for long', () => {
  // 10 Mbit/s, 20 ms.
  const { longestMs, carried } = drive(new FlowWindow(new SharedWindow()), 1250, 20, 20_000);
  assert.ok(longestMs < 250, `${longestMs} ms`);
  assert.ok(carried > 0.8 * 1250 * 20_000, 'and is used');
});

test('a fast way gets a large window', () => {
  const window = new FlowWindow(new SharedWindow());
  drive(window, 10_000, 50, 5000);
  assert.ok(window.size > 400_000, `${window.size} octets`);
});

test('a long way is not taken for a full one', () => {
  const window = new FlowWindow(new SharedWindow());
  const { carried } = drive(window, 2000, 300, 20_000);
  assert.ok(carried > 0.7 * 2000 * 20_000, `${carried} octets`);
});

test('one datagram that is longer than what is left passes when next to nothing is under way', () => {
  const window = new FlowWindow(new SharedWindow());
  window.sent(step - 1, 0);
  assert.ok(window.mayPass(65_509));
  window.sent(1_000_000, 0);
  assert.ok(!window.mayPass(1));
});

test('all flows together have a bound, beyond which each may still make its receiver acknowledge', () => {
  const shared = new SharedWindow();
  shared.bytes = sharedWindowBytes;
  const window = new FlowWindow(shared);
  assert.ok(window.mayPass(1000));
  window.sent(step, 0);
  assert.ok(!window.mayPass(1000));
  window.acknowledged(step, 1);
  assert.ok(window.mayPass(1000));
  window.sent(5000, 2);
  window.release();
  assert.equal(shared.bytes, sharedWindowBytes);
});

test('a way of which nothing is heard is silent', () => {
  const window = new FlowWindow(new SharedWindow());
  assert.ok(!window.isSilent(1e9));
  window.sent(100, 1000);
  assert.ok(!window.isSilent(3999));
  assert.ok(window.isSilent(4001));
  window.sent(100, 4000);
  window.acknowledged(100, 4001);
  assert.ok(!window.isSilent(7000));
  assert.ok(window.isSilent(7002), 'the second has not been acknowledged');
  window.acknowledged(200, 7003);
  assert.ok(!window.isSilent(1e9));
});

test('acknowledgements that cannot be are ignored', () => {
  const shared = new SharedWindow();
  const window = new FlowWindow(shared);
  window.sent(1000, 0);
  for (const offset of [1001, 0, -5, Number.NaN]) window.acknowledged(offset, 1);
  assert.equal(shared.bytes, 1000);
});
