import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capturedMessages } from '../../../test/golden/captured-messages.ts';
import { ValueReader } from '../../amqp/value-reader.ts';
import { decodeHead } from '../../forwarding/message-head.ts';
import { encodeStreamStart, streamHead } from './stream-message.ts';

test('our streams start with the sections that skupper-router sends', () => {
  const captured = new Uint8Array(Buffer.from(capturedMessages.clientStream, 'hex'));
  const theirs = decodeHead(new ValueReader(captured));
  const ours = encodeStreamStart('web', theirs.replyTo, 'OuAl6:5');
  const read = decodeHead(new ValueReader(ours));
  const fields = ({ priority, to, replyTo, correlationId, contentType }: typeof read): unknown[] => [
    priority,
    to,
    replyTo,
    correlationId,
    contentType,
  ];
  assert.deepEqual(fields(read), fields(theirs));
  assert.deepEqual(ours.subarray(read.bodyStart), captured.subarray(theirs.bodyStart));
});

test('the head that forwarding gets is what the sections say', () => {
  for (const [replyTo, correlationId] of [
    ['amqp:/_topo/0/a/temp.x', 'flow:1'],
    [null, null],
  ] as const) {
    const start = encodeStreamStart('web', replyTo, correlationId);
    const { annotations, ...given } = streamHead('web', replyTo, correlationId, start);
    const { annotations: _absent, ...expected } = decodeHead(new ValueReader(start));
    assert.deepEqual(given, expected);
    // Streaming and no hold-off: without them a peer would gather the whole stream.
    assert.equal(annotations.flags, 5);
  }
});
