import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Descriptor } from '../../amqp/constants.ts';
import { ValueWriter } from '../../amqp/value-writer.ts';
import { ProtocolViolation } from '../../base/errors.ts';
import { decodeHead } from '../../forwarding/message-head.ts';
import { ValueReader } from '../../amqp/value-reader.ts';
import { decodeEvent, encodeEvent, eventMessage } from './event-message.ts';

const text = fc.option(fc.string({ unit: 'grapheme', maxLength: 40 }), { nil: null });

test('a message comes back as it was written, and routers read its address', () => {
  const messages = fc.record({
    to: text,
    subject: text,
    messageId: text,
    correlationId: text,
    replyTo: text,
    contentType: text,
    receiptTo: text,
    headers: fc
      .array(fc.tuple(fc.string({ maxLength: 20 }), fc.string({ maxLength: 300 })), { maxLength: 8 })
      .map((entries) => new Map(entries)),
    body: fc.uint8Array({ maxLength: 600 }),
  });
  fc.assert(
    fc.property(messages, (message) => {
      const { bytes, bodyStart } = encodeEvent(message);
      assert.deepEqual(decodeEvent(bytes), { ...message });
      const head = decodeHead(new ValueReader(bytes));
      assert.deepEqual(
        [head.to, head.replyTo, head.contentType, head.bodyStart],
        [message.to, message.replyTo, message.contentType, bodyStart],
      );
    }),
  );
});

test('bodies of other kinds are shown as text, and several data sections as one body', () => {
  const decoded = (write: (writer: ValueWriter) => void): string => {
    const writer = new ValueWriter();
    write(writer);
    return new TextDecoder().decode(decodeEvent(writer.take()).body);
  };
  const data = (writer: ValueWriter, octets: number[]): void => {
    writer.descriptor(Descriptor.data);
    writer.binary(Uint8Array.from(octets));
  };
  assert.equal(
    decoded((writer) => {
      data(writer, [0x61]);
      data(writer, [0x62, 0x63]);
    }),
    'abc',
  );
  assert.equal(
    decoded((writer) => {
      writer.descriptor(Descriptor.amqpValue);
      writer.string('hello');
    }),
    'hello',
  );
  assert.equal(
    decoded((writer) => {
      writer.descriptor(Descriptor.amqpValue);
      writer.map();
      writer.string('count');
      writer.uint(3);
      writer.string('octets');
      writer.binary(Uint8Array.of(1, 0xff));
      writer.end(4);
    }),
    '{"count":3,"octets":"01ff"}',
  );
  assert.equal(
    decoded((writer) => {
      writer.descriptor(Descriptor.amqpSequence);
      writer.list();
      writer.boolean(true);
      writer.null();
      writer.end(2);
    }),
    '[true,null]',
  );
});

test('whatever octets come, a message is read or refused', () => {
  const sample = encodeEvent(
    eventMessage({ to: 'news', headers: new Map([['a', 'b']]), body: Uint8Array.of(1, 2, 3), receiptTo: 'x' }),
  ).bytes;
  let refused = 0;
  const mutated = fc.record({ at: fc.nat(sample.length - 1), value: fc.nat(255), length: fc.nat(sample.length) });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), mutated), (input) => {
      const bytes = input instanceof Uint8Array ? input : sample.slice(0, Math.max(input.at + 1, input.length));
      if (!(input instanceof Uint8Array)) bytes[input.at] = input.value;
      try {
        decodeEvent(bytes);
      } catch (error) {
        if (!(error instanceof ProtocolViolation)) throw error;
        refused++;
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(refused > 500);
});
