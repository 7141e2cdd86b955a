import type { ByteMachine } from '../base/byte-machine.ts';
import type { Clock } from '../base/clock.ts';
import type { StreamSocket, StreamSocketHandler } from '../base/stream-socket.ts';
import type { TurnQueue, TurnTask } from '../host/turn.ts';

/** Octets handed to the socket and not yet taken; beyond it they wait in the machine, which tells its sources. */
const maxInFlightBytes = 1_048_576;
/** After the machine has ended, the peer gets this long to close its side. */
const lingerMs = 2000;

/** Drives a protocol machine over a byte stream, whatever carries it: one write at the end of a turn, one timer. */
export class StreamMachine implements StreamSocketHandler, TurnTask {
  readonly #socket: StreamSocket;
  readonly #machine: ByteMachine;
  readonly #clock: Clock;
  readonly #turns: TurnQueue;
  /** Views of the machine's buffers that the socket has. */
  #lent = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Infinity;
  #ending = false;
  #closed = false;

  /** Starts the machine; the socket is paused, and flows from now on. */
  constructor(socket: StreamSocket, machine: ByteMachine, clock: Clock, turns: TurnQueue) {
    this.#socket = socket;
    this.#machine = machine;
    this.#clock = clock;
    this.#turns = turns;
    socket.handler = this;
    turns.register(this);
    machine.start(clock.nowMs());
    socket.resume();
    turns.touch();
  }

  received(bytes: Uint8Array): void {
    this.#machine.receive(bytes, this.#clock.nowMs());
  }

  endReceived(): void {
    this.#machine.lost('the peer closed the connection');
  }

  written(): void {
    if (this.#socket.pendingBytes > 0) return;
    this.#takeBack();
    if (this.#machine.hasTransmit || this.#machine.ended) this.#turns.touch();
  }

  #takeBack(): void {
    for (; this.#lent > 0; this.#lent--) this.#machine.transmitted();
  }

  closed(error: Error | undefined): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#turns.unregister(this);
    this.#takeBack();
    this.#machine.lost(error?.message ?? 'the connection was closed');
  }

  endOfTurn(): void {
    const machine = this.#machine;
    const socket = this.#socket;
    if (this.#closed) return;
    while (machine.hasTransmit && socket.pendingBytes < maxInFlightBytes) {
      const bytes = machine.nextTransmit();
      if (bytes === undefined) break;
      this.#lent++;
      socket.write(bytes, 0, bytes.length);
    }
    if (machine.ended) {
      if (!machine.hasTransmit && !this.#ending) this.#end();
      return;
    }
    const deadlineMs = machine.nextDeadlineMs();
    if (deadlineMs < this.#timerAtMs) this.#arm(deadlineMs);
  }

  #arm(deadlineMs: number): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = deadlineMs;
    this.#timer = setTimeout(() => this.#timeout(), Math.max(1, Math.ceil(deadlineMs - this.#clock.nowMs())));
  }

  #timeout(): void {
    this.#timerAtMs = Infinity;
    this.#machine.handleTimeout(this.#clock.nowMs());
    this.#turns.touch();
  }

  #end(): void {
    this.#ending = true;
    clearTimeout(this.#timer);
    this.#socket.end();
    this.#timer = setTimeout(() => this.destroy(), lingerMs);
  }

  /** Ends without ceremony. */
  destroy(): void {
    if (!this.#closed) this.#socket.destroy(false);
  }
}
