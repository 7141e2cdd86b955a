import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeatherError } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { Revocations } from '../host/revocations.ts';
import { SiteRoutingTrust } from '../host/routing-trust.ts';
import type { SigningCredentials } from '../host/routing-trust.ts';
import type { SigningEntity } from '../management/entities.ts';
import { decodeOnePem } from '../pki/pem.ts';

/** What makes a router sign, as its signing entity says. */
export interface RouterSigning extends AsyncDisposable {
  readonly entity: SigningEntity;
  readonly trust: SiteRoutingTrust;
  readonly revocations: Revocations;
}

export interface SigningDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Kept by somebody else; by default in the entity's state folder. */
  readonly revocations?: Revocations;
}

/**
 * Begins a life of a router that signs. Throws WeatherError `disk-full`, `state-not-writable` or `certificate-not-readable` and InputError
 * `bad-key`, `bad-pem`, `state-damaged`: the router must then not run, for others would take what it says unsigned for a forgery.
 */
export async function openSigning(entity: SigningEntity, dependencies: SigningDependencies): Promise<RouterSigning> {
  const { clock, random } = dependencies;
  const log = dependencies.log.child('signing');
  const credentials = await readSigningCredentials(entity);
  await using owned = new AsyncDisposableStack();
  const crypto = { subtle: globalThis.crypto.subtle, random };
  const root = decodeOnePem('CERTIFICATE', credentials.ca, entity.caCertFile);
  const revocations =
    dependencies.revocations ?? owned.use(await Revocations.open(join(entity.stateFolder, 'revocations'), { crypto, root, log }));
  const wallMs = (): number => clock.wallMs();
  const trust = owned.use(
    await SiteRoutingTrust.open({ credentials, stateFolder: entity.stateFolder, revocations, crypto, random, wallMs, log }),
  );
  const kept = owned.move();
  return { entity, trust, revocations, [Symbol.asyncDispose]: async (): Promise<void> => kept[Symbol.asyncDispose]() };
}

/** The files that the entity names. Throws WeatherError `certificate-not-readable`. */
export async function readSigningCredentials(entity: SigningEntity): Promise<SigningCredentials> {
  const [ca, membership, key] = await Promise.all([
    readText(entity.caCertFile),
    readText(entity.membershipFile),
    readText(entity.privateKeyFile),
  ]);
  return { ca, membership, key };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new WeatherError('certificate-not-readable', `cannot read ${path}: ${code}`, { cause });
  }
}
