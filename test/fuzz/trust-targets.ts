import { WeatherError } from '../../src/base/errors.ts';
import { decodeCredential, encodeCredential } from '../../src/host/routing-trust.ts';
import { checkDer } from '../../src/pki/der.ts';
import { delegated, membership, newKey, newNetwork, startMs, testCrypto } from '../../src/pki/fixtures.test.ts';
import { decodeMembershipRights, encodeMembershipRights } from '../../src/pki/membership.ts';
import type { MembershipRights } from '../../src/pki/membership.ts';
import { encodePemChain } from '../../src/pki/pem.ts';
import { readCertificate } from '../../src/pki/read-certificate.ts';
import { createRevocation, parseRevocation } from '../../src/pki/revocation.ts';
import { loadX509 } from '../../src/pki/x509-library.ts';
import type { ControlValue } from '../../src/routing/control-message.ts';
import { treatmentOfHint } from '../../src/routing/mobile-addresses.ts';
import { LinkStateContent, writeAddresses, writeLinkState } from '../../src/routing/record-content.ts';
import { readSummary } from '../../src/routing/record-summary.ts';
import { parseRecord, signRecord } from '../../src/routing/signed-record.ts';
import type { SeededRandom } from '../../src/sim/seeded-random.ts';
import { join, mutate } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

/** The longest that routing passes on: a credential of five certificates of 8 KiB. */
const maxInputBytes = 45_000;

const library = await loadX509(testCrypto);
const [network, key, issuerKey] = [await newNetwork(), await newKey(), await newKey()];
const rights: MembershipRights = {
  mayIssue: true,
  pathLength: 1,
  leafLifetimeMs: 86_400_000,
  signingKey: new Uint8Array(32).fill(7),
  advertise: ['db.*', 'web'],
  consume: ['*'],
};
const issuerCertificate = await delegated({ identity: network.identity('issuer'), authority: network.rootAuthority, key: issuerKey }, 2);
const authority = { certificate: issuerCertificate, privateKey: issuerKey.key };
const member = await membership({ identity: network.identity('member'), authority, key }, true, 1, rights);
const credential = encodeCredential(encodePemChain([member, issuerCertificate]));
const issuer = {
  networkId: network.networkId,
  root: network.root,
  authority,
  chain: [issuerCertificate],
  pathLength: 2,
  notAfterMs: startMs,
};
const revoked = { ...network.identity('member'), publicKeyHash: 'ab'.repeat(32) };
const statement = await createRevocation(testCrypto, issuer, revoked, 'left', startMs);

const peer = { routerId: 'beta', cost: 3, isUnsigned: true };
const linkState = new LinkStateContent({
  slots: 3,
  instance: 1,
  linkStateSequence: 2,
  peers: [peer],
  site: new Map<string, ControlValue>([
    ['name', 'a'],
    ['list', [1, true]],
  ]),
});
const addresses = writeAddresses({ mobileSequence: 4, addresses: new Map([['Mdb.x', treatmentOfHint(0)]]) });
const record = { origin: 'alpha', epoch: 5, nonce: new Uint8Array(8), sequence: 6 };
const signer = { keyId: new Uint8Array(16).fill(3), sign: (): Uint8Array => new Uint8Array(64).fill(9) };
const records = [writeLinkState(linkState, 1000).payload, credential, addresses].map(
  (payload, slot) => signRecord({ ...record, slot, payload }, signer).bytes,
);
/** Two origins, with one slot and with two. */
const summary = join(
  ...['alpha', 'beta'].map((origin, at) =>
    join(Uint8Array.of(origin.length), Buffer.from(origin), Uint8Array.of(0, at + 1), new Uint8Array(20 * (at + 1)).fill(1)),
  ),
);

for (const bytes of records) if (parseRecord(bytes)?.isWellFormed !== true) throw new Error('a seed is not a whole record');
if (readSummary(summary)?.size !== 2 || typeof parseRevocation(statement) === 'string') throw new Error('a seed is not whole');

function mutated(...seeds: readonly Uint8Array[]): (random: SeededRandom) => Uint8Array<ArrayBuffer> {
  return (random) => Uint8Array.from(mutate(random.pick(seeds), random.pick(seeds), random, maxInputBytes));
}

function assertSame(one: Uint8Array, other: Uint8Array, what: string): void {
  if (Buffer.compare(one, other) !== 0) throw new Error(`${what} is another one when it is written again`);
}

/** What comes from routers that nothing is known of yet: all of it is read before a signature is looked at. */
export const trustTargets: readonly FuzzTarget[] = [
  {
    name: 'der',
    input: mutated(member, issuerCertificate, network.root),
    run: (input) => {
      try {
        checkDer(Uint8Array.from(input));
      } catch (error) {
        if (!(error instanceof WeatherError)) throw error;
      }
    },
  },
  {
    name: 'certificate',
    input: mutated(member, issuerCertificate, network.root),
    run: (input) => readCertificate(Uint8Array.from(input)),
  },
  {
    name: 'credential',
    input: mutated(credential, member),
    run: (input) => {
      const chain = decodeCredential(Uint8Array.from(input));
      if (chain === undefined) return undefined;
      assertSame(encodeCredential(encodePemChain(chain)), input, 'the credential');
      return chain.map(readCertificate);
    },
  },
  {
    name: 'membership-rights',
    input: mutated(new Uint8Array(encodeMembershipRights(library, rights))),
    run: (input) => {
      const read = decodeMembershipRights(Uint8Array.from(input));
      if (read === undefined) return undefined;
      const written = new Uint8Array(encodeMembershipRights(library, read));
      const again = decodeMembershipRights(written);
      if (again === undefined) throw new Error('rights that were read cannot be written');
      assertSame(new Uint8Array(encodeMembershipRights(library, again)), written, 'what the rights say');
      return read;
    },
  },
  {
    name: 'revocation',
    input: mutated(statement),
    run: (input) => parseRevocation(input),
  },
  {
    name: 'signed-record',
    input: mutated(...records),
    run: (input) => {
      const read = parseRecord(input);
      if (read === undefined) return undefined;
      assertSame(signRecord(read, { keyId: read.keyId, sign: () => read.signature }).bytes, input, 'the record');
      return [read, read.isWellFormed, read.linkState, read.addresses];
    },
  },
  {
    name: 'record-summary',
    input: mutated(summary),
    run: (input) => readSummary(input),
  },
];
