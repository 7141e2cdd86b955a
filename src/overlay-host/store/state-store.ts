import { join } from 'node:path';
import type { Logger } from '../../base/log.ts';
import { AppendLog } from './append-log.ts';

/*
 * state.log, one line of JSON for each change, the last one of a key counts:
 *
 *   ["<key>",<value>]                 the key has this value
 *   ["<key>"]                         the key is no more
 */

const fileName = 'state.log';

/** What a daemon must not forget, by keys. A change is in memory at once and on the disk when `saved` says so. */
export class StateStore implements AsyncDisposable {
  readonly #values: Map<string, unknown>;
  readonly #log: AppendLog;
  #last: Promise<void> = Promise.resolve();

  private constructor(values: Map<string, unknown>, log: AppendLog) {
    this.#values = values;
    this.#log = log;
  }

  /** Throws WeatherError. */
  static async open(folder: string, log: Logger): Promise<StateStore> {
    const path = join(folder, fileName);
    const values = new Map<string, unknown>();
    for (const line of (await AppendLog.read(path)).split('\n')) {
      const change = parseChange(line);
      if (change === undefined) {
        if (line !== '') log.warn('a line of the state is damaged, as after a power cut', { file: path });
      } else if (change.length === 1) values.delete(change[0]);
      else values.set(change[0], change[1]);
    }
    const shortest = (): string => [...values].map(([key, value]) => lineOf(key, value)).join('');
    return new StateStore(values, await AppendLog.open(path, { shortest }));
  }

  entries(): Iterable<readonly [key: string, value: unknown]> {
    return this.#values.entries();
  }

  get(key: string): unknown {
    return this.#values.get(key);
  }

  /** `undefined` deletes. */
  set(key: string, value: unknown): void {
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
    this.#last = this.#log.append(lineOf(key, value));
    // Whoever needs it on the disk awaits `saved`.
    this.#last.catch(() => undefined);
  }

  /** Resolves when all that was set until now is on the disk. Rejects with WeatherError. */
  saved(): Promise<void> {
    return this.#last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]();
  }
}

function lineOf(key: string, value: unknown): string {
  return `${JSON.stringify(value === undefined ? [key] : [key, value])}\n`;
}

function parseChange(line: string): readonly [string] | readonly [string, unknown] | undefined {
  try {
    const change: unknown = JSON.parse(line);
    if (!Array.isArray(change) || change.length < 1 || change.length > 2 || typeof change[0] !== 'string') return undefined;
    return change.length === 1 ? [change[0]] : [change[0], change[1]];
  } catch {
    return undefined;
  }
}
