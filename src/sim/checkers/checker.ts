import type { AmqpError, DeliveryState } from '../../amqp/performatives.ts';
import type { Neighbour } from '../../forwarding/neighbour.ts';
import type { ControlMessage } from '../../routing/control-message.ts';
import type { RoutingEvent } from '../../routing/events.ts';
import type { Machine } from '../machine.ts';
import type { SentMessage, Taking } from '../message-traffic.ts';
import type { SentStream, ServerSide } from '../stream-traffic.ts';
import type { VirtualNode } from '../virtual-node.ts';
import type { World } from '../world.ts';

/**
 * Watches one invariant. All hooks are optional: those that name something are called when it happens, `sample` every so many events,
 * the others once in a phase. A checker tells what is wrong by `world.violate`.
 */
export interface Checker {
  /** Short name, as it stands in reports. */
  readonly name: string;

  sample?(world: World): void;
  started?(world: World, machine: Machine): void;
  controlMessage?(world: World, machine: Machine, neighbour: Neighbour, message: ControlMessage): void;
  routingEvent?(world: World, machine: Machine, event: RoutingEvent): void;
  connectionDown?(world: World, machine: Machine, neighbour: Neighbour, error: AmqpError | undefined): void;
  /** A router has begun more deliveries on a link than it had credit for. */
  creditOverdrawn?(world: World, router: VirtualNode, text: string): void;
  messageTaken?(world: World, message: SentMessage, taking: Taking): void;
  messageSettled?(world: World, message: SentMessage, state: DeliveryState): void;
  messageCorrupt?(world: World, message: SentMessage | undefined, taking: Taking, reason: string): void;
  streamServed?(world: World, stream: SentStream, server: ServerSide): void;
  streamEnded?(world: World, stream: SentStream, side: 'client' | 'server', received: number): void;
  streamCorrupt?(world: World, stream: SentStream | undefined, reason: string): void;
  /** The hostile router was given a message or connection to this address. */
  hostileTook?(world: World, address: string): void;

  /** The core has been healed and its routers agree. */
  converged?(world: World): void;
  /** Probes were sent and answered; nothing has been sent since. */
  quiescent?(world: World): void;
}
