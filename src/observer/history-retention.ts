import type { DatabaseSync } from 'node:sqlite';
import { rollupSteps } from './rollups.ts';

/** How long rollups of each step are kept at most, in seconds: the fine ones for a short time. */
const fineSeconds = 6 * 3600;
/** Rows that one round deletes at most from each table: some ten milliseconds. */
const roundRows = 10_000;
/** Pages that one round gives back to the disk. */
const roundPages = 4096;
/** So much of the room is made free when it is short. */
const freePart = 0.9;

/** Deletes what is older than it may be, or the oldest of it. */
export function dropOverAge(database: DatabaseSync, nowMs: number, retentionMs: number): void {
  const nowSeconds = Math.floor(nowMs / 1000);
  const retentionSeconds = Math.floor(retentionMs / 1000);
  database
    .prepare('DELETE FROM flow WHERE rowid IN (SELECT rowid FROM flow WHERE startMs < ? ORDER BY startMs LIMIT ?)')
    .run(nowMs - retentionMs, roundRows);
  for (const step of rollupSteps) {
    const kept = step === rollupSteps[0] ? Math.min(fineSeconds, retentionSeconds) : retentionSeconds;
    dropRollups(database, step, nowSeconds - kept);
  }
  database.prepare('DELETE FROM baseline WHERE seenMs < ?').run(nowMs - retentionMs);
  database.exec(`PRAGMA incremental_vacuum(${roundPages})`);
}

/** Deletes series without rollups. Rollups that are not written yet must not name them. */
export function dropUnusedSeries(database: DatabaseSync): void {
  database.prepare('DELETE FROM series WHERE id NOT IN (SELECT series FROM rollup)').run();
}

function dropRollups(database: DatabaseSync, step: number, before: number): number {
  // The first so many rows in the order of the key; rows of one start stay together.
  const last = database
    .prepare('SELECT max(start) AS last FROM (SELECT start FROM rollup WHERE step = ? AND start < ? ORDER BY start LIMIT ?)')
    .get(step, before, roundRows)?.['last'];
  if (last === null || last === undefined) return 0;
  return Number(database.prepare('DELETE FROM rollup WHERE step = ? AND start <= ?').run(step, last).changes);
}

/** Deletes the oldest requests, and when there are none the oldest rollups, until the file is small enough or the round is over. */
export function dropOldest(database: DatabaseSync, maxBytes: number): void {
  if (usedBytes(database) <= maxBytes) return;
  for (let round = 0; round < maxRounds && usedBytes(database) > maxBytes * freePart; round++) {
    const { first, last } = database.prepare('SELECT min(rowid) AS first, max(rowid) AS last FROM flow').get() ?? {};
    const rows = Math.min(Math.ceil((Number(last ?? 0) - Number(first ?? 0) + 1) / maxRounds), roundRows);
    const { changes } = database.prepare('DELETE FROM flow WHERE rowid IN (SELECT rowid FROM flow ORDER BY startMs LIMIT ?)').run(rows);
    if (Number(changes) === 0 && !rollupSteps.some((step) => dropRollups(database, step, Number.MAX_SAFE_INTEGER) > 0)) break;
  }
  database.exec(`PRAGMA incremental_vacuum(${roundPages})`);
}

/** Rounds that a file with too much in it gets at a time, each with so much of it; more follow a minute later. */
const maxRounds = 20;

/** Size of the file without its free pages. */
export function usedBytes(database: DatabaseSync): number {
  const pragma = (name: string): number => Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
}
