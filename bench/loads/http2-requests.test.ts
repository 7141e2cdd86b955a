import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseH2load } from './http2-requests.ts';

const report = `
finished in 2.00s, 12345.50 req/s, 2.10MB/s
requests: 24691 total, 24707 started, 24691 done, 24690 succeeded, 1 failed, 1 errored, 0 timeout
status codes: 24690 2xx, 0 3xx, 0 4xx, 0 5xx
`;

test('the report of h2load is read', () => {
  assert.deepEqual(parseH2load(report), { ratePerSecond: 12_345.5, done: 24_691, succeeded: 24_690 });
});

test('something else is no report', () => {
  assert.throws(() => parseH2load('Connection refused'), /no report: Connection refused/);
});
