import { addressPatternProblem } from '../base/address-grant.ts';
import { InputError } from '../base/errors.ts';
import { nearestName } from '../base/nearest-name.ts';
import { parseDuration } from '../site/duration.ts';

/** Values that options and parameters have as text. Each function throws InputError, which names `where`. */

/** A whole number from `minimum` to `maximum`. */
export function parseInteger(text: string, where: string, minimum: number, maximum: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= minimum && value <= maximum) return value;
  throw new InputError('bad-option', where, `must be a whole number from ${minimum} to ${maximum}, not '${text}'`);
}

export function parsePort(text: string, where: string): number {
  return parseInteger(text, where, 1, 65535);
}

/** Milliseconds of a duration such as `60s`, `2m` or `1h30m`. */
export function parseDurationMs(text: string, where: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined && milliseconds > 0) return milliseconds;
  const remedy = /^\d{1,9}$/.test(text) && Number(text) > 0 ? { remedy: `write ${where} ${text}s for seconds` } : {};
  throw new InputError('bad-option', where, `must be a duration such as 60s, 2m or 1h30m, not '${text}'`, remedy);
}

/** Address patterns with commas between them; an empty text is none. */
export function parsePatterns(text: string, where: string): readonly string[] {
  const patterns = text.trim() === '' ? [] : text.split(',').map((pattern) => pattern.trim());
  for (const pattern of patterns) {
    const problem = addressPatternProblem(pattern);
    if (problem === undefined) continue;
    throw new InputError('bad-option', where, `the pattern '${pattern}' ${problem}`, {
      remedy: 'use names such as db, beginnings such as db.*, or * for every address, with commas',
    });
  }
  return patterns;
}

/** One of `choices`. */
export function parseChoice<T extends string>(text: string, where: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  const near = nearestName(text, choices);
  const remedy = near === undefined ? {} : { remedy: `did you mean ${near}?` };
  throw new InputError('bad-option', where, `must be one of ${choices.join(', ')}, not '${text}'`, remedy);
}

/** `key=value` each; a key may stand once. */
export function parseSettings(texts: readonly string[], where: string): Readonly<Record<string, string>> {
  const settings = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    const key = text.slice(0, Math.max(0, at)).trim();
    if (key === '') throw new InputError('bad-option', where, `must be key=value, not '${text}'`);
    if (settings.has(key)) throw new InputError('bad-option', where, `gives '${key}' twice`);
    settings.set(key, text.slice(at + 1).trim());
  }
  return Object.fromEntries(settings);
}
