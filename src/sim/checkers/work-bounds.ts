import { defaultTimers } from '../../routing/limits.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/**
 * Without changes routers only refresh: an advertisement of each over each link per period and direction, and now and then a request; nobody
 * computes paths without cause.
 */
export class WorkBounds implements Checker {
  readonly name = 'work bounds';
  #sinceMs = 0;
  #messages = 0;
  readonly #computations = new Map<number, number>();

  converged(world: World): void {
    this.#sinceMs = world.network.nowMs;
    this.#messages = world.controlMessages;
    this.#computations.clear();
    for (const { number, process } of world.machines)
      if (process !== undefined) this.#computations.set(number, process.control.routingStatus.pathComputations);
  }

  quiescent(world: World): void {
    const { plan, network } = world;
    // With a hostile peer, or a part that is cut off and still noticed to be gone, it is not quiet.
    if (plan.hostileAt !== undefined || plan.core.length < plan.routers) return;
    const periods = Math.ceil((network.nowMs - this.#sinceMs) / defaultTimers.advertisementFluxIntervalMs) + 1;
    const bound = (periods + 1) * plan.routers * plan.cables.length * 2 * 2;
    const messages = world.controlMessages - this.#messages;
    if (messages > bound) world.violate(this, `${messages} routing messages in a quiet network; at most ${bound} are refreshes`);
    for (const [number, before] of this.#computations) {
      const runs = (world.machines[number].process?.control.routingStatus.pathComputations ?? before) - before;
      if (runs > 3) world.violate(this, `${world.machines[number].id} has computed paths ${runs} times in a quiet network`);
    }
  }
}
