import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../examples/demo/free-port.ts';
import { ask, cookieOf, logIn, ofOwnPage } from '../page/web-client.ts';
import { until } from './until.ts';
import { VanSandbox } from './van-sandbox.ts';

test('van console: a link, a password, who is logged in, and an end of it', { timeout: 120_000 }, async () => {
  await using box = await VanSandbox.make();
  const port = await freePort();
  const without = await box.van('console');
  assert.equal(without.code, 1);
  assert.match(without.error, /there is no site[^]*van site create/);
  await box.done('site create alone');
  assert.match((await box.van('console')).error, /no observer runs[^]*van observe/);
  await box.done(`site create alone --enable-observer --observer-listen 127.0.0.1:${port}`);

  const link = new URL((await box.done('console')).trim());
  assert.equal(link.origin, `http://127.0.0.1:${port}`);
  const code = link.hash.replace('#code=', '');
  const byLink = await logIn(port, { code });
  assert.equal(byLink.status, 200);
  assert.equal((await logIn(port, { code })).status, 401);
  const own = ofOwnPage(port, cookieOf(byLink));
  const session = JSON.parse((await ask(port, '/api/v1/session', { headers: own })).text) as { user: string; site: string };
  assert.deepEqual([session.user, session.site], ['login link', 'alone']);
  const network = await ask(port, '/api/v1/network', { headers: own });
  assert.deepEqual(
    (JSON.parse(network.text) as { sites: readonly { name: string }[] }).sites.map(({ name }) => name),
    ['alone'],
  );

  // A browser is given a private file that leads on: arguments of processes can be read by everybody.
  await mkdir(box.file('bin'));
  await writeFile(box.file('bin/xdg-open'), `#!/bin/sh\necho "$@" > ${box.file('opened')}\n`, { mode: 0o755 });
  const opened = await box.van('console --open', { environment: { PATH: `${box.file('bin')}:${process.env['PATH']}` } });
  assert.equal(opened.code, 0, opened.error);
  const page = await until(
    'the browser is started',
    async () => (await readFile(box.file('opened'), 'utf8').catch(() => '')).trim() || undefined,
  );
  assert.match(page, /\/open-console\.html$/);
  assert.equal((await stat(page)).mode & 0o777, 0o600);
  assert.ok((await readFile(page, 'utf8')).includes(`content="0; url=${opened.out.trim()}"`));

  const made = /is: (\S+)/.exec(await box.done('console password grace'))?.[1] ?? '';
  assert.equal((await logIn(port, { user: 'grace', password: made })).status, 200);
  assert.equal((await box.van('console password ada --stdin', { input: 'too short\n' })).code, 2);
  await box.done('console password ada --stdin', { input: 'correct horse battery\n' });
  const byPassword = await logIn(port, { user: 'ada', password: 'correct horse battery' });
  assert.equal(byPassword.status, 200);
  const folder = join(box.folder, 'data/caravan/namespaces/default/runtime/observer');
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    // The lock is a symbolic link that points nowhere.
    if (entry.isFile()) assert.equal((await stat(join(folder, entry.name))).mode & 0o077, 0, `${entry.name} is the owner's alone`);
  }

  const shown = await box.done('console sessions');
  assert.match(shown, /^USER +FROM +SINCE +LAST USED +UNTIL\n(?:.*\n)*login link +127\.0\.0\.1/);
  assert.match(shown, /\nada +127\.0\.0\.1/);
  assert.match(await box.done('console sessions --end --user ada'), /^1 session ended/);
  assert.equal((await ask(port, '/api/v1/session', { headers: ofOwnPage(port, cookieOf(byPassword)) })).status, 401);
  assert.equal((await ask(port, '/api/v1/session', { headers: own })).status, 200);
  await box.done('console password ada --remove');
  assert.equal((await logIn(port, { user: 'ada', password: 'correct horse battery' })).status, 401);
  assert.equal((await box.van('console password ada --remove')).code, 2);
  assert.match(await box.done('console sessions --end'), /^2 sessions ended/);
  assert.doesNotMatch(await box.done('site logs'), new RegExp(`${code}|${made}|correct horse`));

  await box.done('site stop');
  assert.equal((await box.van('console')).code, 1);
  await assert.rejects(ask(port, '/'), 'the observer ends with its site');
});
