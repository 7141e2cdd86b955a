import { Attribute } from './record-types.ts';
import type { RecordType } from './record-types.ts';
import type { RecordQueue } from './record-queue.ts';
import type { AttributeValue } from './record.ts';
import { SourceRecord } from './source-record.ts';

/** Records of what is configured and stands at one router; collectors keep no more of a source. */
export const maxConfigurationRecords = 10_000;

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
    this.#records.ended(this.#record);
  }
}

/** All of them. They are kept whether somebody listens or not, and told while somebody does. */
export class ConfigurationRecords {
  readonly #queue: RecordQueue;
  readonly #records = new Set<SourceRecord>();
  #isTelling = false;
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

  ended(record: SourceRecord): void {
    this.changed(record);
    this.#records.delete(record);
  }

  start(): void {
    this.#isTelling = true;
    this.tellAll();
  }

  stop(): void {
    this.#isTelling = false;
  }

  /** Tells all of them, and all of each. */
  tellAll(): void {
    for (const record of this.#records) {
      record.forgetTold();
      this.#queue.add(record);
    }
  }
}
