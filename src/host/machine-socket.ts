import type { Socket } from 'node:net';
import type { ByteMachine } from '../base/byte-machine.ts';
import type { Clock } from '../base/clock.ts';
import { MachineTimer } from './machine-timer.ts';
import type { TurnQueue, TurnTask } from './turn.ts';

/** Bytes handed to the socket and not yet taken by the kernel; beyond it they wait in the machine, which tells its sources. */
const maxInFlightBytes = 1_048_576;

/** Drives a protocol machine over a socket (plain or TLS): one read, one write at the end of the turn, one timer. */
export class MachineSocket implements TurnTask {
  readonly #socket: Socket;
  readonly #machine: ByteMachine;
  readonly #turns: TurnQueue;
  #inFlightBytes = 0;
  readonly #timer: MachineTimer;
  #ending = false;
  #error: Error | undefined;

  /** Starts the machine. `socket` is connected (TLS: with a finished handshake). */
  constructor(socket: Socket, machine: ByteMachine, clock: Clock, turns: TurnQueue) {
    this.#socket = socket;
    this.#machine = machine;
    this.#timer = new MachineTimer(machine, clock, turns);
    this.#turns = turns;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      machine.receive(bytes, clock.nowMs());
      turns.touch();
    });
    socket.on('end', () => {
      machine.lost('the peer closed the connection');
      turns.touch();
    });
    socket.on('error', (error) => (this.#error = error));
    socket.on('close', () => this.#closed());
    turns.register(this);
    machine.start(clock.nowMs());
    turns.touch();
  }

  endOfTurn(): void {
    const machine = this.#machine;
    if (machine.hasTransmit && !this.#socket.destroyed) this.#flush();
    if (machine.ended) {
      if (!machine.hasTransmit && !this.#ending) this.#end();
      return;
    }
    this.#timer.rearm();
  }

  #flush(): void {
    while (this.#inFlightBytes < maxInFlightBytes) {
      const bytes = this.#machine.nextTransmit();
      if (bytes === undefined) return;
      const { length } = bytes;
      this.#inFlightBytes += length;
      this.#socket.write(bytes, () => {
        this.#inFlightBytes -= length;
        this.#machine.transmitted();
        if (this.#machine.hasTransmit || this.#machine.ended) this.#turns.touch();
      });
    }
  }

  #end(): void {
    this.#ending = true;
    this.#socket.end();
    this.#timer.linger(() => this.#socket.destroy());
  }

  #closed(): void {
    this.#timer.stop();
    this.#turns.unregister(this);
    this.#machine.lost(this.#error?.message ?? 'the connection was closed');
    this.#turns.touch();
  }

  /** Ends without ceremony. */
  destroy(): void {
    this.#socket.destroy();
  }
}
