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

interface PlannedMap {
  readonly name: string;
  readonly isArray: boolean;
}

/**
 * Maps that the control writes, each after those that it refers to: what is added is added in this order, what goes goes in the reverse one, so
 * that at no moment a record refers to nothing. `paths`, `counters` and the like belong to the data path.
 */
const before: readonly PlannedMap[] = [
  { name: maps.settings.name, isArray: true },
  { name: maps.hosts.name, isArray: true },
  { name: maps.hostIds.name, isArray: false },
  { name: maps.devices.name, isArray: false },
];
const backends: PlannedMap = { name: maps.backends.name, isArray: false };
/** The generation of one makes the data path look at the backends of flows anew, so it comes when those that are gone are away. */
const services: PlannedMap = { name: maps.services.name, isArray: false };
/** What is allowed. */
const rules: readonly PlannedMap[] = [
  { name: maps.policies.name, isArray: false },
  { name: maps.policyPrefixes.name, isArray: false },
];
/** For whom only that is allowed: its revision makes the data path look at the rules anew, so it comes when all of them are right. */
const scopes: PlannedMap = { name: maps.policyScopes.name, isArray: false };
const behind: readonly PlannedMap[] = [
  { name: maps.subnets.name, isArray: false },
  { name: maps.endpoints.name, isArray: false },
  { name: maps.ports.name, isArray: false },
];

export const plannedMaps: readonly string[] = [...before, backends, services, ...rules, scopes, ...behind].map(({ name }) => name);

interface MapChange {
  readonly puts: readonly MapWrite[];
  readonly deletes: readonly MapWrite[];
}

/** The least that makes the maps what they should be. What is right already is not touched, so traffic goes on. */
export function plan(desired: MapContents, observed: MapContents): MapWrite[] {
  const change = (map: PlannedMap): MapChange => changeOf(map, desired.get(map.name) ?? noRecords, observed.get(map.name) ?? noRecords);
  const [changedBefore, changedRules, changedBehind] = [before, rules, behind].map((group) => group.map(change)) as [
    MapChange[],
    MapChange[],
    MapChange[],
  ];
  const [changedBackends, changedServices, changedScopes] = [backends, services, scopes].map(change) as [MapChange, MapChange, MapChange];
  return [
    ...changedBefore.flatMap(({ puts }) => puts),
    ...changedBackends.puts,
    ...changedBackends.deletes,
    ...changedServices.puts,
    ...changedRules.flatMap(({ puts }) => puts),
    ...changedScopes.deletes,
    ...changedRules.toReversed().flatMap(({ deletes }) => deletes),
    ...changedScopes.puts,
    ...changedBehind.flatMap(({ puts }) => puts),
    ...changedBehind.toReversed().flatMap(({ deletes }) => deletes),
    ...changedServices.deletes,
    ...changedBefore.toReversed().flatMap(({ deletes }) => deletes),
  ];
}

const noRecords: MapRecords = new Map();

function changeOf({ name, isArray }: PlannedMap, wanted: MapRecords, found: MapRecords): MapChange {
  const puts: MapWrite[] = [];
  const deletes: MapWrite[] = [];
  for (const [key, value] of wanted) {
    if (found.get(key) !== value) puts.push({ kind: 'put', map: name, key: octetsOf(key), value: octetsOf(value) });
  }
  for (const [key, value] of found) {
    if (wanted.has(key)) continue;
    // Records of an array are always there; one of zeros means nothing.
    if (!isArray) deletes.push({ kind: 'delete', map: name, key: octetsOf(key) });
    else if (/[^0]/.test(value)) deletes.push({ kind: 'put', map: name, key: octetsOf(key), value: new Uint8Array(value.length / 2) });
  }
  return { puts, deletes };
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
