import type { Socket } from 'node:dgram';

/** u32 stream | u32 number */
const messageBytes = 8;

/** Numbered datagrams to one address, at a steady rate. */
export class DatagramStream {
  readonly id: number;
  readonly #socket: Socket;
  readonly #address: string;
  readonly #port: number;
  #timer: NodeJS.Timeout | undefined;
  sent = 0;

  /** `id` tells its datagrams from those of other streams. */
  constructor(id: number, socket: Socket, address: string, port: number) {
    this.id = id;
    this.#socket = socket;
    this.#address = address;
    this.#port = port;
  }

  start(everyMs: number): void {
    this.#timer = setInterval(() => this.#send(), everyMs);
    this.#send();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  close(): void {
    this.stop();
    this.#socket.close();
  }

  #send(): void {
    const message = Buffer.alloc(messageBytes);
    message.writeUInt32BE(this.id, 0);
    message.writeUInt32BE(this.sent++, 4);
    // What the kernel refuses counts as lost.
    this.#socket.send(message, this.#port, this.#address, () => undefined);
  }
}

/** What came to one place, by stream. */
export class DatagramArrivals {
  readonly #socket: Socket;
  readonly #numbers = new Map<number, Set<number>>();
  readonly #lastMs = new Map<number, number>();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (message) => {
      if (message.length !== messageBytes) return;
      const id = message.readUInt32BE(0);
      this.#lastMs.set(id, performance.now());
      const numbers = this.#numbers.get(id) ?? new Set();
      this.#numbers.set(id, numbers.add(message.readUInt32BE(4)));
    });
  }

  numbers({ id }: DatagramStream): ReadonlySet<number> {
    return this.#numbers.get(id) ?? new Set();
  }

  /** When the last one of a stream came; -Infinity when none has. */
  lastMs({ id }: DatagramStream): number {
    return this.#lastMs.get(id) ?? -Infinity;
  }

  close(): void {
    this.#socket.close();
  }
}
