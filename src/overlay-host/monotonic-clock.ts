/** Milliseconds since the machine started, without its sleep: one clock for all processes, and that of the data path. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
