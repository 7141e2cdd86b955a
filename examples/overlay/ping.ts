import type { Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';

const echoRequest = { udp4: 8, udp6: 128 } as const;
const headerBytes = 8;
const settleMs = 3000;

/** Sends pings, and hears their answers by their sequence numbers. */
export class Pinger {
  readonly #socket: Socket;
  readonly #family: 'udp4' | 'udp6';
  readonly #address: string;
  readonly #payloadBytes: number;
  readonly #sent = new Map<number, number>();
  readonly #answered = new Map<number, number>();
  #sequence = 0;
  #heard: (() => void) | undefined;

  /** `payloadBytes`: behind the 8 octets of the ICMP header. */
  constructor(socket: Socket, address: string, payloadBytes = 16) {
    this.#socket = socket;
    this.#payloadBytes = payloadBytes;
    this.#address = address;
    this.#family = address.includes(':') ? 'udp6' : 'udp4';
    socket.on('message', (message) => {
      if (message.length < headerBytes || message[0] === echoRequest[this.#family]) return;
      const sequence = message.readUInt16BE(6);
      if (!this.#sent.has(sequence) || this.#answered.has(sequence)) return;
      this.#answered.set(sequence, performance.now());
      this.#heard?.();
    });
  }

  get sent(): number {
    return this.#sent.size;
  }

  get lost(): number {
    return this.#sent.size - this.#answered.size;
  }

  /** Waits for answers that are late: a busy machine is slow, but loses nothing. */
  async settle(): Promise<void> {
    for (const endMs = performance.now() + settleMs; this.lost > 0 && performance.now() < endMs;) await sleep(20);
  }

  /** Longest time in which none that was sent was answered, up to the first answer after it, in ms. */
  get longestSilenceMs(): number {
    let longestMs = 0;
    let silentSinceMs: number | undefined;
    for (const [sequence, sentMs] of this.#sent) {
      const answeredMs = this.#answered.get(sequence);
      if (answeredMs === undefined) silentSinceMs ??= sentMs;
      else if (silentSinceMs !== undefined) {
        longestMs = Math.max(longestMs, answeredMs - silentSinceMs);
        silentSinceMs = undefined;
      }
    }
    return silentSinceMs === undefined ? longestMs : Infinity;
  }

  get medianRoundTripMs(): number {
    const times = [...this.#answered]
      .map(([sequence, answeredMs]) => answeredMs - (this.#sent.get(sequence) ?? 0))
      .toSorted((a, b) => a - b);
    return times[times.length >> 1] ?? Infinity;
  }

  send(): void {
    const message = Buffer.alloc(headerBytes + this.#payloadBytes);
    message[0] = echoRequest[this.#family];
    this.#sequence = (this.#sequence + 1) & 0xffff;
    message.writeUInt16BE(this.#sequence, 6);
    this.#sent.set(this.#sequence, performance.now());
    // What the kernel refuses counts as lost.
    this.#socket.send(message, 1, this.#address, () => undefined);
  }

  /** True when one ping is answered in time; tries again every `everyMs`. */
  async reach(timeoutMs: number, everyMs = 5): Promise<boolean> {
    const heard = Promise.withResolvers<void>();
    const before = this.#answered.size;
    this.#heard = heard.resolve;
    this.send();
    const timer = setInterval(() => this.send(), everyMs);
    const end = setTimeout(heard.resolve, timeoutMs);
    await heard.promise;
    clearInterval(timer);
    clearTimeout(end);
    this.#heard = undefined;
    return this.#answered.size > before;
  }

  /** Pings at a steady rate until disposed. */
  steadily(everyMs: number): Disposable {
    const timer = setInterval(() => this.send(), everyMs);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  close(): void {
    this.#socket.close();
  }
}
