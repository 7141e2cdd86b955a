import assert from 'node:assert/strict';
import { HttpViolation } from '../../src/services/http1/http-violation.ts';
import { ParseEvent } from '../../src/services/http1/message-parser.ts';
import { OctetPool } from '../../src/services/http1/octet-pool.ts';
import { ResponseParser } from '../../src/services/http1/response-parser.ts';
import { smugglingCorpus } from '../conformance/smuggling-corpus.ts';
import { outcomeOf } from '../conformance/smuggling-front.ts';
import { mutate } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

const maxInputBytes = 4_096;
/** Small, so that limits are met. */
const maxHeaderBytes = 1_024;

const requests = smugglingCorpus.map(({ octets }) => new Uint8Array(Buffer.from(octets, 'latin1'))).filter(({ length }) => length < 1_000);
const answers = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: x\r\n\r\nhelloHTTP/1.1 204 \r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nSum: 1\r\n\r\n',
  'HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\noctets',
  'HTTP/1.1 500 \r\nA: b\r\n\r\nuntil the end',
].map((text) => new Uint8Array(Buffer.from(text)));

/** Cuts that depend on the input alone. */
function cut(input: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let step = 1 + ((input.length * 7) % 23);
  for (let at = 0; at < input.length;) {
    pieces.push(input.subarray(at, at + step));
    at += step;
    step = 1 + ((step * 13 + at) % 41);
  }
  return pieces;
}

/** What an answer's parser makes of octets, with each body joined. */
function eventsOf(pieces: readonly Uint8Array[]): string {
  const parser = new ResponseParser(new OctetPool(), maxHeaderBytes);
  parser.expect('GET', 'websocket');
  let events = '';
  try {
    for (const piece of pieces) {
      parser.push(piece);
      for (let event = parser.next(); event !== ParseEvent.more; event = parser.next()) {
        if (event === ParseEvent.data) {
          events += Buffer.from(parser.dataBytes.subarray(parser.dataStart, parser.dataEnd)).toString('latin1');
        } else if (event === ParseEvent.head) {
          const { head } = parser;
          events += `\nhead ${head?.status} ${head?.contentLength} ${head?.hasBody} ${Buffer.from(head?.fields ?? []).toString('hex')}\n`;
        } else events += `\nend ${Buffer.from(parser.trailers ?? []).toString('hex')} ${parser.keepAlive}\n`;
      }
    }
    return `${events}\n${parser.finish()}`;
  } catch (error) {
    if (error instanceof HttpViolation) return `${events}\n${error.message}`;
    throw error;
  }
}

/** The same whatever the cuts; what goes to servers is read as the same request again; what is refused ends the connection. */
export const http1Targets: readonly FuzzTarget[] = [
  {
    name: 'http1 requests',
    input: (random) => mutate(random.pick(requests), random.pick(requests), random, maxInputBytes),
    run: (input): unknown => {
      const outcome = outcomeOf([input], maxHeaderBytes);
      assert.deepEqual(outcomeOf(cut(input), maxHeaderBytes), outcome);
      if (outcome.statuses.some((status) => status !== 200)) assert.ok(outcome.closed);
      for (const request of outcome.forwarded) assert.deepEqual(outcomeOf([request]).forwarded, [request]);
      return outcome;
    },
  },
  {
    name: 'http1 answers',
    input: (random) => mutate(random.pick(answers), random.pick(answers), random, maxInputBytes),
    run: (input): unknown => {
      const events = eventsOf([input]);
      assert.equal(eventsOf(cut(input)), events);
      return events;
    },
  },
];
