import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { Network, line, tcpConnector, tcpListener } from './network.ts';
import { freePort } from './ports.ts';
import { TcpServer, dial } from './tcp-peer.ts';
import { until } from './until.ts';

const mebibyte = 1_048_576;
const totalBytes = Number(process.env.TRANSFER_MIB ?? '1024') * mebibyte;
/** Blocks are this long and differ in a counter, so that a lost, doubled or swapped one changes the hash. */
const blockBytes = 262_144;

/** Writes `totalBytes` as fast as they are taken, ends, and gives their SHA-256. */
async function produce(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  const seed = randomBytes(blockBytes);
  const cut = once(socket, 'close').then(() => {
    throw new Error('the connection was closed before everything was sent');
  });
  // It also closes at the good end, when nobody waits for this any more.
  cut.catch(() => undefined);
  for (let sent = 0; sent < totalBytes; sent += blockBytes) {
    const block = Buffer.from(seed);
    block.writeDoubleLE(sent, 0);
    hash.update(block);
    if (!socket.write(block)) await Promise.race([once(socket, 'drain'), cut]);
  }
  socket.end();
  return hash.digest('hex');
}

/** Reads to the end and gives length and SHA-256. */
async function consume(socket: Socket): Promise<{ bytes: number; hash: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  return { bytes, hash: hash.digest('hex') };
}

test(`${totalBytes / mebibyte} MiB each way at once through two routers over TLS arrive as they were sent`, async () => {
  const atServer: Promise<[sent: string, received: { bytes: number; hash: string }]>[] = [];
  await using server = await TcpServer.start((socket) => {
    atServer.push(Promise.all([produce(socket), consume(socket)]));
  });
  const port = await freePort();
  await using network = await Network.start({
    tls: true,
    links: line(['near', 'far']),
    entities: { near: [tcpListener('bulk', port)], far: [tcpConnector('bulk', server.port)] },
  });
  const socket = await until('the service port opens', () => dial(port).catch(() => undefined), 20_000);
  const startMs = performance.now();
  const [sent, received] = await Promise.all([produce(socket), consume(socket)]);
  assert.equal(atServer.length, 1);
  const [serverSent, serverReceived] = await atServer[0];
  const seconds = (performance.now() - startMs) / 1000;
  console.log(`# ${totalBytes / mebibyte} MiB each way in ${seconds.toFixed(1)} s`);
  console.log(
    `# ${network.routers.map((router) => `${router.id}: ${Math.round(router.residentBytes() / mebibyte)} MiB resident`).join(', ')}`,
  );
  assert.deepEqual(received, { bytes: totalBytes, hash: serverSent });
  assert.deepEqual(serverReceived, { bytes: totalBytes, hash: sent });
});
