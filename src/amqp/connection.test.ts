import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConnectionPair,
  RecordingHandler,
  connectionOptions,
  drainBytes,
  frame,
  joined,
  termini,
} from '../../test/fuzz/connection-pair.ts';
import { Connection, congestedBytes } from './connection.ts';
import { maxPendingBytes } from './connection-budget.ts';
import type { ConnectionOptions } from './connection.ts';
import { Descriptor, amqpHeader, saslHeader } from './constants.ts';
import { decodeEnding, decodeOpen, encodeBegin, encodeEnding, encodeOpen } from './performatives.ts';
import type { AmqpError, OpenParameters } from './performatives.ts';
import { maxChannels } from './session-table.ts';
import { ValueReader } from './value-reader.ts';
import type { ValueWriter } from './value-writer.ts';

const openParameters: OpenParameters = {
  containerId: 'peer',
  hostname: null,
  maxFrameSize: 16_384,
  channelMax: 65_535,
  idleTimeoutMs: 0,
  capabilities: [],
};

/** A server that has been spoken to by hand. */
class Spoken {
  readonly handler = new RecordingHandler();
  readonly connection: Connection;

  constructor(changes: Partial<ConnectionOptions> = {}) {
    this.connection = new Connection(connectionOptions(false, changes), this.handler);
    this.connection.start(0);
  }

  say(...pieces: Readonly<Uint8Array>[]): this {
    this.connection.receive(joined(pieces), 0);
    return this;
  }

  open(changes: Partial<OpenParameters> = {}): this {
    this.say(
      amqpHeader,
      frame(0, (writer) => encodeOpen(writer, { ...openParameters, ...changes })),
    );
    drainBytes(this.connection);
    return this;
  }

  begin(channel: number): this {
    return this.say(beginFrame(channel));
  }

  /** The error of the CLOSE that was sent last. */
  closeError(): AmqpError | undefined {
    const bytes = drainBytes(this.connection);
    let found: AmqpError | undefined;
    for (let at = 0; at + 8 <= bytes.length;) {
      if (bytes[at] === 0x41) {
        at += 8;
        continue;
      }
      const size = new DataView(bytes.buffer, at).getUint32(0);
      const reader = new ValueReader(bytes, at + 8, at + size);
      if (bytes[at + 5] === 0 && reader.readDescriptor() === Descriptor.close) found = decodeEnding(reader, 'close');
      at += size;
    }
    return found;
  }
}

function beginFrame(channel: number): Uint8Array {
  return frame(channel, (writer) =>
    encodeBegin(writer, { remoteChannel: -1, nextOutgoingId: 0, incomingWindow: 100, outgoingWindow: 100, handleMax: 65_535 }),
  );
}

/** Only a frame header, which announces `size` bytes. */
function announced(size: number, dataOffset = 2): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, size);
  bytes[4] = dataOffset;
  return bytes;
}

test('close is answered, and both sides hear of it once', () => {
  const pair = new ConnectionPair();
  pair.pump();
  pair.client.close();
  assert.equal(pair.client.ended, false);
  pair.pump();
  assert.ok(pair.client.ended && pair.server.ended);
  assert.deepEqual([pair.clientHandler.closedCount, pair.serverHandler.closedCount], [1, 1]);
  assert.deepEqual([pair.clientHandler.error, pair.serverHandler.error], [undefined, undefined]);
});

test('close with an error reaches the peer, and nothing is sent after it', () => {
  const pair = new ConnectionPair();
  pair.pump();
  const session = pair.client.openSession();
  const link = session.attachOutgoing('l', ...termini());
  pair.pump();
  const error = { condition: 'amqp:connection:forced', description: 'going down' };
  pair.client.close(error);
  drainBytes(pair.client).slice();
  link.deliver(false, undefined).send(new Uint8Array(10), 0, 10, false);
  session.sendLinkFlow(-1, -1, -1, false);
  assert.equal(drainBytes(pair.client).length, 0);
  const other = new ConnectionPair();
  other.pump();
  other.client.close(error);
  other.pump();
  assert.deepEqual(other.serverHandler.error, error);
});

test('a peer that does not answer CLOSE is given two seconds', () => {
  const pair = new ConnectionPair();
  pair.pump();
  pair.client.close();
  assert.equal(pair.client.nextDeadlineMs(), 2000);
  pair.client.handleTimeout(1999);
  assert.equal(pair.clientHandler.closedCount, 0);
  pair.client.handleTimeout(2000);
  assert.equal(pair.clientHandler.closedCount, 1);
});

test('after our CLOSE, what the peer had sent before it saw it is dropped', () => {
  const pair = new ConnectionPair();
  pair.pump();
  const link = pair.client.openSession().attachOutgoing('l', ...termini());
  pair.pump();
  pair.server.close();
  link.deliver(false, undefined).send(new Uint8Array(100), 0, 100, false);
  pair.client.openSession();
  pair.pump();
  assert.deepEqual([pair.clientHandler.error, pair.serverHandler.error], [undefined, undefined]);
  assert.equal(pair.serverHandler.messages.length, 0);
});

test('silence before OPEN ends at the deadline', () => {
  for (const say of [[], [amqpHeader], [amqpHeader.subarray(0, 3)]]) {
    const spoken = new Spoken().say(...say);
    assert.equal(spoken.connection.nextDeadlineMs(), 5000);
    spoken.connection.handleTimeout(4999);
    assert.equal(spoken.connection.ended, false);
    spoken.connection.handleTimeout(5000);
    assert.equal(spoken.handler.closedCount, 1);
  }
});

test('heartbeats leave no more silence than two thirds of what the peer tolerates', () => {
  for (const busyUntilMs of [0, 1, 2999, 3001, 5000]) {
    const spoken = new Spoken({ idleTimeoutMs: 0 }).open({ idleTimeoutMs: 9000 });
    const { connection } = spoken;
    let lastSentMs = 0;
    let longest = 0;
    for (let nowMs = 0; nowMs < 40_000; nowMs += 1) {
      if (nowMs >= connection.nextDeadlineMs()) connection.handleTimeout(nowMs);
      if (nowMs <= busyUntilMs && nowMs % 7 === 1) connection.writeFrame(0);
      if (drainBytes(connection).length === 0) continue;
      longest = Math.max(longest, nowMs - lastSentMs);
      lastSentMs = nowMs;
    }
    assert.ok(longest <= 6000 && longest >= 2999, `${longest}`);
  }
});

test('a silent peer is taken for dead after our idle time-out; half of it is announced', () => {
  const spoken = new Spoken({ idleTimeoutMs: 1000 });
  spoken.say(amqpHeader);
  const bytes = drainBytes(spoken.connection);
  const reader = new ValueReader(bytes, 16, bytes.length);
  reader.readDescriptor();
  assert.equal(decodeOpen(reader).idleTimeoutMs, 500);
  spoken.say(frame(0, (writer) => encodeOpen(writer, openParameters)));
  assert.equal(spoken.connection.nextDeadlineMs(), 1000);
  spoken.connection.receive(announced(8), 900);
  spoken.connection.handleTimeout(1000);
  assert.equal(spoken.connection.ended, false);
  spoken.connection.handleTimeout(1900);
  assert.equal(spoken.closeError()?.condition, 'amqp:resource-limit-exceeded');
  assert.equal(spoken.handler.closedCount, 1);
});

test('an idle time-out that cannot be kept is refused', () => {
  assert.equal(new Spoken().open({ idleTimeoutMs: 100 }).handler.closedCount, 0);
  assert.equal(new Spoken().open({ idleTimeoutMs: 99 }).handler.error?.condition, 'amqp:not-allowed');
});

test('a protocol header that does not fit is answered with ours', () => {
  for (const [sasl, wrong, right] of [
    [undefined, saslHeader, amqpHeader],
    [{ server: { mechanisms: ['ANONYMOUS'], externallyAuthenticated: false } }, amqpHeader, saslHeader],
    [undefined, new TextEncoder().encode('GET / HT'), amqpHeader],
    [undefined, new Uint8Array(8), amqpHeader],
  ] as const) {
    const spoken = new Spoken({ sasl }).say(wrong);
    assert.deepEqual(drainBytes(spoken.connection), right);
    assert.equal(spoken.handler.closedCount, 1);
  }
});

test('frame sizes: the limit is accepted, limit + 1 and less than a header are not', () => {
  const limit = 1024;
  const opened = (): Spoken => new Spoken({ maxFrameSize: limit }).open();
  assert.equal(opened().say(announced(limit)).handler.closedCount, 0);
  for (const size of [limit + 1, 0, 4, 7, 0x7fffffff, 0x80000000, 0xffffffff]) {
    const spoken = opened().say(announced(size));
    assert.equal(spoken.handler.error?.condition, 'amqp:connection:framing-error', `${size}`);
    assert.equal(spoken.closeError()?.condition, 'amqp:connection:framing-error', `${size}`);
  }
  // Before OPEN a stranger gets 8 KiB at most, however much is accepted later; before that, SASL frames of 512 bytes.
  const stranger = (): Spoken => new Spoken({ maxFrameSize: 65_536 }).say(amqpHeader);
  assert.equal(stranger().say(announced(8192)).handler.closedCount, 0);
  assert.equal(stranger().say(announced(8193)).handler.closedCount, 1);
  const sasl = { server: { mechanisms: ['ANONYMOUS'], externallyAuthenticated: false } } as const;
  assert.equal(new Spoken({ sasl }).say(saslHeader, announced(512)).handler.closedCount, 0);
  assert.equal(new Spoken({ sasl }).say(saslHeader, announced(513)).handler.closedCount, 1);
});

test('data offsets outside of the frame are refused', () => {
  for (const offset of [0, 1, 3, 255]) {
    assert.equal(new Spoken().open().say(announced(8, offset)).handler.error?.condition, 'amqp:connection:framing-error', `${offset}`);
  }
});

test('frames of the wrong type, unknown performatives and frames out of place are refused', () => {
  const close = frame(0, (writer) => encodeEnding(writer, Descriptor.close, undefined));
  const open = frame(0, (writer) => encodeOpen(writer, openParameters));
  const unknown = frame(0, (writer) => {
    writer.descriptor(0x99);
    writer.byte(0x45);
  });
  const nameless = frame(0, (writer) => {
    writer.descriptor(Descriptor.open);
    writer.byte(0x45);
  });
  const cases: readonly (readonly [string, Spoken])[] = [
    ['SASL after OPEN', new Spoken().open().say(frame(0, (writer) => writer.null(), 1))],
    ['unknown', new Spoken().open().say(unknown)],
    ['no performative', new Spoken().open().say(frame(0, (writer) => writer.null()))],
    ['OPEN twice', new Spoken().open().say(open)],
    ['BEGIN before OPEN', new Spoken().say(amqpHeader, beginFrame(0))],
    ['CLOSE before OPEN', new Spoken().say(amqpHeader, close)],
    ['END without session', new Spoken().open().say(frame(3, (writer) => encodeEnding(writer, Descriptor.end, undefined)))],
    ['BEGIN twice', new Spoken().open().begin(3).begin(3)],
    ['max-frame-size below 512', new Spoken().open({ maxFrameSize: 511 })],
    ['no container-id', new Spoken().say(amqpHeader, nameless)],
  ];
  for (const [name, spoken] of cases) {
    assert.ok(spoken.handler.error?.condition.startsWith('amqp:'), name);
    assert.equal(spoken.handler.closedCount, 1, name);
    assert.ok(spoken.connection.ended, name);
  }
});

test('an empty container-id is one', () => {
  assert.equal(new Spoken().open({ containerId: '' }).handler.open?.containerId, '');
});

test('channels: all up to the limit, none beyond', () => {
  const spoken = new Spoken().open();
  for (let channel = 0; channel < maxChannels; channel++) spoken.begin(channel);
  assert.equal(spoken.handler.closedCount, 0);
  assert.throws(() => spoken.connection.openSession(), { condition: 'amqp:resource-limit-exceeded' });
  for (const channel of [maxChannels, 65_535]) {
    assert.equal(new Spoken().open().begin(channel).handler.error?.condition, 'amqp:connection:framing-error');
  }
});

test("our sessions keep to the peer's channel-max", () => {
  const { connection } = new Spoken().open({ channelMax: 1 });
  connection.openSession();
  connection.openSession();
  assert.throws(() => connection.openSession(), { condition: 'amqp:resource-limit-exceeded' });
});

test('a channel is free again when both sides have ended its session', () => {
  const pair = new ConnectionPair();
  pair.pump();
  for (let round = 0; round < maxChannels * 3; round++) {
    const session = pair.client.openSession();
    assert.equal(session.channel, 0);
    pair.pump();
    session.end();
    pair.pump();
  }
  assert.deepEqual([pair.clientHandler.closedCount, pair.serverHandler.closedCount], [0, 0]);
});

test('a peer with small frames gets small frames, or the reason why not', () => {
  const pair = new ConnectionPair({ maxFrameSize: 512 });
  pair.pump();
  const session = pair.server.openSession();
  session.attachOutgoing('short', ...termini());
  pair.pump();
  assert.equal(pair.clientHandler.links.length, 1);
  session.attachOutgoing('long'.repeat(200), ...termini());
  assert.ok(pair.server.hasTransmit);
  pair.pump();
  assert.equal(pair.serverHandler.error?.condition, 'amqp:frame-size-too-small');
  assert.equal(pair.clientHandler.error?.condition, 'amqp:frame-size-too-small');
});

test('an attach whose answer would not fit is refused, and the connection goes on', () => {
  const pair = new ConnectionPair({ maxFrameSize: 512 });
  pair.pump();
  const session = pair.client.openSession();
  const link = session.attachOutgoing('l', ...termini('a'.repeat(400)));
  link.handler = pair.clientHandler as never;
  pair.pump();
  assert.equal(pair.clientHandler.detachErrors[0]?.condition, 'amqp:frame-size-too-small');
  assert.deepEqual([pair.clientHandler.closedCount, pair.serverHandler.closedCount], [0, 0]);
});

test('a peer that does not read is cut off at the bound, and heard of in between', () => {
  const pair = new ConnectionPair();
  pair.serverHandler.credit = 1_000_000;
  pair.pump();
  const link = pair.client.openSession().attachOutgoing('l', ...termini());
  pair.pump();
  const bytes = new Uint8Array(1_048_576);
  const delivery = link.deliver(true, undefined);
  for (let sent = 0; sent <= congestedBytes; sent += bytes.length) delivery.send(bytes, 0, bytes.length, true);
  assert.ok(pair.client.congested);
  pair.pump();
  assert.equal(pair.client.congested, false);
  assert.equal(pair.clientHandler.relievedCount, 1);
  // The session's window is as large: what would be beyond both waits in the link, up to its own bound.
  for (let sent = 0; sent <= maxPendingBytes && !pair.client.ended; sent += bytes.length) delivery.send(bytes, 0, bytes.length, true);
  assert.ok(pair.client.pendingBytes + link.backlogBytes <= maxPendingBytes);
  assert.ok(delivery.complete, 'the delivery was given up');
  assert.equal(pair.client.budget.empty, false);
  pair.client.lost('gone');
  assert.ok(pair.client.budget.empty);
});

test('replies to a peer that floods and does not read end at the bound', () => {
  const spoken = new Spoken().open().begin(0);
  const echo = frame(0, (writer) => {
    writer.descriptor(Descriptor.flow);
    writer.list();
    for (const value of [0, 100, 0, 100]) writer.uint(value);
    for (let index = 0; index < 5; index++) writer.null();
    writer.boolean(true);
    writer.end(10);
  });
  const flood = joined(Array.from({ length: 20_000 }, () => echo));
  let received = 0;
  while (!spoken.connection.ended && received < 2 * maxPendingBytes) {
    spoken.connection.receive(flood, 0);
    received += flood.length;
  }
  assert.equal(spoken.handler.error?.description, 'the peer does not read');
  assert.ok(spoken.connection.pendingBytes < 1000, 'only CLOSE is left');
});

test('SASL: mechanisms, wrong passwords and refusals', () => {
  const verifyPlain = (username: string, password: string): boolean => username === 'u' && password === 'p';
  const run = (client: { mechanisms: ('PLAIN' | 'EXTERNAL' | 'ANONYMOUS')[]; username?: string; password?: string }, external = false) => {
    const pair = new ConnectionPair(
      { sasl: { client } },
      { sasl: { server: { mechanisms: ['EXTERNAL', 'PLAIN'], externallyAuthenticated: external, verifyPlain } } },
    );
    pair.pump();
    return pair;
  };
  assert.ok(run({ mechanisms: ['PLAIN'], username: 'u', password: 'p' }).client.opened);
  assert.ok(run({ mechanisms: ['EXTERNAL'] }, true).server.opened);
  for (const pair of [
    run({ mechanisms: ['PLAIN'], username: 'u', password: 'wrong' }),
    run({ mechanisms: ['PLAIN'], username: 'u', password: '€'.repeat(300) }),
  ]) {
    assert.equal(pair.client.opened || pair.server.opened, false);
    assert.equal(pair.clientHandler.closedCount, 1);
  }
  for (const pair of [run({ mechanisms: ['EXTERNAL'] }), run({ mechanisms: ['ANONYMOUS'] })]) {
    assert.equal(pair.clientHandler.error?.condition, 'amqp:unauthorized-access');
    assert.equal(pair.server.opened, false);
  }
});

test('SASL: an outcome without init, or mechanisms twice, are refused', () => {
  const sasl = { client: { mechanisms: ['ANONYMOUS'] } } as const;
  const outcome = frame(
    0,
    (writer) => {
      writer.descriptor(Descriptor.saslOutcome);
      writer.list();
      writer.ubyte(0);
      writer.end(1);
    },
    1,
  );
  const mechanisms = frame(
    0,
    (writer: ValueWriter) => {
      writer.descriptor(Descriptor.saslMechanisms);
      writer.list();
      writer.symbolArray(['ANONYMOUS']);
      writer.end(1);
    },
    1,
  );
  for (const frames of [[outcome], [mechanisms, mechanisms]]) {
    const handler = new RecordingHandler();
    const connection = new Connection(connectionOptions(true, { sasl }), handler);
    connection.start(0);
    connection.receive(joined([saslHeader, ...frames]), 0);
    assert.equal(handler.error?.condition, 'amqp:illegal-state');
  }
});

test('a lost socket tells everyone, in whatever phase', () => {
  for (const steps of [0, 1, 2]) {
    const pair = new ConnectionPair();
    if (steps > 0) pair.pump();
    const link = steps > 1 ? pair.client.openSession().attachIncoming('l', ...termini()) : undefined;
    if (link !== undefined) link.handler = pair.clientHandler;
    pair.client.lost('reset');
    pair.client.lost('again');
    pair.client.receive(amqpHeader, 0);
    assert.equal(pair.clientHandler.closedCount, 1);
    assert.equal(pair.clientHandler.error?.description, 'reset');
    assert.equal(pair.clientHandler.detachErrors.length, link === undefined ? 0 : 1);
    assert.throws(() => pair.client.openSession(), { condition: 'amqp:illegal-state' });
    assert.equal(pair.client.nextDeadlineMs(), Infinity);
  }
});
