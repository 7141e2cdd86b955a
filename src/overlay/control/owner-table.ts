import { ownerSlots, type Owners } from '../layout/owners.ts';

/** Owners of each slot, `ownerSlots` of them. */
export type OwnerTable = readonly Owners[];

/**
 * The two owners of each slot: the two members that score highest there. Each member's score depends on nothing but the seed, the slot and
 * itself, so a member that goes takes away its own roles only, its second steps up to first, and a member that comes takes over what it
 * scores highest in: about 2 / n of the slots. Maglev's own filling of the table would move more, since the slots are few for many hosts.
 * With one member there is no second (0); with none, nobody.
 */
export function ownerTable(seed: number, members: readonly number[]): OwnerTable {
  const mixedMembers = Uint32Array.from(members, (member) => mix(member ^ mix(seed)));
  const table: Owners[] = [];
  for (let slot = 0; slot < ownerSlots; slot++) {
    const mixedSlot = mix(slot + 0x9e3779b9);
    let first = 0;
    let second = 0;
    let firstScore = -1;
    let secondScore = -1;
    for (let at = 0; at < members.length; at++) {
      const score = mix(mixedMembers[at]! ^ mixedSlot);
      const member = members[at]!;
      if (score > firstScore || (score === firstScore && member < first)) {
        second = first;
        secondScore = firstScore;
        first = member;
        firstScore = score;
      } else if (score > secondScore || (score === secondScore && member < second)) {
        second = member;
        secondScore = score;
      }
    }
    table.push({ first, second });
  }
  return table;
}

/** A bijection of 32 bits in which each bit of the input changes about half of those of the output. */
function mix(value: number): number {
  let mixed = value >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
