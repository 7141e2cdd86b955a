/// <reference lib="esnext" />
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../base/log.ts';
import { HostProbes } from './host-probes.ts';

const timeoutMs = 10_000;

/** Answers probes as the data path does, at an address of this machine that nobody else uses now. */
async function openReflector(): Promise<{ readonly address: string; readonly socket: Socket }> {
  for (;;) {
    const address = `127.77.${Math.floor(Math.random() * 256)}.${1 + Math.floor(Math.random() * 254)}`;
    const socket = createSocket('udp4');
    const isBound = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false));
      socket.bind({ port: 6081, address, exclusive: true }, () => resolve(true));
    });
    if (isBound) return { address, socket };
    socket.close();
  }
}

test('a host that does not answer is dead, and alive again as soon as it answers', async () => {
  const { address, socket } = await openReflector();
  let reflects = true;
  socket.on('message', (message, { port, address: from }) => {
    if (reflects) socket.send(message, port, from);
  });
  const told: boolean[] = [];
  using _probes = await HostProbes.open({
    address: '127.0.0.1',
    hosts: [{ hostId: 2, address }],
    log: silentLogger,
    token: 7,
    nowMs: () => performance.now(),
    mtuTo: () => 1500,
    changed: (hostId, isAlive) => {
      assert.equal(hostId, 2);
      told.push(isAlive);
    },
  });
  const until = async (count: number): Promise<void> => {
    for (const endMs = performance.now() + timeoutMs; told.length < count; await sleep(20))
      assert.ok(performance.now() < endMs, 'not in time');
  };
  await sleep(500);
  assert.deepEqual(told, []);
  reflects = false;
  await until(1);
  reflects = true;
  await until(2);
  assert.deepEqual(told, [false, true]);
  socket.close();
});

test('an answer with a token that is not ours, or from another port, is none', async () => {
  const { address, socket } = await openReflector();
  socket.on('message', (message, { port, address: from }) => {
    message.writeUInt32BE(8, 8);
    socket.send(message, port, from);
  });
  const dead = Promise.withResolvers<void>();
  using _probes = await HostProbes.open({
    address: '127.0.0.1',
    hosts: [{ hostId: 2, address }],
    log: silentLogger,
    token: 7,
    nowMs: () => performance.now(),
    mtuTo: () => 1500,
    changed: (_, isAlive) => {
      assert.equal(isAlive, false);
      dead.resolve();
    },
  });
  await dead.promise;
  socket.close();
});

test('of hosts that go none stays dead, and those that come are probed', async () => {
  const [gone, come] = [await openReflector(), await openReflector()];
  const told: string[] = [];
  using probes = await HostProbes.open({
    address: '127.0.0.1',
    hosts: [{ hostId: 2, address: gone.address }],
    log: silentLogger,
    token: 7,
    nowMs: () => performance.now(),
    mtuTo: () => 1500,
    changed: (hostId, isAlive) => told.push(`${hostId} ${isAlive ? 'alive' : 'dead'}`),
  });
  const until = async (text: string): Promise<void> => {
    for (const endMs = performance.now() + timeoutMs; !told.includes(text); await sleep(20))
      assert.ok(performance.now() < endMs, `not in time: ${text}`);
  };
  await until('2 dead');
  probes.setHosts([{ hostId: 3, address: come.address }]);
  assert.deepEqual(told, ['2 dead', '2 alive']);
  await until('3 dead');
  gone.socket.close();
  come.socket.close();
});
