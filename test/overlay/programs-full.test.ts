import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { reason, sumCounters } from '../../src/overlay/layout/counter.ts';
import { maps } from '../../src/overlay/layout/maps.ts';
import { TestKernel, skipWithoutKernel } from '../../src/kernel/bpf/test-kernel.ts';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { BpfObject } from '../../src/overlay/kernel.ts';
import { mappedIpv4 } from '../../src/overlay/packet/address.ts';
import { KernelTables } from './kernel-tables.ts';
import { keyName, pathTo, pod, podMac, remote, tunnelFrame, udpFrame, vni, worldTables } from './program-world.ts';
import { location, verdicts } from './transit-frames.ts';

/** Maps that are full: packets go on, and what is already known stays. */

const skip = skipWithoutKernel();
let kernel: TestKernel;
let object: BpfObject;
before(() => {
  if (skip !== false) return;
  kernel = new TestKernel();
  execFileSync('sh', ['bpf/build.sh', kernel.folder], { stdio: 'pipe' });
  object = kernel.bpf.open(join(kernel.folder, 'overlay.o'));
  const tables = new KernelTables(kernel.bpf, object);
  const { near, far } = kernel.vethPair();
  const world = worldTables({ uplink: near, neighbour: far });
  tables.write({ ...world, paths: new Map([[keyName(remote.ipv4), pathTo(2, 21)]]) });
  tables.writeDevices(world.devices);
});
after(() => kernel?.[Symbol.dispose]());

const arriving = tunnelFrame(udpFrame({ source: remote.ipv4, sourceMac: remote.mac, destination: pod.ipv4, destinationMac: podMac(99) }), {
  options: [location({ endpointGeneration: 6 })],
});
const redirected = 7;

test('with no place for a new path packets are delivered, and the latest sender is remembered', { skip }, () => {
  const { name, key, value, maxEntries } = maps.paths;
  const paths = object.map(name);
  const record = value.encode(pathTo(3, 21));
  for (let number = 0; number < maxEntries + 1000; number++) {
    paths.put(key.encode({ vni, address: mappedIpv4(Uint8Array.of(11, number >>> 16, number >>> 8, number)) }), record);
  }
  assert.equal(object.program('transit').testRun(arriving).verdict, verdicts.redirect);
  assert.ok(paths.get(key.encode({ vni, address: remote.ipv4 })) !== undefined);
  assert.equal(object.program('agent_tc').testRun(udpFrame(), { ifindex: pod.ifindex }).verdict, redirected);
});

test('with no place for a new counter packets go on, and those that there are still count', { skip }, () => {
  const { name, key, maxEntries } = maps.counters;
  const counters = object.map(name);
  const none = new Uint8Array(counters.valueBytes);
  const isFull = (): boolean => {
    for (let number = 0; number < maxEntries; number++) {
      try {
        counters.put(key.encode({ vni: 0x10000 + number, reason: 1 }), none);
      } catch {
        return true;
      }
    }
    return false;
  };
  const delivered = (): bigint => sumCounters(counters.get(key.encode({ vni, reason: reason.delivered }))!).packets;
  const before = delivered();
  assert.ok(isFull());
  // A reason that has not been counted before.
  assert.equal(object.program('transit').testRun(tunnelFrame(udpFrame({ source: remote.ipv4 }), { from: 9 })).verdict, verdicts.drop);
  assert.equal(counters.get(key.encode({ vni: 0, reason: reason.unknownSource })), undefined);
  assert.equal(object.program('transit').testRun(arriving).verdict, verdicts.redirect);
  assert.equal(delivered(), before + 1n);
});

test('with no place for a new endpoint the ones that there are are reached, and writing says that it is full', { skip }, () => {
  const { name, key, value, maxEntries } = maps.endpoints;
  const endpoints = object.map(name);
  const known = endpoints.get(key.encode({ vni, address: pod.ipv4 }))!;
  let refused: unknown;
  for (let number = 0; number < maxEntries && refused === undefined; number++) {
    try {
      endpoints.put(key.encode({ vni: vni + 1, address: mappedIpv4(Uint8Array.of(12, number >>> 16, number >>> 8, number)) }), known);
    } catch (error) {
      refused = error;
    }
  }
  assert.equal((refused as { code?: string } | undefined)?.code, 'bpf-map-full');
  assert.equal(value.decode(endpoints.get(key.encode({ vni, address: pod.ipv4 }))!).ifindex, pod.ifindex);
  assert.equal(object.program('transit').testRun(arriving).verdict, verdicts.redirect);
});
