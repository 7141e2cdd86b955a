import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failed, pending, ready, statusOf, type Condition, type Finding } from './conditions.ts';

const now = '2030-01-02T00:00:00Z';
const earlier = '2030-01-01T00:00:00Z';

function condition(type: string, status: 'True' | 'False', reason: Condition['reason'], message: string, time: string = now): Condition {
  return { type, status, reason, message, lastTransitionTime: time };
}

const cases: readonly (readonly [string, Readonly<Record<string, Finding>>, string, string, readonly Condition[]])[] = [
  [
    'all true',
    { Configured: ready, Matched: ready },
    'Ready',
    'OK',
    [
      condition('Configured', 'True', 'Ready', 'OK'),
      condition('Matched', 'True', 'Ready', 'OK'),
      condition('Ready', 'True', 'Ready', 'OK'),
    ],
  ],
  [
    'pending',
    { Configured: ready, Matched: pending('No matching connectors') },
    'Pending',
    'No matching connectors',
    [
      condition('Configured', 'True', 'Ready', 'OK'),
      condition('Matched', 'False', 'Pending', 'No matching connectors'),
      condition('Ready', 'False', 'Pending', 'No matching connectors'),
    ],
  ],
  [
    'the first that is not true counts, though a later one is an error',
    { Configured: pending('Pending'), Matched: failed('broken') },
    'Pending',
    'Pending',
    [
      condition('Configured', 'False', 'Pending', 'Pending'),
      condition('Matched', 'False', 'Error', 'broken'),
      condition('Ready', 'False', 'Pending', 'Pending'),
    ],
  ],
  [
    'an error',
    { Configured: failed('address in use'), Matched: ready },
    'Error',
    'address in use',
    [
      condition('Configured', 'False', 'Error', 'address in use'),
      condition('Matched', 'True', 'Ready', 'OK'),
      condition('Ready', 'False', 'Error', 'address in use'),
    ],
  ],
  [
    'a condition of which nothing is known is left out, and named as missing',
    { Configured: ready, Resolved: undefined },
    'Pending',
    'Not Resolved',
    [condition('Configured', 'True', 'Ready', 'OK'), condition('Ready', 'False', 'Pending', 'Not Resolved')],
  ],
];

for (const [name, findings, status, message, conditions] of cases) {
  test(`status of conditions: ${name}`, () => {
    assert.deepEqual(statusOf(findings, 'Ready', { now, previous: [] }), { status, message, conditions });
  });
}

test('without a Ready condition the status is there all the same', () => {
  const { status, message, conditions } = statusOf({ Redeemed: failed('expired') }, undefined, { now, previous: [] });
  assert.deepEqual([status, message, conditions.map(({ type }) => type)], ['Error', 'expired', ['Redeemed']]);
});

test('the time of a condition is when its status changed last, not its reason or message', () => {
  const previous = [
    condition('Configured', 'True', 'Ready', 'OK', earlier),
    condition('Matched', 'False', 'Pending', 'Pending', earlier),
    condition('Ready', 'True', 'Ready', 'OK', earlier),
  ];
  const { conditions } = statusOf({ Configured: ready, Matched: failed('broken') }, 'Ready', { now, previous });
  assert.deepEqual(
    conditions.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
    [
      ['Configured', earlier],
      ['Matched', earlier],
      ['Ready', now],
    ],
  );
});
