import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../base/log.ts';
import { processClock } from '../host/process-clock.ts';
import { EventHub } from '../observer/event-hub.ts';
import { observerState, startMs, tellRequest, testFolder } from '../observer/observer-fixtures.test.ts';
import { openObserverSocket } from '../observer/observer-socket.ts';
import { restServer } from '../observer/rest-server.ts';
import { layoutOf } from '../supervisor/process-environment.ts';
import { runCommand } from './run-command.ts';
import { TestShell } from './test-shell.ts';

test('tap over an observer shows every request that it can, and says how many it could not follow', async (t) => {
  const folder = testFolder(t);
  const environment = { XDG_DATA_HOME: folder, XDG_RUNTIME_DIR: folder };
  const { state } = observerState(t);
  const { observerSocket, observerSocketFolder } = layoutOf('default', environment);
  mkdirSync(observerSocketFolder, { recursive: true, mode: 0o700 });
  const asked: string[] = [];
  const served = restServer(state, silentLogger);
  const rest: typeof served = {
    handle: (question) => {
      asked.push(question.path);
      return served.handle(question);
    },
  };
  const events = new EventHub(state.model, processClock);
  await using socket = await openObserverSocket({ path: observerSocket, rest, events, clock: processClock, log: silentLogger });
  assert.ok(socket !== undefined);

  const shell = new TestShell(environment);
  const ended = runCommand('tap web -o json --max-rps 100000 --count 16000'.split(' '), shell);
  while (asked.length < 2) await sleep(5);
  let number = 1000;
  const tell = (count: number): void => {
    for (let told = 0; told < count; told++) tellRequest(state.model, `aaaaa:${number++}`, startMs + 1000);
  };
  // Six thousand at once are followed; of fifteen thousand not all are there any more when they are asked for.
  tell(6_000);
  const lines = (): number => shell.out.split('\n').length - 1;
  while (lines() < 6_000) await sleep(20);
  tell(15_000);
  while (lines() < 15_000) await sleep(20);
  tell(2_000);
  assert.equal(await ended, 0);
  assert.equal(lines(), 16_000);
  const said = /(\d+) more began or ended than could be followed/.exec(shell.error);
  assert.ok(Number(said?.[1]) >= 5_000 && Number(said?.[1]) <= 5_100, shell.error);
});
