import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { StreamSocket, StreamSocketHandler } from '../../base/stream-socket.ts';
import type { Downstream } from '../../forwarding/leg.ts';
import { TcpStream, acknowledgeStepBytes, windowBytes } from './tcp-stream.ts';
import { WindowBudget } from './window-budget.ts';

class Socket implements StreamSocket {
  handler: StreamSocketHandler | undefined;
  pendingBytes = 0;
  written = 0;
  paused = true;
  ended = false;
  destroyed: 'reset' | 'close' | undefined;
  /** Keeps what is written until `take`. */
  full = false;
  write(_bytes: Uint8Array, start: number, end: number): void {
    this.written += end - start;
    if (this.full) this.pendingBytes += end - start;
  }
  take(bytes = this.pendingBytes): void {
    this.pendingBytes -= bytes;
    this.handler?.written();
  }
  end(): void {
    this.ended = true;
  }
  destroy(reset: boolean): void {
    this.destroyed ??= reset ? 'reset' : 'close';
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
}

class Network implements Downstream {
  sent = 0;
  complete = false;
  aborts = 0;
  forgets = 0;
  congested = false;
  readonly overloaded = false;
  send(_bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.sent += end - start;
    if (!more) this.complete = true;
  }
  abort(): void {
    this.aborts++;
  }
  forget(): void {
    this.forgets++;
  }
}

function stand(): {
  stream: TcpStream;
  socket: Socket;
  network: Network;
  from: Downstream;
  heard: [state: DeliveryState, settled: boolean, offset: number][];
  ended: () => number;
} {
  let ended = 0;
  const heard: [DeliveryState, boolean, number][] = [];
  const stream = new TcpStream({ ended: (): void => void ended++ }, new WindowBudget());
  const socket = new Socket();
  const network = new Network();
  stream.attachSocket(socket);
  stream.startOut(network);
  const from = stream.startIn(
    { update: (state, settled, offset): void => void heard.push([state, settled, offset]), relieved: (): void => {} },
    100,
  );
  return { stream, socket, network, from, heard, ended: () => ended };
}

const { accepted, modified, received, released, rejected } = DeliveryState;
const mark = 104;

test('nothing is read before the answer starts, whatever is acknowledged or relieved', () => {
  const { stream, socket } = stand();
  stream.relieved();
  stream.update(received, false, 1);
  assert.equal(socket.paused, true);
  stream.flow();
  assert.equal(socket.paused, false);
});

test('reading stops at the window and goes on as octets are acknowledged', () => {
  const { stream, socket, network } = stand();
  stream.flow();
  stream.received(new Uint8Array(windowBytes - 1));
  assert.equal(socket.paused, false);
  stream.received(new Uint8Array(1));
  assert.equal(socket.paused, true);
  // Nonsense of a peer: nothing, less than before, more than was sent.
  for (const offset of [0, windowBytes + 1, 2 ** 40]) stream.update(received, false, offset);
  assert.equal(socket.paused, true);
  stream.update(received, false, 1);
  assert.equal(socket.paused, false);
  assert.equal(network.sent, windowBytes);
});

test('reading stops while the way is congested', () => {
  const { stream, socket, network } = stand();
  stream.flow();
  network.congested = true;
  stream.received(new Uint8Array(10));
  assert.equal(socket.paused, true);
  stream.relieved();
  assert.equal(socket.paused, true, 'relieved, and congested again');
  network.congested = false;
  stream.relieved();
  assert.equal(socket.paused, false);
});

test('what the socket has taken is acknowledged in steps, and accepted at the end', () => {
  const { socket, from, heard } = stand();
  socket.full = true;
  from.send(new Uint8Array(mark + acknowledgeStepBytes * 2), 0, mark + acknowledgeStepBytes * 2, true);
  socket.take(acknowledgeStepBytes - 1);
  assert.deepEqual(heard, []);
  socket.take(1);
  assert.deepEqual(heard, [[received, false, acknowledgeStepBytes]]);
  from.send(new Uint8Array(1), 0, 1, false);
  assert.equal(socket.ended, true);
  socket.take(1);
  assert.equal(heard.length, 1);
  socket.take();
  assert.deepEqual(heard.slice(1), [[accepted, true, 0]]);
});

test('the head of the message may come in any pieces', () => {
  for (const size of [1, 3, 100, 103, 104, 105]) {
    const { socket, from } = stand();
    const bytes = new Uint8Array(mark + 20);
    for (let at = 0; at < bytes.length; at += size) from.send(bytes, at, Math.min(at + size, bytes.length), true);
    assert.equal(socket.written, 20);
  }
});

test('both directions end by themselves, and the stream with the second', () => {
  const { stream, socket, network, from, heard, ended } = stand();
  stream.flow();
  stream.endReceived();
  assert.deepEqual([network.complete, ended()], [true, 0]);
  stream.update(accepted, true, 0);
  assert.equal(ended(), 0);
  from.send(new Uint8Array(mark), 0, mark, false);
  assert.deepEqual([heard, ended(), socket.destroyed], [[[accepted, true, 0]], 1, undefined]);
  socket.handler?.closed(undefined);
  assert.equal(ended(), 1);
});

test('a socket that has closed in order leaves its last octets on their way', () => {
  const { stream, socket, network, from, ended } = stand();
  stream.flow();
  from.send(new Uint8Array(mark), 0, mark, false);
  stream.received(new Uint8Array(500));
  stream.endReceived();
  socket.handler?.closed(undefined);
  assert.deepEqual([network.forgets, network.aborts, ended()], [0, 0, 0]);
  stream.update(accepted, true, 0);
  assert.equal(ended(), 1);
});

test('a reset aborts what is not complete and modifies what came', () => {
  const { stream, socket, network, heard, ended } = stand();
  stream.flow();
  socket.handler?.closed(new Error('reset'));
  assert.deepEqual([network.aborts, heard, ended()], [1, [[modified, true, 0]], 1]);
});

for (const state of [modified, released, rejected, accepted]) {
  test(`outcome ${state} before the end resets the socket`, () => {
    const { stream, socket, network, heard, ended } = stand();
    stream.flow();
    stream.received(new Uint8Array(5));
    stream.update(state, true, 0);
    assert.deepEqual([socket.destroyed, heard, ended(), network.aborts + network.forgets], ['reset', [[modified, true, 0]], 1, 0]);
  });
}

test('an outcome that is not settled is settled here', () => {
  const { stream, network } = stand();
  stream.flow();
  stream.endReceived();
  stream.update(accepted, false, 0);
  assert.equal(network.forgets, 1);
});

test('when the far side has gone after its last octet, the socket is closed when it has taken all', () => {
  const { stream, socket, from, heard, ended } = stand();
  socket.full = true;
  from.send(new Uint8Array(mark + 50), 0, mark + 50, false);
  stream.update(modified, true, 0);
  assert.deepEqual([socket.destroyed, ended()], [undefined, 0]);
  socket.take();
  assert.deepEqual([socket.destroyed, heard, ended()], ['close', [[accepted, true, 0]], 1]);
});

test('a sender that settles early still has its octets written', () => {
  const { socket, from, heard } = stand();
  from.send(new Uint8Array(mark + 10), 0, mark + 10, true);
  from.forget();
  from.send(new Uint8Array(10), 0, 10, false);
  assert.deepEqual([socket.written, socket.ended, socket.destroyed, heard], [20, true, undefined, []]);
});

test('an aborted message resets the socket and aborts the answer', () => {
  const { socket, network, from, heard, ended } = stand();
  from.abort();
  assert.deepEqual([socket.destroyed, network.aborts, heard, ended()], ['reset', 1, [], 1]);
});

test('stop ends everything at once, also what only waits for its outcome', () => {
  const { stream, socket, network, from, ended } = stand();
  stream.flow();
  from.send(new Uint8Array(mark), 0, mark, false);
  stream.endReceived();
  socket.handler?.closed(undefined);
  assert.equal(ended(), 0);
  stream.stop();
  assert.deepEqual([network.forgets, ended()], [1, 1]);
  stream.stop();
  stream.update(accepted, true, 0);
  assert.equal(ended(), 1);
});
