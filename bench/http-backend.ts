/**
 * The HTTP server behind every path: answers each request with the same 128 bytes and keeps the connection, unless the request says
 * `Connection: close`. It knows no more of HTTP than that, to cost as little as possible beside the routers under test:
 * on the 2-core machine this was written on it gave 97,000 requests per second at 16 connections where HAProxy's
 * `http-request return` gave 84,000.
 *
 * `node bench/http-backend.ts PORT`
 */
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { openPath } from './http-paths.ts';

const body = 'x'.repeat(128);
const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n`;
const keepResponse = Buffer.from(`${head}\r\n${body}`);
const closeResponse = Buffer.from(`${head}Connection: close\r\n\r\n${body}`);
const openResponse = Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
const endOfRequest = Buffer.from('\r\n\r\n');
/** Where the path begins in a request of GET. */
const openPathAt = 4;
/** A request longer than this is not from the benchmark. */
const maximumRequestBytes = 16 * 1024;

function serve(socket: Socket): void {
  let pending: Buffer = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    let bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (let end = bytes.indexOf(endOfRequest); end !== -1; end = bytes.indexOf(endOfRequest)) {
      if (bytes.subarray(0, end).includes('Connection: close')) {
        socket.end(closeResponse);
        return;
      }
      socket.write(bytes.indexOf(openPath) === openPathAt ? openResponse : keepResponse);
      bytes = bytes.subarray(end + endOfRequest.length);
    }
    if (bytes.length > maximumRequestBytes) socket.destroy();
    pending = bytes;
  });
}

createServer({ noDelay: true }, serve).listen(Number(process.argv[2]), '127.0.0.1', 1024);
