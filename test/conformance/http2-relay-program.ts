/** A relay in a process of its own, so that its memory can be looked at: `node http2-relay-program.ts`; ends with its standard input. */
import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Relay } from './http2-relay.ts';

const large = Buffer.alloc(1_048_576, 'l');
// Answers that wait are the server's own affair, in megabytes.
const maxSessionMemory = 1_000;
const server = createServer({ maxSessionMemory }, (request, response) => {
  request.resume();
  response.end(request.url === '/large' ? large : 'hello');
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const relay = new Relay((server.address() as AddressInfo).port, { idleTimeoutMs: 3_000 });
await relay.start();
console.log(`port ${relay.port}`);
process.stdin.on('data', () => {
  console.log(JSON.stringify({ connections: relay.listener.active, requests: relay.listener.requests }));
});
process.stdin.on('end', () => process.exit(0));
