import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { silentLogger } from '../base/log.ts';
import type { RequestRow } from '../flows/network-snapshot.ts';
import { processClock } from '../host/process-clock.ts';
import { redactions, type Redaction } from '../site/observer-settings.ts';
import { until } from '../../test/e2e/until.ts';
import { AccessLog } from './access-log.ts';
import { observerState, testFolder } from './observer-fixtures.test.ts';

/** New fields come at the end: readers by position keep working. */
const fieldOrder =
  'at kind id service protocol method authority path status grpcStatus error sourceSite client destSite connector server tries bytesFromClient ' +
  'bytesToClient durationMs firstByteMs choiceMs networkMs connectMs serverMs requestId userAgent trace';

function rowOf(t: TestContext): RequestRow {
  const row = observerState(t).state.model.request('aaaaa:21');
  assert.ok(row !== undefined);
  return row;
}

function linesOf(file: string): Record<string, unknown>[] {
  const text = readFileSync(file, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function log(file: string, redact: readonly Redaction[] = [], limitBytes?: number): AccessLog {
  return new AccessLog({
    file,
    redact: new Set(redact),
    clock: processClock,
    log: silentLogger,
    ...(limitBytes === undefined ? {} : { limitBytes }),
  });
}

test('a line has the documented fields in their order, and names cannot break it or steer a terminal', (t) => {
  const file = join(testFolder(t), 'access.jsonl');
  const row = rowOf(t);
  {
    using access = log(file);
    access.add(row, 'curl');
    access.add({ ...row, path: '/a\n\u001b[2J\u202e\u009b', address: 'x"y' }, '');
  }
  const [first, second] = linesOf(file);
  assert.equal(Object.keys(first ?? {}).join(' '), fieldOrder);
  assert.deepEqual(
    [first?.['service'], first?.['path'], first?.['status'], first?.['client'], first?.['userAgent']],
    ['web', '/a', 200, '192.0.2.1:4000', 'curl'],
  );
  assert.deepEqual([second?.['path'], second?.['service'], second?.['userAgent']], ['/a\n\u001b[2J\u202e\u009b', 'x"y', null]);
  assert.match(readFileSync(file, 'utf8'), /^[\x20-\x7e\n]*$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('what is to be left out is null', (t) => {
  const file = join(testFolder(t), 'access.jsonl');
  const row = rowOf(t);
  {
    using access = log(file, redactions);
    access.add(row, 'curl');
  }
  const [line] = linesOf(file);
  assert.deepEqual([line?.['client'], line?.['userAgent'], line?.['path']], [null, null, null]);
  assert.doesNotMatch(readFileSync(file, 'utf8'), /192\.0\.2\.1|curl/);
});

test('files are moved on at their size, and three of them are kept', (t) => {
  const file = join(testFolder(t), 'access.jsonl');
  const row = rowOf(t);
  for (let round = 0; round < 6; round++) {
    using access = log(file, [], 2000);
    for (let n = 0; n < 5; n++) access.add({ ...row, tries: round }, '');
  }
  assert.equal(linesOf(`${file}.1`)[0]?.['tries'], 5);
  assert.equal(linesOf(`${file}.3`)[0]?.['tries'], 3);
  assert.throws(() => statSync(`${file}.4`));
});

test('lines that cannot be written wait, those beyond the limit are counted and told', async (t) => {
  const folder = testFolder(t);
  const file = join(folder, 'later', 'access.jsonl');
  const row = rowOf(t);
  {
    using access = log(file);
    for (let n = 0; n < 10_003; n++) access.add(row, '');
    await until('it fails', () => access.exportState.state === 'failing');
    assert.equal(access.exportState.lost, 3);
    mkdirSync(join(folder, 'later'));
  }
  const lines = linesOf(file);
  assert.equal(lines.length, 10_001);
  assert.deepEqual(lines.at(-1), { kind: 'lost', lines: 3 });
});

test('a link in place of the file is not followed', async (t) => {
  const folder = testFolder(t);
  const target = join(folder, 'target');
  writeFileSync(target, '');
  symlinkSync(target, join(folder, 'access.jsonl'));
  const row = rowOf(t);
  using access = log(join(folder, 'access.jsonl'));
  access.add(row, '');
  await until('it fails', () => access.exportState.state === 'failing');
  assert.equal(readFileSync(target, 'utf8'), '');
  rmSync(join(folder, 'access.jsonl'));
});
