import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import type { RequestRow } from '../flows/network-snapshot.ts';
import type { RequestCursor } from '../flows/request-order.ts';
import { rollupSteps } from './rollups.ts';
import { readSums } from './sum-columns.ts';
import { addSums, emptySums, type TrafficSums } from './traffic-sums.ts';

/** What traffic is asked for; all of it where nothing is said. Sites by name or router id. */
export interface TrafficSelection {
  readonly service?: string | undefined;
  /** Either end. */
  readonly site?: string | undefined;
  readonly source?: string | undefined;
  readonly dest?: string | undefined;
  /** Seconds since the epoch. */
  readonly from: number;
  readonly to: number;
}

export interface HistoryPoint {
  /** Start of the step, in seconds since the epoch. */
  readonly start: number;
  readonly sums: TrafficSums;
  readonly open: number;
}

export type TrafficGroup = 'service' | 'site' | 'server';

export interface FlowSelection {
  readonly service?: string | undefined;
  readonly method?: string | undefined;
  /** How the path begins. */
  readonly path?: string | undefined;
  /** Least and greatest status. */
  readonly status?: readonly [number, number] | undefined;
  readonly site?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly kind?: 'request' | 'connection' | undefined;
  readonly cursor?: RequestCursor | undefined;
  readonly limit: number;
}

/** Rows of rollups that one question may read: half a second of work. Coarser steps are taken where there would be more. */
const maxRows = 200_000;

/** Reads the history. All values are bound: what comes from the network or from who asks is never part of a statement. */
export class HistoryQueries {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Sums for each step of a time; steps without traffic are left out. */
  points(selection: TrafficSelection, stepSeconds: number): HistoryPoint[] {
    const found = new Map<number, { start: number; sums: TrafficSums; open: number }>();
    for (const row of this.#rows(selection, stepSeconds)) {
      const start = Math.floor(Number(row['start']) / stepSeconds) * stepSeconds;
      let point = found.get(start);
      if (point === undefined) found.set(start, (point = { start, sums: emptySums(), open: 0 }));
      addSums(point.sums, readSums(row));
      point.open += Number(row['open']);
    }
    return [...found.values()].sort((a, b) => a.start - b.start);
  }

  /** Sums of a time by what they are grouped by: name, and for servers the service they belong to. */
  groups(selection: TrafficSelection, group: TrafficGroup): Map<string, { name: string; of: string; sums: TrafficSums }> {
    const found = new Map<string, { name: string; of: string; sums: TrafficSums }>();
    for (const row of this.#rows(selection, rollupSteps[0])) {
      const address = String(row['address']);
      const name =
        group === 'service'
          ? address
          : group === 'site'
            ? String(row['sourceName'])
            : serverName(String(row['connector']), String(row['destName']), String(row['server']));
      const of = group === 'server' ? address : '';
      const key = `${of}\n${name}`;
      let entry = found.get(key);
      if (entry === undefined) found.set(key, (entry = { name, of, sums: emptySums() }));
      addSums(entry.sums, readSums(row));
    }
    return found;
  }

  /** When the history begins, in seconds since the epoch. */
  firstSeconds(): number | undefined {
    const first = rollupSteps.flatMap((step) => {
      const found = this.#database.prepare('SELECT min(start) AS first FROM rollup WHERE step = ?').get(step)?.['first'];
      return typeof found === 'number' ? [{ step, start: found }] : [];
    });
    // A fine rollup tells it better, as long as it lies within the first of the next longer.
    return first.reduceRight<number | undefined>((start, { start: finer, step }) => {
      if (start === undefined) return finer;
      const longer = rollupSteps[rollupSteps.indexOf(step) + 1] ?? step;
      return finer < start + longer ? finer : start;
    }, undefined);
  }

  /** Requests and connections, newest first. */
  requests(selection: FlowSelection): RequestRow[] {
    const conditions: string[] = [];
    const values: SQLInputValue[] = [];
    const add = (condition: string, ...bound: SQLInputValue[]): void => {
      conditions.push(condition);
      values.push(...bound);
    };
    const { service, method, path, status, site, from, to, kind, cursor, limit } = selection;
    if (service !== undefined) add('address = ?', service);
    if (method !== undefined) add('method = ?', method);
    if (path !== undefined) add('substr(path, 1, length(?)) = ?', path, path);
    if (status !== undefined) add('status BETWEEN ? AND ?', ...status);
    if (site !== undefined) add('(sourceSite = ? OR destSite = ?)', site, site);
    if (from !== undefined) add('sourceSite = ?', from);
    if (to !== undefined) add('destSite = ?', to);
    if (kind !== undefined) add('kind = ?', kind);
    if (cursor?.id !== undefined) add('(startMs < ? OR (startMs = ? AND id > ?))', cursor.startMs, cursor.startMs, cursor.id);
    else if (cursor !== undefined) add('startMs < ?', cursor.startMs);
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const found = this.#database.prepare(`SELECT row FROM flow ${where} ORDER BY startMs DESC, id LIMIT ?`).all(...values, limit);
    return found.map(({ row }) => JSON.parse(String(row)) as RequestRow);
  }

  request(id: string): RequestRow | undefined {
    const found = this.#database.prepare('SELECT row FROM flow WHERE id = ?').get(id);
    return found === undefined ? undefined : (JSON.parse(String(found['row'])) as RequestRow);
  }

  *#rows(selection: TrafficSelection, stepSeconds: number): Generator<Record<string, SQLOutputValue>> {
    const { service, site, source, dest, from, to } = selection;
    const conditions = ['step = ?', 'start >= ?', 'start < ?'];
    const values: SQLInputValue[] = [];
    const add = (condition: string, ...bound: SQLInputValue[]): void => {
      conditions.push(condition);
      values.push(...bound);
    };
    if (service !== undefined) add('address = ?', service);
    if (site !== undefined) add('(sourceName = ? OR sourceId = ? OR destName = ? OR destId = ?)', site, site, site, site);
    if (source !== undefined) add('(sourceName = ? OR sourceId = ?)', source, source);
    if (dest !== undefined) add('(destName = ? OR destId = ?)', dest, dest);
    const tables = 'rollup JOIN series ON series.id = rollup.series';
    const where = conditions.join(' AND ');
    const step = this.#stepFor(tables, where, values, selection, stepSeconds);
    const bounds = [step, Math.floor(from / step) * step, to];
    yield* this.#database.prepare(`SELECT * FROM ${tables} WHERE ${where} LIMIT ?`).iterate(...bounds, ...values, maxRows);
  }

  /** The longest rollup that divides the step that is asked for; a longer one where the fine ones are gone already or too many. */
  #stepFor(tables: string, where: string, values: readonly SQLInputValue[], { from, to }: TrafficSelection, stepSeconds: number): number {
    const fitting = rollupSteps.filter((step) => stepSeconds % step === 0).at(-1);
    const first = fitting ?? rollupSteps.findLast((step) => step <= stepSeconds) ?? rollupSteps[0];
    for (const step of rollupSteps) {
      if (step < first) continue;
      const earliest = this.#database.prepare('SELECT min(start) AS first FROM rollup WHERE step = ?').get(step)?.['first'];
      const longest = this.#database.prepare('SELECT min(start) AS first FROM rollup').get()?.['first'];
      // Where nothing is gone a coarse rollup begins up to its own length before the first fine one.
      const isGone = Number(earliest ?? Infinity) > from && Number(longest ?? Infinity) + 3600 < Number(earliest ?? Infinity);
      if (isGone) continue;
      const counted = this.#database
        .prepare(`SELECT count(*) AS rows FROM (SELECT 1 FROM ${tables} WHERE ${where} LIMIT ?)`)
        .get(step, Math.floor(from / step) * step, to, ...values, maxRows + 1)?.['rows'];
      if (Number(counted) <= maxRows) return step;
    }
    return rollupSteps[2];
  }
}

function serverName(connector: string, site: string, server: string): string {
  const place = site === '' ? server : server === '' ? site : `${site} ${server}`;
  return connector === '' ? place : `${connector}@${place}`;
}
