import { ProtocolViolation } from '../base/errors.ts';
import { HeardSource, KeptRecord, costOf, isFlow } from './collected-source.ts';
import type { CollectedRecord, CollectedSource } from './collected-source.ts';
import { parseFlowAddress } from './flow-addresses.ts';
import { readFlowMessage } from './flow-messages.ts';
import type { FlowMessage } from './flow-messages.ts';
import { Attribute, RecordType } from './record-types.ts';
import type { RecordUpdate } from './record.ts';
import { claimedId, mayTell, withClaimedReferences, withOwnIdentities } from './source-claims.ts';

export type { CollectedRecord, CollectedSource } from './collected-source.ts';

/** Four heartbeats: one may be lost, another late. */
const silentAfterMs = 8000;
const goneAfterMs = 60_000;
/** Requests and connections are known for so long after their end: what comes late is still theirs. */
const keepFlowsMs = 10_000;
const keepEndedMs = 60_000;
const sweepEveryMs = 1000;
/** Flows whose end was lost, or that a router does not record any more: routers tell of those that go on every ten minutes. */
const keepUnheardFlowsMs = 3_600_000;
/** Sums start anew when nobody has listened for a moment, and those before have no end: routers tell of them every five minutes. */
const keepUnheardSumsMs = 900_000;
const sweepUnheardEveryMs = 60_000;
/** When flows must make room, so many parts of the source's go at once: to look for the oldest costs more than to remove it. */
const evictedPart = 16;

export interface CollectorLimits {
  /** Routers and controllers of one network. */
  readonly sources: number;
  /** Records of a source, of what stands and of flows each: a router has 10,000 and 5,000 at most. */
  readonly recordsPerSource: number;
  /** Of all sources together. */
  readonly records: number;
  /** Octets in memory for records, by estimate, of a source and of all. */
  readonly octetsPerSource: number;
  readonly octets: number;
}

const defaultLimits: CollectorLimits = {
  sources: 16_384,
  recordsPerSource: 20_000,
  records: 500_000,
  octetsPerSource: 33_554_432,
  octets: 536_870_912,
};

/** Hears what is told. Records are given after they have been merged, and change with what comes later: copy what is kept. */
export interface FlowListener {
  /** Heard for the first time, or again. */
  sourceUp(source: CollectedSource): void;
  /** It should have been heard and was not. */
  sourceSilent(source: CollectedSource): void;
  /** It is forgotten, with all its records. */
  sourceGone(source: CollectedSource): void;
  /** `isEnded` may be told again, with what comes late. Lines of logs are given once and not kept. */
  record(source: CollectedSource, record: CollectedRecord, isNew: boolean, isEnded: boolean): void;
}

/** A message to an address that is observed. */
export interface ObservedMessage {
  readonly to: string;
  /** Is not looked at: the payload says it, too. */
  readonly subject?: string;
  /** The whole message, from its first section on. */
  readonly payload: Uint8Array;
  /** The router that it comes from, where that is known: then nobody else can tell records in its sources' names. */
  readonly origin?: string | undefined;
}

/** Joins what the sources of a network tell to records, in bounded memory. Takes nothing for true: what is malformed is counted. */
export class FlowCollector {
  readonly #listener: FlowListener;
  readonly #limits: CollectorLimits;
  readonly #sources = new Map<string, HeardSource>();
  /** Ids of sources whose own ids others had before. */
  readonly #claimed = new Set<string>();
  readonly #endedFlows: EndedRecord[] = [];
  readonly #endedRecords: EndedRecord[] = [];
  #recordCount = 0;
  #cost = 0;
  #sweepDueMs = -Infinity;
  #sweepUnheardDueMs = 0;
  /** Messages that are not what they should be, and those in another's name. */
  malformed = 0;
  /** Messages of sources that were not heard, because there were too many. */
  unheard = 0;
  /** Records that were not kept, because there were too many. */
  droppedRecords = 0;

  constructor(listener: FlowListener, limits: Partial<CollectorLimits> = {}) {
    this.#listener = listener;
    this.#limits = { ...defaultLimits, ...limits };
  }

  get sources(): ReadonlyMap<string, CollectedSource> {
    return this.#sources;
  }

  /** Records that are kept. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** A record by its identity, whichever source tells it. */
  find(identity: string): CollectedRecord | undefined {
    // Routers name their records after themselves; others may choose.
    const own = this.#sources.get(`${identity.slice(0, identity.indexOf(':'))}:0`)?.find(identity);
    if (own !== undefined) return own;
    for (const source of this.#sources.values()) {
      const record = source.find(identity);
      if (record !== undefined) return record;
    }
    return undefined;
  }

  /** `wallMicroseconds` is the time of our clock. */
  receive({ to, payload, origin }: ObservedMessage, nowMs: number, wallMicroseconds: number): void {
    const address = parseFlowAddress(to);
    const message = this.#read(payload);
    if (address === undefined || message === undefined) {
      this.malformed++;
      return;
    }
    switch (message.subject) {
      case 'BEACON': {
        const source = this.#heard(message.id, origin, nowMs);
        if (source === undefined) return;
        source.type = message.sourceType;
        source.direct = message.direct;
        break;
      }
      case 'HEARTBEAT': {
        if (message.id !== address.id) {
          this.malformed++;
          break;
        }
        const source = this.#heard(message.id, origin, nowMs);
        if (message.wallMicroseconds > 0) source?.clock(message.wallMicroseconds, wallMicroseconds);
        break;
      }
      case 'RECORD': {
        if (address.id === '') {
          this.malformed++;
          break;
        }
        const source = this.#heard(address.id, origin, nowMs);
        if (source !== undefined) for (const update of message.records) this.#record(source, update, nowMs);
        break;
      }
      default:
        this.malformed++;
    }
  }

  #read(payload: Uint8Array): FlowMessage | undefined {
    try {
      return readFlowMessage(payload);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      return undefined;
    }
  }

  /** Undefined when there are too many sources. */
  #heard(id: string, origin: string | undefined, nowMs: number): HeardSource | undefined {
    const named = this.#sources.get(id);
    if (named !== undefined && origin !== undefined) named.origin ??= origin;
    // Who has been told apart from another stays so when the other is gone.
    const isOther = origin !== undefined && ((named !== undefined && named.origin !== origin) || this.#isClaimed(claimedId(id, origin)));
    const ownId = isOther ? claimedId(id, origin) : id;
    let source = this.#sources.get(ownId);
    if (source === undefined) {
      if (this.#sources.size >= this.#limits.sources) {
        this.unheard++;
        return undefined;
      }
      source = new HeardSource(ownId, id, origin, nowMs);
      this.#sources.set(ownId, source);
      if (isOther) this.#claimed.add(ownId);
      if (this.#sweepDueMs === -Infinity) this.#sweepDueMs = nowMs + sweepEveryMs;
      this.#listener.sourceUp(source);
      return source;
    }
    source.lastSeenMs = nowMs;
    if (source.state === 'silent') {
      source.state = 'up';
      this.#listener.sourceUp(source);
    }
    return source;
  }

  #isClaimed(id: string): boolean {
    return this.#claimed.size > 0 && this.#claimed.has(id);
  }

  /** What a source tells, if it is its own; undefined when it is another's. */
  #own(source: HeardSource, update: RecordUpdate, nowMs: number): RecordUpdate | undefined {
    if (!mayTell(source, update, (id) => this.#isRouter(id))) return undefined;
    if (update.get(0) === RecordType.site && update.get(1) === source.origin) this.#endOthers(source, nowMs);
    if (this.#claimed.size === 0) return update;
    const own = this.#claimed.has(source.id) ? withOwnIdentities(source, update) : update;
    return withClaimedReferences(own, source.find(own.get(1) as string)?.attributes, (id) => this.#claimed.has(id));
  }

  #isRouter(id: string): boolean {
    for (const { origin } of this.#sources.values()) if (origin === id) return true;
    return false;
  }

  /** What others have told of a router's site before the router was heard. */
  #endOthers(source: HeardSource, nowMs: number): void {
    const { origin = '' } = source;
    for (const other of this.#sources.values()) {
      const record = other.origin === origin ? undefined : other.records.get(origin);
      if (record?.type !== RecordType.site) continue;
      this.malformed++;
      record.attributes.set(Attribute.endTime, Math.max(1, nowMs));
      this.#listener.record(other, record, false, true);
      this.#remove(other, record);
    }
  }

  #record(source: HeardSource, told: RecordUpdate, nowMs: number): void {
    const update = this.#own(source, told, nowMs);
    if (update === undefined) {
      this.malformed++;
      return;
    }
    // The codec gives records with both only.
    const [type, identity] = [update.get(0) as number, update.get(1) as string];
    if (type === RecordType.log) {
      const line = new KeptRecord(type, identity);
      line.merge(update);
      this.#listener.record(source, line, true, true);
      return;
    }
    const known = source.find(identity);
    if (known !== undefined && known.type !== type) {
      this.malformed++;
      return;
    }
    const isNew = known === undefined;
    const record = known ?? new KeptRecord(type, identity);
    if (!this.#makeRoom(source, record, costOf(update), isNew)) {
      source.droppedRecords++;
      this.droppedRecords++;
      return;
    }
    this.#merge(source, record, update, isNew);
    record.updatedMs = nowMs;
    const { isEnded } = record;
    if (isEnded && record.endedMs < 0) {
      record.endedMs = nowMs;
      this.#remember(isFlow(type) ? this.#endedFlows : this.#endedRecords, { source, record });
    }
    this.#listener.record(source, record, isNew, isEnded);
  }

  /** It is forgotten after some time, or before when very many end. */
  #remember(ended: EndedRecord[], entry: EndedRecord): void {
    if (ended.length >= this.#limits.records) {
      for (const { source, record } of ended.splice(0, Math.ceil(ended.length / evictedPart))) this.#remove(source, record);
    }
    ended.push(entry);
  }

  #merge(source: HeardSource, record: KeptRecord, update: RecordUpdate, isNew: boolean): void {
    const before = source.cost;
    if (isNew) {
      source.add(record);
      this.#recordCount++;
    }
    source.merge(record, update);
    this.#cost += source.cost - before;
  }

  /** False when there is no room for so many octets more. */
  #makeRoom(source: HeardSource, record: KeptRecord, cost: number, isNew: boolean): boolean {
    const { recordsPerSource, records, octetsPerSource, octets } = this.#limits;
    const table = isFlow(record.type) ? source.flows : source.records;
    const isFull = (): boolean => source.cost + cost > octetsPerSource || (isNew && table.size >= recordsPerSource);
    if (isFull()) {
      // Records of what stands are worth more than those of flows.
      if (isFlow(record.type) || source.cost + cost > octetsPerSource) this.#evict(source, record);
      if (isFull()) return false;
    }
    const isTooMuch = (): boolean => this.#cost + cost > octets || (isNew && this.#recordCount >= records);
    if (isTooMuch()) {
      this.#evict(this.#largest(), record);
      if (isTooMuch()) return false;
    }
    return true;
  }

  #largest(): HeardSource | undefined {
    let largest: HeardSource | undefined;
    for (const source of this.#sources.values()) if (largest === undefined || source.flows.size > largest.flows.size) largest = source;
    return largest;
  }

  /** The oldest flows of the source go, but not the one that is told of. */
  #evict(source: HeardSource | undefined, except: KeptRecord): void {
    if (source === undefined) return;
    let left = Math.ceil(source.flows.size / evictedPart);
    for (const flow of source.flows.values()) {
      if (left-- <= 0) return;
      if (flow === except) continue;
      this.#remove(source, flow);
      source.droppedRecords++;
      this.droppedRecords++;
    }
  }

  #remove(source: HeardSource, record: KeptRecord): void {
    if (!source.remove(record)) return;
    this.#recordCount--;
    this.#cost -= record.cost;
  }

  /** Infinity while nobody has been heard. */
  nextDeadlineMs(): number {
    return this.#sweepDueMs === -Infinity ? Infinity : this.#sweepDueMs;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.#sweepDueMs || this.#sweepDueMs === -Infinity) return;
    this.#forget(this.#endedFlows, nowMs - keepFlowsMs);
    this.#forget(this.#endedRecords, nowMs - keepEndedMs);
    if (nowMs >= this.#sweepUnheardDueMs) {
      this.#sweepUnheardDueMs = nowMs + sweepUnheardEveryMs;
      this.#forgetUnheard(nowMs);
    }
    for (const source of this.#sources.values()) this.#watch(source, nowMs);
    this.#sweepDueMs = this.#sources.size === 0 ? -Infinity : nowMs + sweepEveryMs;
  }

  #forget(ended: EndedRecord[], untilMs: number): void {
    let count = 0;
    for (const { source, record } of ended) {
      if (record.endedMs > untilMs) break;
      count++;
      this.#remove(source, record);
    }
    ended.splice(0, count);
  }

  #forgetUnheard(nowMs: number): void {
    for (const source of this.#sources.values()) {
      for (const flow of source.flows.values()) if (nowMs - flow.updatedMs > keepUnheardFlowsMs) this.#remove(source, flow);
      for (const record of source.records.values()) {
        const isSum = record.type === RecordType.traffic || record.type === RecordType.loss;
        if (isSum && nowMs - record.updatedMs > keepUnheardSumsMs) this.#remove(source, record);
      }
    }
  }

  #watch(source: HeardSource, nowMs: number): void {
    const silentMs = nowMs - source.lastSeenMs;
    if (source.state === 'up' && silentMs >= silentAfterMs) {
      source.state = 'silent';
      this.#listener.sourceSilent(source);
    }
    if (silentMs < goneAfterMs) return;
    this.#sources.delete(source.id);
    this.#claimed.delete(source.id);
    this.#listener.sourceGone(source);
    this.#recordCount -= source.records.size + source.flows.size;
    this.#cost -= source.cost;
    source.records.clear();
    source.flows.clear();
    source.cost = 0;
  }
}

interface EndedRecord {
  readonly source: HeardSource;
  readonly record: KeptRecord;
}
