import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { openCniServer } from '../../src/overlay-host/pods/cni-server.ts';
import { CniService } from '../../src/overlay/cni/cni-service.ts';
import { supportedVersions } from '../../src/overlay/cni/cni-version.ts';
import { formatRecord, parseJournal } from '../../src/overlay/cni/journal.ts';
import { MemoryJournal, MemoryPodNetwork } from '../../src/overlay/cni/pod-network-fixtures.test.ts';
import { compilerMissing, environmentOf, Plugin, type PluginRun } from './cni-plugin.ts';

/** The plugin as runtimes start it, and the daemon's service behind its socket, over a network in memory. */

const skip = compilerMissing();
let plugin: Plugin;
before(() => {
  if (skip === undefined) plugin = new Plugin();
});
after(() => plugin?.[Symbol.dispose]());

/** A host: what outlives its daemon, and the daemon, which can be stopped and started. */
class Host implements AsyncDisposable {
  readonly network = new MemoryPodNetwork();
  readonly journal = new MemoryJournal();
  readonly socket: string;
  #server: AsyncDisposable | undefined;

  constructor(name: string) {
    this.socket = join(plugin.folder, `${name}.sock`);
  }

  async start(): Promise<void> {
    const records = parseJournal(this.journal.records.map(formatRecord).join(''));
    const service = new CniService({ network: this.network, journal: this.journal, records, log: silentLogger });
    assert.deepEqual(await service.recover(), []);
    this.#server = await openCniServer({ path: this.socket, handle: (request) => service.handle(request), log: silentLogger });
  }

  async stop(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }

  /** Calls the plugin for the container `c<number>`. */
  call(command: string, number: number, options: { version?: string; more?: object } = {}): Promise<PluginRun> {
    const { version = '1.1.0', more = {} } = options;
    const needsContainer = command === 'ADD' || command === 'DEL' || command === 'CHECK';
    const environment = needsContainer ? environmentOf(command, `c${number}`, 'eth0', `/run/netns/c${number}`) : environmentOf(command);
    return plugin.run(
      environment,
      JSON.stringify({ cniVersion: version, name: 'pods', type: 'caravan-cni', socket: this.socket, ...more }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function outputOf({ status, stdout, stderr }: PluginRun): string {
  assert.equal(stderr, '');
  assert.equal(status, 0, stdout.toString());
  return stdout.toString();
}

function errorOf({ status, stdout }: PluginRun): { code: number; cniVersion: string } {
  assert.equal(status, 1, stdout.toString());
  return JSON.parse(stdout.toString()) as { code: number; cniVersion: string };
}

for (const version of supportedVersions) {
  test(`${version}: the life of a container`, { skip }, async () => {
    await using host = new Host(`life-${version}`);
    await host.start();
    assert.deepEqual(JSON.parse(outputOf(await host.call('VERSION', 1, { version }))), { cniVersion: version, supportedVersions });
    const prevResult = JSON.parse(outputOf(await host.call('ADD', 1, { version }))) as { cniVersion: string; ips: object[] };
    assert.equal(prevResult.cniVersion, version);
    assert.equal('version' in prevResult.ips[0]!, version === '0.4.0');
    assert.equal(errorOf(await host.call('ADD', 1, { version })).code, 100);
    assert.equal(outputOf(await host.call('CHECK', 1, { version, more: { prevResult } })), '');
    for (const command of ['STATUS', 'GC']) {
      const more = { 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] };
      const run = await host.call(command, 1, { version, more });
      if (version === '1.1.0') assert.equal(outputOf(run), '');
      else assert.deepEqual([errorOf(run).code, errorOf(run).cniVersion], [1, version]);
    }
    assert.equal(host.network.interfaces.size, 1);
    assert.equal(outputOf(await host.call('DEL', 1, { version, more: { prevResult } })), '');
    assert.equal(outputOf(await host.call('DEL', 1, { version })), '');
    assert.equal(host.network.interfaces.size, 0);
  });
}

test('50 containers at once, the daemon restarted between, GC and STATUS', { skip }, async () => {
  await using host = new Host('fifty');
  await host.start();
  const all = Array.from({ length: 50 }, (_, index) => index);
  const results = await Promise.all(all.map((number) => host.call('ADD', number)));
  const prevResults = results.map((run) => JSON.parse(outputOf(run)) as object);
  assert.equal(new Set(host.network.addresses()).size, 100);

  await host.stop();
  assert.ok(!existsSync(host.socket));
  assert.equal(errorOf(await host.call('DEL', 0)).code, 11);
  await host.start();
  const checks = await Promise.all(all.map((number) => host.call('CHECK', number, { more: { prevResult: prevResults[number] } })));
  for (const run of checks) outputOf(run);
  outputOf(await host.call('STATUS', 0));

  const valid = all.slice(0, 20).map((number) => ({ containerID: `c${number}`, ifname: 'eth0' }));
  outputOf(await host.call('GC', 0, { more: { 'cni.dev/valid-attachments': valid } }));
  assert.equal(host.network.interfaces.size, 20);
  for (const run of await Promise.all(all.map((number) => host.call('DEL', number)))) outputOf(run);
  assert.equal(host.network.interfaces.size, 0);
});

test('a daemon that is replaced while calls come in answers them all', { skip }, async () => {
  await using host = new Host('replaced');
  await host.start();
  const all = Array.from({ length: 30 }, (_, index) => index);
  const runs = all.map((number) => host.call('ADD', number));
  await host.stop();
  await host.start();
  for (const run of await Promise.all(runs)) outputOf(run);
  assert.equal(host.network.interfaces.size, 30);
});

test('what a daemon left half done when it died is undone at the next start', { skip }, async () => {
  await using host = new Host('died');
  await host.start();
  outputOf(await host.call('ADD', 1));
  await host.stop();
  // As a crash in the middle of an ADD leaves it.
  const key = { containerId: 'c2', ifname: 'eth0' };
  host.journal.records.push({ record: 'adding', key, network: 'pods', netns: '/run/netns/c2' });
  host.network.interfaces.set('c2 eth0', { key, netns: '/run/netns/c2', attachment: undefined });
  await host.start();
  assert.deepEqual([...host.network.interfaces.keys()], ['c1 eth0']);
  outputOf(await host.call('ADD', 2));
});
