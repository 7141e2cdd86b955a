import { Descriptor, FrameType } from './constants.ts';
import type { TransmitBuffer } from './transmit-buffer.ts';
import type { ValueWriter } from './value-writer.ts';

/** Frame header 8, performative at most 60 (list8 with handle, id, tag, flags): what a transfer needs beside its payload. */
const transferOverhead = 68;
/** Payloads below this are copied byte by byte: cheaper than making a view for `set`. */
const shortPayload = 128;

/** Writes what `writer` holds as the body of one frame, §2.3.1, and empties it. */
export function writeFrame(out: TransmitBuffer, writer: ValueWriter, channel: number, type: number): void {
  const size = 8 + writer.length;
  const slab = out.reserve(size);
  let at = out.position;
  slab[at++] = size >>> 24;
  slab[at++] = size >>> 16;
  slab[at++] = size >>> 8;
  slab[at++] = size;
  slab[at++] = 2;
  slab[at++] = type;
  slab[at++] = channel >>> 8;
  slab[at++] = channel;
  slab.set(writer.bytes.subarray(0, writer.length), at);
  out.advance(size);
  writer.reset();
}

/**
 * One TRANSFER frame, §2.7.5, written without intermediate objects:
 *
 *     size:4 doff=2 type=0 channel:2
 *     00 53 14  c0 size count=6  handle  delivery-id  delivery-tag  message-format  settled  more   payload
 *
 * `deliveryId` -1 makes it a continuation, without id, tag, format and settled. Takes as much of `bytes[start, end)` as fits into
 * `maxFrameSize` and returns where the rest starts.
 */
export function writeTransferFrame(
  out: TransmitBuffer,
  maxFrameSize: number,
  channel: number,
  handle: number,
  deliveryId: number,
  settled: boolean,
  bytes: Uint8Array,
  start: number,
  end: number,
  more: boolean,
): number {
  const room = maxFrameSize - transferOverhead;
  let length = end - start;
  if (length > room) {
    length = room;
    more = true;
  }
  const slab = out.reserve(transferOverhead + length);
  const frameStart = out.position;
  let at = frameStart + 4;
  slab[at++] = 2;
  slab[at++] = FrameType.amqp;
  slab[at++] = channel >>> 8;
  slab[at++] = channel;
  slab[at++] = 0;
  slab[at++] = 0x53;
  slab[at++] = Descriptor.transfer;
  slab[at++] = 0xc0;
  const sizeAt = at++;
  slab[at++] = 6;
  if (handle < 256) {
    slab[at++] = 0x52;
    slab[at++] = handle;
  } else {
    slab[at++] = 0x70;
    slab[at++] = handle >>> 24;
    slab[at++] = handle >>> 16;
    slab[at++] = handle >>> 8;
    slab[at++] = handle;
  }
  if (deliveryId >= 0) {
    slab[at++] = 0x70;
    slab[at++] = deliveryId >>> 24;
    slab[at++] = deliveryId >>> 16;
    slab[at++] = deliveryId >>> 8;
    slab[at++] = deliveryId;
    // The tag must be unique among unsettled deliveries: the id serves.
    slab[at++] = 0xa0;
    slab[at++] = 4;
    slab[at++] = deliveryId >>> 24;
    slab[at++] = deliveryId >>> 16;
    slab[at++] = deliveryId >>> 8;
    slab[at++] = deliveryId;
    slab[at++] = 0x43;
    slab[at++] = settled ? 0x41 : 0x42;
  } else {
    slab[at++] = 0x40;
    slab[at++] = 0x40;
    slab[at++] = 0x40;
    slab[at++] = 0x40;
  }
  slab[at++] = more ? 0x41 : 0x42;
  slab[sizeAt] = at - sizeAt - 1;
  const rest = start + length;
  if (length < shortPayload) for (let index = start; index < rest; index++) slab[at++] = bytes[index];
  else {
    slab.set(length === bytes.length ? bytes : bytes.subarray(start, rest), at);
    at += length;
  }
  const size = at - frameStart;
  slab[frameStart] = size >>> 24;
  slab[frameStart + 1] = size >>> 16;
  slab[frameStart + 2] = size >>> 8;
  slab[frameStart + 3] = size;
  out.advance(size);
  return rest;
}

/** A TRANSFER with aborted = true, as the body of a frame. */
export function encodeAbort(writer: ValueWriter, handle: number, deliveryId: number): void {
  writer.descriptor(Descriptor.transfer);
  writer.list();
  writer.uint(handle);
  writer.uint(deliveryId);
  writer.null();
  writer.null();
  writer.null();
  writer.boolean(false);
  writer.null();
  writer.null();
  writer.null();
  writer.boolean(true);
  writer.end(10);
}
