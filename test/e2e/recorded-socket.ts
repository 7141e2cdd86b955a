import type { Socket } from 'node:net';
import { once } from 'node:events';

/** The octets that a test sends: position `i` has always the same value, and runs of them do not repeat for 16 MiB. */
export function pattern(length: number, from = 0): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let index = 0; index < length; index++) {
    const position = from + index;
    bytes[index] = position ^ (position >> 8) ^ (position >> 16);
  }
  return bytes;
}

/** Reads a socket and writes down what it sees: octets (compared with `pattern` as they come), FIN, reset, close. */
export class RecordedSocket {
  readonly socket: Socket;
  receivedBytes = 0;
  /** Every octet so far was the one of the pattern. */
  exact = true;
  /** `end` for FIN, `reset` for RST, in the order seen. */
  readonly events: ('end' | 'reset')[] = [];
  readonly closed: Promise<void>;
  readonly ended: Promise<void>;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      if (!bytes.equals(pattern(bytes.length, this.receivedBytes))) this.exact = false;
      this.receivedBytes += bytes.length;
    });
    socket.on('end', () => this.events.push('end'));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') this.events.push('reset');
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => resolve());
    });
    this.ended = new Promise((resolve) => {
      socket.once('end', () => resolve());
    });
    socket.resume();
  }

  /** Resolves when so many octets have come. */
  async received(bytes: number): Promise<void> {
    while (this.receivedBytes < bytes) await once(this.socket, 'data');
  }

  /** Sends `length` octets of the pattern from `from` on and waits until the kernel has taken them. */
  async send(length: number, from = 0): Promise<void> {
    if (!this.socket.write(pattern(length, from))) await once(this.socket, 'drain');
  }
}
