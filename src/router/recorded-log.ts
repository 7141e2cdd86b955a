import type { Logger } from '../base/log.ts';

/** Severities of records, by skupper-router's numbers. */
export type RecordedSeverity = 2 | 3;
export type RecordLine = (severity: RecordedSeverity, text: string) => void;

/** Longest line that is told to others, and value in it, in characters. */
const maxLineLength = 500;
const maxValueLength = 200;
/** Fields that may hold what others must not see. */
const secret = /pass|secret|token|key|credential/i;

/** A log whose warnings and errors are told as records as well. */
export class RecordedLog implements Logger {
  readonly #log: Logger;
  readonly #tell: RecordLine;
  readonly #component: string;

  constructor(log: Logger, tell: RecordLine, component = '') {
    this.#log = log;
    this.#tell = tell;
    this.#component = component;
  }

  debug(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#log.debug(message, fields);
  }

  info(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#log.info(message, fields);
  }

  warn(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#log.warn(message, fields);
    this.#tell(2, this.#line(message, fields));
  }

  error(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#log.error(message, fields);
    this.#tell(3, this.#line(message, fields));
  }

  child(component: string): Logger {
    return new RecordedLog(this.#log.child(component), this.#tell, component);
  }

  #line(message: string, fields: Readonly<Record<string, unknown>> = {}): string {
    let line = this.#component === '' ? message : `${this.#component}: ${message}`;
    for (const [key, value] of Object.entries(fields)) {
      if (secret.test(key) || value === undefined) continue;
      const text = value instanceof Error ? value.message : value;
      if (typeof text === 'string' || typeof text === 'number') line += ` ${key}=${String(text).slice(0, maxValueLength)}`;
      if (line.length > maxLineLength) break;
    }
    return line.slice(0, maxLineLength);
  }
}
