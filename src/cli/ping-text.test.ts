import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PingReported } from '../supervisor/site-pings.ts';
import { answerText, serversText, startedText, summarize, summaryText } from './ping-text.ts';

function answer(sequence: number, times: readonly (number | null)[], given: Partial<PingReported> = {}): PingReported {
  const last = times.at(-1) ?? null;
  return {
    type: 'answer',
    routerId: 'west-1',
    name: 'west',
    sequence,
    outcome: last === null ? 'lost' : 'answered',
    reason: '',
    roundTripMs: last,
    version: '1',
    relation: times.length > 1 ? 'relayed' : 'direct',
    hops: times.map((roundTripMs, index) => ({
      routerId: index === times.length - 1 ? 'west-1' : `hop${index}`,
      name: index === times.length - 1 ? 'west' : `hop${index}`,
      outcome: roundTripMs === null ? 'lost' : 'answered',
      roundTripMs,
    })),
    wayBack: null,
    ...given,
  };
}

test('each answer says by which way it came, and how far questions without one get', () => {
  assert.equal(answerText(answer(1, [4.25])), '#1  west  4.25 ms  direct\n');
  assert.equal(answerText(answer(2, [1, 12.34])), '#2  west  12.3 ms  relayed: hop0 1.00 ms\n');
  assert.equal(answerText(answer(3, [1, 2, null])), '#3  west  no answer; hop1 answers, west does not\n');
  assert.equal(answerText(answer(4, [null], { outcome: 'no-way' })), '#4  west  no way leads there now\n');
  assert.equal(
    answerText(answer(5, [1, 2], { wayBack: ['west', 'other'] })),
    '#5  west  2.00 ms  relayed: hop0 1.00 ms  (back by other)\n',
  );
});

test('names from the network cannot steer the terminal', () => {
  const evil = 'a\u001b[2Jb\nc';
  const hops = answer(1, [1, 2]).hops.map((hop) => ({ ...hop, name: evil }));
  const all = [
    answerText(answer(1, [1, 2], { name: evil, hops, wayBack: [evil, evil] })),
    serversText({
      type: 'servers',
      routerId: 'r',
      name: evil,
      servers: [{ type: 'tcpConnector', connectMs: undefined, failure: evil }],
      reason: '',
    }),
    startedText({
      type: 'started',
      kind: 'site',
      name: evil,
      left: 1,
      sites: [{ routerId: 'r', name: evil, relation: 'direct', cost: 1, nextHop: null }],
    }),
    summaryText(summarize([answer(1, [1, 2], { name: evil, hops })]) as never),
  ].join('');
  assert.ok(!all.includes('\u001b'));
});

test('the summary has the losses and what each hop adds', () => {
  const summary = summarize([answer(1, [1, 3]), answer(2, [2, null]), answer(3, [1.5, 4])]);
  assert.ok(summary !== undefined);
  assert.equal(
    summaryText(summary),
    `
west: 3 sent, 2 answered, 33 % lost, min/avg/max 3.00 ms / 3.50 ms / 4.00 ms
HOP  SITE  LOST  MIN      AVG      MAX      ADDS
1    hop0  0 %   1.00 ms  1.50 ms  2.00 ms  1.00 ms
2    west  33 %  3.00 ms  3.50 ms  4.00 ms  2.00 ms
`,
  );
  assert.equal(summarize([]), undefined);
});

test('of any answers the least is no more than the mean, and that no more than the most', () => {
  const time = fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }));
  fc.assert(
    fc.property(fc.array(fc.array(time, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 20 }), (tries) => {
      const summary = summarize(tries.map((times, index) => answer(index + 1, times)));
      assert.ok(summary !== undefined);
      assert.equal(summary.answered, tries.filter((times) => times.at(-1) !== null).length);
      for (const { minMs, avgMs, maxMs } of [summary, ...summary.hops]) {
        if (minMs === null || avgMs === null || maxMs === null) continue;
        assert.ok(minMs <= avgMs + 1e-6 && avgMs <= maxMs + 1e-6);
      }
      for (const { addsMs } of summary.hops) assert.ok(addsMs === null || addsMs >= 0);
    }),
  );
});
