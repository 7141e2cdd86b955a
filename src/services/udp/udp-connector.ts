import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { Refusal } from '../tcp/listener.ts';
import { datagramsType } from './datagram-message.ts';
import { DropCounts } from './drop-counts.ts';
import { activeMs, sweepIntervalMs } from './flow-context.ts';
import type { FlowContext, FlowOptions } from './flow-context.ts';
import { IdleList } from './idle-list.ts';
import { maxFlows } from './limits.ts';
import { NewWayBudget } from './new-way-budget.ts';
import { ServerFlow } from './server-flow.ts';
import type { ServerFlowOwner } from './server-flow.ts';
import type { OpenServerSocket } from './server-socket.ts';

/** A flow that was used within this time does not give its socket to another. */
const givesWayAfterMs = 1000;
/** Once the server is withdrawn, a flow ends when it has been quiet for this long: its next datagram goes to another server. */
const leavingIdleMs = 1000;
/** And whether quiet or not after this long: it can be moved, so the end of the router does not wait for it. */
const leavingMs = 3000;

/** The server's side of a UDP service: each flow of a client has a socket to the server. */
export class UdpConnector implements Consumer, ServerFlowOwner {
  readonly context: FlowContext;
  readonly drops: DropCounts = new DropCounts();
  readonly maxDatagramBytes: number;
  readonly #open: OpenServerSocket;
  readonly #flows = new IdleList<ServerFlow>();
  readonly #all = new Set<ServerFlow>();
  readonly #newWays: NewWayBudget;
  #idleTimeoutMs: number;
  #withdrawnMs = Infinity;
  opened = 0;
  failures = 0;
  /** Why the server could not be reached the last time; undefined once it has been. */
  lastFailure: string | undefined;
  datagramsIn = 0;
  datagramsOut = 0;
  bytesIn = 0;
  bytesOut = 0;

  constructor(options: FlowOptions, open: OpenServerSocket, context: FlowContext) {
    this.context = context;
    this.maxDatagramBytes = options.maxDatagramBytes;
    this.#idleTimeoutMs = options.idleTimeoutMs;
    this.#open = open;
    this.#newWays = new NewWayBudget(context.clock.nowMs());
  }

  get outstanding(): number {
    return this.#all.size;
  }

  /** Flows that were used just now. */
  get active(): number {
    return this.#flows.usedSince(this.context.clock.nowMs() - activeMs);
  }

  deliver(head: MessageHead, upstream: Upstream): Downstream {
    const nowMs = this.context.clock.nowMs();
    if (head.contentType !== datagramsType || head.replyTo === null || !this.#newWays.take(nowMs)) return new Refusal(upstream);
    if (this.#all.size >= maxFlows) this.#giveWay(nowMs);
    const flow = new ServerFlow(this, head, head.replyTo, upstream);
    if (this.#all.size >= maxFlows || !(flow.open(this.#open) || (this.#giveWay(nowMs) && flow.open(this.#open)))) {
      this.lastFailure = 'no socket is left for another flow';
      return new Refusal(upstream);
    }
    this.opened++;
    this.#flows.add(flow, nowMs);
    this.#all.add(flow);
    if (this.#all.size === 1) this.#askForSweep(nowMs);
    return flow;
  }

  /** The flow that is idle longest ends, if it is idle at all. */
  #giveWay(nowMs: number): boolean {
    const flow = this.#flows.first;
    if (flow === undefined || nowMs - flow.lastUsedMs < givesWayAfterMs) return false;
    this.#remove(flow);
    flow.end();
    return true;
  }

  #remove(flow: ServerFlow): void {
    if (this.#all.delete(flow)) this.#flows.remove(flow);
  }

  #askForSweep(nowMs: number): void {
    this.context.sweepAt(nowMs + sweepIntervalMs(this.#idleTimeoutMs));
  }

  // ---- for flows ----

  used(flow: ServerFlow): void {
    if (this.#all.has(flow)) this.#flows.used(flow, this.context.clock.nowMs());
  }

  toServer(bytes: number): void {
    this.datagramsIn++;
    this.bytesIn += bytes;
  }

  fromServer(bytes: number): void {
    this.lastFailure = undefined;
    this.datagramsOut++;
    this.bytesOut += bytes;
  }

  ended(flow: ServerFlow, failure: string | undefined): void {
    this.#remove(flow);
    if (failure === undefined) return;
    this.failures++;
    if (this.lastFailure !== failure) this.context.log.info('the server cannot be reached', { reason: failure });
    this.lastFailure = failure;
  }

  // ---- from outside ----

  /** Ends idle flows and looks after the ways of others. */
  sweep(): void {
    const nowMs = this.context.clock.nowMs();
    for (let flow = this.#flows.first; flow !== undefined && nowMs - flow.lastUsedMs >= this.#idleTimeoutMs; flow = this.#flows.first) {
      this.#remove(flow);
      flow.end();
    }
    for (const flow of this.#all) {
      if (nowMs - this.#withdrawnMs >= leavingMs) {
        this.#remove(flow);
        flow.end();
      } else if (flow.check(nowMs)) this.#remove(flow);
    }
    if (this.#all.size > 0) this.#askForSweep(nowMs);
  }

  /** Takes no new flows, and ends those that are quiet; before long the others, too. */
  withdraw(): void {
    const nowMs = this.context.clock.nowMs();
    this.#withdrawnMs = Math.min(this.#withdrawnMs, nowMs);
    this.#idleTimeoutMs = Math.min(this.#idleTimeoutMs, leavingIdleMs);
    if (this.#all.size > 0) this.#askForSweep(nowMs);
  }

  /** Ends all flows now. */
  stop(): void {
    for (const flow of [...this.#all]) {
      this.#remove(flow);
      flow.cut();
    }
  }
}
