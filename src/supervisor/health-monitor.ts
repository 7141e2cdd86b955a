import type { Audit, AuditEvent, AuditEventName } from '../base/audit.ts';
import type { RoutingEvent } from '../routing/events.ts';
import type { HealthObservation, OneSidedLink, SeenEvent, SeenSite } from '../site/health-observation.ts';

/** Losses of a neighbour, limits and events count for this long: what happened before is in the log. */
const watchedMs: number = 10 * 60_000;
/** A site that was lost is told for this long. */
const lostMs: number = 3_600_000;
/** Things remembered of each kind: routers and addresses of peers. The oldest is forgotten. */
const maxRemembered = 256;
/** Times remembered of one thing: more than any threshold. */
const maxTimes = 64;
const maxEvidenceLength = 256;

/** Which events of the audit log somebody should look at soon, and what about them is a name. */
const watched: Readonly<Partial<Record<AuditEventName, { readonly kind: SeenEvent['kind']; readonly about: readonly string[] }>>> = {
  identityConflict: { kind: 'identity-conflict', about: ['router'] },
  quarantined: { kind: 'router-quarantined', about: ['router'] },
  recordRefused: { kind: 'routing-refused', about: ['router'] },
  grantViolation: { kind: 'grant-violation', about: ['router'] },
  deliveryRefused: { kind: 'grant-violation', about: ['router'] },
  linkRefused: { kind: 'link-refused', about: ['router', 'from'] },
  unsignedRefused: { kind: 'link-refused', about: ['router', 'from'] },
};

interface Remembered {
  readonly about: string;
  readonly kind: string;
  /** Monotonic, the last ones. */
  times: readonly number[];
  evidence: string;
}

/**
 * Remembers for a while what happened, so that warnings can tell of what is over: lost links and sites, limits, refusals. It passes
 * the events of the audit log on.
 */
export class HealthMonitor implements Audit {
  readonly #next: Audit;
  readonly #nowMs: () => number;
  readonly #losses = new Map<string, Remembered>();
  readonly #limits = new Map<string, Remembered>();
  readonly #events = new Map<string, Remembered>();
  /** Sites that cannot be reached any more: name, and when that was seen. */
  readonly #lost = new Map<string, { readonly name: string; readonly atMs: number; readonly lastSeenMs: number }>();
  /** Links that one end reports, with the time since when. */
  #oneSided: ReadonlyMap<string, number> = new Map();
  #isFenced = false;

  constructor(next: Audit, nowMs: () => number) {
    this.#next = next;
    this.#nowMs = nowMs;
  }

  record(event: AuditEvent): void {
    this.#next.record(event);
    const entry = watched[event.event];
    if (entry === undefined) return;
    const about = entry.about.map((key) => event.fields[key]).find((value) => typeof value === 'string') ?? '';
    const others = Object.entries(event.fields).filter(
      ([key, value]) => !entry.about.includes(key) && value !== undefined && value !== null,
    );
    const evidence = others.map(([key, value]) => `${key} ${String(value)}`).join(', ');
    this.#remember(this.#events, entry.kind, about, evidence.slice(0, maxEvidenceLength));
  }

  /** An event of the site's router. `nameOf` gives the name of the site of a router, `wallMs` is now. */
  routingEvent(event: RoutingEvent, nameOf: (routerId: string) => string, wallMs: number): void {
    switch (event.type) {
      case 'neighbourDown':
        this.#remember(this.#losses, nameOf(event.routerId), event.routerId, '');
        return;
      case 'routerUnreachable':
        this.#lost.delete(event.routerId);
        this.#lost.set(event.routerId, { name: nameOf(event.routerId), atMs: this.#nowMs(), lastSeenMs: wallMs });
        dropOldest(this.#lost);
        return;
      case 'routerReachable':
        this.#lost.delete(event.routerId);
        return;
      case 'limitReached':
        this.#remember(this.#limits, '', event.limit, '');
        return;
      case 'originOverQuota':
        this.#remember(this.#limits, '', `${event.quota} of ${nameOf(event.routerId)}`, '');
        return;
      case 'fenced':
        this.#isFenced = true;
        return;
      default:
    }
  }

  /** The router was replaced: what was known through it counts no more. */
  routerReplaced(): void {
    this.#isFenced = false;
    this.#lost.clear();
    this.#losses.clear();
    this.#oneSided = new Map();
  }

  /** Links that only one of two reachable routers reports, and how long they have been seen so by whoever asks here. */
  oneSidedLinks(sites: readonly SeenSite[]): readonly OneSidedLink[] {
    const nowMs = this.#nowMs();
    const peers = new Map(sites.map((site) => [site.routerId, new Set(site.peers.map(({ routerId }) => routerId))]));
    const links: OneSidedLink[] = [];
    const since = new Map<string, number>();
    for (const [from, itsPeers] of peers) {
      for (const to of itsPeers) {
        if (peers.get(to)?.has(from) !== false || links.length === maxRemembered) continue;
        const key = `${from} ${to}`;
        const firstMs = this.#oneSided.get(key) ?? nowMs;
        since.set(key, firstMs);
        links.push({ from, to, sinceMs: nowMs - firstMs });
      }
    }
    this.#oneSided = since;
    return links;
  }

  get isFenced(): boolean {
    return this.#isFenced;
  }

  get losses(): HealthObservation['losses'] {
    return this.#recent(this.#losses).map(({ about, kind, times }) => ({ routerId: about, name: kind, count: times.length }));
  }

  get limits(): HealthObservation['limits'] {
    return this.#recent(this.#limits).map(({ about, times }) => ({ limit: about, count: times.length }));
  }

  get events(): readonly SeenEvent[] {
    return this.#recent(this.#events).map(({ about, kind, times, evidence }) => ({
      kind: kind as SeenEvent['kind'],
      about,
      count: times.length,
      evidence,
    }));
  }

  get lost(): HealthObservation['lost'] {
    const nowMs = this.#nowMs();
    return [...this.#lost]
      .filter(([, { atMs }]) => nowMs - atMs < lostMs)
      .map(([routerId, { name, lastSeenMs }]) => ({ routerId, name, lastSeenMs }));
  }

  #remember(where: Map<string, Remembered>, kind: string, about: string, evidence: string): void {
    const key = `${kind} ${about}`;
    const nowMs = this.#nowMs();
    const known = where.get(key);
    const times = known?.times.filter((timeMs) => nowMs - timeMs < watchedMs).slice(1 - maxTimes) ?? [];
    where.delete(key);
    where.set(key, { about, kind, times: [...times, nowMs], evidence });
    dropOldest(where);
  }

  #recent(where: ReadonlyMap<string, Remembered>): readonly Remembered[] {
    const nowMs = this.#nowMs();
    return [...where.values()]
      .map((one) => ({ ...one, times: one.times.filter((timeMs) => nowMs - timeMs < watchedMs) }))
      .filter(({ times }) => times.length > 0);
  }
}

function dropOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys();
  if (map.size > maxRemembered && oldest !== undefined) map.delete(oldest);
}
