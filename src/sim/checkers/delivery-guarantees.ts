import { DeliveryState } from '../../amqp/performatives.ts';
import type { SentMessage, Taking } from '../message-traffic.ts';
import { treatmentPrefixes } from '../plan.ts';
import type { SentStream, ServerSide } from '../stream-traffic.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/**
 * A message to one of several consumers reaches one at most; a copied message reaches each consumer once at most, unless routers disagreed about
 * the paths while it was on its way; an outcome is told once and is true; octets arrive as sent, and the end of a connection only behind its last
 * octet.
 */
export class DeliveryGuarantees implements Checker {
  readonly name = 'delivery guarantees';
  #stableSinceMs = Infinity;

  converged(world: World): void {
    this.#stableSinceMs = world.network.nowMs;
  }

  messageTaken(world: World, message: SentMessage, taking: Taking): void {
    const { number, address, takings } = message;
    const complete = takings.filter((other) => other.complete);
    if (!address.startsWith(treatmentPrefixes.multicast)) {
      if (complete.length > 1) world.violate(this, `message ${number} to ${address} has reached ${complete.length} consumers`);
    } else if (message.sentAtMs >= this.#stableSinceMs && complete.some((other) => other !== taking && other.offer === taking.offer)) {
      world.violate(this, `multicast ${number} to ${address} has reached a consumer at ${taking.offer.machine.id} twice`);
    }
  }

  messageSettled(world: World, message: SentMessage, state: DeliveryState): void {
    const { number, address, preSettled, outcomes, takings } = message;
    if (preSettled) return;
    if (outcomes.length > 1) world.violate(this, `message ${number} to ${address} got two outcomes: ${outcomes.join()}`);
    const acceptedBy = takings.filter(({ settledAs }) => settledAs === DeliveryState.accepted).length;
    if (state === DeliveryState.accepted && acceptedBy === 0) {
      world.violate(this, `message ${number} to ${address} is told to be accepted, and no consumer has accepted it`);
    }
    if (state === DeliveryState.released && acceptedBy > 0) {
      world.violate(this, `message ${number} to ${address} is told to be released, and a consumer has accepted it`);
    }
  }

  messageCorrupt(world: World, message: SentMessage | undefined, taking: Taking, reason: string): void {
    world.violate(this, `message ${message?.number ?? '?'} at ${taking.offer.machine.id} for ${taking.offer.address}: ${reason}`);
  }

  streamServed(world: World, stream: SentStream, server: ServerSide): void {
    if (stream.servers.length === 1) return;
    const { number, address, servers } = stream;
    world.violate(
      this,
      `the octets of connection ${number} to ${address} have reached ${servers.length} servers, now at ${server.machine.id}`,
    );
  }

  streamEnded(world: World, stream: SentStream, side: 'client' | 'server', received: number): void {
    const expected = side === 'client' ? stream.downBytes : stream.upBytes;
    if (received === expected) return;
    world.violate(
      this,
      `the ${side} of connection ${stream.number} to ${stream.address} saw its end after ${received} of ${expected} octets`,
    );
  }

  streamCorrupt(world: World, stream: SentStream | undefined, reason: string): void {
    world.violate(this, `connection ${stream?.number ?? '?'}: ${reason}`);
  }
}
