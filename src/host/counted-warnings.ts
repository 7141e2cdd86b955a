import type { Logger } from '../base/log.ts';

/** A warning of the same message and reason is told once in this time; those that follow are counted and told at its end. */
const windowMs = 60_000;
/** Different ones in that time that are told one by one. Reasons may quote what others sent: those beyond are counted together. */
const maxDistinct = 64;

interface Counted {
  readonly message: string;
  readonly reason: string;
  more: number;
}

/** Warnings that other routers can cause as often as they like: they must not fill the log, and none goes unsaid. */
export class CountedWarnings implements Disposable {
  readonly #log: Logger;
  readonly #counted = new Map<string, Counted>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  warn(message: string, reason: string): void {
    const known = this.#counted.get(keyOf(message, reason));
    if (known !== undefined) {
      known.more++;
      return;
    }
    if (this.#counted.size >= maxDistinct && reason !== otherReasons) {
      this.warn(message, otherReasons);
      return;
    }
    this.#counted.set(keyOf(message, reason), { message, reason, more: 0 });
    this.#log.warn(message, { reason });
    // What is left is told by disposal: a process that has nothing else to do need not wait.
    this.#timer ??= setTimeout(() => this.#tell(), windowMs).unref();
  }

  #tell(): void {
    this.#timer = undefined;
    for (const { message, reason, more } of this.#counted.values()) if (more > 0) this.#log.warn(message, { reason, more });
    this.#counted.clear();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#tell();
  }
}

const otherReasons = 'other reasons';

function keyOf(message: string, reason: string): string {
  return `${message}\n${reason}`;
}
