import type { FlowDetail, FlowStart } from './metering.ts';
import { Attribute, RecordType } from './record-types.ts';
import type { RecordQueue } from './record-queue.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';
import { SourceRecord } from './source-record.ts';
import { TokenBucket } from './token-bucket.ts';
import type { SeriesOwner } from './traffic-table.ts';

/** Records of single requests and connections that are begun and not yet told to their end, as skupper-router has it. */
export const maxOutstandingFlows = 5000;
/** A record that has ended waits for what the server's router adds, as skupper-router does. */
const supplementWaitMs = 5000;
/** The same where the network has answered itself: often no server's router knows of it. */
const failedWaitMs = 1000;
/** A request is told when it has ended, or when it goes on for longer. */
const tellOpenAfterMs = 1000;
/** All of what goes on is told again so often: observers forget what they have not heard of for an hour. */
const tellAgainEveryMs = 600_000;

/** What the server's router may add; the rest of a record is the business of the router where the client is. */
const supplementAttributes: ReadonlySet<number> = new Set([
  Attribute.trace,
  Attribute.connector,
  Attribute.processLatency,
  Attribute.proxyHost,
  Attribute.proxyPort,
  Attribute.errorConnectorSide,
  Attribute.destRouter,
  Attribute.destServer,
  Attribute.connectMicroseconds,
  Attribute.serverFirstByteMicroseconds,
  Attribute.serverTotalMicroseconds,
]);
/** What holds for a request's connection, too: Skupper's observer shows requests below connections that have a connector. */
const sharedWithConnection = [Attribute.connector, Attribute.trace, Attribute.proxyHost, Attribute.proxyPort, Attribute.processLatency];

export interface FlowDetailsOptions {
  readonly nextIdentity: () => string;
  readonly flowsPerSecond: number;
  /** Where records that are to be told are put. */
  readonly queue: RecordQueue;
  /** Whether a router can have served what a listener's clients asked for: nobody else adds to their records. */
  readonly serves: (owner: SeriesOwner, routerId: string) => boolean;
}

/** The records of single requests and connections of a router's clients. */
export class FlowDetails {
  readonly #options: FlowDetailsOptions;
  readonly #outstanding = new Map<string, Detail>();
  readonly rate: TokenBucket;
  #isRecording = false;
  #nowMs = 0;
  #toldAllMs = 0;
  /** Those that were not made, because there were too many. */
  dropped = 0;
  /** Supplements of routers that the request or connection did not go to. */
  refused = 0;

  constructor(options: FlowDetailsOptions) {
    this.#options = options;
    this.rate = new TokenBucket(options.flowsPerSecond);
  }

  get isRecording(): boolean {
    return this.#isRecording;
  }

  get outstanding(): number {
    return this.#outstanding.size;
  }

  start(nowMs: number): void {
    this.#isRecording = true;
    this.#nowMs = nowMs;
    this.#toldAllMs = nowMs;
  }

  /** Nobody wants them any more: those that are begun are forgotten. */
  stop(): void {
    this.#isRecording = false;
    for (const detail of this.#outstanding.values()) detail.isForgotten = true;
    this.#outstanding.clear();
  }

  begin(owner: SeriesOwner, { kind, startWallMicroseconds, parent }: FlowStart): FlowDetail | undefined {
    if (!this.#isRecording) return undefined;
    const isFull = this.#outstanding.size >= maxOutstandingFlows || this.#options.queue.length >= maxOutstandingFlows;
    if (isFull || !this.rate.take(startWallMicroseconds)) {
      this.dropped++;
      return undefined;
    }
    const isConnection = kind === 'connection';
    const type = isConnection ? RecordType.transportFlow : RecordType.applicationFlow;
    const detail = new Detail(this, owner, new SourceRecord(type, this.#options.nextIdentity()), this.#nowMs);
    detail.set(Attribute.parent, parent ?? owner.listener);
    detail.set(Attribute.startTime, startWallMicroseconds);
    this.#outstanding.set(detail.identity, detail);
    if (isConnection) detail.update();
    return detail;
  }

  tell(detail: Detail): void {
    this.#options.queue.add(detail.record);
  }

  ended(detail: Detail): void {
    const { record } = detail;
    detail.endedMs = this.#nowMs;
    if (detail.isSupplemented) {
      this.#conclude(detail);
      return;
    }
    const hasFailed = record.get(Attribute.networkError) !== undefined || record.get(Attribute.errorListenerSide) !== undefined;
    detail.waitMs = hasFailed ? failedWaitMs : supplementWaitMs;
  }

  /** Its end is told now, and not before. */
  #conclude(detail: Detail): void {
    detail.record.set(Attribute.endTime, detail.endWallMicroseconds);
    this.#outstanding.delete(detail.identity);
    this.tell(detail);
  }

  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const detail of this.#outstanding.values()) {
      if (detail.endedMs >= 0) {
        if (nowMs - detail.endedMs >= detail.waitMs) this.#conclude(detail);
      } else if (!detail.wasTold && nowMs - detail.begunMs >= tellOpenAfterMs) detail.update();
    }
    if (nowMs - this.#toldAllMs >= tellAgainEveryMs) this.tellAll();
  }

  /** What a server's router adds to one of these records. `routerId` is where it comes from; undefined for this router itself. */
  merge(identity: string, supplement: RecordUpdate, routerId?: string, isWhole = true): void {
    const detail = this.#outstanding.get(identity);
    if (detail === undefined) return;
    if (routerId !== undefined && !this.#options.serves(detail.owner, routerId)) {
      this.refused++;
      return;
    }
    for (const [attribute, value] of supplement) if (supplementAttributes.has(attribute)) detail.record.set(attribute, value);
    // It speaks for itself alone.
    if (routerId !== undefined) detail.record.set(Attribute.destRouter, routerId);
    if (!isWhole) return;
    detail.isSupplemented = true;
    if (detail.endedMs >= 0) this.#conclude(detail);
    else if (detail.wasTold) this.tell(detail);
    if (detail.record.type === RecordType.applicationFlow) this.#shareWithConnection(detail.record);
  }

  #shareWithConnection(request: SourceRecord): void {
    const parent = request.get(Attribute.parent);
    const connection = typeof parent === 'string' ? this.#outstanding.get(parent) : undefined;
    if (connection === undefined || connection.record.get(Attribute.connector) !== undefined) return;
    for (const attribute of sharedWithConnection) {
      const value = request.get(attribute);
      if (value !== undefined) connection.record.set(attribute, value);
    }
    this.tell(connection);
  }

  mergeAll(supplements: readonly RecordUpdate[], routerId?: string): void {
    for (const [index, supplement] of supplements.entries()) {
      const identity = supplement.get(Attribute.identity);
      if (typeof identity !== 'string') continue;
      // One that says more than skupper-router knows comes in two records, one behind the other.
      this.merge(identity, supplement, routerId, supplements[index + 1]?.get(Attribute.identity) !== identity);
    }
  }

  /** Tells again what has been told of those under way. */
  tellAll(): void {
    this.#toldAllMs = this.#nowMs;
    for (const detail of this.#outstanding.values()) {
      if (!detail.wasTold) continue;
      detail.record.forgetTold();
      this.tell(detail);
    }
  }
}

class Detail implements FlowDetail {
  readonly #details: FlowDetails;
  readonly owner: SeriesOwner;
  readonly record: SourceRecord;
  readonly begunMs: number;
  /** Negative while it goes on. */
  endedMs = -1;
  waitMs: number = supplementWaitMs;
  endWallMicroseconds = 0;
  isSupplemented = false;
  isForgotten = false;
  /** Or stands in the queue to be told. */
  wasTold = false;

  constructor(details: FlowDetails, owner: SeriesOwner, record: SourceRecord, nowMs: number) {
    this.#details = details;
    this.owner = owner;
    this.record = record;
    this.begunMs = nowMs;
  }

  get identity(): string {
    return this.record.identity;
  }

  set(attribute: number, value: AttributeValue): void {
    if (!this.isForgotten) this.record.set(attribute, value);
  }

  update(): void {
    if (this.isForgotten || this.endedMs >= 0) return;
    this.wasTold = true;
    this.#details.tell(this);
  }

  end(endWallMicroseconds: number): void {
    if (this.isForgotten || this.endedMs >= 0) return;
    this.endWallMicroseconds = endWallMicroseconds;
    this.#details.ended(this);
  }
}
