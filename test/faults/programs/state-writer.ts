/**
 * A site's trust store on a disk that is full, or that is written until this process is killed. `node state-writer.ts MODE FOLDER`:
 *
 *     write   changes the state without end; says `writing` once it has begun
 *     load    opens the state and says what it holds, as JSON
 *     full    fills the disk, tries everything that writes, makes room and tries again; says what happened, as JSON
 */
import { randomFillSync, webcrypto } from 'node:crypto';
import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { WeatherError } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { TrustStore } from '../../../src/host/trust-store.ts';
import type { PkiCrypto } from '../../../src/pki/pki-crypto.ts';

export interface LoadedState {
  readonly routerId: string | undefined;
  readonly grants: number;
  /** Grants whose record says more uses than the token allows. */
  readonly overused: number;
}

export interface FullDisk {
  /** Operations that did not fail with `disk-full` while the disk was full, and what they did instead. */
  readonly wrong: readonly string[];
  /** Redemptions that were answered although their use could not be written. */
  readonly admittedUnrecorded: number;
  /** Operations that still fail after there was room again, without a restart. */
  readonly stuck: readonly string[];
}

const [mode = '', folder = ''] = process.argv.slice(2);
const crypto: PkiCrypto = {
  subtle: webcrypto.subtle as SubtleCrypto,
  random: { fill: (target) => void randomFillSync(target), number: () => Math.random() },
};
const options = { wallMs: () => Date.now(), crypto, log: silentLogger };
const endpoint = { host: 'x', port: 1 };

async function write(): Promise<void> {
  const store = await TrustStore.open(join(folder, 'site'), options);
  if (store.state === 'none') await store.foundNetwork('aws', []);
  console.log('writing');
  for (let round = 0; ; round++) {
    const token = await store.issueToken(endpoint, {});
    await store.setHosts([`h${round}.example`]);
    await store.renewLocally();
    await store.revokeToken(token.grantId);
    // A store keeps a thousand tokens; a new one begins with an empty shelf.
    if (store.grants.length > 900) return;
  }
}

async function load(): Promise<LoadedState> {
  await using store = await TrustStore.open(join(folder, 'site'), options);
  const overused = store.grants.filter(({ redemptions, redemptionsAllowed }) => redemptions.length > redemptionsAllowed).length;
  return { routerId: store.routerId, grants: store.grants.length, overused };
}

/** Appends until nothing more fits. */
function fill(file: string): void {
  for (let size = 65_536; size >= 1; size = Math.floor(size / 2)) {
    try {
      for (;;) appendFileSync(file, Buffer.alloc(size));
    } catch {
      // Full for pieces of this size.
    }
  }
}

async function full(): Promise<FullDisk> {
  await using store = await TrustStore.open(join(folder, 'site'), options);
  await store.foundNetwork('aws', []);
  // Its folder is not on the full disk: it is another host.
  await using joiner = await TrustStore.open(process.argv[4] ?? '', options);
  const token = await store.issueToken(endpoint, {});
  const { request } = await joiner.beginRedemption(token, 'laptop', []);
  const filler = join(folder, 'filler');
  fill(filler);
  let admittedUnrecorded = 0;
  const redeem = async (): Promise<void> => {
    const { outcome } = await store.redeem(token.grantId, request, '192.0.2.1');
    if (outcome !== 'admitted') throw new Error(`redemption ${outcome}`);
  };
  const operations: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['issue', async () => await store.issueToken(endpoint, {})],
    ['renew', async () => await store.renewLocally()],
    ['hosts', async () => await store.setHosts(['other.example'])],
    ['redeem', redeem],
  ];
  const wrong: string[] = [];
  for (const [name, operation] of operations) {
    try {
      await operation();
      wrong.push(`${name} succeeded`);
      if (name === 'redeem') admittedUnrecorded++;
    } catch (error) {
      if (!(error instanceof WeatherError) || error.code !== 'disk-full') wrong.push(`${name}: ${(error as Error).message}`);
    }
  }
  rmSync(filler);
  const stuck: string[] = [];
  for (const [name, operation] of operations) await operation().catch((error: unknown) => void stuck.push(`${name}: ${String(error)}`));
  return { wrong, admittedUnrecorded, stuck };
}

if (mode === 'write') await write();
else console.log(JSON.stringify(mode === 'load' ? await load() : await full()));
