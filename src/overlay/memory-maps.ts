import { assert, WeatherError } from '../base/errors.ts';
import type { BpfMap, BpfMapOfMaps } from './kernel.ts';
import { backendTables, maps, ownerTables, type MapLayout, type TablesLayout } from './layout/maps.ts';

/** The maps of the data path in memory, with the limits of the kernel's: for tests and simulations. */
export interface MemoryMaps {
  map(name: string): BpfMap;
  mapOfMaps(name: string): MemoryMapOfMaps;
}

/** Unlike the kernel's, it can be read. */
export interface MemoryMapOfMaps extends BpfMapOfMaps {
  get(index: number): readonly Uint8Array[] | undefined;
}

type Kind = 'hash' | 'array' | 'lru' | 'trie';

const bitsOfOctet = 8;
/** Of a trie's key: how many bits of what follows count. */
const prefixLengthBytes = 4;

/** Empty maps as the object file has them. `maxEntries` lowers the limit of a map by its name. */
export function memoryMaps(maxEntries: Readonly<Record<string, number>> = {}): MemoryMaps {
  const kinds: Readonly<Record<string, Kind>> = {
    [maps.hosts.name]: 'array',
    [maps.settings.name]: 'array',
    [maps.paths.name]: 'lru',
    [maps.fragments.name]: 'lru',
    [maps.translations.name]: 'lru',
    [maps.flows.name]: 'lru',
    [maps.fragments.name]: 'lru',
    [maps.translations.name]: 'lru',
    [maps.flows.name]: 'lru',
    [maps.subnets.name]: 'trie',
    [maps.policies.name]: 'trie',
    [maps.policyPrefixes.name]: 'trie',
    [maps.policies.name]: 'trie',
    [maps.policyPrefixes.name]: 'trie',
  };
  const made = new Map<string, BpfMap>();
  for (const layout of Object.values(maps) as MapLayout<unknown, unknown>[]) {
    const { name, key, value } = layout;
    made.set(name, new MemoryMap(name, kinds[name] ?? 'hash', key.byteLength, value.byteLength, maxEntries[name] ?? layout.maxEntries));
  }
  const tables = new Map<string, MemoryTables>();
  for (const { name, maxEntries: most, slots, value } of [ownerTables, backendTables] as TablesLayout<unknown>[])
    tables.set(name, new MemoryTables(name, most, slots, value.byteLength));
  return {
    map: (name) => {
      const map = made.get(name);
      if (map === undefined) throw new WeatherError('bpf-map', `there is no map ${name}`);
      return map;
    },
    mapOfMaps: (name) => {
      const arrays = tables.get(name);
      if (arrays === undefined) throw new WeatherError('bpf-map', `there is no map of maps ${name}`);
      return arrays;
    },
  };
}

class MemoryMap implements BpfMap {
  readonly name: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly #kind: Kind;
  readonly #entries = new Map<string, Uint8Array>();

  constructor(name: string, kind: Kind, keyBytes: number, valueBytes: number, maxEntries: number) {
    this.name = name;
    this.#kind = kind;
    this.keyBytes = keyBytes;
    this.valueBytes = valueBytes;
    this.maxEntries = maxEntries;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#check(key);
    const hex = key.toHex();
    if (this.#kind === 'trie') return this.#longest(key)?.slice();
    const value = this.#entries.get(hex);
    if (this.#kind === 'array') return this.#isIndex(key) ? (value?.slice() ?? new Uint8Array(this.valueBytes)) : undefined;
    if (this.#kind === 'lru' && value !== undefined) {
      this.#entries.delete(hex);
      this.#entries.set(hex, value);
    }
    return value?.slice();
  }

  put(key: Uint8Array, value: Uint8Array, how: 'any' | 'add' | 'replace' = 'any'): void {
    this.#check(key);
    assert(value.length === this.valueBytes, `a value of ${this.name} is ${this.valueBytes} octets, not ${value.length}`);
    const hex = key.toHex();
    const isThere = this.#kind === 'array' || this.#entries.has(hex);
    if (this.#kind === 'array' && !this.#isIndex(key))
      throw new WeatherError('bpf-map-full', `${this.name} has ${this.maxEntries} records`);
    if (how === 'add' && isThere) throw new WeatherError('bpf-map', `${this.name} has the key already`);
    if (how === 'replace' && !isThere) throw new WeatherError('bpf-map', `${this.name} has no such key`);
    if (!isThere && this.#entries.size >= this.maxEntries) {
      if (this.#kind !== 'lru') throw new WeatherError('bpf-map-full', `${this.name} has ${this.maxEntries} entries`);
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(hex, value.slice());
  }

  delete(key: Uint8Array): boolean {
    this.#check(key);
    if (this.#kind === 'array') throw new WeatherError('bpf-map', `records of ${this.name} cannot be deleted`);
    return this.#entries.delete(key.toHex());
  }

  *entries(): Iterable<readonly [key: Uint8Array, value: Uint8Array]> {
    for (const [hex, value] of this.#entries) yield [Uint8Array.fromHex(hex), value.slice()];
  }

  close(): void {}

  #check(key: Uint8Array): void {
    assert(key.length === this.keyBytes, `a key of ${this.name} is ${this.keyBytes} octets, not ${key.length}`);
  }

  #isIndex(key: Uint8Array): boolean {
    return new DataView(key.buffer, key.byteOffset).getUint32(0, true) < this.maxEntries;
  }

  /** The value of the longest prefix that holds the key, not longer than the key's own. */
  #longest(key: Uint8Array): Uint8Array | undefined {
    const bits = prefixLengthOf(key);
    let longest = -1;
    let found: Uint8Array | undefined;
    for (const [hex, value] of this.#entries) {
      const candidate = Uint8Array.fromHex(hex);
      const length = prefixLengthOf(candidate);
      if (length <= longest || length > bits || !isPrefix(candidate, key, length)) continue;
      longest = length;
      found = value;
    }
    return found;
  }
}

class MemoryTables implements MemoryMapOfMaps {
  readonly name: string;
  readonly maxEntries: number;
  readonly #slots: number;
  readonly #valueBytes: number;
  readonly #tables = new Map<number, readonly Uint8Array[]>();

  constructor(name: string, maxEntries: number, slots: number, valueBytes: number) {
    this.name = name;
    this.maxEntries = maxEntries;
    this.#slots = slots;
    this.#valueBytes = valueBytes;
  }

  get(index: number): readonly Uint8Array[] | undefined {
    return this.#tables.get(index);
  }

  swap(index: number, values: readonly Uint8Array[]): void {
    assert(values.length === this.#slots, `a table of ${this.name} has ${this.#slots} slots, not ${values.length}`);
    for (const value of values) assert(value.length === this.#valueBytes, `a slot of ${this.name} is ${this.#valueBytes} octets`);
    if (index >= this.maxEntries) throw new WeatherError('bpf-map-full', `${this.name} has ${this.maxEntries} tables`);
    this.#tables.set(
      index,
      values.map((value) => value.slice()),
    );
  }

  swapAll(slots: readonly (readonly [index: number, values: readonly Uint8Array[]])[]): void {
    for (const [index, values] of slots) this.swap(index, values);
  }

  clear(index: number): boolean {
    return this.#tables.delete(index);
  }

  close(): void {}
}

function prefixLengthOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset).getUint32(0, true);
}

function isPrefix(left: Uint8Array, right: Uint8Array, bits: number): boolean {
  const whole = prefixLengthBytes + (bits >> 3);
  for (let at = prefixLengthBytes; at < whole; at++) if (left[at] !== right[at]) return false;
  const rest = bits & (bitsOfOctet - 1);
  return rest === 0 || (left[whole]! ^ right[whole]!) >> (bitsOfOctet - rest) === 0;
}
