import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WeatherError } from '../base/errors.ts';
import { nodeFlags } from '../host/node-flags.ts';
import { startDaemon, type Daemon } from '../host/daemon.ts';
import { layoutOf } from './process-environment.ts';
import { openSiteFolder } from './site-folder.ts';
import { siteClient } from './site-client.ts';
import type { SiteStatusBody } from './site-requests.ts';

export interface StartSiteOptions {
  readonly namespace: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** How long the site may take until it answers. */
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 30_000;
const pollMs = 50;
/** Lines of the log that a failure shows. */
const shownLines = 5;

/**
 * Starts the site of a namespace in a process of its own and waits until it answers. Gives its status; a site that runs
 * already is left as it is. Throws WeatherError `site-start-failed` with the last lines of its log.
 */
export async function startSiteInBackground(options: StartSiteOptions): Promise<SiteStatusBody> {
  const { namespace, environment = process.env, timeoutMs = defaultTimeoutMs } = options;
  const layout = layoutOf(namespace, environment);
  const running = await statusOf(namespace, environment);
  if (running !== undefined) return running;
  // Makes the folders, and tells now that another process has them.
  await (await openSiteFolder(layout))[Symbol.asyncDispose]();
  const program = join(import.meta.dirname, '..', 'cli', `main${extname(import.meta.filename)}`);
  const daemon = await startDaemon({
    program: process.execPath,
    parameters: [...nodeFlags, program, 'site', 'run', '-n', namespace],
    environment,
    logFile: layout.logFile,
  });
  let ended: number | string | undefined;
  void daemon.exited.then((code) => (ended = code));
  const deadlineMs = performance.now() + timeoutMs;
  while (performance.now() < deadlineMs) {
    const status = await statusOf(namespace, environment);
    if (status !== undefined) return status;
    if (ended !== undefined) throw failed(`the site ended at its start (${ended})`, daemon, layout.logFile);
    await sleep(pollMs);
  }
  daemon.kill('SIGKILL');
  throw failed(`the site did not answer within ${timeoutMs / 1000} s`, daemon, layout.logFile);
}

async function statusOf(namespace: string, environment: NodeJS.ProcessEnv): Promise<SiteStatusBody | undefined> {
  try {
    return await siteClient(namespace, environment).request<SiteStatusBody>({ operation: 'STATUS' });
  } catch (error) {
    if (error instanceof WeatherError && ['site-not-running', 'no-site', 'connection-lost'].includes(error.code)) return undefined;
    throw error;
  }
}

function failed(what: string, daemon: Daemon, logFile: string): WeatherError {
  const lines = daemon.lastLines(shownLines);
  const said = lines.length === 0 ? '' : `:\n${lines.map((line) => `  ${line}`).join('\n')}`;
  return new WeatherError('site-start-failed', `${what}${said}`, { remedy: `the whole log is in ${logFile}` });
}
