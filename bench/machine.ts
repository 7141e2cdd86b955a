import { cpus, loadavg, release, totalmem } from 'node:os';

/** One line about the machine: what numbers of different runs must share to be compared. */
export function describeMachine(): string {
  const processors = cpus();
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  const load = loadavg()[0] as number;
  return `${processors.length} × ${processors[0]?.model.trim()}, ${gibibytes} GiB, Linux ${release()}, load average before the run ${load.toFixed(2)}`;
}
