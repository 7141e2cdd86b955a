import { flowAddresses } from './flow-addresses.ts';
import { Attribute, RecordType } from './record-types.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';

/** Attributes of one record that are kept; known ones are below 110. */
const maxKeptAttributes = 160;
/** Heartbeats among which the one that came the fastest tells the clock: 16 seconds. */
const clockSamples = 8;

// What is kept of a record in memory, by estimate.
const recordCost = 300;
const attributeCost = 56;

/** Requests and connections come and go; everything else stands until it ends. */
export function isFlow(type: number): boolean {
  return type === RecordType.transportFlow || type === RecordType.applicationFlow || type === RecordType.flow;
}

/** A record as it is known from all that has been told of it. */
export interface CollectedRecord {
  readonly type: number;
  readonly identity: string;
  /** Changes with what is told next. */
  readonly attributes: ReadonlyMap<number, AttributeValue>;
}

/** Who tells records: a router, or a controller. */
export interface CollectedSource {
  readonly id: string;
  /** ROUTER, CONTROLLER or another; empty until it has said so. */
  readonly type: string;
  /** The router that its messages come from, where that is known. */
  readonly origin: string | undefined;
  /** Where it takes FLUSH. */
  readonly direct: string;
  readonly state: 'up' | 'silent';
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** How far its clock is ahead of ours, to the time that a message takes; 0 while that is not known. */
  readonly clockOffsetMicroseconds: number;
  /** By identity: all but single requests and connections. */
  readonly records: ReadonlyMap<string, CollectedRecord>;
  /** Single requests and connections that go on, or have ended lately. */
  readonly flows: ReadonlyMap<string, CollectedRecord>;
  /** Records that are not kept, because there were too many. */
  readonly droppedRecords: number;
}

/** A record that is kept. */
export class KeptRecord implements CollectedRecord {
  readonly type: number;
  readonly identity: string;
  readonly attributes: Map<number, AttributeValue> = new Map();
  /** Negative while it goes on. */
  endedMs = -1;
  updatedMs = 0;
  /** Octets in memory, by estimate. */
  cost: number = recordCost;

  constructor(type: number, identity: string) {
    this.type = type;
    this.identity = identity;
  }

  merge(update: RecordUpdate): void {
    for (const [attribute, value] of update) {
      const before = this.attributes.get(attribute);
      if (before === undefined) {
        if (this.attributes.size >= maxKeptAttributes) continue;
        this.cost += attributeCost;
      } else this.cost -= lengthOf(before);
      this.cost += lengthOf(value);
      this.attributes.set(attribute, value);
    }
  }

  get isEnded(): boolean {
    return this.attributes.has(Attribute.endTime);
  }
}

function lengthOf(value: AttributeValue): number {
  return typeof value === 'string' ? value.length : 0;
}

/** Octets in memory that a new record takes, by estimate. */
export function costOf(update: RecordUpdate): number {
  let cost = recordCost;
  for (const value of update.values()) cost += attributeCost + lengthOf(value);
  return cost;
}

/** A source that is heard. */
export class HeardSource implements CollectedSource {
  readonly id: string;
  /** What it calls itself: not its id where another router's source calls itself the same. */
  readonly toldId: string;
  readonly firstSeenMs: number;
  readonly records: Map<string, KeptRecord> = new Map();
  readonly flows: Map<string, KeptRecord> = new Map();
  readonly #clockSamples: number[] = [];
  #nextSample = 0;
  type = '';
  origin: string | undefined;
  direct: string;
  state: 'up' | 'silent' = 'up';
  lastSeenMs: number;
  droppedRecords = 0;
  /** Octets of its records, by estimate. */
  cost = 0;

  constructor(id: string, toldId: string, origin: string | undefined, nowMs: number) {
    this.id = id;
    this.toldId = toldId;
    this.direct = flowAddresses(toldId).direct;
    this.origin = origin;
    this.firstSeenMs = nowMs;
    this.lastSeenMs = nowMs;
  }

  get clockOffsetMicroseconds(): number {
    // A message is never early: the greatest difference is the nearest to the truth.
    return this.#clockSamples.length === 0 ? 0 : Math.max(...this.#clockSamples);
  }

  /** Its clock showed this when the message was sent that came now. */
  clock(sourceWallMicroseconds: number, wallMicroseconds: number): void {
    this.#clockSamples[this.#nextSample] = sourceWallMicroseconds - wallMicroseconds;
    this.#nextSample = (this.#nextSample + 1) % clockSamples;
  }

  find(identity: string): KeptRecord | undefined {
    return this.records.get(identity) ?? this.flows.get(identity);
  }

  add(record: KeptRecord): void {
    (isFlow(record.type) ? this.flows : this.records).set(record.identity, record);
    this.cost += record.cost;
  }

  /** False if it is not kept any more. */
  remove(record: KeptRecord): boolean {
    const table = isFlow(record.type) ? this.flows : this.records;
    if (table.get(record.identity) !== record) return false;
    table.delete(record.identity);
    this.cost -= record.cost;
    return true;
  }

  merge(record: KeptRecord, update: RecordUpdate): void {
    const before = record.cost;
    record.merge(update);
    this.cost += record.cost - before;
  }
}
