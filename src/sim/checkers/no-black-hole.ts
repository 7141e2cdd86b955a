import { refusingAddress, treatmentPrefixes } from '../plan.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';
import { GrantOracle } from './grant-oracle.ts';

/** Once the core has converged, whatever is sent in it reaches its target: each message a consumer, each connection a server and back. */
export class NoBlackHole implements Checker {
  readonly name = 'no black hole';
  #sinceMs = Infinity;

  converged(world: World): void {
    this.#sinceMs = world.network.nowMs;
  }

  quiescent(world: World): void {
    const { plan, messages, streams } = world;
    const oracle = new GrantOracle(plan);
    /** Consumers of the core that may get what this router sends to the address. */
    const wantedOf = (from: number, address: string): number =>
      plan.offers.filter(
        ({ address: other, router }) => other === address && plan.core.includes(router) && oracle.mayReach(from, router, address),
      ).length;
    for (const message of messages.sent.values()) {
      const { number, address, from, sentAtMs, takings } = message;
      const wanted = wantedOf(from.number, address);
      if (sentAtMs < this.#sinceMs || wanted === 0) continue;
      if (address.startsWith(treatmentPrefixes.multicast)) {
        const got = takings.filter(({ complete }) => complete).length;
        if (got !== wanted) world.violate(this, `multicast ${number} of ${from.id} to ${address} reached ${got} of ${wanted} consumers`);
      } else if (oracle.maySend(from.number, address) && !takings.some(({ complete }) => complete)) {
        world.violate(this, `message ${number} of ${from.id} to ${address} reached nobody; outcome ${message.outcomes.join() || 'none'}`);
      }
    }
    for (const stream of streams.sent.values()) {
      if (
        stream.startedAtMs < this.#sinceMs ||
        stream.mayReset ||
        !oracle.maySend(stream.from.number, stream.address) ||
        wantedOf(stream.from.number, stream.address) === 0 ||
        stream.address === refusingAddress
      )
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
