import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { SiteName } from './topology.ts';

const startTimeoutMs = 5000;
const graceMs = 3000;
const pollMs = 50;

/** A greeting server that this run started. */
export interface GreetingProcess {
  readonly port: number;
  stop(): Promise<void>;
}

function exited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Starts a greeting server in a process of its own and waits until it says its port. */
export async function startGreetingServer(name: string): Promise<GreetingProcess> {
  const program = join(import.meta.dirname, 'greeting-server.ts');
  const child = spawn(process.execPath, [program, '--name', name], { stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = async (): Promise<void> => {
    if (exited(child)) return;
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  };
  try {
    const port = await new Promise<number>((resolve, reject) => {
      const signal = AbortSignal.timeout(startTimeoutMs);
      signal.addEventListener('abort', () => reject(new Error(`the greeting server ${name} did not start`)));
      child.once('error', reject);
      child.stdout.setEncoding('utf8').once('data', (line: string) => resolve(Number(line.trim().split(':').at(-1))));
    });
    return { port, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A process of a site, found by what it was started with. */
interface SiteProcess {
  readonly pid: number;
  readonly parameters: readonly string[];
}

function readProcessFile(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // It has ended, or belongs to somebody else.
  }
}

/**
 * The site processes whose state is in this run's data folder, so that they can be stopped by pid whatever became of the command
 * that started them. What a user runs with that folder in the environment is none of them. Empty where there is no /proc.
 */
function siteProcesses(dataFolder: string): SiteProcess[] {
  let entries: string[];
  try {
    entries = readdirSync('/proc');
  } catch {
    return [];
  }
  const wanted = `XDG_DATA_HOME=${dataFolder}`;
  return entries
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => Number(entry))
    .filter((pid) => pid !== process.pid && readProcessFile(pid, 'environ').split('\0').includes(wanted))
    .map((pid) => ({ pid, parameters: readProcessFile(pid, 'cmdline').split('\0') }))
    .filter(({ parameters }) => parameters.includes('site') && parameters.includes('run'));
}

/** The pid of the router process of one site. Throws when there is not exactly one. */
export function routerPid(dataFolder: string, site: SiteName): number {
  const found = siteProcesses(dataFolder).filter(({ parameters }) => parameters.includes(site));
  const [first] = found;
  if (first === undefined || found.length > 1) throw new Error(`${found.length} processes of site ${site} are running`);
  return first.pid;
}

function signalAll(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids)
    try {
      process.kill(pid, name);
    } catch {
      // It ended meanwhile.
    }
}

/** Ends what is left of the sites' processes: SIGTERM, then SIGKILL. */
export async function stopSiteProcesses(dataFolder: string): Promise<void> {
  const running = (): number[] => siteProcesses(dataFolder).map(({ pid }) => pid);
  signalAll(running(), 'SIGTERM');
  const deadlineMs = performance.now() + graceMs;
  while (running().length > 0 && performance.now() < deadlineMs) await sleep(pollMs);
  signalAll(running(), 'SIGKILL');
}
