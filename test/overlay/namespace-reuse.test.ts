import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { DaemonRig, patienceMs, skipWithoutDaemons, within, type RigResource } from '../../examples/overlay/daemon-rig.ts';
import type { Pod } from '../../examples/overlay/pod.ts';
import { askDaemon } from '../../src/overlay-host/operator/operator-socket.ts';

/**
 * A VNI goes from one tenant to the next without any rest, with the same addresses and the same ports: nothing is left of the former tenant, and
 * nothing that was remembered of it is in the way of the new one. Three hosts.
 */

const skip = skipWithoutDaemons();
const vni = 95;
const serverAddress = '10.0.0.130';
const clientAddress = '10.0.0.131';
const movedAddress = '10.0.0.132';
const formerOnly = '10.0.0.140';
const formerService = '10.0.0.200';
const newService = '10.0.0.201';
const port = 8080;
const reusedPorts = { service: 5000, direct: 5001 };
/** For what must not be answered. */
const silentMs = 400;

/** In the configuration, where whoever writes it numbers networks, nothing rests. */
const network = (name: string, id: number): object => ({
  name,
  vni,
  subnets: [
    { name: 'front', id, ipv4: '10.0.0.0/24', fixedIpv4: '10.0.0.128/25', ipv6: 'fd00:0:0:1::/64', fixedIpv6: 'fd00:0:0:1::8000/113' },
  ],
});
const service = (vpc: string, address: string): RigResource => ({
  kind: 'OverlayService',
  name: `${vpc}-web`,
  spec: { vpc, addresses: [address], ports: [{ port: 80, targetPort: port }], selector: { app: 'web' } },
});
const policy = (vpc: string, from: string): RigResource => ({
  kind: 'OverlayPolicy',
  name: `${vpc}-web`,
  spec: {
    vpc,
    selector: { app: 'web' },
    ingress: [{ from: [{ selector: { app: from } }], ports: [{ port }, { protocol: 'icmp' }] }],
  },
});

let rig: DaemonRig;
const servers: Server[] = [];
const sockets: Socket[] = [];
const pods: Pod[] = [];

before(async () => {
  if (skip === false) rig = await DaemonRig.start({ prefix: 'cvreuse', hosts: 3, vpcs: [network('former', 1)] });
});
after(async () => {
  closeAll();
  await rig?.[Symbol.asyncDispose]();
});

function closeAll(): void {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
}

/** A pod that says its VPC and its name to whoever connects, and keeps the connection. */
async function add(vpc: string, host: number, app: string, address: string): Promise<Pod> {
  const ipv6 = `fd00:0:0:1::8${address.split('.')[3]?.padStart(3, '0')}`;
  const pod = await rig.addLabelled({ app }, host, vpc, 'front', address, ipv6);
  const tell = (socket: Socket): void => {
    sockets.push(socket.on('error', () => undefined));
    socket.write(`${vpc} ${pod.name}`);
  };
  servers.push(await rig.tcp.listen(pod.namespace, port, tell));
  pods.push(pod);
  return pod;
}

/** What is heard first; '' when nothing is. The connection stays open. */
async function heard(from: Pod, address: string, to: number, fromPort = 0, timeoutMs = 2000): Promise<string> {
  const socket = await rig.tcp.connect(from.namespace, address, to, fromPort, timeoutMs).catch(() => undefined);
  if (socket === undefined) return '';
  sockets.push(socket.on('error', () => undefined));
  const text = Promise.withResolvers<string>();
  socket.once('data', (data: Buffer) => text.resolve(data.toString())).once('close', () => text.resolve(''));
  const timer = setTimeout(() => text.resolve(''), timeoutMs);
  return text.promise.finally(() => clearTimeout(timer));
}

const said = (pod: Pod): string => `${pod.vpc} ${pod.name}`;

/** Both addresses of each of them, from all others. */
async function expectAllReached(all: readonly Pod[]): Promise<void> {
  for (const from of all) {
    for (const to of all) {
      if (from === to) continue;
      for (const address of [to.address, to.ipv6]) assert.ok(await rig.reaches(from, address), `${from.name} ${address} ${rig.logs()}`);
    }
  }
}

async function entriesAtOwners(): Promise<number> {
  const statuses = await Promise.all(rig.hosts.map((host) => host.status()));
  return statuses.reduce((sum, { sizes }) => sum + sizes.directory, 0);
}

/** Lets daemons read other networks, of which hosts are part of the overlay. */
async function reload(hosts: readonly number[], epoch: number, vpcs: readonly object[], members: readonly number[] = hosts): Promise<void> {
  const all = parse(readFileSync(rig.host(3).configuration, 'utf8')) as { readonly hosts: readonly { readonly id: number }[] };
  for (const host of hosts) {
    const file = rig.host(host).configuration;
    const configuration = parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, stringify({ ...configuration, epoch, vpcs, hosts: all.hosts.filter(({ id }) => members.includes(id)) }));
    await askDaemon(rig.host(host).operatorSocket, { ask: 'reload' });
  }
}

/** The tenant's pods at these hosts and all that it has go. Nobody says goodbye: links go under open connections. */
async function empty(vpc: string, hosts: readonly number[]): Promise<void> {
  for (const pod of pods) if (pod.vpc === vpc && hosts.includes(pod.host.hostId)) await rig.delete(pod);
  closeAll();
  await rig.deleteResource(1, 'OverlayPolicy', `${vpc}-web`);
  await rig.deleteResource(1, 'OverlayService', `${vpc}-web`);
}

let server: Pod;
let client: Pod;
let stranger: Pod;
let moved: Pod;

test('the former tenant: connections by a service and straight, a policy, paths at all hosts', { skip }, async () => {
  server = await add('former', 2, 'web', serverAddress);
  client = await add('former', 1, 'client', clientAddress);
  const others = [await add('former', 2, 'other', movedAddress), await add('former', 2, 'other', formerOnly)];
  await rig.apply(1, service('former', formerService));
  assert.ok(await within(patienceMs, async () => (await heard(client, formerService, 80)) === said(server)), rig.logs());
  assert.equal(await heard(client, formerService, 80, reusedPorts.service), said(server));
  assert.equal(await heard(client, serverAddress, port, reusedPorts.direct), said(server));
  stranger = await add('former', 3, 'stranger', '10.0.0.150');
  await expectAllReached([server, client, stranger, ...others]);
  await rig.apply(1, policy('former', 'client'));
  assert.ok(await within(patienceMs, async () => (await heard(stranger, serverAddress, port, 0, 300)) === ''));
  assert.equal(await heard(client, serverAddress, port), said(server));
  assert.ok((await entriesAtOwners()) > 0);
});

test('its VNI is given to another tenant at once, and nobody of the former one is reached', { skip }, async () => {
  await empty('former', [1, 2, 3]);
  await reload([1, 2, 3], 1, [network('new', 2)]);
  assert.equal(await entriesAtOwners(), 0, 'no owner knows where the former pods were');
  // At the same hosts as before, with the same addresses, but for one that is at another host.
  client = await add('new', 1, 'client', clientAddress);
  server = await add('new', 2, 'web', serverAddress);
  moved = await add('new', 3, 'other', movedAddress);
  stranger = await add('new', 3, 'stranger', '10.0.0.150');
  for (const from of [client, server, stranger]) {
    for (const address of [formerOnly, formerService]) assert.equal(await rig.reaches(from, address, silentMs), false, address);
    assert.equal(await heard(from, formerService, 80, 0, silentMs), '', 'its service is gone');
  }
  assert.equal(await heard(client, formerService, 80, reusedPorts.service, silentMs), '');
});

test('the new tenant has its own pods at all of these addresses, also where paths led elsewhere', { skip }, async () => {
  await expectAllReached([client, server, moved, stranger]);
  assert.equal(await heard(stranger, serverAddress, port), said(server), 'no policy of the former tenant counts');
  assert.equal(await heard(client, movedAddress, port), said(moved));
});

test('a pod at the address of the former service, and a connection from the same port as one by it, are left alone', { skip }, async () => {
  await rig.apply(3, service('new', newService));
  assert.ok(await within(patienceMs, async () => (await heard(client, newService, 80)) === said(server)), rig.logs());
  assert.equal(await heard(client, serverAddress, port, reusedPorts.service), said(server), 'its answers come from whom it spoke to');
  const there = await add('new', 3, 'other', formerService);
  assert.ok(await rig.reaches(client, formerService), rig.logs());
  assert.equal(await heard(client, formerService, port), said(there));
});

test('what the former tenant was allowed is decided anew', { skip }, async () => {
  await rig.apply(3, policy('new', 'stranger'));
  assert.ok(await within(patienceMs, async () => (await heard(client, serverAddress, port, 0, 300)) === ''), rig.logs());
  assert.equal(await heard(client, serverAddress, port, reusedPorts.direct, silentMs), '');
  assert.equal(await heard(stranger, serverAddress, port), said(server));
});

test(
  'a host that was away, with a pod of the former tenant: that pod speaks with nobody, and goes when the host is back',
  { skip },
  async () => {
    const left = await add('new', 3, 'web', formerOnly);
    assert.ok(await rig.reaches(left, clientAddress), rig.logs());
    const pinger = await rig.pinger(left, clientAddress);
    await rig.host(3).stop('SIGKILL');
    await reload([1, 2], 2, [network('new', 2)]);
    await empty('new', [1, 2]);
    await reload([1, 2], 2, [network('newest', 3)]);
    client = await add('newest', 1, 'client', clientAddress);
    server = await add('newest', 2, 'web', serverAddress);
    await expectAllReached([client, server]);
    using _traffic = pinger.steadily(5);
    for (const from of [client, server]) assert.equal(await rig.reaches(from, formerOnly, silentMs), false);
    const dropped = await Promise.all([1, 2].map((host) => rig.host(host).counted(0, 'unknownSource')));
    assert.ok(
      dropped.some((packets) => packets > 0),
      'what comes from that host is dropped',
    );

    await rig.host(3).start({ all: rig.network.hosts, epoch: 3, vpcs: [network('newest', 3)] });
    await reload([1, 2], 3, [network('newest', 3)], [1, 2, 3]);
    await rig.connected();
    assert.deepEqual((await rig.host(3).status()).endpoints, [], rig.logs());
    await pinger.settle();
    assert.equal(pinger.sent - pinger.lost, 0, 'not one of its pings was answered');
    for (const from of [client, server]) assert.equal(await rig.reaches(from, formerOnly, silentMs), false);
    const there = await add('newest', 3, 'other', formerOnly);
    await expectAllReached([client, server, there]);
  },
);

test('a VNI that is freed by a command rests: nobody else gets it, unless the VPC comes back', { skip }, async () => {
  const vpc = (name: string): RigResource => ({ kind: 'VPC', name, spec: { vni: 96, prefixes: ['10.0.0.0/16'] } });
  const isDeleted = async (host: number): Promise<boolean> => {
    const { resources } = (await askDaemon(rig.host(host).operatorSocket, { ask: 'resources' })) as {
      readonly resources: readonly { metadata: { name: string } }[];
    };
    return !resources.some(({ metadata: { name } }) => name === 'left');
  };
  await rig.apply(1, vpc('left'));
  assert.ok(await within(patienceMs, async () => !(await isDeleted(2))));
  await rig.deleteResource(1, 'VPC', 'left');
  for (const host of [1, 2]) {
    // The other host may not have heard of the first VPC yet.
    assert.ok(await within(patienceMs, () => isDeleted(host)), rig.logs());
    await assert.rejects(rig.apply(host, vpc('right')), { code: 'resource-resting' });
  }
  await rig.apply(2, vpc('left'));
});
