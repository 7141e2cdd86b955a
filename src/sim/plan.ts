import { drawFaults } from './draw-faults.ts';
import type { Fault } from './fault.ts';
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
  /** It keeps to lies for which nobody is cut off, and never ends them. */
  readonly hostileLies: boolean;
  readonly faults: readonly Fault[];
  /** The revocation among the faults. */
  readonly revocation: PlannedRevocation | undefined;
  /** The copied identity among them. */
  readonly clone: PlannedClone | undefined;
  /** Deliveries that may be under way on one AMQP link, which are few here; undefined = as the product has it. */
  readonly linkCapacity: number | undefined;
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

/** A member is revoked. */
export type PlannedRevocation = Extract<Fault, { kind: 'revoke' }>;
/** A router's state runs twice. */
export type PlannedClone = Extract<Fault, { kind: 'clone' }>;

const maxRouters = 8;
/** Deliveries on a link where credit is short: enough for the traffic of a plan, but not for what gathers while a cable stalls. */
const shortCapacity = 20;

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
  const isStrict = mode === 'all';
  const hostileLies = hostileAt !== undefined && hostileSigns && hostile.chance(0.5);
  const space = { routers, cables: cables.length, offers: offers.length, safetyMs, hostileAt, isStrict, hostileSigns };
  const faults = options.faults ?? drawFaults(random.split('faults'), space);
  const revocation = faults.find((fault): fault is PlannedRevocation => fault.kind === 'revoke');
  const clone = faults.find((fault): fault is PlannedClone => fault.kind === 'clone');
  return {
    seed: options.seed,
    routers,
    safetyMs,
    cables,
    offers,
    traffic: drawTraffic(random.split('traffic')),
    signed,
    isStrict,
    requireSigned,
    grants: drawGrants(random.split('grants'), routers, offers, withCopy(cables, clone), isStrict),
    hostileSigns,
    hostileAt,
    hostileLies,
    faults,
    revocation,
    clone,
    linkCapacity: random.split('credit').chance(0.25) ? shortCapacity : undefined,
    lingerMs: shape.chance(0.06) ? 66_000 : 0,
    core: drawCore(random.split('core'), routers, coreCables(cables, revocation, clone), coreMembers(revocation, clone)),
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
  cables: readonly Ends[],
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

type Ends = Pick<PlannedCable, 'from' | 'to'>;

/** What the core may hang together by: not by a router that is revoked or gives way. */
function coreCables(cables: readonly Ends[], revocation: PlannedRevocation | undefined, clone: PlannedClone | undefined): readonly Ends[] {
  const without = revocation?.router ?? (clone?.wins === true ? clone.router : undefined);
  const kept = cables.filter(({ from, to }) => from !== without && to !== without);
  return clone?.wins === true ? withCopy(kept, clone) : kept;
}

/** With the cable of the copied router. */
function withCopy(cables: readonly Ends[], clone: PlannedClone | undefined): readonly Ends[] {
  return clone === undefined ? cables : [...cables, { from: clone.router, to: clone.to }];
}

/** Routers that the core must have: who revokes, or whose identity is used twice and where the copy is linked to. */
function coreMembers(revocation: PlannedRevocation | undefined, clone: PlannedClone | undefined): readonly number[] {
  if (revocation !== undefined) return [revocation.by];
  return clone === undefined ? [] : [clone.router, clone.to];
}

/** A random connected part, most often the whole. `members` belong to it. */
function drawCore(random: SeededRandom, routers: number, cables: readonly Ends[], members: readonly number[]): number[] {
  const size = random.chance(0.6) ? routers : Math.max(1, Math.ceil(random.number() * routers));
  const first = random.below(routers);
  const core = new Set([members[0] ?? first]);
  while (core.size < size || !members.every((member) => core.has(member))) {
    const next = cables.filter(({ from, to }) => core.has(from) !== core.has(to));
    if (next.length === 0) break;
    const { from, to } = random.pick(next);
    core.add(core.has(from) ? to : from);
  }
  return [...core].toSorted((a, b) => a - b);
}
