/// <reference lib="esnext" />
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../base/log.ts';
import { processRandom } from '../../host/process-random.ts';
import { TrustStore } from '../../host/trust-store.ts';
import { PeerMesh, type Peer } from './peer-mesh.ts';
import { freePort } from '../../../test/e2e/ports.ts';

const timeoutMs = 10_000;

async function found(folder: string, name: string): Promise<TrustStore> {
  const crypto = { subtle: webcrypto.subtle as SubtleCrypto, random: processRandom() };
  return TrustStore.open(join(folder, name), { wallMs: () => Date.now(), crypto, log: silentLogger });
}

/** Two sites of one network, and one of another. */
async function makeTrust(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'overlay-mesh-'));
  context.after(() => rm(folder, { recursive: true }));
  await using one = await found(folder, 'one');
  await one.foundNetwork('one', []);
  await using two = await found(folder, 'two');
  const token = await one.issueToken({ host: '192.0.2.1', port: 1 }, {});
  const pending = await two.beginRedemption(token, 'two', []);
  const result = await one.redeem(token.grantId, pending.request, '192.0.2.1');
  assert.equal(result.outcome, 'admitted');
  if (result.outcome === 'admitted') await two.adopt(pending, result.admission);
  await using stranger = await found(folder, 'stranger');
  await stranger.foundNetwork('two', []);
  return folder;
}

interface Host extends AsyncDisposable {
  readonly mesh: PeerMesh;
  readonly received: string[];
  readonly generations: number[];
}

async function openHost(peers: readonly Peer[], hostId: number, trustFolder: string, generation = 1): Promise<Host> {
  const own = peers.find((peer) => peer.hostId === hostId);
  assert.ok(own !== undefined);
  const received: string[] = [];
  const generations: number[] = [];
  const mesh = await PeerMesh.open({
    hello: { hostId, generation },
    address: own.address,
    port: own.port,
    peers: peers.filter((peer) => peer !== own),
    trustFolder,
    limitBytes: 1000,
    log: silentLogger,
    random: () => 0.5,
    connected: (hello) => generations.push(hello.generation),
    disconnected: () => undefined,
    received: (from, text) => received.push(`${from} ${text}`),
  });
  return { mesh, received, generations, [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose]() };
}

async function twoPeers(): Promise<readonly Peer[]> {
  return [
    { hostId: 1, name: 'one', address: '127.0.0.1', port: await freePort() },
    { hostId: 2, name: 'two', address: '127.0.0.1', port: await freePort() },
  ];
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (const endMs = performance.now() + timeoutMs; !isTrue(); await sleep(10))
    assert.ok(performance.now() < endMs, `not in time: ${what}`);
}

test('two hosts speak to each other over mutual TLS, and again after one has started anew', async (context) => {
  const folder = await makeTrust(context);
  const peers = await twoPeers();
  await using one = await openHost(peers, 1, join(folder, 'one'));
  {
    await using two = await openHost(peers, 2, join(folder, 'two'));
    await until('connected', () => one.mesh.connectedHosts.length === 1 && two.mesh.connectedHosts.length === 1);
    one.mesh.send(2, '["from one"]');
    two.mesh.send(1, '["from two"]');
    await until('received', () => one.received.length === 1 && two.received.length === 1);
    assert.deepEqual(two.received, ['1 ["from one"]']);
    assert.deepEqual(one.received, ['2 ["from two"]']);
  }
  await until('not connected', () => one.mesh.connectedHosts.length === 0);
  one.mesh.send(2, 'this is lost');
  await using again = await openHost(peers, 2, join(folder, 'two'), 5);
  await until('connected again', () => again.mesh.connectedHosts.length === 1 && one.mesh.connectedHosts.length === 1);
  assert.deepEqual(one.generations, [1, 5]);
  assert.deepEqual(again.received, []);
});

test('a host of another network is refused, whatever it calls itself', async (context) => {
  const folder = await makeTrust(context);
  const peers = await twoPeers();
  await using one = await openHost(peers, 1, join(folder, 'one'));
  await using stranger = await openHost(peers, 2, join(folder, 'stranger'));
  await sleep(1000);
  assert.deepEqual([...one.mesh.connectedHosts, ...stranger.mesh.connectedHosts], []);
});

test('a message that is longer than it may be ends the connection, and a new one is made', async (context) => {
  const folder = await makeTrust(context);
  const peers = await twoPeers();
  await using one = await openHost(peers, 1, join(folder, 'one'));
  await using two = await openHost(peers, 2, join(folder, 'two'));
  await until('connected', () => two.mesh.connectedHosts.length === 1 && one.mesh.connectedHosts.length === 1);
  two.mesh.send(1, 'x'.repeat(1001));
  await until('connected anew', () => one.generations.length === 2 && two.generations.length === 2);
  assert.deepEqual(one.received, []);
});

test('peers come and go while a host listens', async (context) => {
  const folder = await makeTrust(context);
  const peers = await twoPeers();
  await using one = await openHost(peers, 1, join(folder, 'one'));
  await using two = await openHost(peers, 2, join(folder, 'two'));
  const isConnected = (): boolean => one.mesh.connectedHosts.length === 1 && two.mesh.connectedHosts.length === 1;
  await until('connected', isConnected);
  one.mesh.setPeers(peers.slice(1).map((peer) => ({ ...peer })));
  assert.ok(isConnected(), 'the same ones stay connected');
  one.mesh.setPeers([]);
  await until('not connected', () => one.mesh.connectedHosts.length === 0 && two.mesh.connectedHosts.length === 0);
  one.mesh.setPeers(peers.slice(1));
  await until('connected again', isConnected);
  two.mesh.setPeers([]);
  await until('not connected again', () => two.mesh.connectedHosts.length === 0);
  await sleep(500);
  assert.deepEqual(two.mesh.connectedHosts, [], 'who is no peer is refused');
});

test('not all hosts are called at once, and one behind many that do not answer is reached', async (context) => {
  const folder = await makeTrust(context);
  let open = 0;
  let most = 0;
  const silent = createServer((socket) => {
    most = Math.max(most, ++open);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => open--);
    setTimeout(() => socket.destroy(), 100);
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  context.after(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const [first, last] = await twoPeers();
  assert.ok(first !== undefined && last !== undefined);
  const others = Array.from({ length: 400 }, (_, index) => ({ hostId: index + 10, name: `host-${index}`, address: '127.0.0.1', port }));
  await using two = await openHost([first, last], 2, join(folder, 'two'));
  await using one = await openHost([first, ...others, last], 1, join(folder, 'one'));
  await until('connected', () => one.mesh.connectedHosts.length === 1 && two.mesh.connectedHosts.length === 1);
  // The server hears of the end of a connection later than the mesh.
  assert.ok(most > 100 && most <= 2 * 128, `${most} at once`);
});
