import { assert } from '../../base/errors.ts';
import { ipv4Octets } from '../packet/address.ts';
import { writeU16, writeU32 } from '../packet/octets.ts';
import {
  headerBytes,
  labelLimit,
  lowerCase,
  nameLimit,
  recordTypes,
  type DnsMessage,
  type DomainName,
  type Edns,
  type ResourceRecord,
} from './message.ts';

const pointer = 0xc000;
/** Names that begin behind it are not pointed to. */
const pointerReach = 0x3fff;

/**
 * The message in at most `limitBytes` octets. What is longer loses its records and says that it is cut off (TC), as is right for UDP: the client
 * comes again by TCP. Names that stood before are pointed to.
 */
export function encodeMessage(message: DnsMessage, limitBytes: number): Uint8Array<ArrayBuffer> {
  const whole = encode(message);
  if (whole.length <= limitBytes) return whole;
  return encode({ ...message, isTruncated: true, answers: [], authorities: [], additionals: [] });
}

function encode(message: DnsMessage): Uint8Array<ArrayBuffer> {
  const { questions, answers, authorities, additionals, edns, rcode } = message;
  const writer = new Writer();
  const flags =
    (message.isResponse ? 0x8000 : 0) |
    (message.opcode << 11) |
    (message.isAuthoritative ? 0x0400 : 0) |
    (message.isTruncated ? 0x0200 : 0) |
    (message.recursionDesired ? 0x0100 : 0) |
    (message.recursionAvailable ? 0x0080 : 0) |
    (rcode & 15);
  for (const word of [message.id, flags, questions.length, answers.length, authorities.length]) writer.u16(word);
  writer.u16(additionals.length + (edns === undefined ? 0 : 1));
  assert(writer.length === headerBytes, 'the header has 12 octets');
  for (const { name, type, recordClass } of questions) {
    writer.name(name);
    writer.u16(type);
    writer.u16(recordClass);
  }
  for (const record of [...answers, ...authorities, ...additionals]) writeRecord(writer, record);
  if (edns !== undefined) writeRecord(writer, optionRecord(edns, rcode));
  return writer.octets();
}

function optionRecord({ udpBytes, version, dnssecOk }: Edns, rcode: number): ResourceRecord {
  const ttlSeconds = (((rcode >> 4) << 24) | (version << 16) | (dnssecOk ? 0x8000 : 0)) >>> 0;
  return { name: [], type: recordTypes.opt, recordClass: udpBytes, ttlSeconds, data: { kind: 'octets', octets: new Uint8Array(0) } };
}

function writeRecord(writer: Writer, { name, type, recordClass, ttlSeconds, data }: ResourceRecord): void {
  writer.name(name);
  writer.u16(type);
  writer.u16(recordClass);
  writer.u32(ttlSeconds);
  const lengthAt = writer.length;
  writer.u16(0);
  switch (data.kind) {
    case 'address':
      writer.raw(type === recordTypes.a ? ipv4Octets(data.address) : data.address);
      break;
    case 'name':
      writer.name(data.name);
      break;
    case 'authority': {
      writer.name(data.server);
      writer.name(data.mailbox);
      const { serial, refreshSeconds, retrySeconds, expireSeconds, minimumSeconds } = data;
      for (const word of [serial, refreshSeconds, retrySeconds, expireSeconds, minimumSeconds]) writer.u32(word);
      break;
    }
    case 'octets':
      writer.raw(data.octets);
  }
  writer.setU16(lengthAt, writer.length - lengthAt - 2);
}

/** Octets that grow. */
class Writer {
  #octets = new Uint8Array(512);
  length = 0;
  /** Where names stand, by their labels. */
  readonly #names = new Map<string, number>();

  u16(value: number): void {
    const at = this.#grow(2);
    writeU16(this.#octets, at, value);
  }

  u32(value: number): void {
    const at = this.#grow(4);
    writeU32(this.#octets, at, value);
  }

  raw(octets: Uint8Array): void {
    const at = this.#grow(octets.length);
    this.#octets.set(octets, at);
  }

  setU16(at: number, value: number): void {
    writeU16(this.#octets, at, value);
  }

  name(name: DomainName): void {
    const wireBytes = name.reduce((sum, label) => sum + 1 + label.length, 1);
    assert(wireBytes <= nameLimit && name.every((label) => label.length > 0 && label.length <= labelLimit), 'a name fits into a message');
    for (let index = 0; index < name.length; index++) {
      // A label may hold any octet: lengths in between keep different names apart.
      const key = name
        .slice(index)
        .map((label) => `${label.length} ${lowerCase(label)}`)
        .join(' ');
      const known = this.#names.get(key);
      if (known !== undefined) {
        this.u16(pointer | known);
        return;
      }
      if (this.length <= pointerReach) this.#names.set(key, this.length);
      const label = name[index] ?? '';
      const at = this.#grow(1 + label.length);
      this.#octets[at] = label.length;
      for (let letter = 0; letter < label.length; letter++) this.#octets[at + 1 + letter] = label.charCodeAt(letter);
    }
    this.#octets[this.#grow(1)] = 0;
  }

  /** A copy. */
  octets(): Uint8Array<ArrayBuffer> {
    return this.#octets.slice(0, this.length);
  }

  #grow(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.#octets.length) {
      const larger = new Uint8Array(Math.max(2 * this.#octets.length, this.length));
      larger.set(this.#octets);
      this.#octets = larger;
    }
    return at;
  }
}
