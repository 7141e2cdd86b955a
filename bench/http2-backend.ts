/**
 * The HTTP/2 server behind every path, without TLS: answers each request with the same 128 bytes, and each gRPC call with one message of
 * 128 bytes and status 0.
 *
 * `node bench/http2-backend.ts PORT`
 */
import { createServer } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';

const bodyBytes = 128;
const body = Buffer.alloc(bodyBytes, 'x');
/** One message of gRPC: not compressed, u32 length, octets. */
const message = Buffer.concat([Buffer.of(0, 0, 0, 0, bodyBytes), body]);
const head = { ':status': 200, 'content-type': 'text/plain', 'content-length': bodyBytes };
const grpcHead = { ':status': 200, 'content-type': 'application/grpc' };
/** Streams that a client may have at a time. */
const maxConcurrentStreams = 1024;

const server = createServer({ settings: { maxConcurrentStreams } });
server.on('stream', (stream: ServerHttp2Stream, headers) => {
  stream.on('error', () => {});
  if (headers['content-type'] !== 'application/grpc') {
    stream.respond(head);
    stream.end(body);
    return;
  }
  stream.resume();
  stream.respond(grpcHead, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(message);
});
server.on('sessionError', () => {});
server.listen(Number(process.argv[2]), '127.0.0.1', 1024);
