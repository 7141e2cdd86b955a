import type { ServiceContext } from './service.ts';

/** The one timer of a service's machine, which says when it wants to be woken; what it then does goes out in that turn. */
export class WakeTimer {
  readonly #context: Pick<ServiceContext, 'clock' | 'turns'>;
  readonly #due: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: Pick<ServiceContext, 'clock' | 'turns'>, due: () => void) {
    this.#context = context;
    this.#due = due;
  }

  /** Calls `due` at that time. A later call takes the place of the one before. */
  at(dueMs: number): void {
    clearTimeout(this.#timer);
    if (dueMs === Infinity) return;
    const { clock, turns } = this.#context;
    this.#timer = setTimeout(
      () => {
        this.#due();
        turns.touch();
      },
      Math.max(1, Math.ceil(dueMs - clock.nowMs())),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
