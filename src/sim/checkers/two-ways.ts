import type { Neighbour } from '../../forwarding/neighbour.ts';
import { helloAddress } from '../../routing/control-address.ts';
import type { ControlMessage } from '../../routing/control-message.ts';
import { hostileId } from '../hostile-router.ts';
import type { Machine } from '../machine.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/** After a HELLO has been read, the end of turn in which it has its consequences has come. */
const readMs = 20;

/**
 * A link is in use only while the other end says that it hears this router; and an edge only where both its ends tell of it: nobody is reached by
 * way of the hostile router, which is everybody's neighbour as it says, and nobody's as the others say.
 */
export class TwoWays implements Checker {
  readonly name = 'two ways';
  /** Whether the last HELLO on a link named the router that got it. */
  readonly #named = new WeakMap<Neighbour, boolean>();

  controlMessage(world: World, machine: Machine, neighbour: Neighbour, message: ControlMessage): void {
    const { process } = machine;
    if (process === undefined || message.opcode !== 'HELLO' || message.to !== helloAddress) return;
    if (neighbour.routerId === hostileId || message.body.get('id') !== neighbour.routerId) return;
    const seen = message.body.get('seen');
    const isNamed = Array.isArray(seen) && seen.includes(machine.id);
    this.#named.set(neighbour, isNamed);
    if (isNamed) return;
    process.after(readMs, () => {
      if (this.#named.get(neighbour) === true || !neighbour.isUp) return;
      if (process.control.routingStatus.neighbours.get(neighbour.routerId)?.link !== neighbour.linkNumber) return;
      world.violate(this, `${machine.id} uses a link to ${neighbour.routerId}, which does not hear it`);
    });
  }

  sample(world: World): void {
    const { plan, machines } = world;
    if (plan.hostileAt === undefined || !plan.isStrict) return;
    // Only the router that it is linked to has it as the next one.
    const { id, process } = machines[plan.hostileAt];
    for (const { routerId, nextHop } of process?.control.forwarder.table.routers.values() ?? []) {
      if (nextHop === hostileId && routerId !== hostileId) world.violate(this, `${id} sends what is for ${routerId} to the hostile router`);
    }
  }
}
