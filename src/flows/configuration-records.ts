import { Attribute } from './record-types.ts';
import type { RecordType } from './record-types.ts';
import type { RecordQueue } from './record-queue.ts';
import type { AttributeValue } from './record.ts';
import { SourceRecord } from './source-record.ts';

/** Records of what is configured and stands at one router; collectors keep no more of a source. */
export const maxConfigurationRecords = 10_000;
/** Messages may be lost where a way is full: all is told again so often, */
const tellAgainEveryMs = 300_000;
/** and the end of a record, which nothing follows, once more after this time. */
const tellEndAgainAfterMicroseconds = 10_000_000;
/** Who did not listen for so long has forgotten all of this source, and need not hear what has ended. */
const tellEndsOfMicroseconds = 70_000_000;

/** A site, router, link, listener, connector or process, as long as it is there. */
export class ConfigurationRecord {
  readonly identity: string;
  readonly #record: SourceRecord;
  readonly #records: ConfigurationRecords;
  #isEnded = false;

  constructor(records: ConfigurationRecords, record: SourceRecord) {
    this.#records = records;
    this.#record = record;
    this.identity = record.identity;
  }

  /** What is undefined stays as it is: nothing can be taken back. */
  set(attribute: number, value: AttributeValue | undefined): void {
    if (value === undefined || this.#isEnded || !this.#record.set(attribute, value)) return;
    this.#records.changed(this.#record);
  }

  end(wallMicroseconds: number): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#record.set(Attribute.endTime, wallMicroseconds);
    this.#records.ended(this.#record, wallMicroseconds);
  }
}

/** All of them. They are kept whether somebody listens or not, and told while somebody does. */
export class ConfigurationRecords {
  readonly #queue: RecordQueue;
  readonly #records = new Set<SourceRecord>();
  /** Those whose end is to be told once more, the oldest first. */
  readonly #ended: { readonly record: SourceRecord; readonly wallMicroseconds: number }[] = [];
  #isTelling = false;
  #nowMs = 0;
  #toldAllMs = 0;
  /** Those that nobody is told of, because there were too many. */
  dropped = 0;

  constructor(queue: RecordQueue) {
    this.#queue = queue;
  }

  begin(
    type: RecordType,
    identity: string,
    attributes: Iterable<readonly [number, AttributeValue | undefined]>,
    wallMicroseconds: number,
  ): ConfigurationRecord {
    const record = new SourceRecord(type, identity);
    record.set(Attribute.startTime, wallMicroseconds);
    for (const [attribute, value] of attributes) if (value !== undefined) record.set(attribute, value);
    if (this.#records.size < maxConfigurationRecords) {
      this.#records.add(record);
      this.changed(record);
    } else this.dropped++;
    return new ConfigurationRecord(this, record);
  }

  changed(record: SourceRecord): void {
    if (this.#isTelling && this.#records.has(record)) this.#queue.add(record);
  }

  ended(record: SourceRecord, wallMicroseconds: number): void {
    this.changed(record);
    if (!this.#records.delete(record)) return;
    if (this.#ended.length >= maxConfigurationRecords) this.#ended.shift();
    this.#ended.push({ record, wallMicroseconds });
  }

  start(nowMs: number, wallMicroseconds: number): void {
    this.#isTelling = true;
    this.#nowMs = nowMs;
    this.tellAll();
    for (const { record, wallMicroseconds: endWallMicroseconds } of this.#ended.splice(0)) {
      if (wallMicroseconds - endWallMicroseconds < tellEndsOfMicroseconds) this.#tellWhole(record);
    }
  }

  stop(): void {
    this.#isTelling = false;
  }

  #tellWhole(record: SourceRecord): void {
    record.forgetTold();
    this.#queue.add(record);
  }

  /** Tells again what may have been lost. */
  tick(nowMs: number, wallMicroseconds: number): void {
    this.#nowMs = nowMs;
    if (!this.#isTelling) return;
    let due = 0;
    for (const { record, wallMicroseconds: endWallMicroseconds } of this.#ended) {
      if (wallMicroseconds - endWallMicroseconds < tellEndAgainAfterMicroseconds) break;
      due++;
      this.#tellWhole(record);
    }
    if (due > 0) this.#ended.splice(0, due);
    if (nowMs - this.#toldAllMs >= tellAgainEveryMs) this.tellAll();
  }

  /** Tells all of them, and all of each. */
  tellAll(): void {
    this.#toldAllMs = this.#nowMs;
    for (const record of this.#records) this.#tellWhole(record);
  }
}
