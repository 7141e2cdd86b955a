/**
 * The demonstration's service: answers `GET /` with its own name, one request after the other, 100 ms each. So one instance
 * gives about 10 responses a second, and everything beyond that waits in its queue.
 *
 * `node examples/demo/greeting-server.ts --name laptop --port 8080`
 */
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';

const serviceTimeMs = 100;
/** More than any load of the demonstration keeps in flight; beyond it the server says that it is overloaded. */
const maximumQueueLength = 1000;

/** Makes the server; the caller listens and closes. */
export function createGreetingServer(name: string): Server {
  const queue: ServerResponse[] = [];
  let working = false;

  const next = (): void => {
    const response = queue.shift();
    working = response !== undefined;
    if (response === undefined) return;
    setTimeout(() => {
      response.writeHead(200, { 'Content-Type': 'text/plain' }).end(`${name}\n`);
      next();
    }, serviceTimeMs);
  };

  return createServer((request, response) => {
    request.resume();
    if (queue.length >= maximumQueueLength) {
      response.writeHead(503).end('overloaded\n');
      return;
    }
    queue.push(response);
    // A client that gave up while waiting costs no service time.
    response.once('close', () => {
      const place = queue.indexOf(response);
      if (place !== -1) queue.splice(place, 1);
    });
    if (!working) next();
  });
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { name: { type: 'string' }, port: { type: 'string', default: '0' } } });
  if (values.name === undefined) {
    process.stderr.write('Usage: node examples/demo/greeting-server.ts --name NAME [--port PORT]\n');
    process.exit(2);
  }
  const server = createGreetingServer(values.name);
  server.listen(Number(values.port), '127.0.0.1', () => {
    process.stdout.write(`${values.name} listens on 127.0.0.1:${(server.address() as AddressInfo).port}\n`);
  });
}
