import { accessSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where Debian's packages of libfaketime put it, by architecture. */
const libraryFiles: readonly string[] = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`);
/** How often a process looks at its file. */
const cacheSeconds = 1;

function library(): string | undefined {
  return libraryFiles.find((file) => {
    try {
      accessSync(file);
      return true;
    } catch {
      // The other architecture's.
      return false;
    }
  });
}

export function fakedClockMissing(): string | undefined {
  return library() === undefined ? 'libfaketime is not installed (Debian: apt install faketime)' : undefined;
}

/** The wall clock of one process, which can jump; its monotonic clock and its timers are left alone. */
export class FakedClock {
  readonly environment: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor(folder: string, name: string) {
    this.#file = join(folder, `${name}.clock`);
    this.jump(0);
    this.environment = {
      LD_PRELOAD: library() ?? '',
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: String(cacheSeconds),
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** From now on (within a second) the clock is this far ahead of the true time. */
  jump(aheadSeconds: number): void {
    writeFileSync(this.#file, `${aheadSeconds >= 0 ? '+' : ''}${aheadSeconds}\n`);
  }
}
