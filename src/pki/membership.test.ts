import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { AddressGrant } from '../base/address-grant.ts';
import { testCrypto } from './fixtures.test.ts';
import {
  decodeMembershipRights,
  encodeMembershipRights,
  everyAddress,
  isWithin,
  maxLeafLifetimeMs,
  maxPathLength,
  maxPatternListOctets,
  minLeafLifetimeMs,
  patternListProblem,
  rightsWithin,
  signingKeyLength,
} from './membership.ts';
import type { MembershipRights } from './membership.ts';
import { loadX509 } from './x509-library.ts';

const patterns = fc.array(fc.stringMatching(/^[a-z.äöü]{0,6}[*a-z]$/), { maxLength: 8 });

const rights = fc.record(
  {
    mayIssue: fc.boolean(),
    pathLength: fc.integer({ min: 0, max: maxPathLength }),
    leafLifetimeMs: fc.integer({ min: minLeafLifetimeMs / 1000, max: maxLeafLifetimeMs / 1000 }).map((seconds) => seconds * 1000),
    signingKey: fc.uint8Array({ minLength: signingKeyLength, maxLength: signingKeyLength }).map((bytes) => Uint8Array.from(bytes)),
    advertise: patterns,
    consume: patterns,
  },
  { noNullPrototype: true, requiredKeys: ['mayIssue', 'pathLength', 'leafLifetimeMs', 'advertise', 'consume'] },
);

test('rights survive their encoding', async () => {
  const library = await loadX509(testCrypto);
  fc.assert(
    fc.property(rights, (given) => {
      assert.deepEqual(decodeMembershipRights(new Uint8Array(encodeMembershipRights(library, given))), given);
    }),
  );
});

test('rights out of range and other bytes are no rights', async () => {
  const library = await loadX509(testCrypto);
  const encoded = (pathLength: number, leafLifetimeMs: number, more: Partial<MembershipRights> = {}): Uint8Array<ArrayBuffer> =>
    new Uint8Array(
      encodeMembershipRights(library, { mayIssue: true, pathLength, leafLifetimeMs, advertise: ['a'], consume: ['*'], ...more }),
    );
  assert.ok(decodeMembershipRights(encoded(maxPathLength, maxLeafLifetimeMs)));
  assert.equal(decodeMembershipRights(encoded(maxPathLength + 1, maxLeafLifetimeMs)), undefined);
  assert.equal(decodeMembershipRights(encoded(-1, maxLeafLifetimeMs)), undefined);
  assert.equal(decodeMembershipRights(encoded(0, maxLeafLifetimeMs + 1000)), undefined);
  assert.equal(decodeMembershipRights(encoded(0, minLeafLifetimeMs - 1000)), undefined);
  assert.equal(decodeMembershipRights(Uint8Array.of(...encoded(0, minLeafLifetimeMs), 0)), undefined);
  const key = (length: number): Partial<MembershipRights> => ({ signingKey: new Uint8Array(length) });
  assert.ok(decodeMembershipRights(encoded(0, minLeafLifetimeMs, key(signingKeyLength))));
  assert.equal(decodeMembershipRights(encoded(0, minLeafLifetimeMs, key(signingKeyLength + 1))), undefined);
  assert.equal(decodeMembershipRights(encoded(0, minLeafLifetimeMs, { advertise: ['a b'] })), undefined);
  const longest = ['x'.repeat(250), 'y'.repeat(250), 'z'.repeat(9)];
  assert.equal(longest.join(' ').length + 1, maxPatternListOctets);
  assert.ok(decodeMembershipRights(encoded(0, minLeafLifetimeMs, { consume: longest })));
  assert.equal(decodeMembershipRights(encoded(0, minLeafLifetimeMs, { consume: [...longest, 'w'] })), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.equal(decodeMembershipRights(Uint8Array.from(bytes)), undefined);
    }),
  );
});

test('rights from before signing allow every address', async () => {
  const library = await loadX509(testCrypto);
  const { asn1 } = library;
  const old = new asn1.Sequence({
    value: [new asn1.Boolean({ value: false }), new asn1.Integer({ value: 0 }), new asn1.Integer({ value: 3600 })],
  });
  assert.deepEqual(decodeMembershipRights(new Uint8Array(old.toBER())), {
    mayIssue: false,
    pathLength: 0,
    leafLifetimeMs: 3_600_000,
    advertise: everyAddress,
    consume: everyAddress,
  });
});

test('what is within issuers is what they and the rights allow', () => {
  const lists = fc.array(fc.stringMatching(/^[ab]{0,3}\*$|^[ab]{1,3}$/), { maxLength: 5 });
  const grants = fc.record({ advertise: lists, consume: lists });
  fc.assert(
    fc.property(
      grants,
      fc.array(fc.option(grants, { nil: undefined }), { maxLength: 3 }),
      fc.stringMatching(/^[ab]{1,4}$/),
      (own, above, name) => {
        const all = [own, ...above.filter((issuer) => issuer !== undefined)];
        const within = rightsWithin(own, above);
        for (const kind of ['advertise', 'consume'] as const) {
          const allowed = all.every((each) => new AddressGrant(each[kind]).allows(name));
          assert.equal(new AddressGrant(within[kind]).allows(name), allowed);
        }
        assert.ok(isWithin(within, above));
      },
    ),
    { numRuns: 1000 },
  );
});

test('a list of patterns says what is wrong with it', () => {
  assert.equal(patternListProblem([]), undefined);
  assert.equal(patternListProblem(['*', 'db', 'db.*']), undefined);
  assert.match(patternListProblem(['a*b']) ?? '', /"a\*b" has a \*/);
  assert.match(patternListProblem(Array.from({ length: 65 }, () => 'a')) ?? '', /more than 64/);
});
