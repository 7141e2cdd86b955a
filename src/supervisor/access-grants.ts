import { WeatherError } from '../base/errors.ts';
import type { TrustStore } from '../host/trust-store.ts';
import { parseAccessToken, type AccessToken } from '../pki/access-token.ts';
import type { Grant, GrantOptions } from '../pki/grant.ts';
import { redeemPathPrefix } from '../pki/redemption-protocol.ts';
import type { Withheld } from '../site/derive.ts';
import { addressSettings, readPatterns } from '../site/resource-tables.ts';
import { parseDuration } from '../site/duration.ts';
import type { ResourceOf } from '../site/resource-types.ts';
import type { GrantState, ReportedResource } from '../site/status.ts';

/** Where a token is redeemed. */
export function tokenUrl({ host, port, grantId }: AccessToken): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}${redeemPathPrefix}${grantId}`;
}

/** What is known of an issued grant only until the process ends: the disk has no more than a hash of the code. */
interface Issued {
  readonly url: string;
  readonly code: string;
  readonly ca: string;
}

function grantedPatterns(settings: Readonly<Record<string, string>> | undefined): Partial<Pick<GrantOptions, 'advertise' | 'consume'>> {
  const named = addressSettings.filter((name) => settings !== undefined && Object.hasOwn(settings, name));
  return Object.fromEntries(named.map((name) => [name, readPatterns(settings?.[name] ?? '')]));
}

/** AccessGrant resources: each stands for a grant of the trust store of the same name. */
export class AccessGrants {
  readonly #trust: TrustStore;
  /** By grant id. */
  readonly #issued = new Map<string, Issued>();
  /** Why there is no grant, by resource name. */
  readonly #errors = new Map<string, string>();
  #names: readonly string[] = [];

  constructor(trust: TrustStore) {
    this.#trust = trust;
  }

  /** Issues what is missing. Failures are kept for status. */
  async issue(
    resources: readonly ResourceOf<'AccessGrant'>[],
    issueToken: (options: GrantOptions) => Promise<{ readonly token: string }>,
  ): Promise<void> {
    this.#names = resources.map(({ metadata }) => metadata.name);
    for (const { metadata, spec } of resources) {
      const { name } = metadata;
      if (this.#grant(name) !== undefined) continue;
      try {
        const { token } = await issueToken({
          name,
          ...(spec.redemptionsAllowed === undefined ? {} : { redemptions: spec.redemptionsAllowed }),
          ...grantedPatterns(spec.settings),
          ...(spec.expirationWindow === undefined ? {} : { expirationWindowMs: parseDuration(spec.expirationWindow) ?? 0 }),
        });
        const parsed = parseAccessToken(token, `AccessGrant '${name}'`);
        this.#issued.set(parsed.grantId, { url: tokenUrl(parsed), code: parsed.code, ca: parsed.ca });
        this.#errors.delete(name);
      } catch (error) {
        if (!(error instanceof WeatherError)) throw error;
        this.#errors.set(name, error.message);
      }
    }
  }

  /** The resource is gone: nobody can redeem its token any more. */
  async removed(name: string): Promise<void> {
    this.#names = this.#names.filter((other) => other !== name);
    this.#errors.delete(name);
    const grant = this.#grant(name);
    if (grant !== undefined) await this.#trust.revokeToken(grant.id);
  }

  /** The grant that a resource stands for: the latest of its name that was not revoked. */
  #grant(name: string): Grant | undefined {
    return this.#trust.grants
      .filter((grant) => grant.name === name && !(grant.endedAtMs !== undefined && grant.endedAtMs < grant.expiresAtMs))
      .sort((a, b) => b.createdAtMs - a.createdAtMs)[0];
  }

  states(): ReadonlyMap<string, GrantState> {
    const states = new Map<string, GrantState>();
    for (const name of this.#names) {
      const grant = this.#grant(name);
      if (grant === undefined) continue;
      const [link] = grant.links;
      const url = link === undefined ? '' : tokenUrl({ ...link, name, grantId: grant.id, code: '', ca: '', linkCost: 1 });
      const ca = this.#trust.tlsCredentials()?.ca ?? '';
      states.set(name, { url, ca, redemptions: grant.redemptions.length, expirationTime: new Date(grant.expiresAtMs).toISOString() });
    }
    return states;
  }

  /** Resources whose grant could not be issued, with the reason. */
  get withheld(): ReadonlyMap<string, Withheld> {
    return new Map([...this.#errors].map(([name, message]) => [`AccessGrant/${name}`, { reason: 'Error', message } as const]));
  }

  /** Adds the code to the status of grants issued by this process. After a restart nobody knows it any more. */
  withCodes(resources: readonly ReportedResource[]): readonly ReportedResource[] {
    return resources.map((resource) => {
      if (resource.kind !== 'AccessGrant' || resource.status === undefined) return resource;
      const issued = this.#issued.get(this.#grant(resource.metadata.name)?.id ?? '');
      return issued === undefined ? resource : { ...resource, status: { ...resource.status, code: issued.code } };
    });
  }
}
