import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { until } from '../../test/e2e/until.ts';
import { ObserverProcess } from './observer-process.ts';

/** A program that writes down how it was called, and does what its first option says. */
const stand = `
import { appendFileSync } from 'node:fs';
const [, , record, ...words] = process.argv;
appendFileSync(record, JSON.stringify({ words, pid: process.pid }) + '\\n');
if (words.includes('fail')) {
  process.stderr.write('error: the port is taken\\n');
  process.exit(1);
}
process.once('disconnect', () => process.exit(0));
process.send({ ready: { url: 'http://127.0.0.1:1/' } });
setInterval(() => undefined, 1000);
`;

interface Call {
  readonly words: readonly string[];
  readonly pid: number;
}

function rig(t: TestContext): { observer: ObserverProcess; calls: () => Call[] } {
  const folder = mkdtempSync(join(tmpdir(), 'observer-process-'));
  const program = join(folder, 'program.mjs');
  const record = join(folder, 'calls');
  writeFileSync(program, stand);
  writeFileSync(record, '');
  const observer = new ObserverProcess({
    namespace: 'east',
    environment: process.env,
    log: silentLogger,
    program: { path: process.execPath, parameters: [program, record] },
    firstPauseMs: 20,
  });
  t.after(async () => {
    await observer[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const calls = (): Call[] =>
    readFileSync(record, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Call);
  return { observer, calls };
}

test('the observer runs with its options, is started again after a kill, and ends with the site', async (t) => {
  const { observer, calls } = rig(t);
  assert.equal(observer.state, undefined);
  observer.apply(['--listen', '127.0.0.1:1']);
  await until('it runs', () => observer.state?.state === 'running');
  assert.equal(stateOf(observer)?.url, 'http://127.0.0.1:1/');
  assert.deepEqual(calls()[0]?.words, ['observe', '-n', 'east', '--listen', '127.0.0.1:1']);
  process.kill(calls()[0]?.pid ?? 0, 'SIGKILL');
  await until('it runs again', () => calls().length === 2 && observer.state?.state === 'running');
  observer.apply(['--listen', '127.0.0.1:2']);
  await until('it runs with the other option', () => calls().length === 3 && observer.state?.state === 'running');
  assert.equal(calls()[2]?.words.at(-1), '127.0.0.1:2');
  observer.apply(undefined);
  assert.equal(observer.state, undefined);
  await until('it has ended', () => calls().every(({ pid }) => !isThere(pid)));
});

test('an observer that cannot start says why, and is tried again', async (t) => {
  const { observer, calls } = rig(t);
  observer.apply(['fail']);
  await until('it was tried twice', () => calls().length >= 2 && observer.state?.state === 'failing');
  assert.equal(observer.state?.message, 'the port is taken');
  observer.apply([]);
  await until('it runs', () => observer.state?.state === 'running');
  assert.equal(observer.state?.message, null);
});

/** Read anew: the compiler holds what was found before for still true. */
function stateOf(observer: ObserverProcess): ObserverProcess['state'] {
  return observer.state;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
