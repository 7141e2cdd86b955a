import { InputError } from '../base/errors.ts';

/** A place in the list of requests, newest first: behind this one. Of those that began in the same millisecond the ids decide. */
export interface RequestCursor {
  readonly startMs: number;
  /** Absent: behind all that began in that millisecond or later. */
  readonly id?: string | undefined;
}

type Placed = { readonly startMs: number; readonly id: string };

/** To the millisecond, as history has it. */
function startOf({ startMs }: { readonly startMs: number }): number {
  return Math.floor(startMs);
}

export function compareRequests(a: Placed, b: Placed): number {
  return startOf(b) - startOf(a) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

export function isBehind(row: Placed, { startMs, id }: RequestCursor): boolean {
  return startOf(row) < startMs || (startOf(row) === startMs && id !== undefined && row.id > id);
}

export function cursorText(row: Placed): string {
  return `${startOf(row)},${row.id}`;
}

/** Reads `1800000000000`, or with the id of a request behind a comma. Throws InputError `bad-request`. */
export function parseCursor(text: string, where: string): RequestCursor {
  const [, start = '', id] = /^(\d{1,16})(?:,(.{1,256}))?$/.exec(text) ?? [];
  const startMs = start === '' ? Number.NaN : Number(start);
  if (Number.isSafeInteger(startMs)) return { startMs, id };
  throw new InputError('bad-request', where, 'must be milliseconds since the epoch, or `older` of an answer');
}
