import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ProtocolViolation } from '../base/errors.ts';
import { LineSplitter } from './line-splitter.ts';

const encoder = new TextEncoder();

function drain(splitter: LineSplitter): string[] {
  const lines: string[] = [];
  for (let line = splitter.nextLine(); line !== undefined; line = splitter.nextLine()) lines.push(line);
  return lines;
}

test('gives the same lines however the bytes are cut', () => {
  const line = fc.string({ unit: 'grapheme', minLength: 1 }).map((text) => `x${text.replaceAll(/[\r\n]/g, '')}`);
  fc.assert(
    fc.property(
      fc.array(line),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      fc.constantFrom('\n', '\r\n'),
      (lines, sizes, end) => {
        const bytes = encoder.encode(lines.map((text) => text + end).join(''));
        const splitter = new LineSplitter(1000);
        const received: string[] = [];
        let start = 0;
        for (let turn = 0; start < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          // The buffer is overwritten after each call, as a socket's would be.
          const piece = bytes.slice(start, start + size);
          splitter.receive(piece);
          piece.fill(0x58);
          if (turn % 2 === 0) received.push(...drain(splitter));
          start += size;
        }
        received.push(...drain(splitter));
        assert.deepEqual(received, lines);
      },
    ),
  );
});

test('takes a line of exactly the limit and refuses one byte more, before its end has come', () => {
  const splitter = new LineSplitter(10);
  splitter.receive(encoder.encode('0123456789\n\nab'));
  assert.deepEqual(drain(splitter), ['0123456789']);
  splitter.receive(encoder.encode('cdefghij\n'));
  assert.deepEqual(drain(splitter), ['abcdefghij']);
  splitter.receive(encoder.encode('0123456789'));
  assert.throws(
    () => splitter.receive(encoder.encode('x')),
    (error: unknown) => error instanceof ProtocolViolation && error.condition === 'line-too-long',
  );
});

test('refuses bytes that are no text', () => {
  assert.throws(
    () => new LineSplitter(10).receive(Uint8Array.of(0xff, 0x0a)),
    (error: unknown) => error instanceof ProtocolViolation && error.condition === 'invalid-text',
  );
});
