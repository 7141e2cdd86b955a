import { refusingAddress, treatmentPrefixes } from '../plan.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/** Once the core has converged, whatever is sent in it reaches its target: each message a consumer, each connection a server and back. */
export class NoBlackHole implements Checker {
  readonly name = 'no black hole';
  #sinceMs = Infinity;

  converged(world: World): void {
    this.#sinceMs = world.network.nowMs;
  }

  quiescent(world: World): void {
    const { plan, messages, streams } = world;
    const offered = new Set(plan.offers.filter(({ router }) => plan.core.includes(router)).map(({ address }) => address));
    for (const message of messages.sent.values()) {
      const { number, address, from, sentAtMs, takings } = message;
      if (sentAtMs < this.#sinceMs || !offered.has(address)) continue;
      if (address.startsWith(treatmentPrefixes.multicast)) {
        const wanted = plan.offers.filter((offer) => offer.address === address && plan.core.includes(offer.router)).length;
        const got = takings.filter(({ complete }) => complete).length;
        if (got !== wanted) world.violate(this, `multicast ${number} of ${from.id} to ${address} reached ${got} of ${wanted} consumers`);
      } else if (!takings.some(({ complete }) => complete)) {
        world.violate(this, `message ${number} of ${from.id} to ${address} reached nobody; outcome ${message.outcomes.join() || 'none'}`);
      }
    }
    for (const stream of streams.sent.values()) {
      if (stream.startedAtMs < this.#sinceMs || stream.mayReset || !offered.has(stream.address) || stream.address === refusingAddress)
        continue;
      const { client, downBytes, number, address, from } = stream;
      if (client.gone === 'end' && client.received === downBytes) continue;
      world.violate(
        this,
        `connection ${number} of ${from.id} to ${address} is ${client.gone ?? 'open'} after ${client.received} of ${downBytes} octets`,
      );
    }
  }
}
