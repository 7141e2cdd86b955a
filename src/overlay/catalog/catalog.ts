import { assert, WeatherError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { catalogMessageLimits, catalogWeight, type CatalogMessage, type RecordVersion, type VersionsMessage } from './catalog-messages.ts';
import { catalogLimits, formatKept, isNewer, keyOf, parseKept, type CatalogRecord, type KeptRecord } from './catalog-record.ts';
import type { CatalogView } from './catalog-view.ts';
import { bucketCount, bucketOf, RecordTable } from './record-table.ts';

export type CatalogOutput =
  /** For the disk; undefined deletes. */
  | { readonly kind: 'store'; readonly key: string; readonly value: unknown }
  | { readonly kind: 'send'; readonly to: number; readonly messages: readonly CatalogMessage[] };

export interface CatalogOptions {
  readonly hostId: number;
  readonly random: Random;
  /** Told by `store` in this host's life before. */
  readonly stored: Iterable<readonly [key: string, value: unknown]>;
  /** A clock that goes on while the machine is off; that it is right matters to nobody but the graves of this host. */
  readonly nowMs: number;
  /** Whether there are hosts that could know something else; there are when absent. */
  readonly hasOthers?: () => boolean;
}

/** A deleted record is remembered so long: a host that was away for less learns that it was deleted. */
const graveMs = 86_400_000;
/** Off that time, for the clocks of machines that are off. */
const graveMarginMs = 3_600_000;
const roundEveryMs = 10_000;
/** Hosts that are told the digest in one round; the others in the next ones. */
const hostsOfRound = 8;
/** Buckets that one digest is answered with, and octets of records that one answer brings: the rest comes with the next digest. */
const bucketsOfAnswer = 16;
const bytesOfAnswer = 2_097_152;
/** What did not fit is asked for again so soon. */
const againMs = 250;
/** Changes that can be told one by one: far more than come between two looks. */
const changesLimit = 8192;
/** The store's key for when this host last heard that it knows what the others know; keys of records are behind `recordPrefix`. */
const heardKey = 'heard';
const recordPrefix = 'record/';
/** How exactly that is on the disk. */
const heardEveryMs = 600_000;

/**
 * Small records that all hosts have alike: written at any host, the last writer of a key wins. Who is connected hears of a change at once; what
 * gets lost is found by comparing digests.
 *
 *   in   set, delete                      at this host
 *        receive, connected, disconnected the other hosts
 *        handleTimeout                    time
 *   out  takeOutputs                      for the disk and the other hosts
 *        get, entries, changedSince       what there is
 */
export class Catalog implements CatalogView {
  readonly #hostId: number;
  readonly #random: Random;
  readonly #hasOthers: () => boolean;
  readonly #table = new RecordTable();
  readonly #connected = new Set<number>();
  /** Written here in this life: nobody else may know of it yet. */
  readonly #own = new Set<string>();
  readonly #again = new Map<number, number>();
  #changes: string[] = [];
  #version = 0;
  #counter = 0;
  /** When this host last knew that it knows what the others know; 0 when it never did. */
  #heardMs = 0;
  #heardStoredMs = -Infinity;
  #roundAtMs: number;
  #outputs: CatalogOutput[] = [];
  /** Records of others for which there was no room. */
  refused = 0;

  constructor({ hostId, random, stored, nowMs, hasOthers = () => true }: CatalogOptions) {
    this.#hostId = hostId;
    this.#random = random;
    this.#hasOthers = hasOthers;
    this.#roundAtMs = nowMs + random.number() * roundEveryMs;
    for (const [key, value] of stored) {
      if (key === heardKey && typeof value === 'number') this.#heardMs = Math.min(value, nowMs);
      const record = key.startsWith(recordPrefix) ? parseKept(key.slice(recordPrefix.length), value) : undefined;
      const parsed = record === undefined ? undefined : parsedText(record.text);
      if (record === undefined || parsed === undefined || this.#table.size >= catalogLimits.records) continue;
      this.#table.put(record, parsed.value);
      this.#counter = Math.max(this.#counter, record.counter);
    }
  }

  get version(): number {
    return this.#version;
  }

  /** Records, graves among them. */
  get size(): number {
    return this.#table.size;
  }

  get(key: string): unknown {
    return this.#table.value(key);
  }

  *entries(prefix: string): Iterable<readonly [key: string, value: unknown]> {
    for (const key of this.#table.keysWith(prefix)) yield [key, this.#table.value(key)];
  }

  /** Keys that have changed since a version, some more than once; undefined when that is too long ago to tell. */
  changedSince(version: number): readonly string[] | undefined {
    const count = this.#version - version;
    return count > this.#changes.length ? undefined : this.#changes.slice(this.#changes.length - count);
  }

  /** Throws WeatherError `catalog-value` (too long) or `catalog-full`. Nothing happens when the value is this one already. */
  set(key: string, value: unknown, nowMs: number): void {
    assert(keyOf(key) !== undefined, 'a key of the catalog is printable ASCII');
    const text = JSON.stringify(value);
    if (text.length > catalogLimits.textLength) {
      throw new WeatherError('catalog-value', `${key} has ${text.length} characters, and may have ${catalogLimits.textLength}`);
    }
    this.#write(key, text, nowMs);
  }

  /** Nothing happens when there is none. Throws WeatherError `catalog-full`. */
  delete(key: string, nowMs: number): void {
    if (this.#table.value(key) !== undefined) this.#write(key, '', nowMs);
  }

  connected(hostId: number, nowMs: number): void {
    this.#connected.add(hostId);
    this.#tellDigest(hostId, nowMs);
  }

  disconnected(hostId: number): void {
    this.#connected.delete(hostId);
    this.#again.delete(hostId);
  }

  /** Messages of another host, as `parseCatalogMessages` gives them. */
  receive(from: number, messages: readonly CatalogMessage[], nowMs: number): void {
    const answers: CatalogMessage[] = [];
    for (const message of messages) {
      if (message.type === 'record') this.#learn(message, nowMs - message.ageMs, nowMs);
      else if (message.type === 'digest') answers.push(...this.#compare(from, message.buckets, message.isStale, nowMs));
      else if (message.type === 'versions') answers.push(...this.#answerVersions(from, message, nowMs));
      else answers.push(...this.#recordsOf(message.keys, from, nowMs));
    }
    this.#send(from, answers);
  }

  handleTimeout(nowMs: number): void {
    for (const [hostId, dueMs] of this.#again) {
      if (nowMs < dueMs) continue;
      this.#again.delete(hostId);
      this.#tellDigest(hostId, nowMs);
    }
    if (nowMs < this.#roundAtMs) return;
    this.#roundAtMs = nowMs + roundEveryMs;
    if (!this.#hasOthers()) this.#heard(nowMs);
    this.#forgetGraves(nowMs);
    // Those that were told go to the end.
    for (const hostId of [...this.#connected].slice(0, hostsOfRound)) {
      this.#connected.delete(hostId);
      this.#connected.add(hostId);
      this.#tellDigest(hostId, nowMs);
    }
  }

  nextDeadlineMs(): number {
    return Math.min(this.#roundAtMs, ...this.#again.values());
  }

  takeOutputs(): CatalogOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  #write(key: string, text: string, nowMs: number): void {
    const known = this.#table.record(key);
    if (known?.text === text) return;
    if (known === undefined && this.#table.size >= catalogLimits.records) {
      throw new WeatherError('catalog-full', `the overlay has ${catalogLimits.records} records already`, { remedy: 'delete resources' });
    }
    if (this.#counter >= catalogLimits.counter) throw new WeatherError('catalog-full', 'a host has used up the numbers of versions');
    const record: KeptRecord = { key, text, counter: ++this.#counter, hostId: this.#hostId, deletedMs: text === '' ? nowMs : 0 };
    this.#own.add(key);
    this.#put(record, parsedText(text)?.value);
    for (const to of this.#connected) this.#send(to, this.#recordsOf([key], to, nowMs));
  }

  /** A record of another host. */
  #learn({ key, text, counter, hostId }: CatalogRecord, deletedMs: number, nowMs: number): void {
    const record: KeptRecord = { key, text, counter, hostId, deletedMs: text === '' ? Math.max(0, Math.floor(deletedMs)) : 0 };
    const parsed = parsedText(text);
    if (parsed === undefined || !this.#table.isNews(record)) return;
    const isKnown = this.#table.record(key) !== undefined;
    // The grave is old, and everybody has been told: without this it would be told for ever.
    const isOver = text === '' && nowMs >= record.deletedMs + graveMs && !this.#isStale(nowMs);
    if (!isKnown && (isOver || this.#table.size >= catalogLimits.records)) {
      this.refused++;
      return;
    }
    this.#counter = Math.max(this.#counter, counter);
    this.#own.delete(key);
    this.#put(record, parsed.value);
  }

  #put(record: KeptRecord, value: unknown): void {
    this.#table.put(record, value);
    this.#outputs.push({ kind: 'store', key: recordPrefix + record.key, value: formatKept(record) });
    this.#changed(record.key);
  }

  #remove(key: string): void {
    const wasGrave = this.#table.graves.has(key);
    this.#table.remove(key);
    this.#outputs.push({ kind: 'store', key: recordPrefix + key, value: undefined });
    if (!wasGrave) this.#changed(key);
  }

  #changed(key: string): void {
    this.#version++;
    this.#changes.push(key);
    if (this.#changes.length > 2 * changesLimit) this.#changes = this.#changes.slice(changesLimit);
  }

  /** Who has heard of nobody for long keeps them: the others may not have been told. */
  #forgetGraves(nowMs: number): void {
    if (this.#isStale(nowMs)) return;
    for (const key of this.#table.graves) {
      const { deletedMs = 0 } = this.#table.record(key) ?? {};
      if (nowMs >= deletedMs + graveMs) this.#remove(key);
    }
  }

  /** What was deleted while this host was away, the others may have forgotten: what they do not have is deleted, then, unless they were away too. */
  #isStale(nowMs: number): boolean {
    return nowMs >= this.#heardMs + graveMs - graveMarginMs;
  }

  #heard(nowMs: number): void {
    this.#heardMs = nowMs;
    if (nowMs < this.#heardStoredMs + heardEveryMs) return;
    this.#heardStoredMs = nowMs;
    this.#outputs.push({ kind: 'store', key: heardKey, value: Math.floor(nowMs) });
  }

  #tellDigest(to: number, nowMs: number): void {
    this.#send(to, [{ type: 'digest', buckets: this.#table.digests().join(''), isStale: this.#isStale(nowMs) }]);
  }

  /** A digest came: the other side is told what is here of the buckets that differ, and answers with what is newer there. */
  #compare(from: number, buckets: string, isStale: boolean, nowMs: number): CatalogMessage[] {
    const own = this.#table.digests();
    const differing = own.flatMap((digest, bucket) => (buckets.slice(bucket * 16, bucket * 16 + 16) === digest ? [] : [bucket]));
    const isSelfStale = this.#isStale(nowMs);
    if (differing.length === 0) {
      if (!isStale || isSelfStale) this.#heard(nowMs);
      return [];
    }
    // Who is stale listens, and does not teach.
    if (isSelfStale && !isStale) return [{ type: 'digest', buckets: own.join(''), isStale: true }];
    if (!isStale) this.#heard(nowMs);
    const first = Math.floor(this.#random.number() * differing.length);
    const chosen = [...differing.slice(first), ...differing.slice(0, first)].slice(0, bucketsOfAnswer);
    if (chosen.length < differing.length) this.#again.set(from, nowMs + againMs);
    return chosen.flatMap((bucket) => this.#versionsOf(bucket, isSelfStale));
  }

  #versionsOf(bucket: number, isStale: boolean): VersionsMessage[] {
    const keys = [...this.#table.keysOf(bucket)].sort();
    const messages: VersionsMessage[] = [];
    const size = catalogMessageLimits.versions;
    for (let at = 0; at === 0 || at < keys.length; at += size) {
      const versions = keys.slice(at, at + size).flatMap((key): RecordVersion[] => {
        const record = this.#table.record(key);
        return record === undefined ? [] : [[key, record.counter, record.hostId, this.#table.fingerprint(key) ?? 0]];
      });
      messages.push({
        type: 'versions',
        bucket,
        from: at === 0 ? '' : (keys[at] ?? ''),
        to: keys[at + size] ?? '',
        versions,
        isStale,
      });
    }
    return messages;
  }

  #answerVersions(from: number, { bucket, from: first, to, versions, isStale }: VersionsMessage, nowMs: number): CatalogMessage[] {
    if (bucket >= bucketCount) return [];
    const wanted: string[] = [];
    const given: string[] = [];
    const there = new Set<string>();
    for (const [key, counter, hostId, fingerprint] of versions) {
      if (bucketOf(key) !== bucket) continue;
      there.add(key);
      const record = this.#table.record(key);
      const isSame = record !== undefined && record.counter === counter && record.hostId === hostId;
      if (isSame && fingerprint === this.#table.fingerprint(key)) continue;
      // One version with two texts, of a host that has lost its disk: both tell theirs.
      const isOlder = record === undefined || isSame || isNewer({ key, text: '', counter, hostId }, record);
      if (isOlder) wanted.push(key);
      if (record !== undefined && (isSame || !isOlder)) given.push(key);
    }
    const isLearning = this.#isStale(nowMs) && !isStale;
    for (const key of [...this.#table.keysOf(bucket)]) {
      if (there.has(key) || key < first || (to !== '' && key >= to)) continue;
      if (isLearning && !this.#own.has(key)) this.#remove(key);
      else given.push(key);
    }
    const wants: CatalogMessage[] = wanted.length === 0 ? [] : [{ type: 'want', keys: wanted }];
    return [...this.#recordsOf(given, from, nowMs), ...wants];
  }

  /** The records of keys, as many as one answer may bring; the rest is found by the next digest. */
  #recordsOf(keys: readonly string[], to: number, nowMs: number): CatalogMessage[] {
    const messages: CatalogMessage[] = [];
    let bytes = 0;
    for (const key of keys) {
      const record = this.#table.record(key);
      if (record === undefined) continue;
      const { text, counter, hostId, deletedMs } = record;
      const ageMs = text === '' ? Math.min(Math.max(0, Math.floor(nowMs - deletedMs)), graveMs) : 0;
      const message: CatalogMessage = { type: 'record', key, text, counter, hostId, ageMs };
      bytes += catalogWeight(message);
      if (bytes > bytesOfAnswer) {
        this.#again.set(to, nowMs + againMs);
        break;
      }
      messages.push(message);
    }
    return messages;
  }

  /** In texts that are short enough. */
  #send(to: number, messages: readonly CatalogMessage[]): void {
    let packed: CatalogMessage[] = [];
    let weight = 0;
    const flush = (): void => {
      if (packed.length > 0) this.#outputs.push({ kind: 'send', to, messages: packed });
      packed = [];
      weight = 0;
    };
    for (const message of messages) {
      if (packed.length >= catalogMessageLimits.messages || weight + catalogWeight(message) > catalogMessageLimits.bytes) flush();
      packed.push(message);
      weight += catalogWeight(message);
    }
    flush();
  }
}

/** The value of a record's text; undefined when that is no JSON. */
function parsedText(text: string): { readonly value: unknown } | undefined {
  if (text === '') return { value: undefined };
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
