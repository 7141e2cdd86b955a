import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/**
 * What was sent ends, once: as accepted, released, rejected or modified, or lost with the process that waited for it. When all is quiet nothing is
 * under way, no router counts anything as owed, and no connection hangs.
 */
export class Conservation implements Checker {
  readonly name = 'conservation';

  quiescent(world: World): void {
    const { machines, messages, plan, streams } = world;
    for (const message of messages.sent.values()) {
      const { number, address, from, process, preSettled, outcomes } = message;
      if (preSettled || from.process !== process || !plan.core.includes(from.number)) continue;
      if (outcomes.length === 0) world.violate(this, `message ${number} of ${from.id} to ${address} never got an outcome`);
    }
    for (const stream of streams.sent.values()) {
      const { number, from, process, client, address } = stream;
      if (from.process !== process || !plan.core.includes(from.number) || client.gone !== undefined) continue;
      world.violate(this, `connection ${number} of ${from.id} to ${address} hangs`);
    }
    for (const number of plan.core) {
      const { process, id } = machines[number];
      if (process === undefined) continue;
      const { forwarder } = process.control;
      for (const address of new Set(plan.offers.map((offer) => offer.address))) {
        for (const [link, count] of forwarder.outstanding(address)) {
          if (count !== 0) world.violate(this, `${id} counts ${count} messages to ${address} as owed by link ${link}`);
        }
      }
      for (const address of world.tcpAddresses) {
        const active = world.listener(machines[number], address)?.active ?? 0;
        if (active > 0) world.violate(this, `the listener for ${address} at ${id} keeps ${active} connections`);
      }
      for (const offer of world.offers) {
        if (offer?.process !== process || offer.outstanding === 0) continue;
        world.violate(this, `a consumer of ${offer.address} at ${id} still has ${offer.outstanding} messages`);
      }
    }
  }
}
