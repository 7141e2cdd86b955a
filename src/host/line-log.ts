import type { LogLevel, Logger } from '../base/log.ts';

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Fields longer than this are cut: a log line must not become a copy of a peer's input. */
const maxFieldLength = 512;

/** Beyond what JSON escapes: DEL, C1, line separators and the marks of bidirectional text. */
const steering = /[\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Writes one line per message: time, level, component, message, then fields as key=value with JSON values. JSON escapes control
 * characters, so that names from the network cannot break a line or steer a terminal.
 */
export function lineLogger(write: (line: string) => void, level: LogLevel, wallMs: () => number, component = 'van'): Logger {
  const log = (at: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void => {
    if (ranks[at] < ranks[level]) return;
    let line = `${new Date(wallMs()).toISOString()} ${at.padEnd(5)} ${component}: ${message}`;
    if (fields !== undefined) {
      for (const [key, value] of Object.entries(fields)) if (value !== undefined) line += ` ${key}=${fieldText(value)}`;
    }
    write(`${line}\n`);
  };
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
    child: (name) => lineLogger(write, level, wallMs, name),
  };
}

function fieldText(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value instanceof Error ? value.message : value) ?? 'null';
  } catch {
    // A logger never throws: what JSON cannot say is named by its kind.
    text = `"${typeof value}"`;
  }
  const safe = text.replaceAll(steering, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return safe.length > maxFieldLength ? `${safe.slice(0, maxFieldLength)}…` : safe;
}
