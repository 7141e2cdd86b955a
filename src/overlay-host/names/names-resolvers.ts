import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { readFileSync, statSync } from 'node:fs';
import { connect, isIP, isIPv6 } from 'node:net';
import { ednsUdpBytes } from '../../overlay/dns/answer.ts';
import { encodeMessage } from '../../overlay/dns/encode.ts';
import { headerBytes, messageLimit, rcodes, type DnsMessage } from '../../overlay/dns/message.ts';

/** A server that answers for all names. */
export interface Resolver {
  readonly address: string;
  readonly port: number;
}

/** As resolv.conf(5). */
const resolversLimit = 3;
const dnsPort = 53;
/** The client asks again after 5 s, and then of the same server: two of ours must have had their time. */
const usualAnswerMs = 2000;
/** Queries under way for all VPCs: each has a socket of its own, so that answers cannot be guessed by port. */
const queriesLimit = 512;
/** Time between two looks at the file. */
const lookEveryMs = 5000;

/** The resolvers that a text as in /etc/resolv.conf names. */
export function parseResolvers(text: string): readonly Resolver[] {
  return text
    .split('\n')
    .flatMap((line): readonly Resolver[] => {
      const [, address = ''] = /^\s*nameserver\s+(\S+)/.exec(line) ?? [];
      return isIP(address) === 0 ? [] : [{ address, port: dnsPort }];
    })
    .slice(0, resolversLimit);
}

/** The resolvers of a file, which may change. None when it cannot be read. */
export function resolversOf(file: string, nowMs: () => number): () => readonly Resolver[] {
  let lookAtMs = -Infinity;
  let changedMs = NaN;
  let resolvers: readonly Resolver[] = [];
  return () => {
    if (nowMs() < lookAtMs) return resolvers;
    lookAtMs = nowMs() + lookEveryMs;
    try {
      const { mtimeMs } = statSync(file);
      if (mtimeMs !== changedMs) resolvers = parseResolvers(readFileSync(file, 'utf8'));
      changedMs = mtimeMs;
    } catch {
      resolvers = [];
      changedMs = NaN;
    }
    return resolvers;
  };
}

/** Asks the host's resolvers, from the host's own namespace. */
export class Resolvers implements Disposable {
  readonly #servers: () => readonly Resolver[];
  readonly #answerMs: number;
  readonly #open = new Set<() => void>();

  /** `answerMs`: how long each server has. */
  constructor(servers: () => readonly Resolver[], answerMs: number = usualAnswerMs) {
    this.#servers = servers;
    this.#answerMs = answerMs;
  }

  /**
   * The answer as it came, with the id of `query`; undefined when no server gives one, or too many queries are under way. A server that fails or
   * refuses is believed when no other one says more.
   */
  async ask(query: DnsMessage, transport: 'tcp' | 'udp'): Promise<Uint8Array | undefined> {
    let failure: Uint8Array | undefined;
    for (const server of this.#servers()) {
      if (this.#open.size >= queriesLimit) return undefined;
      const { edns } = query;
      // Each hop has options of its own.
      const own = edns === undefined ? undefined : { ...edns, udpBytes: Math.min(edns.udpBytes, ednsUdpBytes) };
      const octets = encodeMessage({ ...query, id: randomInt(0x1_0000), edns: own }, messageLimit);
      const answer = await (transport === 'udp' ? this.#askUdp(server, octets) : this.#askTcp(server, octets));
      if (answer === undefined) continue;
      new DataView(answer.buffer, answer.byteOffset).setUint16(0, query.id);
      const rcode = (answer[3] ?? 0) & 15;
      if (rcode !== rcodes.serverFailure && rcode !== rcodes.refused) return answer;
      failure ??= answer;
    }
    return failure;
  }

  #askUdp({ address, port }: Resolver, query: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#within((end) => {
      const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4' });
      socket.on('error', () => end(undefined));
      socket.on('message', (octets) => {
        // Something else is not waited less for: it may be a forgery.
        if (answersQuery(octets, query)) end(octets);
      });
      socket.on('connect', () => socket.send(query));
      socket.connect(port, address);
      return () => socket.close();
    });
  }

  #askTcp({ address, port }: Resolver, query: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#within((end) => {
      const socket = connect(port, address);
      let received = Buffer.alloc(0);
      socket.on('error', () => end(undefined));
      socket.on('close', () => end(undefined));
      socket.on('data', (octets: Buffer) => {
        received = Buffer.concat([received, octets]);
        const length = received.length < 2 ? messageLimit : received.readUInt16BE(0);
        if (received.length < 2 + length) return;
        const answer = received.subarray(2, 2 + length);
        end(answersQuery(answer, query) ? answer : undefined);
      });
      socket.write(framed(query));
      return () => socket.destroy();
    });
  }

  /** `start` gives what closes the socket. */
  #within(start: (end: (answer: Uint8Array | undefined) => void) => () => void): Promise<Uint8Array | undefined> {
    return new Promise((resolve) => {
      const end = (answer: Uint8Array | undefined): void => {
        if (!this.#open.delete(stop)) return;
        clearTimeout(timer);
        close();
        resolve(answer);
      };
      const stop = (): void => end(undefined);
      const timer = setTimeout(stop, this.#answerMs);
      this.#open.add(stop);
      const close = start(end);
    });
  }

  /** Those that are under way get no answer. */
  [Symbol.dispose](): void {
    for (const stop of this.#open) stop();
  }
}

/** A message by TCP: its length stands before it. */
export function framed(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(2 + message.length);
  new DataView(octets.buffer).setUint16(0, message.length);
  octets.set(message, 2);
  return octets;
}

/** Whether these octets are the answer to a query of one question: the id and the question are the same. */
function answersQuery(answer: Uint8Array, query: Uint8Array): boolean {
  const isResponse = ((answer[2] ?? 0) & 0x80) !== 0;
  if (answer.length < headerBytes || !isResponse || answer[0] !== query[0] || answer[1] !== query[1]) return false;
  let end = headerBytes;
  while ((query[end] ?? 0) > 0) end += 1 + (query[end] ?? 0);
  end += 5;
  const same = (from: number, to: number): boolean => query.subarray(from, to).every((octet, at) => octet === answer[from + at]);
  return same(4, 6) && same(headerBytes, end);
}
