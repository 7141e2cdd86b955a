import type { RecordUpdate } from './record.ts';
import { Attribute, RecordType } from './record-types.ts';
import { numberOf, textOf } from './record-values.ts';

/** Records of sites, links, listeners and so on, of the whole network: 200 sites with 100 services have some 42,000. */
const maxRecords = 65_536;

/** A record that stands until it ends. */
export interface StoredRecord {
  readonly source: string;
  readonly type: number;
  readonly identity: string;
  readonly attributes: RecordUpdate;
  readonly firstSeenMs: number;
  /** What others are named after, as it was taken last. */
  facts: string;
}

/** What the routers have told of themselves, and what is still so. */
export class KnownRecords {
  readonly #byIdentity = new Map<string, StoredRecord>();
  readonly #byType = new Map<number, Map<string, StoredRecord>>();
  /** Grows with records that come and go. */
  version = 0;
  refused = 0;

  /** Keeps the record, as it is: later changes of it are seen. A record that has ended is forgotten. Another source's is not touched. */
  take(source: string, attributes: RecordUpdate, nowMs: number): StoredRecord | undefined {
    const identity = textOf(attributes, Attribute.identity);
    const type = numberOf(attributes, Attribute.recordType) ?? -1;
    const known = this.#byIdentity.get(identity);
    if (known !== undefined && (known.source !== source || known.type !== type)) return undefined;
    if (numberOf(attributes, Attribute.endTime)) {
      this.#delete(identity);
      return known;
    }
    const facts = factsOf(type, attributes);
    if (known?.attributes === attributes) {
      if (facts !== known.facts) this.version++;
      known.facts = facts;
      return known;
    }
    if (known === undefined && this.#byIdentity.size >= maxRecords) {
      this.refused++;
      return undefined;
    }
    const record: StoredRecord = { source, type, identity, attributes, firstSeenMs: known?.firstSeenMs ?? nowMs, facts };
    this.#byIdentity.set(identity, record);
    let ofType = this.#byType.get(type);
    if (ofType === undefined) {
      ofType = new Map();
      this.#byType.set(type, ofType);
    }
    ofType.set(identity, record);
    this.version++;
    return record;
  }

  find(identity: string): StoredRecord | undefined {
    return this.#byIdentity.get(identity);
  }

  *ofType(type: RecordType): IterableIterator<StoredRecord> {
    const ofType = this.#byType.get(type);
    if (ofType !== undefined) yield* ofType.values();
  }

  /** Forgets everything of a source, and gives it. */
  forgetSource(source: string): readonly StoredRecord[] {
    const gone = [...this.#byIdentity.values()].filter((record) => record.source === source);
    for (const { identity } of gone) this.#delete(identity);
    return gone;
  }

  #delete(identity: string): void {
    const record = this.#byIdentity.get(identity);
    if (record === undefined) return;
    this.#byIdentity.delete(identity);
    const ofType = this.#byType.get(record.type);
    ofType?.delete(identity);
    if (ofType?.size === 0) this.#byType.delete(record.type);
    this.version++;
  }
}

/** What rows and labels of others take from a record. Counters, which change all the time, are not among it. */
function factsOf(type: number, attributes: RecordUpdate): string {
  if (type !== RecordType.listener && type !== RecordType.connector) return '';
  const { name, vanAddress, destHost, destPort, destServer } = Attribute;
  return [name, vanAddress, destHost, destPort, destServer].map((attribute) => textOf(attributes, attribute)).join('\n');
}
