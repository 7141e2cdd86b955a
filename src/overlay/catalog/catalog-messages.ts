import { flagOf, hexOf, listOf, objectOf, shapeOf, u32Of, type Shape } from '../control/json-reader.ts';
import { ageOf, counterOf, hostIdOf, keyOf, textOf, type CatalogRecord } from './catalog-record.ts';
import { bucketCount } from './record-table.ts';

/*
 * Messages between hosts about the catalog: {"catalog":[...]}. Nothing is answered and nothing is repeated: what is lost is found by the next
 * digest.
 *
 *   one host                         the other
 *   digest    ─────────────────────►            each 10 s, and when they connect
 *             ◄─────────────────────  versions  of each bucket that differs
 *   record    ─────────────────────►            what is newer here
 *   want      ─────────────────────►            what is newer there
 *             ◄─────────────────────  record
 */

/** A record is this. Of a grave the age says when it is to be forgotten; of others it is 0. */
export interface RecordMessage extends CatalogRecord {
  readonly type: 'record';
  readonly ageMs: number;
}

/** Fingerprints of all buckets. */
export interface DigestMessage {
  readonly type: 'digest';
  /** 16 hex digits of each bucket. */
  readonly buckets: string;
  /** The sender has heard of nobody for so long that the graves of what it has may be forgotten. */
  readonly isStale: boolean;
}

/** Key, counter, host, and fingerprint of a record. */
export type RecordVersion = readonly [key: string, counter: number, hostId: number, fingerprint: number];

/** All that the sender has in a range of keys of a bucket. */
export interface VersionsMessage {
  readonly type: 'versions';
  readonly bucket: number;
  readonly from: string;
  /** Not part of the range; '' = no end. */
  readonly to: string;
  readonly versions: readonly RecordVersion[];
  readonly isStale: boolean;
}

export interface WantMessage {
  readonly type: 'want';
  readonly keys: readonly string[];
}

export type CatalogMessage = RecordMessage | DigestMessage | VersionsMessage | WantMessage;

export const catalogMessageLimits = {
  /** Of one text. */
  messages: 1024,
  /** Of one `versions`, and keys of one `want`. */
  versions: 512,
  /** Octets of one text, by `catalogWeight`: below the limit of the connections. */
  bytes: 524_288,
} as const;

const keyOrNone = (value: unknown): string | undefined => (value === '' ? '' : keyOf(value));

function typeOf<T extends string>(type: T): (value: unknown) => T | undefined {
  return (value) => (value === type ? type : undefined);
}

function versionOf(value: unknown): RecordVersion | undefined {
  const [first, second, third, fourth, ...more] = listOf(value, 4, (item) => item) ?? [];
  const [key, counter, hostId, fingerprint] = [keyOf(first), counterOf(second), hostIdOf(third), u32Of(fourth)];
  if (key === undefined || counter === undefined || hostId === undefined || fingerprint === undefined || more.length > 0) return undefined;
  return [key, counter, hostId, fingerprint];
}

const shapes: { readonly [Type in CatalogMessage['type']]: Shape<Extract<CatalogMessage, { type: Type }>> } = {
  record: { type: typeOf('record'), key: keyOf, text: textOf, counter: counterOf, hostId: hostIdOf, ageMs: ageOf },
  digest: { type: typeOf('digest'), buckets: (value) => hexOf(value, bucketCount * 16), isStale: flagOf },
  versions: {
    type: typeOf('versions'),
    bucket: u32Of,
    from: keyOrNone,
    to: keyOrNone,
    versions: (value) => listOf(value, catalogMessageLimits.versions, versionOf),
    isStale: flagOf,
  },
  want: { type: typeOf('want'), keys: (value) => listOf(value, catalogMessageLimits.versions, keyOf) },
};

/** At most so many octets of text is a message. */
export function catalogWeight(message: CatalogMessage): number {
  const base = 256;
  if (message.type === 'record') return base + 2 * message.key.length + 6 * message.text.length;
  if (message.type === 'digest') return base + message.buckets.length;
  const texts = message.type === 'want' ? message.keys : message.versions.map(([key]) => key);
  return texts.reduce((sum, text) => sum + 2 * text.length + 48, base);
}

export function formatCatalogMessages(messages: readonly CatalogMessage[]): string {
  return JSON.stringify({ catalog: messages });
}

/** The messages of a text; undefined when it is not exactly what a host may send. Its octets must have been bounded before. */
export function parseCatalogMessages(text: string): CatalogMessage[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return listOf(objectOf(value)?.['catalog'], catalogMessageLimits.messages, (item) => {
    const type = objectOf(item)?.['type'];
    if (typeof type !== 'string' || !Object.hasOwn(shapes, type)) return undefined;
    return shapeOf(item, shapes[type as CatalogMessage['type']] as Shape<CatalogMessage>);
  });
}
