import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameEvent, FrameReader, preface } from './frame-reader.ts';
import { FrameFlag, FrameType } from './frames.ts';
import { Http2Violation } from './http2-violation.ts';
import { maxFrameBytes } from './limits.ts';

/** What a reader makes of octets: pieces of DATA joined, and how it ended. */
function eventsOf(pieces: readonly Uint8Array[], isServer: boolean): string[] {
  const reader = new FrameReader(isServer);
  const events: string[] = [];
  let data = '';
  try {
    for (const piece of pieces) {
      reader.push(piece);
      for (let event = reader.next(); event !== FrameEvent.more; event = reader.next()) {
        const octets = Buffer.from(reader.bytes.subarray(reader.start, reader.end)).toString('hex');
        const name = `${reader.type} ${reader.flags} ${reader.streamId} ${reader.length}`;
        if (event === FrameEvent.frame) events.push(`${name} ${octets}`);
        else {
          assert.equal(reader.isFirst, data === '');
          data = `${data === '' ? `${name} ${reader.payloadBytes} ` : data}${octets}`;
          if (!reader.isLast) continue;
          events.push(data);
          data = '';
        }
      }
    }
  } catch (error) {
    assert.ok(error instanceof Http2Violation);
    events.push(`${error.code} ${error.message}`);
  }
  return events;
}

function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Uint8Array {
  const octets = new Uint8Array(9 + payload.length);
  const view = new DataView(octets.buffer);
  view.setUint32(0, payload.length * 256 + type);
  octets[4] = flags;
  view.setUint32(5, streamId);
  octets.set(payload, 9);
  return octets;
}

function cut(octets: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, index = 0; at < octets.length; index++) {
    const end = at + (lengths[index % lengths.length] ?? 1);
    pieces.push(octets.slice(at, end));
    at = end;
  }
  return pieces;
}

const frames = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 255 }), fc.nat(), fc.uint8Array({ maxLength: 60 })),
  { maxLength: 8 },
);
const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 });

test('frames are the same however they are cut', () => {
  fc.assert(
    fc.property(frames, cuts, fc.boolean(), (some, lengths, isServer) => {
      const octets = Buffer.concat([...(isServer ? [preface] : []), ...some.map((parts) => frame(...parts))]);
      const whole = eventsOf([octets], isServer);
      assert.deepEqual(eventsOf(cut(octets, lengths), isServer), whole);
    }),
    { numRuns: 500 },
  );
});

test('padding of DATA is no part of it', () => {
  const padded = frame(FrameType.data, FrameFlag.padded | FrameFlag.endStream, 1, new Uint8Array([3, 0x61, 0x62, 0, 0, 0]));
  const expected = ['0 9 1 6 2 6162'];
  for (let length = 1; length <= padded.length; length++) assert.deepEqual(eventsOf(cut(padded, [length]), false), expected);
  const tooMuch = frame(FrameType.data, FrameFlag.padded, 1, new Uint8Array([3, 0x61, 0x62]));
  assert.match(eventsOf([tooMuch], false)[0] ?? '', /^1 more padding/);
});

test('frames that are too long, and other protocols, are refused at once', () => {
  const header = frame(FrameType.headers, 0, 1, new Uint8Array(0));
  new DataView(header.buffer).setUint32(0, (maxFrameBytes + 1) * 256 + FrameType.headers);
  assert.match(eventsOf([header], false)[0] ?? '', /^6 /);
  assert.match(eventsOf([new TextEncoder().encode('GET / HTTP/1.1')], true)[0] ?? '', /^1 /);
});

test('what has begun and is not complete is told', () => {
  const reader = new FrameReader(true);
  assert.ok(reader.isInside);
  const octets = Buffer.concat([preface, frame(FrameType.ping, 0, 0, new Uint8Array(8)), frame(FrameType.data, 0, 1, new Uint8Array(8))]);
  const insideAt: number[] = [];
  for (let at = 0; at < octets.length; at++) {
    reader.push(octets.slice(at, at + 1));
    while (reader.next() !== FrameEvent.more);
    if (!reader.isInside) insideAt.push(at);
  }
  // Behind the preface, behind PING, and from the header of DATA on.
  assert.deepEqual(insideAt, [23, 40, 49, 50, 51, 52, 53, 54, 55, 56, 57]);
});
