import { chmodSync, closeSync, constants, openSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { WeatherError } from '../base/errors.ts';

/**
 * The file of the history. Version 1:
 *
 *   meta      name, value                         `version`
 *   series    id, what a series of traffic is about (TrafficKey)
 *   rollup    step (seconds), start (seconds since the epoch), series, sums
 *   flow      one request or connection: what it is filtered by, and the whole row as JSON
 *   baseline  identity and start of a TRAFFIC record, and up to where it is counted
 *
 * A rollup and the baseline up to where it counts are written in one transaction: nothing is counted twice and nothing is forgotten,
 * whenever the process ends.
 */
const schemaVersion = 1;

const schema = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  address TEXT NOT NULL, protocol TEXT NOT NULL,
  sourceId TEXT NOT NULL, sourceName TEXT NOT NULL, destId TEXT NOT NULL, destName TEXT NOT NULL,
  listener TEXT NOT NULL, connector TEXT NOT NULL, server TEXT NOT NULL,
  UNIQUE (address, protocol, sourceId, sourceName, destId, destName, listener, connector, server)
);
CREATE TABLE rollup (
  step INTEGER NOT NULL, start INTEGER NOT NULL, series INTEGER NOT NULL,
  count INTEGER NOT NULL, success INTEGER NOT NULL, failure INTEGER NOT NULL, retries INTEGER NOT NULL,
  fromClient INTEGER NOT NULL, toClient INTEGER NOT NULL, open INTEGER NOT NULL,
  latencySum INTEGER NOT NULL, latency TEXT NOT NULL, statuses TEXT NOT NULL, methods TEXT NOT NULL,
  PRIMARY KEY (step, start, series)
) WITHOUT ROWID;
CREATE TABLE flow (
  id TEXT PRIMARY KEY, startMs INTEGER NOT NULL, kind TEXT NOT NULL, address TEXT NOT NULL,
  method TEXT, path TEXT, status INTEGER, sourceSite TEXT NOT NULL, destSite TEXT, row TEXT NOT NULL
);
CREATE INDEX flowByStart ON flow (startMs);
CREATE INDEX flowByAddress ON flow (address, startMs);
CREATE TABLE baseline (
  identity TEXT PRIMARY KEY, startTime INTEGER NOT NULL, seenMs INTEGER NOT NULL,
  count INTEGER NOT NULL, success INTEGER NOT NULL, failure INTEGER NOT NULL, retries INTEGER NOT NULL,
  fromClient INTEGER NOT NULL, toClient INTEGER NOT NULL,
  latencySum INTEGER NOT NULL, latency TEXT NOT NULL, statuses TEXT NOT NULL, methods TEXT NOT NULL
) WITHOUT ROWID;
`;

/** What is written ahead of the file itself is kept below this. */
const journalLimitBytes = 16 * 1024 * 1024;
/** Another process that looks at the file may hold it for a moment. */
const busyTimeoutMs = 2000;

/** Codes of SQLite: https://www.sqlite.org/rescode.html. The low octet is the kind. */
const sqliteFull = 13;
const brokenFile: ReadonlySet<number> = new Set([11, 26]);

export interface OpenedHistoryFile {
  readonly database: DatabaseSync;
  /** Why what was there before could not be used: it lies beside, with the ending `.broken`. */
  readonly setAside: string | undefined;
}

/**
 * Opens the file, and makes it if it is not there. One that is broken, or of a newer version, is set aside for a new one. Throws
 * WeatherError `disk-full` or `history-not-writable`.
 */
export function openHistoryFile(path: string, maxBytes: number): OpenedHistoryFile {
  try {
    return { database: openFile(path, maxBytes), setAside: undefined };
  } catch (error) {
    const failure = historyFailure(path, error);
    if (failure.code !== 'history-broken') throw failure;
    return { database: replaceHistoryFile(path, maxBytes), setAside: failure.message };
  }
}

/** Takes a file that turned out to be broken away and opens a new one. Throws as `openHistoryFile`. */
export function replaceHistoryFile(path: string, maxBytes: number): DatabaseSync {
  try {
    setAside(path);
    return openFile(path, maxBytes);
  } catch (error) {
    throw historyFailure(path, error);
  }
}

/** Moves a file that cannot be used, in place of the one that was moved before. */
function setAside(path: string): void {
  for (const ending of ['-wal', '-shm']) rmSync(`${path}${ending}`, { force: true });
  renameSync(path, `${path}.broken`);
}

function openFile(path: string, maxBytes: number): DatabaseSync {
  // SQLite would make it readable for others; what it makes beside it has the permissions of the file.
  closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
  chmodSync(path, 0o600);
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    // Takes effect in an empty file only, before anything else is written.
    database.exec('PRAGMA auto_vacuum = INCREMENTAL');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = NORMAL');
    database.exec(`PRAGMA journal_size_limit = ${journalLimitBytes}`);
    database.exec('PRAGMA trusted_schema = OFF');
    const pageSize = Number(database.prepare('PRAGMA page_size').get()?.['page_size']);
    // The last fence, in the case that a round of deletion does not keep up.
    database.exec(`PRAGMA max_page_count = ${Math.ceil((maxBytes * 1.25 + journalLimitBytes) / pageSize)}`);
    const found = database.prepare("SELECT count(*) AS tables FROM sqlite_master WHERE type = 'table'").get();
    if (Number(found?.['tables']) === 0) {
      database.exec('BEGIN');
      database.exec(schema);
      database.prepare('INSERT INTO meta (name, value) VALUES (?, ?)').run('version', String(schemaVersion));
      database.exec('COMMIT');
    }
    const version = database.prepare('SELECT value FROM meta WHERE name = ?').get('version')?.['value'];
    if (version !== String(schemaVersion)) {
      throw new WeatherError('history-broken', `${path} is of version ${String(version)}; this program knows ${schemaVersion}`);
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** The one place where SQLite's errors become ours. */
export function historyFailure(path: string, error: unknown): WeatherError {
  if (error instanceof WeatherError) return error;
  const { errcode, code, message = String(error) } = error as { errcode?: number; code?: string; message?: string };
  const kind = (errcode ?? 0) & 0xff;
  if (kind === sqliteFull || code === 'ENOSPC' || code === 'EDQUOT') {
    return new WeatherError('disk-full', `cannot write ${path}: the disk is full`, {
      cause: error,
      remedy: 'make room on its disk; history goes on by itself then',
    });
  }
  // A table that is missing is a broken file, too: no statement of this program is wrong in itself.
  if (brokenFile.has(kind) || kind === 1) {
    return new WeatherError('history-broken', `${path} is damaged: ${message}`, { cause: error });
  }
  return new WeatherError('history-not-writable', `cannot use ${path}: ${message}`, {
    cause: error,
    remedy: 'check that its folder exists, is writable for this user and is not on a read-only disk',
  });
}
