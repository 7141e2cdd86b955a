import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../base/log.ts';
import { dayMs, systemRandom, testCrypto } from '../pki/fixtures.test.ts';
import { createRevocation } from '../pki/revocation.ts';
import type { Credential } from '../routing/trust.ts';
import { Revocations } from './revocations.ts';
import { SiteRoutingTrust, decodeCredential } from './routing-trust.ts';
import { issuerOf } from './site-identity.ts';
import { TrustFolder } from './trust-folder.ts';
import { joinDirectly, newSites } from './trust-fixtures.test.ts';
import type { Sites } from './trust-fixtures.test.ts';
import type { TrustStore } from './trust-store.ts';
import { decodeOnePem } from '../pki/pem.ts';

const endpoint = { host: '192.0.2.10', port: 55671 };

interface Signer extends AsyncDisposable {
  readonly trust: SiteRoutingTrust;
  readonly revocations: Revocations;
  /** What a credential proves once it is decided. */
  decided(bytes: Uint8Array): Promise<Credential | 'refused'>;
}

async function signer(sites: Sites, store: TrustStore, name: string): Promise<Signer> {
  const credentials = store.signingCredentials;
  assert.ok(credentials);
  const root = decodeOnePem('CERTIFICATE', credentials.ca, 'root');
  const folder = join(sites.folder, `${name}-signing`);
  const revocations = await Revocations.open(join(folder, 'revocations'), { crypto: testCrypto, root, log: silentLogger });
  const { wallMs } = sites.options;
  const options = { credentials, stateFolder: folder, revocations, crypto: testCrypto, random: systemRandom, wallMs, log: silentLogger };
  const trust = await SiteRoutingTrust.open(options);
  return {
    trust,
    revocations,
    async decided(bytes) {
      for (let verdict = trust.credentialOf(bytes); ; verdict = trust.credentialOf(bytes)) {
        if (verdict !== 'pending') return verdict;
        await sleep(2);
      }
    },
    async [Symbol.asyncDispose]() {
      await trust[Symbol.asyncDispose]();
      await revocations[Symbol.asyncDispose]();
    },
  };
}

/** A founder, an issuer below it, and a site that the issuer admitted. */
async function threeSites(sites: Sites): Promise<{ aws: TrustStore; azure: TrustStore; laptop: TrustStore }> {
  const [aws, azure, laptop] = [await sites.open('aws'), await sites.open('azure'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await joinDirectly(aws, azure, await aws.issueToken(endpoint, { issuer: true }), 'azure');
  await joinDirectly(azure, laptop, await azure.issueToken(endpoint, { advertise: ['db.*'], consume: ['web'] }), 'laptop');
  return { aws, azure, laptop };
}

async function statementBy(sites: Sites, store: TrustStore, name: string, revoked: TrustStore): Promise<Uint8Array<ArrayBuffer>> {
  await store[Symbol.asyncDispose]();
  await using folder = await TrustFolder.open(join(sites.folder, name));
  const identity = await folder.readIdentity();
  assert.ok(identity && revoked.identity);
  const issuer = await issuerOf(testCrypto, identity);
  assert.ok(issuer);
  return createRevocation(testCrypto, issuer, { ...revoked.identity, publicKeyHash: '' }, 'test', sites.options.wallMs());
}

test('what one router signs another one verifies, by the credential alone', async () => {
  await using sites = await newSites();
  const { aws, laptop } = await threeSites(sites);
  await using one = await signer(sites, aws, 'aws');
  await using other = await signer(sites, laptop, 'laptop');
  const credential = await one.decided(Uint8Array.from(other.trust.credential));
  assert.ok(credential !== 'refused');
  assert.deepEqual([credential.routerId, credential.siteName], [laptop.routerId, 'laptop']);
  assert.deepEqual(
    [credential.advertise.allows('db.x'), credential.advertise.allows('web'), credential.consume.allows('web')],
    [true, false, true],
  );
  const said = new Uint8Array([1, 2, 3]);
  const signature = other.trust.sign(said);
  assert.equal(signature.length, 64);
  assert.equal(one.trust.verify(credential, said, signature), true);
  assert.equal(one.trust.verify(credential, new Uint8Array([1, 2, 4]), signature), false);
  assert.equal(one.trust.verify(credential, said, one.trust.sign(said)), false);
});

test('credentials of another network, cut short or with octets changed are refused', async () => {
  await using sites = await newSites();
  await using others = await newSites();
  const { aws, laptop } = await threeSites(sites);
  const foreign = await threeSites(others);
  await using one = await signer(sites, aws, 'aws');
  await using other = await signer(sites, laptop, 'laptop');
  await using stranger = await signer(others, foreign.laptop, 'laptop');
  const { credential } = other.trust;
  const changed = Uint8Array.from(credential);
  changed[60] = (changed[60] ?? 0) ^ 1;
  for (const bytes of [stranger.trust.credential, credential.slice(0, -1), credential.slice(0, 400), changed, new Uint8Array(0)]) {
    assert.equal(await one.decided(bytes), 'refused');
  }
  assert.equal(decodeCredential(Uint8Array.of(0, 0)), undefined);
});

test('each life has a higher epoch and another nonce, and a fight-back raises it durably', async () => {
  await using sites = await newSites();
  const { aws } = await threeSites(sites);
  const lives: { epoch: number; nonce: string }[] = [];
  for (let life = 0; life < 2; life++) {
    await using one = await signer(sites, aws, 'aws');
    lives.push({ epoch: one.trust.epoch, nonce: Buffer.from(one.trust.nonce).toString('hex') });
    if (life === 1) assert.equal(await one.trust.raiseEpoch(41), 42);
  }
  assert.deepEqual(
    lives.map(({ epoch }) => epoch),
    [1, 2],
  );
  assert.notEqual(lives[0]?.nonce, lives[1]?.nonce);
  await using later = await signer(sites, aws, 'aws');
  assert.equal(later.trust.epoch, 43);
});

test('without a place for its epoch a router does not begin to sign', async () => {
  await using sites = await newSites();
  const { aws } = await threeSites(sites);
  const folder = join(sites.folder, 'aws-signing');
  await mkdir(folder);
  // A folder in the place of the file: the write fails, as it does on a full disk.
  await mkdir(join(folder, 'epoch'));
  await assert.rejects(signer(sites, aws, 'aws'), { code: 'state-not-readable' });
  const damaged = join(sites.folder, 'laptop-signing');
  await mkdir(damaged);
  await writeFile(join(damaged, 'epoch'), 'seven');
  await assert.rejects(signer(sites, aws, 'laptop'), { code: 'state-damaged' });
});

test('a credential ends with its certificates, with tolerance for clocks that differ', async () => {
  await using sites = await newSites();
  const { aws, laptop } = await threeSites(sites);
  await using one = await signer(sites, aws, 'aws');
  await using other = await signer(sites, laptop, 'laptop');
  const holds = async (offsetMs: number): Promise<boolean> => {
    sites.offsetMs = offsetMs;
    return (await one.decided(other.trust.credential)) !== 'refused';
  };
  assert.deepEqual([await holds(0), await holds(-9 * 60_000), await holds(-11 * 60_000)], [true, true, false]);
  assert.deepEqual([await holds(365 * dayMs), await holds(365 * dayMs + 6 * 60_000), await holds(0)], [true, false, true]);
});

test('an issuer revokes those it admitted and nobody else; the root revokes all, and with an issuer all below it', async () => {
  await using sites = await newSites();
  const { aws, azure, laptop } = await threeSites(sites);
  await using one = await signer(sites, aws, 'aws');
  const credentials = [aws, azure, laptop].map((store) => store.signingCredentials?.membership ?? '');
  await using judge = await signer(sites, laptop, 'laptop');
  await using second = await signer(sites, azure, 'azure');
  const bytes = [one.trust.credential, second.trust.credential, judge.trust.credential];
  const refused = async (): Promise<boolean[]> => Promise.all(bytes.map(async (item) => (await one.decided(item)) === 'refused'));
  assert.equal(credentials.length, 3);
  assert.deepEqual(await refused(), [false, false, false]);

  // Below the issuer that revokes: not the founder, whose membership comes from the root.
  await one.revocations.add(await statementBy(sites, azure, 'azure', aws));
  assert.deepEqual(await refused(), [false, false, false]);
  const byRoot = await statementBy(sites, aws, 'aws', azure);
  await one.revocations.add(byRoot);
  assert.deepEqual(await refused(), [false, true, true]);
  assert.equal(one.trust.statementOf(byRoot), 'accepted');
});

test('a statement from another router holds once verified, and again after a restart', async () => {
  await using sites = await newSites();
  const { aws, laptop } = await threeSites(sites);
  let statement: Uint8Array<ArrayBuffer> | undefined;
  {
    await using other = await signer(sites, laptop, 'laptop');
    statement = await statementBy(sites, aws, 'aws', laptop);
    assert.equal(other.trust.statementOf(statement), 'pending');
    assert.equal(await other.revocations.decided(statement), 'accepted');
    assert.equal(other.trust.statementOf(statement), 'accepted');
    assert.equal(await other.decided(other.trust.credential), 'refused');
    const forged = Uint8Array.from(statement);
    forged[forged.length - 3] = 0;
    forged[30] = (forged[30] ?? 0) ^ 1;
    assert.equal(other.trust.statementOf(forged), 'pending');
    assert.equal(await other.revocations.decided(forged), 'refused');
    assert.equal(other.trust.statementOf(forged), 'refused');
  }
  await using again = await signer(sites, laptop, 'laptop');
  assert.deepEqual(again.trust.statements, [statement]);
  assert.equal((await readFile(join(sites.folder, 'laptop-signing', 'epoch'), 'utf8')).trim(), '2');
});
