import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProtocolViolation } from '../../base/errors.ts';
import { encodeFrame, FrameReader } from './frames.ts';

test('texts come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 40, unit: 'grapheme' }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 60 }),
      (texts, size) => {
        const stream = Buffer.concat(texts.map(encodeFrame));
        const reader = new FrameReader(1000);
        const received: string[] = [];
        for (let at = 0; at < stream.length; at += size) received.push(...reader.receive(stream.subarray(at, at + size)));
        assert.deepEqual(
          received,
          texts.map((text) => text.toWellFormed()),
        );
      },
    ),
  );
});

test('a frame that says it is too long is refused before it has come', () => {
  const reader = new FrameReader(10);
  assert.deepEqual([...reader.receive(encodeFrame('0123456789'))], ['0123456789']);
  assert.throws(() => [...reader.receive(encodeFrame('0123456789a').subarray(0, 4))], ProtocolViolation);
});
