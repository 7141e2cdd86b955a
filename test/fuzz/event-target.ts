import assert from 'node:assert/strict';
import { ProtocolViolation } from '../../src/base/errors.ts';
import { decodeEvent, encodeEvent, eventMessage } from '../../src/services/events/event-message.ts';
import { mutate } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

const maxInputBytes = 4_096;

const seeds: readonly Uint8Array[] = [
  encodeEvent(eventMessage({ to: 'mc/news', body: Uint8Array.of(0x61) })).bytes,
  encodeEvent(
    eventMessage({
      to: 'mc/news',
      messageId: 'one',
      subject: 'greeting',
      replyTo: 'amqp:/_topo/0/a/temp.x.1',
      correlationId: 'two',
      contentType: 'text/plain',
      headers: new Map([['key', 'value']]),
      receiptTo: 'amqp:/_topo/0/a/temp.y.2',
      body: new Uint8Array(300),
    }),
  ).bytes,
];

/** Messages that AMQP clients of all kinds publish: what is read of one is read again of what is written from it. */
export const eventTarget: FuzzTarget = {
  name: 'event message',
  input: (random) => mutate(random.pick(seeds), random.pick(seeds), random, maxInputBytes),
  run: (input): unknown => {
    try {
      const message = decodeEvent(input);
      assert.deepEqual(decodeEvent(encodeEvent(message).bytes), message);
      return message;
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      return undefined;
    }
  },
};
