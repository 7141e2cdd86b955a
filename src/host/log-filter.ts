import type { LogLevel, Logger } from '../base/log.ts';

const ranks: Readonly<Record<LogLevel | 'none', number>> = { debug: 0, info: 1, warn: 2, error: 3, none: 4 };

/** From which level on a component logs. */
export type LogThreshold = LogLevel | 'none';

/** Lets through what the levels of components allow; the levels can change while the process runs. */
export class LogFilter {
  readonly #base: Logger;
  readonly #defaultLevel: LogThreshold;
  #levels: ReadonlyMap<string, LogThreshold> = new Map();

  /** `base` writes everything it is given; `defaultLevel` holds where `configure` says nothing. */
  constructor(base: Logger, defaultLevel: LogThreshold) {
    this.#base = base;
    this.#defaultLevel = defaultLevel;
  }

  /** Levels by component (first word of its name); `''` is for all others. */
  configure(levels: ReadonlyMap<string, LogThreshold>): void {
    this.#levels = levels;
  }

  get logger(): Logger {
    return this.#filtered(this.#base, '');
  }

  #filtered(base: Logger, component: string): Logger {
    const key = component.split(' ', 1)[0] ?? '';
    const allows = (level: LogLevel): boolean => ranks[level] >= ranks[this.#levels.get(key) ?? this.#levels.get('') ?? this.#defaultLevel];
    return {
      debug: (message, fields) => void (allows('debug') && base.debug(message, fields)),
      info: (message, fields) => void (allows('info') && base.info(message, fields)),
      warn: (message, fields) => void (allows('warn') && base.warn(message, fields)),
      error: (message, fields) => void (allows('error') && base.error(message, fields)),
      child: (name) => this.#filtered(base.child(name), name),
    };
  }
}
