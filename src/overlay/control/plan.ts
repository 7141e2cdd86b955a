import { maps, ownerTables } from '../layout/maps.ts';
import { hexOf, octetsOf } from './address.ts';
import type { OwnerTable } from './owner-table.ts';

/** Records of one map: values by keys, both as hex digits. */
export type MapRecords = ReadonlyMap<string, string>;
/** By the map's name. */
export type MapContents = ReadonlyMap<string, MapRecords>;

/** One change of a map of the data path. */
export type MapWrite =
  | { readonly kind: 'put'; readonly map: string; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly map: string; readonly key: Uint8Array }
  | { readonly kind: 'swap'; readonly map: string; readonly index: number; readonly values: readonly Uint8Array[] }
  | { readonly kind: 'clear'; readonly map: string; readonly index: number };

/**
 * Maps that the control writes, each after those that it refers to: what is added is added in this order, what goes goes in the reverse one, so
 * that at no moment a record refers to nothing. `paths` and `counters` belong to the data path.
 */
const planned: readonly { readonly name: string; readonly isArray: boolean }[] = [
  { name: maps.settings.name, isArray: true },
  { name: maps.hosts.name, isArray: true },
  { name: maps.hostIds.name, isArray: false },
  { name: maps.devices.name, isArray: false },
  { name: maps.subnets.name, isArray: false },
  { name: maps.endpoints.name, isArray: false },
  { name: maps.ports.name, isArray: false },
];

export const plannedMaps: readonly string[] = planned.map(({ name }) => name);

/** The least that makes the maps what they should be. What is right already is not touched, so traffic goes on. */
export function plan(desired: MapContents, observed: MapContents): MapWrite[] {
  const puts: MapWrite[] = [];
  const deletes: MapWrite[][] = [];
  for (const { name, isArray } of planned) {
    const wanted = desired.get(name) ?? new Map<string, string>();
    const found = observed.get(name) ?? new Map<string, string>();
    for (const [key, value] of wanted) {
      if (found.get(key) !== value) puts.push({ kind: 'put', map: name, key: octetsOf(key), value: octetsOf(value) });
    }
    const gone: MapWrite[] = [];
    for (const [key, value] of found) {
      if (wanted.has(key)) continue;
      // Records of an array are always there; one of zeros means nothing.
      if (!isArray) gone.push({ kind: 'delete', map: name, key: octetsOf(key) });
      else if (/[^0]/.test(value)) gone.push({ kind: 'put', map: name, key: octetsOf(key), value: new Uint8Array(value.length / 2) });
    }
    deletes.push(gone);
  }
  return [...puts, ...deletes.reverse().flat()];
}

/** Writes that put the owner tables into the data path, each in one step. They cannot be read back, so a new process writes all of them. */
export function planTables(desired: ReadonlyMap<number, OwnerTable>, before: ReadonlyMap<number, OwnerTable>): MapWrite[] {
  const writes: MapWrite[] = [];
  for (const [index, table] of desired) {
    if (before.get(index) === table) continue;
    writes.push({ kind: 'swap', map: ownerTables.name, index, values: table.map((owners) => ownerTables.value.encode(owners)) });
  }
  for (const index of before.keys()) if (!desired.has(index)) writes.push({ kind: 'clear', map: ownerTables.name, index });
  return writes;
}

/** A dump of a map, as `plan` takes it. */
export function recordsOf(entries: Iterable<readonly [key: Uint8Array, value: Uint8Array]>): MapRecords {
  const records = new Map<string, string>();
  for (const [key, value] of entries) records.set(hexOf(key), hexOf(value));
  return records;
}
