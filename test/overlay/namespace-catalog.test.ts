import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { parse, stringify } from 'yaml';
import type { Pod } from '../../examples/overlay/pod.ts';
import { DaemonRig, skipWithoutDaemons, within } from '../../examples/overlay/daemon-rig.ts';
import { runCommand } from '../../src/cli/run-command.ts';
import { TestShell } from '../../src/cli/test-shell.ts';
import { pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import { askDaemon } from '../../src/overlay-host/operator/operator-socket.ts';
import type { ResourceReport } from '../../src/overlay-host/operator/resource-operations.ts';

/** Networks made by commands at two hosts without a restart: what one host is told the others have too. And hosts that go and come. */

const skip = skipWithoutDaemons();
const patienceMs = 10_000;

let rig: DaemonRig;

before(async () => {
  if (skip === false) rig = await DaemonRig.start({ prefix: 'cvcat', hosts: 3, vpcs: [] });
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly out: string;
  readonly error: string;
}

/** `van` with the daemon of a host. */
async function van(host: number, line: string, input = ''): Promise<Answer> {
  const shell = new TestShell({}, input);
  const status = await runCommand([...line.split(' '), '-c', rig.host(host).configuration], shell);
  return { status, out: shell.out, error: shell.error };
}

async function done(host: number, line: string, input?: string): Promise<string> {
  const { status, out, error } = await van(host, line, input);
  assert.equal(status, 0, `van ${line}: ${error}\n${rig.logs()}`);
  return out;
}

/** All resources as a host has them; `[kind, name]` finds one. */
async function known(host: number): Promise<readonly ResourceReport[]> {
  const { resources } = (await askDaemon(rig.host(host).operatorSocket, { ask: 'resources' })) as { resources: readonly ResourceReport[] };
  return resources;
}

async function find(host: number, kind: string, name: string): Promise<ResourceReport | undefined> {
  return (await known(host)).find((report) => report.kind === kind && report.metadata.name === name);
}

const pods: Pod[] = [];

test('a VPC made at one host, its subnet at the other: pods of both reach each other', { skip }, async () => {
  assert.match(await done(1, 'vpc create red --prefix 10.0.0.0/8'), /VPC "red" is created, with VNI 4097\./);
  assert.ok(await within(patienceMs, async () => (await find(2, 'VPC', 'red')) !== undefined));
  assert.match(await done(2, 'subnet create front --vpc red --prefix 10.0.0.0/24 --fixed 10.0.0.128/25'), /is created: 10\.0\.0\.0\/24/);
  assert.ok(await within(patienceMs, async () => (await find(1, 'Subnet', 'front')) !== undefined));
  assert.equal((await find(1, 'Subnet', 'front'))?.status.id, 2 * 4096 + 1, 'a number of the host that wrote it');
  pods.push(await rig.add(1, 'red', 'front'), await rig.add(2, 'red', 'front'));
  assert.ok(await rig.reaches(pods[0]!, pods[1]!.address), rig.logs());
  assert.ok(await rig.reaches(pods[1]!, pods[0]!.address), rig.logs());
  assert.ok(await within(patienceMs, async () => (await find(1, 'Subnet', 'front'))?.status.hosts?.length === 2));
});

test('what cannot be is refused, with the option and what to do', { skip }, async () => {
  for (const [line, message] of [
    ['vpc create red --prefix 11.0.0.0/8', /NAME: is there already/],
    ['vpc create broken --prefix 10.0.0.1/8', /--prefix: has bits behind its length 8[\s\S]*write 10\.0\.0\.0\/8/],
    ['vpc create green --prefix 10.9.0.0/16 --peer red', /--peer: 10\.9\.0\.0\/16 overlaps an address range of VPC 'red'/],
    ['subnet create out --vpc red --prefix 11.0.0.0/24', /--prefix: 11\.0\.0\.0\/24 is not inside of 10\.0\.0\.0\/8/],
    ['subnet create over --vpc red --prefix 10.0.0.0/25', /--prefix: overlaps subnet 'front'/],
    ['subnet create lost --vpc blue --prefix 10.0.0.0/24', /--vpc: there is no VPC 'blue'/],
    [
      'endpoint create lost --subnet front --host nowhere --netns /run/netns/x',
      /--host: there is no host 'nowhere'[\s\S]*hosts are host1, host2/,
    ],
    ['subnet delete front', /pods are in it, at host1, host2/],
    ['vpc delete red', /Subnet front would be left without it/],
    ['vpc delete blue', /VPC 'blue': does not exist[\s\S]*there is red/],
  ] as const) {
    const { status, error } = await van(1, line);
    assert.notEqual(status, 0, line);
    assert.match(error, message, line);
  }
  const file =
    '---\napiVersion: caravan.dev/v1alpha1\nkind: Subnet\nmetadata: {name: over}\nspec:\n  vpc: red\n  prefixes: [10.0.0.0/25]\n';
  assert.match((await van(1, 'overlay apply -f -', file)).error, /standard input:7: spec\.prefixes\[0\]: overlaps subnet 'front'/);
  assert.deepEqual(
    (JSON.parse(await done(1, 'overlay get -o json')) as ResourceReport[]).map(({ metadata }) => metadata.name),
    ['red', 'front'],
    'nothing of it was written',
  );
});

test('a daemon that starts again knows what it knew, and hears what it missed', { skip }, async () => {
  await rig.host(2).stop('SIGKILL');
  await done(1, 'vpc create blue --prefix 10.0.0.0/8 --vni 77');
  await done(1, 'subnet create blue-front --vpc blue --prefix 10.0.0.0/24');
  await rig.host(2).start();
  await rig.connected();
  assert.ok(await within(patienceMs, async () => (await find(2, 'Subnet', 'blue-front')) !== undefined));
  const other = await rig.add(2, 'blue', 'blue-front');
  assert.ok(await rig.reaches(pods[1]!, pods[0]!.address), rig.logs());
  await rig.delete(other);
  await done(2, 'subnet delete blue-front');
});

test('one name at two hosts at once: one of them counts, at both', { skip }, async () => {
  const answers = await Promise.all([
    van(1, 'vpc create twice --prefix 172.16.0.0/12 --vni 1001'),
    van(2, 'vpc create twice --prefix 192.168.0.0/16 --vni 1002'),
  ]);
  assert.ok(answers.some(({ status }) => status === 0));
  const isEqual = async (): Promise<boolean> => {
    const [one, other] = [await find(1, 'VPC', 'twice'), await find(2, 'VPC', 'twice')];
    return one !== undefined && JSON.stringify(one) === JSON.stringify(other);
  };
  assert.ok(await within(patienceMs, isEqual));
  await done(1, 'vpc delete twice');
  assert.ok(await within(patienceMs, async () => (await find(2, 'VPC', 'twice')) === undefined));
});

test('an endpoint is made where it says, stays when the daemon starts again, and goes', { skip }, async () => {
  const namespace = rig.network.makeNamespace('web');
  const made = await done(2, `endpoint create web --subnet front --netns ${pathOf(namespace)} --address 10.0.0.130 -l app=web`);
  assert.match(made, /Endpoint "web" is created: 10\.0\.0\.130/);
  assert.ok(await rig.reaches(pods[0]!, '10.0.0.130'), rig.logs());
  assert.match(await done(1, 'endpoint status web'), /Status: +Ready[\s\S]*Host: +host2[\s\S]*app=web/);

  await rig.host(2).stop('SIGKILL');
  await rig.host(2).start();
  await rig.connected();
  assert.ok(await rig.reaches(pods[0]!, '10.0.0.130'), rig.logs());
  const links = (): string => execFileSync('ip', ['-n', namespace, '-br', 'link', 'show'], { encoding: 'utf8' });
  assert.match(links(), /eth0/);

  const missing = await van(1, 'endpoint create nowhere --subnet front --netns /run/netns/cvcat-is-not-there');
  assert.notEqual(missing.status, 0);
  assert.match(missing.error, /'nowhere' is created, and could not be made/);
  await done(1, 'endpoint delete nowhere');

  await done(1, 'endpoint delete web');
  assert.ok(await within(patienceMs, () => !links().includes('eth0')), rig.logs());
  assert.equal(await rig.reaches(pods[0]!, '10.0.0.130', 500), false);
});

test('apply and delete by files; endpoints go before their subnet, and it all can come back', { skip }, async () => {
  const namespace = rig.network.makeNamespace('file');
  const head = 'apiVersion: caravan.dev/v1alpha1\n';
  const file = [
    `${head}kind: VPC\nmetadata: {name: green}\nspec: {prefixes: [10.0.0.0/8]}\n`,
    `${head}kind: Subnet\nmetadata: {name: small}\nspec: {vpc: green, prefixes: [10.0.0.0/28]}\n`,
    `${head}kind: Endpoint\nmetadata: {name: one}\nspec: {subnet: small, host: host2, netns: ${pathOf(namespace)}}\n`,
    `${head}kind: OverlayPolicy\nmetadata: {name: open}\nspec: {vpc: green}\n`,
  ].join('---\n');
  const ids: unknown[] = [];
  for (const host of [1, 2]) {
    assert.match(
      await done(host, 'overlay apply -f -', file),
      /VPC\/green created\nSubnet\/small created\nEndpoint\/one created\nOverlayPolicy\/open created/,
    );
    assert.match(await done(host, 'overlay apply -f -', file), /VPC\/green unchanged[\s\S]*OverlayPolicy\/open unchanged/);
    const isReady = async (): Promise<boolean> => (await find(host, 'Endpoint', 'one'))?.status.addresses !== undefined;
    assert.ok(await within(patienceMs, isReady), JSON.stringify(await find(host, 'Endpoint', 'one')) + rig.logs());
    ids.push((await find(host, 'VPC', 'green'))?.status.vni, (await find(host, 'Subnet', 'small'))?.status.id);
    assert.match(await done(host, 'overlay delete -f -', file), /VPC\/green deleted/);
    assert.match(await done(host, 'overlay delete -f -', file), /VPC\/green not there/);
  }
  assert.equal(new Set(ids).size, 4, 'numbers are not given again at once');
});

test('a subnet without pods is deleted at all hosts, and then its VPC', { skip }, async () => {
  for (const pod of pods.splice(0)) await rig.delete(pod);
  assert.ok(await within(patienceMs, async () => (await find(1, 'Subnet', 'front'))?.status.hosts?.length === 0));
  await done(1, 'subnet delete front');
  await done(2, 'vpc delete red');
  assert.ok(await within(patienceMs, async () => (await find(1, 'VPC', 'red')) === undefined));
  assert.match((await rig.refused(1, 'red', 'front')) ?? 'added', /there is no VPC red/);
  assert.equal(await done(2, 'vpc status'), await done(1, 'vpc status'));
});

const vpc = { kind: 'VPC', name: 'last', spec: { prefixes: ['10.0.0.0/8'] } };
const subnet = { kind: 'Subnet', name: 'late', spec: { vpc: 'last', prefixes: ['10.0.0.0/24'] } };
let one: Pod;
let two: Pod;

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
  await rig.apply(1, vpc, subnet);
  assert.ok(await within(patienceMs, async () => (await find(2, 'Subnet', 'late')) !== undefined));
  one = await rig.add(1, 'last', 'late');
  two = await rig.add(2, 'last', 'late');
  assert.ok(await rig.reaches(one, two.address), rig.logs());
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
  assert.ok(await within(patienceMs, async () => (await find(3, 'Subnet', 'late')) !== undefined), 'what came while it was away');
  const pod = await rig.add(3, 'last', 'late');
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
