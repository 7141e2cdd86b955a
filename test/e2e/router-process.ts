import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFlags } from '../../src/host/node-flags.ts';
import { atEndOfTest } from './end-of-test.ts';
import { until } from './until.ts';

export const commandLineFile: string = join(import.meta.dirname, '../../src/cli/main.ts');
/** A busy machine starts a router in well under this. */
const startTimeoutMs = 20_000;
/** After SIGTERM a router drains; whatever is left then is killed. */
const terminationMs = 5000;

/** One entity of a router's configuration. */
export type Entity = readonly [type: string, attributes: Readonly<Record<string, string | number | boolean>>];

export interface RouterOptions {
  readonly id: string;
  readonly entities: readonly Entity[];
  /** Further parameters of `van router`. */
  readonly parameters?: readonly string[];
  /** The command to run in place of `van router`; the configuration file is appended. */
  readonly command?: readonly string[];
  /** The file's text, when it is not the JSON of the entities. */
  readonly configuration?: string;
  /** How the log tells that it runs. */
  readonly ready?: RegExp;
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * A router as a process of its own, with a configuration file in a temporary folder. Disposing stops it and removes the folder; the end of
 * the test that started it does, too: a test that is cancelled never comes to its own end.
 */
export class RouterProcess implements AsyncDisposable {
  readonly id: string;
  readonly #options: RouterOptions;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #ended: Promise<ProcessEnd> = Promise.resolve({ code: null, signal: null });
  /** What it wrote to standard output and standard error, of all its runs. */
  log = '';

  private constructor(options: RouterOptions, folder: string) {
    this.id = options.id;
    this.#options = options;
    this.#folder = folder;
  }

  static async start(options: RouterOptions): Promise<RouterProcess> {
    const router = new RouterProcess(options, await mkdtemp(join(tmpdir(), 'caravan-e2e-')));
    atEndOfTest(async () => await router[Symbol.asyncDispose]());
    await writeFile(
      router.configurationFile,
      options.configuration ?? JSON.stringify([['router', { id: options.id, mode: 'interior' }], ...options.entities], undefined, 2),
    );
    await router.run();
    return router;
  }

  get configurationFile(): string {
    return join(this.#folder, 'router.json');
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get processId(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts the process, again if it has ended, and waits until it says that it runs. */
  async run(): Promise<void> {
    const { command = [process.execPath, ...nodeFlags, commandLineFile, 'router', '--config'], parameters = [] } = this.#options;
    const [program = '', ...first] = command;
    const from = this.log.length;
    const child = spawn(program, [...first, this.configurationFile, ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const keep = (text: string): void => {
      this.log += text;
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.log += `${error.message}\n`;
        resolve({ code: -1, signal: null });
      });
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    const ready = this.#options.ready ?? /router is running/;
    try {
      await until(
        `router ${this.id} runs`,
        () => {
          if (!this.running) throw new Error(`router ${this.id} ended:\n${this.log.slice(from)}`);
          return ready.test(this.log.slice(from));
        },
        startTimeoutMs,
      );
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Waits until the log, from the character `from` on, has a match. */
  async logged(pattern: RegExp, timeoutMs = 10_000, from = 0): Promise<RegExpExecArray> {
    return await until(
      `${this.id} logs ${pattern}`,
      () => pattern.exec(this.log.slice(from)) ?? undefined,
      timeoutMs,
      () => this.log.slice(from),
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Resolves when the process has ended. */
  get ended(): Promise<ProcessEnd> {
    return this.#ended;
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#ended;
  }

  /** Memory in RAM, in bytes; NaN where the system does not tell. */
  residentBytes(): number {
    const file = `/proc/${this.#child?.pid}/status`;
    if (!existsSync(file)) return Number.NaN;
    const [, kibibytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(file, 'utf8')) ?? [];
    return Number(kibibytes) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running) {
      this.signal('SIGTERM');
      const timer = setTimeout(() => this.signal('SIGKILL'), terminationMs);
      await this.#ended;
      clearTimeout(timer);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}
