/// <reference lib="esnext" />
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Network } from '../../bench/overlay/network.ts';
import { caravanTcx } from '../../bench/overlay/paths/caravan.ts';
import { DaemonRig, patienceMs, skipWithoutDaemons, within } from '../../examples/overlay/daemon-rig.ts';
import { ip } from '../../examples/overlay/network.ts';
import { PodSockets } from '../../examples/overlay/pod-socket.ts';
import { PodTcp } from '../../examples/overlay/pod-tcp.ts';
import { findLink } from '../../src/kernel/netlink/find-link.ts';
import { ingressPrograms } from '../../src/kernel/netlink/ingress-program.ts';
import { NetlinkSocket } from '../../src/kernel/netlink/netlink-socket.ts';
import { inNamespace, NetworkNamespace, pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import { loadSocketCalls } from '../../src/kernel/netlink/socket-calls.ts';
import { sendSegmented } from './segmented-datagrams.ts';

/** Transit at tc on virtual links: super-packets stay whole, and a daemon puts one program in the place of the other. */

const skip = skipWithoutDaemons();

/** Frames and octets that a link has taken, of a namespace. */
function received(network: Network, namespace: string, link: string): { readonly packets: number; readonly bytes: number } {
  using opened = new NetworkNamespace(pathOf(namespace));
  const text = inNamespace(network.calls, opened, () => readFileSync('/proc/thread-self/net/dev', 'latin1'));
  const [bytes = 0, packets = 0] = (new RegExp(`^ *${link}:(.*)$`, 'm').exec(text)?.[1] ?? '').trim().split(/ +/).map(Number);
  return { packets, bytes };
}

test('TCP crosses in super-packets, UDP that the kernel cuts arrives in datagrams', { skip }, async () => {
  using network = new Network(`cvtra${process.pid}`);
  const { near, far } = await caravanTcx.build(network);
  const tcp = new PodTcp(network.calls);
  const sent = randomBytes(16 * 1024 * 1024);
  const arrived = Promise.withResolvers<string>();
  const server = await tcp.listen(far.place.name, 5000, (socket) => {
    const hash = createHash('sha256');
    socket.on('data', (part) => hash.update(part)).on('end', () => arrived.resolve(hash.digest('hex')));
  });
  const uplinkOf = far.place.name.replace(/far$/, 'h2');
  try {
    const before = received(network, uplinkOf, 'u');
    const client = await tcp.connect(near.place.name, far.address, 5000);
    client.end(sent);
    assert.equal(await arrived.promise, createHash('sha256').update(sent).digest('hex'));
    const after = received(network, uplinkOf, 'u');
    const mean = (after.bytes - before.bytes) / (after.packets - before.packets);
    assert.ok(mean > 5000, `${mean} octets a packet`);
  } finally {
    server.close();
  }

  const socket = await new PodSockets(network.calls).openUdp(far.place.name, 5001);
  try {
    let datagrams = 0;
    socket.on('message', (message) => {
      if (message.length === 1000 && message.every((octet) => octet === 0x78)) datagrams++;
    });
    // As many at a time as the socket holds.
    for (const wanted of [40, 80, 120]) {
      const to = { address: far.address, port: 5001 };
      sendSegmented(network.calls, near.place.name, to, { times: 1, bytes: 40_000, segmentBytes: 1000 });
      assert.ok(await within(patienceMs, () => datagrams === wanted), `${datagrams} datagrams of ${wanted}`);
    }
  } finally {
    socket.close();
  }
});

const vpcs = [{ name: 'red', vni: 73, subnets: [{ name: 'front', id: 1, ipv4: '10.0.0.0/24', ipv6: 'fd00:0:0:1::/64' }] }];

test('a daemon that starts in the other mode changes places under traffic, heeds a narrow way, and leaves nothing', { skip }, async () => {
  await using rig = await DaemonRig.start({ prefix: 'cvtrb', hosts: 2, vpcs });
  const [one, two] = [await rig.add(1, 'red', 'front'), await rig.add(2, 'red', 'front')];
  const [host] = rig.network.hosts;
  assert.ok(host !== undefined);
  using namespace = new NetworkNamespace(pathOf(host.namespace));
  const calls = loadSocketCalls();
  using socket = new NetlinkSocket(calls, namespace);
  const { index } = findLink(socket, host.uplink)!;
  const filters = (): number => inNamespace(calls, namespace, () => ingressPrograms(calls, index)).length;
  assert.deepEqual(
    await rig
      .host(1)
      .status()
      .then(({ uplink }) => uplink.transit),
    { mode: 'tc', reason: 'a veth is a virtual link' },
  );
  assert.equal(filters(), 1);

  const pingers = await Promise.all([two.address, two.ipv6].map((address) => rig.pinger(one, address)));
  for (const pinger of pingers) assert.ok(await pinger.reach(patienceMs, 20));
  const before = pingers.map(({ lost }) => lost);
  for (const mode of ['xdp', 'tc'] as const) {
    const traffic = pingers.map((pinger) => pinger.steadily(10));
    await rig.host(1).stop();
    await rig.host(1).start({ transit: mode });
    for (const each of traffic) each[Symbol.dispose]();
    for (const pinger of pingers) await pinger.settle();
    assert.equal((await rig.host(1).status()).uplink.transit.mode, mode);
    assert.equal(filters(), mode === 'tc' ? 1 : 0);
  }
  for (const [at, { lost, sent }] of pingers.entries()) {
    assert.ok(lost - before[at]! <= sent / 20, `${lost - before[at]!} of ${sent} lost`);
  }

  const long = await rig.pinger(one, two.address, 1380);
  assert.ok(await long.reach(patienceMs, 20));
  // As if a router had said so; the daemon looks every five seconds.
  await ip(host.namespace, `route add ${rig.network.hosts[1]!.address}/32 dev ${host.uplink} mtu 1400`);
  const tooBig = async (): Promise<boolean> => {
    long.send();
    return (await rig.host(1).counted(73, 'tooBig')) > 0;
  };
  assert.ok(await within(2 * patienceMs, tooBig), 'the pod is told');
  assert.ok(await long.reach(patienceMs, 20), 'and sends smaller packets');

  assert.ok(await rig.host(1).remove());
  assert.equal(filters(), 0);
});
