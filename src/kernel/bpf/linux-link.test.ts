import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { BpfMap } from '../../overlay/kernel.ts';
import { LinuxBpf } from './linux-bpf.ts';
import { skipWithoutKernel, TestKernel, unsigned32 } from './test-kernel.ts';

const skip = skipWithoutKernel();

/** Programs that count the frames they see, each in a slot of its own. */
const source = (valueType: string): string => `
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __type(key, __u32); __type(value, ${valueType}); } seen SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_DEVMAP_HASH); __uint(max_entries, 4); __type(key, __u32); __type(value, __u32); __uint(pinning, LIBBPF_PIN_BY_NAME); } devices SEC(".maps");
struct table { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 3); __type(key, __u32); __type(value, __u64); };
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 4); __type(key, __u32); __array(values, struct table); } tables SEC(".maps");
static void count(__u32 slot) { ${valueType} *frames = bpf_map_lookup_elem(&seen, &slot); if (frames) __sync_fetch_and_add(frames, 1); }
SEC("xdp") int first(struct xdp_md *packet) { count(0); return XDP_PASS; }
SEC("xdp") int second(struct xdp_md *packet) { count(1); return XDP_PASS; }
SEC("tc") int first_tc(struct __sk_buff *packet) { count(0); return -1; }
SEC("tc") int second_tc(struct __sk_buff *packet) { count(1); return -1; }
`;

const count = (seen: BpfMap, slot: number): bigint => new DataView(seen.get(unsigned32(slot))!.buffer).getBigUint64(0, true);

/** Sends frames into the far end until the near end's counter moves, or for five seconds. */
async function grows(seen: BpfMap, slot: number, farName: string): Promise<boolean> {
  const before = count(seen, slot);
  const socket = createSocket('udp6');
  try {
    for (let attempt = 0; attempt < 100; attempt++) {
      // Fails while the address of the new interface is not usable yet.
      await new Promise<void>((done) => socket.send('frame', 9, `ff02::1%${farName}`, () => done()));
      await new Promise((done) => setTimeout(done, 50));
      if (count(seen, slot) > before) return true;
    }
    return false;
  } finally {
    socket.close();
  }
}

for (const [kind, attach, first, second] of [
  ['native XDP', (bpf: LinuxBpf, ...rest: [Program, number]) => bpf.attachXdp(...rest, 'native'), 'first', 'second'],
  ['generic XDP', (bpf: LinuxBpf, ...rest: [Program, number]) => bpf.attachXdp(...rest, 'generic'), 'first', 'second'],
  ['tcx ingress', (bpf: LinuxBpf, ...rest: [Program, number]) => bpf.attachTcxIngress(...rest), 'first_tc', 'second_tc'],
] as const) {
  test(`${kind}: a pinned link outlives its owner, takes another program, and goes`, { skip }, async () => {
    using kernel = new TestKernel();
    kernel.bpf.mountBpffs(kernel.pins);
    const file = kernel.compile('counting', source('__u64'));
    const { near, farName } = kernel.vethPair();
    const pinFolder = `${kernel.pins}/host-1`;
    const path = `${pinFolder}/link`;

    const owner = new LinuxBpf();
    const object = owner.open(file, { pinFolder });
    attach(owner, object.program(first), near).pin(path);
    owner.close();
    assert.deepEqual(owner.openHandles(), []);

    // Like a daemon that starts again: the maps are the same, the frames are counted on.
    const { bpf } = kernel;
    const again = bpf.open(file, { pinFolder });
    const seen = again.map('seen');
    assert.ok(await grows(seen, 0, farName));
    const link = bpf.openPinnedLink(path);
    assert.ok(link !== undefined);
    link.update(again.program(second));
    assert.ok(await grows(seen, 1, farName));
    const ofFirst = count(seen, 0);
    assert.ok(await grows(seen, 1, farName));
    assert.equal(count(seen, 0), ofFirst, 'the first program runs no more');

    link.detach();
    assert.equal(existsSync(path), false);
    assert.equal(bpf.openPinnedLink(path), undefined);
    link.close();
    attach(bpf, again.program(first), near).detach();
  });
}

type Program = Parameters<LinuxBpf['attachTcxIngress']>[0];

test('a link whose interface is gone is no link', { skip }, () => {
  using kernel = new TestKernel();
  kernel.bpf.mountBpffs(kernel.pins);
  const object = kernel.bpf.open(kernel.compile('gone', source('__u64')));
  for (const attach of [
    (ifindex: number) => kernel.bpf.attachXdp(object.program('first'), ifindex, 'native'),
    (ifindex: number) => kernel.bpf.attachTcxIngress(object.program('first_tc'), ifindex),
  ]) {
    const { near, nearName } = kernel.vethPair();
    const path = `${kernel.pins}/link`;
    const link = attach(near);
    link.pin(path);
    kernel.removeVeth(nearName);
    assert.throws(() => link.update(object.program('second')), { code: 'bpf-attach' });
    assert.equal(kernel.bpf.openPinnedLink(path), undefined);
    assert.equal(existsSync(path), false);
    assert.throws(() => attach(near), { code: 'bpf-attach' });
    link.detach();
    assert.throws(() => link.detach(), /bug: a link is used after it was closed/);
  }
});

test('what cannot be attached or pinned says why', { skip }, () => {
  using kernel = new TestKernel();
  const { bpf, pins } = kernel;
  const file = kernel.compile('refusals', source('__u64'));
  const object = bpf.open(file);
  const { near } = kernel.vethPair();
  const link = bpf.attachXdp(object.program('first'), near, 'native');
  assert.throws(() => bpf.attachXdp(object.program('second'), near, 'native'), {
    code: 'bpf-attach',
    message: new RegExp(`second cannot be attached to interface ${near} as native XDP: .*EBUSY`),
    remedy: /Another XDP program is there/,
  });
  assert.throws(() => bpf.attachXdp(object.program('first'), 1, 'native'), {
    code: 'bpf-attach',
    message: /EOPNOTSUPP/,
    remedy: /no native XDP/,
  });
  assert.throws(() => bpf.attachTcxIngress(object.program('first'), near), /bug: first is no tc program/);

  mkdirSync(pins);
  assert.throws(() => link.pin(`${pins}/link`), { code: 'bpffs', message: /is in no BPF file system/, remedy: /Mount one/ });
  assert.throws(() => bpf.open(file, { pinFolder: `${pins}/host` }), { code: 'bpffs' });
  assert.equal(bpf.mountBpffs(pins), true);
  assert.equal(bpf.mountBpffs(pins), false);
  link.pin(`${pins}/link`);
  assert.throws(() => link.pin(`${pins}/link`), { code: 'bpf-pin', message: /EEXIST/ });
  assert.throws(() => link.pin(`${pins}/link.new`), { code: 'bpf-pin', message: /no dots/ });
  assert.throws(() => bpf.open(file, { pinFolder: `${pins}/host.1` }), { code: 'bpffs', message: /no dots/ });
  bpf.open(file, { pinFolder: `${pins}/host` });
  assert.throws(() => bpf.openPinnedLink(`${pins}/host/seen`), { code: 'bpf-pin', message: /no link/ });
});

test('maps are shared through a folder of pins, unless their layout differs', { skip }, () => {
  using kernel = new TestKernel();
  const { bpf } = kernel;
  bpf.mountBpffs(kernel.pins);
  const pins = `${kernel.pins}/host-1`;
  const file = kernel.compile('shared', source('__u64'));
  const first = bpf.open(file, { pinFolder: pins });
  assert.deepEqual(readdirSync(pins).sort(), ['devices', 'seen', 'tables']);
  const second = bpf.open(file, { pinFolder: pins });
  const apart = bpf.open(file);
  first.program('first').testRun(new Uint8Array(64));
  second.program('first').testRun(new Uint8Array(64));
  apart.program('first').testRun(new Uint8Array(64));
  assert.deepEqual(
    [first, second, apart].map((object) => count(object.map('seen'), 0)),
    [2n, 2n, 1n],
  );
  second.mapOfMaps('tables').swap(
    0,
    [1, 2, 3].map(() => new Uint8Array(8)),
  );
  assert.equal(first.mapOfMaps('tables').clear(0), true);

  const wider = kernel.compile(
    'wider',
    source('struct { __u64 frames; __u64 octets; }').replaceAll(/sync_fetch_and_add\(frames/g, 'sync_fetch_and_add(&frames->frames'),
  );
  assert.throws(() => bpf.open(wider, { pinFolder: pins }), {
    code: 'bpf-pinned-layout',
    message: /seen is of another version: octets in a value: 8 instead of 16/,
    remedy: /another folder/,
  });
  assert.equal(bpf.openHandles().length, 3);
});
