import { AddressGrant } from '../base/address-grant.ts';
import { defaultTimers } from '../routing/limits.ts';
import { dialTimeoutMs, maximumPauseMs } from './dialler.ts';
import { traceOfRevoked } from './revoked-router.ts';
import type { World } from './world.ts';

/** AMQP's time-out for a silent connection, as the virtual network sets it. */
const idleTimeoutMs = 16_000;
/** Paths are computed at most this late after a burst of changes. */
export const pathBackOffMs = 5000;
/** An advertisement, a request and its answer cross the longest simulated way, without loss. */
const floodMs = 2000;
/** A link that has come and gone often must stand this long before it is used. */
const dampingMs = 8000;

/**
 * How long a healed part may take to agree, whatever was before: the worst that each step can take.
 *
 *     a dead connection is noticed       AMQP's idle time-out
 *   + it is dialled again                a dial that was begun before the healing, and the longest pause
 *   + both ends hear each other          two periods of HELLO
 *   + it is steady                       the longest hold of a link that came and went
 *   + everybody hears of it              an advertisement in flux, and a request for what it tells of
 *   + paths are computed                 the longest back-off
 */
export const convergenceBoundMs: number =
  idleTimeoutMs +
  dialTimeoutMs +
  maximumPauseMs * 1.5 +
  2 * defaultTimers.helloIntervalMs +
  dampingMs +
  2 * defaultTimers.advertisementFluxIntervalMs +
  pathBackOffMs;

/** As above after one cut in a core that was at rest: HELLO notices it, and the news takes its way at once. */
export const cutBoundMs: number = defaultTimers.helloMaxAgeMs + defaultTimers.helloIntervalMs + floodMs + pathBackOffMs;
/** As above after one repair: no dead connection is left to be noticed. */
export const repairBoundMs: number = convergenceBoundMs - idleTimeoutMs;

/** Two processes with one identity that can hear of each other: one of them is to give way. */
function identityDifference({ spare, diallers, plan }: World): string | undefined {
  if (spare === undefined || spare.isFenced) return undefined;
  const isLinked = diallers.some(
    ({ from, to }) => (from === spare || to === spare) && [from, to].every(({ number }) => plan.core.includes(number)),
  );
  return isLinked ? `two processes have the identity of ${spare.id}` : undefined;
}

/** What the core should look like, worked out from the cables alone. */
export class Expectation {
  readonly #world: World;
  /** Cost by pair of machine numbers; absent where there is no way. */
  readonly #costs = new Map<number, number>();
  readonly #addresses: readonly string[];

  /** `without`: cables that are cut. */
  constructor(world: World, without: ReadonlySet<number>) {
    this.#world = world;
    const { plan, diallers } = world;
    const core = new Set(plan.core);
    const { routers } = plan;
    diallers.forEach(({ from, to, cost }, index) => {
      if (without.has(index) || !core.has(from.number) || !core.has(to.number)) return;
      // The process that gives way has no links.
      if (from === world.spare || to === world.spare) return;
      for (const pair of [from.number * routers + to.number, to.number * routers + from.number]) {
        this.#costs.set(pair, Math.min(cost, this.#costs.get(pair) ?? Infinity));
      }
    });
    for (const via of plan.core) {
      for (const a of plan.core) {
        for (const b of plan.core) {
          const cost = this.costBetween(a, via) + this.costBetween(via, b);
          if (a !== b && cost < this.costBetween(a, b)) this.#costs.set(a * routers + b, cost);
        }
      }
    }
    this.#addresses = [...new Set(plan.offers.map(({ address }) => address))];
  }

  /** Infinity where there is no way. */
  costBetween(a: number, b: number): number {
    return a === b ? 0 : (this.#costs.get(a * this.#world.plan.routers + b) ?? Infinity);
  }

  /** Routers of the core, other than this one, where somebody takes messages of an address. */
  offeringRouters(address: string, except: number): number[] {
    const { plan } = this.#world;
    const mayOffer = plan.grants.map(({ advertise }) => new AddressGrant(advertise).allows(address));
    const routers = new Set(plan.offers.filter((offer) => offer.address === address && mayOffer[offer.router]).map(({ router }) => router));
    return plan.core.filter((number) => number !== except && routers.has(number) && this.costBetween(except, number) < Infinity);
  }

  /** The first thing that is not as it should be; undefined when the core agrees with the cables. */
  difference(): string | undefined {
    const { plan, machines } = this.#world;
    const others = identityDifference(this.#world);
    if (others !== undefined) return others;
    for (const a of plan.core) {
      const revoked = traceOfRevoked(this.#world, machines[a]);
      if (revoked !== undefined) return revoked;
      const table = machines[a].process?.control.forwarder.table;
      if (table === undefined) return `${machines[a].id} is not running`;
      for (const b of plan.core) {
        if (a === b) continue;
        const expected = this.costBetween(a, b);
        const cost = table.routers.get(machines[b].id)?.cost ?? Infinity;
        if (cost !== expected) return `${machines[a].id} reaches ${machines[b].id} at cost ${cost}, not ${expected}`;
      }
      for (const address of this.#addresses) {
        const expected = this.offeringRouters(address, a).map((number) => machines[number].id);
        const found = (table.addresses.get(`M${address}`)?.routers ?? []).map(({ routerId }) => routerId);
        if (expected.length !== found.length || expected.some((id) => !found.includes(id))) {
          return `${machines[a].id} knows ${address} at [${found.toSorted().join(' ')}], not at [${expected.join(' ')}]`;
        }
      }
    }
    return undefined;
  }
}
