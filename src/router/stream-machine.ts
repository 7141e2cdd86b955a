import type { ByteMachine } from '../base/byte-machine.ts';
import type { Clock } from '../base/clock.ts';
import type { StreamSocket, StreamSocketHandler } from '../base/stream-socket.ts';
import { MachineTimer } from '../host/machine-timer.ts';
import type { TurnQueue, TurnTask } from '../host/turn.ts';

/** Octets handed to the socket and not yet taken; beyond it they wait in the machine, which tells its sources. */
const maxInFlightBytes = 1_048_576;

/** Drives a protocol machine over a byte stream, whatever carries it: one write at the end of a turn, one timer. */
export class StreamMachine implements StreamSocketHandler, TurnTask {
  readonly #socket: StreamSocket;
  readonly #machine: ByteMachine;
  readonly #clock: Clock;
  readonly #turns: TurnQueue;
  /** Views of the machine's buffers that the socket has. */
  #lent = 0;
  readonly #timer: MachineTimer;
  #ending = false;
  #closed = false;

  /** Starts the machine; the socket is paused, and flows from now on. */
  constructor(socket: StreamSocket, machine: ByteMachine, clock: Clock, turns: TurnQueue) {
    this.#socket = socket;
    this.#machine = machine;
    this.#clock = clock;
    this.#turns = turns;
    this.#timer = new MachineTimer(machine, clock, turns);
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
    this.#timer.stop();
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
    this.#timer.rearm();
  }

  #end(): void {
    this.#ending = true;
    this.#socket.end();
    this.#timer.linger(() => this.destroy());
  }

  /** Ends without ceremony. */
  destroy(): void {
    if (!this.#closed) this.#socket.destroy(false);
  }
}
