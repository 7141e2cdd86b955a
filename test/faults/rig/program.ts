import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { until } from '../../e2e/until.ts';
import { monotonicMs } from './clock.ts';

/** Lines kept of a program's output; a router that logs more in one run has its oldest lines dropped. */
const maxLines = 50_000;
/** After SIGTERM a program has this long, then it is killed. */
const terminationMs = 5000;
/** A program of the rig answers a question within this time. */
const answerTimeoutMs = 30_000;

/** One line of a program's output and when it was received. */
export interface LogLine {
  readonly atMs: number;
  readonly text: string;
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** The program is one of the rig's own and answers `ask` on Node's message channel. */
  readonly answers?: boolean;
}

/** A process that the rig started. It is ended by its own process id only. */
export class Program {
  readonly name: string;
  readonly lines: LogLine[] = [];
  /** Resolves when the process has ended and its output has been read. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;

  constructor(name: string, command: readonly string[], options: ProgramOptions = {}) {
    const [program = '', ...parameters] = command;
    this.name = name;
    this.#child = spawn(program, parameters, {
      stdio: ['ignore', 'pipe', 'pipe', ...(options.answers === true ? (['ipc'] as const) : [])],
      env: { ...process.env, ...options.environment },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) if (stream !== null) this.#read(stream);
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#keep(error.message);
        resolve({ code: -1, signal: null });
      });
      this.#child.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  #read(stream: NodeJS.ReadableStream): void {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#keep(line);
    });
    stream.once('end', () => {
      if (rest !== '') this.#keep(rest);
    });
  }

  #keep(text: string): void {
    if (this.lines.length >= maxLines) this.lines.splice(0, maxLines / 10);
    this.lines.push({ atMs: monotonicMs(), text });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The last lines of its output, for messages about failures. */
  tail(count = 30): string {
    return this.lines
      .slice(-count)
      .map(({ text }) => text)
      .join('\n');
  }

  /** The first line since `sinceMs` that matches; undefined when there is none yet. */
  find(pattern: RegExp, sinceMs = 0): LogLine | undefined {
    return this.lines.find(({ atMs, text }) => atMs >= sinceMs && pattern.test(text));
  }

  /** Lines since `sinceMs` that match. */
  findAll(pattern: RegExp, sinceMs = 0): LogLine[] {
    return this.lines.filter(({ atMs, text }) => atMs >= sinceMs && pattern.test(text));
  }

  /** Waits for a line that matches. Throws with the last lines when the program ends or the time is over. */
  async logged(pattern: RegExp, options: { sinceMs?: number; timeoutMs?: number } = {}): Promise<LogLine> {
    return await until(
      `${this.name} says ${pattern}`,
      () => {
        const line = this.find(pattern, options.sinceMs ?? 0);
        if (line === undefined && !this.running) throw new Error(`${this.name} ended:\n${this.tail()}`);
        return line;
      },
      options.timeoutMs ?? 20_000,
      () => this.tail(),
    );
  }

  /** Asks a program of the rig (`answers`) and gives its answer. */
  async ask<T>(question: unknown): Promise<T> {
    const answered = once(this.#child, 'message', { signal: AbortSignal.timeout(answerTimeoutMs) });
    this.#child.send(question as object);
    const [answer] = (await Promise.race([
      answered,
      this.ended.then(() => {
        throw new Error(`${this.name} ended before it answered:\n${this.tail()}`);
      }),
    ])) as [T];
    return answer;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal);
  }

  /** Ends it at once. */
  async kill(): Promise<ProcessEnd> {
    this.signal('SIGKILL');
    return await this.ended;
  }

  /** SIGTERM, and SIGKILL when it has not ended by itself after `graceMs`. */
  async stop(graceMs = terminationMs): Promise<ProcessEnd> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }
}

/** Runs a command to its end and gives its standard output; throws with what it said when it fails. */
export async function run(command: readonly string[], input = '', timeoutMs = 20_000): Promise<string> {
  const [program = '', ...parameters] = command;
  const child = spawn(program, parameters, { stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' });
  let out = '';
  let error = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (error += text));
  child.stdin.on('error', () => undefined).end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${command.join(' ')}: ${(error || out).trim()}`);
  return out;
}
