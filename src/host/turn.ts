import { processClock } from './process-clock.ts';

/** Does its work at the end of a turn of the event loop. */
export interface TurnTask {
  endOfTurn(): void;
}

/**
 * So many messages of one turn fill a record of a link well enough: it goes out, and the next router begins with it while this one still
 * reads. Without that, all requests of busy clients came to travel as one crowd, and all routers but one waited, a fifth of the time.
 */
const messagesPerWrite = 16;

/**
 * Gathers work for the end of the current turn of the event loop: what arrived on all sockets in one turn is written out together,
 * one write per socket. (`setImmediate` runs after all sockets that were ready; a microtask would run after each.)
 */
export class TurnQueue {
  #tasks: TurnTask[] = [];
  #spare: TurnTask[] = [];
  #scheduled = false;
  #messages = 0;
  #nowMs = -1;
  /** Looked at in every turn in which anything happened: machines get output from each other's input. */
  readonly #always = new Set<TurnTask>();

  /** Runs `task` at the end of this turn; the caller adds it once per turn. */
  add(task: TurnTask): void {
    this.#tasks.push(task);
    this.touch();
  }

  /** Something happened: run what is registered for every turn. */
  touch(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  /** As `touch`, for a message by itself; where there are many in one turn, what is registered runs before the turn is over. */
  messageArrived(): void {
    this.touch();
    if (++this.#messages < messagesPerWrite) return;
    this.#messages = 0;
    this.#runRegistered();
  }

  /** The time when this turn first asked, by the clock of the process: exact enough for when something was last seen to move. */
  get nowMs(): number {
    if (this.#nowMs < 0) {
      this.#nowMs = processClock.nowMs();
      this.touch();
    }
    return this.#nowMs;
  }

  /** `task` runs at the end of every turn with activity, before the tasks of that turn, and within one that has many messages. */
  register(task: TurnTask): void {
    this.#always.add(task);
  }

  unregister(task: TurnTask): void {
    this.#always.delete(task);
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    this.#messages = 0;
    this.#runRegistered();
    const tasks = this.#tasks;
    this.#tasks = this.#spare;
    this.#spare = tasks;
    for (let index = 0; index < tasks.length; index++) tasks[index]?.endOfTurn();
    tasks.length = 0;
    this.#nowMs = -1;
  };

  #runRegistered(): void {
    for (const task of this.#always) task.endOfTurn();
  }
}
