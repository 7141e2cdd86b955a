import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { Authority } from './certificates.ts';
import type { Credentials } from './certificates.ts';
import { routerId, tcpConnector, tcpListener } from './network.ts';
import { freePort } from './ports.ts';
import { RouterProcess } from './router-process.ts';
import type { Entity } from './router-process.ts';
import { TcpServer, answering, dial } from './tcp-peer.ts';

const host = '127.0.0.1';
/** The handshake deadline is 5 s; the rest is for a busy machine. */
const silenceMs = 8000;
const dayMs = 86_400_000;

const saslHeader = Buffer.from('AMQP\x03\x01\x00\x00', 'latin1');
const amqpHeader = Buffer.from('AMQP\x00\x01\x00\x00', 'latin1');

/** A frame around a body: size, data offset 2, type, channel 0. */
function frame(type: number, body: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 + body.length);
  bytes.writeUInt32BE(bytes.length);
  bytes[4] = 2;
  bytes[5] = type;
  bytes.set(body, 8);
  return bytes;
}

const text = (value: string): number[] => [...Buffer.from(value)];
/** sasl-init ANONYMOUS. */
const saslInit = frame(1, [0, 0x53, 0x41, 0xc0, 12, 1, 0xa3, 9, ...text('ANONYMOUS')]);
/** OPEN with the container id `stranger`. */
const open = frame(0, [0, 0x53, 0x10, 0xc0, 11, 1, 0xa1, 8, ...text('stranger')]);

/** What came on a socket until it was closed, and when that was. */
interface Conversation {
  readonly answer: string;
  readonly afterMs: number;
}

/** Connects, does `talk`, and waits until the router has closed the connection. */
async function converse(port: number, talk: (socket: Socket) => void, timeoutMs = silenceMs): Promise<Conversation> {
  const socket = connect({ host, port, noDelay: true });
  let answer = '';
  socket.setEncoding('latin1').on('data', (more: string) => (answer += more));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const startMs = performance.now();
  talk(socket);
  const timer = setTimeout(() => socket.destroy(new Error('not closed')), timeoutMs);
  await once(socket, 'close');
  clearTimeout(timer);
  const afterMs = performance.now() - startMs;
  assert.ok(afterMs < timeoutMs - 50, `the router closes the connection; it stood for ${Math.round(afterMs)} ms`);
  return { answer, afterMs };
}

function linkListener(port: number, extra: Record<string, string | boolean> = {}): Entity {
  return ['listener', { name: 'links', role: 'inter-router', host, port, ...extra }];
}

function linkConnector(port: number, extra: Record<string, string | boolean> = {}): Entity {
  return ['connector', { name: 'up', role: 'inter-router', host, port, ...extra }];
}

describe('a link port without TLS', { timeout: 58_000 }, () => {
  test('garbage, HTTP, wrong frames and frames that are too large end the connection; silence and slowness after 5 s', async () => {
    const port = await freePort();
    await using router = await RouterProcess.start({ id: routerId('public'), entities: [linkListener(port)] });
    const later = Promise.all([
      converse(port, () => undefined),
      // One octet a second: the deadline is for the whole handshake, not for the next octet.
      converse(port, (socket) => {
        let sent = 0;
        const timer = setInterval(() => {
          if (socket.destroyed || sent === saslHeader.length) clearInterval(timer);
          else socket.write(saslHeader.subarray(sent, ++sent));
        }, 1000);
        socket.once('close', () => clearInterval(timer));
      }),
      // Authenticated, as far as that goes here, and silent then.
      converse(port, (socket) => void socket.write(Buffer.concat([saslHeader, saslInit, amqpHeader]))),
    ]);

    const atOnceMs = 2000;
    for (let round = 0; round < 20; round++) await converse(port, (socket) => void socket.write(randomBytes(8 + round * 50)), atOnceMs);
    const http = await converse(port, (socket) => void socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), atOnceMs);
    assert.ok(http.answer.startsWith('AMQP'), 'the answer to a wrong protocol is the expected header');
    await router.logged(/did not become a link.*does not speak the expected AMQP protocol/);

    // 2 GiB announced before and after OPEN: refused from the size alone.
    const huge = Buffer.from([0x7f, 0xff, 0xff, 0xff, 2, 0, 0, 0]);
    await converse(port, (socket) => void socket.write(Buffer.concat([saslHeader, huge])), atOnceMs);
    const large = await converse(
      port,
      (socket) => void socket.write(Buffer.concat([saslHeader, saslInit, amqpHeader, open, huge])),
      atOnceMs,
    );
    assert.match(large.answer, /amqp:connection:framing-error/);
    const wrong = await converse(
      port,
      (socket) => void socket.write(Buffer.concat([saslHeader, saslInit, amqpHeader, frame(0, [0, 0x53, 0x77, 0x40])])),
      atOnceMs,
    );
    assert.match(wrong.answer, /amqp:/, 'the condition is told');

    for (const { afterMs } of await later) assert.ok(afterMs > 4000, `closed after ${Math.round(afterMs)} ms, before the deadline`);
    await router.logged(/did not become a link.*no OPEN within 5000 ms/);
    assert.ok(router.running);
  });

  test('a router gets through 300 silent connections', async () => {
    await using server = await TcpServer.greeting('hello');
    const [port, servicePort] = [await freePort(), await freePort()];
    await using router = await RouterProcess.start({
      id: routerId('public'),
      entities: [linkListener(port), tcpConnector('greeting', server.port)],
    });
    const strangers = await Promise.all(Array.from({ length: 300 }, () => dial(port)));
    try {
      await using peer = await RouterProcess.start({
        id: routerId('private'),
        entities: [linkConnector(port), tcpListener('greeting', servicePort)],
      });
      const startMs = performance.now();
      await peer.logged(/link is up/, 3000);
      console.log(`# linked ${Math.round(performance.now() - startMs)} ms after its start, beside ${strangers.length} silent connections`);
      await router.logged(/too many connections have not become links/);
      // It keeps its link when the strangers are closed at their deadline.
      await Promise.all(
        strangers.map(async (socket) => {
          if (!socket.destroyed) await Promise.race([once(socket.resume(), 'end'), once(socket, 'close')]);
        }),
      );
      assert.equal(await answering(servicePort), 'hello');
      assert.doesNotMatch(peer.log, /link is down.*private/);
    } finally {
      for (const socket of strangers) socket.destroy();
    }
  });

  test('a router that dials itself, and one with the same id, are refused and named', async () => {
    const [port, servicePort] = [await freePort(), await freePort()];
    await using server = await TcpServer.greeting('hello');
    await using router = await RouterProcess.start({
      id: routerId('public'),
      entities: [linkListener(port), linkConnector(port), tcpListener('greeting', servicePort)],
    });
    await router.logged(/the same router id as this router/);
    await using double = await RouterProcess.start({
      id: routerId('public'),
      entities: [linkConnector(port), tcpConnector('greeting', server.port)],
    });
    await double.logged(/the same router id as this router/);
    await double.logged(/link is down.*router id public-00000000 is in use/);
    assert.doesNotMatch(double.log + router.log, /neighbourUp/);
    await assert.rejects(dial(servicePort), { code: 'ECONNREFUSED' });
  });

  test('two other routers with one id are named', async () => {
    const port = await freePort();
    await using router = await RouterProcess.start({ id: routerId('public'), entities: [linkListener(port)] });
    const twin = { id: routerId('twin'), entities: [linkConnector(port)] };
    await using first = await RouterProcess.start(twin);
    await first.logged(/neighbourUp/);
    await sleep(1100); // Instances are counted in seconds.
    await using second = await RouterProcess.start(twin);
    await router.logged(/two routers of the network have the same id.*twin-00000000/);
    assert.ok(first.running && second.running);
  });

  test('SASL mechanisms that do not meet', async () => {
    const port = await freePort();
    await using router = await RouterProcess.start({
      id: routerId('public'),
      entities: [linkListener(port, { saslMechanisms: 'ANONYMOUS' })],
    });
    await using peer = await RouterProcess.start({
      id: routerId('private'),
      entities: [linkConnector(port, { saslMechanisms: 'EXTERNAL' })],
    });
    await peer.logged(/link is down.*the peer offers only the SASL mechanisms ANONYMOUS/);
    await router.logged(/did not become a link/);
    assert.doesNotMatch(router.log, /link is up/);
  });
});

// Some twenty routers are started in all, one after the other: on a busy machine each takes seconds.
describe('a link port with TLS', { timeout: 170_000 }, () => {
  test('silence, garbage and a stranger that stops after the TLS handshake', async () => {
    await using authority = await Authority.make();
    const port = await freePort();
    const id = routerId('public');
    await using router = await RouterProcess.start({
      id,
      entities: [authority.profile(await authority.issue(id)), linkListener(port, { sslProfile: 'links', authenticatePeer: true })],
    });
    const silent = converse(port, () => undefined);
    await converse(port, (socket) => void socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 2000);
    await router.logged(/TLS handshake failed/);
    const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ['amqp'] });
    socket.on('error', () => undefined);
    await once(socket, 'close');
    await router.logged(/link refused.*the peer sent no certificate/);
    assert.ok((await silent).afterMs > 4000);
  });

  test('TLS and AMQP share the five seconds', async () => {
    await using authority = await Authority.make();
    const port = await freePort();
    const id = routerId('public');
    await using router = await RouterProcess.start({
      id,
      entities: [authority.profile(await authority.issue(id)), linkListener(port, { sslProfile: 'links', authenticatePeer: true })],
    });
    const { certificateFile, keyFile } = await authority.issue(routerId('slow'));
    const [cert, key] = await Promise.all([readFile(certificateFile), readFile(keyFile)]);
    const raw = connect({ host, port });
    await once(raw, 'connect');
    const startMs = performance.now();
    await sleep(3500);
    const socket = connectTls({ socket: raw, rejectUnauthorized: false, ALPNProtocols: ['amqp'], cert, key });
    socket.on('error', () => undefined);
    socket.resume();
    await once(socket, 'close');
    const afterMs = performance.now() - startMs;
    assert.ok(afterMs > 4500 && afterMs < 7500, `closed after ${Math.round(afterMs)} ms, not after 3.5 s and another 5 s`);
    await router.logged(/did not become a link.*no OPEN within/);
  });

  /** Credentials that do not belong, and what the refusing side's log says. */
  interface BadCase {
    readonly name: string;
    readonly credentials: (good: Authority, other: Authority, id: string) => Promise<Credentials | undefined>;
    readonly log: RegExp;
    /** A server cannot do without a certificate. */
    readonly dialsOnly?: true;
  }

  const badCases: readonly BadCase[] = [
    { name: 'of another authority', credentials: async (_, other, id) => await other.issue(id), log: /not issued in this network/ },
    {
      name: 'expired',
      credentials: async (good, _, id) => await good.issue(id, { startMs: Date.now() - 2 * dayMs }),
      log: /certificate of the peer has ended, or the clocks/,
    },
    {
      name: 'not yet valid',
      credentials: async (good, _, id) => await good.issue(id, { startMs: Date.now() + 2 * dayMs }),
      log: /certificate of the peer is not valid yet: compare the clocks/,
    },
    {
      name: 'self-signed',
      credentials: async (_, other) => await Promise.resolve(other.selfSigned),
      log: /not issued in this network|not made for TLS/,
    },
    { name: 'none', credentials: async () => await Promise.resolve(undefined), log: /the peer sent no certificate/, dialsOnly: true },
    {
      name: 'of another router',
      credentials: async (good, _, id) => await good.issue(routerId('other'), { fileName: `of-another-${id}` }),
      log: /claims another router id than its certificate.*proven="other-00000000"/,
    },
    {
      name: 'that names another network',
      credentials: async (good, other, id) => await good.issue(id, { networkId: other.networkId }),
      log: /the peer is of network/,
    },
  ];

  test('certificates that do not belong: the refusing side says why, and nothing is routed', async () => {
    await using good = await Authority.make();
    await using other = await Authority.make();
    await using server = await TcpServer.greeting('hello');
    const tls = { sslProfile: 'links', saslMechanisms: 'EXTERNAL' };
    const [publicPort, goodPort] = [await freePort(), await freePort()];
    const id = routerId('public');
    await using router = await RouterProcess.start({
      id,
      entities: [
        good.profile(await good.issue(id)),
        linkListener(publicPort, { ...tls, authenticatePeer: true }),
        tcpConnector('greeting', server.port),
      ],
    });

    for (const [index, bad] of badCases.entries()) {
      const badId = routerId(`bad${index}`);
      const credentials = await bad.credentials(good, other, badId);
      const [servicePort, badPort] = [await freePort(), await freePort()];
      const from = router.log.length;
      // The bad one dials the good one, and (with a certificate) is dialled by another good one.
      await using dialling = await RouterProcess.start({
        id: badId,
        entities: [
          good.profile(credentials),
          linkConnector(publicPort, tls),
          tcpListener('greeting', servicePort),
          ...(bad.dialsOnly === true ? [] : [linkListener(badPort, { ...tls, authenticatePeer: true })]),
        ],
      });
      await router.logged(bad.log, 5000, from);
      if (bad.dialsOnly !== true) {
        const dialledBy = routerId(`dials${index}`);
        await using dialler = await RouterProcess.start({
          id: dialledBy,
          entities: [good.profile(await good.issue(dialledBy)), linkConnector(badPort, tls)],
        });
        await dialler.logged(bad.log, 5000);
        assert.doesNotMatch(dialler.log, /link is up|neighbourUp/, bad.name);
      }
      assert.doesNotMatch(router.log.slice(from), /link is up|neighbourUp/, bad.name);
      await assert.rejects(dial(servicePort), { code: 'ECONNREFUSED' }, `a certificate ${bad.name} gives access to nothing`);
      assert.ok(dialling.running);
    }

    // The same with a good certificate works: it was the certificates that were refused above.
    const goodId = routerId('good');
    await using _peer = await RouterProcess.start({
      id: goodId,
      entities: [good.profile(await good.issue(goodId)), linkConnector(publicPort, tls), tcpListener('greeting', goodPort)],
    });
    assert.equal(await answering(goodPort), 'hello');
  });
});
