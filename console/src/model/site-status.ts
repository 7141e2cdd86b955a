/** The answer about the observer's site, and the observer itself. */
export interface SiteAnswer {
  readonly status: SiteStatus;
  readonly check?: CheckReport;
  readonly observer?: ObserverState;
}

export interface ObserverState {
  readonly version: string;
  readonly startedMs: number;
  readonly connected: boolean;
  /** Routers that tell records. */
  readonly sources: number;
  readonly history: { readonly state: string; readonly message: string | null; readonly lost: number; readonly bytes: number };
}

/** What `van check` finds. */
export interface CheckReport {
  readonly success: boolean;
  readonly categories: readonly { readonly name: string; readonly checks: readonly Check[] }[];
}

export interface Check {
  readonly code: string;
  readonly description: string;
  readonly result: 'ok' | 'info' | 'warning' | 'error' | 'follows' | 'skipped';
  readonly problems: readonly { readonly text: string; readonly evidence: string; readonly remedy: string }[];
}

/** What is used of the status of the observer's own site: its resources, and what the network lets it do. */
export interface SiteStatus {
  readonly site: { readonly name: string; readonly namespace: string; readonly routerId: string };
  readonly version: string;
  readonly trust: SiteTrust;
  readonly resources: readonly SiteResource[];
}

export interface SiteTrust {
  readonly state: 'none' | 'founder' | 'member';
  readonly networkId: string | null;
  /** RFC 3339. */
  readonly leafExpires: string | null;
  readonly membershipEnds: string | null;
  readonly mayIssue: boolean;
  readonly signs: boolean;
  readonly advertise: readonly string[] | null;
  readonly consume: readonly string[] | null;
  readonly revokedSites: readonly RevokedSite[];
}

export interface RevokedSite {
  readonly routerId: string;
  readonly name: string;
  /** RFC 3339. */
  readonly revokedAt: string;
  readonly reason: string;
  readonly by: string | null;
}

export interface SiteResource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** A token that this site gives (`grant`) or uses (`token`). */
export interface TokenRow {
  readonly kind: 'AccessGrant' | 'AccessToken';
  readonly name: string;
  /** `Ready`, `Pending`, `Error`, or what the site says. */
  readonly status: string;
  readonly message: string;
  readonly url: string;
  readonly redemptions: number | null;
  readonly redemptionsAllowed: number | null;
  readonly expiresMs: number | null;
}

/** The access grants and tokens among the resources. Codes of tokens are left out. */
export function tokenRows(resources: readonly SiteResource[]): readonly TokenRow[] {
  return resources.flatMap(({ kind, metadata, spec, status = {} }): TokenRow[] => {
    if (kind !== 'AccessGrant' && kind !== 'AccessToken') return [];
    const isGrant = kind === 'AccessGrant';
    return [
      {
        kind,
        name: metadata.name,
        status: textOf(status['status']) ?? (status['redeemed'] === true ? 'Redeemed' : 'Pending'),
        message: textOf(status['message']) ?? '',
        url: textOf(isGrant ? status['url'] : spec['url']) ?? '',
        redemptions: isGrant ? (numberOf(status['redemptions']) ?? 0) : status['redeemed'] === true ? 1 : 0,
        redemptionsAllowed: isGrant ? (numberOf(spec['redemptionsAllowed']) ?? 1) : 1,
        expiresMs: timeOf(status['expirationTime']),
      },
    ];
  });
}

/** RFC 3339 as milliseconds; null when it is none. */
export function timeOf(value: unknown): number | null {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
