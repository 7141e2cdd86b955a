import type { AddressHex, BlockHex } from './address.ts';
import type { Digest, DirectoryEntry } from './directory.ts';
import { flagOf, hexOf, listOf, numberOf, shapeOf, u32Of, type Shape } from './json-reader.ts';
import type { BlockRecord, LeaseRequest } from './lease-book.ts';

/**
 * Messages between hosts' daemons: a JSON list of records. A call has an id and is repeated until an answer with that id comes; doing it
 * twice is the same as doing it once. The transport says which host a message is from; no record does.
 */

/** Places an endpoint at one of its owners. Its host is the caller. */
export interface PutCall extends Omit<DirectoryEntry, 'hostId'> {
  readonly type: 'put';
  readonly id: number;
  /** Rises with each call of a host. */
  readonly sequence: number;
  readonly epoch: number;
}

export interface DeleteCall {
  readonly type: 'delete';
  readonly id: number;
  readonly vni: number;
  readonly address: AddressHex;
  readonly generation: number;
}

/** Where is an endpoint? */
export interface GetCall {
  readonly type: 'get';
  readonly id: number;
  readonly vni: number;
  readonly address: AddressHex;
}

/** Asks one grantor of a block. */
export interface LeaseCall extends LeaseRequest {
  readonly type: 'lease';
  readonly id: number;
  readonly epoch: number;
}

/** A new grantor asks an old one what it knows about the blocks of a slot as of an epoch. */
export interface HandoverCall {
  readonly type: 'handover';
  readonly id: number;
  readonly subnetId: number;
  readonly slot: number;
  /** In which the old one was a grantor of the slot. */
  readonly epoch: number;
  /** In which the new one is; the old one must know of it, since it agrees to nothing of an older one from then on. */
  readonly newEpoch: number;
}

/** All entries of the caller that this owner should have, in a range of addresses. */
export interface ListCall {
  readonly type: 'list';
  readonly id: number;
  readonly vni: number;
  readonly epoch: number;
  readonly from: AddressHex;
  /** Not part of the range; '' = no end. */
  readonly to: AddressHex;
  readonly sequence: number;
  readonly entries: readonly Omit<DirectoryEntry, 'hostId' | 'vni'>[];
}

/** An endpoint of the host that is told has come to the caller. */
export interface MovedCall {
  readonly type: 'moved';
  readonly id: number;
  readonly vni: number;
  readonly address: AddressHex;
  readonly generation: number;
}

/** The caller's entries under a VNI that this owner should have. Not answered; who knows better asks for the list. */
export interface DigestNotice extends Digest {
  readonly type: 'digest';
  readonly vni: number;
  readonly epoch: number;
}

/** An owner has entries of this host and has heard no digest; or (`isList`) has heard one that differs. */
export interface AskNotice {
  readonly type: 'ask';
  readonly vni: number;
  readonly isList: boolean;
}

/** An owner sent a packet of this host on: the way is this. */
export interface LocatedNotice extends DirectoryEntry {
  readonly type: 'located';
}

export interface PutAnswer {
  readonly type: 'putAnswer';
  readonly id: number;
  readonly isAccepted: boolean;
  /** The newest that the owner knows, of anybody. */
  readonly generation: number;
}

export interface GetAnswer {
  readonly type: 'getAnswer';
  readonly id: number;
  /** None or one. */
  readonly entries: readonly DirectoryEntry[];
}

/** Why a lease is not given: somebody has it, or the grantor is not ready: ask again. */
export type LeaseOutcome = 'agreed' | 'held' | 'later';

export interface LeaseCallAnswer {
  readonly type: 'leaseAnswer';
  readonly id: number;
  readonly outcome: LeaseOutcome;
  readonly mask: number;
  readonly token: number;
}

/** `informed`: here is all; `uninformed`: this one never agreed to anything then; `later`: it does not know of the new epoch yet. */
export type HandoverOutcome = 'informed' | 'uninformed' | 'later';

export interface HandoverAnswer {
  readonly type: 'handoverAnswer';
  readonly id: number;
  readonly outcome: HandoverOutcome;
  /** Times in them are what is left, in milliseconds. */
  readonly blocks: readonly HandedBlock[];
}

export interface HandedBlock {
  readonly vni: number;
  readonly block: BlockHex;
  readonly record: BlockRecord;
}

export interface DoneAnswer {
  readonly type: 'done';
  readonly id: number;
}

export type CallRecord = PutCall | DeleteCall | GetCall | LeaseCall | HandoverCall | ListCall | MovedCall;
export type NoticeRecord = DigestNotice | AskNotice | LocatedNotice;
export type AnswerRecord = PutAnswer | GetAnswer | LeaseCallAnswer | HandoverAnswer | DoneAnswer;
export type MessageRecord = CallRecord | NoticeRecord | AnswerRecord;

/** Of one message. */
export const messageLimits = {
  records: 64,
  /** Octets of JSON. */
  bytes: 1_048_576,
  /** Entries of one list. */
  entries: 256,
  /** Blocks of a slot that are handed over: a grantor has 2 / n of the blocks in use, and 1 / 251 of those are in one slot. */
  blocks: 256,
} as const;

/** Text of a record without lists, of an entry, and of a block whose 16 addresses have 16 holders. */
const recordBytes = 512;
const entryBytes = 192;
const blockBytes = 3840;

const vni = (value: unknown): number | undefined => numberOf(value, 0xffffff);
const u16 = (value: unknown): number | undefined => numberOf(value, 0xffff);
const count = (value: unknown): number | undefined => numberOf(value, Number.MAX_SAFE_INTEGER);
const address = (value: unknown): AddressHex | undefined => hexOf(value, 32);
const addressOrNone = (value: unknown): AddressHex | undefined => (value === '' ? '' : address(value));
const block = (value: unknown): BlockHex | undefined => hexOf(value, 31);
const mac = (value: unknown): string | undefined => hexOf(value, 12);
function oneOf<T extends string>(...names: readonly T[]): (value: unknown) => T | undefined {
  return (value) => names.find((name) => name === value);
}

const placed: Shape<Omit<DirectoryEntry, 'hostId' | 'vni'>> = { address, generation: u32Of, identity: u32Of, flags: u16, mac };
const entry: Shape<DirectoryEntry> = { vni, hostId: u32Of, ...placed };
const blockRecord: Shape<BlockRecord> = {
  leases: (value) => listOf(value, 16, (lease) => shapeOf(lease, { holder: u32Of, mask: u16, expiresMs: count })),
  token: u32Of,
  sequences: (value) =>
    listOf(value, 64, (pair) => {
      const [holder, sequence] = listOf(pair, 2, count) ?? [];
      return holder === undefined || sequence === undefined ? undefined : ([holder, sequence] as const);
    }),
  forgetAtMs: count,
};

type Shapes = { readonly [Type in MessageRecord['type']]: Shape<Extract<MessageRecord, { type: Type }>> };

const id = u32Of;
const shapes: Shapes = {
  put: { type: oneOf('put'), id, vni, sequence: count, epoch: u32Of, ...placed },
  delete: { type: oneOf('delete'), id, vni, address, generation: u32Of },
  get: { type: oneOf('get'), id, vni, address },
  lease: {
    type: oneOf('lease'),
    id,
    epoch: u32Of,
    kind: oneOf('grant', 'renew', 'release'),
    vni,
    block,
    mask: u16,
    token: u32Of,
    sequence: count,
  },
  handover: { type: oneOf('handover'), id, subnetId: u32Of, slot: u32Of, epoch: u32Of, newEpoch: u32Of },
  list: {
    type: oneOf('list'),
    id,
    vni,
    epoch: u32Of,
    from: address,
    to: addressOrNone,
    sequence: count,
    entries: (value) => listOf(value, messageLimits.entries, (item) => shapeOf(item, placed)),
  },
  moved: { type: oneOf('moved'), id, vni, address, generation: u32Of },
  digest: { type: oneOf('digest'), vni, epoch: u32Of, count: u32Of, high: u32Of, low: u32Of },
  ask: { type: oneOf('ask'), vni, isList: flagOf },
  located: { type: oneOf('located'), ...entry },
  putAnswer: { type: oneOf('putAnswer'), id, isAccepted: flagOf, generation: u32Of },
  getAnswer: { type: oneOf('getAnswer'), id, entries: (value) => listOf(value, 1, (item) => shapeOf(item, entry)) },
  leaseAnswer: { type: oneOf('leaseAnswer'), id, outcome: oneOf('agreed', 'held', 'later'), mask: u16, token: u32Of },
  handoverAnswer: {
    type: oneOf('handoverAnswer'),
    id,
    outcome: oneOf('informed', 'uninformed', 'later'),
    blocks: (value) => listOf(value, messageLimits.blocks, (item) => shapeOf(item, { vni, block, record: parseBlockRecord })),
  },
  done: { type: oneOf('done'), id },
};

/** At most so many octets of text is a record; what goes into one message is packed by it. */
export function weightOf(record: MessageRecord): number {
  if (record.type === 'list') return recordBytes + record.entries.length * entryBytes;
  if (record.type === 'handoverAnswer') return recordBytes + record.blocks.length * blockBytes;
  return recordBytes;
}

/** A stored or received record of a block. */
export function parseBlockRecord(value: unknown): BlockRecord | undefined {
  return shapeOf(value, blockRecord);
}

/** The records of a message; undefined when it is not exactly what a host may send. Its octets must have been bounded before. */
export function parseMessage(text: string): MessageRecord[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return listOf(value, messageLimits.records, parseRecord);
}

export function formatMessage(records: readonly MessageRecord[]): string {
  return JSON.stringify(records);
}

function parseRecord(value: unknown): MessageRecord | undefined {
  const type: unknown = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  if (typeof type !== 'string' || !Object.hasOwn(shapes, type)) return undefined;
  const shape = shapes[type as MessageRecord['type']] as Shape<MessageRecord>;
  return shapeOf(value, shape);
}
