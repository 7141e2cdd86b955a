import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeatherError } from '../../base/errors.ts';
import type { StoredIdentity } from '../../host/trust-folder.ts';

/** What a host shows to the others, and what it asks of them. */
export interface HostCredentials {
  /** PEM. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly networkId: string;
  /** What its certificate calls it. */
  readonly siteName: string;
}

/**
 * The identity in a site's trust folder, which the site itself may have open: it replaces the file as a whole when it renews.
 * Throws WeatherError `trust-missing` or `trust-damaged`.
 */
export async function readCredentials(trustFolder: string): Promise<HostCredentials> {
  const path = join(trustFolder, 'identity.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new WeatherError('trust-missing', `cannot read ${path}: ${(cause as NodeJS.ErrnoException).code ?? 'unknown'}`, {
      cause,
      remedy: 'name the trust folder of a site that is in the network: van site create, or van token redeem',
    });
  }
  const damaged = (cause?: unknown): WeatherError => new WeatherError('trust-damaged', `${path} is not an identity`, { cause });
  let identity: Partial<StoredIdentity> | null;
  try {
    identity = JSON.parse(text) as Partial<StoredIdentity> | null;
  } catch (cause) {
    throw damaged(cause);
  }
  const { root: ca, certificate: cert, siteKey: key, networkId, siteName } = identity ?? {};
  if (ca === undefined || cert === undefined || key === undefined || networkId === undefined || siteName === undefined) throw damaged();
  return { ca, cert, key, networkId, siteName };
}
