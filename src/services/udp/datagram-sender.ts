import type { Downstream } from '../../forwarding/leg.ts';
import type { DatagramQueue } from './datagram-queue.ts';
import { recordHeaderBytes, writeRecord } from './datagram-records.ts';
import { FlowWindow } from './flow-window.ts';
import type { SharedWindow } from './flow-window.ts';
import { batchBytes, maxRetainedBytes } from './limits.ts';

const nothing = new Uint8Array(0);

/** Datagrams that a way has been given, with the times when they arrived. */
export interface Retained {
  readonly datagrams: Uint8Array[];
  readonly arrivedMs: number[];
}

/** Sends the datagrams of a queue over one message; what arrived in one turn goes in one frame. */
export class DatagramSender {
  readonly #queue: DatagramQueue;
  readonly #window: FlowWindow;
  #downstream: Downstream | undefined;
  /** The sections of the message, until they go out with the first datagrams. */
  #start: Uint8Array | undefined;
  /** What has been sent and may have to be sent over another way; undefined when none may. */
  #retained: Retained | undefined;
  #retainedBytes = 0;

  /** `downstream` has been given no octet yet: `start` goes in front. `retain`: keep what is sent until `keepNoMore`. */
  constructor(queue: DatagramQueue, shared: SharedWindow, downstream: Downstream, start: Uint8Array, retain: boolean) {
    this.#queue = queue;
    this.#window = new FlowWindow(shared);
    this.#downstream = downstream;
    this.#start = start;
    if (retain) this.#retained = { datagrams: [], arrivedMs: [] };
  }

  /** True until the message is over. */
  get open(): boolean {
    return this.#downstream !== undefined;
  }

  /** The way does not lead on, as far as is known. */
  get severed(): boolean {
    return this.#downstream?.severed ?? false;
  }

  isSilent(nowMs: number): boolean {
    return this.#window.isSilent(nowMs);
  }

  /** Sends what waits, as far as the way takes it. */
  flush(nowMs: number): void {
    const queue = this.#queue;
    queue.expire(nowMs, 'congestion');
    while (queue.length > 0) {
      const downstream = this.#downstream;
      if (downstream === undefined || !this.#window.mayPass(queue.firstRecordBytes) || downstream.congested) return;
      this.#sendBatch(downstream, nowMs);
    }
  }

  #sendBatch(downstream: Downstream, nowMs: number): void {
    const queue = this.#queue;
    const arrivedMs = queue.firstArrivedMs;
    const batch: Uint8Array[] = [];
    let length = 0;
    do {
      const datagram = queue.take();
      if (datagram === undefined) break;
      batch.push(datagram);
      length += datagram.length + recordHeaderBytes;
    } while (length + queue.firstRecordBytes <= batchBytes && queue.length > 0);
    const start = this.#start ?? nothing;
    this.#start = undefined;
    const frame = new Uint8Array(start.length + length);
    frame.set(start);
    let position = start.length;
    for (const datagram of batch) position = writeRecord(frame, position, datagram);
    if (this.#retained !== undefined) this.#retain(batch, length, arrivedMs);
    this.#window.sent(length, nowMs);
    downstream.send(frame, 0, frame.length, true);
  }

  #retain(batch: readonly Uint8Array[], length: number, arrivedMs: number): void {
    this.#retainedBytes += length;
    if (this.#retainedBytes > maxRetainedBytes) {
      this.#retained = undefined;
      return;
    }
    for (const datagram of batch) {
      this.#retained?.datagrams.push(datagram);
      this.#retained?.arrivedMs.push(arrivedMs);
    }
  }

  /** A server has been given some of it: nothing is ever sent again. */
  keepNoMore(): void {
    this.#retained = undefined;
  }

  /** No server has been given any of it: all goes back into the queue. */
  returnRetained(): void {
    if (this.#retained !== undefined) this.#queue.putBack(this.#retained.datagrams, this.#retained.arrivedMs);
    this.#retained = undefined;
  }

  acknowledged(offset: number, nowMs: number): void {
    this.#window.acknowledged(offset, nowMs);
  }

  /** Nothing more follows. */
  complete(): void {
    const downstream = this.#end();
    const start = this.#start ?? nothing;
    this.#start = undefined;
    downstream?.send(start, 0, start.length, false);
  }

  /** Ends the message in the middle. */
  abort(): void {
    this.#end()?.abort();
  }

  /** The other end has ended the message; `settled` false: it awaits that this end settles. */
  over(settled: boolean): void {
    const downstream = this.#end();
    if (!settled) downstream?.forget();
  }

  #end(): Downstream | undefined {
    const downstream = this.#downstream;
    this.#downstream = undefined;
    this.#window.release();
    return downstream;
  }
}
