import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { Network, line, tcpConnector, tcpListener } from './network.ts';
import { freePort } from './ports.ts';
import { RecordedSocket, pattern } from './recorded-socket.ts';
import { TcpServer, answering, dial } from './tcp-peer.ts';
import { until } from './until.ts';

const mebibyte = 1_048_576;
const stalledCount = 50;
const stalledBytes = 8 * mebibyte;
const healthyBytes = 100_000_000;
/** What a router may hold for a stream and direction. */
const heldBytes = mebibyte;
/** What a busy router takes beside: slabs, buffers of sockets, garbage not collected yet. */
const slackBytes = 100 * mebibyte;

/** Sends the pattern as fast as it is taken, then ends. */
function pour(socket: Socket, length: number): void {
  let sent = 0;
  const more = (): void => {
    while (sent < length && !socket.destroyed) {
      const piece = Math.min(262_144, length - sent);
      sent += piece;
      if (!socket.write(pattern(piece, sent - piece))) {
        socket.once('drain', more);
        return;
      }
    }
    socket.end();
  };
  more();
}

/** Resolves when none of the counters has moved for a while. */
async function still(read: () => number): Promise<void> {
  let last = -1;
  let sinceMs = performance.now();
  await until(
    'the stalled streams stand still',
    () => {
      const now = read();
      if (now !== last) {
        last = now;
        sinceMs = performance.now();
      }
      return performance.now() - sinceMs > 500;
    },
    20_000,
  );
}

for (const direction of ['clients', 'servers'] as const) {
  test(`${stalledCount} ${direction} that do not read slow nobody and are held within bounds`, { timeout: 58_000 }, async () => {
    const servers: Socket[] = [];
    await using server = await TcpServer.start((socket) => servers.push(socket));
    await using healthyServer = await TcpServer.start((socket) => {
      socket.resume();
      pour(socket, healthyBytes);
    });
    await using echo = await TcpServer.echo();
    const [stalledPort, healthyPort, echoPort] = [await freePort(), await freePort(), await freePort()];
    await using network = await Network.start({
      tls: true,
      links: line(['near', 'middle', 'far']),
      entities: {
        near: [tcpListener('stalled', stalledPort), tcpListener('healthy', healthyPort), tcpListener('echo', echoPort)],
        middle: [],
        far: [tcpConnector('stalled', server.port), tcpConnector('healthy', healthyServer.port), tcpConnector('echo', echo.port)],
      },
    });
    await answering(echoPort);

    // The routers have done some work first, so that what is measured below is what the stalled streams add.
    const warm = new RecordedSocket(await dial(healthyPort));
    warm.socket.end();
    await warm.ended;
    const before = network.routers.map((router) => router.residentBytes());

    const clients: Socket[] = [];
    for (let index = 0; index < stalledCount; index++) clients.push(await dial(stalledPort));
    await until('all stalled connections stand', () => servers.length === stalledCount);
    const [senders, receivers] = direction === 'clients' ? [servers, clients] : [clients, servers];
    for (const sender of senders) {
      pour(sender, stalledBytes);
      sender.resume();
    }
    await still(() => senders.reduce((sum, sender) => sum + sender.bytesWritten - sender.writableLength, 0));

    const startMs = performance.now();
    const healthy = new RecordedSocket(await dial(healthyPort));
    healthy.socket.end();
    await healthy.ended;
    const seconds = (performance.now() - startMs) / 1000;
    assert.equal(healthy.receivedBytes, healthyBytes);
    assert.ok(healthy.exact);
    console.log(`# 100 MB beside ${stalledCount} stalled ${direction}: ${seconds.toFixed(2)} s`);
    assert.ok(seconds < 20);

    network.routers.forEach((router, index) => {
      const growth = router.residentBytes() - before[index];
      console.log(
        `# ${router.id}: ${Math.round(growth / mebibyte)} MiB more resident (${Math.round(growth / stalledCount / 1024)} KiB a stream)`,
      );
      if (!Number.isNaN(growth)) assert.ok(growth <= stalledCount * heldBytes + slackBytes, `${router.id} grew by ${growth} bytes`);
    });

    const resumed = receivers.map((receiver) => new RecordedSocket(receiver));
    for (const { socket } of resumed) socket.end();
    await Promise.all(resumed.map(({ ended }) => ended));
    for (const { receivedBytes, exact } of resumed) {
      assert.equal(receivedBytes, stalledBytes);
      assert.ok(exact, 'every octet is the one that was sent');
    }
  });
}
