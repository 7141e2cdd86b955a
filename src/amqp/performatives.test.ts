import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../../test/fuzz/connection-pair.ts';
import { goldenFrames } from '../../test/fuzz/golden-frames.ts';
import { ProtocolViolation } from '../base/errors.ts';
import { Descriptor } from './constants.ts';
import { DeliveryState, Disposition, Transfer, decodeDisposition, decodeTransfer, encodeDisposition } from './delivery-performatives.ts';
import { fitError } from './performative-fields.ts';
import {
  decodeAttach,
  decodeBegin,
  decodeDetach,
  decodeEnding,
  decodeFlow,
  decodeOpen,
  encodeAttach,
  encodeBegin,
  encodeDetach,
  encodeEnding,
  encodeFlow,
  encodeOpen,
} from './performatives.ts';
import { decodeInit, decodeMechanisms, decodeOutcome, encodeInit } from './sasl.ts';
import { ValueReader } from './value-reader.ts';
import { ValueWriter } from './value-writer.ts';

function frames(kind: string): readonly ValueReader[] {
  const found = goldenFrames.filter((frame) => frame.kind === kind);
  assert.ok(found.length > 0, `no ${kind} frame`);
  return found.map(({ hex }) => {
    const bytes = fromHex(hex);
    const reader = new ValueReader(bytes, 8, bytes.length);
    assert.notEqual(reader.readDescriptor(), -1);
    return reader;
  });
}

/** Writes, and reads from behind the descriptor. */
function rewritten(write: (writer: ValueWriter) => void): ValueReader {
  const writer = new ValueWriter(1);
  write(writer);
  const reader = new ValueReader(writer.take());
  assert.notEqual(reader.readDescriptor(), -1);
  return reader;
}

test('open', () => {
  for (const reader of frames('open')) {
    const open = decodeOpen(reader);
    assert.ok(reader.atEnd);
    assert.match(open.containerId, /^(alpha|beta|gamma|leaf)$/);
    assert.equal(open.maxFrameSize, 16_384);
    assert.equal(open.idleTimeoutMs, 8000);
    assert.equal(open.channelMax, 32_767);
    assert.deepEqual(open.offeredCapabilities, ['ANONYMOUS-RELAY', 'qd.streaming-links', 'qd.connection_trunking']);
    assert.equal(open.properties.get('product'), 'skupper-router');
    const again = decodeOpen(rewritten((writer) => encodeOpen(writer, { ...open, capabilities: open.offeredCapabilities })));
    assert.deepEqual({ ...again, properties: open.properties }, open);
  }
});

test('begin', () => {
  for (const reader of frames('begin')) {
    const begin = decodeBegin(reader);
    assert.ok(reader.atEnd);
    assert.equal(begin.nextOutgoingId, 0);
    assert.deepEqual(decodeBegin(rewritten((writer) => encodeBegin(writer, begin))), begin);
  }
});

test('attach, with termini that are echoed byte by byte', () => {
  for (const reader of frames('attach')) {
    const attach = decodeAttach(reader);
    assert.ok(reader.atEnd);
    assert.ok(attach.name.length > 5);
    const again = decodeAttach(
      rewritten((writer) => encodeAttach(writer, { ...attach, source: attach.source.encoded, target: attach.target.encoded })),
    );
    assert.deepEqual({ ...again, sendSettleMode: 0, maxMessageSize: 0 }, { ...attach, sendSettleMode: 0, maxMessageSize: 0 });
  }
});

test('flow', () => {
  for (const reader of frames('flow')) {
    const flow = decodeFlow(reader);
    assert.ok(reader.atEnd);
    const again = decodeFlow(rewritten((writer) => encodeFlow(writer, flow)));
    assert.deepEqual({ ...again, available: flow.available, echo: flow.echo }, flow);
  }
});

test('transfer', () => {
  let messages = 0;
  for (const reader of frames('transfer')) {
    const transfer = new Transfer();
    decodeTransfer(reader, transfer);
    assert.ok(transfer.handle >= 0);
    assert.ok(transfer.tagLength <= 32);
    // A router starts messages with delivery annotations or a header, both described.
    if (reader.bytes[reader.position] === 0) messages++;
  }
  assert.ok(messages >= 3);
});

test('a modified delivery may say why, in an annotation that others skip', () => {
  const error = { condition: 'qd:routed-link-lost', description: 'stays here' };
  const disposition = new Disposition();
  decodeDisposition(
    rewritten((writer) => encodeDisposition(writer, true, 7, 7, true, DeliveryState.modified, 0, error)),
    disposition,
  );
  assert.deepEqual([disposition.state, disposition.error], [DeliveryState.modified, { condition: 'qd:routed-link-lost', description: '' }]);
  decodeDisposition(
    rewritten((writer) => encodeDisposition(writer, true, 8, 8, true, DeliveryState.modified, 0, undefined)),
    disposition,
  );
  assert.deepEqual([disposition.state, disposition.error], [DeliveryState.modified, undefined]);
});

test('disposition', () => {
  const states = new Set<DeliveryState>();
  for (const reader of frames('disposition')) {
    const disposition = new Disposition();
    decodeDisposition(reader, disposition);
    assert.ok(reader.atEnd);
    states.add(disposition.state);
    const { receiver, first, last, settled, state, sectionOffset, error } = disposition;
    const again = new Disposition();
    decodeDisposition(
      rewritten((writer) => encodeDisposition(writer, receiver, first, last, settled, state, sectionOffset, error)),
      again,
    );
    assert.deepEqual(again, disposition);
  }
  assert.ok(states.has(DeliveryState.accepted) && states.has(DeliveryState.received) && states.size >= 3, [...states].join());
});

test('close, detach and end carry errors', () => {
  for (const reader of frames('close')) {
    const error = decodeEnding(reader, 'close');
    assert.ok(error !== undefined && error.condition.startsWith('amqp:'));
    assert.deepEqual(
      decodeEnding(
        rewritten((writer) => encodeEnding(writer, Descriptor.end, error)),
        'end',
      ),
      error,
    );
    const detach = decodeDetach(rewritten((writer) => encodeDetach(writer, 300, true, error)));
    assert.deepEqual(detach, { handle: 300, closed: true, error });
  }
  assert.equal(
    decodeEnding(
      rewritten((writer) => encodeEnding(writer, Descriptor.close, undefined)),
      'close',
    ),
    undefined,
  );
});

test('SASL frames', () => {
  for (const reader of frames('sasl-mechanisms')) assert.deepEqual(decodeMechanisms(reader), ['ANONYMOUS']);
  for (const reader of frames('sasl-init')) assert.equal(decodeInit(reader).mechanism, 'ANONYMOUS');
  for (const reader of frames('sasl-outcome')) assert.equal(decodeOutcome(reader), 0);
  const init = decodeInit(
    rewritten((writer) => void encodeInit(writer, ['PLAIN'], { mechanisms: ['PLAIN'], username: 'u', password: 'p' }, 'host')),
  );
  assert.deepEqual(init, { mechanism: 'PLAIN', response: new TextEncoder().encode('\0u\0p') });
});

test('a frame cut short, or with a byte too many in its list, is a violation', () => {
  const decoders: Readonly<Record<string, (reader: ValueReader) => unknown>> = {
    open: decodeOpen,
    begin: decodeBegin,
    attach: decodeAttach,
    flow: decodeFlow,
    transfer: (reader) => decodeTransfer(reader, new Transfer()),
    disposition: (reader) => decodeDisposition(reader, new Disposition()),
    close: (reader) => decodeEnding(reader, 'close'),
  };
  for (const [kind, decode] of Object.entries(decoders)) {
    for (const reader of frames(kind)) {
      const { bytes, position } = reader;
      decode(reader);
      const end = reader.position;
      for (let cut = position; cut < end; cut++)
        assert.throws(() => decode(new ValueReader(bytes, position, cut)), ProtocolViolation, kind);
    }
  }
});

test('descriptors may be symbols', () => {
  const reader = new ValueReader(fromHex('00a30f616d71703a636c6f73653a6c69737445'));
  assert.equal(reader.readDescriptor(), Descriptor.close);
  assert.equal(decodeEnding(reader, 'close'), undefined);
  const unknown = new ValueReader(fromHex('00a3017845'));
  assert.equal(unknown.readDescriptor(), -1);
  assert.equal(unknown.position, 0);
});

test('an error fits into the smallest frame, in whatever language', () => {
  const error = { condition: 'x'.repeat(1000), description: '€'.repeat(4000) };
  const fitted = fitError(error, 512);
  const writer = new ValueWriter();
  encodeDisposition(writer, true, 0xffffffff, 0xffffffff, true, DeliveryState.rejected, 0, fitted);
  assert.ok(writer.length + 8 <= 512, `${writer.length}`);
  const small = { condition: 'amqp:not-found', description: 'short' };
  assert.equal(fitError(small, 512), small);
});
