import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const piece = Buffer.alloc(65_536, 'b');
/** Larger than all buffers on the way. */
const largeBytes = 268_435_456;

function* pieces(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= piece.length) yield piece.subarray(0, Math.min(piece.length, left));
}

async function send(response: ServerResponse, bytes: number): Promise<void> {
  response.writeHead(200, { 'content-length': bytes });
  await pipeline(Readable.from(pieces(bytes), { highWaterMark: 4 }), response);
}

async function receive(request: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of request) bytes += (chunk as Buffer).length;
  return bytes;
}

/**
 * Server of HTTP/1.1: `/` says hello behind the body, `/large` and `/bytes/COUNT` give so many octets, `/count` says how many it got, `/deaf`
 * reads nothing.
 */
export class BulkServer implements AsyncDisposable {
  readonly #server = createServer((request, response) => {
    request.on('error', () => {});
    response.on('error', () => {});
    void this.#answer(request, response).catch(() => response.destroy());
  });

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = '' } = request;
    if (url === '/deaf') return;
    if (url === '/large') await send(response, largeBytes);
    else if (url.startsWith('/bytes/')) await send(response, Number(url.slice('/bytes/'.length)));
    else {
      const bytes = await receive(request);
      response.end(url === '/count' ? String(bytes) : 'hello');
    }
  }

  async start(): Promise<this> {
    this.#server.requestTimeout = 0;
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
