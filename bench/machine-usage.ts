import { readFileSync } from 'node:fs';

/** USER_HZ of Linux on every architecture that Node runs on. */
const ticksPerSecond = 100;

export interface MachineUsage {
  /** User, nice, system, irq and softirq, all CPUs together. */
  readonly busySeconds: number;
  /** Nothing to do, or waiting for a disk. */
  readonly idleSeconds: number;
  /** Taken by other machines of the same hardware. */
  readonly stolenSeconds: number;
}

/**
 * CPU seconds of the whole machine since its start, from the first line of proc(5) `/proc/stat`. The work of bridges, tunnels and XDP belongs
 * to no process, so that those of processes would miss it.
 */
export function machineUsage(): MachineUsage {
  return parseMachineUsage(readFileSync('/proc/stat', 'latin1'));
}

export function parseMachineUsage(stat: string): MachineUsage {
  const line = stat.split('\n', 1)[0] as string;
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0, steal = 0] = line.split(/ +/).slice(1).map(Number);
  return {
    busySeconds: (user + nice + system + irq + softirq) / ticksPerSecond,
    idleSeconds: (idle + waiting) / ticksPerSecond,
    stolenSeconds: steal / ticksPerSecond,
  };
}
