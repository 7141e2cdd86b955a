import type { ByteMachine } from '../base/byte-machine.ts';
import type { Clock } from '../base/clock.ts';
import type { TurnQueue } from './turn.ts';

/** After a machine has ended, the peer gets this long to close its side. */
const lingerMs = 2000;

/** The one timer of a machine that is driven over a connection: its deadline, and after its end the time that the peer has. */
export class MachineTimer {
  readonly #machine: ByteMachine;
  readonly #clock: Clock;
  readonly #turns: TurnQueue;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Infinity;

  constructor(machine: ByteMachine, clock: Clock, turns: TurnQueue) {
    this.#machine = machine;
    this.#clock = clock;
    this.#turns = turns;
  }

  /** Called at the end of a turn: the deadline may have come nearer. One that has moved away is found when it is due. */
  rearm(): void {
    const deadlineMs = this.#machine.nextDeadlineMs();
    if (deadlineMs >= this.#dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = deadlineMs;
    this.#timer = setTimeout(() => this.#due(), Math.max(1, Math.ceil(deadlineMs - this.#clock.nowMs())));
  }

  #due(): void {
    this.#dueMs = Infinity;
    this.#machine.handleTimeout(this.#clock.nowMs());
    this.#turns.touch();
  }

  /** The machine has ended, and our side of the connection is closed: `giveUp` is called when the peer does not close its own. */
  linger(giveUp: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(giveUp, lingerMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
