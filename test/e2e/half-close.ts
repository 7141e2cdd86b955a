import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
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
const endings = ['client', 'server'].flatMap((first) =>
  ['FIN', 'RST'].flatMap((how) =>
    [false, true].flatMap((pending) => [false, true].map((otherSends) => ({ first, how, pending, otherSends }))),
  ),
);
const smallBytes = 10_000;
const pendingBytes = 1_048_576;
const replyBytes = 300_000;
/** Links between the client's router and the server's; 0 = the same router. */
export const distances: readonly number[] = [0, 1, 2, 3];
const names = ['a', 'b', 'c', 'd'];
const defaultWaitMs = 10_000;

/** One way in which a connection ends, over the listener at `port`. Throws when it ends otherwise. */
export interface EndingCase {
  readonly name: string;
  readonly run: (port: number) => Promise<void>;
}

/** A client, a server and four routers in a line between them. Cases are run one at a time. */
export class HalfCloseLine implements AsyncDisposable {
  readonly network: Network;
  /** Listeners by the number of links to the server's router. */
  readonly ports: readonly number[];
  readonly #server: TcpServer;
  /** What the server does with its next connection. */
  #accepted: (socket: Socket) => void = (socket) => void socket.pipe(socket);

  /** What does not happen within this time has failed. */
  readonly #waitMs: number;

  private constructor(network: Network, ports: readonly number[], server: TcpServer, waitMs: number) {
    this.#waitMs = waitMs;
    this.network = network;
    this.ports = ports;
    this.#server = server;
  }

  /** Starts everything and waits until every distance works. `skupper`: with skupper-routers in place of Caravan. */
  static async start(skupper = false, waitMs: number = defaultWaitMs): Promise<HalfCloseLine> {
    let accepted = (socket: Socket): void => void socket.pipe(socket);
    const server = await TcpServer.start((socket) => accepted(socket));
    const ports: number[] = [];
    for (const _ of distances) ports.push(await freePort());
    const network = await Network.start({
      links: line(names),
      skupper: skupper ? names : [],
      entities: Object.fromEntries(
        names.map((name, distance) => [
          name,
          [
            tcpConnector(`service${distance}`, server.port, `server${distance}`),
            ...(distance === 0 ? distances.map((index) => tcpListener(`service${index}`, ports[index])) : []),
          ],
        ]),
      ),
    });
    await Promise.all(ports.map((port) => answering(port)));
    const started = new HalfCloseLine(network, ports, server, waitMs);
    accepted = (socket): void => started.#accepted(socket);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
  }

  /** A connection with both ends recorded. */
  async #connected(port: number): Promise<{ client: RecordedSocket; server: RecordedSocket }> {
    const atServer = new Promise<RecordedSocket>((resolve) => {
      this.#accepted = (socket) => resolve(new RecordedSocket(socket));
    });
    const client = new RecordedSocket(await dial(port));
    return { client, server: await atServer };
  }

  async #received(end: RecordedSocket, bytes: number): Promise<void> {
    await this.#within(`${bytes} octets arrive`, end.received(bytes));
  }

  async #within<T>(what: string, promise: Promise<T>): Promise<T> {
    const waitMs = this.#waitMs;
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

  async #endOrderly(first: RecordedSocket, other: RecordedSocket, pending: boolean, otherSends: boolean): Promise<void> {
    const sent = smallBytes + (pending ? pendingBytes : 0);
    if (pending) void first.send(pendingBytes, smallBytes);
    first.socket.end();
    await this.#within('FIN arrives', other.ended);
    assert.equal(other.receivedBytes, sent, 'everything arrives before FIN');
    assert.deepEqual(first.events, [], 'the other direction is still open');
    if (otherSends) {
      await other.send(replyBytes);
      await this.#received(first, replyBytes);
    }
    other.socket.end();
    await this.#within('both close', Promise.all([first.closed, other.closed]));
    assert.deepEqual(other.events, ['end']);
    assert.deepEqual(first.events, ['end'], 'FIN comes back, and no reset');
    assert.equal(first.receivedBytes, otherSends ? replyBytes : 0);
  }

  async #endAbruptly(first: RecordedSocket, other: RecordedSocket, pending: boolean, otherSends: boolean): Promise<void> {
    let sent = 0;
    const chatter = setInterval(() => {
      if (!otherSends || other.socket.destroyed || sent >= replyBytes) return;
      other.socket.write(pattern(1000, sent));
      sent += 1000;
    }, 1);
    try {
      if (otherSends) await this.#received(first, 5000);
      if (pending) void first.socket.write(pattern(pendingBytes, smallBytes));
      first.socket.resetAndDestroy();
      await this.#within('the reset arrives', other.closed);
    } finally {
      clearInterval(chatter);
    }
    assert.deepEqual(other.events, ['reset'], 'a reset is seen as a reset, not as an end');
    if (pending) assert.ok(other.receivedBytes >= smallBytes && other.receivedBytes <= smallBytes + pendingBytes);
    else assert.equal(other.receivedBytes, smallBytes);
    assert.deepEqual(first.events, []);
  }

  /** All cases: the sixteen endings, and those at the edge of a connection. */
  get cases(): readonly EndingCase[] {
    const cases: EndingCase[] = [];
    for (const { first, how, pending, otherSends } of endings) {
      const name = `${first} ends first with ${how}, ${pending ? '1 MiB on the way' : 'nothing on the way'}, other side ${otherSends ? 'sends' : 'silent'}`;
      cases.push({
        name,
        run: async (port) => {
          const ends = await this.#connected(port);
          const [one, other] = first === 'client' ? [ends.client, ends.server] : [ends.server, ends.client];
          await one.send(smallBytes);
          await this.#received(other, smallBytes);
          await (how === 'FIN' ? this.#endOrderly(one, other, pending, otherSends) : this.#endAbruptly(one, other, pending, otherSends));
          assert.ok(one.exact && other.exact, 'every octet is the one that was sent');
        },
      });
    }

    cases.push({
      name: 'connections without an octet',
      run: async (port) => {
        const { client, server: atServer } = await this.#connected(port);
        client.socket.end();
        await this.#within('FIN arrives', atServer.ended);
        atServer.socket.end();
        await this.#within('both close', Promise.all([client.closed, atServer.closed]));
        assert.deepEqual([client.events, atServer.events], [['end'], ['end']]);
        assert.deepEqual([client.receivedBytes, atServer.receivedBytes], [0, 0]);
      },
    });

    cases.push({
      name: 'one octet at a time, both ways',
      run: async (port) => {
        const { client, server: atServer } = await this.#connected(port);
        for (let index = 0; index < 200; index++) {
          await client.send(1, index);
          await this.#received(atServer, index + 1);
          await atServer.send(1, index);
          await this.#received(client, index + 1);
        }
        client.socket.end();
        atServer.socket.end();
        await this.#within('both close', Promise.all([client.closed, atServer.closed]));
        assert.ok(client.exact && atServer.exact);
      },
    });

    cases.push({
      name: 'the server speaks first',
      run: async (port) => {
        const { client, server: atServer } = await this.#connected(port);
        await atServer.send(50_000);
        await this.#received(client, 50_000);
        await client.send(70_000);
        await this.#received(atServer, 70_000);
        client.socket.end();
        atServer.socket.end();
        await this.#within('both close', Promise.all([client.closed, atServer.closed]));
        assert.ok(client.exact && atServer.exact);
        assert.deepEqual([client.events, atServer.events], [['end'], ['end']]);
      },
    });

    cases.push({
      name: 'request and FIN before the connection to the server stands',
      run: async (port) => {
        const atServer = new Promise<RecordedSocket>((resolve) => {
          this.#accepted = (socket) => resolve(new RecordedSocket(socket));
        });
        const client = new RecordedSocket(await dial(port));
        void client.send(2000);
        client.socket.end();
        const end = await atServer;
        await this.#within('FIN arrives', end.ended);
        assert.equal(end.receivedBytes, 2000);
        await end.send(pendingBytes);
        end.socket.end();
        await this.#within('both close', Promise.all([client.closed, end.closed]));
        assert.equal(client.receivedBytes, pendingBytes);
        assert.ok(client.exact && end.exact);
      },
    });

    cases.push({
      name: 'a server that answers and closes while the client still sends',
      run: async (port) => {
        this.#accepted = (socket) => {
          // Reads a little, answers and goes: what the client still sends meets a closed socket.
          socket.once('data', () => {
            socket.write(pattern(20_000));
            socket.end(() => socket.destroy());
          });
          socket.resume();
        };
        const client = new RecordedSocket(await dial(port));
        for (let sent = 0; sent < 8 * pendingBytes && !client.socket.destroyed; sent += 100_000) {
          if (!client.socket.write(pattern(100_000, sent))) await Promise.race([sleep(20), client.closed]);
        }
        client.socket.end();
        await this.#within('the client hears of it', client.closed);
        assert.ok(client.exact && client.receivedBytes <= 20_000);
        assert.ok(client.events.length > 0, 'an end or a reset, not silence');
      },
    });
    return cases;
  }
}
