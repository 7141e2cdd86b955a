import { createSocket } from 'node:dgram';
import { createServer, isIPv6, type Socket } from 'node:net';
import type { Logger } from '../../base/log.ts';
import { CountedWarnings } from '../../host/counted-warnings.ts';
import type { NamespaceSockets } from '../../kernel/netlink/namespace-sockets.ts';
import { decide, ednsUdpBytes, failureAnswer, malformedAnswer, type Zones } from '../../overlay/dns/answer.ts';
import { decodeMessage } from '../../overlay/dns/decode.ts';
import { encodeMessage } from '../../overlay/dns/encode.ts';
import { headerBytes, messageLimit, plainUdpLimit, type DnsMessage } from '../../overlay/dns/message.ts';
import { framed, type Resolvers } from './names-resolvers.ts';

export interface NameServerOptions {
  /** Of the VPC's gateway. */
  readonly sockets: NamespaceSockets;
  readonly zones: () => Zones;
  readonly resolvers: Resolvers;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** 53, but for tests. */
  readonly port?: number;
}

const dnsPort = 53;
/** Queries of a VPC at one host in a second; pods that ask more wait for others of their VPC, and no other VPC does. */
const queriesPerSecond = 2000;
/** Of these, under way at the host's resolvers: four VPCs may be at their limit before the host is. */
const forwardedLimit = 128;
/** Connections of all pods of a VPC at this host; a client uses one for a short time. */
const connectionsLimit = 64;
/** A client that says nothing more has this long. */
const idleMs = 10_000;
/** Answers that a client does not read. */
const unreadLimitBytes = 4 * messageLimit;

/** The DNS server of a VPC at this host, by UDP and TCP. Sockets are those of the VPC's gateway. */
export class NameServer implements Disposable {
  readonly #options: NameServerOptions;
  readonly #warnings: CountedWarnings;
  /** What ends listening, by address. */
  readonly #listening = new Map<string, () => void>();
  readonly #connections = new Set<Socket>();
  #forwarded = 0;
  #tokens = queriesPerSecond;
  #tokensMs: number;

  constructor(options: NameServerOptions) {
    this.#options = options;
    this.#warnings = new CountedWarnings(options.log);
    this.#tokensMs = options.nowMs();
  }

  /** Listens at these addresses and no others. An address where it cannot is told, and tried again with the next call. */
  listen(addresses: readonly string[]): void {
    for (const [address, close] of this.#listening) {
      if (addresses.includes(address)) continue;
      this.#listening.delete(address);
      close();
    }
    for (const address of addresses) {
      if (this.#listening.has(address)) continue;
      try {
        const closeUdp = this.#listenUdp(address);
        this.#listening.set(address, closeUdp);
        const closeTcp = this.#listenTcp(address);
        this.#listening.set(address, () => {
          closeUdp();
          closeTcp();
        });
      } catch (error) {
        this.#listening.get(address)?.();
        this.#listening.delete(address);
        this.#warnings.warn('DNS of a VPC cannot listen', (error as Error).message);
      }
    }
  }

  #listenUdp(address: string): () => void {
    const { sockets, port = dnsPort } = this.#options;
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    // Of single datagrams, such as to a pod that is gone.
    socket.on('error', (error) => this.#warnings.warn('an answer of DNS was not sent', error.message));
    let isOpen = true;
    socket.on('message', (octets, from) => {
      void this.#answer(octets, 'udp').then((answer) => {
        if (answer !== undefined && isOpen) socket.send(answer, from.port, from.address);
      });
    });
    socket.bind({ fd: sockets.bound('udp', address, port) });
    return () => {
      isOpen = false;
      socket.close();
    };
  }

  #listenTcp(address: string): () => void {
    const { sockets, port = dnsPort } = this.#options;
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
    server.maxConnections = connectionsLimit;
    server.on('error', (error) => this.#warnings.warn('DNS of a VPC cannot listen', error.message));
    server.listen({ fd: sockets.bound('tcp', address, port) });
    return () => server.close();
  }

  /** Queries of a connection are answered one after the other. */
  #serve(socket: Socket): void {
    if (this.#connections.size >= connectionsLimit) {
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    let received = Buffer.alloc(0);
    let isAnswering = false;
    let isEnded = false;
    const next = (): void => {
      if (isAnswering) return;
      const length = received.length < 2 ? messageLimit : received.readUInt16BE(0);
      if (received.length < 2 + length) {
        if (isEnded) socket.end();
        return;
      }
      const query = received.subarray(2, 2 + length);
      received = received.subarray(2 + length);
      isAnswering = true;
      socket.pause();
      void this.#answer(query, 'tcp').then((answer) => {
        isAnswering = false;
        if (socket.destroyed) return;
        if (answer === undefined || socket.writableLength > unreadLimitBytes) socket.destroy();
        else {
          socket.write(framed(answer));
          socket.resume();
          next();
        }
      });
    };
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('end', () => {
      isEnded = true;
      next();
    });
    socket.on('close', () => this.#connections.delete(socket));
    // Paused while it is answered, so there is never more than one chunk behind a query.
    socket.on('data', (octets: Buffer) => {
      received = Buffer.concat([received, octets]);
      next();
    });
  }

  /** Undefined: no answer at all. */
  async #answer(octets: Uint8Array, transport: 'udp' | 'tcp'): Promise<Uint8Array | undefined> {
    if (!this.#mayAnswer() || octets.length < headerBytes) return undefined;
    const isResponse = ((octets[2] ?? 0) & 0x80) !== 0;
    // Nothing is ever said to an answer: two servers could go on for ever.
    if (isResponse) return undefined;
    const query = decodeMessage(octets);
    if (query === undefined) return encodeMessage(malformedAnswer(((octets[0] ?? 0) << 8) | (octets[1] ?? 0)), plainUdpLimit);
    const limit = transport === 'tcp' ? messageLimit : Math.max(plainUdpLimit, Math.min(query.edns?.udpBytes ?? 0, ednsUdpBytes));
    const decision = decide(query, this.#options.zones());
    if (decision.kind === 'answer') return encodeMessage(decision.message, limit);
    return (await this.#forward(query, transport)) ?? encodeMessage(failureAnswer(query), limit);
  }

  async #forward(query: DnsMessage, transport: 'udp' | 'tcp'): Promise<Uint8Array | undefined> {
    if (this.#forwarded >= forwardedLimit) {
      this.#warnings.warn('names are not asked of the resolvers', `${forwardedLimit} queries of this VPC are under way`);
      return undefined;
    }
    this.#forwarded++;
    try {
      const answer = await this.#options.resolvers.ask(query, transport);
      if (answer === undefined) this.#warnings.warn('names are not resolved', "none of the host's resolvers answers");
      return answer;
    } finally {
      this.#forwarded--;
    }
  }

  #mayAnswer(): boolean {
    const nowMs = this.#options.nowMs();
    this.#tokens = Math.min(queriesPerSecond, this.#tokens + ((nowMs - this.#tokensMs) * queriesPerSecond) / 1000);
    this.#tokensMs = nowMs;
    if (this.#tokens < 1) {
      this.#warnings.warn('queries for names are dropped', `there are more than ${queriesPerSecond} in a second`);
      return false;
    }
    this.#tokens--;
    return true;
  }

  [Symbol.dispose](): void {
    this.listen([]);
    for (const socket of this.#connections) socket.destroy();
    this.#warnings[Symbol.dispose]();
  }
}
