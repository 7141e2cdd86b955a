import type { Clock } from '../base/clock.ts';
import { routedCost } from '../router/inquiries.ts';
import type { Router } from '../router/router.ts';
import { Inquiry, type InquiryEnd } from '../services/inquiry/inquiry.ts';
import { noFields } from '../services/inquiry/inquiry-message.ts';
import { checkName, readLinkView } from '../services/inquiry/link-view.ts';
import type { NeighbourProbe } from '../site/health-observation.ts';

/** A question over a link that is up is answered in milliseconds; a full link may take a second. */
const answerTimeoutMs = 3000;
/** Neighbours that are asked: a check must not become a load. */
const maxNeighbours = 64;

export interface NeighbourOptions {
  readonly router: Router | undefined;
  readonly clock: Clock;
  readonly nameOf: (routerId: string) => string;
  readonly signal: AbortSignal;
}

/** Asks the routers at the other ends of the links what they see of them. */
export async function askNeighbours({ router, clock, nameOf, signal }: NeighbourOptions): Promise<readonly NeighbourProbe[]> {
  if (router === undefined) return [];
  const openedMs = new Map<string, number>();
  for (const { neighbour, openedMs: opened } of router.links) {
    if (!neighbour.isUp) continue;
    openedMs.set(neighbour.routerId, Math.min(opened, openedMs.get(neighbour.routerId) ?? Infinity));
  }
  const asked = [...openedMs].slice(0, maxNeighbours);
  const probes = asked.map(([routerId, opened]) => askNeighbour(router, clock, routerId, nameOf(routerId), opened, signal));
  router.turns.touch();
  return (await Promise.all(probes)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function askNeighbour(
  router: Router,
  clock: Clock,
  routerId: string,
  name: string,
  openedMs: number,
  signal: AbortSignal,
): Promise<NeighbourProbe> {
  const askedMs = clock.nowMs();
  const told = Promise.withResolvers<{ readonly end: InquiryEnd; readonly atMs: number; readonly wallMs: number } | undefined>();
  const inquiry = new Inquiry({
    forwarder: router.forwarder,
    routerId,
    name: checkName,
    body: noFields,
    ended: (end) => told.resolve({ end, atMs: clock.nowMs(), wallMs: clock.wallMs() }),
  });
  const giveUp = (): void => {
    inquiry.cancel();
    told.resolve(undefined);
  };
  const timer = setTimeout(giveUp, answerTimeoutMs);
  signal.addEventListener('abort', giveUp, { once: true });
  inquiry.start();
  const answer = await told.promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', giveUp);
  const probe = {
    routerId,
    name,
    roundTripMs: null,
    uptimeMs: Math.max(0, askedMs - openedMs),
    costHere: routedCost(router, routerId),
    costThere: undefined,
    trust: undefined,
    clock: undefined,
  };
  if (answer === undefined || answer.end.outcome === 'lost') return { ...probe, outcome: 'silent' };
  if (answer.end.outcome !== 'answered') return { ...probe, outcome: 'unable' };
  const view = readLinkView(answer.end.content.body);
  const roundTripMs = answer.atMs - askedMs;
  const seen =
    view.wallMs === undefined
      ? undefined
      : { routerId, name, aheadMs: view.wallMs - (answer.wallMs - roundTripMs / 2), uncertaintyMs: roundTripMs / 2 };
  return { ...probe, outcome: 'answered', roundTripMs, costThere: view.routedCost, trust: view.trust, clock: seen };
}
