import { spawn, type ChildProcess } from 'node:child_process';
import { extname, join } from 'node:path';
import type { Logger } from '../base/log.ts';

export interface ObserverProcessOptions {
  readonly namespace: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly log: Logger;
  /** What is run in place of this program, for tests. */
  readonly program?: { readonly path: string; readonly parameters: readonly string[] };
  readonly firstPauseMs?: number;
}

/** How the observer that a site runs is. */
export interface ObserverProcessState {
  readonly state: 'starting' | 'running' | 'failing';
  /** Where the console is; null until it runs. */
  readonly url: string | null;
  /** Why it does not run; null when it does. */
  readonly message: string | null;
}

/** After it ended it is started again: after this time, then twice as long each time, up to the last. */
const defaultFirstPauseMs = 1000;
const lastPauseMs = 60_000;
/** An observer that ran for so long starts the pauses anew. */
const stableMs = 60_000;
/** At its end the observer gets so long to write what it has. */
const endMs = 5000;
/** What is kept of its last words. */
const maxMessageLength = 500;

/**
 * The observer of a site as a process of its own: what it needs of processor and memory is not the router's. It is started again when it
 * ends, and ends with the site: it sees the channel to it close, however the site ended.
 */
export class ObserverProcess implements AsyncDisposable {
  readonly #options: ObserverProcessOptions;
  #wanted: readonly string[] | undefined;
  #child: ChildProcess | undefined;
  #url: string | null = null;
  #message: string | null = null;
  #pauseMs: number;
  #pause: NodeJS.Timeout | undefined;
  #kill: NodeJS.Timeout | undefined;
  #startedMs = 0;
  #isEnding = false;

  constructor(options: ObserverProcessOptions) {
    this.#options = options;
    this.#pauseMs = options.firstPauseMs ?? defaultFirstPauseMs;
  }

  /** Undefined when none is wanted. */
  get state(): ObserverProcessState | undefined {
    if (this.#wanted === undefined) return undefined;
    const state = this.#url !== null ? 'running' : this.#message === null ? 'starting' : 'failing';
    return { state, url: this.#url, message: this.#message };
  }

  /** Runs it with these options of `van observe`; undefined ends it. */
  apply(wanted: readonly string[] | undefined): void {
    if (this.#isEnding || JSON.stringify(wanted) === JSON.stringify(this.#wanted)) return;
    this.#wanted = wanted;
    this.#message = null;
    this.#pauseMs = this.#options.firstPauseMs ?? defaultFirstPauseMs;
    clearTimeout(this.#pause);
    // What runs is started anew with the other options when it has ended.
    if (this.#child === undefined) this.#start();
    else this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    this.#wanted = undefined;
    clearTimeout(this.#pause);
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    this.#end();
    await ended;
  }

  #start(): void {
    const { namespace, environment, log } = this.#options;
    if (this.#wanted === undefined) return;
    const main = join(import.meta.dirname, '..', 'cli', `main${extname(import.meta.filename)}`);
    const { path, parameters } = this.#options.program ?? { path: process.execPath, parameters: [main] };
    const child = spawn(path, [...parameters, 'observe', '-n', namespace, ...this.#wanted], {
      env: environment,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    this.#startedMs = performance.now();
    let lastWords = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      // The same file as the site's own log.
      process.stderr.write(text);
      lastWords = `${lastWords}${text}`.slice(-4 * maxMessageLength);
    });
    child.on('message', (message) => {
      const { url } = (message as { readonly ready?: { readonly url?: unknown } }).ready ?? {};
      if (typeof url !== 'string') return;
      this.#url = url;
      this.#message = null;
      log.info('the observer runs', { pid: child.pid, url });
    });
    child.once('error', (error) => (lastWords = error.message));
    child.once('close', (code, signal) => this.#ended(child, code ?? signal ?? 'unknown', lastWords));
    log.debug('the observer was started', { pid: child.pid });
  }

  #ended(child: ChildProcess, how: number | string, lastWords: string): void {
    const { log, firstPauseMs = defaultFirstPauseMs } = this.#options;
    if (child !== this.#child) return;
    this.#child = undefined;
    this.#url = null;
    clearTimeout(this.#kill);
    if (this.#isEnding || this.#wanted === undefined) return;
    // The last line that is no line of its log is the error that ended it.
    const reason = lastWords
      .split('\n')
      .findLast((line) => line.startsWith('error: '))
      ?.slice('error: '.length);
    if (child.killed) {
      this.#start();
      return;
    }
    if (performance.now() - this.#startedMs > stableMs) this.#pauseMs = firstPauseMs;
    this.#message = (reason ?? `it ended (${how})`).slice(0, maxMessageLength);
    log.warn('the observer has ended and is started again', { reason: this.#message, pauseMs: this.#pauseMs });
    this.#pause = setTimeout(() => this.#start(), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, lastPauseMs);
  }

  #end(): void {
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGTERM');
    clearTimeout(this.#kill);
    this.#kill = setTimeout(() => child.kill('SIGKILL'), endMs);
  }
}
