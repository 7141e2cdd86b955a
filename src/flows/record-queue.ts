import type { SourceRecord } from './source-record.ts';

/** Places of records taken that are kept until they are removed together. */
const compactedAfter = 4096;

/** Records that wait to be told, each once, in the order in which they changed. Its owner bounds how many records there are. */
export class RecordQueue {
  #records: SourceRecord[] = [];
  #next = 0;

  get length(): number {
    return this.#records.length - this.#next;
  }

  add(record: SourceRecord): void {
    if (record.isQueued) return;
    record.isQueued = true;
    this.#records.push(record);
  }

  take(): SourceRecord | undefined {
    const record = this.#records[this.#next];
    if (record === undefined) return undefined;
    this.#next++;
    record.isQueued = false;
    if (this.#next === this.#records.length) {
      this.#records = [];
      this.#next = 0;
    } else if (this.#next >= compactedAfter) {
      this.#records.splice(0, this.#next);
      this.#next = 0;
    }
    return record;
  }

  clear(): void {
    for (let index = this.#next; index < this.#records.length; index++) (this.#records[index] as SourceRecord).isQueued = false;
    this.#records = [];
    this.#next = 0;
  }
}
