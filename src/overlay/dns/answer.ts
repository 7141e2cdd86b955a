import { octetsOf, isInPrefix, type AddressHex, type Prefix } from '../control/address.ts';
import { isIpv4 } from '../packet/address.ts';
import {
  internetClass,
  lowerCase,
  rcodes,
  recordTypes,
  type DnsMessage,
  type DomainName,
  type Question,
  type ResourceRecord,
} from './message.ts';
import { addressOfReverse, type VpcNames } from './name-table.ts';

/** What the pods of a VPC may ask for. */
export interface Zones {
  readonly vpc: string;
  /** The VPC's own addresses and those of its peers: what is asked about them goes nowhere else. */
  readonly prefixes: readonly Prefix[];
  /** Names of the VPC and of its peers, by VPC. One without names has an empty table. */
  readonly names: ReadonlyMap<string, VpcNames>;
  /** Rises when names change. */
  readonly serial: number;
  /** Whether other names are asked of the host's resolvers. */
  readonly forwards: boolean;
}

/** What becomes of a query: an answer, or the host's resolvers are asked. */
export type Decision = { readonly kind: 'answer'; readonly message: DnsMessage } | { readonly kind: 'forward' };

/** All names of VPCs end so: a pod asks for `web.red.overlay`. No name that ends so is ever asked of others. */
export const topLabel = 'overlay';

/** Names move with what they stand for, so answers are believed for a short time, and longer ones would only save a few local packets. */
const ttlSeconds = 5;
/** The same for an answer that there is nothing. */
const absentSeconds = 5;
/** For servers that copy a zone. Nobody can copy these. */
const copySeconds = 3600;
/** What this server takes by UDP: fits into every packet of a VPC (RFC 9715). */
export const ednsUdpBytes = 1232;
const queryOpcode = 0;

/** Says what becomes of a query, which is a message that is no response. */
export function decide(query: DnsMessage, zones: Zones): Decision {
  const answer = (rcode: number, more: Partial<DnsMessage> = {}): Decision => ({ kind: 'answer', message: response(query, rcode, more) });
  if (query.opcode !== queryOpcode) return answer(rcodes.notImplemented);
  const [question] = query.questions;
  // Nobody sends several questions, and nobody has said what an answer to them would be.
  if (question === undefined || query.questions.length > 1 || query.answers.length + query.authorities.length > 0)
    return answer(rcodes.formatError);
  if ((query.edns?.version ?? 0) !== 0) return answer(rcodes.badVersion);
  if (question.recordClass !== internetClass || isCopy(question.type)) return answer(rcodes.refused);

  const labels = question.name.map(lowerCase);
  if (labels.at(-1) === topLabel) return { kind: 'answer', message: answerName(query, question, labels.slice(0, -1), zones) };
  const address = addressOfReverse(labels);
  if (address !== undefined && zones.prefixes.some((prefix) => isInPrefix(address, prefix))) {
    return { kind: 'answer', message: answerAddress(query, question, address, zones) };
  }
  // Not refused: clients would take that for a server that is out of order.
  return zones.forwards ? { kind: 'forward' } : answer(rcodes.nameError);
}

/** The answer to what cannot be read; only the id is known. */
export function malformedAnswer(id: number): DnsMessage {
  return { ...emptyMessage, id, isResponse: true, rcode: rcodes.formatError };
}

/** The answer when the host's resolvers say nothing. */
export function failureAnswer(query: DnsMessage): DnsMessage {
  return response(query, rcodes.serverFailure, { recursionAvailable: true });
}

function answerName(query: DnsMessage, question: Question, labels: readonly string[], zones: Zones): DnsMessage {
  const vpc = labels.at(-1);
  const table = vpc === undefined ? undefined : zones.names.get(vpc);
  const zone = table === undefined ? [topLabel] : [table.vpc, topLabel];
  if (vpc !== undefined && table === undefined) return absent(query, rcodes.nameError, zone, zones);
  const inner = labels.slice(0, -1).join('.');
  if (inner === '') {
    const isAsked = question.type === recordTypes.soa || question.type === recordTypes.any;
    const answers = isAsked ? [authority(zone, zones, ttlSeconds)] : [];
    return answers.length > 0
      ? response(query, rcodes.noError, { isAuthoritative: true, answers })
      : absent(query, rcodes.noError, zone, zones);
  }
  const addresses = table?.addresses.get(inner);
  if (addresses === undefined) {
    return absent(query, table?.branches.has(inner) === true ? rcodes.noError : rcodes.nameError, zone, zones);
  }
  const answers = addresses.flatMap((hex): readonly ResourceRecord[] => {
    const address = octetsOf(hex);
    const type = isIpv4(address) ? recordTypes.a : recordTypes.aaaa;
    if (question.type !== type && question.type !== recordTypes.any) return [];
    return [{ name: question.name, type, recordClass: internetClass, ttlSeconds, data: { kind: 'address', address } }];
  });
  if (answers.length === 0) return absent(query, rcodes.noError, zone, zones);
  return response(query, rcodes.noError, { isAuthoritative: true, answers });
}

function answerAddress(query: DnsMessage, question: Question, address: AddressHex, zones: Zones): DnsMessage {
  // Its own names before those of peers.
  const tables = [zones.names.get(zones.vpc), ...zones.names.values()];
  const found = tables.find((table) => table?.names.has(address) === true);
  const zone = [zones.vpc, topLabel];
  if (found === undefined) return absent(query, rcodes.nameError, zone, zones);
  if (question.type !== recordTypes.ptr && question.type !== recordTypes.any) return absent(query, rcodes.noError, zone, zones);
  const name = [...(found.names.get(address) ?? '').split('.'), found.vpc, topLabel];
  const record: ResourceRecord = {
    name: question.name,
    type: recordTypes.ptr,
    recordClass: internetClass,
    ttlSeconds,
    data: { kind: 'name', name },
  };
  return response(query, rcodes.noError, { isAuthoritative: true, answers: [record] });
}

/** Nothing, and how long that counts: RFC 2308. */
function absent(query: DnsMessage, rcode: number, zone: DomainName, zones: Zones): DnsMessage {
  return response(query, rcode, { isAuthoritative: true, authorities: [authority(zone, zones, absentSeconds)] });
}

function authority(zone: DomainName, { serial }: Zones, ttl: number): ResourceRecord {
  return {
    name: zone,
    type: recordTypes.soa,
    recordClass: internetClass,
    ttlSeconds: ttl,
    data: {
      kind: 'authority',
      server: zone,
      mailbox: ['nobody', 'invalid'],
      serial: serial >>> 0,
      refreshSeconds: copySeconds,
      retrySeconds: copySeconds,
      expireSeconds: copySeconds,
      minimumSeconds: absentSeconds,
    },
  };
}

const emptyMessage: DnsMessage = {
  id: 0,
  isResponse: false,
  opcode: queryOpcode,
  isAuthoritative: false,
  isTruncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  rcode: rcodes.noError,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
  edns: undefined,
};

function response(query: DnsMessage, rcode: number, more: Partial<DnsMessage>): DnsMessage {
  const { id, opcode, recursionDesired, questions, edns } = query;
  return {
    ...emptyMessage,
    id,
    isResponse: true,
    opcode,
    recursionDesired,
    recursionAvailable: true,
    rcode,
    questions: questions.slice(0, 1),
    edns: edns === undefined ? undefined : { udpBytes: ednsUdpBytes, version: 0, dnssecOk: false },
    ...more,
  };
}

function isCopy(type: number): boolean {
  return type === recordTypes.axfr || type === recordTypes.ixfr;
}
