import { assert } from '../../base/errors.ts';
import {
  type NetlinkMessage,
  type NetlinkRequest,
  decodeError,
  decodeMessages,
  encodeRequests,
  messageFlags,
  messageTypes,
} from './message.ts';
import { type NetlinkError, NetlinkError as NetlinkFailure, replyError } from './netlink-error.ts';
import { type NetworkNamespace, inNamespace } from './network-namespace.ts';
import { type SocketCalls, socketOptions } from './socket-calls.ts';

const routeProtocol = 0;
/** The kernel fills at most 32 KiB of one datagram of a dump; a single answer is smaller. */
const receiveBytes = 64 * 1024;
/** Answers of the largest send wait in the kernel until they are read: some 2 KiB of its memory each. The kernel doubles it. */
const receiveBufferBytes = 4 * 1024 * 1024;
/** 1024 requests of 40-200 octets. */
const sendBufferBytes = 1024 * 1024;
/** More would not fit the buffers above. */
export const maxRequestsPerSend = 1024;
/** Links, addresses or neighbours of the largest host that makes sense: 4096 ports with some of each. */
const maxDumpEntries = 65_536;
/** A table that changed while it was read is read again so often. */
const maxDumpTries = 5;

/** What became of a request. */
export interface Outcome {
  readonly error: NetlinkError | undefined;
  readonly replies: readonly NetlinkMessage[];
}

/**
 * A socket for rtnetlink that stays in the network namespace in which it was opened. The kernel does what is asked while it is sent,
 * and its answers wait in the socket after that: nothing here blocks but the kernel's own work.
 */
export class NetlinkSocket implements Disposable {
  readonly #calls: SocketCalls;
  readonly #descriptor: number;
  readonly #buffer: Uint8Array = new Uint8Array(receiveBytes);
  #sequence = 1;
  #state: 'open' | 'away' | 'closed' = 'open';

  /** In the namespace given, or in the calling thread's. Throws NetlinkError. */
  constructor(calls: SocketCalls, namespace?: NetworkNamespace) {
    this.#calls = calls;
    const open = (): number => calls.netlinkSocket(routeProtocol);
    this.#descriptor = namespace === undefined ? open() : inNamespace(calls, namespace, open);
    try {
      calls.setOption(this.#descriptor, socketOptions.receiveBufferForce, receiveBufferBytes);
      calls.setOption(this.#descriptor, socketOptions.sendBufferForce, sendBufferBytes);
      calls.setOption(this.#descriptor, socketOptions.cappedAcknowledgement, 1);
      calls.setOption(this.#descriptor, socketOptions.extendedAcknowledgement, 1);
      calls.setOption(this.#descriptor, socketOptions.strictCheck, 1);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** For ioctl on links of the socket's namespace. */
  get descriptor(): number {
    assert(this.#state !== 'closed', 'a closed netlink socket is used');
    return this.#descriptor;
  }

  close(): void {
    if (this.#state === 'closed') return;
    assert(this.#state === 'open', 'a netlink socket is closed while it works elsewhere');
    this.#state = 'closed';
    this.#calls.close(this.#descriptor);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Sends all in one call. The kernel goes on after a request that it refuses: each has its own outcome. */
  exchange(requests: readonly NetlinkRequest[]): Outcome[] {
    const { bytes, first, what } = this.#prepare(requests);
    this.#calls.send(this.#descriptor, bytes, what);
    return this.#collect(requests, first);
  }

  /** The same with the kernel's work on another thread. The socket cannot be used until then. */
  async exchangeAway(requests: readonly NetlinkRequest[]): Promise<Outcome[]> {
    const { bytes, first, what } = this.#prepare(requests);
    this.#state = 'away';
    try {
      await this.#calls.sendAway(this.#descriptor, bytes, what);
    } finally {
      this.#state = 'open';
    }
    return this.#collect(requests, first);
  }

  /** Sends all in one call and throws the first error. What came before and after the request that failed is done nevertheless. */
  run(requests: readonly NetlinkRequest[]): Outcome[] {
    return withoutErrors(this.exchange(requests));
  }

  /** The same with the kernel's work on another thread. */
  async runAway(requests: readonly NetlinkRequest[]): Promise<Outcome[]> {
    return withoutErrors(await this.exchangeAway(requests));
  }

  /** What `decode` makes of the answers to one request. */
  get<Entry>(request: NetlinkRequest, decode: (message: NetlinkMessage) => Entry | undefined): Entry | undefined {
    const [outcome] = this.run([request]);
    for (const reply of outcome?.replies ?? []) {
      const entry = decode(reply);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /** Every entry of a table that `decode` does not skip by undefined. It must copy what it keeps. */
  dump<Entry>(request: NetlinkRequest, decode: (message: NetlinkMessage) => Entry | undefined): Entry[] {
    for (let tries = 0; tries < maxDumpTries; tries++) {
      const entries = this.#dumpOnce(request, decode);
      if (entries !== undefined) return entries;
    }
    throw replyError(request.what, `the table changed ${maxDumpTries} times while it was read`);
  }

  #prepare(requests: readonly NetlinkRequest[]): { bytes: Uint8Array; first: number; what: string } {
    assert(this.#state === 'open', `a netlink socket is used that is ${this.#state}`);
    assert(requests.length > 0 && requests.length <= maxRequestsPerSend, `1 to ${maxRequestsPerSend} requests in a send`);
    const first = this.#nextSequence(requests.length);
    return { bytes: encodeRequests(requests, first, messageFlags.acknowledge), first, what: requests[0]?.what ?? '' };
  }

  #nextSequence(count: number): number {
    if (this.#sequence + count > 0xffffffff) this.#sequence = 1;
    const first = this.#sequence;
    this.#sequence += count;
    return first;
  }

  #collect(requests: readonly NetlinkRequest[], first: number): Outcome[] {
    const errors: (NetlinkError | undefined)[] = Array.from({ length: requests.length });
    const replies: NetlinkMessage[][] = requests.map(() => []);
    let missing = requests.length;
    while (missing > 0) {
      for (const message of this.#receive(requests[0]?.what ?? '')) {
        const index = message.sequence - first;
        const request = requests[index];
        // An answer to what was asked before and given up.
        if (request === undefined) continue;
        if (message.type === messageTypes.error) {
          errors[index] = decodeError(message, request.what);
          missing--;
        } else {
          replies[index]?.push({ ...message, body: message.body.slice() });
        }
      }
    }
    return replies.map((list, index) => ({ error: errors[index], replies: list }));
  }

  #dumpOnce<Entry>(request: NetlinkRequest, decode: (message: NetlinkMessage) => Entry | undefined): Entry[] | undefined {
    assert(this.#state === 'open', `a netlink socket is used that is ${this.#state}`);
    const sequence = this.#nextSequence(1);
    const entries: Entry[] = [];
    let changed = false;
    this.#calls.send(this.#descriptor, encodeRequests([request], sequence, 0), request.what);
    for (;;) {
      for (const message of this.#receive(request.what)) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & messageFlags.dumpInterrupted) !== 0) changed = true;
        if (message.type === messageTypes.done || message.type === messageTypes.error) {
          const error = decodeError(message, request.what);
          if (error !== undefined) throw error;
          return changed ? undefined : entries;
        }
        const entry = decode(message);
        if (entry === undefined) continue;
        if (entries.length >= maxDumpEntries) throw this.#abandon(replyError(request.what, `more than ${maxDumpEntries} entries`));
        entries.push(entry);
      }
    }
  }

  /** The kernel allows one dump at a time for a socket: what is left of this one is read and thrown away. */
  #abandon(error: NetlinkError): NetlinkError {
    while (this.#calls.receive(this.#descriptor, this.#buffer, error.message) !== undefined);
    return error;
  }

  #receive(what: string): NetlinkMessage[] {
    const length = this.#calls.receive(this.#descriptor, this.#buffer, what);
    if (length === undefined) throw new NetlinkFailure('netlink-reply', `${what}: the kernel gave no answer`, 0);
    if (length > this.#buffer.length) throw replyError(what, `an answer of ${length} octets, more than ${this.#buffer.length}`);
    return decodeMessages(this.#buffer.subarray(0, length));
  }
}

function withoutErrors(outcomes: Outcome[]): Outcome[] {
  for (const { error } of outcomes) if (error !== undefined) throw error;
  return outcomes;
}
