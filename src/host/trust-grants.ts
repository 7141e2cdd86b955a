import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Grant, Redemption } from '../pki/grant.ts';
import { maxGrants } from './trust-folder.ts';
import type { TrustFolder } from './trust-folder.ts';

/** The tokens that a site has issued, in memory as they are on the disk. Its owner makes one change at a time. */
export class TrustGrants {
  readonly #folder: TrustFolder;
  readonly #wallMs: () => number;
  readonly #log: Logger;
  readonly #grants: Map<string, Grant> = new Map<string, Grant>();

  constructor(folder: TrustFolder, wallMs: () => number, log: Logger) {
    this.#folder = folder;
    this.#wallMs = wallMs;
    this.#log = log;
  }

  /** Reads what is there. A grant of another network is left from a crash while this site moved. */
  async load(networkId: string | undefined): Promise<void> {
    for (const grant of await this.#folder.readGrants()) {
      if (grant.networkId === networkId) this.#grants.set(grant.id, grant);
      else await this.#folder.removeGrant(grant.id);
    }
  }

  get(id: string): Grant | undefined {
    return this.#grants.get(id);
  }

  get all(): readonly Grant[] {
    return [...this.#grants.values()];
  }

  async add(grant: Grant): Promise<void> {
    await this.#folder.writeGrant(grant);
    this.#grants.set(grant.id, grant);
  }

  /** Writes the use. When the write fails, memory follows what the disk says; when that cannot be read, the token is void. */
  async useUp(grant: Grant, redemption: Redemption): Promise<void> {
    const used = { ...grant, redemptions: [...grant.redemptions, redemption] };
    try {
      await this.add(used);
    } catch (error) {
      const onDisk = await this.#folder.readGrant(grant.id).catch(() => undefined);
      if (onDisk === undefined) this.#grants.delete(grant.id);
      else this.#grants.set(grant.id, onDisk);
      throw error;
    }
  }

  /** Makes the end of a grant stay, whatever the clock says later. */
  async endExpired(id: string): Promise<void> {
    const grant = this.#grants.get(id);
    if (grant === undefined || grant.endedAtMs !== undefined) return;
    await this.end(grant).catch((error: unknown) => this.#log.warn('end of a token not recorded', { grant: id, reason: String(error) }));
  }

  async end(grant: Grant): Promise<void> {
    await this.add({ ...grant, endedAtMs: this.#wallMs() });
  }

  /** Removes what nobody used and nobody can use any more. Throws WeatherError `too-many-tokens`. */
  async makeRoom(): Promise<void> {
    if (this.#grants.size < maxGrants) return;
    for (const grant of this.#grants.values()) {
      if (grant.redemptions.length > 0 || this.#wallMs() < grant.expiresAtMs) continue;
      await this.#folder.removeGrant(grant.id);
      this.#grants.delete(grant.id);
    }
    if (this.#grants.size < maxGrants) return;
    throw new WeatherError('too-many-tokens', `this site has issued ${maxGrants} tokens that are in use or were used`, {
      remedy: 'issue one token with several redemptions in place of many tokens',
    });
  }

  async forget(): Promise<void> {
    for (const id of this.#grants.keys()) await this.#folder.removeGrant(id);
    this.#grants.clear();
  }
}
