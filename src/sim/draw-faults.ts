import type { Fault, FaultKind } from './fault.ts';
import type { SeededRandom } from './seeded-random.ts';

/** What there is that faults can happen to. */
export interface FaultSpace {
  readonly routers: number;
  readonly cables: number;
  readonly offers: number;
  readonly safetyMs: number;
  readonly hostileAt: number | undefined;
  /** All routers sign. */
  readonly isStrict: boolean;
  /** The hostile one does, too. */
  readonly hostileSigns: boolean;
}

/** Faults per second, at most, of the kinds that may come often. */
type FrequentKind = Exclude<FaultKind, 'revoke' | 'clone'>;
const maxRates: Readonly<Record<FrequentKind, number>> = {
  break: 0.5,
  block: 0.5,
  partition: 0.1,
  crash: 0.2,
  pause: 0.2,
  clock: 0.2,
  impair: 0.3,
  flap: 0.05,
  withdraw: 0.3,
  hostile: 3,
};

/** Each kind is enabled by a toss, with a random rate. */
export function drawFaults(random: SeededRandom, space: FaultSpace): Fault[] {
  const faults: Fault[] = [];
  for (const [kind, maxRate] of Object.entries(maxRates) as [FrequentKind, number][]) {
    const own = random.split(kind);
    if (kind === 'hostile' ? space.hostileAt === undefined : own.chance(0.5)) continue;
    const rate = own.number() * maxRate;
    for (let atMs = 1000 + nextGapMs(own, rate); atMs < space.safetyMs; atMs += nextGapMs(own, rate)) {
      faults.push(drawFault(own, kind, Math.round(atMs), space));
    }
  }
  const rare = space.isStrict ? drawTrustFault(random.split('trust'), space) : undefined;
  if (rare !== undefined) faults.push(rare);
  return faults.toSorted((a, b) => a.atMs - b.atMs);
}

/** A router, or the hostile one, is revoked; or a router's state is copied and runs twice; mostly neither. One of them in a run, at most. */
function drawTrustFault(random: SeededRandom, { routers, safetyMs, hostileAt, hostileSigns }: FaultSpace): Fault | undefined {
  const kind = random.number();
  const atMs = Math.round(random.between(0.1, 0.95) * safetyMs);
  const router = random.below(routers);
  const other = (router + 1 + random.below(Math.max(1, routers - 1))) % routers;
  const ofHostile = hostileSigns && hostileAt !== undefined && random.chance(0.5);
  if (routers < 2) return undefined;
  if (kind < 0.3) return { atMs, kind: 'revoke', router: ofHostile ? null : router, by: other };
  if (kind > 0.5) return undefined;
  return { atMs, kind: 'clone', router, to: other, delayMs: Math.round(random.pick([1, 5, 60])), wins: random.chance(0.5) };
}

function nextGapMs(random: SeededRandom, perSecond: number): number {
  return (-Math.log(1 - random.number()) * 1000) / perSecond;
}

function drawFault(random: SeededRandom, kind: FrequentKind, atMs: number, space: FaultSpace): Fault {
  const cable = random.below(space.cables);
  const router = random.below(space.routers);
  const direction = random.below(3);
  // Most faults are short; some outlast every time-out.
  const forMs = Math.round(random.pick([50, 500, 2000, 5000, 20_000]) * random.between(0.5, 1.5));
  switch (kind) {
    case 'break':
      return { atMs, kind, cable, keep: random.pick([0, 1, random.number()]) };
    case 'block':
      return { atMs, kind, cable, direction, forMs };
    case 'partition': {
      const all = 2 ** space.routers - 1;
      const mask = random.chance(0.4) ? 1 << router : 1 + random.below(all);
      return { atMs, kind, mask, direction: random.chance(0.7) ? 2 : direction, forMs };
    }
    case 'crash':
      return { atMs, kind, router, silent: random.chance(0.4), forMs: random.chance(0.3) ? 10 : forMs };
    case 'pause':
      return { atMs, kind, router, forMs: Math.min(forMs, 8000) };
    case 'clock':
      return { atMs, kind, router, byMs: Math.round(random.pick([-1, 1]) * random.pick([10, 1500, 70_000, 3_600_000, 34_560_000_000])) };
    case 'impair':
      return {
        atMs,
        kind,
        cable,
        direction,
        delayMs: Math.round(random.pick([5, 50, 300])),
        jitterMs: Math.round(random.pick([0, 20, 200])),
        rate: random.pick([0, 0, 5, 100]),
        forMs,
      };
    case 'flap':
      return { atMs, kind, cable, everyMs: random.pick([50, 200, 1000]), times: 2 + random.below(10) };
    case 'withdraw':
      return { atMs, kind, offer: random.below(space.offers), forMs };
    case 'hostile':
      return { atMs, kind, choice: random.below(16), salt: random.below(2 ** 31) };
    default:
      throw new Error(`bug: no fault of kind ${String(kind)}`);
  }
}
