import { traceOfRevoked } from '../revoked-router.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/** Looked for at one sample of so many. */
const everySamples = 10;

/**
 * Once the core has agreed, no router of it keeps a link, a record or an address of the one that is revoked, or forgets that it is, also
 * after a restart; and that one tries all the time.
 */
export class Revocation implements Checker {
  readonly name = 'revocation';
  #isAgreed = false;
  #samples = 0;

  converged(): void {
    this.#isAgreed = true;
  }

  sample(world: World): void {
    if (this.#isAgreed && ++this.#samples % everySamples === 0) this.#check(world);
  }

  quiescent(world: World): void {
    this.#check(world);
  }

  #check(world: World): void {
    if (world.revokedId === undefined) return;
    for (const number of world.plan.core) {
      const trace = traceOfRevoked(world, world.machines[number]);
      if (trace !== undefined) world.violate(this, trace);
    }
  }
}
