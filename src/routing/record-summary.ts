import { isRouterId } from './control-address.ts';
import type { OriginState } from './origin-state.ts';
import { maxSlots, type SignedRecord } from './signed-record.ts';

/*
 * What a router holds, for a neighbour to see what is missing. Numbers are big-endian. For each origin:
 *
 *   1      length of the origin, then the origin, UTF-8
 *   2      number of slots, then for each of them
 *            8   epoch, 0 where the slot is empty
 *            8   sequence
 *            4   digest of the record
 */

/** Octets of one summary message: the record messages are as large. */
export const maxSummaryOctets = 61_440;

const slotOctets = 20;
/** What its length of one octet can say. */
const longestOriginOctets = 255;

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

export interface SlotSummary {
  readonly epoch: number;
  readonly sequence: number;
  readonly digest: number;
}

/** Summaries of the origins between two ids: after `after` (all from the start if empty) up to and with `upTo` (empty: the end). */
export interface RecordSummary {
  readonly after: string;
  readonly upTo: string;
  readonly entries: Uint8Array;
}

/** Summaries of all origins, in as many messages as it takes. `states` are in order of their origins. */
export function summarise(states: readonly OriginState[]): RecordSummary[] {
  const summaries: RecordSummary[] = [];
  const bytes = new Uint8Array(Math.min(maxSummaryOctets, mostOctets(states)));
  const view = new DataView(bytes.buffer);
  let length = 0;
  let after = '';
  let last = '';
  for (const state of states) {
    const origin = encoder.encode(state.origin);
    const octets = 3 + origin.length + state.size * slotOctets;
    if (length > 0 && length + octets > maxSummaryOctets) {
      summaries.push({ after, upTo: last, entries: bytes.slice(0, length) });
      after = last;
      length = 0;
    }
    view.setUint8(length++, origin.length);
    bytes.set(origin, length);
    length += origin.length;
    view.setUint16(length, state.size);
    length += 2;
    for (let slot = 0; slot < state.size; slot++) {
      const { epoch, sequence, digest } = state.slot(slot) ?? { epoch: 0, sequence: 0, digest: 0 };
      writeSafe(view, length, epoch);
      writeSafe(view, length + 8, sequence);
      view.setUint32(length + 16, digest);
      length += slotOctets;
    }
    last = state.origin;
  }
  summaries.push({ after, upTo: '', entries: bytes.slice(0, length) });
  return summaries;
}

/** Octets that summaries of these origins take at most. */
function mostOctets(states: readonly OriginState[]): number {
  let octets = 0;
  for (const { size } of states) octets += 3 + longestOriginOctets + size * slotOctets;
  return octets;
}

/** What a summary lists, by origin; undefined if it is malformed. */
export function readSummary(entries: Uint8Array): Map<string, readonly SlotSummary[]> | undefined {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
  const listed = new Map<string, readonly SlotSummary[]>();
  let at = 0;
  while (at < entries.length) {
    const originLength = view.getUint8(at);
    const slotsAt = at + 1 + originLength;
    if (slotsAt + 2 > entries.length) return undefined;
    const origin = textOf(entries.subarray(at + 1, slotsAt));
    const count = view.getUint16(slotsAt);
    at = slotsAt + 2;
    if (origin === undefined || !isRouterId(origin) || count > maxSlots || at + count * slotOctets > entries.length) return undefined;
    const slots: SlotSummary[] = [];
    for (let slot = 0; slot < count; slot++, at += slotOctets) {
      slots.push({ epoch: readNumber(view, at), sequence: readNumber(view, at + 8), digest: view.getUint32(at + 16) });
    }
    listed.set(origin, slots);
  }
  return listed;
}

/** Whether the holder of what is listed lacks this record. */
export function lacks(listed: readonly SlotSummary[] | undefined, record: SignedRecord): boolean {
  const held = listed?.[record.slot];
  if (held === undefined) return true;
  if (record.epoch !== held.epoch) return record.epoch > held.epoch;
  // Of records that differ in their content only, the receiver decides.
  return record.sequence === held.sequence ? record.digest !== held.digest : record.sequence > held.sequence;
}

export function isInRange(origin: string, { after, upTo }: Pick<RecordSummary, 'after' | 'upTo'>): boolean {
  return (after === '' || origin > after) && (upTo === '' || origin <= upTo);
}

function writeSafe(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value % 0x1_0000_0000);
}

function readNumber(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
