import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { skipWithoutKernel, TestKernel, unsigned32 } from '../bpf/test-kernel.ts';
import { LinkRemover } from './link-remover.ts';
import { NamespaceRig, ipJson, namespacesMissing } from './namespace-rig.test.ts';
import { createPodInterface } from './pod-interface.ts';

const skip = skipWithoutKernel() || namespacesMissing() || false;

/** All that comes in goes to one link, as transit hands packets to pods. */
const source = `
struct { __uint(type, BPF_MAP_TYPE_DEVMAP_HASH); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); } devices SEC(".maps");
SEC("xdp") int all_to_pod(struct xdp_md *packet) { return bpf_redirect_map(&devices, 0, XDP_DROP); }
`;

for (const transmitChecksumOffload of [true, false]) {
  const checksums = transmitChecksumOffload ? 'left to the device' : 'made by the pod';
  test(`what XDP redirects to a pod's interface comes in there, with checksums ${checksums}`, { skip }, async () => {
    using kernel = new TestKernel();
    using rig = new NamespaceRig();
    const pod = rig.add('pod');
    const hostName = `cvr${process.pid}`;
    const { hostIndex } = await createPodInterface(rig.calls, {
      hostName,
      podName: 'eth0',
      podNamespace: pod,
      podMac: Uint8Array.of(2, 0, 0, 0, 0, 2),
      mtu: 1418,
      addresses: [{ address: Uint8Array.of(10, 1, 0, 2), prefixLength: 24 }],
      routes: [],
      transmitChecksumOffload,
    });
    const remover = new LinkRemover(rig.calls, { group: 0x5642, gatherMs: 0 });
    const socket = createSocket('udp6');
    try {
      const { near, farName } = kernel.vethPair();
      const object = kernel.bpf.open(kernel.compile('redirect', source));
      object.map('devices').put(unsigned32(0), unsigned32(hostIndex));
      kernel.bpf.attachXdp(object.program('all_to_pod'), near, 'native');
      const received = (): number => {
        const [link] = ipJson(rig.name('pod'), '-s', 'link', 'show', 'dev', 'eth0');
        return (link!['stats64'] as { rx: { packets: number } }).rx.packets;
      };
      const before = received();
      for (let attempt = 0; attempt < 100 && received() === before; attempt++) {
        // Fails while the address of the new interface is not usable yet.
        await new Promise<void>((done) => socket.send('frame', 9, `ff02::1%${farName}`, () => done()));
        await delay(50);
      }
      assert.ok(received() > before);
    } finally {
      socket.close();
      await remover.remove(hostName);
      await remover.close();
    }
  });
}
