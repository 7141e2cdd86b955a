import type { SentMessage, Taking } from '../message-traffic.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/**
 * When all agree, following the next hops leads from each router to each other without a loop; while they do not, no message passes more routers
 * than there are.
 */
export class LoopFree implements Checker {
  readonly name = 'loop-free';

  messageTaken(world: World, message: SentMessage, taking: Taking): void {
    const { trace } = taking.head.annotations;
    if (trace.length <= world.plan.routers + 1) return;
    world.violate(this, `message ${message.number} to ${message.address} has passed ${trace.length} routers: ${trace.join(' ')}`);
  }

  converged(world: World): void {
    const { machines, plan } = world;
    const byId = new Map(machines.map((machine) => [machine.id, machine]));
    for (const from of plan.core) {
      for (const to of plan.core) {
        if (from === to) continue;
        const target = machines[to].id;
        let at = machines[from];
        const way = [at.id];
        while (at.id !== target && way.length <= plan.routers) {
          const nextHop = at.process?.control.forwarder.table.routers.get(target)?.nextHop;
          const next = nextHop === undefined ? undefined : byId.get(nextHop);
          if (next === undefined) break;
          at = next;
          way.push(at.id);
        }
        if (at.id !== target) world.violate(this, `from ${machines[from].id} the next hops towards ${target} are ${way.join(' ')}`);
      }
    }
  }
}
