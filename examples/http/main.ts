/**
 * HTTP services: requests balanced one by one, priorities with overflow, requests that are sent again, a server that is left out because it
 * fails, and what the network says when it has to answer itself. See README.md in this folder.
 *
 * `node examples/http/main.ts [--check]`
 */
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { freePort } from '../demo/free-port.ts';
import { TwoSites } from '../two-sites.ts';

const host = '127.0.0.1';
const isCheck = process.argv.includes('--check');
/** Ctrl-C ends the example in order: sites are processes of their own. */
const interrupted = Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)));
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** Counts of answers, each with the status, the body's first line, and the network's own word. */
type Tally = Record<string, number>;

const servers: Server[] = [];

async function serve(answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  servers.push(server);
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A server that says its name after a while. */
function named(name: string, delayMs: number): RequestListener {
  return (_request, response) => void setTimeout(() => response.end(`${name}\n`), delayMs);
}

/** Sends `total` requests, `atOnce` at a time over as many kept connections. */
async function ask(port: number, total: number, atOnce: number, method = 'GET'): Promise<Tally> {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const tally: Tally = {};
  let left = total;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const request = httpRequest({ host, port, method, agent });
      request.end();
      const [answer] = (await once(request, 'response')) as [IncomingMessage];
      let body = '';
      for await (const piece of answer.setEncoding('utf8')) body += String(piece);
      const error = answer.headers['caravan-error'];
      const what = error === undefined ? `${answer.statusCode} ${body.trim()}` : `${answer.statusCode} caravan-error: ${String(error)}`;
      tally[what] = (tally[what] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
  agent.destroy();
  return tally;
}

let failed = false;

function show(title: string, tally: Tally, isExpected: boolean): void {
  print(`\n${isExpected ? 'as expected' : 'NOT AS EXPECTED'}  ${title}`);
  for (const [what, count] of Object.entries(tally)) print(`  ${String(count).padStart(3)} × ${what}`);
  failed ||= !isExpected;
}

function listener(name: string, port: number, settings = ''): string {
  return `---
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata: { name: ${name} }
spec: { routingKey: ${name}, host: ${host}, port: ${port}, type: http${settings} }
`;
}

function connector(name: string, routingKey: string, port: number, settings = ''): string {
  return `---
apiVersion: skupper.io/v2alpha1
kind: Connector
metadata: { name: ${name} }
spec: { routingKey: ${routingKey}, host: ${host}, port: ${port}, type: http${settings} }
`;
}

async function run(sites: TwoSites): Promise<void> {
  const [shop, orders, search, broken] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const breakOff: RequestListener = (request, response) => {
    if (request.url === '/' && request.method === 'GET' && request.headers['user-agent'] !== undefined) response.end('warm\n');
    else request.socket.destroy();
  };
  await sites.apply(
    'far',
    connector('shop-a', 'shop', await serve(named('a', 5))) +
      connector('shop-b', 'shop', await serve(named('b', 5))) +
      connector('orders-main', 'orders', await serve(named('main', 20)), ', settings: { priority: "0", overflow: "4" }') +
      connector('orders-spare', 'orders', await serve(named('spare', 20)), ', settings: { priority: "1" }') +
      connector('search-good', 'search', await serve(named('good', 2))) +
      connector('search-bad', 'search', await serve(breakOff)) +
      connector('broken', 'broken', await serve(breakOff)),
  );
  await sites.apply(
    'near',
    listener('shop', shop) +
      listener('orders', orders) +
      listener('search', search, ', settings: { balancing: round-robin }') +
      listener('broken', broken),
  );
  for (const port of [shop, orders, search, broken]) await sites.answering(port);

  const one = await ask(shop, 40, 1);
  show('one connection, 40 requests: each goes to a server of its own', one, (one['200 a'] ?? 0) >= 15 && (one['200 b'] ?? 0) >= 15);

  const light = await ask(orders, 20, 2);
  show('2 at once: the first choice takes them all', light, light['200 main'] === 20);
  const heavy = await ask(orders, 60, 12);
  show('12 at once: past 4 the spare helps', heavy, (heavy['200 main'] ?? 0) > 0 && (heavy['200 spare'] ?? 0) > 0);

  const gets = await ask(search, 40, 1);
  show('one of two servers breaks connections: a GET is sent again, to the other', gets, gets['200 good'] === 40);
  const posts = await ask(search, 40, 1, 'POST');
  show(
    'by now the bad one is left out, so that a POST, which must not be repeated, succeeds as well',
    posts,
    (posts['200 good'] ?? 0) >= 38,
  );

  const lost = await ask(broken, 1, 1, 'POST');
  const isTold = Object.keys(lost).every((what) =>
    what.startsWith('502 caravan-error: server-failed; site="near"; service="broken"; reason="'),
  );
  show('nothing else is left: the network says where and why', lost, isTold);

  if (isCheck) return;
  print(`\nUntil Ctrl-C: curl -i http://${host}:${shop}/ (shop), ${orders} (orders), ${search} (search), -X POST ${broken} (broken)`);
  await interrupted;
}

try {
  await using sites = await TwoSites.start(print);
  await run(sites);
} finally {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
}
process.exitCode = failed ? 1 : 0;
