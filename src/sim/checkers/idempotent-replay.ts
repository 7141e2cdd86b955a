import type { Neighbour } from '../../forwarding/neighbour.ts';
import type { ControlMessage } from '../../routing/control-message.ts';
import { hostileId } from '../hostile-router.ts';
import type { RouteTable } from '../../routing/route-table.ts';
import type { Machine } from '../machine.ts';
import type { VirtualRouter } from '../virtual-router.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

interface Heard {
  readonly process: VirtualRouter;
  readonly neighbour: Neighbour;
  readonly message: ControlMessage;
}

/** A table that has been the same for so long is not about to change: longer than the longest pause before paths are computed. */
const restMs = 6_000;
/** Whoever does not come to rest in this time is left alone. */
const restWithinMs = 30_000;

/** Messages of each machine that are played back. */
const maxHeard = 30;

/** Records that come once more, however old, change nothing. */
export class IdempotentReplay implements Checker {
  readonly name = 'idempotent replay';
  readonly #heard = new Map<string, Heard[]>();

  controlMessage(_world: World, machine: Machine, neighbour: Neighbour, message: ControlMessage): void {
    const { process } = machine;
    if (message.opcode !== 'REC' || process === undefined || neighbour.routerId === hostileId) return;
    const heard = this.#heard.get(machine.id) ?? [];
    if (heard.length >= maxHeard) heard.shift();
    heard.push({ process, neighbour, message });
    this.#heard.set(machine.id, heard);
  }

  quiescent(world: World): void {
    if (!world.plan.isStrict || world.plan.hostileAt !== undefined || world.plan.core.length < world.plan.routers) return;
    for (const machine of world.machines) {
      const { process } = machine;
      if (process === undefined || !isAtRest(world, process)) continue;
      const before = whereItLeads(process.control.forwarder.table);
      const passedOn = world.controlMessages;
      for (const { process: of, neighbour, message } of this.#heard.get(machine.id) ?? []) {
        if (of === process && neighbour.isUp) process.control.controlMessage(neighbour, message);
      }
      process.touch();
      world.network.run(300);
      if (whereItLeads(process.control.forwarder.table) !== before)
        world.violate(this, `what ${machine.id} has heard before leads it elsewhere`);
      // A few refreshes and summaries may fall into the time.
      const more = world.controlMessages - passedOn;
      if (more > 2 * world.plan.cables.length + 4) world.violate(this, `what ${machine.id} has heard before makes ${more} more messages`);
    }
  }
}

/** Everything that a table says, as text: a new table that says the same is no change. */
function whereItLeads({ routers, addresses, neighbours }: RouteTable): string {
  const lines = [...neighbours].map(([link, routerId]) => `${link} ${routerId}`);
  for (const { routerId, cost, link } of routers.values()) lines.push(`${routerId} ${cost} ${link}`);
  for (const key of addresses.keys()) {
    const route = addresses.get(key);
    lines.push(`${key} ${route?.treatment} ${route?.routers.map(({ routerId }) => routerId).join(' ')}`);
  }
  return lines.sort().join('\n');
}

/** Lets time pass until what came before has had its consequences; false if that does not end. */
function isAtRest(world: World, { control }: VirtualRouter): boolean {
  for (let waitedMs = 0; waitedMs < restWithinMs; waitedMs += restMs) {
    const before = control.forwarder.table;
    world.network.run(restMs);
    if (control.forwarder.table === before) return true;
  }
  return false;
}
