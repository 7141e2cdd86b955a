import type { MapLayout } from '../layout/maps.ts';
import { hexOf } from './address.ts';

/** Records of the maps while they are put together, as `MapContents`. */
export type MapBuilder = Map<string, Map<string, string>>;

export function setRecord<K, V>(builder: MapBuilder, layout: MapLayout<K, V>, key: K, value: V): void {
  setHex(builder, layout.name, hexOf(layout.key.encode(key)), hexOf(layout.value.encode(value)));
}

/** Adds all records of `added`; what is there already is replaced. */
export function addRecords(builder: MapBuilder, added: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
  for (const [map, records] of added) for (const [key, value] of records) setHex(builder, map, key, value);
}

function setHex(builder: MapBuilder, map: string, key: string, value: string): void {
  let records = builder.get(map);
  if (records === undefined) {
    records = new Map();
    builder.set(map, records);
  }
  records.set(key, value);
}
