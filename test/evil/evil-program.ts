import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { until } from '../e2e/until.ts';
import type { Expected } from './attack.ts';

const program = join(import.meta.dirname, 'main.ts');
const startTimeoutMs = 20_000;

/** What came of one attack, as the program says. */
export interface AttackOutcome {
  readonly attack: string;
  readonly expected: Expected;
  readonly sent: number;
  readonly linksUp: number;
  readonly keptOutMs: number | null;
  readonly endings: readonly string[];
  readonly taken: number;
  readonly accepted: number;
  readonly replies: number;
}

/** The evil router as a process. `command` may put it on another host. */
export class EvilProgram implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly outcomes: AttackOutcome[] = [];
  #text = '';
  #errors = '';
  #ended = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#text + text).split('\n');
      this.#text = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('{')) this.outcomes.push(JSON.parse(line) as AttackOutcome);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    child.once('close', () => (this.#ended = true));
  }

  static async start(
    parameters: readonly string[],
    command: (line: readonly string[]) => readonly string[] = (line) => line,
  ): Promise<EvilProgram> {
    const [file = '', ...rest] = command([process.execPath, program, '--wait-line', ...parameters]);
    const running = new EvilProgram(spawn(file, rest, { stdio: ['pipe', 'pipe', 'pipe'] }));
    await until(
      'the evil router runs',
      () => running.#errors.includes('is running') || running.#check(),
      startTimeoutMs,
      () => running.#errors,
    );
    return running;
  }

  /** Lets it make its next attack and gives what came of it. `meanwhile` runs again and again. */
  async attack(timeoutMs: number, meanwhile?: () => Promise<void>): Promise<AttackOutcome> {
    const count = this.outcomes.length;
    this.#child.stdin?.write('\n');
    return await until(
      'the attack is over',
      async () => {
        this.#check();
        await meanwhile?.();
        return this.outcomes[count];
      },
      timeoutMs,
      () => this.#errors,
    );
  }

  #check(): false {
    if (this.#ended && this.#text === '') throw new Error(`the evil router has ended:\n${this.#errors}`);
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}
