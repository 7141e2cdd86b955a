/**
 * Stands between two ends of TCP connections and makes the way worse: delay, jitter, a rate, a stall. Bytes are never lost or reordered.
 *
 * `node shaper.ts LISTEN_HOST LISTEN_PORT TARGET_HOST TARGET_PORT`; on the message channel `Shape` sets what holds from now on, for
 * connections that stand as well, and is answered with `{ connections }`.
 */
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { monotonicMs } from '../rig/clock.ts';

/** What one direction does to bytes. Rate 0 = unlimited. */
export interface Direction {
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly bytesPerSecond: number;
  /** Nothing passes; what comes waits, and its sender is held back. */
  readonly stalled: boolean;
}

/** `toTarget` is what the connecting end sends; `reset` cuts all connections that stand. */
export interface Shape {
  readonly toTarget: Direction;
  readonly fromTarget: Direction;
  readonly reset?: boolean;
}

const clear: Direction = { delayMs: 0, jitterMs: 0, bytesPerSecond: 0, stalled: false };
/** Bytes on their way in one direction of one connection: a path of 2 s at 32 Mbit/s. Beyond it the sender is held back. */
const maxUnderWayBytes = 8 * 1024 * 1024;
/** While a direction is stalled it looks this often whether that is over. */
const stalledPollMs = 10;

let shape: Shape = { toTarget: clear, fromTarget: clear };

/** One direction of one connection. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #direction: () => Direction;
  readonly #queue: { readonly dueMs: number; readonly bytes: Buffer | undefined }[] = [];
  #underWayBytes = 0;
  #lastDueMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, direction: () => Direction) {
    this.#from = from;
    this.#to = to;
    this.#direction = direction;
    from.on('data', (bytes: Buffer) => this.#enter(bytes));
    from.on('end', () => this.#enter(undefined));
    from.on('error', () => to.destroy());
    from.on('close', () => {
      clearTimeout(this.#timer);
      to.destroy();
    });
  }

  /** `undefined` = the end of the stream. */
  #enter(bytes: Buffer | undefined): void {
    const { delayMs, jitterMs, bytesPerSecond } = this.#direction();
    const sendingMs = bytesPerSecond === 0 ? 0 : ((bytes?.length ?? 0) * 1000) / bytesPerSecond;
    // In order: nothing overtakes, and the line is busy for as long as its rate says.
    const dueMs = Math.max(monotonicMs() + delayMs + Math.random() * jitterMs, this.#lastDueMs + sendingMs);
    this.#lastDueMs = dueMs;
    this.#queue.push({ dueMs, bytes });
    this.#underWayBytes += bytes?.length ?? 0;
    if (this.#underWayBytes > maxUnderWayBytes) this.#from.pause();
    this.#pass();
  }

  #passDue(nowMs: number): void {
    while (this.#queue.length > 0 && this.#queue[0].dueMs <= nowMs) {
      const { bytes } = this.#queue.shift() ?? {};
      if (bytes === undefined) this.#to.end();
      else this.#to.write(bytes);
      this.#underWayBytes -= bytes?.length ?? 0;
    }
  }

  #pass(): void {
    if (this.#timer !== undefined) return;
    const nowMs = monotonicMs();
    const isStalled = this.#direction().stalled;
    if (!isStalled) this.#passDue(nowMs);
    if (this.#underWayBytes <= maxUnderWayBytes && this.#from.isPaused()) this.#from.resume();
    if (this.#queue.length === 0) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#pass();
      },
      isStalled ? stalledPollMs : Math.max(0, this.#queue[0].dueMs - nowMs),
    );
  }
}

const [listenHost = '', listenPort = '', targetHost = '', targetPort = ''] = process.argv.slice(2);
const sockets = new Set<Socket>();

const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
  const far = connect({ host: targetHost, port: Number(targetPort), allowHalfOpen: true, noDelay: true });
  for (const socket of [near, far]) {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  }
  void new Pipe(near, far, () => shape.toTarget);
  void new Pipe(far, near, () => shape.fromTarget);
});
server.listen(Number(listenPort), listenHost, () => console.log('listening'));
process.on('message', (next: Shape) => {
  shape = next;
  if (next.reset === true) for (const socket of sockets) socket.resetAndDestroy();
  process.send?.({ connections: sockets.size / 2 });
});
process.once('SIGTERM', () => process.exit(0));
