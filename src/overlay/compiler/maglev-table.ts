import { backendSlots } from '../layout/service.ts';
import { textHash } from './text-hash.ts';

/**
 * Which of the members a slot goes to, as indexes into them; empty without members. Members take turns in choosing the next slot of an order of
 * their own, so that shares differ by one slot at most, and a change of the members moves little beside what it must. The same members give the
 * same table at every host. Of more members than slots the first ones in a shuffled order get one.
 */
export function maglevTable(members: readonly string[]): Uint16Array {
  if (members.length === 0) return new Uint16Array(0);
  const table = new Uint16Array(backendSlots);
  const isTaken = new Uint8Array(backendSlots);
  // By hash, not by name: else the first names would have the slots that do not divide evenly, in all services.
  const order = members
    .map((member, index) => ({ index, hash: textHash(member, turnSeed), member }))
    .sort((one, other) => one.hash - other.hash || (one.member < other.member ? -1 : 1));
  const next = order.map(({ member }) => textHash(member, startSeed) % backendSlots);
  const steps = order.map(({ member }) => 1 + (textHash(member, stepSeed) % (backendSlots - 1)));
  for (let filled = 0; ;) {
    for (let at = 0; at < order.length; at++) {
      let slot = next[at]!;
      while (isTaken[slot] === 1) slot = (slot + steps[at]!) % backendSlots;
      isTaken[slot] = 1;
      table[slot] = order[at]!.index;
      next[at] = slot;
      filled++;
      if (filled === backendSlots) return table;
    }
  }
}

const turnSeed = 1;
const startSeed = 2;
const stepSeed = 3;
