/**
 * What runs in the pods: `serve ADDRESS` sends back all that comes by TCP and UDP; the others speak with it and write one line of JSON.
 *
 *   verify ADDRESS BYTES          random octets come back as they were, by UDP in a short and in the longest datagram, and BYTES by TCP
 *   round-trips ADDRESS SECONDS   TCP: one request after the other on one connection
 *   datagrams ADDRESS             UDP: one request for each line of stdin, one line of JSON for each answer
 */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { podMtu } from './sizes.ts';
import { percentile } from '../statistics.ts';

const port = 7000;
const requestBytes = 64;
/** Not cut into fragments: the MTU without the headers of IPv4 and UDP. */
const longestDatagramBytes: number = podMtu - 28;
const timeoutMs = 5000;
const microsecondsPerMs = 1000;
/** The first ones are compiled while they run. */
const warmUpRequests = 500;
const maximumRequests = 4_000_000;

async function serve(address: string): Promise<void> {
  const tcp = createServer({ noDelay: true }, (socket) => pipeline(socket, socket, () => undefined));
  tcp.listen(port, address);
  await once(tcp, 'listening');
  const udp = createSocket('udp4');
  udp.on('message', (message, from) => udp.send(message, from.port, from.address));
  udp.bind(port, address);
  await once(udp, 'listening');
  process.stdout.write('ready\n');
}

async function open(address: string): Promise<Socket> {
  const socket = connect({ host: address, port, noDelay: true, signal: AbortSignal.timeout(timeoutMs) });
  await once(socket, 'connect');
  return socket;
}

async function verify(address: string, bytes: number): Promise<void> {
  const datagram = createSocket('udp4');
  for (const length of [requestBytes, longestDatagramBytes]) {
    const sent = randomBytes(length);
    const answer = once(datagram, 'message', { signal: AbortSignal.timeout(timeoutMs) });
    datagram.send(sent, port, address);
    const [message] = (await answer.catch(() => [])) as [Buffer | undefined];
    if (message?.equals(sent) !== true)
      throw new Error(`a datagram of ${length} octets ${message === undefined ? 'got no answer' : 'came back changed'}`);
  }
  datagram.close();
  const socket = await open(address);
  const data = randomBytes(bytes);
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`nothing came for ${timeoutMs} ms`)));
  socket.end(data);
  let received = 0;
  for await (const part of socket as AsyncIterable<Buffer>) {
    if (!part.equals(data.subarray(received, received + part.length))) throw new Error(`octets after ${received} came back changed`);
    received += part.length;
  }
  if (received !== bytes) throw new Error(`${received} of ${bytes} octets came back`);
  process.stdout.write(`${JSON.stringify({ bytes })}\n`);
}

async function roundTrips(address: string, seconds: number): Promise<void> {
  const socket = await open(address);
  const request = Buffer.alloc(requestBytes, 'x');
  const times: number[] = [];
  let missing = requestBytes;
  let count = 0;
  let began = 0;
  let endMs = Infinity;
  const ended = Promise.withResolvers<void>();
  const ask = (): void => {
    began = performance.now();
    socket.write(request);
  };
  socket.once('error', ended.reject);
  socket.once('close', () => ended.reject(new Error('the connection was closed')));
  socket.on('data', (part) => {
    missing -= part.length;
    if (missing > 0) return;
    missing = requestBytes;
    const now = performance.now();
    count += 1;
    if (count === warmUpRequests) endMs = now + seconds * 1000;
    if (count > warmUpRequests) times.push((now - began) * microsecondsPerMs);
    if (now >= endMs || times.length === maximumRequests) ended.resolve();
    else ask();
  });
  const startMs = performance.now();
  ask();
  const timer = sleep(seconds * 1000 + timeoutMs, 'late', { ref: false });
  if ((await Promise.race([ended.promise, timer])) === 'late') throw new Error(`no answer after ${times.length} requests`);
  const elapsedMs = performance.now() - startMs;
  socket.destroy();
  const sorted = Float64Array.from(times).sort();
  const result = { perSecond: (count * 1000) / elapsedMs, p50: percentile(sorted, 50), p99: percentile(sorted, 99), requests: count };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

async function datagrams(address: string): Promise<void> {
  const socket = createSocket('udp4');
  const request = Buffer.alloc(requestBytes, 'x');
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === '') break;
    const began = performance.now();
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(timeoutMs) });
    socket.send(request, port, address);
    await answer;
    process.stdout.write(`${JSON.stringify({ microseconds: (performance.now() - began) * microsecondsPerMs })}\n`);
  }
  socket.close();
}

async function run(mode: string, address: string, amount: number): Promise<void> {
  if (mode === 'serve') await serve(address);
  else if (mode === 'verify') await verify(address, amount);
  else if (mode === 'round-trips') await roundTrips(address, amount);
  else await datagrams(address);
}

const [mode, address, amount] = process.argv.slice(2) as [string, string, string];
try {
  await run(mode, address, Number(amount));
} catch (error) {
  // Whoever started it shows this line.
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
