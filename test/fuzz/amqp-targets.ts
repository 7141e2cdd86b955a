import { Connection } from '../../src/amqp/connection.ts';
import { Descriptor, amqpHeader, saslHeader } from '../../src/amqp/constants.ts';
import { Disposition, Transfer, decodeDisposition, decodeTransfer } from '../../src/amqp/delivery-performatives.ts';
import {
  decodeAttach,
  decodeBegin,
  decodeDetach,
  decodeEnding,
  decodeFlow,
  decodeOpen,
  encodeAttach,
  encodeBegin,
  encodeFlow,
  encodeOpen,
} from '../../src/amqp/performatives.ts';
import { decodeInit, decodeMechanisms, decodeOutcome } from '../../src/amqp/sasl.ts';
import { SlabPool } from '../../src/amqp/transmit-buffer.ts';
import { ValueReader } from '../../src/amqp/value-reader.ts';
import type { ValueWriter } from '../../src/amqp/value-writer.ts';
import { ProtocolViolation } from '../../src/base/errors.ts';
import { RecordingHandler, connectionOptions, drainBytes, frame, fromHex, joined, termini } from './connection-pair.ts';
import { goldenConversation, goldenFrames } from './golden-frames.ts';
import { join, mutate } from './mutate.ts';
import type { SeededRandom } from '../../src/sim/seeded-random.ts';
import type { FuzzTarget } from './target.ts';

const maxInputBytes = 65_536;
/** One for all, as in a router: a slab that waits for reuse is not the cost of an input. */
const slabs = new SlabPool();
const frames = goldenFrames.map(({ hex }) => fromHex(hex));
const bodies = frames.filter((bytes) => bytes.length > 8).map((bytes) => bytes.subarray(8));
const formatCodes = [
  0x00, 0x40, 0x41, 0x43, 0x44, 0x45, 0x50, 0x52, 0x53, 0x54, 0x56, 0x60, 0x70, 0x71, 0x80, 0x81, 0x83, 0x94, 0x98, 0xa0, 0xa1, 0xa3, 0xb0,
  0xb1, 0xc0, 0xc1, 0xd0, 0xd1, 0xe0, 0xf0,
];

function tolerant(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    if (error instanceof ProtocolViolation) return error;
    throw error;
  }
}

/** A value with well-formed structure, or nearly. */
function randomValue(random: SeededRandom, depth: number): Uint8Array {
  const code = random.pick(formatCodes);
  const head = Uint8Array.of(code);
  switch (code >> 4) {
    case 0x0:
      return join(
        head,
        depth > 8 ? Uint8Array.of(0x40) : randomValue(random, depth + 1),
        depth > 8 ? Uint8Array.of(0x40) : randomValue(random, depth + 1),
      );
    case 0x4:
      return head;
    case 0x5:
    case 0x6:
    case 0x7:
    case 0x8:
    case 0x9: {
      const data = new Uint8Array([1, 2, 4, 8, 16][(code >> 4) - 5] ?? 0);
      random.fill(data);
      return join(head, data);
    }
    case 0xa:
    case 0xb: {
      const data = new Uint8Array(random.below(40));
      random.fill(data);
      return join(head, sized(data.length, code >> 4 === 0xb, random), data);
    }
    default: {
      const wide = code >> 4 === 0xd || code >> 4 === 0xf;
      const count = depth > 6 ? 0 : random.below(5);
      const elements =
        code >> 4 >= 0xe ? [randomValue(random, depth + 3)] : Array.from({ length: count }, () => randomValue(random, depth + 1));
      const content = join(sized(count, wide, random), ...elements);
      return join(head, sized(content.length, wide, random), content);
    }
  }
}

/** A length in one byte or four; now and then a wrong one. */
function sized(length: number, wide: boolean, random: SeededRandom): Uint8Array {
  const value = random.below(50) === 0 ? random.below(0x1_0000_0000) : length;
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return wide ? bytes : bytes.subarray(3);
}

/** Performatives of a peer with numbers that matter, in any order. */
function randomFrame(random: SeededRandom): Uint8Array {
  const number = (): number => random.pick([0, 0, 0, 1, 1, 2, 3, 99, 255, 256, 65_535, 65_536, 0x7fffffff, 0xffffffff]);
  const channel = random.pick([0, 0, 0, 1, 2, 255, 256]);
  const [source, target] = termini();
  return frame(channel, (writer: ValueWriter) => {
    switch (random.below(8)) {
      case 0:
        encodeBegin(writer, {
          remoteChannel: random.pick([-1, -1, 0, 1]),
          nextOutgoingId: number(),
          incomingWindow: number(),
          outgoingWindow: number(),
          handleMax: number(),
        });
        return;
      case 1:
        encodeAttach(writer, { name: random.pick(['a', 'b', 'c']), handle: number(), receiver: random.below(2) === 0, source, target });
        return;
      case 2:
        encodeFlow(writer, {
          nextIncomingId: number(),
          incomingWindow: number(),
          nextOutgoingId: number(),
          outgoingWindow: number(),
          handle: random.pick([-1, number()]),
          deliveryCount: number(),
          linkCredit: number(),
          available: 0,
          drain: random.below(2) === 0,
          echo: false,
        });
        return;
      case 3:
      case 4:
        writer.descriptor(Descriptor.transfer);
        writer.list();
        writer.uint(number());
        writer.uint(number());
        writer.binary(Uint8Array.of(random.below(256)));
        writer.uint(0);
        writer.boolean(random.below(2) === 0);
        writer.boolean(random.below(2) === 0);
        for (let index = 6; index < 9; index++) writer.null();
        writer.boolean(random.below(6) === 0);
        writer.end(10);
        writer.raw(new Uint8Array(random.below(300)));
        return;
      case 5:
        writer.descriptor(Descriptor.disposition);
        writer.list();
        writer.boolean(random.below(2) === 0);
        writer.uint(number());
        writer.uint(number());
        writer.boolean(random.below(2) === 0);
        writer.descriptor(Descriptor.received + random.below(5));
        writer.byte(0x45);
        writer.end(5);
        return;
      case 6:
        writer.descriptor(Descriptor.detach);
        writer.list();
        writer.uint(number());
        writer.boolean(random.below(2) === 0);
        writer.end(2);
        return;
      default:
        writer.descriptor(random.pick([Descriptor.end, Descriptor.end, Descriptor.close, Descriptor.open]));
        writer.byte(0x45);
    }
  });
}

const open = frame(0, (writer) =>
  encodeOpen(writer, { containerId: 'fuzz', hostname: null, maxFrameSize: 512, channelMax: 65_535, idleTimeoutMs: 0, capabilities: [] }),
);
const begin = frame(0, (writer) =>
  encodeBegin(writer, { remoteChannel: -1, nextOutgoingId: 0, incomingWindow: 2, outgoingWindow: 2, handleMax: 65_535 }),
);
const attaches = [true, false].map((receiver, handle) =>
  frame(0, (writer) => {
    const [source, target] = termini();
    encodeAttach(writer, { name: `l${handle}`, handle, receiver, source, target });
  }),
);

/** A peer that uses its links too: it sends on what the other receives on. */
class BusyHandler extends RecordingHandler {
  override linkOffered(...parameters: Parameters<RecordingHandler['linkOffered']>): void {
    super.linkOffered(...parameters);
    const [, link] = parameters;
    if (link.receiver || link.detachSent) return;
    for (const [length, more] of [
      [10, false],
      [2000, true],
      [5, false],
    ] as const) {
      link.deliver(length === 5, undefined).send(new Uint8Array(length), 0, length, more);
    }
  }
}

/** A connection that has been brought into a phase by `before`, and then gets the input in one, two or many pieces. */
function connectionTarget(name: string, before: readonly Readonly<Uint8Array>[], withSasl: boolean, client: boolean): FuzzTarget {
  const preparation = joined(before);
  const sasl = client
    ? ({ client: { mechanisms: ['ANONYMOUS'] } } as const)
    : ({ server: { mechanisms: ['ANONYMOUS', 'PLAIN'], externallyAuthenticated: false, verifyPlain: () => false } } as const);
  return {
    name,
    input: (random) => {
      const pieces: Uint8Array[] = [];
      for (let count = 1 + random.below(10); count > 0; count--) {
        const choice = random.below(4);
        if (choice === 0) pieces.push(mutate(random.pick(frames), random.pick(frames), random, maxInputBytes));
        else if (choice === 1) pieces.push(mutate(randomFrame(random), random.pick(frames), random, maxInputBytes));
        else pieces.push(randomFrame(random));
      }
      if (random.below(20) === 0) pieces.unshift(joined(goldenConversation.map(({ hex }) => fromHex(hex))));
      return join(...pieces);
    },
    run: (input) => {
      const handler = new BusyHandler();
      const connection = new Connection(
        connectionOptions(client, { sasl: withSasl ? sasl : undefined, maxFrameSize: 4096, slabs }),
        handler,
      );
      connection.start(0);
      connection.receive(preparation, 0);
      const first = input.length > 0 ? (input[0] ?? 0) % input.length : 0;
      const step = input.length % 7 === 0 ? 5 : input.length;
      connection.receive(input.slice(0, first), 1);
      for (let at = first; at < input.length; at += step) connection.receive(input.slice(at, at + step), 1);
      drainBytes(connection);
      if (handler.closedCount > 1) throw new Error('closed was told twice');
      if (connection.ended && !connection.budget.empty) throw new Error('a connection that is over still holds something');
      connection.handleTimeout(10);
      return connection;
    },
  };
}

const decoders: Readonly<Record<string, (reader: ValueReader) => unknown>> = {
  open: decodeOpen,
  begin: decodeBegin,
  attach: decodeAttach,
  flow: decodeFlow,
  transfer: (reader) => decodeTransfer(reader, new Transfer()),
  disposition: (reader) => decodeDisposition(reader, new Disposition()),
  detach: decodeDetach,
  ending: (reader) => decodeEnding(reader, 'end'),
  'sasl-init': decodeInit,
  'sasl-mechanisms': decodeMechanisms,
  'sasl-outcome': decodeOutcome,
};

export const amqpTargets: readonly FuzzTarget[] = [
  {
    name: 'amqp value',
    input: (random) =>
      random.below(2) === 0 ? mutate(random.pick(bodies), random.pick(bodies), random, maxInputBytes) : randomValue(random, 0),
    run: (input) =>
      tolerant(() => {
        new ValueReader(input).skip();
        const reader = new ValueReader(input);
        const values: unknown[] = [];
        while (!reader.atEnd) values.push(reader.readValue());
        return values;
      }),
  },
  {
    name: 'amqp performative',
    input: (random) => mutate(random.pick(bodies), random.pick(bodies), random, maxInputBytes),
    run: (input) =>
      Object.values(decoders).map((decode) =>
        tolerant(() => {
          const reader = new ValueReader(input);
          reader.readDescriptor();
          return decode(reader);
        }),
      ),
  },
  connectionTarget('amqp connection: first bytes', [], false, false),
  connectionTarget('amqp connection: SASL server', [saslHeader], true, false),
  connectionTarget('amqp connection: SASL client', [saslHeader], true, true),
  connectionTarget('amqp connection: before OPEN', [amqpHeader], false, false),
  connectionTarget('amqp connection: open', [amqpHeader, open], false, false),
  connectionTarget('amqp connection: links', [amqpHeader, open, begin, ...attaches], false, false),
];
