import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Network, line, tcpConnector, tcpListener } from './network.ts';
import { freePort } from './ports.ts';
import { RecordedSocket, pattern } from './recorded-socket.ts';
import { TcpServer, answering, dial } from './tcp-peer.ts';

/**
 * The sixteen ways a connection ends, of four questions:
 *
 *     who ends first      client | server
 *     how                 FIN | RST
 *     what it sent        all of it has arrived | 1 MiB is still on the way
 *     the other side      is silent | sends as well (after a FIN: 300 kB more; at an RST: all the time)
 */
const cases = ['client', 'server'].flatMap((first) =>
  ['FIN', 'RST'].flatMap((how) =>
    [false, true].flatMap((pending) => [false, true].map((otherSends) => ({ first, how, pending, otherSends }))),
  ),
);
const smallBytes = 10_000;
const pendingBytes = 1_048_576;
const replyBytes = 300_000;
/** Links between the client's router and the server's; 0 = the same router. */
const distances = [0, 1, 2, 3];
const names = ['a', 'b', 'c', 'd'];
const waitMs = 10_000;

describe('connections end as their ends ended them', { timeout: 58_000 }, () => {
  let network: Network;
  let server: TcpServer;
  const ports: number[] = [];
  /** What the server does with its next connection. */
  let accepted: (socket: Socket) => void = (socket) => void socket.pipe(socket);

  before(async () => {
    server = await TcpServer.start((socket) => accepted(socket));
    for (const _ of distances) ports.push(await freePort());
    network = await Network.start({
      links: line(names),
      entities: Object.fromEntries(
        names.map((name, distance) => [
          name,
          [
            tcpConnector(`service${distance}`, server.port),
            ...(distance === 0 ? distances.map((index) => tcpListener(`service${index}`, ports[index])) : []),
          ],
        ]),
      ),
    });
    await Promise.all(ports.map((port) => answering(port)));
  });

  after(async () => {
    await network[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  /** A connection with both ends recorded. */
  async function connected(port: number): Promise<{ client: RecordedSocket; server: RecordedSocket }> {
    const atServer = new Promise<RecordedSocket>((resolve) => {
      accepted = (socket) => resolve(new RecordedSocket(socket));
    });
    const client = new RecordedSocket(await dial(port));
    return { client, server: await atServer };
  }

  async function received(end: RecordedSocket, bytes: number): Promise<void> {
    await within(`${bytes} octets arrive`, end.received(bytes));
  }

  async function within<T>(what: string, promise: Promise<T>): Promise<T> {
    const timer = new AbortController();
    const late = sleep(waitMs, undefined, { signal: timer.signal }).then(() => {
      throw new Error(`not within ${waitMs} ms: ${what}`);
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([promise, late]);
    } finally {
      timer.abort();
    }
  }

  async function endOrderly(first: RecordedSocket, other: RecordedSocket, pending: boolean, otherSends: boolean): Promise<void> {
    const sent = smallBytes + (pending ? pendingBytes : 0);
    if (pending) void first.send(pendingBytes, smallBytes);
    first.socket.end();
    await within('FIN arrives', other.ended);
    assert.equal(other.receivedBytes, sent, 'everything arrives before FIN');
    assert.deepEqual(first.events, [], 'the other direction is still open');
    if (otherSends) {
      await other.send(replyBytes);
      await received(first, replyBytes);
    }
    other.socket.end();
    await within('both close', Promise.all([first.closed, other.closed]));
    assert.deepEqual(other.events, ['end']);
    assert.deepEqual(first.events, ['end'], 'FIN comes back, and no reset');
    assert.equal(first.receivedBytes, otherSends ? replyBytes : 0);
  }

  async function endAbruptly(first: RecordedSocket, other: RecordedSocket, pending: boolean, otherSends: boolean): Promise<void> {
    let sent = 0;
    const chatter = setInterval(() => {
      if (!otherSends || other.socket.destroyed || sent >= replyBytes) return;
      other.socket.write(pattern(1000, sent));
      sent += 1000;
    }, 1);
    try {
      if (otherSends) await received(first, 5000);
      if (pending) void first.socket.write(pattern(pendingBytes, smallBytes));
      first.socket.resetAndDestroy();
      await within('the reset arrives', other.closed);
    } finally {
      clearInterval(chatter);
    }
    assert.deepEqual(other.events, ['reset'], 'a reset is seen as a reset, not as an end');
    if (pending) assert.ok(other.receivedBytes >= smallBytes && other.receivedBytes <= smallBytes + pendingBytes);
    else assert.equal(other.receivedBytes, smallBytes);
    assert.deepEqual(first.events, []);
  }

  for (const distance of distances) {
    for (const { first, how, pending, otherSends } of cases) {
      const name = `${first} ends first with ${how}, ${pending ? '1 MiB on the way' : 'nothing on the way'}, other side ${otherSends ? 'sends' : 'silent'}`;
      test(`${distance} links: ${name}`, async () => {
        const ends = await connected(ports[distance]);
        const [one, other] = first === 'client' ? [ends.client, ends.server] : [ends.server, ends.client];
        await one.send(smallBytes);
        await received(other, smallBytes);
        await (how === 'FIN' ? endOrderly : endAbruptly)(one, other, pending, otherSends);
        assert.ok(one.exact && other.exact, 'every octet is the one that was sent');
      });
    }

    test(`${distance} links: connections without an octet`, async () => {
      const { client, server: atServer } = await connected(ports[distance]);
      client.socket.end();
      await within('FIN arrives', atServer.ended);
      atServer.socket.end();
      await within('both close', Promise.all([client.closed, atServer.closed]));
      assert.deepEqual([client.events, atServer.events], [['end'], ['end']]);
      assert.deepEqual([client.receivedBytes, atServer.receivedBytes], [0, 0]);
    });

    test(`${distance} links: one octet at a time, both ways`, async () => {
      const { client, server: atServer } = await connected(ports[distance]);
      for (let index = 0; index < 200; index++) {
        await client.send(1, index);
        await received(atServer, index + 1);
        await atServer.send(1, index);
        await received(client, index + 1);
      }
      client.socket.end();
      atServer.socket.end();
      await within('both close', Promise.all([client.closed, atServer.closed]));
      assert.ok(client.exact && atServer.exact);
    });

    test(`${distance} links: the server speaks first`, async () => {
      const { client, server: atServer } = await connected(ports[distance]);
      await atServer.send(50_000);
      await received(client, 50_000);
      await client.send(70_000);
      await received(atServer, 70_000);
      client.socket.end();
      atServer.socket.end();
      await within('both close', Promise.all([client.closed, atServer.closed]));
      assert.ok(client.exact && atServer.exact);
      assert.deepEqual([client.events, atServer.events], [['end'], ['end']]);
    });

    test(`${distance} links: request and FIN before the connection to the server stands`, async () => {
      const atServer = new Promise<RecordedSocket>((resolve) => {
        accepted = (socket) => resolve(new RecordedSocket(socket));
      });
      const client = new RecordedSocket(await dial(ports[distance]));
      void client.send(2000);
      client.socket.end();
      const end = await atServer;
      await within('FIN arrives', end.ended);
      assert.equal(end.receivedBytes, 2000);
      await end.send(pendingBytes);
      end.socket.end();
      await within('both close', Promise.all([client.closed, end.closed]));
      assert.equal(client.receivedBytes, pendingBytes);
      assert.ok(client.exact && end.exact);
    });

    test(`${distance} links: a server that answers and closes while the client still sends`, async () => {
      accepted = (socket) => {
        // Reads a little, answers and goes: what the client still sends meets a closed socket.
        socket.once('data', () => {
          socket.write(pattern(20_000));
          socket.end(() => socket.destroy());
        });
        socket.resume();
      };
      const client = new RecordedSocket(await dial(ports[distance]));
      for (let sent = 0; sent < 8 * pendingBytes && !client.socket.destroyed; sent += 100_000) {
        if (!client.socket.write(pattern(100_000, sent))) await Promise.race([sleep(20), client.closed]);
      }
      client.socket.end();
      await within('the client hears of it', client.closed);
      assert.ok(client.exact && client.receivedBytes <= 20_000);
      assert.ok(client.events.length > 0, 'an end or a reset, not silence');
    });
  }
});
