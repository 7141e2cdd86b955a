import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smugglingCorpus } from './smuggling-corpus.ts';
import { outcomeOf } from './smuggling-front.ts';

function octets(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

function text(all: readonly Uint8Array[]): string[] {
  return all.map((bytes) => Buffer.from(bytes).toString('latin1'));
}

test('each request is refused, or reaches servers as exactly one thing, however it is cut', () => {
  assert.ok(smugglingCorpus.length >= 80);
  for (const { what, octets: input, refused, passes } of smugglingCorpus) {
    const whole = octets(input);
    const outcome = outcomeOf([whole]);
    const forwarded = text(outcome.forwarded);
    if (refused !== undefined) {
      assert.deepEqual(
        { statuses: outcome.statuses, closed: outcome.closed, forwarded },
        { statuses: [refused], closed: true, forwarded: [] },
        what,
      );
    } else assert.deepEqual(forwarded, passes, what);
    const byOctet = outcomeOf(Array.from(whole, (octet) => Uint8Array.of(octet)));
    assert.deepEqual(byOctet, outcome, `${what}, octet by octet`);
    if (whole.length > 2_000) continue;
    for (let cut = 1; cut < whole.length; cut += 1 + Math.floor(whole.length / 64)) {
      assert.deepEqual(outcomeOf([whole.subarray(0, cut), whole.subarray(cut)]), outcome, `${what}, cut at ${cut}`);
    }
  }
});

test('what goes to servers is read the same way again', () => {
  for (const { what, passes = [] } of smugglingCorpus) {
    for (const request of passes) assert.deepEqual(text(outcomeOf([octets(request)]).forwarded), [request], what);
  }
});
