import type { Socket } from 'node:net';

/** A connection that is not made in this time is given up: the way within a site, or to a pod. */
const connectMs = 5000;
/** A peer that says nothing is asked after this time whether it is still there. */
const keepAliveMs = 60_000;

/**
 * Joins an accepted connection to one that is being made, both with `allowHalfOpen`: what comes at one goes out at the other, no faster than it is
 * taken; an end goes on as an end, and the other direction stays open; a reset goes on as a reset. `failed` is told why it could not be made.
 */
export function joinStreams(accepted: Socket, made: Socket, failed: (reason: string) => void): void {
  const timer = setTimeout(() => made.destroy(new Error(`no answer within ${connectMs} ms`)), connectMs);
  let isConnected = false;
  made.once('connect', () => {
    isConnected = true;
    clearTimeout(timer);
    for (const [from, to] of [
      [accepted, made],
      [made, accepted],
    ] as const) {
      from.setNoDelay(true);
      from.setKeepAlive(true, keepAliveMs);
      from.pipe(to);
    }
  });
  made.on('error', (error) => {
    if (!isConnected) failed(error.message);
  });
  // It is closed then, and that goes on.
  accepted.on('error', () => undefined);
  made.on('close', () => {
    clearTimeout(timer);
    if (!isWhole(made)) reset(accepted);
  });
  accepted.on('close', () => {
    if (!isWhole(accepted)) reset(made);
  });
}

/** Both directions came to their end. */
function isWhole(socket: Socket): boolean {
  return socket.readableEnded && socket.writableFinished;
}

function reset(socket: Socket): void {
  if (socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}
