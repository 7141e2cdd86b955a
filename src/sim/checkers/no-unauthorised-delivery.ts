import type { SentMessage, Taking } from '../message-traffic.ts';
import type { SentStream, ServerSide } from '../stream-traffic.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';
import { GrantOracle } from './grant-oracle.ts';

/** Nothing reaches a consumer whose router may not announce the address, or from a router that may not send to it; the hostile one gets nothing. */
export class NoUnauthorisedDelivery implements Checker {
  readonly name = 'no unauthorised delivery';

  messageTaken(world: World, message: SentMessage, taking: Taking): void {
    const [from, to] = [message.from, taking.offer.machine];
    if (new GrantOracle(world.plan).mayReach(from.number, to.number, message.address)) return;
    world.violate(this, `message ${message.number} of ${from.id} to ${message.address} has reached ${to.id} without a grant`);
  }

  streamServed(world: World, stream: SentStream, server: ServerSide): void {
    const [from, to] = [stream.from, server.machine];
    if (new GrantOracle(world.plan).mayReach(from.number, to.number, stream.address)) return;
    world.violate(this, `connection ${stream.number} of ${from.id} to ${stream.address} has reached ${to.id} without a grant`);
  }

  hostileTook(world: World, address: string): void {
    if (new GrantOracle(world.plan).isStrict) world.violate(this, `the hostile router was given something for ${address}`);
  }
}
