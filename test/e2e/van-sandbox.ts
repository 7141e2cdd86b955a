import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.ts';

const launcher = join(import.meta.dirname, '../../van');
/** No command of a test waits longer than this by itself. */
const commandTimeoutMs = 30_000;

/** What one command did. */
export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

export interface SandboxOptions {
  /** The checkout's launcher if absent. */
  readonly program?: string;
  /** What commands find in their environment beside where their state is; that of this process if absent. */
  readonly environment?: Readonly<NodeJS.ProcessEnv>;
}

/** The product's command line with state of its own. Disposing ends every site by its process id and removes the state. */
export class VanSandbox implements AsyncDisposable {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly #program: string;
  readonly #inherited: Readonly<NodeJS.ProcessEnv>;

  private constructor(folder: string, { program = launcher, environment = process.env }: SandboxOptions) {
    this.#program = program;
    this.#inherited = environment;
    this.folder = folder;
    this.environment = { XDG_DATA_HOME: join(folder, 'data'), XDG_RUNTIME_DIR: join(folder, 'run') };
  }

  static async make(options: SandboxOptions = {}): Promise<VanSandbox> {
    const folder = await mkdtemp(join(tmpdir(), 'caravan-cli-'));
    await mkdir(join(folder, 'run'), { mode: 0o700 });
    return new VanSandbox(folder, options);
  }

  /** A path in the sandbox. */
  file(name: string): string {
    return join(this.folder, name);
  }

  /** Runs `van` with the words of `line`. */
  async van(line: string, options: { input?: string; environment?: Readonly<Record<string, string>> } = {}): Promise<Outcome> {
    const child = spawn(this.#program, line.split(' '), {
      cwd: this.folder,
      env: { ...this.#inherited, ...this.environment, ...options.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: commandTimeoutMs,
      killSignal: 'SIGKILL',
    });
    let out = '';
    let error = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (error += text));
    child.stdin.on('error', () => undefined).end(options.input ?? '');
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    return { code, out, error };
  }

  /** Runs a command that must succeed and gives what it printed. */
  async done(line: string, options: { input?: string } = {}): Promise<string> {
    const { code, out, error } = await this.van(line, options);
    if (code !== 0) throw new Error(`van ${line} ended with ${code}:\n${error}${out}`);
    return out;
  }

  /** The process id of a site that has been started. */
  async pid(namespace: string): Promise<number> {
    return Number(await readFile(join(this.#namespaces, namespace, 'runtime/supervisor.pid'), 'utf8'));
  }

  get #namespaces(): string {
    return join(this.folder, 'data/caravan/namespaces');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of await readdir(this.#namespaces).catch(() => [])) {
      const pid = await this.pid(namespace).catch(() => 0);
      if (pid > 0 && isAlive(pid)) {
        process.kill(pid, 'SIGKILL');
        await until(`process ${pid} ends`, () => !isAlive(pid));
      }
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Whether a process of this id runs. One that has ended counts as gone, also before its parent has asked for its result. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.charAt(stat.lastIndexOf(')') + 2) !== 'Z';
  } catch (error) {
    // No /proc: the signal said it.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && process.platform !== 'linux';
  }
}
