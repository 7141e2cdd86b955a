import type { Upstream } from '../../forwarding/leg.ts';
import { encodeStreamStart, streamHead } from '../tcp/stream-message.ts';
import type { EndOfTurnTask } from '../http/end-of-turn.ts';
import { datagramsType } from './datagram-message.ts';
import { DatagramQueue } from './datagram-queue.ts';
import { recordHeaderBytes, writeRecord } from './datagram-records.ts';
import { DropCounts } from './drop-counts.ts';
import type { FlowContext } from './flow-context.ts';
import { batchBytes } from './limits.ts';

/** Nobody waits for the outcome of datagrams to a group. */
const noOutcome: Upstream = { update(): void {}, relieved(): void {} };

export interface GroupListenerContext extends Omit<FlowContext, 'sweepAt'> {
  readonly chooseAddress: () => string | undefined;
}

/**
 * Takes the datagrams that are sent to a multicast group, whoever sends them. What arrives in one turn is one message, settled already: when the
 * address is of multicast treatment it reaches every connector of it.
 */
export class GroupListener implements EndOfTurnTask {
  readonly drops: DropCounts = new DropCounts();
  readonly #context: GroupListenerContext;
  readonly #maxDatagramBytes: number;
  readonly #queue: DatagramQueue;
  #isScheduled = false;
  datagramsIn = 0;
  bytesIn = 0;

  constructor(maxDatagramBytes: number, context: GroupListenerContext) {
    this.#context = context;
    this.#maxDatagramBytes = maxDatagramBytes;
    this.#queue = new DatagramQueue(context.budget.waiting, this.drops);
  }

  received(datagram: Uint8Array): void {
    if (datagram.length > this.#maxDatagramBytes) {
      this.drops.add('tooLong');
      return;
    }
    this.datagramsIn++;
    this.bytesIn += datagram.length;
    this.#queue.add(datagram, this.#context.clock.nowMs());
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#context.turns.add(this);
  }

  endOfTurn(): void {
    this.#isScheduled = false;
    while (this.#queue.length > 0) this.#sendBatch();
    this.#context.turns.touch();
  }

  #sendBatch(): void {
    const queue = this.#queue;
    const batch: Uint8Array[] = [];
    let length = 0;
    for (let next = queue.take(); next !== undefined; next = length + queue.firstRecordBytes <= batchBytes ? queue.take() : undefined) {
      batch.push(next);
      length += next.length + recordHeaderBytes;
    }
    const address = this.#context.chooseAddress();
    if (address === undefined) {
      this.drops.add('noWay', batch.length);
      return;
    }
    const start = encodeStreamStart(address, null, null, datagramsType);
    const head = streamHead(address, null, null, start, datagramsType);
    const whole = { ...head, annotations: { ...head.annotations, flags: 0 } };
    const downstream = this.#context.forwarder.forward(whole, false, true, undefined, noOutcome);
    if (typeof downstream === 'number') {
      this.drops.add('noWay', batch.length);
      return;
    }
    if (downstream.congested) {
      this.drops.add('congestion', batch.length);
      downstream.abort();
      return;
    }
    const message = new Uint8Array(start.length + length);
    message.set(start);
    let position = start.length;
    for (const datagram of batch) position = writeRecord(message, position, datagram);
    downstream.send(message, 0, message.length, false);
  }

  stop(): void {
    this.#queue.clear('flowEnded');
  }
}
