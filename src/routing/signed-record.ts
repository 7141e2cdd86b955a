import { isRouterId } from './control-address.ts';
import type { OriginState } from './origin-state.ts';
import { readAddresses, readLinkState, type AddressContent, type LinkStateContent } from './record-content.ts';
import type { RouterIndex } from './router-index.ts';

/** Version of the layout, as neighbours tell each other: only those that say the same exchange records. */
export const recordLayout = 2;
/** Octets of SHA-256 that name a public key: nobody can make another key of the same name. */
export const keyIdOctets = 16;

/*
 * A signed record: one numbered slot of what an origin says about itself. Numbers are big-endian.
 *
 *   octets
 *   4      "CVR2": kind and version of the layout
 *   2      slot: 0 link state, 1 credential, 2 and above addresses
 *   1      length of the origin, 1 to 255
 *   ...    origin: router id, UTF-8
 *   8      epoch: life of the origin; larger in each life than in all before
 *   8      nonce: random, of this life
 *   8      sequence: larger than in any record of this slot and epoch before
 *   16     key id: first octets of the SHA-256 of the public key that the signature is of
 *   4      length of the payload
 *   ...    payload (record-content.ts; of slot 1 the credential)
 *   64     Ed25519 signature over everything before
 */

const magic = 0x4356_5232;
const fixedOctets = 4 + 2 + 1 + 8 + 8 + 8 + keyIdOctets + 4;
const signatureOctets = 64;

/** A record fits one message (`recordMessageOctets`) whatever its slot holds. */
export const maxRecordOctets = 61_440;
/** Slots of one origin: 10,000 addresses in slots of 64, and room for slots that long addresses fill early. */
export const maxSlots = 256;
/** The last epoch: as many digits as owners write on their disks. One a second would last for 30 million years. */
export const maxEpoch = 999_999_999_999_999;
/** Octets of a credential: a chain of a few certificates. */
export const maxCredentialOctets = 16_384;

/** Slots with a meaning of their own. Addresses are in `firstAddressSlot` and above. */
export const linkStateSlot = 0;
export const credentialSlot = 1;
export const firstAddressSlot = 2;

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

/** What is to be signed, but for the name of the key. */
export interface RecordFields {
  readonly slot: number;
  readonly origin: string;
  readonly epoch: number;
  /** 8 octets. */
  readonly nonce: Uint8Array;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** Who signs: the name of the key, and the key itself behind a function. */
export interface RecordSigner {
  /** `keyIdOctets` octets. */
  readonly keyId: Uint8Array;
  /** Ed25519 signature, 64 octets. */
  sign(bytes: Uint8Array): Uint8Array;
}

/** A record as parsed: never changed, and shared by whoever holds it. That its signature holds is not said. */
export class SignedRecord implements RecordFields {
  /** The whole record, owned by it. Not to be written, as all arrays here. */
  readonly bytes: Uint8Array;
  /** What the signature covers. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  readonly slot: number;
  readonly origin: string;
  readonly epoch: number;
  readonly nonce: Uint8Array;
  readonly sequence: number;
  /** Names the key that the signature is of. */
  readonly keyId: Uint8Array;
  readonly payload: Uint8Array;
  /** What the record adds to a digest of a set of records: from its signature, so that other content gives another digest. */
  readonly digest: number;
  /** Octets of the whole record. */
  readonly octets: number;
  /** What the name of the key was last found to be equal to: thousands of routers ask. */
  keyIdFound: Uint8Array | undefined = undefined;
  /** The state of an origin of which only this record is held; kept here to be shared. */
  firstState: OriginState | undefined = undefined;
  #numberedBy: RouterIndex | undefined;
  #generation = 0;
  #number = -1;
  #linkState: LinkStateContent | 'malformed' | undefined;
  #addresses: AddressContent | 'malformed' | undefined;

  constructor(fields: RecordFields, keyId: Uint8Array, bytes: Uint8Array) {
    this.bytes = bytes;
    this.octets = bytes.length;
    this.signed = bytes.subarray(0, bytes.length - signatureOctets);
    this.signature = bytes.subarray(bytes.length - signatureOctets);
    this.slot = fields.slot;
    this.origin = fields.origin;
    this.epoch = fields.epoch;
    this.nonce = fields.nonce;
    this.sequence = fields.sequence;
    this.keyId = keyId;
    this.payload = fields.payload;
    this.digest = new DataView(this.signature.buffer, this.signature.byteOffset, 4).getUint32(0);
  }

  /** Number of its origin in an index; -1 if it has none. */
  numberIn(index: RouterIndex): number {
    if (this.#numberedBy === index && this.#generation === index.generation) return this.#number;
    const number = index.find(this.origin);
    if (number < 0) return -1;
    this.#numberedBy = index;
    this.#generation = index.generation;
    this.#number = number;
    return number;
  }

  /** Content of slot 0; undefined if it is malformed. */
  get linkState(): LinkStateContent | undefined {
    this.#linkState ??= readLinkState(this.payload, this.origin) ?? 'malformed';
    return this.#linkState === 'malformed' ? undefined : this.#linkState;
  }

  /** Content of an address slot; undefined if it is malformed. */
  get addresses(): AddressContent | undefined {
    this.#addresses ??= readAddresses(this.payload) ?? 'malformed';
    return this.#addresses === 'malformed' ? undefined : this.#addresses;
  }

  /** Whether the payload is what its slot holds. */
  get isWellFormed(): boolean {
    if (this.slot === linkStateSlot) return this.linkState !== undefined;
    if (this.slot === credentialSlot) return this.payload.length > 0 && this.payload.length <= maxCredentialOctets;
    return this.addresses !== undefined;
  }
}

/** Reads a record, which is copied from `source`; undefined if it is malformed or of another version. The payload is not looked at. */
export function parseRecord(source: Uint8Array): SignedRecord | undefined {
  if (source.length < fixedOctets + 1 + signatureOctets || source.length > maxRecordOctets) return undefined;
  const view = new DataView(source.buffer, source.byteOffset, source.length);
  const originLength = view.getUint8(6);
  if (view.getUint32(0) !== magic || source.length < fixedOctets + originLength + signatureOctets) return undefined;
  const slot = view.getUint16(4);
  const afterOrigin = 7 + originLength;
  const epoch = readSafe(view, afterOrigin);
  const sequence = readSafe(view, afterOrigin + 16);
  const payloadLengthAt = afterOrigin + 24 + keyIdOctets;
  const payloadStart = payloadLengthAt + 4;
  if (slot >= maxSlots || epoch === undefined || epoch > maxEpoch || sequence === undefined) return undefined;
  if (payloadStart + view.getUint32(payloadLengthAt) + signatureOctets !== source.length) return undefined;
  const origin = textOf(source.subarray(7, afterOrigin));
  if (origin === undefined || !isRouterId(origin)) return undefined;
  const bytes = source.slice();
  const nonce = bytes.subarray(afterOrigin + 8, afterOrigin + 16);
  const keyId = bytes.subarray(afterOrigin + 24, payloadLengthAt);
  const payload = bytes.subarray(payloadStart, bytes.length - signatureOctets);
  return new SignedRecord({ slot, origin, epoch, nonce, sequence, payload }, keyId, bytes);
}

/** Makes and signs a record. The caller keeps within `maxRecordOctets`. */
export function signRecord(fields: RecordFields, signer: RecordSigner): SignedRecord {
  const origin = encoder.encode(fields.origin);
  const signedOctets = fixedOctets + origin.length + fields.payload.length;
  const bytes = new Uint8Array(signedOctets + signatureOctets);
  if (origin.length > 255) throw new Error(`bug: a router id of ${origin.length} octets cannot sign`);
  if (bytes.length > maxRecordOctets) throw new Error(`bug: a record of ${bytes.length} octets`);
  const view = new DataView(bytes.buffer);
  const afterOrigin = 7 + origin.length;
  view.setUint32(0, magic);
  view.setUint16(4, fields.slot);
  view.setUint8(6, origin.length);
  bytes.set(origin, 7);
  writeSafe(view, afterOrigin, fields.epoch);
  bytes.set(fields.nonce, afterOrigin + 8);
  writeSafe(view, afterOrigin + 16, fields.sequence);
  const payloadLengthAt = afterOrigin + 24 + keyIdOctets;
  bytes.set(signer.keyId, afterOrigin + 24);
  view.setUint32(payloadLengthAt, fields.payload.length);
  bytes.set(fields.payload, payloadLengthAt + 4);
  bytes.set(signer.sign(bytes.subarray(0, signedOctets)), signedOctets);
  const nonce = bytes.subarray(afterOrigin + 8, afterOrigin + 16);
  const keyId = bytes.subarray(afterOrigin + 24, payloadLengthAt);
  const payload = bytes.subarray(payloadLengthAt + 4, signedOctets);
  return new SignedRecord({ ...fields, nonce, payload }, keyId, bytes);
}

/** Octets of a payload that fit a record of this origin. */
export function payloadRoom(origin: string): number {
  return maxRecordOctets - fixedOctets - signatureOctets - encoder.encode(origin).length;
}

/**
 * Whether a record replaces another of the same origin and slot: by epoch, then by sequence. Records equal in both come from two
 * processes with one identity; all routers keep the same one of them.
 */
export function isNewer(record: SignedRecord, held: SignedRecord): boolean {
  if (record.epoch !== held.epoch) return record.epoch > held.epoch;
  if (record.sequence !== held.sequence) return record.sequence > held.sequence;
  return compareBytes(record.signature, held.signature) > 0;
}

/** Whether a record names this key as the one that it was signed with. */
export function isOfKey(record: SignedRecord, { keyId }: Pick<RecordSigner, 'keyId'>): boolean {
  if (record.keyIdFound === keyId) return true;
  if (compareBytes(record.keyId, keyId) !== 0) return false;
  record.keyIdFound = keyId;
  return true;
}

/** Negative, 0 or positive, as the first array sorts before, with or after the second of the same length. */
export function compareBytes(one: Uint8Array, other: Uint8Array): number {
  for (let at = 0; at < one.length; at++) {
    const difference = (one[at] ?? 0) - (other[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function readSafe(view: DataView, at: number): number | undefined {
  const high = view.getUint32(at);
  return high > 0x1f_ffff ? undefined : high * 0x1_0000_0000 + view.getUint32(at + 4);
}

function writeSafe(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value % 0x1_0000_0000);
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** As hexadecimal digits, for people. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join('');
}
