import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { DaemonRig, patienceMs, skipWithoutDaemons, within, type RigResource } from '../../examples/overlay/daemon-rig.ts';
import { ip } from '../../examples/overlay/network.ts';
import type { Pod } from '../../examples/overlay/pod.ts';
import { loadSocketCalls } from '../../src/kernel/netlink/socket-calls.ts';
import { sendSegmented } from './segmented-datagrams.ts';

/** Two subnets with different MTUs, and a peer's with a third one, through real daemons and programs: pods hear what fits. */

const skip = skipWithoutDaemons();
const vni = 75;
const peerVni = 76;
const [wideMtu, narrowMtu, lowerMtu, peerMtu] = [1400, 1300, 1295, 1290];
const ipv4AndUdpBytes = 28;
const ipv6AndUdpBytes = 48;
const vpc = (name: string, number: number, peer: string): RigResource => ({
  kind: 'VPC',
  name,
  spec: { vni: number, prefixes: [`10.${number}.0.0/16`, `fd00:${number}::/32`], peers: [peer], dns: 'off' },
});
const subnet = (name: string, of: string, number: number, at: number, mtu: number): RigResource => ({
  kind: 'Subnet',
  name,
  spec: { vpc: of, prefixes: [`10.${number}.${at}.0/24`, `fd00:${number}:${at}::/64`], mtu },
});

/** What the kernel of a pod has learnt of the way to an address. */
async function learntMtu({ namespace }: Pod, address: string): Promise<number | undefined> {
  const found = / mtu (\d+)/.exec(await ip(namespace, `route get ${address}`))?.[1];
  return found === undefined ? undefined : Number(found);
}

test('subnets with different MTUs: whoever sends too much is told what fits, and then all arrives', { skip }, async (context) => {
  await using rig = await DaemonRig.start({ prefix: 'cvmtu', hosts: 2, vpcs: [] });
  await rig.apply(1, vpc('red', vni, 'blue'), vpc('blue', peerVni, 'red'));
  await rig.apply(
    1,
    subnet('wide', 'red', vni, 1, wideMtu),
    subnet('narrow', 'red', vni, 2, narrowMtu),
    subnet('peer', 'blue', peerVni, 1, peerMtu),
  );
  const wide = await rig.add(1, 'red', 'wide');
  const targets = [
    { pod: await rig.add(2, 'red', 'narrow'), mtu: narrowMtu },
    { pod: await rig.add(1, 'red', 'narrow'), mtu: narrowMtu },
    { pod: await rig.add(2, 'blue', 'peer'), mtu: peerMtu },
  ];

  /** Whether a datagram of so many octets comes, sent again and again. */
  const arrives = async (to: Pod, address: string, bytes: number, patience: number): Promise<boolean> => {
    const family = address.includes(':') ? 'udp6' : 'udp4';
    const server = await rig.sockets.openUdp(to.namespace, 6000, family);
    const client = await rig.sockets.openUdp(wide.namespace, 6001, family);
    let heard = 0;
    server.on('message', (message) => (heard = message.length));
    const came = await within(patience, () => (client.send(Buffer.alloc(bytes, 'x'), 6000, address, () => undefined), heard === bytes));
    client.close();
    server.close();
    return came;
  };

  for (const { pod, mtu } of targets) {
    await context.test(`${pod.vpc} ${pod.name}, MTU ${mtu}`, async () => {
      for (const [address, headerBytes] of [
        [pod.address, ipv4AndUdpBytes],
        [pod.ipv6, ipv6AndUdpBytes],
      ] as const) {
        assert.ok(await arrives(pod, address, mtu - headerBytes, patienceMs), `a datagram that just fits, to ${address}`);
        assert.equal(await learntMtu(wide, address), undefined);
        const before = await rig.host(1).counted(vni, 'tooBig');
        const long = await rig.pinger(wide, address, 1350 - ipv4AndUdpBytes);
        assert.ok(await long.reach(patienceMs, 20), `a ping of more comes in fragments, to ${address}`);
        assert.equal(await learntMtu(wide, address), mtu, `the kernel of the pod was told, of ${address}`);
        assert.ok((await rig.host(1).counted(vni, 'tooBig')) > before);
        assert.ok(await arrives(pod, address, 4000, patienceMs), `a datagram in fragments, to ${address}`);
      }
    });
  }

  await context.test('fragments of a pod that was not told yet are answered, too', async () => {
    const late = await rig.add(2, 'red', 'narrow');
    const before = await rig.host(1).counted(vni, 'tooBig');
    // The first ones are as long as the sender's own MTU, and may be cut: nobody does.
    assert.ok(await arrives(late, late.address, 4000, patienceMs));
    assert.equal(await learntMtu(wide, late.address), narrowMtu);
    assert.ok((await rig.host(1).counted(vni, 'tooBig')) > before);
  });

  await context.test('TCP in bulk, both ways, in packets that are cut later', async () => {
    const sent = randomBytes(4 * 1024 * 1024);
    const digest = (of: Buffer): string => createHash('sha256').update(of).digest('hex');
    let port = 7000;
    for (const { pod } of targets) {
      for (const [from, to] of [
        [wide, pod],
        [pod, wide],
      ] as const) {
        for (const address of [to.address, to.ipv6]) {
          const arrived = Promise.withResolvers<string>();
          const server = await rig.tcp.listen(
            to.namespace,
            ++port,
            (socket) => {
              const parts: Buffer[] = [];
              socket.on('data', (part: Buffer) => parts.push(part)).on('end', () => arrived.resolve(digest(Buffer.concat(parts))));
            },
            address.includes(':') ? '::' : '0.0.0.0',
          );
          const client = await rig.tcp.connect(from.namespace, address, port);
          client.end(sent);
          assert.equal(await arrived.promise, digest(sent), `${from.name} to ${address}`);
          server.close();
        }
      }
    }
  });

  await context.test('datagrams that are cut later: those that fit come, those that do not are told of', async () => {
    const calls = loadSocketCalls();
    const [{ pod }] = targets as [(typeof targets)[number]];
    const fresh = await rig.add(1, 'red', 'wide');
    const server = await rig.sockets.openUdp(pod.namespace, 6002);
    let [heard, longest] = [0, 0];
    server.on('message', ({ length }) => ((heard += length), (longest = Math.max(longest, length))));
    const send = (segmentBytes: number): void => {
      const to = { address: pod.address, port: 6002 };
      sendSegmented(calls, fresh.namespace, to, { times: 1, bytes: 10 * segmentBytes, segmentBytes });
    };
    assert.ok(await rig.reaches(fresh, pod.address));
    send(1272);
    assert.ok(await within(patienceMs, () => heard === 12_720), `${heard} octets`);
    assert.equal(longest, 1272);
    send(1273);
    assert.ok(await within(patienceMs, async () => (await learntMtu(fresh, pod.address)) === narrowMtu), 'the pod is told');
    assert.equal(heard, 12_720);
    server.close();
  });

  await context.test('a subnet whose MTU gets smaller', async () => {
    const [{ pod }] = targets as [(typeof targets)[number]];
    const fresh = await rig.add(1, 'red', 'wide');
    const long = await rig.pinger(fresh, pod.address, narrowMtu - ipv4AndUdpBytes);
    assert.ok(await long.reach(patienceMs, 20));
    assert.equal(await learntMtu(fresh, pod.address), undefined);
    await rig.apply(1, subnet('narrow', 'red', vni, 2, lowerMtu));
    const isTold = async (): Promise<boolean> => (long.send(), (await learntMtu(fresh, pod.address)) === lowerMtu);
    assert.ok(await within(patienceMs, isTold), 'those who send to it are told');
    assert.ok(await long.reach(patienceMs, 20));
  });
});
