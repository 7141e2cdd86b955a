import { InputError } from '../base/errors.ts';
import { parseDuration } from '../site/duration.ts';

/** Values of the parameters of a question. Each function throws InputError `bad-request`, which names the parameter. */

function bad(name: string, message: string): InputError {
  return new InputError('bad-request', name, message);
}

/** A text that is there and not empty. */
export function textParameter(query: URLSearchParams, name: string): string | undefined {
  const value = query.get(name);
  return value === null || value === '' ? undefined : value;
}

export function durationParameter(query: URLSearchParams, name: string, otherwiseMs: number, mostMs: number): number {
  const value = textParameter(query, name);
  if (value === undefined) return otherwiseMs;
  const milliseconds = parseDuration(value);
  if (milliseconds === undefined || milliseconds < 1000 || milliseconds > mostMs) {
    throw bad(name, `must be a duration from 1s to ${Math.floor(mostMs / 1000)}s, such as 60s or 5m`);
  }
  return milliseconds;
}

export function integerParameter(query: URLSearchParams, name: string, least: number, most: number): number | undefined {
  const value = textParameter(query, name);
  if (value === undefined) return undefined;
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= least && number <= most)) throw bad(name, `must be a whole number from ${least} to ${most}`);
  return number;
}

export function choiceParameter<T extends string>(query: URLSearchParams, name: string, choices: readonly T[]): T | undefined {
  const value = textParameter(query, name);
  if (value === undefined) return undefined;
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw bad(name, `must be one of ${choices.join(', ')}`);
  return found;
}

/** Least and greatest of `404` or `5xx`. */
export function statusParameter(query: URLSearchParams, name: string): readonly [number, number] | undefined {
  const value = textParameter(query, name);
  if (value === undefined) return undefined;
  if (/^[1-5]\d\d$/.test(value)) return [Number(value), Number(value)];
  if (/^[1-5]xx$/i.test(value)) return [Number(value.charAt(0)) * 100, Number(value.charAt(0)) * 100 + 99];
  throw bad(name, 'must be a status such as 404, or a class such as 5xx');
}
