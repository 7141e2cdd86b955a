/**
 * Long TCP connections to an echo service, each at a steady rate, with what is sent and what comes back hashed.
 *
 * `node streams.ts HOST PORT,PORT... COUNT BYTES_PER_SECOND`; ports are used in turn. On the message channel `stop` ends each stream in
 * order, waits for the rest of the echo and gives one report for each.
 */
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { monotonicMs } from '../rig/clock.ts';

export interface StreamReport {
  readonly port: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Everything came back as it was sent. */
  readonly exact: boolean;
  /** When and how it was cut; absent when it ended in order. */
  readonly cut?: { readonly atMs: number; readonly reason: string };
}

const [host = '', portList = '', count = '', rate = ''] = process.argv.slice(2);
const ports = portList.split(',').map(Number);
const intervalMs = 20;
const pieceBytes = Math.max(1, Math.round((Number(rate) * intervalMs) / 1000));
/** Unsent bytes of a stream; beyond it the stream waits. */
const maxWaitingBytes = 1024 * 1024;
/** After `stop` the rest of the echo must come within this time. */
const endTimeoutMs = 10_000;

class Stream {
  readonly #port: number;
  readonly #socket: Socket;
  readonly #sent = createHash('sha256');
  readonly #received = createHash('sha256');
  readonly ended: Promise<StreamReport>;
  #sentBytes = 0;
  #receivedBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(port: number) {
    this.#port = port;
    this.#socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    this.#socket.on('data', (bytes: Buffer) => {
      this.#received.update(bytes);
      this.#receivedBytes += bytes.length;
    });
    this.#socket.once('connect', () => {
      this.#timer = setInterval(() => this.#send(), intervalMs);
    });
    this.ended = new Promise((resolve) => {
      const finish = (reason: string | undefined): void => {
        clearInterval(this.#timer);
        this.#socket.on('error', () => undefined);
        this.#socket.destroy();
        resolve({
          port: this.#port,
          sentBytes: this.#sentBytes,
          receivedBytes: this.#receivedBytes,
          exact: this.#sent.digest('hex') === this.#received.digest('hex'),
          ...(reason === undefined ? {} : { cut: { atMs: monotonicMs(), reason } }),
        });
      };
      this.#socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
      this.#socket.once('end', () => finish(this.#socket.writableEnded ? undefined : 'ended by the other side'));
      this.#socket.once('timeout', () => finish('no end'));
    });
  }

  #send(): void {
    if (this.#socket.writableLength > maxWaitingBytes) return;
    const piece = randomBytes(pieceBytes);
    this.#sent.update(piece);
    this.#sentBytes += piece.length;
    this.#socket.write(piece);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#socket.end();
    this.#socket.setTimeout(endTimeoutMs);
  }
}

const streams = Array.from({ length: Number(count) }, (_, index) => new Stream(ports[index % ports.length]));
process.on('message', () => {
  for (const stream of streams) stream.stop();
  void Promise.all(streams.map(({ ended }) => ended)).then((reports) => process.send?.(reports));
});
process.once('SIGTERM', () => process.exit(0));
console.log('running');
