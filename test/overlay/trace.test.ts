import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { askDaemon } from '../../src/overlay-host/operator/operator-socket.ts';
import type { TraceReport } from '../../src/overlay/trace/trace-report.ts';
import type { TraceRequest } from '../../src/overlay/trace/trace-request.ts';
import type { Pod } from '../../examples/overlay/pod.ts';
import { DaemonRig, patienceMs, skipWithoutDaemons, within } from '../../examples/overlay/daemon-rig.ts';

/** Traces through the real programs of three hosts. */

const skip = skipWithoutDaemons();
const vni = 61;
const otherVni = 62;
const project = fileURLToPath(new URL('../..', import.meta.url));
const vpcs = [
  {
    name: 'red',
    vni,
    subnets: [
      { name: 'front', id: 1, ipv4: '10.0.0.0/24', fixedIpv4: '10.0.0.128/25', ipv6: 'fd00:0:0:1::/64' },
      { name: 'back', id: 2, ipv4: '10.0.1.0/24' },
    ],
  },
  { name: 'blue', vni: otherVni, subnets: [{ name: 'front', id: 3, ipv4: '10.9.0.0/24' }] },
];

let rig: DaemonRig;
let client: Pod;
let server: Pod;
let back: Pod;
before(async () => {
  if (skip !== false) return;
  rig = await DaemonRig.start({ prefix: 'cvtrace', hosts: 3, vpcs });
  // The third host is asked first where the server is.
  const owned = Array.from({ length: 100 }, (_, at) => `10.0.0.${at + 130}`).find((address) => rig.ownerOf(vni, 1, address) === 3)!;
  [client, server, back] = [await rig.add(1, 'red', 'front'), await rig.add(2, 'red', 'front', owned), await rig.add(3, 'red', 'back')];
});
after(() => rig?.[Symbol.asyncDispose]());

async function trace(destination: string, changes: Partial<TraceRequest> & { readonly askHost?: number } = {}): Promise<TraceReport> {
  const { askHost = 1, ...more } = changes;
  const plain: TraceRequest = { vni, source: client.address, destination, protocol: 'icmp', sourcePort: 50_001, port: 80, bytes: 0 };
  return (await askDaemon(rig.host(askHost).operatorSocket, { ask: 'trace', ...plain, ...more })) as TraceReport;
}

/** `host: program counters` of each step. */
function told({ steps }: TraceReport): string[] {
  return steps.map(({ of, host, program, counted }) => `${of} ${host}: ${program.replace('_tc', '')} ${counted.join('+')}`);
}

test('a packet within a subnet: its owner answers the question, the packet goes straight', { skip }, async () => {
  const report = await trace(server.address, { protocol: 'tcp', port: 443 });
  assert.equal(report.outcome, 'delivered', JSON.stringify(report));
  assert.equal(report.host, 'host2');
  assert.deepEqual(told(report), [
    'question host1: agent sentViaOwner',
    'question host3: transit answered',
    'question host1: transit delivered',
    'packet host1: agent sentDirect',
    'packet host2: transit delivered',
  ]);
  const [asked, answered, , sent, arrived] = report.steps;
  assert.equal(asked?.frame, `who has ${server.address}? asks ${client.address}`);
  assert.deepEqual([asked?.sent?.source, asked?.sent?.destination, asked?.sent?.toHost], ['192.0.2.1', '192.0.2.3', 'host3']);
  assert.match(answered?.sent?.options[0] ?? '', /^LOC: the source is at host 2/);
  assert.match(answered?.became ?? '', new RegExp(`^${server.address} is at `));
  assert.equal(sent?.frame, `TCP SYN, ${client.address} port 50001 to ${server.address} port 443`);
  assert.match(sent?.sent?.options[0] ?? '', /^LOC: the source is at host 1/);
  assert.match(arrived?.learnt[0] ?? '', new RegExp(`^${client.address} is at host1`));
  assert.ok(report.steps.every(({ durationNs }) => durationNs > 0));
});

test('a packet to another subnet goes by an owner or straight, and any host can be asked', { skip }, async () => {
  const report = await trace(back.address, { askHost: 2, protocol: 'udp' });
  assert.equal(report.outcome, 'delivered', JSON.stringify(report));
  assert.equal(report.host, 'host3');
  assert.equal(report.steps[0]?.host, 'host1');
  assert.deepEqual(told(report)[0], 'question host1: agent answered');
  assert.equal(report.steps.at(-1)?.frame, `UDP, ${client.address} port 50001 to ${back.address} port 80`);
});

test('IPv6 is walked as well', { skip }, async () => {
  const report = await trace(server.ipv6, { source: client.ipv6, protocol: 'tcp' });
  assert.deepEqual([report.outcome, report.host], ['delivered', 'host2'], JSON.stringify(report));
});

test('nobody gets anything of a trace, and every run is counted', { skip }, async () => {
  const heard: string[] = [];
  const socket = await rig.sockets.openUdp(server.namespace, 7777);
  socket.on('message', (message) => heard.push(message.toString()));
  const before = await rig.counted(vni, 'delivered');
  const report = await trace(server.address, { protocol: 'udp', port: 7777 });
  const delivered = report.steps.filter(({ counted }) => counted.includes('delivered')).length;
  assert.ok(delivered > 0 && (await rig.counted(vni, 'delivered')) - before >= delivered);
  // What a pod sends itself comes after it, if it came at all.
  const sender = await rig.sockets.openUdp(client.namespace, 7000);
  assert.ok(await within(patienceMs, () => (sender.send('real', 7777, server.address), heard.length > 0)));
  assert.ok(
    heard.every((text) => text === 'real'),
    heard.join(),
  );
  socket.close();
  sender.close();
});

test('an address that nobody has: its owner says so, in words and with what to do', { skip }, async () => {
  const report = await trace('10.0.0.250');
  assert.deepEqual([report.outcome, report.reason], ['dropped', 'noEndpoint'], JSON.stringify(report));
  assert.match(report.meaning, /asked for the MAC of 10\.0\.0\.250 and got no answer: nobody has the destination/);
  assert.match(report.remedy ?? '', /van overlay status/);
  const far = await trace('10.0.1.250');
  assert.deepEqual([far.outcome, far.reason, far.steps.at(-1)?.of], ['dropped', 'noEndpoint', 'packet'], JSON.stringify(far));
});

test('an address of another VPC has no way', { skip }, async () => {
  const foreign = await rig.add(2, 'blue', 'front');
  const report = await trace(foreign.address);
  assert.deepEqual([report.outcome, report.reason, report.host], ['dropped', 'noRoute', 'host1'], JSON.stringify(report));
});

test('a packet that is too long is refused, and the pod is told', { skip }, async () => {
  const report = await trace(server.address, { bytes: 1450 });
  assert.deepEqual([report.outcome, report.reason, report.host], ['refused', 'tooBig', 'host1'], JSON.stringify(report));
  assert.equal(report.steps.at(-1)?.became, `ICMP fragmentation needed, 10.0.0.1 to ${client.address}`);
  assert.equal((await trace(server.address, { bytes: 1418 })).outcome, 'delivered');
});

test('a policy that refuses and a service without back ends are named', { skip }, async () => {
  const guarded = await rig.addLabelled({ app: 'guarded' }, 2, 'red', 'front');
  const address = '10.0.0.251';
  await rig.apply(
    1,
    { kind: 'OverlayPolicy', name: 'guarded', spec: { vpc: 'red', selector: { app: 'guarded' } } },
    {
      kind: 'OverlayService',
      name: 'empty',
      spec: { vpc: 'red', addresses: [address], ports: [{ port: 80 }], selector: { app: 'nobody' } },
    },
  );
  const ends = async (destination: string): Promise<string> => {
    const { outcome, reason, host } = await trace(destination, { protocol: 'tcp' });
    return `${outcome} ${reason} ${host}`;
  };
  assert.ok(await within(patienceMs, async () => (await ends(guarded.address)) === 'dropped policy host2'), await ends(guarded.address));
  assert.ok(await within(patienceMs, async () => (await ends(address)) === 'refused noBackend host1'), await ends(address));
  await rig.deleteResource(1, 'OverlayPolicy', 'guarded');
  assert.ok(await within(patienceMs, async () => (await ends(guarded.address)) === 'delivered null host2'), await ends(guarded.address));
});

test('a source that no host has is said to be nowhere', { skip }, async () => {
  const report = await trace(server.address, { source: '10.0.0.249' });
  assert.deepEqual([report.outcome, report.steps.length], ['unknown', 0]);
  assert.match(report.meaning, /no host has 10\.0\.0\.249 in VNI 61/);
  await assert.rejects(trace(server.ipv6), { code: 'bad-request' });
});

test('the command prints the walk, and its exit code says whether the packet arrives', { skip }, () => {
  const run = (...parameters: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [join(project, 'src/cli/main.ts'), 'overlay', 'trace', ...parameters, '-c', rig.host(1).configuration], {
      encoding: 'utf8',
    });
  const good = run(String(vni), client.address, server.address, '--proto', 'tcp', '--port', '443');
  assert.equal(good.status, 0, good.stderr);
  assert.match(good.stdout, /^STEP +HOST +PROGRAM +VERDICT +COUNTED +NS +FRAME/);
  assert.match(good.stdout, /Outcome: +delivered at host2/);
  const bad = run(String(vni), client.address, '10.0.0.250', '-o', 'json');
  assert.equal(bad.status, 1);
  assert.equal((JSON.parse(bad.stdout) as TraceReport).reason, 'noEndpoint');
  assert.equal(run(String(vni), client.address, 'fd00::1').status, 2);
});

test('a host whose daemon is away ends the walk, and is named', { skip }, async () => {
  await rig.host(2).stop('SIGKILL');
  const gone = await within(patienceMs, async () => (await rig.host(1).status()).connected.length === 1);
  assert.ok(gone);
  const report = await trace(server.address);
  assert.deepEqual([report.outcome, report.host], ['unknown', 'host2'], JSON.stringify(report));
  assert.match(report.meaning, /goes to host2, whose daemon does not answer/);
});
