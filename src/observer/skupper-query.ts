import { InputError } from '../base/errors.ts';
import type { ObjectSchema } from './json-schema.ts';

/** One record of `/api/v2alpha1`, as JSON shows it. */
export type SkupperRecord = Readonly<Record<string, unknown>> & {
  readonly identity: string;
  /** Microseconds since the epoch; `endTime` is 0 while it has not ended. */
  readonly startTime: number;
  readonly endTime: number;
};

export interface SkupperCollection {
  readonly results: readonly SkupperRecord[];
  /** Of `results`. */
  readonly count: number;
  /** Before offset and limit. */
  readonly timeRangeCount: number;
}

/** Without a time the records of the last quarter of an hour are meant. */
const defaultRangeMicroseconds = 15 * 60 * 1_000_000;
/** Records that one answer has at most; offset leads to more. */
const maxResults = 10_000;

/**
 * Filters, orders and pages records as Skupper's observer does: parameters that it does not know are fields, of which texts match by how
 * they begin. Throws InputError `bad-request` for a field that the records do not have.
 */
export function querySkupper(
  records: readonly SkupperRecord[],
  query: URLSearchParams,
  schema: ObjectSchema,
  nowMs: number,
): SkupperCollection {
  const fields = schema.properties ?? {};
  const check = (field: string, parameter: string): string => {
    const name = field.charAt(0).toLowerCase() + field.slice(1);
    if (Object.hasOwn(fields, name)) return name;
    throw new InputError('bad-request', parameter, `there is no field '${field.slice(0, 100)}' in these records`);
  };
  const range = rangeOf(query, nowMs);
  let sortField = 'identity';
  let isDescending = false;
  const filters: (readonly [string, readonly string[]])[] = [];
  for (const name of new Set(query.keys())) {
    if (name === 'sortBy') {
      const [, field, order] = /^(.+)\.(asc|desc)$/.exec(query.get('sortBy') ?? '') ?? [];
      if (field === undefined) continue;
      sortField = check(field, 'sortBy');
      isDescending = order === 'desc';
    } else if (!rangeParameters.has(name)) {
      filters.push([check(name, name), query.getAll(name)]);
    }
  }
  const found = records
    .filter((record) => range(record) && filters.every(([field, values]) => matches(record[field], values)))
    // Of equal ones the identities decide: pages of one list neither repeat nor leave out any.
    .sort((a, b) => compare(a[sortField], b[sortField]) * (isDescending ? -1 : 1) || compare(a.identity, b.identity));
  const offset = Math.max(0, integerOf(query, 'offset') ?? 0);
  const limit = Math.max(0, Math.min(integerOf(query, 'limit') ?? maxResults, maxResults));
  const results = found.slice(offset, offset + limit);
  return { results, count: results.length, timeRangeCount: found.length };
}

const rangeParameters: ReadonlySet<string> = new Set(['offset', 'limit', 'timeRangeStart', 'timeRangeEnd', 'timeRangeOperation', 'state']);

function rangeOf(query: URLSearchParams, nowMs: number): (record: SkupperRecord) => boolean {
  const end = integerOf(query, 'timeRangeEnd') ?? nowMs * 1000;
  const start = integerOf(query, 'timeRangeStart') ?? nowMs * 1000 - defaultRangeMicroseconds;
  const operation = query.get('timeRangeOperation');
  const state = query.get('state');
  return ({ startTime, endTime }) => {
    if (state === 'active' && endTime !== 0) return false;
    if (state === 'terminated' && endTime === 0) return false;
    if (operation === 'contains') return startTime <= start && (endTime === 0 || endTime >= end);
    if (operation === 'within') return startTime >= start && endTime !== 0 && endTime <= end;
    return (endTime === 0 || endTime >= start) && startTime <= end;
  };
}

function integerOf(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  return value !== null && /^-?\d{1,16}$/.test(value) ? Number(value) : undefined;
}

function matches(field: unknown, values: readonly string[]): boolean {
  if (Array.isArray(field)) return field.some((item) => matches(item, values));
  if (typeof field === 'string') return values.some((value) => value !== '' && (field.startsWith(value) || isPartOf(field, value)));
  if (typeof field === 'number' || typeof field === 'boolean') return values.includes(String(field));
  return false;
}

/** `name@identity@protocol` is found by each of its parts. */
function isPartOf(field: string, value: string): boolean {
  if (!field.includes('@')) return false;
  return field.split('@').some((part) => part.toLowerCase() === value.toLowerCase());
}

function compare(a: unknown, b: unknown): number {
  if (a === null || a === undefined) return b === null || b === undefined ? 0 : -1;
  if (b === null || b === undefined) return 1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [first, second] = [JSON.stringify(a), JSON.stringify(b)];
  return first < second ? -1 : first > second ? 1 : 0;
}
