import { hashOf, isNewer, type CatalogRecord, type KeptRecord } from './catalog-record.ts';

/** Parts of the table that are compared each by itself: what differs is found without telling all. */
export const bucketCount = 64;

interface Entry {
  readonly record: KeptRecord;
  readonly value: unknown;
  readonly high: number;
  readonly low: number;
}

interface Bucket {
  high: number;
  low: number;
  readonly keys: Set<string>;
}

/** The records of the catalog by key, with fingerprints of its buckets. */
export class RecordTable {
  readonly #entries = new Map<string, Entry>();
  /** Keys that have values by their part before the first slash: what is asked for together. */
  readonly #groups = new Map<string, Set<string>>();
  readonly #graves = new Set<string>();
  readonly #buckets: readonly Bucket[] = Array.from({ length: bucketCount }, () => ({ high: 0, low: 0, keys: new Set<string>() }));

  get size(): number {
    return this.#entries.size;
  }

  get graves(): ReadonlySet<string> {
    return this.#graves;
  }

  record(key: string): KeptRecord | undefined {
    return this.#entries.get(key)?.record;
  }

  /** Undefined when there is none, or only a grave. */
  value(key: string): unknown {
    return this.#entries.get(key)?.value;
  }

  /** 32 bits over all of a record. */
  fingerprint(key: string): number | undefined {
    return this.#entries.get(key)?.low;
  }

  /** Keys that have values and begin so, sorted. */
  keysWith(prefix: string): string[] {
    const found: string[] = [];
    const groups = prefix.includes('/') ? [this.#groups.get(groupOf(prefix)) ?? []] : this.#groups.values();
    for (const keys of groups) for (const key of keys) if (key.startsWith(prefix)) found.push(key);
    return found.sort();
  }

  keysOf(bucket: number): Iterable<string> {
    return this.#buckets[bucket]?.keys ?? [];
  }

  isNews(record: CatalogRecord): boolean {
    const known = this.#entries.get(record.key)?.record;
    return known === undefined || isNewer(record, known);
  }

  put(record: KeptRecord, value: unknown): void {
    this.remove(record.key);
    const { key, text, counter, hostId } = record;
    const whole = `${key}\n${counter}\n${hostId}\n${text}`;
    const entry = { record, value, high: hashOf(whole, 0), low: hashOf(whole, 0x5bd1e995) };
    this.#entries.set(key, entry);
    if (text === '') this.#graves.add(key);
    else this.#group(key).add(key);
    const bucket = this.#bucketOf(key);
    bucket.keys.add(key);
    this.#mix(bucket, entry);
  }

  remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#graves.delete(key);
    this.#group(key).delete(key);
    const bucket = this.#bucketOf(key);
    bucket.keys.delete(key);
    this.#mix(bucket, entry);
  }

  /** 16 hex digits of each bucket: equal for equal records. */
  digests(): string[] {
    return this.#buckets.map(({ high, low }) => hex(high) + hex(low));
  }

  /** Fingerprints of records are added up by exclusive or: adding and taking away are the same. */
  #mix(bucket: Bucket, { high, low }: Entry): void {
    bucket.high = (bucket.high ^ high) >>> 0;
    bucket.low = (bucket.low ^ low) >>> 0;
  }

  #group(key: string): Set<string> {
    const name = groupOf(key);
    let keys = this.#groups.get(name);
    if (keys === undefined) {
      keys = new Set();
      this.#groups.set(name, keys);
    }
    return keys;
  }

  #bucketOf(key: string): Bucket {
    return this.#buckets[bucketOf(key)]!;
  }
}

export function bucketOf(key: string): number {
  return hashOf(key, 0) % bucketCount;
}

function groupOf(key: string): string {
  const at = key.indexOf('/');
  return at === -1 ? key : key.slice(0, at);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
