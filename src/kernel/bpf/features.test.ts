import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KernelFeature, probeFeatures, requireFeatures } from './features.ts';
import { missingCapabilities } from './privileges.ts';
import { openDescriptors, skipWithoutKernel, TestKernel } from './test-kernel.ts';

const skip = skipWithoutKernel();

test('features are found, and probing leaves nothing behind', { skip }, () => {
  using kernel = new TestKernel();
  const probe = (): KernelFeature[] =>
    probeFeatures((use) => {
      const { near, nearName } = kernel.vethPair();
      try {
        return use(near);
      } finally {
        kernel.removeVeth(nearName);
      }
    });
  probe();
  const before = openDescriptors();
  const features = probe();
  assert.equal(openDescriptors(), before);
  const found = new Map(features.map(({ name, state }) => [name, state]));
  for (const name of [
    'privileges',
    'libbpf',
    'ffi-self-test',
    'xdp',
    'tc',
    'bpf-links',
    'array-of-maps',
    'lpm-trie',
    'devmap-hash',
    'ring-buffer',
  ]) {
    assert.equal(found.get(name), 'yes', name);
  }
  requireFeatures(features);

  // What the probes say is what happens.
  const { near } = kernel.vethPair();
  const object = kernel.bpf.open(
    kernel.compile(
      'attach',
      'SEC("xdp") int pass(struct xdp_md *packet) { return 2; }\nSEC("tc") int next(struct __sk_buff *packet) { return -1; }',
    ),
  );
  const works = (attach: () => unknown): string => {
    try {
      attach();
      return 'yes';
    } catch {
      return 'no';
    }
  };
  assert.equal(
    works(() => kernel.bpf.attachTcxIngress(object.program('next'), near)),
    found.get('tcx'),
  );
  assert.equal(
    works(() => kernel.bpf.attachXdp(object.program('pass'), near, 'native')),
    found.get('xdp-native-veth'),
  );
});

test('without an interface to try, native XDP stays unknown', { skip }, () => {
  assert.equal(probeFeatures().find(({ name }) => name === 'xdp-native-veth')?.state, 'unknown');
});

test('what is missing is named with the version that has it', () => {
  const feature: KernelFeature = {
    name: 'ring-buffer',
    purpose: 'events',
    since: 'Linux 5.8',
    isRequired: true,
    state: 'no',
    detail: 'the kernel refuses it',
  };
  assert.throws(() => requireFeatures([feature, { ...feature, name: 'lpm-trie', state: 'yes' }]), {
    code: 'kernel-features',
    message: /ring-buffer \(Linux 5\.8\): the kernel refuses it$/,
  });
  const unknown: KernelFeature = { ...feature, name: 'lpm-trie', state: 'unknown', detail: 'needs the privileges above' };
  assert.throws(() => requireFeatures([unknown]), { message: /lpm-trie/ });
  assert.throws(() => requireFeatures([unknown, feature]), { message: /: ring-buffer [^;]*$/ }, 'the reason alone');
  requireFeatures([{ ...feature, isRequired: false }]);
});

test('capabilities are read from the process', () => {
  const status = (effective: string): string => `Name:\tnode\nCapPrm:\tffffffffffffffff\nCapEff:\t${effective}\nCapBnd:\t0\n`;
  assert.deepEqual(missingCapabilities(status('000001ffffffffff')), []);
  assert.deepEqual(missingCapabilities(status('0000000000000000')), ['CAP_NET_ADMIN', 'CAP_BPF', 'CAP_PERFMON']);
  assert.deepEqual(missingCapabilities(status('0000000000201000')), [], 'CAP_SYS_ADMIN covers both');
  assert.deepEqual(missingCapabilities(status('000000c000000000')), ['CAP_NET_ADMIN']);
});
