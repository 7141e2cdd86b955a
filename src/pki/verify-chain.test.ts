import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as fc from 'fast-check';
import { dayMs, delegated, leaf, membership, newKey, newNetwork, startMs, testCrypto } from './fixtures.test.ts';
import type { TestKey, TestNetwork } from './fixtures.test.ts';
import { clockSkewMs } from './issue-certificate.ts';
import { ChainVerifier, verifyChain } from './verify-chain.ts';
import type { ChainPurpose } from './verify-chain.ts';

let network: TestNetwork;
let key: TestKey;
let issuerKey: TestKey;
let lowerKey: TestKey;

before(async () => {
  network = await newNetwork();
  [key, issuerKey, lowerKey] = await Promise.all([newKey(), newKey(), newKey()]);
});

async function verdict(
  chain: Uint8Array<ArrayBuffer>[],
  purpose: ChainPurpose = 'tls',
  wallMs = startMs,
  root = network.root,
): Promise<string> {
  const result = await verifyChain(testCrypto, chain, root, purpose, wallMs);
  return result.accepted ? result.identity.routerId : result.code;
}

test('a leaf below the root, and below a delegated issuer, names its router', async () => {
  const identity = network.identity('a');
  const direct = await leaf({ identity, authority: network.rootAuthority, key });
  assert.equal(await verdict([direct]), 'a-00000000');
  assert.equal(await verdict([direct, network.root]), 'a-00000000');

  const issuer = await delegated({ identity: network.identity('i'), authority: network.rootAuthority, key: issuerKey });
  const below = await leaf({ identity, authority: { certificate: issuer, privateKey: issuerKey.key }, key });
  assert.equal(await verdict([below, issuer]), 'a-00000000');
  assert.equal(await verdict([issuer], 'issuer'), 'i-00000000');
  assert.equal(await verdict([below]), 'wrong-issuer');
  assert.equal(await verdict([]), 'no-identity');
});

test('another network, and a self-made root of the same name, are refused', async () => {
  const other = await newNetwork();
  const foreign = await leaf({ identity: other.identity('a'), authority: other.rootAuthority, key });
  assert.equal(await verdict([foreign]), 'wrong-issuer');
  assert.equal(await verdict([foreign, other.root]), 'wrong-issuer');
  const pretender = { certificate: network.root, privateKey: other.rootKey.key };
  assert.equal(await verdict([await leaf({ identity: network.identity('a'), authority: pretender, key })]), 'wrong-issuer');
  const stranger = await leaf({ identity: other.identity('a'), authority: network.rootAuthority, key });
  assert.equal(await verdict([stranger]), 'wrong-network');
});

test('validity counts to the second, with five minutes of skew before', async () => {
  const chain = [await leaf({ identity: network.identity('a'), authority: network.rootAuthority, key })];
  assert.equal(await verdict(chain, 'tls', startMs - clockSkewMs), 'a-00000000');
  assert.equal(await verdict(chain, 'tls', startMs - clockSkewMs - 1000), 'not-yet-valid');
  assert.equal(await verdict(chain, 'tls', startMs + dayMs), 'a-00000000');
  assert.equal(await verdict(chain, 'tls', startMs + dayMs + 1000), 'expired');
});

test('nothing outlives its issuer', async () => {
  const issuer = await delegated({
    identity: network.identity('i'),
    authority: network.rootAuthority,
    key: issuerKey,
    lifetimeMs: dayMs / 2,
  });
  const chain = [
    await leaf({ identity: network.identity('a'), authority: { certificate: issuer, privateKey: issuerKey.key }, key }),
    issuer,
  ];
  const result = await verifyChain(testCrypto, chain, network.root, 'tls', startMs);
  assert.ok(result.accepted);
  assert.equal(result.subject.notAfterMs, startMs + dayMs / 2);
  await assert.rejects(
    leaf({ identity: network.identity('a'), authority: { certificate: issuer, privateKey: issuerKey.key }, key, wallMs: startMs + dayMs }),
    { code: 'issuer-expired' },
  );
});

test('each purpose refuses the certificates of the others', async () => {
  const identity = network.identity('a');
  const authority = network.rootAuthority;
  const certificates = {
    tls: await leaf({ identity, authority, key }),
    membership: await membership({ identity, authority, key }),
    issuer: await delegated({ identity, authority, key }),
  };
  for (const [made, der] of Object.entries(certificates)) {
    for (const used of ['tls', 'membership', 'issuer'] as const) {
      assert.equal(await verdict([der], used), made === used ? 'a-00000000' : 'wrong-purpose', `${made} as ${used}`);
    }
  }
});

test('a leaf, a membership or another site cannot issue', async () => {
  const identity = network.identity('a');
  for (const certificate of [
    await leaf({ identity, authority: network.rootAuthority, key: issuerKey }),
    await membership({ identity, authority: network.rootAuthority, key: issuerKey }),
  ]) {
    const below = await leaf({ identity, authority: { certificate, privateKey: issuerKey.key }, key });
    assert.equal(await verdict([below, certificate]), 'not-an-issuer');
  }
});

test('path length is kept', async () => {
  const identity = network.identity('a');
  for (const [pathLength, lowerPathLength, expected] of [
    [0, 0, 'path-length'],
    [1, 0, 'a-00000000'],
  ] as const) {
    const upper = await delegated({ identity: network.identity('u'), authority: network.rootAuthority, key: issuerKey }, pathLength);
    const lower = await delegated(
      { identity: network.identity('l'), authority: { certificate: upper, privateKey: issuerKey.key }, key: lowerKey },
      lowerPathLength,
    );
    const below = await leaf({ identity, authority: { certificate: lower, privateKey: lowerKey.key }, key });
    assert.equal(await verdict([below, lower, upper]), expected, `${pathLength} over ${lowerPathLength}`);
  }
  const upper = await delegated({ identity: network.identity('u'), authority: network.rootAuthority, key: issuerKey }, 1);
  const greedy = await delegated(
    { identity: network.identity('l'), authority: { certificate: upper, privateKey: issuerKey.key }, key: lowerKey },
    1,
  );
  assert.equal(await verdict([greedy, upper], 'issuer'), 'path-length');
  const generous = await membership({ identity, authority: { certificate: upper, privateKey: issuerKey.key }, key }, true, 1);
  assert.equal(await verdict([generous, upper], 'membership'), 'path-length');
});

test('a delegated issuer is bound to names of its network', async () => {
  const other = await newNetwork();
  const issuer = await delegated({ identity: network.identity('i'), authority: network.rootAuthority, key: issuerKey });
  const authority = { certificate: issuer, privateKey: issuerKey.key };
  assert.equal(await verdict([await leaf({ identity: other.identity('a'), authority, key }), issuer]), 'wrong-network');

  const unbound = await delegated({ identity: other.identity('i'), authority: network.rootAuthority, key: issuerKey });
  const below = await leaf({ identity: network.identity('a'), authority: { certificate: unbound, privateKey: issuerKey.key }, key });
  assert.equal(await verdict([below, unbound]), 'name-constraint');
});

test('a membership allows what all issuers above it allow', async () => {
  const identity = network.identity('a');
  const limits = { advertise: ['db.*', 'web'], consume: ['*'] };
  const upper = await delegated({ identity: network.identity('u'), authority: network.rootAuthority, key: issuerKey }, 1, limits);
  const lowerChoices = { identity: network.identity('l'), authority: { certificate: upper, privateKey: issuerKey.key }, key: lowerKey };
  for (const [lowerLimits, given, advertise] of [
    [{}, ['*'], ['db.*', 'web']],
    [{ advertise: ['db.x.*', 'other'] }, ['*'], ['db.x.*']],
    [{ advertise: ['db.x.*', 'other'] }, ['db.x.1', 'db.y', 'other'], ['db.x.1']],
    [{ advertise: ['other'] }, ['*'], []],
  ] as const) {
    const lower = await delegated(lowerChoices, 0, lowerLimits);
    const authority = { certificate: lower, privateKey: lowerKey.key };
    const below = await membership({ identity, authority, key }, false, 0, { advertise: given, consume: ['web'] });
    const result = await verifyChain(testCrypto, [below, lower, upper], network.root, 'membership', startMs);
    assert.ok(result.accepted);
    assert.deepEqual([result.rights?.advertise, result.rights?.consume], [advertise, ['web']]);
  }
});

test('a verifier that knows the issuers judges each chain as one that does not', async () => {
  const identity = network.identity('a');
  const issuer = await delegated({ identity: network.identity('i'), authority: network.rootAuthority, key: issuerKey });
  const authority = { certificate: issuer, privateKey: issuerKey.key };
  const short = await delegated({ identity: network.identity('i'), authority: network.rootAuthority, key: issuerKey, lifetimeMs: dayMs });
  const below = await membership({ identity, authority, key });
  const forged = Uint8Array.from(below);
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  const foreign = await newNetwork();
  const pretended = await delegated({ identity: network.identity('i'), authority: foreign.rootAuthority, key: issuerKey });
  const chains = [[below, issuer], [forged, issuer], [below, pretended], [below, short], [below], [issuer, below], [below, issuer, issuer]];
  const verifier = new ChainVerifier(testCrypto, network.root);
  for (let round = 0; round < 2; round++) {
    for (const chain of chains) {
      for (const wallMs of [startMs, startMs + 2 * dayMs, startMs - dayMs]) {
        const known = await verifier.verify(chain, 'membership', wallMs);
        assert.equal(known.accepted ? known.identity.routerId : known.code, await verdict(chain, 'membership', wallMs));
      }
    }
  }
});

test('chains are bounded', async () => {
  const one = await leaf({ identity: network.identity('a'), authority: network.rootAuthority, key });
  assert.equal(await verdict(Array.from({ length: 6 }, () => one)), 'unreadable');
  assert.equal(await verdict([new Uint8Array(8193)]), 'unreadable');
});

test('no changed byte of a certificate is accepted', async () => {
  const der = await leaf({ identity: network.identity('a'), authority: network.rootAuthority, key }, ['a.example', '::1']);
  await fc.assert(
    fc.asyncProperty(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), async (at, difference) => {
      const changed = Uint8Array.from(der);
      changed[at] = (changed[at] ?? 0) ^ difference;
      assert.notEqual(await verdict([changed]), 'a-00000000');
    }),
    { numRuns: 300 },
  );
});

test('arbitrary bytes are refused, not thrown at', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
      assert.equal(await verdict([Uint8Array.from(bytes)]), 'unreadable');
    }),
    { numRuns: 300 },
  );
  const nested = new Uint8Array(8192).map((_, at) => [0x30, 0x82, 0x1f, 0xf0][at % 4] ?? 0);
  assert.equal(await verdict([nested]), 'unreadable');
});
