import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import type { ByteMachine } from '../base/byte-machine.ts';
import { MachineSocket } from './machine-socket.ts';
import { processClock } from './process-clock.ts';
import { TurnQueue } from './turn.ts';

/** Says what it is told to say, and notes what it hears. */
class Machine implements ByteMachine {
  readonly heard: string[] = [];
  readonly out: Uint8Array[] = [];
  lent = 0;
  deadlineMs = Infinity;
  ended = false;
  start(): void {
    this.heard.push('start');
  }
  receive(bytes: Uint8Array): void {
    this.heard.push(Buffer.from(bytes).toString());
  }
  handleTimeout(): void {
    this.heard.push('timeout');
    this.deadlineMs = Infinity;
  }
  nextDeadlineMs(): number {
    return this.deadlineMs;
  }
  get hasTransmit(): boolean {
    return this.out.length > 0;
  }
  nextTransmit(): Uint8Array | undefined {
    const bytes = this.out.shift();
    if (bytes !== undefined) this.lent++;
    return bytes;
  }
  transmitted(): void {
    this.lent--;
  }
  lost(description: string): void {
    if (!this.ended) this.heard.push(description);
    this.ended = true;
  }
}

let server: Server;
let peer: Socket;
let turns: TurnQueue;
let machine: Machine;
let host: MachineSocket;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  peer = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  peer.on('error', () => {});
  const [accepted] = (await once(server, 'connection')) as [Socket];
  turns = new TurnQueue();
  machine = new Machine();
  host = new MachineSocket(accepted, machine, processClock, turns);
});

afterEach(async () => {
  host.destroy();
  peer.destroy();
  server.close();
  await once(server, 'close');
});

async function until(condition: () => boolean): Promise<void> {
  for (let count = 0; count < 1000 && !condition(); count++) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.ok(condition());
}

test('bytes go both ways, and what was lent is given back', async () => {
  machine.out.push(Buffer.from('a'), Buffer.from('b'));
  turns.touch();
  let text = '';
  peer.on('data', (bytes: Buffer) => (text += bytes.toString()));
  await until(() => text === 'ab' && machine.lent === 0);
  peer.write('hello');
  await until(() => machine.heard.includes('hello'));
  assert.deepEqual(machine.heard, ['start', 'hello']);
});

test('a peer that does not read gets no more than a megabyte at a time', async () => {
  peer.pause();
  for (let count = 0; count < 400; count++) machine.out.push(new Uint8Array(65_536));
  turns.touch();
  let before = -1;
  while (before !== machine.out.length) {
    before = machine.out.length;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  assert.ok(machine.out.length > 0, 'the rest waits in the machine');
  assert.ok(machine.lent <= 16);
  peer.resume();
  await until(() => machine.out.length === 0 && machine.lent === 0);
});

test('the deadline is kept, also when it moves nearer', async () => {
  machine.deadlineMs = processClock.nowMs() + 60_000;
  turns.touch();
  await new Promise((resolve) => setImmediate(resolve));
  machine.deadlineMs = processClock.nowMs() + 10;
  turns.touch();
  await until(() => machine.heard.includes('timeout'));
});

test('a machine that has ended says its last words and closes the socket', async () => {
  machine.out.push(Buffer.from('bye'));
  machine.ended = true;
  turns.touch();
  const [bytes] = (await once(peer, 'data')) as [Buffer];
  assert.equal(bytes.toString(), 'bye');
  await once(peer, 'end');
});

test('the end of the peer is told', async () => {
  peer.end();
  await until(() => machine.ended);
  assert.deepEqual(machine.heard, ['start', 'the peer closed the connection']);
});
