import { setTimeout as sleep } from 'node:timers/promises';
import { WeatherError } from '../base/errors.ts';
import type { Call } from './call.ts';
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
  const deadlineMs = performance.now() + drainMs + call.timeoutMs;
  while (isAlive(report.pid)) {
    if (performance.now() > deadlineMs) {
      throw new WeatherError('still-running', `process ${report.pid} of the site has not ended`, { remedy: `kill -9 ${report.pid}` });
    }
    await sleep(pollMs);
  }
  return report.pid;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
