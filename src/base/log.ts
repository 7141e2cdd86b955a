export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Structured log. `fields` must be plain data; a logger never throws and never keeps the object it is given. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** A logger whose lines carry `component`. */
  child(component: string): Logger;
}

/** Drops everything. For tests and for library use without a log. */
export const silentLogger: Logger = {
  debug(): void {},
  info(): void {},
  warn(): void {},
  error(): void {},
  child(): Logger {
    return silentLogger;
  },
};
