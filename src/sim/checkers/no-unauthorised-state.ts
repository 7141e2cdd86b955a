import { hostileId } from '../hostile-router.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';
import { GrantOracle } from './grant-oracle.ts';

/** Tables are walked through at one sample of so many. */
const everySamples = 20;

/**
 * Where all sign, no router believes in a router that does not exist, in a life that an origin has not had, or in an address at a router
 * that may not announce it.
 */
export class NoUnauthorisedState implements Checker {
  readonly name = 'no unauthorised state';
  #samples = 0;

  sample(world: World): void {
    if (++this.#samples % everySamples === 0) this.#check(world);
  }

  quiescent(world: World): void {
    this.#check(world);
  }

  #check(world: World): void {
    const { machines, plan } = world;
    const oracle = new GrantOracle(plan);
    if (!oracle.isStrict) return;
    const byId = new Map(machines.map((machine) => [machine.id, machine]));
    for (const { id, process } of machines) {
      if (process === undefined) continue;
      const { table } = process.control.forwarder;
      for (const { routerId } of table.routers.values()) {
        if (!byId.has(routerId) && routerId !== hostileId) world.violate(this, `${id} believes in a router ${routerId}`);
      }
      for (const { key, routers } of table.addresses.values()) {
        for (const { routerId } of routers) {
          const machine = byId.get(routerId);
          if (machine !== undefined && oracle.mayAnnounce(machine.number, key.slice(1))) continue;
          world.violate(this, `${id} believes that ${key.slice(1)} is at ${routerId}, which may not announce it`);
        }
      }
      for (const { routerId, signed, path } of process.control.routingStatus.routers) {
        if (routerId === hostileId) continue;
        // Names of which somebody has only heard are not believed in.
        if (!byId.has(routerId) && (signed !== null || path !== null)) world.violate(this, `${id} keeps records of a router ${routerId}`);
        if (signed === null || signed.epoch === 0 || world.hasUsed(routerId, signed.epoch)) continue;
        world.violate(this, `${id} holds link state of ${routerId} of epoch ${signed.epoch}, which it has never used`);
      }
    }
  }
}
