import { treatmentPrefixes } from '../plan.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/** Messages sent for each consumer. */
const perConsumer = 10;

/** Consumers of one address at one router get equal shares, within one message, of what is sent there at once. */
export class Balance implements Checker {
  readonly name = 'balance';

  converged(world: World): void {
    const { machines, messages, plan } = world;
    for (const number of plan.core) {
      const { process } = machines[number];
      if (process === undefined) continue;
      for (const address of world.messageAddresses) {
        if (address.startsWith(treatmentPrefixes.multicast)) continue;
        const offers = world.offers.filter((offer) => offer?.process === process && offer.address === address);
        if (offers.length < 2 || offers.some((offer) => offer?.outstanding !== 0)) continue;
        const before = offers.map((offer) => offer?.taken ?? 0);
        for (let count = offers.length * perConsumer; count > 0; count--)
          messages.send(machines[number], process, address, 10, false, false);
        const shares = offers.map((offer, index) => (offer?.taken ?? 0) - (before[index] ?? 0));
        if (Math.max(...shares) - Math.min(...shares) <= 1) continue;
        world.violate(this, `consumers of ${address} at ${machines[number].id} got ${shares.join(', ')} messages`);
      }
    }
  }
}
