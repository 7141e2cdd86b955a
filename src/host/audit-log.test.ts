import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { symlinkSync, unlinkSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import type { Clock } from '../base/clock.ts';
import { AuditLog, auditFileCount, auditFiles, parseAuditLine, type AuditRecord } from './audit-log.ts';
import { readAudit } from './audit-reader.ts';

const run = promisify(execFile);

class TestClock implements Clock {
  ms = 0;
  nowMs(): number {
    return this.ms;
  }
  wallMs(): number {
    return Date.UTC(2026, 10, 21) + this.ms;
  }
}

interface Place extends AsyncDisposable {
  readonly path: string;
  readonly clock: TestClock;
  open(limitBytes?: number): AuditLog;
  records(): Promise<AuditRecord[]>;
}

async function place(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'audit-'));
  const path = join(folder, 'audit.jsonl');
  const clock = new TestClock();
  return {
    path,
    clock,
    open: (limitBytes) => new AuditLog({ path, clock, ...(limitBytes === undefined ? {} : { limitBytes }) }),
    records: () => Array.fromAsync(readAudit({ path })),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

test('an event is one line with sequence and time, in a file for the owner alone, and sequences go on over restarts', async () => {
  await using at = await place();
  {
    using log = at.open();
    log.record({ event: 'tokenIssued', fields: { name: 'a', uses: 1, nothing: undefined } });
    log.record({ event: 'tokenRedeemed', fields: { name: 'a', from: '192.0.2.1' } });
    assert.deepEqual(log.state, { written: 2, lost: 0, failure: undefined });
  }
  at.clock.ms = 5000;
  using log = at.open();
  log.record({ event: 'siteRevoked', fields: { site: 'east' } });
  assert.deepEqual(await at.records(), [
    { sequence: 1, time: '2026-11-21T00:00:00.000Z', event: 'tokenIssued', fields: { name: 'a', uses: 1 } },
    { sequence: 2, time: '2026-11-21T00:00:00.000Z', event: 'tokenRedeemed', fields: { name: 'a', from: '192.0.2.1' } },
    { sequence: 3, time: '2026-11-21T00:00:05.000Z', event: 'siteRevoked', fields: { site: 'east' } },
  ]);
  assert.equal((await stat(at.path)).mode & 0o777, 0o600);
});

test('the same event again within a minute is counted, and told once when the minute is over', async () => {
  await using at = await place();
  using log = at.open();
  const refusal = { event: 'linkRefused', fields: { from: '192.0.2.7' } } as const;
  for (let index = 0; index < 42; index++) {
    at.clock.ms = index * 1000;
    log.record(refusal);
  }
  log.record({ event: 'linkRefused', fields: { from: '192.0.2.8' } });
  assert.equal((await at.records()).length, 2);
  at.clock.ms = 60_000;
  log.record({ event: 'fenced', fields: {} });
  log.record(refusal);
  assert.deepEqual(
    (await at.records()).map(({ sequence, event, repeated, since }) => [sequence, event, repeated, since]),
    [
      [1, 'linkRefused', undefined, undefined],
      [2, 'linkRefused', undefined, undefined],
      [3, 'linkRefused', 41, '2026-11-21T00:00:00.000Z'],
      [4, 'fenced', undefined, undefined],
      [5, 'linkRefused', undefined, undefined],
    ],
  );
});

test('what is still being counted at the end is told then', async () => {
  await using at = await place();
  {
    using log = at.open();
    for (let index = 0; index < 3; index++) log.record({ event: 'recordRefused', fields: {} });
  }
  assert.deepEqual(
    (await at.records()).map(({ repeated }) => repeated),
    [undefined, 2],
  );
});

test('ever new words do not fill the file: beyond a number, events of one name are counted together', async () => {
  await using at = await place();
  using log = at.open();
  for (let index = 0; index < 1000; index++) log.record({ event: 'linkRefused', fields: { index } });
  log.record({ event: 'siteRevoked', fields: { site: 'east' } });
  at.clock.ms = 60_000;
  log.record({ event: 'linkRefused', fields: { index: 1001 } });
  const records = await at.records();
  assert.equal(records.length, 256 + 1 + 1 + 1 + 1);
  assert.deepEqual(
    records.slice(256).map(({ event, fields, repeated }) => [event, fields, repeated]),
    [
      ['linkRefused', { others: true }, undefined],
      ['siteRevoked', { site: 'east' }, undefined],
      ['linkRefused', { others: true }, 743],
      ['linkRefused', { index: 1001 }, undefined],
    ],
  );
});

test('files are moved at their limit, the oldest is dropped, and no more than their number is ever there', async () => {
  await using at = await place();
  using log = at.open(1000);
  for (let index = 0; index < 200; index++) {
    at.clock.ms += 1000;
    log.record({ event: 'tokenIssued', fields: { index } });
  }
  const files = (await readdir(join(at.path, '..'))).sort();
  assert.deepEqual(files, ['audit.jsonl', 'audit.jsonl.1', 'audit.jsonl.2', 'audit.jsonl.3']);
  assert.equal(files.length, auditFileCount);
  for (const file of auditFiles(at.path)) assert.ok((await stat(file)).size < 1200);
  const sequences = (await at.records()).map(({ sequence }) => sequence);
  assert.equal(sequences.at(-1), 200);
  assert.deepEqual(
    sequences,
    Array.from({ length: sequences.length }, (_, index) => 201 - sequences.length + index),
  );
  assert.equal(log.state.lost, 0);
});

test('a process that ends right after moving the file goes on with the sequence', async () => {
  await using at = await place();
  await writeFile(`${at.path}.1`, '{"sequence":17,"time":"2026-11-21T00:00:00.000Z","event":"fenced","fields":{}}\n');
  using log = at.open();
  log.record({ event: 'fenced', fields: {} });
  assert.deepEqual(
    (await at.records()).map(({ sequence }) => sequence),
    [17, 18],
  );
});

test('a full disk costs the events, not the caller; they are counted, and the gap shows in the sequence', async (context) => {
  const disk = await mkdtemp(join(tmpdir(), 'audit-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', disk]);
  } catch {
    context.skip('cannot mount a small tmpfs: not root');
    await rm(disk, { recursive: true });
    return;
  }
  try {
    const clock = new TestClock();
    const path = join(disk, 'audit.jsonl');
    using log = new AuditLog({ path, clock });
    let index = 0;
    const fill = (): void => log.record({ event: 'linkRefused', fields: { index: ++index, from: 'x'.repeat(300) } });
    for (let tries = 0; tries < 1000 && log.state.lost === 0; tries++) fill();
    assert.equal(log.state.failure?.code, 'disk-full');
    const { written } = log.state;
    assert.equal(written, index - 1);
    for (let more = 0; more < 10; more++) fill();
    assert.equal(log.state.lost, 11);
    // Room again: what was cut off is left where it is.
    await truncate(path, 1000);
    clock.ms = 2000;
    fill();
    assert.deepEqual(log.state, { written: written + 1, lost: 11, failure: undefined });
    const sequences = (await Array.fromAsync(readAudit({ path }))).map(({ sequence }) => sequence);
    assert.equal(sequences.at(-1), index);
  } finally {
    await run('umount', [disk]);
    await rm(disk, { recursive: true });
  }
});

test('a link in place of the file is not followed; once it is gone, events are written again', async () => {
  await using at = await place();
  const victim = `${at.path}.victim`;
  await writeFile(victim, '');
  await symlink(victim, at.path);
  using log = at.open();
  log.record({ event: 'tokenIssued', fields: { name: 'lost' } });
  assert.equal(log.state.failure?.code, 'not-writable');
  unlinkSync(at.path);
  log.record({ event: 'tokenIssued', fields: { name: 'still pausing' } });
  at.clock.ms = 1000;
  log.record({ event: 'tokenIssued', fields: { name: 'kept' } });
  assert.deepEqual(log.state, { written: 1, lost: 2, failure: undefined });
  assert.deepEqual(
    (await at.records()).map(({ sequence }) => sequence),
    [3],
  );
  assert.equal(await readFile(victim, 'utf8'), '');
  // Nor by a rotation.
  symlinkSync(victim, `${at.path}.1`);
  assert.equal((await at.records()).length, 1);
});

test('a line that was cut off does not spoil the next one', async () => {
  await using at = await place();
  await writeFile(at.path, '{"sequence":4,"time":"2026-11-21T00:00:00.000Z","event":"fenced","fields":{}}\n{"sequence":5,"ti');
  using log = at.open();
  log.record({ event: 'fenced', fields: { after: true } });
  assert.deepEqual(
    (await at.records()).map(({ sequence }) => sequence),
    [4, 5],
  );
});

test('whatever a peer says, an event stays one line of printable characters and of bounded length', async () => {
  await using at = await place();
  using log = at.open();
  let expected = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', maxLength: 2000 }),
      fc.array(fc.string({ unit: 'binary' }), { maxLength: 100 }),
      async (text, list) => {
        at.clock.ms += 60_001;
        log.record({ event: 'linkRefused', fields: { text, list, number: ++expected } });
        const lines = (await readFile(at.path, 'utf8')).trimEnd().split('\n');
        const line = lines.at(-1) ?? '';
        assert.equal(parseAuditLine(line)?.fields['number'], expected);
        assert.doesNotMatch(line, /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
        assert.ok(line.length < 40_000);
      },
    ),
    { numRuns: 60 },
  );
});

test('following gives what comes, over a rotation too', async () => {
  await using at = await place();
  using log = at.open(300);
  log.record({ event: 'tokenIssued', fields: { index: 1 } });
  const stop = new AbortController();
  const seen: number[] = [];
  const reading = (async (): Promise<void> => {
    for await (const { sequence } of readAudit({ path: at.path, follow: stop.signal })) {
      seen.push(sequence);
      if (sequence === 1) for (let index = 2; index <= 8; index++) log.record({ event: 'tokenIssued', fields: { index } });
      if (sequence === 8) stop.abort();
    }
  })();
  await reading;
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8]);
});

test('events before a time are left out', async () => {
  await using at = await place();
  using log = at.open();
  log.record({ event: 'tokenIssued', fields: { index: 1 } });
  at.clock.ms = 10_000;
  log.record({ event: 'tokenIssued', fields: { index: 2 } });
  const since = await Array.fromAsync(readAudit({ path: at.path, sinceMs: at.clock.wallMs() }));
  assert.deepEqual(
    since.map(({ sequence }) => sequence),
    [2],
  );
});
