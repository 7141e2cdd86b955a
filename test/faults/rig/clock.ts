/** Milliseconds of the system's monotonic clock: the same in all processes, so that their records can be set side by side. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
