import type { AddressHex, MacHex } from './address.ts';
import type { Durations } from './durations.ts';

/** Where an endpoint is, as its host tells its owners. */
export interface DirectoryEntry {
  readonly vni: number;
  readonly address: AddressHex;
  readonly hostId: number;
  readonly generation: number;
  readonly identity: number;
  readonly flags: number;
  readonly mac: MacHex;
}

/** Fingerprint of some entries: equal for equal sets, whatever their order. */
export interface Digest {
  readonly count: number;
  readonly high: number;
  readonly low: number;
}

export const emptyDigest: Digest = { count: 0, high: 0, low: 0 };

/** Entries of one host under one VNI. */
interface Bucket {
  count: number;
  high: number;
  low: number;
  /** Last time its host agreed to it. */
  confirmedMs: number;
  readonly addresses: Set<AddressHex>;
}

interface Known {
  readonly entry: DirectoryEntry;
  /** Of the host's call that said so: older lists say nothing about it. */
  sequence: number;
}

interface Grave {
  readonly vni: number;
  readonly address: AddressHex;
  readonly generation: number;
  readonly untilMs: number;
}

/** What became of a call: `changed` is to be written to the maps, `generation` is the newest that is known. */
export interface DirectoryAnswer {
  readonly isAccepted: boolean;
  readonly isChanged: boolean;
  readonly generation: number;
}

/** Entries that a host keeps as owner, at most: what the map of 262,144 has beside 4,096 local endpoints and as many tombstones. */
export const directoryLimit = 253_952;
/** Deleted entries that are remembered, at most. */
const gravesLimit = 262_144;

/**
 * The entries that this host keeps as one of their owners. Of two hosts the newer generation wins, whatever comes first; of one host what it
 * said last.
 */
export class Directory {
  readonly #durations: Durations;
  readonly #entries = new Map<string, Known>();
  readonly #graves = new Map<string, Grave>();
  readonly #buckets = new Map<number, Map<number, Bucket>>();

  constructor(durations: Durations) {
    this.#durations = durations;
  }

  get size(): number {
    return this.#entries.size;
  }

  get graves(): number {
    return this.#graves.size;
  }

  get(vni: number, address: AddressHex): DirectoryEntry | undefined {
    return this.#entries.get(keyOf(vni, address))?.entry;
  }

  *entries(): Iterable<DirectoryEntry> {
    for (const { entry } of this.#entries.values()) yield entry;
  }

  put(entry: DirectoryEntry, sequence: number, nowMs: number): DirectoryAnswer {
    const key = keyOf(entry.vni, entry.address);
    const grave = this.#graves.get(key);
    if (grave !== undefined && nowMs < grave.untilMs && grave.generation >= entry.generation) {
      return { isAccepted: false, isChanged: false, generation: grave.generation };
    }
    const known = this.#entries.get(key);
    if (known !== undefined) {
      const { generation, hostId } = known.entry;
      if (hostId !== entry.hostId ? generation >= entry.generation : known.sequence > sequence) {
        return { isAccepted: false, isChanged: false, generation };
      }
      // Of one host's words the last one counts.
      known.sequence = sequence;
      if (isSameEntry(known.entry, entry)) return { isAccepted: true, isChanged: false, generation };
      this.#leaveBucket(known.entry);
    } else if (this.#entries.size >= directoryLimit) return { isAccepted: false, isChanged: false, generation: 0 };
    this.#graves.delete(key);
    this.#entries.set(key, { entry, sequence });
    this.#joinBucket(entry, nowMs);
    return { isAccepted: true, isChanged: true, generation: entry.generation };
  }

  /** The endpoint of this generation, and of every older one, is no more. */
  delete(vni: number, address: AddressHex, generation: number, nowMs: number): DirectoryAnswer {
    const key = keyOf(vni, address);
    const known = this.#entries.get(key);
    if (known !== undefined && known.entry.generation > generation) {
      return { isAccepted: true, isChanged: false, generation: known.entry.generation };
    }
    const grave = this.#graves.get(key);
    this.#graves.delete(key);
    if (this.#graves.size < gravesLimit) {
      this.#graves.set(key, {
        vni,
        address,
        generation: Math.max(generation, grave?.generation ?? 0),
        untilMs: nowMs + this.#durations.graveMs,
      });
    }
    if (known === undefined) return { isAccepted: true, isChanged: false, generation };
    this.#entries.delete(key);
    this.#leaveBucket(known.entry);
    return { isAccepted: true, isChanged: true, generation };
  }

  /** Takes an entry out without a grave: this host is no owner of it any more. */
  forget(vni: number, address: AddressHex): boolean {
    const known = this.#entries.get(keyOf(vni, address));
    if (known === undefined) return false;
    this.#entries.delete(keyOf(vni, address));
    this.#leaveBucket(known.entry);
    return true;
  }

  digest(hostId: number, vni: number): Digest {
    return this.#buckets.get(hostId)?.get(vni) ?? emptyDigest;
  }

  /** The host has the same entries as this owner. */
  confirm(hostId: number, vni: number, nowMs: number): void {
    const bucket = this.#buckets.get(hostId)?.get(vni);
    if (bucket !== undefined) bucket.confirmedMs = nowMs;
  }

  /** Buckets whose hosts have not spoken of them since then. */
  *unconfirmed(sinceMs: number): Iterable<{ readonly hostId: number; readonly vni: number }> {
    for (const [hostId, buckets] of this.#buckets) {
      for (const [vni, bucket] of buckets) if (bucket.confirmedMs < sinceMs) yield { hostId, vni };
    }
  }

  /** Hosts of which there are entries. */
  hosts(): Iterable<number> {
    return this.#buckets.keys();
  }

  entriesOf(hostId: number): DirectoryEntry[] {
    const entries: DirectoryEntry[] = [];
    for (const [vni, { addresses }] of this.#buckets.get(hostId) ?? []) {
      for (const address of addresses) {
        const known = this.#entries.get(keyOf(vni, address));
        if (known !== undefined) entries.push(known.entry);
      }
    }
    return entries;
  }

  /**
   * Entries of a host in a range of addresses that its list does not name, and that are not younger than the list. `to` is not part of the
   * range; undefined = no end.
   */
  missingIn(
    list: {
      readonly hostId: number;
      readonly vni: number;
      readonly from: AddressHex;
      readonly to: AddressHex | undefined;
      readonly sequence: number;
    },
    named: ReadonlySet<AddressHex>,
  ): DirectoryEntry[] {
    const missing: DirectoryEntry[] = [];
    for (const address of this.#buckets.get(list.hostId)?.get(list.vni)?.addresses ?? []) {
      if (address < list.from || (list.to !== undefined && address >= list.to) || named.has(address)) continue;
      const known = this.#entries.get(keyOf(list.vni, address));
      if (known !== undefined && known.sequence < list.sequence) missing.push(known.entry);
    }
    return missing;
  }

  /** Forgets graves that are over. */
  sweep(nowMs: number): void {
    // Graves are dug in the order of time.
    for (const [key, { untilMs }] of this.#graves) {
      if (nowMs < untilMs) break;
      this.#graves.delete(key);
    }
  }

  #joinBucket(entry: DirectoryEntry, nowMs: number): void {
    let buckets = this.#buckets.get(entry.hostId);
    if (buckets === undefined) {
      buckets = new Map();
      this.#buckets.set(entry.hostId, buckets);
    }
    let bucket = buckets.get(entry.vni);
    if (bucket === undefined) {
      bucket = { count: 0, high: 0, low: 0, confirmedMs: nowMs, addresses: new Set() };
      buckets.set(entry.vni, bucket);
    }
    bucket.addresses.add(entry.address);
    toggle(bucket, entry, 1);
  }

  #leaveBucket(entry: DirectoryEntry): void {
    const buckets = this.#buckets.get(entry.hostId);
    const bucket = buckets?.get(entry.vni);
    if (buckets === undefined || bucket === undefined) return;
    bucket.addresses.delete(entry.address);
    toggle(bucket, entry, -1);
    if (bucket.count > 0) return;
    buckets.delete(entry.vni);
    if (buckets.size === 0) this.#buckets.delete(entry.hostId);
  }
}

/** Fingerprint of a host's own entries, to compare with its owner's. */
export function digestOf(entries: Iterable<DirectoryEntry>): Digest {
  const digest = { count: 0, high: 0, low: 0 };
  for (const entry of entries) toggle(digest, entry, 1);
  return digest;
}

export function isSameDigest(left: Digest, right: Digest): boolean {
  return left.count === right.count && left.high === right.high && left.low === right.low;
}

function isSameEntry(left: DirectoryEntry, right: DirectoryEntry): boolean {
  return (
    left.hostId === right.hostId &&
    left.generation === right.generation &&
    left.mac === right.mac &&
    left.identity === right.identity &&
    left.flags === right.flags
  );
}

function toggle(digest: { count: number; high: number; low: number }, entry: DirectoryEntry, count: 1 | -1): void {
  digest.count += count;
  digest.high = (digest.high ^ hash(entry, 0x811c9dc5)) >>> 0;
  digest.low = (digest.low ^ hash(entry, 0x9e3779b9)) >>> 0;
}

function hash({ vni, address, generation, identity, flags, mac }: DirectoryEntry, seed: number): number {
  let mixed = seed;
  for (let at = 0; at < address.length; at++) mixed = Math.imul(mixed ^ address.charCodeAt(at), 0x01000193);
  for (let at = 0; at < mac.length; at++) mixed = Math.imul(mixed ^ mac.charCodeAt(at), 0x01000193);
  for (const word of [vni, generation, identity, flags]) {
    mixed = Math.imul(mixed ^ word, 0x85ebca6b);
    mixed ^= mixed >>> 15;
  }
  return mixed >>> 0;
}

function keyOf(vni: number, address: AddressHex): string {
  return `${vni}/${address}`;
}
