import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { field, flag, frame, FrameClient, frameType } from '../../conformance/http2-frames.ts';

const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n';
const settleMs = 100;

type Fields = readonly (readonly [name: string, value: string])[];

interface Downgrade {
  readonly name: string;
  readonly fields: Fields;
  readonly body?: string;
}

function request(method: string, path: string, ...more: Fields): Fields {
  return [[':method', method], [':scheme', 'http'], [':path', path], [':authority', 'h'], ...more];
}

/** Requests of HTTP/2 that would be another, or two, when they were written as HTTP/1 as they are. */
const downgrades: readonly Downgrade[] = [
  { name: 'CR LF in a value', fields: request('GET', '/', ['x-a', 'b\r\nx-evil: 1']) },
  { name: 'LF in a value', fields: request('GET', '/', ['x-a', 'b\nx-evil: 1']) },
  { name: 'CR LF in a name', fields: request('GET', '/', ['x-a: b\r\nx-evil', '1']) },
  { name: 'a request in a value', fields: request('GET', '/', ['x-a', `b\r\n\r\n${smuggled}`]) },
  { name: 'a request in the path', fields: request('GET', `/ HTTP/1.1\r\nHost: h\r\n\r\n${smuggled}`) },
  { name: 'a request in the method', fields: request(`GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\nGET`, '/') },
  { name: 'a blank in the path', fields: request('GET', '/smuggled HTTP/1.1') },
  { name: 'chunked', fields: request('POST', '/', ['transfer-encoding', 'chunked']), body: `0\r\n\r\n${smuggled}` },
  { name: 'a length that is too short', fields: request('POST', '/', ['content-length', '0']), body: smuggled },
  { name: 'two lengths', fields: request('POST', '/', ['content-length', '0'], ['content-length', '35']), body: smuggled },
  { name: 'a field of the connection', fields: request('GET', '/', ['connection', 'x-evil'], ['x-evil', '1']) },
];

/** Names of those that made a server see a request `/smuggled` or a field `x-evil`. */
export async function smugglingDowngrades(start: (serverPort: number) => Promise<{ port: number } & AsyncDisposable>): Promise<string[]> {
  let seen = 0;
  const server = createServer((message, response) => {
    if (message.url?.startsWith('/smuggled') === true || 'x-evil' in message.headers) seen++;
    message.resume();
    response.end('hello');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bad: string[] = [];
  try {
    await using front = await start((server.address() as AddressInfo).port);
    for (const { name, fields, body } of downgrades) {
      const before = seen;
      const client = await FrameClient.open(front.port);
      const block = Buffer.concat(fields.map(([key, value]) => field(key, value)));
      const endsHead = body === undefined ? flag.endStream : 0;
      client.socket.write(frame(frameType.headers, flag.endHeaders | endsHead, 1, block));
      if (body !== undefined) client.socket.write(frame(frameType.data, flag.endStream, 1, Buffer.from(body)));
      await sleep(settleMs);
      client.destroy();
      if (seen > before) bad.push(name);
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
  return bad;
}

export const downgradeCount: number = downgrades.length;
