import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { WeatherError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { explainNetworkError } from '../../host/network-error.ts';

/*
 * A probe is a Geneve packet with the control bit and without options, and 8 octets behind its header:
 *
 *   u8 0 | u8 0x80 | u16 0x6558 | u24 VNI 0 | u8 0 | u32 token of this process | u32 sequence
 *
 * The program at the other host's uplink sends it back as it is, so an answer says that its data path runs, whatever its daemon does.
 *
 * Now and then one goes out that is as long as the largest packet, zeros behind it. Nobody waits for its answer: a router that finds it too long
 * says so to the kernel of this host, which remembers it for the way to there.
 */

export interface ProbedHost {
  readonly hostId: number;
  readonly address: string;
}

export interface HostProbesOptions {
  /** This host's own, on the underlay. */
  readonly address: string;
  readonly hosts: readonly ProbedHost[];
  readonly log: Logger;
  /** Any number of 32 bits. */
  readonly token: number;
  readonly nowMs: () => number;
  readonly changed: (hostId: number, isAlive: boolean) => void;
  /** Octets of the largest packet that is known to get to a host. */
  readonly mtuTo: (address: string) => number;
}

interface Probed extends ProbedHost {
  sequence: number;
  /** Of the last answer. */
  answered: number;
  missed: number;
  isAlive: boolean;
  /** When a long probe is due. */
  longDueMs: number;
}

const genevePort = 6081;
const leastIntervalMs = 100;
/** So that a large overlay is probed more slowly: 1,000 probes a second. */
const intervalOfHostMs = 1;
const missesUntilDead = 3;
/** The answers to so many fit into the socket's buffer, also while nobody reads it; of all hosts at once they would not. */
const probesAtATime = 64;
const headerBytes = 8;
const probeBytes = headerBytes + 8;
/** Of IPv4 and UDP. */
const outerBytes = 28;
/** Pods that send longer packets than fit lose them for so long at most, after the way has changed. */
const longEveryMs = 10_000;

/** Probes the data paths of the other hosts: one that misses three in a row is dead until it answers again. */
export class HostProbes implements Disposable {
  readonly #options: HostProbesOptions;
  readonly #socket: Socket;
  #byAddress: ReadonlyMap<string, Probed> = new Map<string, Probed>();
  #intervalMs: number = leastIntervalMs;
  #timer: NodeJS.Timeout | undefined;
  #dueMs: number;
  /** Of the host whose turn it is. */
  #next = 0;

  private constructor(options: HostProbesOptions, socket: Socket) {
    this.#options = options;
    this.#socket = socket;
    this.setHosts(options.hosts);
    this.#dueMs = options.nowMs() + this.#tickMs;
    socket.on('message', (message, { address, port }) => {
      if (port === genevePort) this.#answered(address, message);
    });
    // What cannot be sent is not answered.
    socket.on('error', () => undefined);
    this.#timer = setTimeout(() => this.#tick(), this.#tickMs);
  }

  /** Throws WeatherError `probe-socket`. */
  static async open(options: HostProbesOptions): Promise<HostProbes> {
    const { address } = options;
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    try {
      const listening = once(socket, 'listening');
      socket.bind({ address, port: 0, exclusive: true });
      await listening;
    } catch (cause) {
      socket.close();
      throw new WeatherError('probe-socket', explainNetworkError(cause as Error, address), { cause });
    }
    return new HostProbes(options, socket);
  }

  /** Others than before. Nobody is told of one that has gone, but that it is not dead. */
  setHosts(hosts: readonly ProbedHost[]): void {
    const before = this.#byAddress;
    const probed = hosts.map((host): Probed => {
      const known = before.get(host.address);
      return known?.hostId === host.hostId ? known : { ...host, sequence: 0, answered: 0, missed: 0, isAlive: true, longDueMs: 0 };
    });
    this.#byAddress = new Map(probed.map((host) => [host.address, host]));
    this.#intervalMs = Math.max(leastIntervalMs, hosts.length * intervalOfHostMs);
    for (const host of before.values()) {
      if (!host.isAlive && this.#byAddress.get(host.address) !== host) this.#options.changed(host.hostId, true);
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#socket.close();
  }

  /** So often, for each host to have its turn once in the interval. */
  get #tickMs(): number {
    return this.#intervalMs / Math.max(1, Math.ceil(this.#byAddress.size / probesAtATime));
  }

  #tick(): void {
    const { nowMs, mtuTo } = this.#options;
    // After a pause of this process answers may wait unread: that nothing was heard says nothing.
    const wasAsleep = nowMs() - this.#dueMs > this.#intervalMs / 2;
    const turn = [...this.#byAddress.values()].slice(this.#next, this.#next + probesAtATime);
    for (const host of turn) {
      if (host.answered === host.sequence) host.missed = 0;
      else if (!wasAsleep) host.missed++;
      if (host.missed >= missesUntilDead) this.#setAlive(host, false);
      host.sequence = (host.sequence + 1) >>> 0;
      this.#socket.send(this.#probe(host.sequence), genevePort, host.address, () => undefined);
      if (nowMs() >= host.longDueMs) {
        host.longDueMs = nowMs() + longEveryMs;
        const length = Math.max(mtuTo(host.address) - outerBytes, probeBytes);
        this.#socket.send(this.#probe(host.sequence, length), genevePort, host.address, () => undefined);
      }
    }
    this.#next += probesAtATime;
    if (this.#next >= this.#byAddress.size) this.#next = 0;
    this.#dueMs = nowMs() + this.#tickMs;
    this.#timer = setTimeout(() => this.#tick(), this.#tickMs);
  }

  #answered(address: string, message: Buffer): void {
    const host = this.#byAddress.get(address);
    if (host === undefined || message.length !== probeBytes || message.readUInt32BE(headerBytes) !== this.#options.token) return;
    const sequence = message.readUInt32BE(headerBytes + 4);
    // Late ones count too, but not what was never asked.
    if (host.sequence - sequence >= missesUntilDead || sequence > host.sequence) return;
    host.answered = sequence;
    host.missed = 0;
    this.#setAlive(host, true);
  }

  #setAlive(host: Probed, isAlive: boolean): void {
    if (host.isAlive === isAlive) return;
    host.isAlive = isAlive;
    const { log, changed } = this.#options;
    const fields = { hostId: host.hostId, address: host.address };
    if (isAlive) log.info('the data path of a host answers again', fields);
    else log.warn('the data path of a host does not answer', fields);
    changed(host.hostId, isAlive);
  }

  #probe(sequence: number, length: number = probeBytes): Buffer {
    const probe = Buffer.alloc(length);
    probe[1] = 0x80;
    probe.writeUInt16BE(0x6558, 2);
    probe.writeUInt32BE(this.#options.token, headerBytes);
    probe.writeUInt32BE(sequence, headerBytes + 4);
    return probe;
  }
}
