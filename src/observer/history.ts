import { statSync } from 'node:fs';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { Clock } from '../base/clock.ts';
import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { RequestRow } from '../flows/network-snapshot.ts';
import { historyFailure, openHistoryFile, replaceHistoryFile } from './history-file.ts';
import { HistoryQueries } from './history-queries.ts';
import { dropOldest, dropOverAge, dropUnusedSeries, usedBytes } from './history-retention.ts';
import { Rollups, type Rollup } from './rollups.ts';
import { readSums, sumValues } from './sum-columns.ts';
import { addSums, type TrafficDelta, type TrafficKey } from './traffic-sums.ts';
import type { Baseline } from './traffic-ledger.ts';

export interface HistoryOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long rollups and flows are kept. */
  readonly retentionMs: number;
  /** Most that the file may take; the oldest goes first. */
  readonly maxBytes: number;
}

export interface HistoryState {
  readonly state: 'ok' | 'stopped';
  /** Why it has stopped, or what was set aside. */
  readonly message: string | undefined;
  /** Requests and rollups that are in no history because they could not be written. */
  readonly lost: number;
  readonly bytes: number;
}

/** Requests and connections that wait to be written; some 20 MB. */
const maxPendingRows = 20_000;
/** Series with an id in memory, more than ten routers tell of. Others are looked up again. */
const maxKnownSeries = 20_000;
/** After a failure it is tried again so often. */
const retryMs = 10_000;
/** Old rows are looked for so often. */
const retentionPeriodMs = 60_000;

/**
 * What was seen of the network's traffic, on disk. Whatever happens to the disk is told in `state` and in the log and concerns nobody else:
 * nothing here throws but the queries, and those only `history-stopped`.
 */
export class History implements Disposable {
  readonly #options: HistoryOptions;
  readonly #rollups = new Rollups();
  readonly #series = new Map<string, number>();
  #baselines = new Map<string, Baseline>();
  #rows = new Map<string, RequestRow>();
  #lostRows = 0;
  #lostDeltas = 0;
  #database: DatabaseSync | undefined;
  #queries: HistoryQueries | undefined;
  #failure: WeatherError | undefined;
  #notice: string | undefined;
  #retryAtMs = 0;
  #retentionAtMs = 0;
  #isClosed = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#open();
  }

  get state(): HistoryState {
    const lost = this.#lostRows + this.#lostDeltas + this.#rollups.lost;
    const message = this.#failure?.message ?? this.#notice;
    return { state: this.#database === undefined || this.#failure !== undefined ? 'stopped' : 'ok', message, lost, bytes: this.#bytes() };
  }

  /** Up to where records of sums are counted already. */
  baselines(): ReadonlyMap<string, Baseline> {
    const found = new Map<string, Baseline>();
    for (const row of this.#database?.prepare('SELECT * FROM baseline').all() ?? []) {
      const { identity, startTime, seenMs } = row;
      found.set(String(identity), { startTime: Number(startTime), seenMs: Number(seenMs), sums: readSums(row) });
    }
    return found;
  }

  /** Adds to the rollups; `baseline` is up to where the record of `identity` is counted then. Sums without a record have none. */
  add(delta: TrafficDelta, identity?: string, baseline?: Baseline): void {
    const series = this.#seriesOf(delta.key);
    if (series === undefined) {
      this.#lostDeltas++;
      return;
    }
    if (identity !== undefined && baseline !== undefined) this.#baselines.set(identity, baseline);
    this.#rollups.add(series, delta);
  }

  /** Keeps a request or connection; one that is kept already is replaced. */
  addRow(row: RequestRow): void {
    if (this.#rows.size >= maxPendingRows && !this.#rows.has(row.id)) {
      this.#lostRows++;
      return;
    }
    this.#rows.set(row.id, row);
  }

  /** Asks what has come so far. Throws WeatherError `history-stopped` when the file cannot be used. */
  ask<Answer>(question: (queries: HistoryQueries) => Answer): Answer {
    this.flush();
    try {
      if (this.#queries !== undefined) return question(this.#queries);
    } catch (error) {
      this.#failed(historyFailure(this.#options.path, error));
    }
    throw new WeatherError('history-stopped', `there is no history now: ${this.state.message ?? 'it is closed'}`);
  }

  /** Writes what has come, in one transaction. To be called every few seconds. */
  flush(): void {
    if (this.#isClosed) return;
    const nowMs = this.#options.clock.wallMs();
    if (this.#failure !== undefined && this.#options.clock.nowMs() < this.#retryAtMs) return;
    if (this.#database === undefined) this.#open();
    const database = this.#database;
    if (database === undefined) return;
    try {
      if (this.#failure !== undefined) this.#retain(database, nowMs);
      else dropOldest(database, this.#options.maxBytes);
      this.#write(database, nowMs);
      if (this.#failure !== undefined) this.#options.log.info('history is written again', { lost: this.state.lost });
      this.#failure = undefined;
      if (nowMs >= this.#retentionAtMs || nowMs < this.#retentionAtMs - retentionPeriodMs) {
        this.#retain(database, nowMs);
        dropUnusedSeries(database);
        this.#series.clear();
      }
    } catch (error) {
      this.#failed(historyFailure(this.#options.path, error));
    }
  }

  [Symbol.dispose](): void {
    this.flush();
    this.#isClosed = true;
    try {
      this.#close();
    } catch (error) {
      this.#options.log.warn('the history was not closed in order', { reason: error });
    }
  }

  #write(database: DatabaseSync, nowMs: number): void {
    const rollups = this.#rollups.changed();
    if (rollups.length === 0 && this.#rows.size === 0 && this.#baselines.size === 0) return;
    transaction(database, () => {
      writeRollups(database, rollups);
      const baseline = database.prepare(
        'INSERT OR REPLACE INTO baseline (identity, startTime, seenMs, count, success, failure, retries, fromClient, toClient, latencySum, latency, statuses, methods) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      );
      for (const [identity, { startTime, seenMs, sums }] of this.#baselines) {
        baseline.run(identity, startTime, seenMs, ...sumValues(sums));
      }
      const flow = database.prepare(
        'INSERT OR REPLACE INTO flow (id, startMs, kind, address, method, path, status, sourceSite, destSite, row) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      );
      for (const row of this.#rows.values()) flow.run(...flowValues(row));
    });
    this.#rollups.written(nowMs);
    this.#baselines = new Map();
    this.#rows = new Map();
  }

  #retain(database: DatabaseSync, nowMs: number): void {
    this.#retentionAtMs = nowMs + retentionPeriodMs;
    const { retentionMs, maxBytes } = this.#options;
    dropOverAge(database, nowMs, retentionMs);
    dropOldest(database, maxBytes);
  }

  #seriesOf(key: TrafficKey): number | undefined {
    const values = [
      key.address,
      key.protocol,
      key.sourceId,
      key.sourceName,
      key.destId,
      key.destName,
      key.listener,
      key.connector,
      key.server,
    ];
    const text = JSON.stringify(values);
    const known = this.#series.get(text);
    if (known !== undefined || this.#database === undefined) return known;
    try {
      const where =
        'address = ? AND protocol = ? AND sourceId = ? AND sourceName = ? AND destId = ? AND destName = ? AND listener = ? AND connector = ? AND server = ?';
      const find = this.#database.prepare(`SELECT id FROM series WHERE ${where}`);
      let found = find.get(...values);
      if (found === undefined) {
        this.#database
          .prepare(
            'INSERT INTO series (address, protocol, sourceId, sourceName, destId, destName, listener, connector, server) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
          )
          .run(...values);
        found = find.get(...values);
      }
      const id = Number(found?.['id']);
      if (this.#series.size >= maxKnownSeries) this.#series.clear();
      this.#series.set(text, id);
      return id;
    } catch (error) {
      this.#failed(historyFailure(this.#options.path, error));
      return undefined;
    }
  }

  #open(): void {
    const { path, maxBytes, log } = this.#options;
    try {
      const { database, setAside } = openHistoryFile(path, maxBytes);
      this.#use(database);
      if (setAside !== undefined) this.#tellSetAside(setAside);
      log.debug('history is open', { path, bytes: this.#bytes() });
    } catch (error) {
      this.#failed(historyFailure(path, error));
    }
  }

  #use(database: DatabaseSync): void {
    this.#database = database;
    this.#queries = new HistoryQueries(database);
    this.#series.clear();
    this.#failure = undefined;
  }

  #close(): void {
    this.#queries = undefined;
    const database = this.#database;
    this.#database = undefined;
    database?.close();
  }

  #tellSetAside(why: string): void {
    this.#notice = `${why}; it was set aside, and a new one begun`;
    this.#options.log.warn('the history could not be used and begins anew', { reason: why, setAside: `${this.#options.path}.broken` });
  }

  #failed(failure: WeatherError): void {
    const { path, maxBytes, log, clock } = this.#options;
    this.#retryAtMs = clock.nowMs() + retryMs;
    if (failure.code === 'history-broken') {
      try {
        this.#close();
        // They name series of the file that is gone.
        this.#rollups.clear();
        this.#use(replaceHistoryFile(path, maxBytes));
        this.#tellSetAside(failure.message);
        return;
      } catch (error) {
        this.#failure = historyFailure(path, error);
      }
    }
    if (this.#failure === undefined || this.#failure.code !== failure.code) {
      log.warn('history has stopped; everything else goes on', { reason: failure.message, remedy: failure.remedy });
    }
    this.#failure = failure;
  }

  #bytes(): number {
    try {
      return this.#database === undefined ? statSync(this.#options.path).size : usedBytes(this.#database);
    } catch {
      return 0;
    }
  }
}

/** Runs `work` in a transaction: all of it is there afterwards or none. */
function transaction(database: DatabaseSync, work: () => void): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    work();
    database.exec('COMMIT');
  } catch (error) {
    // SQLite has ended the transaction itself after some failures.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function writeRollups(database: DatabaseSync, rollups: readonly Rollup[]): void {
  const load = database.prepare('SELECT * FROM rollup WHERE step = ? AND start = ? AND series = ?');
  const write = database.prepare(
    'INSERT OR REPLACE INTO rollup (step, start, series, open, count, success, failure, retries, fromClient, toClient, latencySum, latency, statuses, methods) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  for (const rollup of rollups) {
    const { step, start, series, sums } = rollup;
    const before = rollup.isLoaded ? undefined : load.get(step, start, series);
    if (before !== undefined) {
      // A process before this one has begun it, or it was written and more has come for it since.
      addSums(sums, readSums(before));
      rollup.open = Math.max(rollup.open, Number(before['open']));
    }
    rollup.isLoaded = true;
    write.run(step, start, series, rollup.open, ...sumValues(sums));
  }
}

function flowValues(row: RequestRow): SQLInputValue[] {
  const { id, startMs, kind, address, method, path, status, sourceSite, destSite } = row;
  return [id, Math.floor(startMs), kind, address, method, path, status, sourceSite, destSite, JSON.stringify(row)];
}
