import type { Server } from 'node:net';
import type { Clock } from '../base/clock.ts';

/** A turn of the event loop that took no longer than this did nothing; on a busy machine more is put up with in time. */
const emptyTurnMs = 0.2;
const patience = 0.01;
/** Where there is no such turn, the port is closed after this long all the same. */
const longestWaitMs = 2000;

/**
 * Closes a port at a moment when nobody is at the door. The kernel completes connections before the process takes them, one a turn, and resets
 * those that it has not taken when the port is closed: so that waits for a turn in which none came, and in which little time passed for one to
 * come since the kernel was asked.
 */
export function closeAtRest(server: Server, clock: Clock): void {
  const startMs = clock.nowMs();
  let turnStartMs = -Infinity;
  let cameOne = false;
  const came = (): void => {
    cameOne = true;
  };
  server.on('connection', came);
  const endOfTurn = (): void => {
    if (!server.listening) return;
    const nowMs = clock.nowMs();
    const waitedMs = nowMs - startMs;
    if ((cameOne || nowMs - turnStartMs > emptyTurnMs + waitedMs * patience) && waitedMs < longestWaitMs) {
      cameOne = false;
      turnStartMs = clock.nowMs();
      setImmediate(endOfTurn);
      return;
    }
    server.off('connection', came);
    server.close();
  };
  setImmediate(endOfTurn);
}
