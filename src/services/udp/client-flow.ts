import type { EndOfTurnTask } from '../http/end-of-turn.ts';
import type { ConnectionFlow } from '../tcp/connection-flow.ts';
import { ClientWay } from './client-way.ts';
import type { WayEnd, WayOwner } from './client-way.ts';
import { DatagramQueue } from './datagram-queue.ts';
import type { DropCounts } from './drop-counts.ts';
import type { FlowContext } from './flow-context.ts';
import type { Idle } from './idle-list.ts';

/**
 * Pauses before a flow looks for a way again, from the first failure on. The last is as long as a datagram may wait: so often is tried at
 * most while no way is found. A change of routes ends a pause early.
 */
const pausesMs: readonly number[] = [1, 5, 10, 20, 50, 100];
/** After a server could not be reached, the next is tried no sooner: a server that is not there is asked ten times a second. */
const failurePauseMs = 100;

/** The listener that a flow belongs to. */
export interface ClientFlowOwner {
  readonly context: FlowContext;
  readonly drops: DropCounts;
  /** The address for a new way; undefined when none is reachable. */
  chooseAddress(): string | undefined;
  correlationId(): string;
  /** Whether one more way may begin now. */
  mayBegin(nowMs: number): boolean;
  /** A datagram for the client. */
  reply(flow: ClientFlow, bytes: Uint8Array, start: number, end: number): void;
  /** Asks for a call of `pump` at that time, or at a change of routes. */
  pumpAt(flow: ClientFlow, dueMs: number): void;
  ended(flow: ClientFlow): void;
  failed(reason: string | undefined): void;
}

/** The datagrams between one client and one server at a time. */
export class ClientFlow implements EndOfTurnTask, WayOwner, Idle<ClientFlow> {
  readonly address: string;
  readonly port: number;
  previous: ClientFlow | undefined = undefined;
  next: ClientFlow | undefined = undefined;
  lastUsedMs = 0;
  /** The server has sent something. */
  isAnswered = false;
  /** What is recorded of it; undefined when it began before anybody listened. */
  record: ConnectionFlow | undefined = undefined;
  /** Where the server is that answered last. */
  routerId = '';
  /** Octets from the client, and to it. */
  bytesIn = 0;
  bytesOut = 0;
  readonly #owner: ClientFlowOwner;
  readonly #queue: DatagramQueue;
  #way: ClientWay | undefined;
  #tries = 0;
  #notBeforeMs = -Infinity;
  #isScheduled = false;
  #isOver = false;

  constructor(owner: ClientFlowOwner, address: string, port: number) {
    this.#owner = owner;
    this.address = address;
    this.port = port;
    this.#queue = new DatagramQueue(owner.context.budget.waiting, owner.drops);
  }

  /** A datagram of the client. It goes out at the end of the turn, with those that follow in it. */
  add(datagram: Uint8Array, nowMs: number): void {
    this.#queue.add(datagram, nowMs);
    if (this.#queue.isBatch) this.pump(nowMs);
    else this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#owner.context.turns.add(this);
  }

  endOfTurn(): void {
    this.#isScheduled = false;
    this.pump(this.#owner.context.clock.nowMs());
    this.#owner.context.turns.touch();
  }

  /** Sends what waits, over a new way if there is none. */
  pump(nowMs: number): void {
    if (this.#queue.length === 0 || this.#isOver) return;
    if (this.#way === undefined && !this.#begin(nowMs)) return;
    this.#way?.flush(nowMs);
  }

  /** Routes have changed: what waits for a way need not wait for its pause. */
  retry(nowMs: number): void {
    this.#notBeforeMs = -Infinity;
    this.pump(nowMs);
  }

  #begin(nowMs: number): boolean {
    const owner = this.#owner;
    this.#queue.expire(nowMs, 'noWay');
    if (this.#queue.length === 0) return false;
    if (nowMs < this.#notBeforeMs) {
      owner.pumpAt(this, this.#notBeforeMs);
      return false;
    }
    const address = owner.chooseAddress();
    if (address === undefined) {
      this.#pause(nowMs);
      return false;
    }
    if (!owner.mayBegin(nowMs)) {
      this.#queue.clear('newFlowLimit');
      return false;
    }
    const way = new ClientWay(owner.context, this);
    if (!way.begin(this.#queue, address, owner.correlationId())) {
      this.#pause(nowMs);
      return false;
    }
    this.#way = way;
    return true;
  }

  #pause(nowMs: number): void {
    this.#notBeforeMs = nowMs + (pausesMs[this.#tries] ?? pausesMs.at(-1) ?? 0);
    this.#tries++;
    this.#owner.pumpAt(this, this.#notBeforeMs);
  }

  established(): void {
    this.#tries = 0;
  }

  answeredBy(routerId: string): void {
    this.record?.answered(routerId, this.#owner.context.clock.nowMs());
    this.routerId = routerId;
  }

  passable(): void {
    if (this.#queue.length > 0) this.pump(this.#owner.context.clock.nowMs());
  }

  datagram(bytes: Uint8Array, start: number, end: number): void {
    this.#owner.reply(this, bytes, start, end);
  }

  ended(how: WayEnd, reason: string | undefined): void {
    this.#way = undefined;
    if (this.#isOver) return;
    const nowMs = this.#owner.context.clock.nowMs();
    if (how === 'returned') this.#pause(nowMs);
    else if (how === 'failed') {
      this.#owner.failed(reason);
      this.#notBeforeMs = nowMs + failurePauseMs;
    }
    if (this.#queue.length > 0) this.#schedule();
    else if (how === 'finished') this.#owner.ended(this);
  }

  /** Looks after the way: leaves it if it is dead, and tells the server's side what has arrived. The next datagram finds another. */
  check(nowMs: number): void {
    const way = this.#way;
    if (way === undefined) return;
    if (!way.isDead(nowMs)) {
      way.acknowledge();
      return;
    }
    this.#way = undefined;
    way.cut();
    this.pump(nowMs);
  }

  /** Ends in order, `now` at once. The owner is told nothing. */
  end(now: boolean): void {
    this.#isOver = true;
    this.#queue.clear('flowEnded');
    if (now) this.#way?.cut();
    else this.#way?.finish();
    this.#way = undefined;
  }
}
