import { readFileSync, readdirSync } from 'node:fs';

/** Linux counts CPU time for user space in ticks of 1/100 s on every architecture that Node supports. */
const ticksPerSecond = 100;

/** CPU time spent so far by a process, all its threads together, in seconds. */
export interface CpuTime {
  readonly userSeconds: number;
  readonly systemSeconds: number;
}

/** Reads proc(5) `/proc/PID/stat`: field 14 is utime, field 15 stime. Field 2 (the name) may hold spaces, so count after its `)`. */
export function parseCpuTime(stat: string): CpuTime {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { userSeconds: Number(fields[11]) / ticksPerSecond, systemSeconds: Number(fields[12]) / ticksPerSecond };
}

/** A process and those that it has started and that still run. */
function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1')
      .split(' ')
      .filter((child) => child !== ''),
  );
  return [pid, ...children.flatMap((child) => family(Number(child)))];
}

/** CPU time of all the processes together, each with those that it has started. */
export function cpuTime(pids: readonly number[]): CpuTime {
  let userSeconds = 0;
  let systemSeconds = 0;
  for (const pid of pids.flatMap(family)) {
    const one = parseCpuTime(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    userSeconds += one.userSeconds;
    systemSeconds += one.systemSeconds;
  }
  return { userSeconds, systemSeconds };
}

/** Resident memory in KiB of a process and those that it has started: `VmRSS` of proc(5) `/proc/PID/status`, shared pages once for each. */
export function residentKiB(pid: number): number {
  return family(pid).reduce((sum, one) => sum + residentKiBOf(one), 0);
}

function residentKiBOf(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  if (found === null) throw new Error(`process ${pid} has ended`);
  return Number(found[1]);
}
