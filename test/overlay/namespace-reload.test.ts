import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { parse, stringify } from 'yaml';
import type { Pod } from '../../examples/overlay/pod.ts';
import { DaemonRig, skipWithoutDaemons, within } from '../../examples/overlay/daemon-rig.ts';
import { askDaemon } from '../../src/overlay-host/operator-socket.ts';

/** Hosts that go and come while the daemons of the others run. */

const skip = skipWithoutDaemons();
const patienceMs = 10_000;
const vpcs = [{ name: 'red', vni: 91, subnets: [{ name: 'front', id: 1, ipv4: '10.0.0.0/24' }] }];

let rig: DaemonRig;
let one: Pod;
let two: Pod;

before(async () => {
  if (skip !== false) return;
  rig = await DaemonRig.start({ prefix: 'cvrel', hosts: 3, vpcs });
  one = await rig.add(1, 'red', 'front');
  two = await rig.add(2, 'red', 'front');
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

interface Configuration {
  epoch?: number;
  agent?: string;
  hosts: { name: string }[];
}

/** Writes the configuration of a host anew, and lets its daemon read it. */
async function reload(host: number, change: (configuration: Configuration) => void): Promise<object> {
  const file = rig.host(host).configuration;
  const configuration = parse(readFileSync(file, 'utf8')) as Configuration;
  change(configuration);
  writeFileSync(file, stringify(configuration));
  return askDaemon(rig.host(host).operatorSocket, { ask: 'reload' });
}

function connectedHosts(host: number): Promise<readonly number[]> {
  return rig
    .host(host)
    .status()
    .then(({ connected }) => connected.toSorted());
}

test('a host goes: the others go on without it, and without a new start', { skip }, async () => {
  await assert.rejects(
    reload(1, (configuration) => (configuration.hosts = configuration.hosts.slice(0, 2))),
    { code: 'old-epoch', message: /epoch: the list of hosts is another one than that of epoch 1/ },
  );
  await rig.host(3).stop();
  for (const host of [1, 2]) {
    const answer = await reload(host, (configuration) =>
      Object.assign(configuration, { epoch: 2, hosts: configuration.hosts.slice(0, 2) }),
    );
    assert.deepEqual(answer, { epoch: 2, hosts: 2 });
  }
  assert.deepEqual(await connectedHosts(1), [2]);
  assert.equal((await rig.host(2).status()).epoch, 2);
  assert.ok(await rig.reaches(one, two.address), rig.logs());
  const more = await rig.add(2, 'red', 'front');
  assert.ok(await rig.reaches(one, more.address), rig.logs());
});

test('a host comes: all are connected with it, and its pods are reached', { skip }, async () => {
  const all = rig.network.hosts;
  const [, , third] = (parse(readFileSync(rig.host(3).configuration, 'utf8')) as Configuration).hosts;
  assert.ok(third);
  await rig.host(3).start({ all, epoch: 3 });
  for (const host of [1, 2]) {
    await reload(host, (configuration) => Object.assign(configuration, { epoch: 3, hosts: [...configuration.hosts.slice(0, 2), third] }));
  }
  assert.ok(await within(patienceMs, async () => (await connectedHosts(3)).join() === '1,2'), rig.logs());
  const pod = await rig.add(3, 'red', 'front');
  assert.ok(await rig.reaches(pod, one.address), rig.logs());
  assert.ok(await rig.reaches(two, pod.address), rig.logs());
});

test('what takes a new start is refused and changes nothing', { skip }, async () => {
  await assert.rejects(
    reload(1, (configuration) => (configuration.agent = 'tcx')),
    { code: 'needs-start', message: /agent: is another one/ },
  );
  assert.equal((await rig.host(1).status()).epoch, 3);
  assert.ok(await rig.reaches(one, two.address), rig.logs());
});
