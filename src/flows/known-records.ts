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
  /** Sources of which there is a newer life. */
  readonly #replaced = new Set<string>();
  /** Grows with records that come and go. */
  version = 0;
  refused = 0;

  /** Keeps the record, as it is: later changes of it are seen. A record that has ended is forgotten. Another source's is not touched. */
  take(source: string, attributes: RecordUpdate, nowMs: number): StoredRecord | undefined {
    const identity = textOf(attributes, Attribute.identity);
    const type = numberOf(attributes, Attribute.recordType) ?? -1;
    const known = this.#byIdentity.get(identity);
    if (known !== undefined && (known.type !== type || (known.source !== source && !isNewerSite(known, attributes)))) return undefined;
    if (numberOf(attributes, Attribute.endTime)) {
      this.#delete(identity);
      return known;
    }
    const facts = factsOf(type, attributes);
    if (known?.attributes === attributes && known.source === source) {
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

  /** Those of now: without what a router told before it was started again, unless that is asked for. */
  *ofType(type: RecordType, isWithReplaced = false): IterableIterator<StoredRecord> {
    const ofType = this.#byType.get(type);
    if (ofType === undefined) return;
    for (const record of ofType.values()) if (isWithReplaced || !this.#replaced.has(record.source)) yield record;
  }

  /** The router of this source has been started again, and has a new one. */
  replace(source: string): void {
    this.#replaced.add(source);
    this.version++;
  }

  isReplaced(source: string): boolean {
    return this.#replaced.has(source);
  }

  /** Forgets everything of a source, and gives it. */
  forgetSource(source: string): readonly StoredRecord[] {
    const gone = [...this.#byIdentity.values()].filter((record) => record.source === source);
    for (const { identity } of gone) this.#delete(identity);
    this.#replaced.delete(source);
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

/** A site keeps its identity when its router is started again. */
function isNewerSite({ type, attributes }: StoredRecord, told: RecordUpdate): boolean {
  return type === RecordType.site && (numberOf(told, Attribute.startTime) ?? 0) > (numberOf(attributes, Attribute.startTime) ?? 0);
}

/** What rows and labels of others take from a record. Counters, which change all the time, are not among it. */
function factsOf(type: number, attributes: RecordUpdate): string {
  if (type !== RecordType.listener && type !== RecordType.connector) return '';
  const { name, vanAddress, destHost, destPort, destServer } = Attribute;
  return [name, vanAddress, destHost, destPort, destServer].map((attribute) => textOf(attributes, attribute)).join('\n');
}
