import { Descriptor } from '../amqp/constants.ts';
import { Transfer, decodeTransfer } from '../amqp/delivery-performatives.ts';
import { decodeAttach, decodeFlow } from '../amqp/performatives.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import type { WireWatch } from './virtual-link.ts';

const frameHeaderBytes = 8;
/** The first octets of a protocol header, where a frame has its size. */
const protocolHeader = 0x414d_5150;

/** What the sender of one AMQP link may do, as far as it can know. */
interface LinkCredit {
  readonly name: string;
  /** Deliveries begun; starts at the initial delivery-count. */
  count: number;
  /** The count at which credit ends: from the last FLOW that has arrived. */
  limit: number;
  /** A delivery has begun and not ended. */
  writing: boolean;
}

/** What one end of a connection has sent and received: AMQP links by channel and handle of either side. */
class End {
  readonly cutters: { readonly sent: FrameCutter; readonly received: FrameCutter } = {
    sent: new FrameCutter(),
    received: new FrameCutter(),
  };
  readonly #byName = new Map<string, LinkCredit>();
  readonly own: Map<number, LinkCredit> = new Map();
  readonly peers: Map<number, LinkCredit> = new Map();

  named(name: string): LinkCredit {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const credit = { name, count: 0, limit: 0, writing: false };
    this.#byName.set(name, credit);
    return credit;
  }
}

/**
 * Reads a connection along, apart from the product's own counting: no end begins more deliveries on an AMQP link than the FLOWs that have
 * arrived there allow.
 */
export class CreditWatch implements WireWatch {
  readonly #ends = [new End(), new End()] as const;
  readonly #overdrawn: (end: 0 | 1, text: string) => void;
  readonly #reader = new ValueReader();
  readonly #transfer = new Transfer();

  constructor(overdrawn: (end: 0 | 1, text: string) => void) {
    this.#overdrawn = overdrawn;
  }

  sent(end: 0 | 1, bytes: Uint8Array): void {
    const at = this.#ends[end];
    at.cutters.sent.cut(bytes, (frame, start, stop) => this.#sentFrame(end, at, frame, start, stop));
  }

  received(end: 0 | 1, bytes: Uint8Array): void {
    const at = this.#ends[end];
    at.cutters.received.cut(bytes, (frame, start, stop) => this.#receivedFrame(at, frame, start, stop));
  }

  #sentFrame(end: 0 | 1, at: End, bytes: Uint8Array, start: number, stop: number): void {
    const channel = this.#enter(bytes, start, stop);
    const descriptor = bytes[start + 10];
    if (descriptor === Descriptor.transfer) {
      decodeTransfer(this.#reader, this.#transfer);
      const { handle, more, aborted } = this.#transfer;
      const credit = at.own.get(keyOf(channel, handle));
      if (credit === undefined) return;
      if (!credit.writing) {
        if (((credit.limit - credit.count) | 0) <= 0)
          this.#overdrawn(end, `delivery ${credit.count} on ${credit.name}, with credit up to ${credit.limit}`);
        credit.count = (credit.count + 1) >>> 0;
      }
      credit.writing = more && !aborted;
    } else if (descriptor === Descriptor.attach) {
      const { name, handle, receiver, initialDeliveryCount } = decodeAttach(this.#reader);
      if (receiver) return;
      const credit = at.named(name);
      credit.count = initialDeliveryCount;
      credit.limit = initialDeliveryCount;
      at.own.set(keyOf(channel, handle), credit);
    } else if (descriptor === Descriptor.flow) {
      // A sender gives credit up by moving its count.
      const { handle, deliveryCount } = decodeFlow(this.#reader);
      const credit = at.own.get(keyOf(channel, handle));
      if (credit !== undefined && deliveryCount >= 0) credit.count = deliveryCount;
    }
  }

  #receivedFrame(at: End, bytes: Uint8Array, start: number, stop: number): void {
    const descriptor = bytes[start + 10];
    if (descriptor !== Descriptor.attach && descriptor !== Descriptor.flow) return;
    const channel = this.#enter(bytes, start, stop);
    if (descriptor === Descriptor.attach) {
      const { name, handle, receiver } = decodeAttach(this.#reader);
      if (receiver) at.peers.set(keyOf(channel, handle), at.named(name));
      return;
    }
    const { handle, deliveryCount, linkCredit } = decodeFlow(this.#reader);
    const credit = at.peers.get(keyOf(channel, handle));
    if (credit !== undefined && linkCredit >= 0) credit.limit = (Math.max(0, deliveryCount) + linkCredit) >>> 0;
  }

  /** The reader stands behind the descriptor afterwards. Returns the channel. */
  #enter(bytes: Uint8Array, start: number, stop: number): number {
    this.#reader.reset(bytes, start + frameHeaderBytes, stop);
    this.#reader.readDescriptor();
    return (bytes[start + 6] << 8) | bytes[start + 7];
  }
}

function keyOf(channel: number, handle: number): number {
  return channel * 0x1_0000 + handle;
}

/** Cuts octets as they come into AMQP frames that have a performative; protocol headers, SASL and empty frames are skipped. */
class FrameCutter {
  #partial: Uint8Array = new Uint8Array(0);

  cut(chunk: Uint8Array, frame: (bytes: Uint8Array, start: number, stop: number) => void): void {
    const bytes = this.#partial.length === 0 ? chunk : join(this.#partial, chunk);
    let at = 0;
    while (bytes.length - at >= frameHeaderBytes) {
      const head = ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
      const size = head === protocolHeader ? frameHeaderBytes : head;
      if (bytes.length - at < size) break;
      const isAmqp = head !== protocolHeader && bytes[at + 5] === 0;
      if (isAmqp && size > frameHeaderBytes + 3 && bytes[at + 4] === 2) frame(bytes, at, at + size);
      at += size;
    }
    this.#partial = at === bytes.length ? new Uint8Array(0) : bytes.slice(at);
  }
}

function join(one: Uint8Array, other: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(one.length + other.length);
  bytes.set(one);
  bytes.set(other, one.length);
  return bytes;
}
