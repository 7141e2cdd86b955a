import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { testCrypto } from './fixtures.test.ts';
import { decodeMembershipRights, encodeMembershipRights, maxLeafLifetimeMs, maxPathLength, minLeafLifetimeMs } from './membership.ts';
import { loadX509 } from './x509-library.ts';

const rights = fc.record(
  {
    mayIssue: fc.boolean(),
    pathLength: fc.integer({ min: 0, max: maxPathLength }),
    leafLifetimeMs: fc.integer({ min: minLeafLifetimeMs / 1000, max: maxLeafLifetimeMs / 1000 }).map((seconds) => seconds * 1000),
  },
  { noNullPrototype: true },
);

test('rights survive their encoding', async () => {
  const library = await loadX509(testCrypto);
  fc.assert(
    fc.property(rights, (given) => {
      assert.deepEqual(decodeMembershipRights(library, new Uint8Array(encodeMembershipRights(library, given))), given);
    }),
  );
});

test('rights out of range and other bytes are no rights', async () => {
  const library = await loadX509(testCrypto);
  const encoded = (pathLength: number, leafLifetimeMs: number): Uint8Array<ArrayBuffer> =>
    new Uint8Array(encodeMembershipRights(library, { mayIssue: true, pathLength, leafLifetimeMs }));
  assert.ok(decodeMembershipRights(library, encoded(maxPathLength, maxLeafLifetimeMs)));
  assert.equal(decodeMembershipRights(library, encoded(maxPathLength + 1, maxLeafLifetimeMs)), undefined);
  assert.equal(decodeMembershipRights(library, encoded(-1, maxLeafLifetimeMs)), undefined);
  assert.equal(decodeMembershipRights(library, encoded(0, maxLeafLifetimeMs + 1000)), undefined);
  assert.equal(decodeMembershipRights(library, encoded(0, minLeafLifetimeMs - 1000)), undefined);
  assert.equal(decodeMembershipRights(library, Uint8Array.of(...encoded(0, minLeafLifetimeMs), 0)), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.equal(decodeMembershipRights(library, Uint8Array.from(bytes)), undefined);
    }),
  );
});
