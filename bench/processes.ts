import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** How much of a process's output is kept for error messages. */
const maximumOutputCharacters = 64 * 1024;
/** After SIGTERM a process has this long before SIGKILL; routers drain within it when nothing runs through them. */
const terminationGraceMs = 3000;

/** A process that this program started and will stop. */
export interface StartedProcess {
  readonly name: string;
  readonly pid: number;
  /** The first characters of what it wrote to stdout and stderr. */
  output(): string;
  /** False once the process has ended. */
  running(): boolean;
}

interface Entry extends StartedProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
}

/** Every process the benchmark starts; disposing stops them all, by their pids, newest first. */
export class Processes implements AsyncDisposable {
  readonly #entries = new Set<Entry>();

  /** Starts a process that runs until it is stopped. Throws when the command cannot be started. */
  async start(name: string, command: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<StartedProcess> {
    const [program, ...parameters] = command as [string, ...string[]];
    const child = spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
    let output = '';
    const keep = (text: string): void => {
      if (output.length < maximumOutputCharacters) output += text;
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    const exited = new Promise<void>((resolve) => {
      child.once('close', () => {
        this.#entries.delete(entry);
        resolve();
      });
    });
    const running = (): boolean => child.exitCode === null && child.signalCode === null;
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    const entry: Entry = { name, pid: child.pid as number, output: () => output, running, child, exited };
    this.#entries.add(entry);
    return entry;
  }

  /**
   * Runs a process to its end and gives its stdout. A failing exit code, the time limit and the signal end it with an error
   * that carries what it wrote.
   */
  async run(name: string, command: readonly string[], limit: { timeoutMs: number; signal?: AbortSignal }): Promise<string> {
    limit.signal?.throwIfAborted();
    const [program, ...parameters] = command as [string, ...string[]];
    const child = spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    let reason = '';
    const end = (why: string): void => {
      reason = why;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => end(`did not end within ${limit.timeoutMs} ms`), limit.timeoutMs);
    const onAbort = (): void => end('was interrupted');
    limit.signal?.addEventListener('abort', onAbort);
    try {
      const code = await new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', resolve);
      });
      limit.signal?.throwIfAborted();
      if (code !== 0)
        throw new Error(`${name} ${reason || `ended with code ${code}`}: ${(output.stderr || output.stdout).trim().slice(-2000)}`);
      return output.stdout;
    } finally {
      clearTimeout(timer);
      limit.signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Stops one process: SIGTERM, then SIGKILL after the grace. Does nothing when it has ended. */
  async stop(started: StartedProcess): Promise<void> {
    const entry = started as Entry;
    if (!this.#entries.has(entry)) return;
    entry.child.kill('SIGTERM');
    const grace = new AbortController();
    await Promise.race([entry.exited, sleep(terminationGraceMs, undefined, { signal: grace.signal }).catch(() => undefined)]);
    grace.abort();
    if (entry.running()) entry.child.kill('SIGKILL');
    await entry.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#entries].reverse().map((entry) => this.stop(entry)));
  }

  /** For the process's own exit, when nothing can be awaited any more. */
  killNow(): void {
    for (const entry of this.#entries) entry.child.kill('SIGKILL');
  }
}
