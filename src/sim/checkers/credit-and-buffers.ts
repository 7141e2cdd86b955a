import { maxPendingBytes } from '../../amqp/connection-budget.ts';
import { Condition } from '../../amqp/constants.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import { maxHeldBytes } from '../../forwarding/inbound-message.ts';
import type { Neighbour } from '../../forwarding/neighbour.ts';
import { hostileId } from '../hostile-router.ts';
import type { Machine } from '../machine.ts';
import type { VirtualNode } from '../virtual-node.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/** How connections between honest routers may end: by the network, by silence, by an ordinary close. */
const ordinary: ReadonlySet<string> = new Set([Condition.connectionForced, Condition.resourceLimitExceeded]);

/**
 * No honest router sends more than it was granted (where credit is short, the octets of connections are read along) or breaks AMQP in another way, which would end the connection with the reason; and no connection
 * holds more than its bounds.
 */
export class CreditAndBuffers implements Checker {
  readonly name = 'credit and buffers';

  connectionDown(world: World, machine: Machine, neighbour: Neighbour, error: AmqpError | undefined): void {
    if (error === undefined || neighbour.routerId === hostileId || neighbour.routerId === '') return;
    if (ordinary.has(error.condition)) return;
    // Whoever is revoked or gives way is told so.
    if (error.condition === Condition.unauthorizedAccess && (world.isUnwanted(machine.id) || world.isUnwanted(neighbour.routerId))) return;
    world.violate(this, `${machine.id} lost its link to ${neighbour.routerId}: ${error.condition}, ${error.description ?? ''}`);
  }

  creditOverdrawn(world: World, { number }: VirtualNode, text: string): void {
    const machine = world.machines.find(({ process }) => process?.number === number);
    world.violate(this, `${machine?.id ?? `process ${number}`} overdraws its credit: ${text}`);
  }

  sample(world: World): void {
    for (const { process, id } of world.machines) {
      if (process === undefined) continue;
      for (const link of process.links) {
        for (const end of [0, 1] as const) {
          if (link.ends[end] !== process) continue;
          const connection = link.connections[end];
          if (connection.pendingBytes > maxPendingBytes) world.violate(this, `${id} holds ${connection.pendingBytes} octets for a socket`);
          const { heldBytes } = connection.handler as Neighbour;
          if (heldBytes > maxHeldBytes || heldBytes < 0) world.violate(this, `${id} holds ${heldBytes} octets of unfinished messages`);
        }
      }
    }
  }
}
