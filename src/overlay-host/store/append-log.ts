import { mkdir, open, readFile, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WeatherError } from '../../base/errors.ts';
import { writeFailure, writeFileAtomic } from '../../host/atomic-file.ts';

/** Octets of lines that wait for the disk: far more than all hosts' calls of a second. */
const waitingLimitBytes = 16 * 1024 * 1024;
/** A log below this size is not made shorter: it is read in a moment. */
const compactAboveBytes = 1024 * 1024;

export interface AppendLogOptions {
  /** The shortest log that says the same as this one, as lines with their ends. Called between two writes. */
  readonly shortest: () => string;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * A file of lines that only grows, until it is replaced by its shortest form. All lines that come while the disk is busy go to it with the
 * next write: one sync for many callers.
 */
export class AppendLog implements AsyncDisposable {
  readonly #path: string;
  readonly #options: AppendLogOptions;
  #file: FileHandle;
  #sizeBytes: number;
  /** At which it is next made shorter. */
  #compactAtBytes: number;
  #text = '';
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #failure: WeatherError | undefined;

  private constructor(path: string, options: AppendLogOptions, file: FileHandle, sizeBytes: number) {
    this.#path = path;
    this.#options = options;
    this.#file = file;
    this.#sizeBytes = sizeBytes;
    this.#compactAtBytes = Math.max(compactAboveBytes, 2 * sizeBytes);
  }

  /** What the file holds; empty when there is none. Throws WeatherError `state-not-readable`. */
  static async read(path: string): Promise<string> {
    try {
      return await readFile(path, 'utf8');
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === 'ENOENT') return '';
      throw new WeatherError('state-not-readable', `cannot read ${path}: ${code ?? 'unknown'}`, { cause, remedy: 'run as root' });
    }
  }

  /** Opens the file anew with the shortest form of what it held. Throws WeatherError. */
  static async open(path: string, options: AppendLogOptions): Promise<AppendLog> {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw writeFailure(path, cause);
    }
    const text = options.shortest();
    await writeFileAtomic(path, text);
    return new AppendLog(path, options, await openForAppending(path), Buffer.byteLength(text));
  }

  /** Resolves when the text is on the disk. Rejects with WeatherError; from then on nothing is taken any more. */
  append(text: string): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#text.length + text.length > waitingLimitBytes) {
      return Promise.reject(new WeatherError('disk-slow', `the disk of ${this.#path} does not keep up`, { remedy: 'try again later' }));
    }
    this.#text += text;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running;
    await this.#file.close();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting;
      const text = this.#text;
      this.#waiting = [];
      this.#text = '';
      try {
        if (this.#failure !== undefined) throw this.#failure;
        const { bytesWritten } = await this.#file.write(text);
        await this.#file.datasync();
        this.#sizeBytes += bytesWritten;
        for (const { resolve } of waiting) resolve();
        // The callers of these lines note them in memory first, in their own continuations. What waits now is written behind the shortest form.
        await new Promise(setImmediate);
        if (this.#sizeBytes >= this.#compactAtBytes) await this.#compact();
      } catch (cause) {
        this.#failure = writeFailure(this.#path, cause);
        for (const { reject } of waiting) reject(this.#failure);
      }
    }
    this.#running = undefined;
  }

  async #compact(): Promise<void> {
    const text = this.#options.shortest();
    await writeFileAtomic(this.#path, text);
    const before = this.#file;
    this.#file = await openForAppending(this.#path);
    await before.close();
    this.#sizeBytes = Buffer.byteLength(text);
    this.#compactAtBytes = Math.max(compactAboveBytes, 2 * this.#sizeBytes);
  }
}

async function openForAppending(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'a', 0o600);
  } catch (cause) {
    throw writeFailure(path, cause);
  }
}
