import { DeliveryState } from '../../amqp/performatives.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { Refusal } from '../tcp/listener.ts';
import { datagramsType, headBytesOf } from './datagram-message.ts';
import { RecordReader } from './datagram-records.ts';
import type { DatagramSink } from './datagram-records.ts';
import { DropCounts } from './drop-counts.ts';

/** Sends the datagrams of an address to a multicast group. */
export class GroupConnector implements Consumer {
  readonly drops: DropCounts = new DropCounts();
  readonly #maxDatagramBytes: number;
  readonly #send: (bytes: Uint8Array, start: number, end: number) => void;
  outstanding = 0;
  datagramsIn = 0;
  bytesIn = 0;

  constructor(maxDatagramBytes: number, send: (bytes: Uint8Array, start: number, end: number) => void) {
    this.#maxDatagramBytes = maxDatagramBytes;
    this.#send = send;
  }

  deliver(head: MessageHead, upstream: Upstream): Downstream {
    if (head.contentType !== datagramsType) return new Refusal(upstream);
    // What a listener of this router has heard from the group here needs no repetition. Clients of a plain listener have not been heard here.
    const isHeardHere = head.annotations.ingress === null && head.replyTo === null;
    this.outstanding++;
    return new GroupMessage(head, upstream, isHeardHere ? undefined : this, () => this.outstanding--);
  }

  datagram(bytes: Uint8Array, start: number, end: number): void {
    if (end - start > this.#maxDatagramBytes) {
      this.drops.add('tooLong');
      return;
    }
    this.datagramsIn++;
    this.bytesIn += end - start;
    this.#send(bytes, start, end);
  }
}

const nowhere: DatagramSink = { datagram(): void {} };

class GroupMessage implements Downstream {
  readonly congested = false;
  readonly overloaded = false;
  readonly #reader: RecordReader;
  readonly #ended: () => void;
  #upstream: Upstream | undefined;
  #isOver = false;

  constructor(head: MessageHead, upstream: Upstream, sink: DatagramSink | undefined, ended: () => void) {
    this.#reader = new RecordReader(sink ?? nowhere, headBytesOf(head));
    this.#upstream = upstream;
    this.#ended = ended;
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.#isOver) return;
    this.#reader.read(bytes, start, end);
    if (more) this.#upstream?.update(DeliveryState.received, false, this.#reader.bytes, undefined);
    else {
      this.#upstream?.update(DeliveryState.accepted, true, 0, undefined);
      this.abort();
    }
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#upstream = undefined;
    this.#ended();
  }

  forget(): void {
    this.#upstream = undefined;
  }
}
