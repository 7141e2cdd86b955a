import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ValueReader } from '../amqp/value-reader.ts';
import { ValueWriter } from '../amqp/value-writer.ts';
import { ProtocolViolation } from '../base/errors.ts';
import { decodeAnnotations, encodeAnnotations, maxTraceLength, noAnnotations } from './router-annotations.ts';
import type { RouterAnnotations } from './router-annotations.ts';

function decode(bytes: Uint8Array): { readonly annotations: RouterAnnotations; readonly end: number } {
  const reader = new ValueReader(bytes);
  return { annotations: decodeAnnotations(reader), end: reader.position };
}

function encode(annotations: RouterAnnotations): Uint8Array {
  const writer = new ValueWriter(64);
  encodeAnnotations(writer, annotations);
  return writer.take();
}

const golden = Uint8Array.from(
  '00 80 53 4B 50 52 2D 2D 52 41 C0 11 04 52 05 40 A1 03 30 2F 41 C0 06 01 A1 03 30 2F 41'.split(' '),
  (byte) => Number.parseInt(byte, 16),
);
const meaning: RouterAnnotations = { flags: 5, toOverride: null, ingress: '0/A', trace: ['0/A'], ingressMesh: null };

test('flags 5, origin and only hop A', () => {
  assert.deepEqual(decode(golden), { annotations: meaning, end: golden.length });
});

test('what is written is read', () => {
  const text = fc.option(fc.string({ maxLength: 60 }), { nil: null });
  fc.assert(
    fc.property(
      fc.record(
        {
          flags: fc.nat({ max: 0xffff_ffff }),
          toOverride: text,
          ingress: text,
          trace: fc.array(fc.string({ maxLength: 60 }), { maxLength: 20 }),
          ingressMesh: text,
        },
        { noNullPrototype: true },
      ),
      (annotations) => {
        const bytes = encode(annotations);
        assert.deepEqual(decode(bytes), { annotations, end: bytes.length });
      },
    ),
  );
});

test('a message without the section has no annotations, and nothing is read', () => {
  for (const bytes of [[], [0], [0x00, 0x53, 0x70, 0x45], [0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x70, 0x45]]) {
    assert.deepEqual(decode(Uint8Array.from(bytes)), { annotations: noAnnotations, end: 0 });
  }
});

test('every section that is cut short is refused', () => {
  for (let length = 3; length < golden.length; length++) {
    assert.throws(() => decode(golden.subarray(0, length)), ProtocolViolation, `${length} bytes`);
  }
});

test('elements after the fifth are ignored', () => {
  const bytes = encode({ ...meaning, ingressMesh: 'mesh' });
  const writer = new ValueWriter(64);
  writer.raw(bytes.subarray(0, 10));
  writer.list();
  writer.uint(5);
  writer.null();
  writer.string('0/A');
  writer.list();
  writer.string('0/A');
  writer.end(1);
  writer.string('mesh');
  writer.string('later');
  writer.end(6);
  const longer = writer.take();
  assert.deepEqual(decode(longer), { annotations: { ...meaning, ingressMesh: 'mesh' }, end: longer.length });
});

test('malformed sections are refused with invalid-field or decode-error', () => {
  const cases: Record<string, number[]> = {
    'empty list': [0x45],
    'three elements': [0xc0, 4, 3, 0x43, 0x40, 0x40],
    'flags of another type': [0xc0, 6, 4, 0xa1, 0, 0x40, 0x40, 0x45],
    'a mesh of null': [0xc0, 6, 5, 0x43, 0x40, 0x40, 0x45, 0x40],
    'a trace of numbers': [0xc0, 9, 4, 0x43, 0x40, 0x40, 0xc0, 3, 1, 0x52, 1],
    'a trace beyond its list': [0xc0, 6, 4, 0x43, 0x40, 0x40, 0xc0, 6, 1, 0xa1, 3, 0x61, 0x61, 0x61],
    'no trace': [0xc0, 5, 4, 0x43, 0x40, 0x40, 0x40],
  };
  for (const [name, list] of Object.entries(cases)) {
    assert.throws(() => decode(Uint8Array.from([...golden.subarray(0, 10), ...list])), ProtocolViolation, name);
  }
});

test('the longest trace is read, one more is refused', () => {
  const trace = Array.from({ length: maxTraceLength }, (_, index) => `0/r${index}`);
  assert.deepEqual(decode(encode({ ...meaning, trace })).annotations.trace, trace);
  assert.throws(() => decode(encode({ ...meaning, trace: [...trace, '0/one-more'] })), ProtocolViolation);
});

test('hostile bytes are refused or read, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (noise) => {
      const bytes = new Uint8Array(10 + noise.length);
      bytes.set(golden.subarray(0, 10));
      bytes.set(noise, 10);
      try {
        const { end } = decode(bytes);
        assert.ok(end > 10 && end <= bytes.length);
      } catch (error) {
        assert.ok(error instanceof ProtocolViolation, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
