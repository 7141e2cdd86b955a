import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkReport, SiteStatusBody } from '../../src/supervisor/site-requests.ts';
import { LinkProxy } from './link-proxy.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';
import { VanSandbox } from './van-sandbox.ts';

/** The goal is 5 s; a busy machine gets the rest. */
const deadlineMs = 20_000;

/** Names of the sites that one sees, itself included. */
async function seenBy(sandbox: VanSandbox, namespace: string): Promise<string> {
  const { sites } = JSON.parse(await sandbox.done(`-n ${namespace} network status -o json`)) as NetworkReport;
  return sites
    .map(({ name }) => name)
    .sort()
    .join();
}

async function untilSees(sandbox: VanSandbox, namespace: string, names: string): Promise<void> {
  let seen = '';
  await until(
    `${namespace} sees ${names}`,
    async () => (seen = await seenBy(sandbox, namespace)) === names,
    deadlineMs,
    () => `it sees ${seen}`,
  );
}

async function trustOf(sandbox: VanSandbox, namespace: string): Promise<SiteStatusBody['trust']> {
  return (JSON.parse(await sandbox.done(`-n ${namespace} site status -o json`)) as SiteStatusBody).trust;
}

/** Links a site to another one by a token, then over `through` in place of the other's own port. */
async function link(sandbox: VanSandbox, from: string, to: string, through: number, options = ''): Promise<void> {
  const name = `to-${to}`;
  const token = await sandbox.done(`-n ${to} token issue -${options}`);
  await sandbox.done(`-n ${from} token redeem - --name ${name} --wait none`, { input: token });
  const spec = `{endpoints: [{name: inter-router, host: 127.0.0.1, port: '${through}'}], cost: 1}`;
  const input = `apiVersion: skupper.io/v2alpha1\nkind: Link\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
  await sandbox.done(`-n ${from} apply -f -`, { input });
}

test('one of four sites is revoked: every link of it ends, at a site that was away too', { timeout: 170_000 }, async () => {
  await using sandbox = await VanSandbox.make();
  const [hubPort, eastPort] = [await freePort(), await freePort()];
  // East reaches the hub, and is reached by the bad site, through these only.
  await using toHub = await LinkProxy.start(hubPort);
  await using toEast = await LinkProxy.start(eastPort);
  for (const [name, port] of [
    ['hub', hubPort],
    ['east', eastPort],
  ]) {
    await sandbox.done(`-n ${name} site create ${name} --enable-link-access --link-access-host 127.0.0.1 --link-access-port ${port}`);
  }
  for (const name of ['west', 'bad']) await sandbox.done(`-n ${name} site create ${name}`);
  await link(sandbox, 'east', 'hub', toHub.port, ' --issuer');
  await link(sandbox, 'west', 'hub', hubPort);
  await link(sandbox, 'bad', 'hub', hubPort);
  await link(sandbox, 'bad', 'east', toEast.port);
  for (const name of ['hub', 'west', 'bad', 'east']) await untilSees(sandbox, name, 'bad,east,hub,west');

  for (const wire of [toHub, toEast]) wire.cut(true);
  await untilSees(sandbox, 'east', 'east');
  const startMs = performance.now();
  await sandbox.done('-n hub site revoke bad --reason stolen');
  await untilSees(sandbox, 'west', 'hub,west');
  console.log(`# the other sites had cut it off ${Math.round(performance.now() - startMs)} ms after the command began`);
  await untilSees(sandbox, 'hub', 'hub,west');
  await untilSees(sandbox, 'bad', 'bad');
  await until('the bad site knows', async () => (await trustOf(sandbox, 'bad')).revoked !== null, deadlineMs);

  // East learns of it from a hub that has started again in between, before the bad site is back.
  await sandbox.done('-n bad site stop');
  await sandbox.done('-n hub site stop');
  await sandbox.done('-n hub site start');
  toHub.restore();
  for (const name of ['east', 'hub', 'west']) await untilSees(sandbox, name, 'east,hub,west');
  for (const name of ['east', 'hub', 'west']) {
    const { revokedSites } = await trustOf(sandbox, name);
    assert.deepEqual(
      revokedSites.map((site) => [site.name, site.reason]),
      [['bad', 'stolen']],
      name,
    );
  }

  // And refuses it, also after a start of its own.
  await sandbox.done('-n east site stop');
  await sandbox.done('-n east site start');
  toEast.restore();
  await sandbox.done('-n bad site start');
  await until(
    'east refuses the bad site',
    async () => (await sandbox.done('-n bad link status to-east')).includes('this site was revoked'),
    deadlineMs,
  );
  await untilSees(sandbox, 'east', 'east,hub,west');
  assert.match((await trustOf(sandbox, 'bad')).revoked ?? '', /revoked by the network root at .*: stolen/);
});
