import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { maxSocketQueueBytes } from '../services/udp/limits.ts';
import { asItIs } from './udp-socket.ts';

/** The addresses of this host are asked for again after this time. */
const freshMs = 10_000;

/** The ports from which this process sends to groups: what comes from them to its own ears is its own voice. */
export class OwnGroupPorts {
  readonly #nowMs: () => number;
  readonly #ports = new Set<number>();
  #addresses: ReadonlySet<string> = new Set();
  #readMs = -Infinity;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  add(port: number): void {
    this.#ports.add(port);
  }

  remove(port: number): void {
    this.#ports.delete(port);
  }

  /** Whether a datagram comes from this process. */
  has(address: string, port: number): boolean {
    if (!this.#ports.has(port)) return false;
    const nowMs = this.#nowMs();
    if (nowMs - this.#readMs >= freshMs) {
      this.#readMs = nowMs;
      this.#addresses = new Set(Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((one) => one.address)));
    }
    return this.#addresses.has(address.replace(/%.*$/, ''));
  }
}

/** A socket that sends to one group, through the interface that has `host` as its address (all zeros: as the system chooses). */
export class UdpGroupSocket {
  readonly #socket: Socket;
  readonly #own: OwnGroupPorts;
  readonly #group: string;
  readonly #port: number;
  readonly #failed: (error: Error) => void;
  #boundPort = 0;
  #isClosed = false;

  constructor(group: string, port: number, host: string, own: OwnGroupPorts, failed: (error: Error) => void) {
    this.#own = own;
    this.#group = group;
    this.#port = port;
    this.#failed = failed;
    const isSix = isIPv6(group);
    const socket = createSocket({ type: isSix ? 'udp6' : 'udp4', lookup: asItIs });
    this.#socket = socket;
    socket.on('error', failed);
    socket.bind({ port: 0, address: isSix ? '::' : '0.0.0.0', exclusive: true }, () => {
      if (this.#isClosed) return;
      try {
        if (!/^(?:0\.0\.0\.0|::)?$/.test(host)) socket.setMulticastInterface(host);
      } catch (error) {
        failed(error as Error);
        return;
      }
      this.#boundPort = socket.address().port;
      own.add(this.#boundPort);
    });
  }

  /** False when the datagram was not sent. */
  send(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#boundPort === 0 || this.#isClosed || this.#socket.getSendQueueSize() > maxSocketQueueBytes) return false;
    this.#socket.send(bytes, start, end - start, this.#port, this.#group, this.#sent);
    return true;
  }

  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.#failed(error);
  };

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#own.remove(this.#boundPort);
    this.#socket.close();
  }
}
