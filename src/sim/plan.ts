import type { Fault, FaultKind } from './fault.ts';
import { SeededRandom } from './seeded-random.ts';

export interface PlannedCable {
  /** Dials. */
  readonly from: number;
  readonly to: number;
  readonly cost: number;
  readonly delayMs: number;
  readonly jitterMs: number;
}

/** How an address is treated in all routers of a plan: by the beginning of its name. */
export const treatmentPrefixes = { balanced: 'work', closest: 'near', multicast: 'news', tcp: 'tcp' } as const;

/** Connections to this address find a consumer that never takes them. */
export const refusingAddress: string = `${treatmentPrefixes.tcp}.never`;

/** Something that takes messages or connections of an address at a router. */
export interface PlannedOffer {
  readonly address: string;
  readonly router: number;
}

/** Patterns of addresses that a router may announce, and that it may send to. */
export interface PlannedGrant {
  readonly advertise: readonly string[];
  readonly consume: readonly string[];
}

/** How much traffic there is. */
export interface PlannedTraffic {
  readonly messagesPerSecond: number;
  readonly streamsPerSecond: number;
  readonly maxMessageBytes: number;
  readonly maxStreamBytes: number;
  /** A consumer settles within this time. */
  readonly maxSettleMs: number;
  readonly preSettledShare: number;
}

/** All that a seed decides before a run begins: plain data. */
export interface Plan {
  readonly seed: number;
  readonly routers: number;
  /** How long anything may fail. */
  readonly safetyMs: number;
  readonly cables: readonly PlannedCable[];
  readonly offers: readonly PlannedOffer[];
  readonly traffic: PlannedTraffic;
  /** Routers that sign their link state. */
  readonly signed: readonly boolean[];
  /** All of them do: then nothing may happen that is not granted. */
  readonly isStrict: boolean;
  /** Nobody takes a router that does not sign. */
  readonly requireSigned: boolean;
  /** What each router is granted. */
  readonly grants: readonly PlannedGrant[];
  /** The hostile router has a credential. */
  readonly hostileSigns: boolean;
  /** The router that a hostile peer is linked to; undefined without one. */
  readonly hostileAt: number | undefined;
  readonly faults: readonly Fault[];
  /** How long nothing happens at the end. */
  readonly lingerMs: number;
  /** Routers that are healed for the second phase; the others stay broken. */
  readonly core: readonly number[];
}

export interface PlanOptions {
  readonly seed: number;
  /** Drawn from the seed when not given. */
  readonly routers?: number | undefined;
  readonly minutes?: number | undefined;
  /** A schedule in place of the drawn one. */
  readonly faults?: readonly Fault[] | undefined;
}

const maxRouters = 8;

/** Draws the options of a run: each seed stresses another mix. */
export function planOf(options: PlanOptions): Plan {
  const random = new SeededRandom(options.seed);
  const shape = random.split('shape');
  const routers = options.routers ?? 2 + shape.below(maxRouters - 1);
  const safetyMs = options.minutes === undefined ? shape.pick([10_000, 20_000, 20_000, 30_000, 70_000]) : options.minutes * 60_000;
  const cables = drawCables(random.split('cables'), routers);
  const offers = drawOffers(random.split('offers'), routers);
  const trust = random.split('trust');
  const mode = trust.pick(['none', 'all', 'all', 'some']);
  const signed = Array.from({ length: routers }, () => mode === 'all' || (mode === 'some' && trust.chance(0.6)));
  const hostile = random.split('hostile');
  const hostileAt = hostile.chance(0.4) ? hostile.below(routers) : undefined;
  const hostileSigns = mode === 'all' && hostile.chance(0.6);
  const requireSigned = mode === 'all' && ((hostileAt !== undefined && !hostileSigns) || hostile.chance(0.3));
  const faults =
    options.faults ?? drawFaults(random.split('faults'), { routers, cables: cables.length, offers: offers.length, safetyMs, hostileAt });
  return {
    seed: options.seed,
    routers,
    safetyMs,
    cables,
    offers,
    traffic: drawTraffic(random.split('traffic')),
    signed,
    isStrict: mode === 'all',
    requireSigned,
    grants: drawGrants(random.split('grants'), routers, offers, cables, mode === 'all'),
    hostileSigns,
    hostileAt,
    faults,
    lingerMs: shape.chance(0.06) ? 66_000 : 0,
    core: drawCore(random.split('core'), routers, cables),
  };
}

/** A tree, so that the network is whole, and some more; two cables may join the same routers. */
function drawCables(random: SeededRandom, routers: number): PlannedCable[] {
  const delayMs = random.pick([1, 5, 20, 60]);
  const jitterMs = random.pick([0, 0, 1, 10]);
  const cable = (a: number, b: number): PlannedCable => {
    const [from, to] = random.chance(0.5) ? [a, b] : [b, a];
    return {
      from,
      to,
      cost: random.pick([1, 1, 1, 2, 5]),
      delayMs: random.between(0.2, 2) * delayMs,
      jitterMs: random.number() * jitterMs,
    };
  };
  const cables = Array.from({ length: routers - 1 }, (_, index) => cable(index + 1, random.below(index + 1)));
  for (let more = random.below(routers + 1); more > 0; more--) {
    const a = random.below(routers);
    const b = random.below(routers);
    if (a !== b) cables.push(cable(a, b));
  }
  return cables;
}

function drawOffers(random: SeededRandom, routers: number): PlannedOffer[] {
  const offers: PlannedOffer[] = [];
  for (const prefix of Object.values(treatmentPrefixes)) {
    for (let name = 1 + random.below(2); name > 0; name--) {
      for (let count = 1 + random.below(3); count > 0; count--)
        offers.push({ address: `${prefix}.${name}`, router: random.below(routers) });
    }
  }
  if (random.chance(0.3)) offers.push({ address: refusingAddress, router: random.below(routers) });
  return offers;
}

/** Everything, or what a router offers and some of what there is to send to. */
function drawGrants(
  random: SeededRandom,
  routers: number,
  offers: readonly PlannedOffer[],
  cables: readonly PlannedCable[],
  restrict: boolean,
): PlannedGrant[] {
  const everything = { advertise: ['*'], consume: ['*'] };
  if (!restrict || random.chance(0.5)) return Array.from({ length: routers }, () => everything);
  const addresses = [...new Set(offers.map(({ address }) => address))];
  return Array.from({ length: routers }, (_, number) => ({
    // Now and then a router offers what it may not. Not one that others' messages pass: it may hand them to consumers of its own.
    advertise: offers
      .filter(
        ({ router }) =>
          router === number && (random.chance(0.85) || cables.filter(({ from, to }) => from === number || to === number).length > 1),
      )
      .map(({ address }) => address),
    consume: random.chance(0.5) ? ['*'] : addresses.filter(() => random.chance(0.7)),
  }));
}

function drawTraffic(random: SeededRandom): PlannedTraffic {
  // Many small messages use up credit, large ones use up windows.
  const messagesPerSecond = random.pick([1, 5, 15, 60]);
  return {
    messagesPerSecond,
    streamsPerSecond: random.pick([0.3, 1, 3]),
    maxMessageBytes: messagesPerSecond > 15 ? 200 : random.pick([200, 2000, 5000, 70_000]),
    maxStreamBytes: random.pick([1000, 10_000, 50_000, 300_000]),
    maxSettleMs: random.pick([5, 200, 3000]),
    preSettledShare: random.pick([0, 0.3, 0.5]),
  };
}

/** A random connected part, most often the whole. */
function drawCore(random: SeededRandom, routers: number, cables: readonly PlannedCable[]): number[] {
  const size = random.chance(0.6) ? routers : Math.max(1, Math.ceil(random.number() * routers));
  const core = new Set([random.below(routers)]);
  while (core.size < size) {
    const next = cables.filter(({ from, to }) => core.has(from) !== core.has(to));
    const { from, to } = random.pick(next);
    core.add(core.has(from) ? to : from);
  }
  return [...core].toSorted((a, b) => a - b);
}

interface FaultSpace {
  readonly routers: number;
  readonly cables: number;
  readonly offers: number;
  readonly safetyMs: number;
  readonly hostileAt: number | undefined;
}

/** Faults per second, at most, of one kind. */
const maxRates: Readonly<Record<FaultKind, number>> = {
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
function drawFaults(random: SeededRandom, space: FaultSpace): Fault[] {
  const faults: Fault[] = [];
  for (const [kind, maxRate] of Object.entries(maxRates) as [FaultKind, number][]) {
    const own = random.split(kind);
    if (kind === 'hostile' ? space.hostileAt === undefined : own.chance(0.5)) continue;
    const rate = own.number() * maxRate;
    for (let atMs = 1000 + nextGapMs(own, rate); atMs < space.safetyMs; atMs += nextGapMs(own, rate)) {
      faults.push(drawFault(own, kind, Math.round(atMs), space));
    }
  }
  return faults.toSorted((a, b) => a.atMs - b.atMs);
}

function nextGapMs(random: SeededRandom, perSecond: number): number {
  return (-Math.log(1 - random.number()) * 1000) / perSecond;
}

function drawFault(random: SeededRandom, kind: FaultKind, atMs: number, space: FaultSpace): Fault {
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
