import { recordHeaderBytes } from './datagram-records.ts';
import type { DropCounts, DropReason } from './drop-counts.ts';
import { batchBytes, datagramCostBytes, maxSharedWaitingBytes, maxWaitingBytes, maxWaitMs } from './limits.ts';

/** What waits in all queues of a router. */
export class WaitingBudget {
  bytes = 0;
}

/**
 * Datagrams of one direction of a flow that wait to be sent on: until the end of the turn, or while the way is full or there is none. When
 * there is no room the oldest are dropped: those after them are worth more to whoever waits for datagrams, and a queue that lets the oldest
 * go is never older than what it may hold.
 */
export class DatagramQueue {
  readonly #budget: WaitingBudget;
  readonly #drops: DropCounts;
  #datagrams: Uint8Array[] = [];
  #arrivedMs: number[] = [];
  #first = 0;
  #costBytes = 0;

  constructor(budget: WaitingBudget, drops: DropCounts) {
    this.#budget = budget;
    this.#drops = drops;
  }

  get length(): number {
    return this.#datagrams.length - this.#first;
  }

  /** Enough for a frame waits. */
  get isBatch(): boolean {
    return this.#costBytes >= batchBytes;
  }

  /** Takes a datagram, which must not change afterwards. */
  add(datagram: Uint8Array, nowMs: number): void {
    const cost = datagram.length + datagramCostBytes;
    while (this.#costBytes + cost > maxWaitingBytes && this.length > 0) this.#drop('waitingLimit');
    while (this.#budget.bytes + cost > maxSharedWaitingBytes && this.length > 0) this.#drop('waitingLimit');
    if (this.#budget.bytes + cost > maxSharedWaitingBytes) {
      this.#drops.add('waitingLimit');
      return;
    }
    this.#costBytes += cost;
    this.#budget.bytes += cost;
    this.#datagrams.push(datagram);
    this.#arrivedMs.push(nowMs);
  }

  /** Puts back what has been taken, in front. It is as old as it was. */
  putBack(datagrams: readonly Uint8Array[], arrivedMs: readonly number[]): void {
    let cost = 0;
    for (const datagram of datagrams) cost += datagram.length + datagramCostBytes;
    this.#costBytes += cost;
    this.#budget.bytes += cost;
    this.#datagrams = [...datagrams, ...this.#datagrams.slice(this.#first)];
    this.#arrivedMs = [...arrivedMs, ...this.#arrivedMs.slice(this.#first)];
    this.#first = 0;
  }

  /** The length of the record of the first; 0 when there is none. */
  get firstRecordBytes(): number {
    return this.#first < this.#datagrams.length ? this.#datagrams[this.#first].length + recordHeaderBytes : 0;
  }

  /** When the first arrived. */
  get firstArrivedMs(): number {
    return this.#arrivedMs[this.#first] ?? Infinity;
  }

  take(): Uint8Array | undefined {
    if (this.#first >= this.#datagrams.length) return undefined;
    const datagram = this.#datagrams[this.#first++];
    const cost = datagram.length + datagramCostBytes;
    this.#costBytes -= cost;
    this.#budget.bytes -= cost;
    if (this.#first === this.#datagrams.length) {
      this.#datagrams.length = 0;
      this.#arrivedMs.length = 0;
      this.#first = 0;
    } else if (this.#first >= compactAt && this.#first * 2 >= this.#datagrams.length) {
      this.#datagrams = this.#datagrams.slice(this.#first);
      this.#arrivedMs = this.#arrivedMs.slice(this.#first);
      this.#first = 0;
    }
    return datagram;
  }

  #drop(reason: DropReason): void {
    if (this.take() !== undefined) this.#drops.add(reason);
  }

  /** Drops what has waited for too long. */
  expire(nowMs: number, reason: DropReason): void {
    while (nowMs - this.firstArrivedMs > maxWaitMs) this.#drop(reason);
  }

  clear(reason: DropReason): void {
    while (this.length > 0) this.#drop(reason);
  }
}

/** Places of datagrams that have been taken are given back when there are this many. */
const compactAt = 1024;
