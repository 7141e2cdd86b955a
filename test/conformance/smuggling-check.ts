import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { HttpViolation } from '../../src/services/http1/http-violation.ts';
import { ParseEvent } from '../../src/services/http1/message-parser.ts';
import { OctetPool } from '../../src/services/http1/octet-pool.ts';
import { ResponseParser } from '../../src/services/http1/response-parser.ts';
import { SeededRandom } from '../../src/sim/seeded-random.ts';
import { mutate } from '../fuzz/mutate.ts';
import type { BackEnd } from './back-ends.ts';
import { smugglingCorpus } from './smuggling-corpus.ts';
import type { SmugglingCase } from './smuggling-corpus.ts';

const connectionsAtATime = 8;
const last = 'GET /last HTTP/1.1\r\nhost: last\r\nconnection: close\r\n\r\n';

/** What servers must see of one request that we wrote. */
interface Expected {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  /** In hexadecimal. */
  readonly body: string;
}

/** An answer: the status is 0 for octets that are none. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Reads a request in the one form that we write. */
function expectedOf(request: Uint8Array): Expected {
  const text = Buffer.from(request).toString('latin1');
  const endOfHead = text.indexOf('\r\n\r\n') + 4;
  const match = /^(\S+) (\S+) HTTP\/1\.1\r\nhost: (\S+)\r\n/.exec(text);
  assert.ok(match !== null, text);
  let body = text.slice(endOfHead);
  if (text.slice(0, endOfHead).includes('\r\ntransfer-encoding: chunked\r\n')) {
    const endOfLength = body.indexOf('\r\n') + 2;
    const length = Number.parseInt(body, 16);
    body = body.slice(endOfLength, endOfLength + length);
  }
  return { method: match[1] ?? '', target: match[2] ?? '', host: match[3] ?? '', body: Buffer.from(body, 'latin1').toString('hex') };
}

/** Sends octets and gives what comes until the server closes. */
async function ask(port: number, octets: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(octets));
    socket.setTimeout(10_000, () => {
      socket.destroy();
      reject(new Error(`no end of the connection: ${Buffer.from(octets).toString('latin1')}\n>>>\n${Buffer.concat(chunks).toString()}`));
    });
    socket.on('data', (bytes: Buffer) => chunks.push(bytes));
    socket.on('error', () => {
      // A server that refuses may reset: what came before counts.
    });
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
}

/** Reads the answers to requests with these methods. */
export function answersIn(octets: Uint8Array, methods: readonly string[]): Answer[] {
  const parser = new ResponseParser(new OctetPool(), 16_384);
  const answers: Answer[] = [];
  let status = 0;
  let text = '';
  parser.expect(methods[0] ?? 'GET', '');
  parser.push(octets);
  try {
    for (let event = parser.next(); event !== ParseEvent.more; event = parser.next()) {
      if (event === ParseEvent.head) {
        status = parser.head?.status ?? 0;
        text = '';
      } else if (event === ParseEvent.data) {
        text += Buffer.from(parser.dataBytes.subarray(parser.dataStart, parser.dataEnd)).toString('latin1');
      } else if (status >= 200) {
        answers.push({ status, text });
        parser.expect(methods[answers.length] ?? 'GET', '');
      }
    }
    if (parser.inMessage && parser.finish()) answers.push({ status, text });
  } catch (error) {
    if (!(error instanceof HttpViolation)) throw error;
    answers.push({ status: 0, text: error.message });
  }
  return answers;
}

/** Returns how many of the requests the server has told back. Some methods and targets it may refuse. */
async function check(server: BackEnd, what: string, forwarded: readonly Uint8Array[]): Promise<number> {
  const octets = new Uint8Array(Buffer.concat([...forwarded, Buffer.from(last)]));
  const expected = [...forwarded.map(expectedOf), { method: 'GET', target: '/last', host: 'last', body: '' }];
  const methods = expected.map(({ method }) => method);
  const answers = answersIn(await ask(server.port, octets), methods);
  const context = `${server.name}, ${what}:\n${Buffer.from(octets).toString('latin1')}\n>>>\n${JSON.stringify(answers)}`;
  assert.ok(answers.length <= expected.length, `more answers than requests: ${context}`);
  let echoed = 0;
  for (const [index, { status, text }] of answers.entries()) {
    const { method, target, host, body } = expected[index] ?? assert.fail();
    assert.ok(status >= 200, context);
    if (method === 'HEAD') continue;
    // A refusal, or an answer to OPTIONS, says nothing of the request; what is told back must be what was written.
    if (!text.startsWith('echo ')) {
      assert.ok(status >= 400 || method === 'OPTIONS', context);
      continue;
    }
    echoed++;
    const echo = text.split(' ').filter((word) => word !== 'HTTP/1.1');
    assert.deepEqual(echo.slice(1, 4), [method, target, host], context);
    if (server.echoesBody) assert.equal(echo[4]?.toLowerCase(), body, context);
  }
  return echoed;
}

/** Sends requests to a server in front of one more; throws when it sees others. Returns how many it has told back. */
export async function checkAll(server: BackEnd, cases: readonly (readonly [string, readonly Uint8Array[]])[]): Promise<number> {
  let echoed = 0;
  const waiting = cases.values();
  const run = async (): Promise<void> => {
    for (const [what, forwarded] of waiting) {
      const more = await check(server, what, forwarded);
      echoed += more;
    }
  };
  await Promise.all(Array.from({ length: connectionsAtATime }, run));
  return echoed;
}

/** Requests of the corpus, changed at random. */
export function* mutatedInputs(seed: number, mutations: number): Generator<Uint8Array> {
  const random = new SeededRandom(seed);
  const octets = (all: readonly SmugglingCase[]): Uint8Array[] =>
    all.map((one) => new Uint8Array(Buffer.from(one.octets, 'latin1'))).filter(({ length }) => length < 1_000);
  const harmless = octets(smugglingCorpus.filter(({ passes }) => passes !== undefined));
  const others = octets(smugglingCorpus);
  for (let count = 0; count < mutations; count++) yield mutate(random.pick(harmless), random.pick(others), random, 4_096);
}
