import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WeatherError } from '../base/errors.ts';
import { parseResources } from '../site/resources.ts';
import { ResourceFolder } from './resource-folder.ts';
import { siteClient } from './site-client.ts';
import { connectorYaml, dial, exchange, freePort, listenerYaml, siteYaml, TestSites, until } from './site-fixtures.test.ts';
import { deleteSiteFolder, openSiteFolder } from './site-folder.ts';
import type { SiteStatusBody } from './site-requests.ts';
import { startSiteInBackground } from './start-site.ts';

interface Background extends AsyncDisposable {
  readonly sites: TestSites;
  readonly environment: NodeJS.ProcessEnv;
  readonly request: <Body>(operation: string, attributes?: Readonly<Record<string, unknown>>) => Promise<Body>;
  start(): Promise<SiteStatusBody>;
}

/** A site of namespace `solo` that runs in processes of its own. */
async function background(): Promise<Background> {
  const sites = await TestSites.create();
  const layout = sites.layout('solo');
  await (await openSiteFolder(layout))[Symbol.asyncDispose]();
  await new ResourceFolder(layout.resourceFolder).change(parseResources(siteYaml('solo'), 'test').map((put) => ({ put })));
  const environment = { ...process.env, XDG_DATA_HOME: sites.folder, XDG_CACHE_HOME: `${sites.folder}/cache` };
  const client = siteClient('solo', environment);
  const pids = new Set<number>();
  return {
    sites,
    environment,
    request: (operation, attributes = {}) => client.request({ operation, attributes }),
    async start() {
      const status = await startSiteInBackground({ namespace: 'solo', environment });
      pids.add(status.pid);
      return status;
    },
    async [Symbol.asyncDispose]() {
      for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
      await sites[Symbol.asyncDispose]();
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a site in the background: start, kill, start again with the same state, stop, delete', async () => {
  await using site = await background();
  const layout = site.sites.layout('solo');
  await assert.rejects(site.request('STATUS'), isCode('site-not-running'));
  const first = await site.start();
  assert.equal(first.site.name, 'solo');
  assert.equal((await readFile(layout.pidFile, 'utf8')).trim(), String(first.pid));
  assert.equal((await stat(layout.managementSocket)).mode & 0o777, 0o600);
  assert.equal((await site.start()).pid, first.pid);
  await site.request('APPLY', { resources: connectorYaml('backend', 9) });
  await assert.rejects(site.request('APPLY', { resources: 'kind: Nonsense', where: 'file.yaml' }), { where: 'file.yaml:1' });

  process.kill(first.pid, 'SIGKILL');
  // Its socket is closed a moment before it is gone itself.
  await until('the process is gone', () => !isAlive(first.pid));
  await assert.rejects(site.request('STATUS'), isCode('site-not-running'));
  const second = await site.start();
  assert.notEqual(second.pid, first.pid);
  assert.equal(second.site.routerId, first.site.routerId);
  assert.deepEqual(
    second.resources.map(({ kind }) => kind),
    ['Connector', 'Site'],
  );

  await assert.rejects(deleteSiteFolder(layout), isCode('state-in-use'));
  await site.request('STOP', { drainMs: 0 });
  await until('the site has stopped', () =>
    deleteSiteFolder(layout).then(
      () => true,
      () => false,
    ),
  );
  await assert.rejects(site.request('STATUS'), isCode('no-site'));
});

test('SIGTERM lets a connection finish and takes no new one', async () => {
  await using site = await background();
  const { pid } = await site.start();
  const port = await freePort();
  const server = await site.sites.echoServer();
  await site.request('APPLY', { resources: `${connectorYaml('backend', server)}${listenerYaml('backend', port)}` });
  const socket = await dial(port);
  await exchange(socket, 'before');
  process.kill(pid, 'SIGTERM');
  await sleep(200);
  assert.equal(await exchange(socket, 'while draining'), 'while draining');
  const late = await import('node:net').then(({ connect }) => connect(port, '127.0.0.1'));
  await assert.rejects(once(late, 'connect'), { code: 'ECONNREFUSED' });
  const begin = performance.now();
  socket.end();
  const log = site.sites.layout('solo').logFile;
  await until('the site has stopped', async () => (await readFile(log, 'utf8')).includes('site has stopped'));
  assert.ok(performance.now() - begin < 5000, 'it waits no longer than its connections');
  await assert.rejects(readFile(site.sites.layout('solo').pidFile), { code: 'ENOENT' });
});

test('a site that cannot start says why', async () => {
  await using site = await background();
  const layout = site.sites.layout('solo');
  await writeFile(`${layout.resourceFolder}/Listener-broken.yaml`, 'kind: Listener\n\tport: 1\n');
  await assert.rejects(site.start(), (error) => {
    assert.ok(error instanceof WeatherError);
    assert.equal(error.code, 'site-start-failed');
    assert.match(error.message, /Listener-broken\.yaml:2/);
    return true;
  });
  await writeFile(layout.stateFile, '{"version": 99}\n');
  await assert.rejects(site.start(), isCode('state-version'));
});

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof WeatherError && error.code === code;
}
