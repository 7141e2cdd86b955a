/** Transit where a packet does not find its destination: owners, and endpoints that have moved. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { endpointKind } from '../../src/overlay/layout/endpoint.ts';
import type { Tables } from '../../src/overlay/model/tables.ts';
import { encodeMoved } from '../../src/overlay/packet/overlay-option.ts';
import { skipWithoutKernel } from '../../src/kernel/bpf/test-kernel.ts';
import {
  directory,
  hostAddress,
  hostGeneration,
  hostMac,
  keyName,
  me,
  moved,
  neighbour,
  open,
  owned,
  pathTo,
  pod,
  podGeneration,
  podMac,
  ProgramWorld,
  remote,
  udpFrame,
  vni,
  withDead,
  type Outcome,
} from './program-world.ts';
import { back, expectOutcome, flag, forPod, location, paths, runTransit } from './transit-frames.ts';

const skip = skipWithoutKernel();
const world = skip === false ? new ProgramWorld() : undefined;
after(() => world?.[Symbol.dispose]());

const run = (frame: Uint8Array, changes: Partial<Tables> = {}): Outcome => runTransit(world!, frame, changes);

test('transit as owner sends on, keeps the options, and says so', { skip }, () => {
  const frame = forPod({ options: [location({ flags: flag.noPath })] }, owned.ipv4);
  const outcome = run(frame);
  expectOutcome(outcome, 'transmit', ['relayed'], frame);
  const sent = open(outcome.frame);
  assert.deepEqual([sent.from, sent.to, sent.destinationMac, sent.timeToLive], [hostAddress(me), hostAddress(3), hostMac(3), 3]);
  assert.deepEqual([sent.options, sent.inner, sent.sourcePort, sent.vni], [open(frame).options, open(frame).inner, 50_000, vni]);
  assert.deepEqual(outcome.events, [
    { vni, sourceHostId: 2, hostId: 3, generation: podGeneration, source: remote.ipv4, destination: owned.ipv4 },
  ]);
});

test('transit sends a packet for an endpoint that has moved back, with its place', { skip }, () => {
  const frame = forPod({}, moved.ipv4);
  const outcome = run(frame);
  expectOutcome(outcome, 'transmit', ['sentBack'], frame);
  const sent = open(outcome.frame);
  assert.deepEqual([sent.to, sent.timeToLive, sent.inner], [hostAddress(2), 3, open(frame).inner]);
  assert.deepEqual(sent.options, [
    {
      kind: 'location',
      hostId: 3,
      hostGeneration: hostGeneration(3),
      endpointGeneration: 6,
      identity: 41,
      flags: flag.destination,
      mac: moved.mac,
    },
  ]);
});

for (const [name, options] of [
  ['says nothing', []],
  ['tells its end, but does not ask', [location()]],
] as const) {
  test(`transit as owner sends a packet that ${name} back with the place: its sender has an old path`, { skip }, () => {
    const frame = forPod({ options }, owned.ipv4);
    const outcome = run(frame);
    expectOutcome(outcome, 'transmit', ['sentBack'], frame);
    const sent = open(outcome.frame);
    assert.deepEqual([sent.to, sent.timeToLive, sent.inner], [hostAddress(2), 3, open(frame).inner]);
    assert.deepEqual(sent.options, [
      {
        kind: 'location',
        hostId: 3,
        hostGeneration: hostGeneration(3),
        endpointGeneration: podGeneration,
        identity: 31,
        flags: flag.destination,
        mac: owned.mac,
      },
    ]);
    assert.deepEqual(outcome.events, []);
  });
}

for (const [name, changes] of [
  ['was sent back before', { options: [location({ flags: flag.final })] }],
  ['another owner has relayed', { from: 4, options: [location()] }],
] as const) {
  test(`transit as owner sends a packet that ${name} on`, { skip }, () => {
    const frame = forPod(changes, owned.ipv4);
    const outcome = run(frame);
    expectOutcome(outcome, 'transmit', ['relayed'], frame);
    assert.deepEqual(open(outcome.frame).to, hostAddress(3));
  });
}

for (const [name, changes] of [
  ['was sent back before', { options: [location({ flags: flag.final })] }],
  ['an owner has relayed', { from: 4, options: [location()] }],
] as const) {
  test(`transit sends a packet that ${name} on to where the endpoint has moved`, { skip }, () => {
    const frame = forPod(changes, moved.ipv4);
    const outcome = run(frame);
    expectOutcome(outcome, 'transmit', ['relayed'], frame);
    assert.deepEqual(open(outcome.frame).to, hostAddress(3));
  });
}

test('transit as owner sends a question that it cannot answer on to the other owner, once', { skip }, () => {
  const option = location({ hostId: 3, hostGeneration: hostGeneration(3), flags: flag.noPath });
  const frame = forPod({ from: 3, options: [option] }, owned.nobody);
  const outcome = run(frame);
  expectOutcome(outcome, 'transmit', ['relayed'], frame);
  const sent = open(outcome.frame);
  assert.deepEqual([sent.to, sent.timeToLive, sent.options], [hostAddress(2), 3, open(frame).options]);
  assert.deepEqual(outcome.events, []);
  // The other one gets it from this host with the LOC of host 3, and drops what it does not know either.
  const relayed = forPod({ from: 2, options: [option] }, owned.nobody);
  expectOutcome(run(relayed), 'drop', ['noEndpoint'], relayed);
  // What it does know it sends on; the way is told to host 3, not to the owner between.
  const known = forPod({ from: 2, options: [location({ hostId: 4, hostGeneration: hostGeneration(4), flags: flag.noPath })] }, owned.ipv4);
  const on = run(known);
  expectOutcome(on, 'transmit', ['relayed'], known);
  assert.equal(on.events[0]?.sourceHostId, 4);
});

test('transit as owner without the entry sends a packet of a sender with an old path back as moved', { skip }, () => {
  const frame = forPod({ from: 3 }, owned.nobody);
  const outcome = run(frame);
  expectOutcome(outcome, 'transmit', ['sentBack'], frame);
  const sent = open(outcome.frame);
  assert.deepEqual([sent.to, sent.options], [hostAddress(3), [{ kind: 'moved', endpointGeneration: 0 }]]);
});

test('transit sends a packet for what it does not know back as moved', { skip }, () => {
  const frame = forPod({}, remote.ipv4);
  const outcome = run(frame);
  expectOutcome(outcome, 'transmit', ['sentBack'], frame);
  const sent = open(outcome.frame);
  assert.deepEqual([sent.to, sent.options], [hostAddress(2), [{ kind: 'moved', endpointGeneration: 0 }]]);
});

test('a packet of ours that comes back with a place is sent there, and the path is learnt', { skip }, () => {
  const option = location({
    hostId: 3,
    hostGeneration: hostGeneration(3),
    endpointGeneration: 6,
    flags: flag.destination,
    mac: podMac(77),
  });
  const frame = back({ timeToLive: 3, options: [option] });
  const outcome = run(frame, paths([remote.ipv4, pathTo(2, 21)]));
  expectOutcome(outcome, 'transmit', ['sentDirect'], frame);
  const sent = open(outcome.frame);
  assert.deepEqual([sent.to, sent.timeToLive], [hostAddress(3), 2]);
  assert.deepEqual(sent.options, [
    {
      kind: 'location',
      hostId: me,
      hostGeneration: hostGeneration(me),
      endpointGeneration: podGeneration,
      identity: 11,
      flags: flag.final,
      mac: pod.mac,
    },
  ]);
  assert.deepEqual(sent.inner, udpFrame({ destinationMac: podMac(77) }));
  const path = outcome.paths.get(keyName(remote.ipv4))!;
  assert.deepEqual([path.hostId, path.previousHostId], [3, 2]);
  // The next packets that were under way come from the host before.
  const again = run(frame, { paths: outcome.paths });
  expectOutcome(again, 'transmit', ['sentDirect'], frame);
});

test('a packet of ours that comes back with a place that is not known is sent to the owner', { skip }, () => {
  const frame = back({ options: [location({ hostId: 9, flags: flag.destination })] });
  const outcome = run(frame);
  expectOutcome(outcome, 'transmit', ['sentViaOwner'], frame);
  const sent = open(outcome.frame);
  assert.deepEqual(sent.to, hostAddress(2));
  assert.equal(sent.options[0]?.kind === 'location' && sent.options[0].flags, flag.final | flag.noPath);
  assert.equal(outcome.paths.size, 0);
});

test('a packet of ours that comes back as moved is sent to an owner, not to who denied it, and the path is void', { skip }, () => {
  for (const [from, owner] of [
    [4, 2],
    [3, 2],
    [2, 3],
  ] as const) {
    const frame = back({ from, options: [encodeMoved({ endpointGeneration: 0 })] });
    const outcome = run(frame, paths([remote.ipv4, pathTo(from, 21)]));
    expectOutcome(outcome, 'transmit', ['sentViaOwner'], frame);
    const sent = open(outcome.frame);
    assert.equal(sent.options[0]?.kind === 'location' && sent.options[0].flags, flag.final | flag.noPath);
    assert.deepEqual(sent.to, hostAddress(owner));
    assert.equal(outcome.paths.get(keyName(remote.ipv4))?.expiresNs, 0n);
  }
  const frame = back({ options: [encodeMoved({ endpointGeneration: 0 })] });
  expectOutcome(run(frame, withDead(world!.tables, 3)), 'drop', ['noEndpoint'], frame);
});

test('a packet that comes back from an old place does not void the new path', { skip }, () => {
  const frame = back({ options: [encodeMoved({ endpointGeneration: 0 })] });
  const outcome = run(frame, paths([remote.ipv4, pathTo(3, 21, { previousHostId: 2 })]));
  expectOutcome(outcome, 'transmit', ['sentDirect'], frame);
  assert.deepEqual(open(outcome.frame).to, hostAddress(3));
});

test('a packet of ours for an endpoint that has come here is delivered', { skip }, () => {
  const endpoints = new Map(world!.tables.endpoints);
  const here = { ...directory(me, 21), kind: endpointKind.local, ifindex: world!.tables.endpoints.get(keyName(neighbour.ipv4))!.ifindex };
  endpoints.set(keyName(remote.ipv4), here);
  const frame = back({ options: [encodeMoved({ endpointGeneration: 0 })] });
  expectOutcome(run(frame, { endpoints }), 'redirect', ['delivered'], frame);
});
