import { cpuTime, residentKiB } from '../../../bench/process-usage.ts';
import type { FaultRouter } from './routers.ts';

/** CPU time that the routers' processes have used so far, in seconds. Difference of two readings / seconds between = cores. */
export function cpuSeconds(routers: readonly FaultRouter[]): number {
  const { userSeconds, systemSeconds } = cpuTime(routers.map(({ program }) => program.pid));
  return userSeconds + systemSeconds;
}

export function residentMiB(router: FaultRouter): number {
  return residentKiB(router.program.pid) / 1024;
}
