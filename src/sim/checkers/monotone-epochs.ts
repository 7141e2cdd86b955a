import type { Machine } from '../machine.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/** Each life of a router that signs has an epoch above all its lives before, also when it lost what it had not synced. */
export class MonotoneEpochs implements Checker {
  readonly name = 'monotone epochs';

  started(world: World, machine: Machine): void {
    const { epochs } = machine;
    const last = epochs.at(-1) ?? 0;
    if (epochs.slice(0, -1).some((epoch) => epoch >= last))
      world.violate(this, `${machine.id} has started with the epochs ${epochs.join(' ')}`);
  }
}
