import assert from 'node:assert/strict';
import { copyFile, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, describe, test } from 'node:test';
import { Passwords } from '../../src/observer/web-passwords.ts';
import type { WebServerOptions } from '../../src/observer/web-server.ts';
import { emptySnapshot, plainPages, TestConsole } from '../page/test-console.ts';
import { ask, cookieOf, eventsRequest, exchange, logIn, logInByLink, ofOwnPage } from '../page/web-client.ts';
import type { Reply } from '../page/web-client.ts';
import { Authority } from './certificates.ts';
import { until } from './until.ts';

/** Floods, slow clients and what takes its time. Names of cases as in console-security.test.ts. */

const pages = await plainPages();
after(() => rm(pages, { recursive: true, force: true }));

function openConsole(options: Partial<WebServerOptions> = {}): Promise<TestConsole> {
  return TestConsole.open(emptySnapshot, { consoleFolder: pages, ...options });
}

describe('overload', () => {
  test('V15.2.2: requests beyond 64 at a time get 429, and are answered again afterwards', async () => {
    await using console = await openConsole();
    const { port } = console;
    const own = ofOwnPage(port, await logInByLink(console));
    const gate = Promise.withResolvers<undefined>();
    console.observer.gate = gate.promise;
    const flood = Array.from({ length: 100 }, () => ask(port, '/api/v1/network', { headers: own }));
    await until('64 wait', () => console.observer.asked.length === 64);
    const refused: Reply[] = [];
    for (const reply of flood) void reply.then((early) => refused.push(early));
    await until('the others are refused', () => refused.length === 36);
    gate.resolve(undefined);
    for (const early of refused.slice(0, 36)) assert.deepEqual([early.status, early.headers['retry-after']], [429, '1']);
    const statuses = (await Promise.all(flood)).map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, 64);
    assert.equal((await ask(port, '/api/v1/network', { headers: own })).status, 200);
  });

  test('V15.2.2: connections beyond 256 are closed, and the console answers when some have gone', async () => {
    await using console = await openConsole();
    const sockets = Array.from({ length: 300 }, () => connect(console.port, '127.0.0.1').on('error', () => undefined));
    let closed = 0;
    for (const socket of sockets) socket.once('close', () => closed++).resume();
    await until('those beyond are closed', () => closed >= 44);
    assert.ok(closed < 60, `${closed} were closed`);
    for (const socket of sockets) socket.destroy();
    await until('it answers', async () => (await ask(console.port, '/').catch(() => undefined))?.status === 200);
  });

  test('V15.2.2: event streams beyond 32 get 429, and one that ends makes room', async () => {
    await using console = await openConsole();
    const { port } = console;
    const headers = { cookie: await logInByLink(console), host: `127.0.0.1:${port}` };
    const open = Array.from({ length: 32 }, () =>
      request({ host: '127.0.0.1', port, path: '/api/v1/events', headers, agent: false }).end(),
    );
    for (const stream of open)
      stream.on('error', () => undefined).on('response', (response) => response.resume().on('error', () => undefined));
    await until('all are open', () => console.observer.readerCount === 32);
    assert.equal((await ask(port, '/api/v1/events', { headers })).status, 429);
    open[0]?.destroy();
    await until('one has ended', () => console.observer.readerCount === 31);
    const stream = await exchange(port, eventsRequest(port, headers.cookie), (text) => text.includes('event: network'));
    assert.match(stream, /^HTTP\/1.1 200/);
    for (const one of open) one.destroy();
  });
});

describe('slow clients and slow changes', { concurrency: true }, () => {
  test('V7.4.2: an event stream ends by itself when its user is removed, and others go on', { timeout: 60_000 }, async () => {
    await using console = await openConsole();
    const passwords = new Passwords(console.folder, () => performance.now());
    await passwords.set('ada', 'correct horse 1');
    await passwords.set('grace', 'correct horse 2');
    const streamOf = async (user: string, password: string): Promise<string> => {
      const cookie = cookieOf(await logIn(console.port, { user, password }));
      return exchange(console.port, eventsRequest(console.port, cookie), (text) => text.split(': still here').length > 3);
    };
    const [ada, grace] = [streamOf('ada', 'correct horse 1'), streamOf('grace', 'correct horse 2')];
    await until('both are open', () => console.observer.readerCount === 2);
    await passwords.remove('ada');
    assert.match(await ada, /session-over/);
    assert.doesNotMatch(await grace, /session-over/);
  });

  test('V7.3.1: an event stream that is read keeps the session, and the connection', { timeout: 60_000 }, async () => {
    await using console = await openConsole();
    const cookie = await logInByLink(console);
    const stream = exchange(console.port, eventsRequest(console.port, cookie), (text) => text.split(': still here').length > 2);
    await until('the stream is open', () => console.observer.readerCount === 1);
    console.clock.advance(29 * 60_000);
    assert.match(await stream, /: still here[^]*: still here/);
    console.clock.advance(29 * 60_000);
    assert.equal((await ask(console.port, '/api/v1/session', { headers: ofOwnPage(console.port, cookie) })).status, 200);
  });

  test('a certificate that was renewed is used without a restart', { timeout: 60_000 }, async () => {
    await using authority = await Authority.make();
    await using other = await Authority.make();
    const tls = await authority.issue('console-site-1');
    const ca = await readFile(other.rootFile, 'utf8');
    await using console = await openConsole({ tls });
    await assert.rejects(ask(console.port, '/', { ca }));
    const renewed = await other.issue('console-site-1');
    await copyFile(renewed.keyFile, tls.keyFile);
    await copyFile(renewed.certificateFile, tls.certificateFile);
    await until('the new one is used', async () => (await ask(console.port, '/', { ca }).catch(() => undefined))?.status === 200, 40_000);
  });

  test('V15.2.2, slow clients: a head or a body that does not come ends the connection', { timeout: 60_000 }, async () => {
    await using console = await openConsole();
    const { port } = console;
    const own = Object.entries(ofOwnPage(port)).map(([name, value]) => `${name}: ${value}\r\n`);
    const answers = await Promise.all([
      slowExchange(port, 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: '),
      slowExchange(port, `POST /api/v1/login HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${own.join('')}Content-Length: 4000\r\n\r\n{`),
      slowExchange(port, ''),
    ]);
    for (const answer of answers) assert.doesNotMatch(answer, /^HTTP\/1.1 2/);
    assert.match(answers[0] ?? '', /^HTTP\/1.1 408/);
  });

  test(
    'V15.2.2: a reader of events that does not read loses events, then its connection, and holds little memory',
    { timeout: 90_000 },
    async () => {
      await using console = await openConsole();
      const cookie = await logInByLink(console);
      const socket = connect(console.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(eventsRequest(console.port, cookie));
      await until('the stream is open', () => console.observer.readerCount === 1);
      socket.pause();
      const event = { name: 'request', json: JSON.stringify({ path: 'x'.repeat(60_000) }) } as const;
      const beforeBytes = process.memoryUsage().arrayBuffers;
      for (let count = 0; count < 1000; count++) {
        console.observer.tell({ ...event });
        if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      const heldBytes = process.memoryUsage().arrayBuffers - beforeBytes;
      assert.ok(heldBytes < 30_000_000, `${heldBytes} octets are held of 60,000,000`);
      console.clock.advance(21_000);
      await until('it is cut', () => console.observer.readerCount === 0, 40_000);
      socket.destroy();
    },
  );
});

/** Sends a beginning, then an octet now and then, and gives what came back until the connection ended. */
function slowExchange(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    const drip = setInterval(() => (text === '' ? undefined : socket.write('x')), 500);
    socket.on('error', () => undefined).on('data', (part: Buffer) => (answer += part.toString('latin1')));
    socket.once('close', () => {
      clearInterval(drip);
      resolve(answer);
    });
    socket.write(text);
  });
}
