import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logTail } from './load-messages.ts';

const buffer = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0rubbish of an earlier log`);

test('of a verifier log the end is shown, up to its zero octet', () => {
  assert.equal(logTail(new Uint8Array(100)), '');
  assert.equal(
    logTail(buffer('0: r0 = 0\nR1 invalid mem access\nprocessed 2 insns (limit 1000000)\n')),
    '0: r0 = 0\nR1 invalid mem access',
  );
  const long = Array.from({ length: 1000 }, (_, line) => `${line}: r1 = r2`);
  assert.deepEqual(logTail(buffer(long.join('\n'))).split('\n'), long.slice(-30));
  const wide = 'x'.repeat(100_000);
  assert.equal(logTail(buffer(wide)), wide.slice(-4096));
});
