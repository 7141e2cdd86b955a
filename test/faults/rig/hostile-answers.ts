import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** An answer that programs are known to read differently. */
export interface HostileAnswer {
  readonly name: string;
  readonly octets: string;
  /** What the client gets: 502, or the one answer that can be meant. */
  readonly status: number;
}

const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Evil: 1\r\n\r\nevil';

function answer(...fields: readonly string[]): string {
  return ['HTTP/1.1 200 OK', ...fields].join('\r\n') + '\r\n\r\n';
}

export const hostileAnswers: readonly HostileAnswer[] = [
  { name: 'a second answer behind the first', octets: `${answer('Content-Length: 2')}ok${evil}`, status: 200 },
  { name: 'an answer behind one without a body', octets: `HTTP/1.1 204 No Content\r\n\r\n${evil}`, status: 204 },
  { name: 'two different lengths', octets: `${answer('Content-Length: 2', 'Content-Length: 60')}ok${evil}`, status: 502 },
  { name: 'lengths in a list', octets: `${answer('Content-Length: 2, 60')}ok${evil}`, status: 502 },
  { name: 'a length with a sign', octets: `${answer('Content-Length: +2')}ok${evil}`, status: 502 },
  { name: 'an unknown coding', octets: `${answer('Transfer-Encoding: xchunked', 'Content-Length: 2')}ok${evil}`, status: 502 },
  { name: 'a chunk whose length is no number', octets: `${answer('Transfer-Encoding: chunked')}x\r\nok\r\n0\r\n\r\n${evil}`, status: 0 },
  { name: 'a chunk that is longer than it says', octets: `${answer('Transfer-Encoding: chunked')}1\r\nok\r\n0\r\n\r\n${evil}`, status: 0 },
  { name: 'CR alone in a field', octets: `${answer('X-A: b\rX-Evil: 1', 'Content-Length: 2')}ok`, status: 502 },
  { name: 'NUL in a field', octets: `${answer('X-A: b\0X-Evil: 1', 'Content-Length: 2')}ok`, status: 502 },
  { name: 'a blank in a name', octets: `${answer('X-A X-Evil: 1', 'Content-Length: 2')}ok`, status: 502 },
  { name: 'a line without a colon', octets: `${answer('X-Evil', 'Content-Length: 2')}ok`, status: 502 },
  { name: 'a status of two digits', octets: `HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok${evil}`, status: 502 },
  { name: 'another protocol', octets: 'HELO example.org\r\n\r\n', status: 502 },
  { name: '101 that was not asked for', octets: `HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n${evil}`, status: 502 },
];

/** A server that gives the answer with the number in the path of a GET: `/hostile-3`. Others are told back: `echo GET /path`. */
export class HostileServer implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
    let text = '';
    socket.setEncoding('latin1').on('data', (more: string) => {
      text += more;
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const path = /^GET (\S+)/.exec(text)?.[1] ?? '';
        text = text.slice(end + 4);
        const number = /^\/hostile-(\d+)$/.exec(path)?.[1];
        const body = `echo GET ${path}`;
        const plain = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
        socket.write(number === undefined ? plain : hostileAnswers[Number(number)].octets, 'latin1');
      }
    });
  });

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
