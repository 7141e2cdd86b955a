import { spawn } from 'node:child_process';
import { join } from 'node:path';

const launcher: string = join(import.meta.dirname, '../../van');
/** Waiting for a site or a token to be ready is part of the command. */
const commandTimeoutMs = 30_000;

/** One command: `van -n <namespace> <parameters>`. */
export interface Command {
  readonly namespace: string;
  readonly parameters: readonly string[];
}

/** The product's command line, with the state of all sites in one folder of this run. */
export class Van {
  readonly environment: Readonly<Record<string, string>>;
  readonly #report: (line: string) => void;

  /** `report` gets every command as it is typed. */
  constructor(dataFolder: string, runtimeFolder: string, report: (line: string) => void) {
    this.environment = { XDG_DATA_HOME: dataFolder, XDG_RUNTIME_DIR: runtimeFolder };
    this.#report = report;
  }

  /** Runs one command and gives its stdout. A failing exit code is an error with what the command said. */
  async run({ namespace, parameters }: Command, options: { quiet?: boolean } = {}): Promise<string> {
    const words = ['-n', namespace, ...parameters];
    const line = `van ${words.join(' ')}`;
    if (options.quiet !== true) this.#report(`$ ${line}`);
    const child = spawn(launcher, words, {
      env: { ...process.env, ...this.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: commandTimeoutMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) throw new Error(`\`${line}\` ended with ${code ?? 'a time-out'}: ${(stderr || stdout).trim()}`);
    return stdout;
  }
}
