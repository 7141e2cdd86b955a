import type { RoutingStatus } from '../../routing/status.ts';
import { defaultTimers } from '../../routing/limits.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/** After the last sign of life, link state may stay this long: its maximum age and two sweeps. */
const maxAgeMs = defaultTimers.linkStateMaxAgeMs + 2 * defaultTimers.helloIntervalMs;

/**
 * In a core that has converged all routers hold the same link state of each of them, and nothing is held of a router that has been out of reach
 * for longer than the maximum age.
 */
export class DatabaseAgreement implements Checker {
  readonly name = 'database agreement';
  #apartSinceMs = Infinity;

  converged(world: World): void {
    this.#apartSinceMs = Math.min(this.#apartSinceMs, world.network.nowMs);
  }

  quiescent(world: World): void {
    const { machines, plan, network } = world;
    const states = plan.core.flatMap((number): [string, RoutingStatus][] => {
      const status = machines[number].process?.control.routingStatus;
      return status === undefined ? [] : [[machines[number].id, status]];
    });
    const inCore = new Set(states.map(([id]) => id));
    /** What the first holder has of an origin that signs. */
    const records = new Map<string, string>();
    for (const [origin, own] of states) {
      for (const [holder, status] of states) {
        if (holder === origin) continue;
        const held = status.routers.find(({ routerId }) => routerId === origin);
        if (held === undefined || held.path === null) {
          if (machines.length > 1) world.violate(this, `${holder} holds nothing of ${origin}`);
          continue;
        }
        const signed = JSON.stringify(held.signed);
        if (plan.isStrict && (records.get(origin) ?? signed) !== signed) {
          world.violate(this, `${holder} holds ${signed} of ${origin}, others ${records.get(origin)}`);
        }
        records.set(origin, signed);
        if (held.signed === null && own.mobileSequence !== 0 && held.mobileSequence !== own.mobileSequence) {
          world.violate(this, `${holder} holds addresses ${held.mobileSequence} of ${origin}, which is at ${own.mobileSequence}`);
        }
        const peers = [...held.peers].toSorted(byName).join(' ');
        const neighbours = [...own.neighbours]
          .map(([id, { cost }]): [string, number] => [id, cost])
          .toSorted(byName)
          .join(' ');
        if (peers !== neighbours) world.violate(this, `${holder} holds [${peers}] as neighbours of ${origin}, which has [${neighbours}]`);
      }
    }
    if (network.nowMs - this.#apartSinceMs < maxAgeMs) return;
    for (const [holder, status] of states) {
      for (const { routerId, peers } of status.routers) {
        if (inCore.has(routerId) || peers.size === 0 || !machines.some(({ id }) => id === routerId)) continue;
        world.violate(this, `${holder} still holds the link state of ${routerId}, which has been out of reach for the maximum age`);
      }
    }
  }
}

function byName(a: readonly [string, number], b: readonly [string, number]): number {
  return a[0] < b[0] ? -1 : 1;
}
