import { ValueWriter } from '../amqp/value-writer.ts';
import { encodeAnnotations } from './router-annotations.ts';
import type { RouterAnnotations } from './router-annotations.ts';

/**
 * First octets of messages are written one behind another into blocks of this size, which are never written again: a buffer for each
 * would cost more than what is in it.
 */
const blockBytes = 16_384;
/** Longer ones have a buffer of their own, so that no block is kept for one message. */
const largestInBlock = 4_096;
/** Annotations of this router's own messages that differ: one for each combination of flags in use. */
const maxKept = 8;

/** Writes the first octets of messages that go on: the annotations with this router in them, and behind them what is there of the message. */
export class FirstOctets {
  readonly #self: string;
  readonly #writer = new ValueWriter(512);
  /** Annotations of messages that begin here, by flags: they are always the same. */
  readonly #own = new Map<number, Uint8Array>();
  /** What was written last ends at `bytes[end]`. */
  bytes: Uint8Array = new Uint8Array(blockBytes);
  end = 0;

  constructor(routerId: string) {
    this.#self = `0/${routerId}`;
  }

  /** Writes annotations and `message[start, end)`, and returns how many octets they are. */
  write(annotations: RouterAnnotations, message: Uint8Array, start: number, end: number): number {
    const encoded = this.#encode(annotations);
    const length = encoded.length + end - start;
    if (length > largestInBlock) {
      this.bytes = new Uint8Array(length);
      this.end = 0;
    } else if (this.end + length > this.bytes.length || this.bytes.length !== blockBytes) {
      this.bytes = new Uint8Array(blockBytes);
      this.end = 0;
    }
    const { bytes } = this;
    bytes.set(encoded, this.end);
    bytes.set(start === 0 && end === message.length ? message : message.subarray(start, end), this.end + encoded.length);
    this.end += length;
    return length;
  }

  /** This router joins the trace, and becomes the ingress of a message that has none. Valid until the next call. */
  #encode(annotations: RouterAnnotations): Uint8Array {
    const { flags, toOverride, ingress, trace, ingressMesh } = annotations;
    const isOwn = ingress === null && toOverride === null && trace.length === 0 && ingressMesh === null;
    const kept = isOwn ? this.#own.get(flags) : undefined;
    if (kept !== undefined) return kept;
    const writer = this.#writer;
    writer.reset();
    const self = this.#self;
    encodeAnnotations(writer, { flags, toOverride, ingress: ingress ?? self, trace: [...trace, self], ingressMesh });
    if (!isOwn || this.#own.size >= maxKept) return writer.written();
    const own = writer.take();
    this.#own.set(flags, own);
    return own;
  }
}
