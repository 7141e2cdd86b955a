import type { Connection } from '../../amqp/connection.ts';
import type { Held } from './link-owner.ts';

/** The messages of one peer that can go no further for now: while there are any, it may not send. */
export class HeldMessages {
  readonly #connection: Connection;
  readonly #held = new Set<Held>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  hold(message: Held): void {
    this.#held.add(message);
    this.#connection.withholdWindow = true;
  }

  release(message: Held): void {
    if (this.#held.delete(message) && this.#held.size === 0) this.#connection.renewWindows();
  }

  sweep(nowMs: number): void {
    for (const message of [...this.#held]) message.sweep(nowMs);
  }

  clear(): void {
    this.#held.clear();
  }
}
