import { setTimeout as sleep } from 'node:timers/promises';
import { WeatherError } from '../base/errors.ts';
import { openSiteFolder } from '../supervisor/site-folder.ts';
import type { Call } from './call.ts';
import { withProgress } from './progress.ts';
import type { SiteSession } from './site-session.ts';

const pollMs = 50;

/**
 * Ends the running site and waits until its process has given its folder back. Gives its process id, undefined when it did not
 * run. Throws WeatherError `still-running` when it has not ended within `drainMs` and the timeout.
 */
export async function endSite(call: Call, session: SiteSession, drainMs: number): Promise<number | undefined> {
  const report = await session.report();
  if (report === undefined) return undefined;
  await session.ask('STOP', { drainMs });
  const { pid } = report;
  const connections = report.site.openConnections;
  const waiting =
    connections === 0 ? 'the site is ending' : `open connections get ${drainMs / 1000} s to finish: ${connections} at the start`;
  await withProgress(
    call.shell,
    () => waiting,
    () => waitUntilFree(session, pid, performance.now() + drainMs + call.timeoutMs),
  );
  return pid;
}

/** A site gives its folder back when everything else has ended. */
async function waitUntilFree(session: SiteSession, pid: number, deadlineMs: number): Promise<void> {
  while (await isInUse(session)) {
    if (performance.now() > deadlineMs) {
      throw new WeatherError('still-running', `process ${pid} of the site has not ended`, { remedy: `kill -9 ${pid}` });
    }
    await sleep(pollMs);
  }
}

async function isInUse(session: SiteSession): Promise<boolean> {
  try {
    await (await openSiteFolder(session.layout))[Symbol.asyncDispose]();
    return false;
  } catch (error) {
    if (error instanceof WeatherError && error.code === 'state-in-use') return true;
    throw error;
  }
}
