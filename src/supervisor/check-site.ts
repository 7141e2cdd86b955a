import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import type { TrustStore } from '../host/trust-store.ts';
import type { HealthObservation, SeenProbes } from '../site/health-observation.ts';
import { checkFacts } from '../site/check-facts.ts';
import { checkReport, type CheckReport } from '../site/health-report.ts';
import { judgeHealth, oneSidedMs } from '../site/health-rules.ts';
import type { Resource } from '../site/resource-types.ts';
import type { Router } from '../router/router.ts';
import { askNeighbours } from './check-neighbours.ts';
import { probeSite } from './check-probes.ts';
import { skippedChecks } from './observe-health.ts';

const settlePollMs = 100;
/** Links that come and go all the time are not waited for longer. */
const settleLimitMs: number = 2 * oneSidedMs;

export interface CheckOptions {
  readonly namespace: string;
  readonly siteName: string;
  readonly resources: readonly Resource[];
  readonly trust: TrustStore;
  readonly clock: Clock;
  /** Undefined while it does not run. */
  readonly router: Router | undefined;
  readonly nameOf: (routerId: string) => string;
  readonly signal: AbortSignal;
  /** What is seen of the site, asked when the tries are over. */
  readonly observe: (probes: SeenProbes) => HealthObservation;
}

/** Tries what links and connectors lead to, asks the neighbours about their ends of the links, then judges everything that is seen. */
export async function checkSite(options: CheckOptions): Promise<CheckReport> {
  const { namespace, siteName, resources, trust, clock, nameOf, signal } = options;
  const [tried, neighbours] = await Promise.all([
    probeSite({ resources, credentials: trust.tlsCredentials(), networkId: trust.networkId, clock, nameOf, signal }),
    askNeighbours({ router: options.router, clock, nameOf, signal }),
  ]);
  const probes = { ...tried, neighbours };
  const endMs = clock.nowMs() + settleLimitMs;
  let seen = options.observe(probes);
  // What is in motion is looked at again: a link that comes up is told by one end before the other.
  while (seen.oneSided.some(({ sinceMs }) => sinceMs < oneSidedMs) && !signal.aborted && clock.nowMs() < endMs) {
    await sleep(settlePollMs, undefined, { signal }).catch(() => undefined);
    seen = options.observe(probes);
  }
  return checkReport({ namespace, site: siteName, warnings: judgeHealth(seen), skipped: skippedChecks(seen), facts: checkFacts(seen) });
}
