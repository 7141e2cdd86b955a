import { mappedIpv4 } from '../packet/address.ts';
import { readU16, readU32 } from '../packet/octets.ts';
import {
  headerBytes,
  labelLimit,
  messageLimit,
  nameLimit,
  recordTypes,
  type DnsMessage,
  type DomainName,
  type Edns,
  type Question,
  type RecordData,
  type ResourceRecord,
} from './message.ts';

/** Questions and records of one message. Each may be 2 octets that stand for a name of 255: this bounds what a message becomes. */
export const recordsLimit = 256;

const pointerBits = 0xc0;

/** Undefined when it is malformed, has octets left over, more than `recordsLimit` questions and records, or two OPT. Keeps nothing of `octets`. */
export function decodeMessage(octets: Uint8Array): DnsMessage | undefined {
  if (octets.length < headerBytes || octets.length > messageLimit) return undefined;
  const flags = readU16(octets, 2);
  const counts = [4, 6, 8, 10].map((at) => readU16(octets, at));
  if (counts.reduce((sum, count) => sum + count, 0) > recordsLimit) return undefined;
  const reader = new Reader(octets, headerBytes);
  const questions = times(counts[0]!, () => reader.question());
  const answers = times(counts[1]!, () => reader.record());
  const authorities = times(counts[2]!, () => reader.record());
  const additionals = times(counts[3]!, () => reader.record());
  if (reader.isBroken || reader.at !== octets.length) return undefined;
  const isOption = ({ type }: ResourceRecord): boolean => type === recordTypes.opt;
  const options = additionals.filter(isOption);
  if (options.length > 1 || answers.some(isOption) || authorities.some(isOption)) return undefined;
  const [option] = options;
  if (option !== undefined && option.name.length > 0) return undefined;
  return {
    id: readU16(octets, 0),
    isResponse: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 15,
    isAuthoritative: (flags & 0x0400) !== 0,
    isTruncated: (flags & 0x0200) !== 0,
    recursionDesired: (flags & 0x0100) !== 0,
    recursionAvailable: (flags & 0x0080) !== 0,
    rcode: (flags & 15) | (option === undefined ? 0 : (option.ttlSeconds >>> 24) << 4),
    questions,
    answers,
    authorities,
    additionals: additionals.filter((record) => !isOption(record)),
    edns: option === undefined ? undefined : ednsOf(option),
  };
}

function ednsOf({ recordClass, ttlSeconds }: ResourceRecord): Edns {
  return { udpBytes: recordClass, version: (ttlSeconds >>> 16) & 255, dnssecOk: (ttlSeconds & 0x8000) !== 0 };
}

function times<T>(count: number, read: () => T | undefined): readonly T[] {
  const list: T[] = [];
  for (let index = 0; index < count; index++) {
    const item = read();
    if (item === undefined) break;
    list.push(item);
  }
  return list;
}

/** After the first thing that does not fit it reads nothing more, and is broken. */
class Reader {
  readonly #octets: Uint8Array;
  at: number;
  isBroken = false;

  constructor(octets: Uint8Array, at: number) {
    this.#octets = octets;
    this.at = at;
  }

  question(): Question | undefined {
    const name = this.name();
    if (name === undefined || !this.#has(4)) return this.#broken();
    const question = { name, type: this.#u16(0), recordClass: this.#u16(2) };
    this.at += 4;
    return question;
  }

  record(): ResourceRecord | undefined {
    const name = this.name();
    if (name === undefined || !this.#has(10)) return this.#broken();
    const head = { name, type: this.#u16(0), recordClass: this.#u16(2), ttlSeconds: readU32(this.#octets, this.at + 4) };
    const length = this.#u16(8);
    this.at += 10;
    if (!this.#has(length)) return this.#broken();
    const end = this.at + length;
    const data = this.#data(head.type, length);
    // Data that says less or more than its length is none.
    return data === undefined || this.at !== end ? this.#broken() : { ...head, data };
  }

  /** A pointer leads to octets before all that were read of this name, so that it comes to an end. */
  name(): DomainName | undefined {
    const octets = this.#octets;
    const labels: string[] = [];
    let wireBytes = 1;
    let at = this.at;
    let before = at;
    let behind: number | undefined;
    for (;;) {
      const length = octets[at];
      if (length === undefined) return this.#broken();
      if (length === 0) break;
      if ((length & pointerBits) === pointerBits) {
        if (at + 2 > octets.length) return this.#broken();
        const target = readU16(octets, at) & 0x3fff;
        if (target >= before || target < headerBytes) return this.#broken();
        behind ??= at + 2;
        before = target;
        at = target;
        continue;
      }
      wireBytes += 1 + length;
      if (length > labelLimit || wireBytes > nameLimit || at + 1 + length > octets.length) return this.#broken();
      labels.push(String.fromCharCode(...octets.subarray(at + 1, at + 1 + length)));
      at += 1 + length;
    }
    this.at = behind ?? at + 1;
    return labels;
  }

  #data(type: number, length: number): RecordData | undefined {
    switch (type) {
      case recordTypes.a:
        return length === 4 ? { kind: 'address', address: mappedIpv4(this.#take(4)) } : undefined;
      case recordTypes.aaaa:
        return length === 16 ? { kind: 'address', address: this.#take(16) } : undefined;
      case recordTypes.ptr:
      case recordTypes.ns:
      case recordTypes.cname: {
        const name = this.name();
        return name === undefined ? undefined : { kind: 'name', name };
      }
      case recordTypes.soa:
        return this.#authority();
      default:
        return { kind: 'octets', octets: this.#take(length) };
    }
  }

  #authority(): RecordData | undefined {
    const server = this.name();
    const mailbox = server === undefined ? undefined : this.name();
    if (server === undefined || mailbox === undefined || !this.#has(20)) return undefined;
    const word = (index: number): number => readU32(this.#octets, this.at + 4 * index);
    const data: RecordData = {
      kind: 'authority',
      server,
      mailbox,
      serial: word(0),
      refreshSeconds: word(1),
      retrySeconds: word(2),
      expireSeconds: word(3),
      minimumSeconds: word(4),
    };
    this.at += 20;
    return data;
  }

  #take(length: number): Uint8Array {
    this.at += length;
    return this.#octets.slice(this.at - length, this.at);
  }

  #has(length: number): boolean {
    return !this.isBroken && this.at + length <= this.#octets.length;
  }

  #u16(offset: number): number {
    return readU16(this.#octets, this.at + offset);
  }

  #broken(): undefined {
    this.isBroken = true;
  }
}
