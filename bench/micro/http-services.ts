/**
 * Requests per second of processor time through two routers in one process, in virtual time: `node bench/micro/http-services.ts
 * [--requests 40000] [--connections 64] [--only tcp|http]`. The same client and server once over a TCP service and once over an HTTP service;
 * no kernel, no TLS: what the layers without I/O cost.
 */
import { parseArgs } from 'node:util';
import { HttpRouter, reply } from '../../test/http/http-sockets.ts';
import { VirtualNetwork } from '../../src/sim/virtual-network.ts';
import type { Application } from '../../src/sim/virtual-socket.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '40000' },
    connections: { type: 'string', default: '64' },
    only: { type: 'string', default: '' },
    body: { type: 'string', default: '100' },
  },
});
const total = Number(values.requests);
const connections = Number(values.connections);
const encoder = new TextEncoder();
const request = encoder.encode('GET /items?page=2 HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n');
const answer = reply('x'.repeat(Number(values.body)));

function serve(application: Application): void {
  application.keepChunks = false;
  application.onData = () => application.write(answer);
}

/** Each client sends its next request when the answer to the one before has come. */
function run(kind: 'tcp' | 'http', count: number): number {
  const network = new VirtualNetwork(1);
  const first = new HttpRouter(network, 'a');
  const last = new HttpRouter(network, 'b');
  network.link(first.router, last.router);
  let left = count;
  let done = 0;
  const drive = (application: Application): void => {
    application.keepChunks = false;
    let received = 0;
    let expected = 0;
    application.onData = (bytes) => {
      received += bytes.length;
      // The first answer tells how long they are: here and now all are equal.
      if (expected === 0) expected = received;
      if (received < expected) return;
      received -= expected;
      done++;
      if (left-- > 0) application.write(request);
    };
    application.write(request);
  };
  if (kind === 'tcp') {
    last.router.serve('service', serve);
    const listener = first.router.listener('service');
    network.runUntil(() => first.router.control.forwarder.reachable('service'), 3000);
    for (let index = 0; index < connections; index++) first.router.connect(listener, drive);
  } else {
    last.serveSockets('one', serve);
    const port = first.listenSockets('service');
    network.runUntil(() => first.router.control.forwarder.reachable('service'), 3000);
    network.run(100);
    for (let index = 0; index < connections; index++) first.connectTo(port, drive);
  }
  const before = process.cpuUsage();
  network.runUntil(() => done >= count, 1e9);
  const { user, system } = process.cpuUsage(before);
  return (done / (user + system)) * 1e6;
}

const kinds = values.only === 'tcp' || values.only === 'http' ? ([values.only] as const) : (['tcp', 'http'] as const);
const rates: Record<string, number[]> = { tcp: [], http: [] };
for (let round = 0; round < 4; round++) for (const kind of kinds) rates[kind]?.push(run(kind, total));
for (const kind of kinds) {
  const measured = rates[kind] ?? [];
  process.stdout.write(`${kind}: ${measured.map((rate) => rate.toFixed(0)).join(' ')} requests per second of processor time\n`);
}
if (kinds.length === 2) {
  const best = (kind: string): number => Math.max(...(rates[kind] ?? []));
  process.stdout.write(`ratio ${(best('http') / best('tcp')).toFixed(2)}\n`);
}
