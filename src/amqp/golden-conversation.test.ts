import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordingHandler, connectionOptions, drainBytes, fromHex, joined } from '../../test/fuzz/connection-pair.ts';
import { goldenConversation } from '../../test/fuzz/golden-frames.ts';
import { Connection } from './connection.ts';
import type { IncomingLink, OutgoingLink } from './link.ts';

const conversation = joined(goldenConversation.map(({ hex }) => fromHex(hex)));
const sasl = { server: { mechanisms: ['ANONYMOUS'], externallyAuthenticated: false } } as const;

/** The recorded listener began a session of its own when the links were attached; the dialler answers it. */
class ListenerHandler extends RecordingHandler {
  override linkOffered(connection: Connection, link: IncomingLink | OutgoingLink): void {
    super.linkOffered(connection, link);
    if (this.links.length === 12) connection.openSession();
  }
}

/** What our side makes of the recorded dialler: the links, the messages and our bytes. */
function replay(pieces: readonly Uint8Array[]): { readonly links: string; readonly messages: string; readonly sent: string } {
  const handler = new ListenerHandler();
  const connection = new Connection(connectionOptions(false, { sasl }), handler);
  connection.start(0);
  for (const piece of pieces) connection.receive(piece, 0);
  assert.equal(handler.closedCount, 0, handler.error?.description ?? 'closed');
  return {
    links: handler.links.map((link) => `${link.name} ${link.receiver ? 'in' : 'out'}`).join(),
    messages: handler.messages.map((message) => Buffer.from(message).toString('hex')).join(),
    sent: Buffer.from(drainBytes(connection)).toString('hex'),
  };
}

const whole = replay([conversation]);

test('a recorded skupper-router is understood', () => {
  assert.equal(whole.links.split(',').length, 14);
  assert.ok(whole.messages.split(',').length >= 2, 'messages arrive');
  assert.ok(whole.sent.length > 2000);
});

test('in single bytes', () => {
  assert.deepEqual(replay(Array.from(conversation, (_, at) => conversation.subarray(at, at + 1))), whole);
});

test('at every split', () => {
  for (let at = 1; at < conversation.length; at++) {
    const split = replay([conversation.subarray(0, at), conversation.subarray(at)]);
    if (split.sent !== whole.sent || split.messages !== whole.messages) assert.deepEqual(split, whole, `split at ${at}`);
  }
});
