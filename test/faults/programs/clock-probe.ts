/** Says what time it is, so that a row can tell that a faked clock did jump: on the message channel `{ wallMs, monotonicMs }`. */
import { monotonicMs } from '../rig/clock.ts';

export interface ClockReading {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

process.on('message', () => {
  const reading: ClockReading = { wallMs: Date.now(), monotonicMs: monotonicMs() };
  process.send?.(reading);
});
process.once('SIGTERM', () => process.exit(0));
console.log('running');
