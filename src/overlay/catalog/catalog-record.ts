import { listOf, numberOf, shapeOf, type Shape } from '../control/json-reader.ts';

/** A record of the catalog. Of two with one key the newer counts: by counter, then host, then text, so all hosts decide alike. */
export interface CatalogRecord {
  readonly key: string;
  /** The value as JSON; '' is a grave: the key was deleted. */
  readonly text: string;
  /** Of the host that wrote it: above all counters that it knew. */
  readonly counter: number;
  readonly hostId: number;
}

/** A record as it is kept. */
export interface KeptRecord extends CatalogRecord {
  /** When it was deleted, on this host's clock; 0 when it was not. */
  readonly deletedMs: number;
}

export const catalogLimits: Readonly<Record<'records' | 'keyLength' | 'textLength' | 'counter', number>> = {
  /** With graves: all VPCs, subnets, services and policies, and a few for each label set and service of each host. */
  records: 65_536,
  keyLength: 256,
  /** Characters of a value's JSON. */
  textLength: 16_384,
  /** A host that has counted beyond it is broken. */
  counter: 2 ** 48,
};

/** Of the hosts' clocks: a host whose clock is off by more than a year is wrong about graves, and about nothing else. */
const longestAgeMs = 366 * 86_400_000;

/** Printable ASCII: one octet a character wherever it goes. */
export function keyOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= catalogLimits.keyLength && /^[\x20-\x7e]+$/.test(value) ? value : undefined;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= catalogLimits.textLength ? value : undefined;
}

export const hostIdOf = (value: unknown): number | undefined => numberOf(value, 0xffff);
export const counterOf = (value: unknown): number | undefined => numberOf(value, catalogLimits.counter);
export const ageOf = (value: unknown): number | undefined => numberOf(value, longestAgeMs);

const keptShape: Shape<KeptRecord> = {
  key: keyOf,
  text: textOf,
  counter: counterOf,
  hostId: hostIdOf,
  deletedMs: (value) => numberOf(value, Number.MAX_SAFE_INTEGER),
};

/** As it stands on the disk: text, counter, host, and of a grave when it was deleted. */
export function formatKept({ text, counter, hostId, deletedMs }: KeptRecord): readonly unknown[] {
  return text === '' ? [text, counter, hostId, deletedMs] : [text, counter, hostId];
}

export function parseKept(key: string, value: unknown): KeptRecord | undefined {
  const [text, counter, hostId, deletedMs = 0] = listOf(value, 4, (item) => item) ?? [];
  return shapeOf({ key, text, counter, hostId, deletedMs }, keptShape);
}

export function isNewer(one: CatalogRecord, other: CatalogRecord): boolean {
  if (one.counter !== other.counter) return one.counter > other.counter;
  if (one.hostId !== other.hostId) return one.hostId > other.hostId;
  return one.text > other.text;
}

/** 32 bits of FNV-1a over UTF-16 units, mixed at the end. */
export function hashOf(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
