import { ProtocolViolation } from '../base/errors.ts';
import { ConfigurationRecords } from './configuration-records.ts';
import type { ConfigurationRecord } from './configuration-records.ts';
import { flowAddresses, supplementAddress } from './flow-addresses.ts';
import type { FlowAddresses } from './flow-addresses.ts';
import { FlowDetails } from './flow-details.ts';
import { beaconMessage, heartbeatMessage, readFlowMessage, recordMessage } from './flow-messages.ts';
import type { OutgoingFlowMessage } from './flow-messages.ts';
import { ListenerMeter } from './listener-meter.ts';
import { LogRing } from './log-ring.ts';
import type { LogSeverity } from './log-ring.ts';
import type { FlowSupplement } from './metering.ts';
import { batchesOf } from './record-batches.ts';
import { RecordQueue } from './record-queue.ts';
import { Attribute, RecordType } from './record-types.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';
import { SourceRecord, maxToldText } from './source-record.ts';
import { SupplementSender } from './supplement-sender.ts';
import type { Counted } from './traffic-series.ts';
import { TrafficTable } from './traffic-table.ts';

/** Times as skupper-router has them. */
const beaconEveryMs = 10_000;
const heartbeatEveryMs = 2000;
const flushEveryMs = 200;
const firstFlushMs = 2000;
/** Counters that are read by polling change records no more often. */
const refreshEveryMs = 1000;
/** All records are told anew no more often, whoever asks. */
const repeatEveryMs = 1000;
/** Records of a kind that are sent at a time: 5,000 a second. The others wait for the next time. */
const maxRecordsPerFlush = 1000;
/** How many records were not made is told again so often, as other sums are. */
const tellLossEveryMs = 300_000;
/** Messages that the owner has not taken yet: no more are made then. */
const maxWaitingMessages = 400;
/** New records of single requests and connections a second: what is not made costs nothing but its count. */
export const defaultFlowsPerSecond = 250;

/** Which of a source's addresses have consumers anywhere in the network. */
export interface FlowInterest {
  readonly all: boolean;
  readonly records: boolean;
  readonly flows: boolean;
  readonly logs: boolean;
  readonly caravan: boolean;
}

const nobody: FlowInterest = { all: false, records: false, flows: false, logs: false, caravan: false };

export interface FlowSourceOptions {
  /** The router's: 5 characters. */
  readonly sourceId: string;
  /** A new identity, `<source id>:<number>`. */
  readonly nextIdentity: () => string;
  readonly flowsPerSecond?: number;
  /** Brings counters in records up to date; called while somebody listens, at most once a second. */
  readonly refresh?: () => void;
  /** Whether a router offers an address: only those to which clients were led add to their records. Everybody when absent. */
  readonly serves?: (address: string, routerId: string) => boolean;
}

/**
 * What one router tells of itself and of its traffic, in messages to those who listen; while nobody does, next to nothing is done.
 * Call `setInterest` when routes or consumers change, `handleTimeout` at `nextDeadlineMs`, and then take what `nextMessage` gives. Times
 * of the wall are microseconds since the epoch.
 *
 *     services ── meters, supplements ──► sums, details ──┐
 *     router ──── begin, set, end, log ──► records ───────┴─► queues ── every 200 ms ──► messages
 */
export class FlowSource {
  readonly addresses: FlowAddresses;
  readonly #nextIdentity: () => string;
  readonly #refresh: () => void;
  readonly #details: FlowDetails;
  readonly #traffic: TrafficTable;
  readonly #configuration: ConfigurationRecords;
  readonly #log = new LogRing();
  readonly #supplement: SupplementSender;
  readonly #recordQueue = new RecordQueue();
  readonly #flowQueue = new RecordQueue();
  readonly #caravanQueue = new RecordQueue();
  #loss: SourceRecord | undefined;
  #lossBase = 0;
  #lossToldMs = 0;
  #interest: FlowInterest = nobody;
  #messages: OutgoingFlowMessage[] = [];
  #messageNumber = 0;
  #flushDueMs = Infinity;
  #notBeforeMs = 0;
  #beaconDueMs = 0;
  #beaconToldMs = -Infinity;
  #heartbeatDueMs = 0;
  #refreshDueMs = 0;
  #repeatDueMs = Infinity;
  #repeatedMs = -Infinity;
  /** Messages to this source that were not what they should be. */
  malformed = 0;

  constructor({ sourceId, nextIdentity, flowsPerSecond = defaultFlowsPerSecond, refresh, serves = () => true }: FlowSourceOptions) {
    this.addresses = flowAddresses(`${sourceId}:0`);
    this.#nextIdentity = nextIdentity;
    this.#refresh = refresh ?? ((): void => {});
    this.#traffic = new TrafficTable({ nextIdentity, router: this.addresses.id, queue: this.#caravanQueue });
    this.#details = new FlowDetails({
      nextIdentity,
      flowsPerSecond,
      queue: this.#flowQueue,
      serves: ({ listener, address }, routerId) => {
        if (address !== undefined && serves(address, routerId)) return true;
        return this.#traffic.isCounting ? this.#traffic.leadsTo(listener, routerId, serves) : address === undefined;
      },
    });
    this.#configuration = new ConfigurationRecords(this.#recordQueue);
    this.#supplement = new SupplementSender({
      sourceId,
      merge: (identity, attributes) => this.#details.merge(identity, attributes),
    });
  }

  /** Somebody listens. */
  get isActive(): boolean {
    return this.#interest !== nobody;
  }

  /** How many records of single requests and connections may begin in a second. */
  get flowsPerSecond(): number {
    return this.#details.rate.perSecond;
  }

  set flowsPerSecond(perSecond: number) {
    this.#details.rate.perSecond = perSecond;
  }

  /** Records of single requests and connections that are not told to their end yet. */
  get outstandingFlows(): number {
    return this.#details.outstanding;
  }

  /** Those that were not made, and supplements that were not sent, because there were too many. */
  get droppedFlows(): number {
    return this.#details.dropped + this.#supplement.dropped;
  }

  /** Records of what is configured that nobody is told of, because there are too many. */
  get droppedRecords(): number {
    return this.#configuration.dropped;
  }

  get supplement(): FlowSupplement {
    return this.#supplement;
  }

  // ---- records ----

  /** A record of something that is configured or stands. It begins now. */
  begin(
    type: RecordType,
    attributes: Iterable<readonly [number, AttributeValue | undefined]>,
    wallMicroseconds: number,
    identity: string = this.#nextIdentity(),
  ): ConfigurationRecord {
    return this.#configuration.begin(type, identity, attributes, wallMicroseconds);
  }

  log(severity: LogSeverity, text: string, wallMicroseconds: number, sourceFile = '', sourceLine = 0): void {
    const told = text.length > maxToldText ? text.slice(0, maxToldText) : text;
    const { id: parent } = this.addresses;
    this.#log.add({ identity: this.#nextIdentity(), parent, severity, text: told, wallMicroseconds, sourceFile, sourceLine });
  }

  /** What a listener's traffic is counted and recorded with. `listener` is the identity of its record, `address` the service, if it is one. */
  meterFor(listener: string, protocol: string, counted: Counted, address?: string): ListenerMeter {
    return new ListenerMeter({ listener, protocol, counted, address }, this.#traffic, this.#details);
  }

  // ---- who listens ----

  /** Somebody more listens: he need not wait for the next beacon. */
  listenerJoined(nowMs: number): void {
    this.#beaconDueMs = Math.min(this.#beaconDueMs, Math.max(nowMs, this.#beaconToldMs + repeatEveryMs));
  }

  /** Records are told some time after the start, when the router has found its neighbours. */
  start(nowMs: number): void {
    this.#notBeforeMs = nowMs + firstFlushMs;
  }

  setInterest(interest: FlowInterest, nowMs: number, wallMicroseconds: number): void {
    const before = this.#interest;
    const { all, records, flows, logs, caravan } = interest;
    if (all === before.all && records === before.records && flows === before.flows && logs === before.logs && caravan === before.caravan) {
      return;
    }
    const isActive = all || records || flows || logs || caravan;
    this.#interest = isActive ? { all, records, flows, logs, caravan } : nobody;
    this.#supplement.active = all;
    if (!all) this.#supplement.clear();
    if (records !== before.records) this.#recordsWanted(records, nowMs, wallMicroseconds);
    if (flows !== before.flows) this.#flowsWanted(flows, nowMs);
    if (caravan !== before.caravan) this.#caravanWanted(caravan, nowMs, wallMicroseconds);
    if (logs && !before.logs) this.#log.tellAll();
    if (all && !before.all) this.#beaconDueMs = nowMs;
    if (!isActive) {
      this.#flushDueMs = Infinity;
      this.#messages = [];
      return;
    }
    if (this.#flushDueMs === Infinity) this.#flushDueMs = nowMs + flushEveryMs;
    this.#signOfLife(nowMs, wallMicroseconds);
  }

  #recordsWanted(isWanted: boolean, nowMs: number, wallMicroseconds: number): void {
    if (isWanted) {
      this.#configuration.start(nowMs, wallMicroseconds);
      this.#heartbeatDueMs = nowMs;
    } else {
      this.#configuration.stop();
      this.#recordQueue.clear();
    }
  }

  #flowsWanted(isWanted: boolean, nowMs: number): void {
    if (isWanted) this.#details.start(nowMs);
    else {
      this.#details.stop();
      this.#flowQueue.clear();
    }
  }

  #caravanWanted(isWanted: boolean, nowMs: number, wallMicroseconds: number): void {
    if (isWanted) {
      this.#traffic.start(nowMs, wallMicroseconds);
      this.#lossBase = this.droppedFlows;
      this.#loss = new SourceRecord(RecordType.loss, this.#nextIdentity());
      this.#loss.set(Attribute.parent, this.addresses.id);
      this.#loss.set(Attribute.startTime, wallMicroseconds);
    } else {
      this.#traffic.stop();
      this.#loss = undefined;
      this.#caravanQueue.clear();
    }
  }

  /**
   * A message of `routerId` to the source's own addresses: everything is asked for again, or another router adds to records of this one.
   */
  receive(octets: Uint8Array, nowMs: number, routerId?: string): void {
    try {
      const message = readFlowMessage(octets);
      if (message.subject === 'FLUSH') this.#repeatDueMs = Math.min(this.#repeatDueMs, Math.max(nowMs, this.#repeatedMs + repeatEveryMs));
      else if (message.subject === 'RECORD') this.#details.mergeAll(message.records, routerId);
      else this.malformed++;
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.malformed++;
    }
  }

  // ---- what is told ----

  /** Infinity while nobody listens. */
  nextDeadlineMs(): number {
    return this.#flushDueMs;
  }

  handleTimeout(nowMs: number, wallMicroseconds: number): void {
    if (nowMs < this.#flushDueMs) return;
    this.#flushDueMs = nowMs + flushEveryMs;
    this.#configuration.tick(nowMs, wallMicroseconds);
    this.#details.tick(nowMs);
    this.#traffic.tick(nowMs, wallMicroseconds);
    this.#signOfLife(nowMs, wallMicroseconds);
    if (nowMs >= this.#notBeforeMs && this.#messages.length < maxWaitingMessages) this.#flush(nowMs);
  }

  nextMessage(): OutgoingFlowMessage | undefined {
    return this.#messages.shift();
  }

  #signOfLife(nowMs: number, wallMicroseconds: number): void {
    const { id } = this.addresses;
    if (this.#interest.all && nowMs >= this.#beaconDueMs) {
      this.#beaconDueMs = dueAfter(this.#beaconDueMs, beaconEveryMs, nowMs);
      this.#beaconToldMs = nowMs;
      this.#messages.push(beaconMessage(this.#messageNumber++, { id, type: 'ROUTER' }));
    }
    if (this.#interest.records && nowMs >= this.#heartbeatDueMs) {
      this.#heartbeatDueMs = dueAfter(this.#heartbeatDueMs, heartbeatEveryMs, nowMs);
      this.#messages.push(heartbeatMessage(this.#messageNumber++, id, wallMicroseconds));
    }
  }

  #flush(nowMs: number): void {
    const { records, flows, logs } = this.#interest;
    if (nowMs >= this.#repeatDueMs) this.#repeat(nowMs);
    if (records && nowMs >= this.#refreshDueMs) {
      this.#refreshDueMs = nowMs + refreshEveryMs;
      this.#refresh();
    }
    this.#tellLoss(nowMs);
    for (const { sourceId, routerId, records: added } of this.#supplement.take()) this.#send(supplementAddress(sourceId), added, routerId);
    if (records) this.#sendQueue(this.addresses.records, this.#recordQueue);
    if (flows) this.#sendQueue(this.addresses.flows, this.#flowQueue);
    this.#sendQueue(this.addresses.caravan, this.#caravanQueue);
    if (logs) this.#send(this.addresses.logs, this.#log.take(maxRecordsPerFlush));
  }

  #repeat(nowMs: number): void {
    this.#repeatDueMs = Infinity;
    this.#repeatedMs = nowMs;
    if (this.#interest.records) this.#configuration.tellAll();
    if (this.#interest.flows) this.#details.tellAll();
    if (!this.#interest.caravan) return;
    this.#traffic.tellAll();
    this.#loss?.forgetTold();
  }

  #tellLoss(nowMs: number): void {
    const loss = this.#loss;
    if (loss === undefined) return;
    const dropped = this.droppedFlows - this.#lossBase;
    loss.set(Attribute.droppedFlows, dropped);
    if (nowMs - this.#lossToldMs >= tellLossEveryMs) loss.forgetTold();
    if (dropped === 0 || !loss.hasNews) return;
    this.#lossToldMs = nowMs;
    this.#caravanQueue.add(loss);
  }

  #sendQueue(to: string, queue: RecordQueue): void {
    const count = Math.min(queue.length, maxRecordsPerFlush);
    const updates: RecordUpdate[] = [];
    for (let index = 0; index < count; index++) {
      const record = queue.take();
      if (record?.hasNews === true) updates.push(record.takeUpdate());
    }
    this.#send(to, updates);
  }

  /** Written at once: updates are views of records that change. */
  #send(to: string, updates: readonly RecordUpdate[], routerId = ''): void {
    for (const records of batchesOf(updates)) this.#messages.push({ ...recordMessage(this.#messageNumber++, to, records), routerId });
  }
}

/** The time after one that has come, without adding up how late each was. */
function dueAfter(dueMs: number, everyMs: number, nowMs: number): number {
  const next = dueMs + everyMs;
  return next > nowMs ? next : nowMs + everyMs;
}
