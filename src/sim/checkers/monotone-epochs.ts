import type { Neighbour } from '../../forwarding/neighbour.ts';
import type { ControlMessage, ControlValue } from '../../routing/control-message.ts';
import { parseRecord } from '../../routing/signed-record.ts';
import { hostileId } from '../hostile-router.ts';
import type { Machine } from '../machine.ts';
import type { World } from '../world.ts';
import type { Checker } from './checker.ts';

/**
 * Each life of a router that signs has an epoch above all its lives before, also when it lost what it had not synced; a record of one epoch and
 * sequence has one content; and no honest router passes on a record that its origin has not made.
 */
export class MonotoneEpochs implements Checker {
  readonly name = 'monotone epochs';
  /** Digest by origin, slot, epoch and sequence. */
  readonly #seen = new Map<string, number>();

  started(world: World, machine: Machine): void {
    const { epochs } = machine;
    const last = epochs.at(-1) ?? 0;
    if (epochs.slice(0, -1).some((epoch) => epoch >= last))
      world.violate(this, `${machine.id} has started with the epochs ${epochs.join(' ')}`);
  }

  controlMessage(world: World, machine: Machine, neighbour: Neighbour, message: ControlMessage): void {
    const records = message.opcode === 'REC' ? message.body.get('records') : undefined;
    if (!Array.isArray(records) || neighbour.routerId === hostileId) return;
    for (const bytes of records as readonly ControlValue[]) {
      const record = bytes instanceof Uint8Array ? parseRecord(bytes) : undefined;
      if (record === undefined) {
        world.violate(this, `${machine.id} was sent a broken record by ${neighbour.routerId}`);
        continue;
      }
      const { origin, slot, epoch, sequence, digest } = record;
      if (origin === hostileId) continue;
      if (!world.hasUsed(origin, epoch)) {
        world.violate(this, `${neighbour.routerId} passes on a record of ${origin} of epoch ${epoch}, which that has never used`);
      }
      // Two processes with one identity may begin with the same epoch.
      if (origin === world.spare?.id) continue;
      const key = `${origin} ${slot} ${epoch} ${sequence}`;
      if ((this.#seen.get(key) ?? digest) !== digest) world.violate(this, `there are two records ${key} of one router`);
      this.#seen.set(key, digest);
    }
  }
}
