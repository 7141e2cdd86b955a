import type { TrafficMeter } from '../../flows/metering.ts';
import { silentMeter } from '../../flows/silent-metering.ts';
import { ConnectionFlow } from '../tcp/connection-flow.ts';
import { RetryQueue } from '../tcp/retry-queue.ts';
import { ClientFlow } from './client-flow.ts';
import type { ClientFlowOwner } from './client-flow.ts';
import { DropCounts } from './drop-counts.ts';
import { activeMs, sweepIntervalMs } from './flow-context.ts';
import type { FlowContext, FlowOptions } from './flow-context.ts';
import { IdleList } from './idle-list.ts';
import { maxFlows } from './limits.ts';
import { NewWayBudget } from './new-way-budget.ts';

/** What a listener needs beside what all flows do. */
export interface UdpListenerContext extends FlowContext {
  readonly chooseAddress: () => string | undefined;
  readonly correlationId: () => string;
  /** Asks for a call of `retryDue` at that time; a later call takes the place of the one before. */
  readonly retryAt: (dueMs: number) => void;
  /** Sends a datagram to a client from the port that the client has sent to. */
  readonly reply: (address: string, port: number, bytes: Uint8Array, start: number, end: number) => void;
  /** What is recorded of flows, and the service address that they count for; nobody listens by default. */
  readonly meter?: TrafficMeter;
  readonly service?: string;
}

/**
 * The client's side of a UDP service: all datagrams of one address and port are one flow, which goes to one server. Flows end when they are
 * idle. When there are too many, the one that is idle longest gives way, first among those that no server has ever answered: a flood of
 * addresses that nobody is behind does not end the flows of clients.
 */
export class UdpListener implements ClientFlowOwner {
  readonly context: UdpListenerContext;
  readonly drops: DropCounts = new DropCounts();
  readonly #options: FlowOptions;
  /** By the client's address and port. */
  readonly #flows = new Map<string, Map<number, ClientFlow>>();
  readonly #unanswered = new IdleList<ClientFlow>();
  readonly #answered = new IdleList<ClientFlow>();
  readonly #retries: RetryQueue<ClientFlow>;
  readonly #newWays: NewWayBudget;
  readonly #meter: TrafficMeter;
  readonly #service: string;
  #count = 0;
  #accepting = true;
  opened = 0;
  failures = 0;
  datagramsIn = 0;
  datagramsOut = 0;
  bytesIn = 0;
  bytesOut = 0;

  constructor(options: FlowOptions, context: UdpListenerContext) {
    this.context = context;
    this.#options = options;
    this.#meter = context.meter ?? silentMeter;
    this.#service = context.service ?? '';
    this.#retries = new RetryQueue(context.clock, context.retryAt);
    this.#newWays = new NewWayBudget(context.clock.nowMs());
  }

  get flows(): number {
    return this.#count;
  }

  /** Flows that were used just now. */
  get active(): number {
    const sinceMs = this.context.clock.nowMs() - activeMs;
    return this.#unanswered.usedSince(sinceMs) + this.#answered.usedSince(sinceMs);
  }

  /** A datagram of a client, which must not change afterwards. */
  received(datagram: Uint8Array, address: string, port: number): void {
    if (datagram.length > this.#options.maxDatagramBytes) {
      this.drops.add('tooLong');
      return;
    }
    const nowMs = this.context.clock.nowMs();
    let flow = this.#flows.get(address)?.get(port);
    if (flow === undefined) {
      if (!this.#accepting) {
        this.drops.add('noWay');
        return;
      }
      flow = this.#open(address, port, nowMs);
    } else this.#listOf(flow).used(flow, nowMs);
    this.datagramsIn++;
    this.bytesIn += datagram.length;
    flow.bytesIn += datagram.length;
    flow.add(datagram, nowMs);
  }

  #open(address: string, port: number, nowMs: number): ClientFlow {
    if (this.#count >= maxFlows) this.#giveWay();
    const flow = new ClientFlow(this, address, port);
    if (this.#meter.active) flow.record = new ConnectionFlow(this.#meter, undefined, this.#service, nowMs);
    let ports = this.#flows.get(address);
    if (ports === undefined) {
      ports = new Map();
      this.#flows.set(address, ports);
    }
    ports.set(port, flow);
    this.#unanswered.add(flow, nowMs);
    if (this.#count++ === 0) this.context.sweepAt(nowMs + sweepIntervalMs(this.#options.idleTimeoutMs));
    this.opened++;
    return flow;
  }

  #giveWay(): void {
    const flow = this.#unanswered.first ?? this.#answered.first;
    if (flow === undefined) return;
    this.#remove(flow);
    flow.end(false);
  }

  #listOf(flow: ClientFlow): IdleList<ClientFlow> {
    return flow.isAnswered ? this.#answered : this.#unanswered;
  }

  #remove(flow: ClientFlow): void {
    const ports = this.#flows.get(flow.address);
    if (ports?.get(flow.port) !== flow) return;
    ports.delete(flow.port);
    if (ports.size === 0) this.#flows.delete(flow.address);
    this.#listOf(flow).remove(flow);
    this.#retries.remove(flow);
    this.#count--;
    const { bytesIn: fromClient, bytesOut: toClient } = flow;
    flow.record?.ended({ failure: undefined, fromClient, toClient, wallMs: 0 });
  }

  // ---- for flows ----

  chooseAddress(): string | undefined {
    return this.context.chooseAddress();
  }

  correlationId(): string {
    return this.context.correlationId();
  }

  mayBegin(nowMs: number): boolean {
    return this.#newWays.take(nowMs);
  }

  reply(flow: ClientFlow, bytes: Uint8Array, start: number, end: number): void {
    const nowMs = this.context.clock.nowMs();
    if (flow.isAnswered) this.#answered.used(flow, nowMs);
    else {
      this.#unanswered.remove(flow);
      flow.isAnswered = true;
      this.#answered.add(flow, nowMs);
    }
    if (end - start > this.#options.maxDatagramBytes) {
      this.drops.add('tooLong');
      return;
    }
    this.datagramsOut++;
    this.bytesOut += end - start;
    flow.bytesOut += end - start;
    this.context.reply(flow.address, flow.port, bytes, start, end);
  }

  pumpAt(flow: ClientFlow, dueMs: number): void {
    this.#retries.add(flow, dueMs);
  }

  ended(flow: ClientFlow): void {
    this.#remove(flow);
  }

  failed(reason: string | undefined): void {
    this.failures++;
    this.context.log.debug('a server could not be reached', { reason });
  }

  // ---- from outside ----

  /** Routes or local consumers have changed. */
  routesChanged(): void {
    const nowMs = this.context.clock.nowMs();
    for (const flow of this.#all()) flow.check(nowMs);
    for (const flow of this.#retries.take(Infinity)) flow.retry(nowMs);
  }

  /** Looks for ways again that are due. */
  retryDue(): void {
    const nowMs = this.context.clock.nowMs();
    for (const flow of this.#retries.take(nowMs)) flow.pump(nowMs);
  }

  /** Tells the octets of flows that go on. To be called about once a second while the meter is active. */
  report(): void {
    for (const flow of this.#all()) {
      if (flow.record !== undefined) flow.record.report(flow.bytesIn, flow.bytesOut);
      else if (flow.routerId !== '')
        flow.record = ConnectionFlow.resumed(this.#meter, this.#service, flow.routerId, flow.bytesIn, flow.bytesOut);
    }
  }

  /** Ends idle flows and looks after the ways of others. */
  sweep(): void {
    const nowMs = this.context.clock.nowMs();
    const { idleTimeoutMs } = this.#options;
    for (const list of [this.#unanswered, this.#answered]) {
      for (let flow = list.first; flow !== undefined && nowMs - flow.lastUsedMs >= idleTimeoutMs; flow = list.first) {
        this.#remove(flow);
        flow.end(false);
      }
    }
    for (const flow of this.#all()) flow.check(nowMs);
    if (this.#count > 0) this.context.sweepAt(nowMs + sweepIntervalMs(idleTimeoutMs));
  }

  #all(): ClientFlow[] {
    return [...this.#flows.values()].flatMap((ports) => [...ports.values()]);
  }

  /** Takes no new clients. */
  stopAccepting(): void {
    this.#accepting = false;
  }

  /** Ends all flows now. */
  stop(): void {
    for (const flow of this.#all()) {
      this.#remove(flow);
      flow.end(true);
    }
  }
}
