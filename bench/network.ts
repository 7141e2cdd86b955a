import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A path through two routers that just started: skupper-routers need up to 8 s until the address has propagated. */
const readyTimeoutMs = 30_000;
const attemptTimeoutMs = 1000;
const attemptIntervalMs = 100;

/** `count` different TCP ports of 127.0.0.1 that nobody listens on. They are held together first, so that none comes twice. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<Server>((resolve, reject) => {
          const server = createServer();
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** True when an HTTP request to the port is answered with status 200 within a second. */
async function answers(port: number): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const done = (result: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => done(false), attemptTimeoutMs);
    socket.once('connect', () => socket.write('GET / HTTP/1.1\r\nHost: bench\r\n\r\n'));
    socket.once('data', (bytes) => done(bytes.toString('latin1').startsWith('HTTP/1.1 200')));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}

/** True when a request of HTTP/2 without TLS is answered with status 200 within a second. */
async function answersHttp2(port: number): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const done = (result: boolean): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => done(false), attemptTimeoutMs);
    session.once('error', () => done(false));
    session.once('close', () => done(false));
    const stream = session.request({ ':path': '/' });
    stream.once('response', (headers) => done(headers[':status'] === 200));
    stream.once('error', () => done(false));
    stream.end();
  });
}

/** Waits until a request to the port comes back answered, that is until the whole path works. Throws after 30 s. */
export async function waitUntilAnswering(port: number, signal: AbortSignal, alive: () => boolean): Promise<void> {
  await waitUntil(async () => await answers(port), port, signal, alive);
}

/** The same with HTTP/2. */
export async function waitUntilHttp2(port: number, signal: AbortSignal, alive: () => boolean): Promise<void> {
  await waitUntil(async () => await answersHttp2(port), port, signal, alive);
}

async function waitUntil(answering: () => Promise<boolean>, port: number, signal: AbortSignal, alive: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + readyTimeoutMs;
  while (!(await answering())) {
    signal.throwIfAborted();
    if (!alive()) throw new Error('a process of the path ended while the path was being set up');
    if (Date.now() > deadlineMs) throw new Error(`no answer on 127.0.0.1:${port} within ${readyTimeoutMs / 1000} s`);
    await sleep(attemptIntervalMs, undefined, { signal });
  }
}
