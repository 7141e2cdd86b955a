import { decide, type Zones } from '../../src/overlay/dns/answer.ts';
import { decodeMessage } from '../../src/overlay/dns/decode.ts';
import { encodeMessage } from '../../src/overlay/dns/encode.ts';
import { internetClass, messageLimit, nameOf, recordTypes, type DnsMessage } from '../../src/overlay/dns/message.ts';
import { mutate } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

const maxInputBytes = 2048;
const empty = { isAuthoritative: false, isTruncated: false, recursionAvailable: false, rcode: 0, authorities: [], additionals: [] };
const query: DnsMessage = {
  ...empty,
  id: 7,
  isResponse: false,
  opcode: 0,
  recursionDesired: true,
  questions: [{ name: nameOf('web.red.overlay'), type: recordTypes.a, recordClass: internetClass }],
  answers: [],
  edns: { udpBytes: 1232, version: 0, dnssecOk: false },
};
const record = { name: nameOf('web.red.overlay'), recordClass: internetClass, ttlSeconds: 5 };
const answer: DnsMessage = {
  ...query,
  isResponse: true,
  answers: [
    { ...record, type: recordTypes.a, data: { kind: 'address', address: new Uint8Array(16) } },
    { ...record, type: recordTypes.ptr, data: { kind: 'name', name: nameOf('a.web.red.overlay') } },
  ],
};
const seeds = [query, answer].map((message) => encodeMessage(message, messageLimit));
const zones: Zones = { vpc: 'red', prefixes: [], names: new Map(), serial: 1, forwards: false };

/** Queries of pods, and what servers answer. What is read must be read again from what is written of it. */
export const dnsTarget: FuzzTarget = {
  name: 'DNS messages',
  input: (random) => mutate(random.pick(seeds), random.pick(seeds), random, maxInputBytes),
  run: (input): unknown => {
    const message = decodeMessage(input);
    if (message === undefined) return undefined;
    // 256 names of 255 octets that were pointed to may take more room than a message has: then it is cut off.
    if (decodeMessage(encodeMessage(message, messageLimit)) === undefined)
      throw new Error('a message is malformed when it is written again');
    const decision = decide(message, zones);
    if (decision.kind === 'answer' && decodeMessage(encodeMessage(decision.message, messageLimit)) === undefined)
      throw new Error('an answer is malformed');
    return message;
  },
};
