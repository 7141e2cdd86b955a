import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { capturedMessages } from '../../test/golden/captured-messages.ts';
import { Descriptor } from '../amqp/constants.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import { ValueWriter } from '../amqp/value-writer.ts';
import { ProtocolViolation } from '../base/errors.ts';
import { HeadScanner, maxHeadBytes } from './head-scanner.ts';
import { decodeHead } from './message-head.ts';

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

test('the head of a client stream of skupper-router', () => {
  const bytes = bytesOf(capturedMessages.clientStream);
  const head = decodeHead(new ValueReader(bytes));
  assert.deepEqual(head.annotations, { flags: 5, toOverride: null, ingress: '0/alpha', trace: ['0/alpha'], ingressMesh: null });
  assert.equal(head.to, 'web');
  assert.match(head.replyTo ?? '', /^amqp:\/_topo\/0\/alpha\/temp\..{15}$/);
  assert.equal(head.correlationId, 'OuAl6:5');
  assert.equal(head.contentType, 'application/octet-stream');
  assert.equal(head.priority, 4);
  assert.equal(head.bodyStart, bytes.length - 4);
});

test('the head of a server stream of skupper-router', () => {
  const head = decodeHead(new ValueReader(bytesOf(capturedMessages.serverStream)));
  assert.match(head.to ?? '', /^amqp:\/_topo\/0\/alpha\/temp\./);
  assert.deepEqual([head.replyTo, head.correlationId], [null, null]);
});

test('the priority of a header counts up to 9', () => {
  const head = (priority: number): number =>
    decodeHead(new ValueReader(Uint8Array.of(0, 0x53, 0x70, 0xc0, 4, 2, 0x42, 0x50, priority, 0, 0x53, 0x77, 0x40))).priority;
  assert.deepEqual([0, 4, 9, 10, 255].map(head), [0, 4, 9, 9, 9]);
});

for (const [name, hex] of Object.entries(capturedMessages)) {
  test(`${name}: the scanner finds the body byte by byte, exactly when the head can be read`, () => {
    const bytes = bytesOf(hex);
    const { bodyStart } = decodeHead(new ValueReader(bytes));
    const scanner = new HeadScanner();
    for (let length = 0; length <= bytes.length; length++) {
      const arrived = bytes.subarray(0, length);
      const reached = scanner.reachesBody(arrived);
      assert.equal(reached, length >= bodyStart + 3, `${length} bytes`);
      if (reached) assert.equal(decodeHead(new ValueReader(arrived)).bodyStart, bodyStart);
      else assert.throws(() => decodeHead(new ValueReader(arrived)), ProtocolViolation);
    }
  });
}

test('a head that cannot be one is known by its first wrong byte', () => {
  for (const bytes of [[1], [0, 0x41], [0, 0x53, 0x10, 0x45], [0, 0x53, 0x70, 0x40], [0, 0x53, 0x78, 0x45], [0, 0x53, 0x70, 0x45, 7]]) {
    assert.throws(() => new HeadScanner().reachesBody(Uint8Array.from(bytes)), ProtocolViolation, String(bytes));
  }
});

test('a head of the largest size is awaited, one more byte is refused', () => {
  const announced = (size: number): Uint8Array =>
    Uint8Array.of(0, 0x53, 0x74, 0xd1, (size >> 24) & 255, (size >> 16) & 255, (size >> 8) & 255, size & 255);
  assert.equal(new HeadScanner().reachesBody(announced(maxHeadBytes - 8)), false);
  assert.throws(() => new HeadScanner().reachesBody(announced(maxHeadBytes - 7)), ProtocolViolation);
});

test('hostile heads, in pieces or whole, are refused, awaited or read', () => {
  const seeds = Object.values(capturedMessages).map(bytesOf);
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(fc.record({ at: fc.nat({ max: 300 }), value: fc.nat({ max: 255 }) }), { maxLength: 4 }),
      fc.nat({ max: 300 }),
      (seed, changes, length) => {
        const bytes = seed.slice(0, length);
        for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value;
        for (const run of [(): unknown => decodeHead(new ValueReader(bytes)), (): unknown => new HeadScanner().reachesBody(bytes)]) {
          try {
            run();
          } catch (error) {
            assert.ok(error instanceof ProtocolViolation, String(error));
          }
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('a whole message without a body has its head; one that may go on has not', () => {
  const writer = new ValueWriter();
  writer.descriptor(Descriptor.properties);
  writer.list();
  for (const text of [null, null, 'sfe.abcde:0', 'FLUSH']) {
    if (text === null) writer.null();
    else writer.string(text);
  }
  writer.end(4);
  const bytes = writer.take();
  const { to, bodyStart } = decodeHead(new ValueReader(bytes), undefined, true);
  assert.deepEqual([to, bodyStart], ['sfe.abcde:0', bytes.length]);
  assert.throws(() => decodeHead(new ValueReader(bytes)), ProtocolViolation);
  assert.throws(() => decodeHead(new ValueReader(bytes.subarray(0, -1)), undefined, true), ProtocolViolation);
  assert.throws(() => decodeHead(new ValueReader(new Uint8Array(0)), undefined, true), ProtocolViolation);
});
