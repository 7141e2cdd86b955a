import type { AttributeValue, RecordUpdate } from './record.ts';
import { Attribute } from './record-types.ts';

/** Names and texts from the network are cut: nothing that is shown is longer. */
const maxTextLength = 256;
/** Paths and lists of routers may be longer; logs, too. */
const maxLongTextLength = 1024;
/** Counts by bucket, status or method: a router that keeps its limits sends less. */
const maxCountsLength = 8192;
/** Attributes of one record: there are some 90 numbers. */
const maxAttributes = 128;

const limits: ReadonlyMap<number, number> = new Map([
  [Attribute.path, maxLongTextLength],
  [Attribute.trace, maxLongTextLength],
  [Attribute.logText, maxLongTextLength],
  [Attribute.reason, maxLongTextLength],
  [Attribute.statusCounts, maxCountsLength],
  [Attribute.methodCounts, maxCountsLength],
  [Attribute.latencyCounts, maxCountsLength],
]);

/** What a record tells, cut to the limits. */
export function copyRecord(record: RecordUpdate): RecordUpdate {
  const copy = new Map<number, AttributeValue>();
  for (const [attribute, value] of record) {
    if (copy.size >= maxAttributes) break;
    copy.set(attribute, typeof value === 'string' ? cut(value, attribute) : value);
  }
  return copy;
}

function cut(text: string, attribute: number): string {
  const limit = limits.get(attribute) ?? maxTextLength;
  return text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
}

/** A text of a record, cut to the limits; empty when it has none. */
export function textOf(record: RecordUpdate, attribute: number): string {
  const value = record.get(attribute);
  return value === undefined ? '' : typeof value === 'string' ? cut(value, attribute) : String(value);
}

export function textOrNull(record: RecordUpdate, attribute: number): string | null {
  const value = textOf(record, attribute);
  return value === '' ? null : value;
}

/** A number of a record; undefined when it has none. */
export function numberOf(record: RecordUpdate, attribute: number): number | undefined {
  const value = record.get(attribute);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** A time or duration in microseconds, as milliseconds. */
export function millisecondsOf(record: RecordUpdate, attribute: number): number | null {
  const value = numberOf(record, attribute);
  return value === undefined ? null : value / 1000;
}

/** Counts such as `200=17 404=2`; what is no such pair is left out. At most `limit` of them. */
export function countsOf(text: string, limit: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const pair of text === '' ? [] : text.split(' ')) {
    const at = pair.indexOf('=');
    const count = at > 0 ? Number(pair.slice(at + 1)) : Number.NaN;
    if (!Number.isSafeInteger(count) || count < 0 || counts.size >= limit) continue;
    counts.set(pair.slice(0, at), count);
  }
  return counts;
}

/** How much each count grew; all of it when one of them shrank: they began anew. */
export function increases<Key>(before: ReadonlyMap<Key, number>, now: ReadonlyMap<Key, number>): ReadonlyMap<Key, number> {
  const grown = new Map<Key, number>();
  for (const [key, count] of now) {
    const increase = count - (before.get(key) ?? 0);
    if (increase < 0) return now;
    if (increase > 0) grown.set(key, increase);
  }
  return grown;
}
