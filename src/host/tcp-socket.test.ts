import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import type { StreamSocketHandler } from '../base/stream-socket.ts';
import { TcpSocket } from './tcp-socket.ts';
import { TurnQueue } from './turn.ts';

class Recorder implements StreamSocketHandler {
  readonly events: string[] = [];
  bytes = 0;
  wake: (() => void) | undefined;
  received(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.wake?.();
  }
  endReceived(): void {
    this.#note('end');
  }
  written(): void {
    this.wake?.();
  }
  closed(error: Error | undefined): void {
    this.#note(error === undefined ? 'closed' : 'broken');
  }
  #note(event: string): void {
    this.events.push(event);
    this.wake?.();
  }
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.wake = resolve));
  }
}

let server: Server;
let peer: Socket;
let socket: TcpSocket;
let recorder: Recorder;

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  peer = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  peer.on('error', () => {});
  const [accepted] = (await once(server, 'connection')) as [Socket];
  recorder = new Recorder();
  socket = new TcpSocket(accepted, new TurnQueue());
  socket.handler = recorder;
});

afterEach(async () => {
  peer.destroy();
  socket.destroy(true);
  server.close();
  await once(server, 'close');
});

test('nothing is read before resume, and pause stops it', async () => {
  peer.write('hello');
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(recorder.bytes, 0);
  socket.resume();
  await recorder.until(() => recorder.bytes === 5);
});

test('pieces of one turn arrive in order, and pendingBytes falls to 0', async () => {
  const chunks: Buffer[] = [];
  peer.on('data', (chunk: Buffer) => chunks.push(chunk));
  for (const text of ['ab', 'cd', 'ef']) socket.write(Buffer.from(`.${text}.`), 1, 3);
  assert.equal(socket.pendingBytes, 6);
  socket.end();
  await once(peer, 'end');
  assert.equal(Buffer.concat(chunks).toString(), 'abcdef');
  await recorder.until(() => socket.pendingBytes === 0);
});

test('what the peer does not read stays pending, and its taking is told', async () => {
  peer.pause();
  const bytes = new Uint8Array(16_777_216);
  socket.write(bytes, 0, bytes.length);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(socket.pendingBytes > 0);
  peer.resume();
  await recorder.until(() => socket.pendingBytes === 0);
});

test('each side ends by itself', async () => {
  socket.resume();
  peer.end();
  await recorder.until(() => recorder.events.includes('end'));
  assert.deepEqual(recorder.events, ['end']);
  const received = once(peer, 'data');
  socket.write(Buffer.from('late'), 0, 4);
  assert.equal(String(((await received) as [Buffer])[0]), 'late');
  socket.end();
  await recorder.until(() => recorder.events.length === 2);
  assert.deepEqual(recorder.events, ['end', 'closed']);
});

test('a reset is told as an error, and destroy with reset is one for the peer', async () => {
  const broken = once(peer, 'error');
  socket.destroy(true);
  assert.equal(((await broken) as [NodeJS.ErrnoException])[0].code, 'ECONNRESET');
});

test('the reset of a peer is told once', async () => {
  socket.resume();
  peer.resetAndDestroy();
  await recorder.until(() => recorder.events.length > 0);
  assert.deepEqual(recorder.events, ['broken']);
});

test('destroy without reset still sends what was written in this turn', async () => {
  const received = once(peer, 'data');
  socket.write(Buffer.from('last'), 0, 4);
  socket.destroy(false);
  assert.equal(String(((await received) as [Buffer])[0]), 'last');
});

test('an orderly end waits for its last octets to be taken, but not for ever', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  peer.pause();
  const bytes = Buffer.alloc(32 * 1024 * 1024);
  socket.write(bytes, 0, bytes.length);
  socket.destroy(false);
  context.mock.timers.tick(299_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(recorder.events, []);
  context.mock.timers.tick(2000);
  await recorder.until(() => recorder.events.includes('closed'));
});
