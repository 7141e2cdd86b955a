import { spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { writeFailure } from './atomic-file.ts';

export interface DaemonOptions {
  readonly program: string;
  readonly parameters: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** Gets what the process writes; appended to. */
  readonly logFile: string;
}

/** A process that goes on when this one ends. */
export interface Daemon {
  readonly pid: number;
  /** How it ended, while this process is there to see it: exit code, or name of the signal. */
  readonly exited: Promise<number | string>;
  /** What it has written to its log, the last lines. */
  lastLines(count: number): readonly string[];
  kill(signal: NodeJS.Signals): void;
}

/** Longest part of the log that is looked at for the last lines. */
const tailBytes = 16 * 1024;

/** Starts a process in a session of its own, with the log file as its output. Throws WeatherError when that cannot be opened. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { program, parameters, environment, logFile } = options;
  const descriptor = openLog(logFile);
  const startSize = fstatSync(descriptor).size;
  const child = spawn(program, parameters, { detached: true, env: environment, cwd: '/', stdio: ['ignore', descriptor, descriptor] });
  const exited = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    child.once('error', (error) => resolve(error.message));
  });
  closeSync(descriptor);
  await new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.unref();
  const pid = child.pid ?? 0;
  return {
    pid,
    exited,
    lastLines: (count) => readTail(logFile, startSize).slice(-count),
    kill: (signal) => void child.kill(signal),
  };
}

function openLog(path: string): number {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW, 0o600);
  } catch (cause) {
    throw writeFailure(path, cause);
  }
}

/** Lines of the file behind `startSize`. A log that has been cut meanwhile is read from its start. */
function readTail(path: string, startSize: number): string[] {
  const descriptor = openSync(path, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const from = Math.max(size < startSize ? 0 : startSize, size - tailBytes);
    const bytes = Buffer.alloc(size - from);
    const length = readSync(descriptor, bytes, 0, bytes.length, from);
    return bytes
      .toString('utf8', 0, length)
      .split('\n')
      .filter((line) => line !== '');
  } finally {
    closeSync(descriptor);
  }
}
