import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { InputError } from '../base/errors.ts';
import { maxHosts, parseAdmission, parseHosts, parseRedemptionRequest, parseRenewalRequest } from './redemption-protocol.ts';

const redemption = { code: 'c', csr: 'r', siteName: 's', hosts: ['a.example'] };
const admission = { network: 'n', siteName: 's', routerId: 'r', ca: 'c', certificate: 'c', links: [{ host: 'a', port: 1 }], linkCost: 1 };

test('messages survive JSON, and unknown keys are dropped', () => {
  assert.deepEqual(parseRedemptionRequest(JSON.stringify({ ...redemption, more: 1 })), redemption);
  assert.deepEqual(parseRenewalRequest('{"membership":"m","csr":"r"}'), { membership: 'm', csr: 'r', hosts: [] });
  assert.deepEqual(parseAdmission(JSON.stringify(admission)), admission);
});

test('missing, wrong and oversized fields are refused', () => {
  for (const change of [
    { code: undefined },
    { code: 1 },
    { code: '' },
    { code: 'x'.repeat(129) },
    { csr: null },
    { hosts: 'a' },
    { hosts: ['a b'] },
  ]) {
    assert.throws(
      () => parseRedemptionRequest(JSON.stringify({ ...redemption, ...change })),
      { code: 'bad-request' },
      JSON.stringify(change),
    );
  }
  for (const change of [
    { links: {} },
    { links: [{ host: 'a', port: 0 }] },
    { links: [{ host: 'a,', port: 1 }] },
    { linkCost: 0.5 },
    { ca: '' },
  ]) {
    assert.throws(() => parseAdmission(JSON.stringify({ ...admission, ...change })), { code: 'bad-request' }, JSON.stringify(change));
  }
  const hosts = Array.from({ length: maxHosts }, (_, at) => `h${at}`);
  assert.equal(parseHosts(hosts).length, maxHosts);
  assert.throws(() => parseHosts([...hosts, 'one-more']), { code: 'bad-request' });
});

test('any JSON gives a request or an input error', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      for (const parse of [parseRedemptionRequest, parseRenewalRequest, parseAdmission]) assert.throws(() => parse(text), InputError);
    }),
    { numRuns: 300 },
  );
});
