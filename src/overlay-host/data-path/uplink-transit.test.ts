/// <reference lib="esnext" />
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { skipWithoutKernel, TestKernel } from '../../kernel/bpf/test-kernel.ts';
import { datagramBatching, readFeatures } from '../../kernel/netlink/features.ts';
import { attachIngressProgram, ingressPrograms } from '../../kernel/netlink/ingress-program.ts';
import { NetlinkSocket } from '../../kernel/netlink/netlink-socket.ts';
import { loadSocketCalls } from '../../kernel/netlink/socket-calls.ts';
import { PinnedLinks } from './pinned-links.ts';
import { StateStore } from '../store/state-store.ts';
import { UplinkFeatures } from './uplink-features.ts';
import { UplinkTransit, usualPlace, type TransitMode } from './uplink-transit.ts';

const skip = skipWithoutKernel() || false;
const modes: readonly TransitMode[] = ['tc', 'xdp'];

const source = `
SEC("tc") int transit_tc(struct __sk_buff *packet) { return -1; }
SEC("xdp") int transit(struct xdp_md *packet) { return XDP_PASS; }
`;

test('transit stays when the daemon starts anew, in the same mode or in the other, beside the filters of others', { skip }, async () => {
  using kernel = new TestKernel();
  kernel.bpf.mountBpffs(kernel.pins);
  const calls = loadSocketCalls();
  const { near, far } = kernel.vethPair();
  const object = kernel.bpf.open(kernel.compile('transits', source));
  const links = new PinnedLinks(kernel.bpf, join(kernel.pins, 'links'));
  const transit = new UplinkTransit({ bpf: kernel.bpf, calls, links, program: (name) => object.program(name) });
  const adopt = (mode: TransitMode | 'auto', link: { index: number; kind: string | undefined } = { index: near, kind: 'veth' }): string =>
    transit.adopt({ link, mode, xdpMode: 'native', formerIndex: near }).mode;

  for (const before of modes) {
    for (const after of modes) {
      for (const mode of [before, after]) assert.equal(adopt(mode), mode);
      assert.equal(ingressPrograms(calls, near).length, after === 'tc' ? 1 : 0, `${before} to ${after}`);
      assert.deepEqual(links.names(), after === 'tc' ? [] : ['transit'], `${before} to ${after}`);
    }
  }
  assert.equal(adopt('auto'), 'tc');
  assert.equal(adopt('auto', { index: near, kind: undefined }), 'xdp', 'a link without a kind is hardware');
  assert.equal(adopt('auto', { index: near, kind: 'bond' }), 'xdp');

  assert.equal(adopt('tc'), 'tc');
  assert.equal(adopt('tc', { index: far, kind: 'veth' }), 'tc');
  assert.deepEqual([ingressPrograms(calls, near).length, ingressPrograms(calls, far).length], [0, 1], 'it follows the uplink');
  transit.remove(far);
  transit.remove(far);
  assert.deepEqual([ingressPrograms(calls, far).length, links.names().length], [0, 0]);

  await attachIngressProgram(calls, near, kernel.bpf.programDescriptor(object.program('transit_tc')), 'other');
  assert.equal(adopt('tc'), 'tc');
  assert.equal(ingressPrograms(calls, near).length, 2);
  transit.remove(near);
  assert.equal(ingressPrograms(calls, near).length, 1, 'a filter of somebody else stays');
});

test('virtual links get tc where the kernel is new enough, hardware gets XDP', () => {
  const modeOf = (kind: string | undefined, kernel: string): TransitMode => usualPlace({ kind }, kernel).mode;
  assert.deepEqual(
    ['6.18.44-fc', '6.3.0-rc1', '7.0', '6.2.16-generic', '5.19.0'].map((kernel) => modeOf('veth', kernel)),
    ['tc', 'tc', 'tc', 'xdp', 'xdp'],
  );
  assert.deepEqual(
    [undefined, 'bond', 'bridge', 'tun', 'vlan'].map((kind) => modeOf(kind, '6.18.0')),
    ['xdp', 'xdp', 'tc', 'tc', 'tc'],
  );
});

test('features of the uplink are switched off, remembered and put back', { skip }, async () => {
  using kernel = new TestKernel();
  const calls = loadSocketCalls();
  using socket = new NetlinkSocket(calls);
  const { nearName, farName } = kernel.vethPair();
  const folder = join(kernel.folder, 'state');
  await mkdir(folder);
  const on = (name: string): string[] => datagramBatching.filter((feature) => readFeatures(calls, socket, name).has(feature));
  const inNewLife = async (use: (features: UplinkFeatures) => Promise<void>): Promise<void> => {
    await using store = await StateStore.open(folder, silentLogger);
    await use(new UplinkFeatures(calls, store, silentLogger));
  };
  const usual = on(nearName);
  assert.ok(usual.includes('tx-udp-segmentation'));

  await inNewLife(async (features) => await features.switchOff(nearName));
  assert.deepEqual(on(nearName), []);
  await inNewLife(async (features) => await features.switchOff(nearName));
  await inNewLife(async (features) => await features.switchOff(farName));
  assert.deepEqual([on(nearName), on(farName)], [usual, []], 'another uplink: the former gets back what it had');
  await inNewLife(async (features) => await features.restore());
  assert.deepEqual(on(farName), usual);
  await inNewLife(async (features) => await features.switchOff(nearName));
  kernel.removeVeth(nearName);
  await inNewLife(async (features) => await features.restore());
});
