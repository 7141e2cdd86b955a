import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retainedBytes } from '../../test/fuzz/memory.ts';
import { ProtocolViolation } from '../base/errors.ts';
import { FrameType } from './constants.ts';
import { FrameAssembler, Unit } from './frame-assembler.ts';
import { writeTransferFrame } from './frame-writer.ts';
import { SlabPool, TransmitBuffer } from './transmit-buffer.ts';

/** A frame of `size` bytes whose content is its position. */
function frameOf(size: number): Uint8Array {
  const bytes = Uint8Array.from({ length: size }, (_, at) => at);
  new DataView(bytes.buffer).setUint32(0, size);
  return bytes;
}

test('frames of any size come out of chunks of any size', () => {
  const sizes = [8, 9, 500, 511, 512, 513, 4095, 4096, 20_000, 8];
  const stream = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  for (const size of sizes) {
    stream.set(frameOf(size), at);
    at += size;
  }
  for (const chunk of [1, 2, 7, 8, 9, 100, 1000, 4096, stream.length]) {
    const assembler = new FrameAssembler();
    const found: number[] = [];
    for (let start = 0; start < stream.length; start += chunk) {
      const end = Math.min(stream.length, start + chunk);
      for (let position = start; position < end;) {
        position = assembler.next(stream, position, end, 65_536);
        if (assembler.unit !== Unit.whole) continue;
        const frame = assembler.bytes.subarray(assembler.start, assembler.end);
        assert.deepEqual(frame, frameOf(frame.length));
        found.push(frame.length);
      }
    }
    assert.deepEqual(found, sizes, `chunks of ${chunk}`);
  }
});

test('announcing a size costs the peer its bytes', () => {
  const announced = 16_777_216;
  for (const arrived of [8, 100, 5000, 100_000]) {
    const bytes = frameOf(arrived);
    new DataView(bytes.buffer).setUint32(0, announced);
    const retained = retainedBytes(() => {
      const assembler = new FrameAssembler();
      for (let at = 0; at < arrived; at += 8) assembler.next(bytes, at, Math.min(arrived, at + 8), announced);
      return assembler;
    });
    assert.ok(retained <= 10 * arrived + 8192, `${arrived} bytes keep ${retained}`);
  }
});

test('the limit is accepted, one more is not, in one piece or in many', () => {
  for (const pieces of [1, 8]) {
    const next = (size: number): void => {
      const header = frameOf(8);
      new DataView(header.buffer).setUint32(0, size);
      const assembler = new FrameAssembler();
      for (let at = 0; at < 8; at += 8 / pieces) assembler.next(header, at, at + 8 / pieces, 1000);
    };
    next(8);
    next(1000);
    for (const size of [0, 7, 1001, 0xffffffff]) assert.throws(() => next(size), ProtocolViolation);
  }
});

/** A transfer frame with `payload` bytes of content. */
function transferOf(payload: number): Uint8Array {
  const out = new TransmitBuffer(new SlabPool());
  const bytes = Uint8Array.from({ length: payload }, (_, at) => at);
  writeTransferFrame(out, 0xffffffff, 3, 5, 7, false, bytes, 0, payload, false);
  return (out.next() ?? bytes).slice();
}

test('a large transfer is given in pieces that are its bytes, a small one whole, at every split near the head', () => {
  for (const payload of [0, 100, 2000, 2200, 5000, 70_000]) {
    const frame = transferOf(payload);
    const after = frameOf(20);
    const stream = new Uint8Array(frame.length + after.length);
    stream.set(frame);
    stream.set(after, frame.length);
    const splits = [...Array.from({ length: 300 }, (_, at) => at + 1), frame.length - 1, frame.length, frame.length + 7];
    for (const first of splits.filter((at) => at < stream.length)) {
      for (const chunk of [1000, 100_000]) {
        const assembler = new FrameAssembler();
        const found: Uint8Array[] = [];
        let units = 0;
        for (let start = 0; start < stream.length;) {
          const end = Math.min(stream.length, start === 0 ? first : start + chunk);
          for (let position = start; position < end;) {
            position = assembler.next(stream, position, end, 100_000);
            if (assembler.unit === Unit.none) continue;
            found.push(assembler.bytes.slice(assembler.start, assembler.end));
            if (assembler.unit !== Unit.piece) units++;
          }
          start = end;
        }
        assert.equal(units, 2, `${payload} split at ${first}`);
        assert.deepEqual(Buffer.concat(found), Buffer.from(stream), `${payload} split at ${first}`);
      }
    }
  }
  assert.equal(transferOf(1)[5], FrameType.amqp);
});
