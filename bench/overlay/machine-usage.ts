import { readFileSync } from 'node:fs';

/** USER_HZ of Linux on every architecture that Node runs on. */
const ticksPerSecond = 100;

/**
 * CPU seconds that the whole machine has worked: user, nice, system, irq and softirq of the first line of proc(5) `/proc/stat`. The work of
 * bridges, tunnels and XDP belongs to no process, so that those of processes would miss it.
 */
export function busySeconds(): number {
  const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] as string;
  const [user, nice, system, , , irq, softirq] = line.split(/ +/).slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return (user + nice + system + irq + softirq) / ticksPerSecond;
}
