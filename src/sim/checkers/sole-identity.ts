import type { RoutingEvent } from '../../routing/events.ts';
import type { Machine } from '../machine.ts';
import type { SentMessage, Taking } from '../message-traffic.ts';
import type { SentStream, ServerSide } from '../stream-traffic.ts';
import type { VirtualRouter } from '../virtual-router.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/** What was on its way to a router when it gave way has arrived. */
const underWayMs = 500;

/**
 * Of two processes with one identity the one with the lower nonce gives way, and nobody else ever does; soon after that it gets nothing from
 * others any more. That one of them does so in time is part of the agreement that a healed core must reach.
 */
export class SoleIdentity implements Checker {
  readonly name = 'sole identity';
  /** When processes have given way. */
  readonly #fencedMs = new Map<VirtualRouter, number>();

  routingEvent(world: World, machine: Machine, { type }: RoutingEvent): void {
    const { clone } = world.plan;
    if (type !== 'fenced' || machine.process === undefined) return;
    this.#fencedMs.set(machine.process, world.network.nowMs);
    if (clone?.router !== machine.number) world.violate(this, `${machine.id} gives way, and nobody else has its identity`);
    else if (machine.nonces === 'high') world.violate(this, `of two processes of ${machine.id} the one with the higher nonce gives way`);
  }

  messageTaken(world: World, { number, process, address }: SentMessage, { offer }: Taking): void {
    if (process !== offer.process) this.#taken(world, offer.process, `message ${number} to ${address}`);
  }

  streamServed(world: World, { number, process, address }: SentStream, server: ServerSide): void {
    if (process !== server.process) this.#taken(world, server.process, `connection ${number} to ${address}`);
  }

  #taken(world: World, process: VirtualRouter, what: string): void {
    const { nowMs } = world.network;
    if (nowMs - (this.#fencedMs.get(process) ?? Infinity) <= underWayMs) return;
    if (this.#fencedMs.has(process)) world.violate(this, `${what} has reached a process of ${process.id} that has given way`);
  }
}
