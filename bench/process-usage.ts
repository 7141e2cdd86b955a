import { readFileSync } from 'node:fs';

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

/** CPU time of all the processes together. */
export function cpuTime(pids: readonly number[]): CpuTime {
  let userSeconds = 0;
  let systemSeconds = 0;
  for (const pid of pids) {
    const one = parseCpuTime(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    userSeconds += one.userSeconds;
    systemSeconds += one.systemSeconds;
  }
  return { userSeconds, systemSeconds };
}

/** Resident memory of a process in KiB: `VmRSS` of proc(5) `/proc/PID/status`. */
export function residentKiB(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  if (found === null) throw new Error(`process ${pid} has ended`);
  return Number(found[1]);
}
