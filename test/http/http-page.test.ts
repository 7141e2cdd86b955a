import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { balancingPolicies, maxServers } from '../../src/services/balancing/server-set.ts';
import { maxWaitingRequests } from '../../src/services/http/connection-pool.ts';
import { maxFieldBytes, maxPendingBytes } from '../../src/services/http/exchange.ts';
import { findField } from '../../src/services/http/field-block.ts';
import { maxRequests } from '../../src/services/http/http-ingress.ts';
import { maxHeldBodyBytes } from '../../src/services/http/ingress-exchange.ts';
import { networkAnswer, NetworkErrorCode } from '../../src/services/http/network-error.ts';
import { maxChunkLineBytes, maxFields, maxInterimAnswers, maxRequestLineBytes } from '../../src/services/http1/limits.ts';
import { maxConcurrentStreams } from '../../src/services/http2/limits.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/http.md'), 'utf8');

function rows(pattern: RegExp): string[][] {
  return [...page.matchAll(pattern)].map((found) => found.slice(1).sort());
}

test('the page has every code of an error, with the statuses that it has', () => {
  const written = rows(/^\| (`[a-z-]+`) \| (\d{3}) \| (\d+) \|/gm);
  const answered = Object.values(NetworkErrorCode).map((code) => {
    const error = { code, reason: '', site: '', service: '' };
    const grpcStatus = findField(networkAnswer(error, true, false).head.fields, 'grpc-status');
    return [`\`${code}\``, String(networkAnswer(error, false, false).head.status), String(grpcStatus)].sort();
  });
  assert.deepEqual(written.sort(), answered.sort());
});

test('the page has limits as they are', () => {
  const limits = {
    maxRequestLineBytes,
    maxFields,
    maxFieldBytes,
    maxChunkLineBytes,
    maxInterimAnswers,
    maxPendingBytes,
    maxHeldBodyBytes,
    maxRequests,
    maxWaitingRequests,
    maxConcurrentStreams,
    maxServers,
  };
  for (const [name, value] of Object.entries(limits)) {
    const row = page.split('\n').find((line) => line.includes(`\`${name}\``));
    assert.ok(row?.includes(` ${value.toLocaleString('en')}`), `${name} is ${value}, not: ${row}`);
  }
  assert.deepEqual(
    rows(/^\| `(balanced|peak-ewma|round-robin|closest)` \|/gm).flat(),
    balancingPolicies,
    'the page has every way of balancing',
  );
});
