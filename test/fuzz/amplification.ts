import { Connection } from '../../src/amqp/connection.ts';
import { Descriptor, amqpHeader } from '../../src/amqp/constants.ts';
import { encodeAttach, encodeBegin, encodeFlow, encodeOpen } from '../../src/amqp/performatives.ts';
import { SlabPool } from '../../src/amqp/transmit-buffer.ts';
import { RecordingHandler, connectionOptions, drainBytes, frame, termini } from './connection-pair.ts';
import { liveBytes } from './memory.ts';
import { join } from './mutate.ts';
import { emptyFlow } from './sending.ts';

/** How far the connection has come before the input. */
export type Phase = 'nothing' | 'header' | 'open' | 'links';

/** An input that is small and asks for much. */
export interface AmplificationCase {
  readonly name: string;
  readonly phase: Phase;
  /** What the peer must be told when the connection is closed for it; undefined where it may stay open. */
  readonly condition: RegExp | undefined;
  readonly bytes: () => Uint8Array;
}

const u32 = (value: number): number[] => [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const decodeError = /decode-error|framing-error|invalid-field/;
const framingError = /framing-error/;

export function openFrame(containerId = 'stranger', maxFrameSize = 0xffff_ffff): Uint8Array {
  return frame(0, (writer) =>
    encodeOpen(writer, { containerId, hostname: null, maxFrameSize, channelMax: 65_535, idleTimeoutMs: 0, capabilities: [] }),
  );
}

function beginFrame(channel: number): Uint8Array {
  return frame(channel, (writer) =>
    encodeBegin(writer, { remoteChannel: -1, nextOutgoingId: 0, incomingWindow: 2048, outgoingWindow: 2048, handleMax: 0xffff_ffff }),
  );
}

function attachFrame(handle: number, receiver: boolean, name = `l${handle}`): Uint8Array {
  const [source, target] = termini('q');
  return frame(0, (writer) => encodeAttach(writer, { name, handle, receiver, source, target }));
}

export const phases: Readonly<Record<Phase, () => Uint8Array>> = {
  nothing: () => new Uint8Array(0),
  header: () => amqpHeader.slice(),
  open: () => join(amqpHeader.slice(), openFrame()),
  links: () => join(amqpHeader.slice(), openFrame(), beginFrame(0), attachFrame(0, false), attachFrame(1, true)),
};

function performative(descriptor: number, fields: readonly (readonly number[])[], after: readonly number[] = []): Uint8Array {
  return frame(0, (writer) => {
    writer.descriptor(descriptor);
    const body = fields.flat();
    writer.raw(Uint8Array.of(0xd0, ...u32(body.length + 4), ...u32(fields.length), ...body));
    writer.raw(Uint8Array.from(after));
  });
}

/** OPEN whose properties are this encoded value. */
function openWith(properties: readonly number[]): Uint8Array {
  const container = [0xa1, 1, 0x78];
  const empty = Array.from({ length: 8 }, () => [0x40]);
  return performative(Descriptor.open, [container, ...empty, properties]);
}

function nested(depth: number, head: (inner: number) => number[]): number[] {
  let value = [0x40];
  for (let level = 0; level < depth; level++) value = [...head(value.length), ...value];
  return value;
}

function repeated(count: number, make: (index: number) => Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat(Array.from({ length: count }, (_, index) => make(index))));
}

function transfer(more: boolean, payload: number, deliveryId: number | undefined): Uint8Array {
  const id =
    deliveryId === undefined
      ? [[0x40], [0x40]]
      : [
          [0x70, ...u32(deliveryId)],
          [0xa0, 1, deliveryId & 255],
        ];
  return performative(
    Descriptor.transfer,
    [[0x43], ...id, [0x43], [0x42], [more ? 0x41 : 0x42]],
    Array.from({ length: payload }, () => 7),
  );
}

const zeroWidth = [0x40, 0x41, 0x42, 0x43, 0x44, 0x45];

/** The list: what is known to break decoders and tables, each far beyond what any limit allows. */
export const amplificationCases: readonly AmplificationCase[] = [
  ...zeroWidth.map((code): AmplificationCase => {
    return {
      name: `array of 2^32-1 elements without width (0x${code.toString(16)})`,
      phase: 'header',
      condition: decodeError,
      bytes: () => openWith([0xf0, ...u32(5), ...u32(0xffff_ffff), code]),
    };
  }),
  {
    name: 'map of 2^32-1 entries in nine octets',
    phase: 'header',
    condition: decodeError,
    bytes: () => openWith([0xd1, ...u32(4), ...u32(0xffff_fffe)]),
  },
  {
    name: 'list that announces 2 GiB',
    phase: 'header',
    condition: decodeError,
    bytes: () => openWith([0xd0, ...u32(0x7fff_ffff), ...u32(1), 0x40]),
  },
  {
    name: 'string that announces 4 GiB',
    phase: 'header',
    condition: decodeError,
    bytes: () => openWith([0xb1, ...u32(0xffff_ffff), 0x78]),
  },
  {
    name: 'lists in lists, 50 deep',
    phase: 'header',
    condition: decodeError,
    bytes: () => openWith(nested(50, (inner) => [0xd0, ...u32(inner + 4), ...u32(1)])),
  },
  {
    name: 'lists in lists, 2,000 deep',
    phase: 'open',
    condition: decodeError,
    bytes: () => openWith(nested(2000, (inner) => [0xd0, ...u32(inner + 4), ...u32(1)])),
  },
  {
    name: 'described descriptors, 5,000 deep',
    phase: 'open',
    condition: /decode-error|not-implemented/,
    bytes: () => frame(0, (writer) => writer.raw(new Uint8Array(5000))),
  },
  {
    name: 'arrays of arrays of arrays',
    phase: 'header',
    condition: decodeError,
    bytes: () => openWith(nested(60, (inner) => [0xf0, ...u32(inner + 5), ...u32(0xffff_ffff), 0xf0])),
  },
  ...[0, 4, 7, 0x7fff_ffff, 0xffff_ffff].flatMap((size): AmplificationCase[] =>
    (['header', 'open'] as const).map((phase) => ({
      name: `frame of ${size} octets announced after ${phase}`,
      phase,
      condition: framingError,
      bytes: () => Uint8Array.of(...u32(size), 2, 0, 0, 0),
    })),
  ),
  {
    name: 'data offset beyond the frame',
    phase: 'open',
    condition: framingError,
    bytes: () => Uint8Array.of(...u32(8), 255, 0, 0, 0),
  },
  {
    name: 'data offset 0',
    phase: 'open',
    condition: framingError,
    bytes: () => Uint8Array.of(...u32(8), 0, 0, 0, 0),
  },
  {
    name: 'maximum frame size of 0',
    phase: 'header',
    condition: /invalid-field|decode-error|framing-error|not-allowed|frame-size-too-small/,
    bytes: () => openFrame('stranger', 0),
  },
  {
    name: '100,000 empty frames',
    phase: 'open',
    condition: undefined,
    bytes: () => repeated(100_000, () => Uint8Array.of(0, 0, 0, 8, 2, 0, 0, 0)),
  },
  {
    name: '65,536 sessions',
    phase: 'open',
    condition: /framing-error|not-allowed|resource-limit-exceeded/,
    bytes: () => repeated(65_536, (index) => beginFrame(index)),
  },
  {
    name: '250 sessions',
    phase: 'open',
    condition: undefined,
    bytes: () => repeated(250, (index) => beginFrame(index)),
  },
  {
    name: '60,000 links',
    phase: 'links',
    condition: undefined,
    bytes: () => repeated(60_000, (index) => attachFrame(index + 2, index % 2 === 0, `l${String(index).padStart(7, '0')}`)),
  },
  {
    name: 'links without end',
    phase: 'links',
    condition: /resource-limit-exceeded|framing-error|handle-in-use|not-allowed|invalid-field/,
    bytes: () => repeated(100_000, (index) => attachFrame(index + 2, index % 2 === 0, `l${String(index).padStart(7, '0')}`)),
  },
  {
    name: 'one link attached and detached 50,000 times',
    phase: 'links',
    condition: undefined,
    bytes: () => {
      const pair = join(attachFrame(2, false), performative(Descriptor.detach, [[0x52, 2], [0x41]]));
      return repeated(50_000, () => pair);
    },
  },
  {
    name: 'handle 2^32-1',
    phase: 'links',
    condition: /framing-error|not-allowed|resource-limit-exceeded|handle|invalid-field/,
    bytes: () => attachFrame(0xffff_ffff, false),
  },
  {
    name: 'credit and windows of 2^32-1',
    phase: 'links',
    condition: undefined,
    bytes: () =>
      frame(0, (writer) =>
        encodeFlow(writer, { ...emptyFlow, incomingWindow: 0xffff_ffff, outgoingWindow: 0xffff_ffff, handle: 1, linkCredit: 0xffff_ffff }),
      ),
  },
  {
    name: '50,000 flows that want an answer',
    phase: 'links',
    condition: undefined,
    bytes: () => repeated(50_000, () => frame(0, (writer) => encodeFlow(writer, { ...emptyFlow, incomingWindow: 100, echo: true }))),
  },
  {
    name: 'disposition of all deliveries from 0 to 2^32-1',
    phase: 'links',
    condition: undefined,
    bytes: () => performative(Descriptor.disposition, [[0x42], [0x43], [0x70, ...u32(0xffff_ffff)], [0x41]]),
  },
  {
    name: '20,000 dispositions of all deliveries',
    phase: 'links',
    condition: undefined,
    bytes: () => repeated(20_000, () => performative(Descriptor.disposition, [[0x42], [0x43], [0x70, ...u32(0x7fff_ffff)], [0x41]])),
  },
  {
    name: 'a message that never ends, in frames of one octet',
    phase: 'links',
    condition: undefined,
    bytes: () => repeated(40_000, (index) => transfer(true, 1, index === 0 ? 0 : undefined)),
  },
  {
    name: 'messages without credit',
    phase: 'links',
    condition: /transfer-limit-exceeded|window-violation/,
    bytes: () => repeated(20_000, (index) => transfer(false, 10, index)),
  },
];

/** What an input did to a connection. */
export interface AmplificationResult {
  readonly name: string;
  readonly inputBytes: number;
  /** Octets that stay allocated, for each octet of the input. Connections have a base that does not count. */
  readonly retainedPerByte: number;
  /** Octets that wait to be sent as the answer, for each octet of the input. */
  readonly answeredPerByte: number;
  /** Longest time of this thread for 64 KiB of the input, as one read of a socket gives them: not that of others on a busy machine. */
  readonly readMs: number;
  readonly condition: string;
  readonly asExpected: boolean;
}

/** Takes messages and does nothing about them: no outcome, no credit. Keeps nothing, so that only the engine's own memory counts. */
class IdleHandler extends RecordingHandler {
  override linkOffered(...parameters: Parameters<RecordingHandler['linkOffered']>): void {
    super.linkOffered(...parameters);
    this.links.length = 0;
  }
  override transfer(): void {}
}

const readBytes = 65_536;
/** Longest that one read may take; a case that took less once is quick. */
const quickMs = 10;
const attempts = 3;
/** What a connection may take whatever comes: its tables, and the 256 sessions that it can have at most. */
const baseBytes = 262_144;

/** One run of a case. */
interface Run {
  readonly connection: Connection;
  readonly readMs: number;
  readonly answeredBytes: number;
  /** The last condition that the peer was told. */
  readonly condition: string;
}

function lastCondition(answer: Uint8Array): string | undefined {
  const at = Buffer.from(answer).lastIndexOf('amqp:');
  return at < 0 ? undefined : /^[a-z:-]+/.exec(Buffer.from(answer.subarray(at, at + 64)).toString('latin1'))?.[0];
}

/** Feeds the input as a socket does. */
function feed(preparation: Uint8Array, input: Uint8Array, slabs: SlabPool): Run {
  const connection = new Connection(connectionOptions(false, { maxFrameSize: 16_384, slabs }), new IdleHandler());
  connection.start(0);
  connection.receive(preparation.slice(), 0);
  let [readMs, answeredBytes, condition] = [0, 0, ''];
  for (let at = 0; at < input.length && !connection.ended; at += readBytes) {
    const piece = input.slice(at, at + readBytes);
    const before = process.threadCpuUsage();
    connection.receive(piece, 1);
    const { user, system } = process.threadCpuUsage(before);
    readMs = Math.max(readMs, (user + system) / 1000);
    const answer = drainBytes(connection);
    answeredBytes += answer.length;
    condition = lastCondition(answer) ?? condition;
  }
  return { connection, readMs, answeredBytes, condition };
}

/** In a function of its own, so that nothing of the run before is alive. */
function measure(
  preparation: Uint8Array,
  input: Uint8Array,
  slabs: SlabPool,
): Omit<Run, 'connection'> & { retained: number; ended: boolean } {
  const before = liveBytes();
  const { connection, ...run } = feed(preparation, input, slabs);
  const retained = Math.max(0, liveBytes() - before - baseBytes);
  return { ...run, retained, ended: connection.ended };
}

/** What the case costs, and whether it is answered as it must be. */
export function amplification({ name, phase, condition, bytes }: AmplificationCase): AmplificationResult {
  const input = bytes();
  const slabs = new SlabPool();
  const preparation = phases[phase]();
  // The first run compiles. A busy machine must not be taken for a slow decoder, nor its collector for a leak: the best of several counts.
  feed(preparation, input, slabs);
  let best = measure(preparation, input, slabs);
  for (let attempt = 1; attempt < attempts && (best.retained > 0 || best.readMs > quickMs); attempt++) {
    const again = measure(preparation, input, slabs);
    best = { ...again, retained: Math.min(best.retained, again.retained), readMs: Math.min(best.readMs, again.readMs) };
  }
  return {
    name,
    inputBytes: input.length,
    retainedPerByte: best.retained / input.length,
    answeredPerByte: Math.max(0, best.answeredBytes - baseBytes) / input.length,
    readMs: best.readMs,
    condition: best.condition,
    asExpected: condition === undefined ? !best.ended : condition.test(best.condition),
  };
}
