import type { SiteRow } from '../../../src/flows/network-snapshot.ts';

export type SortValue = string | number | null;

export interface Order {
  readonly key: string;
  readonly descending: boolean;
}

/** A sorted copy. Rows without a value come last in both directions; equal rows keep their order. */
export function sortedRows<Row>(rows: readonly Row[], valueOf: (row: Row) => SortValue, descending: boolean): readonly Row[] {
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const left = valueOf(a);
    const right = valueOf(b);
    if (left === null || right === null) return left === right ? 0 : left === null ? 1 : -1;
    if (typeof left === 'string' && typeof right === 'string') return sign * left.localeCompare(right, 'en', { numeric: true });
    return sign * (Number(left) - Number(right));
  });
}

/** What a click on a column's head leads to: the other direction, or the column's own first one. */
export function nextOrder(order: Order, key: string, numeric: boolean): Order {
  return order.key === key ? { key, descending: !order.descending } : { key, descending: numeric };
}

/** Whether a site is among those that are searched for. */
export function isFoundSite(search: string, { name, id, location, platform, version, trust }: SiteRow): boolean {
  return matchesSearch(search, [name, id, location, platform, version, trust]);
}

/** Whether any of the texts contains what is searched for, in whatever case. */
export function matchesSearch(search: string, texts: readonly (string | null)[]): boolean {
  const wanted = search.trim().toLowerCase();
  return wanted === '' || texts.some((text) => text?.toLowerCase().includes(wanted) ?? false);
}
