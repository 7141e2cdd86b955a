/** Transit, rule by rule. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Reason } from '../../src/overlay/layout/counter.ts';
import type { Tables } from '../../src/overlay/model/tables.ts';
import { arpOperation, decodeArp } from '../../src/overlay/packet/arp.ts';
import { pseudoHeaderSum } from '../../src/overlay/packet/checksum.ts';
import { decodeEthernet, encodeEthernet } from '../../src/overlay/packet/ethernet.ts';
import type { GeneveOption } from '../../src/overlay/packet/geneve.ts';
import { decodeIcmp, icmpChecksumHolds, icmpv6Type } from '../../src/overlay/packet/icmp.ts';
import { ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { decodeIpv6 } from '../../src/overlay/packet/ipv6.ts';
import { decodeNeighbor, encodeNeighbor, neighborFlag } from '../../src/overlay/packet/neighbor-discovery.ts';
import { encodeMoved, overlayOptionClass } from '../../src/overlay/packet/overlay-option.ts';
import { skipWithoutKernel } from '../../src/kernel/bpf/test-kernel.ts';
import {
  address,
  arpFrame,
  directory,
  hostAddress,
  hostGeneration,
  hostMac,
  icmpv6Frame,
  keyName,
  me,
  moved,
  neighbour,
  open,
  owned,
  pathTo,
  pod,
  podGeneration,
  ProgramWorld,
  remote,
  solicitationFrame,
  tunnelFrame,
  udpFrame,
  withDead,
  type Outcome,
  type TunnelChanges,
} from './program-world.ts';
import { back, changed, expectOutcome, flag, forPod, location, paths, runTransit, verdicts } from './transit-frames.ts';

const skip = skipWithoutKernel();
const world = skip === false ? new ProgramWorld() : undefined;
after(() => world?.[Symbol.dispose]());

const run = (frame: Uint8Array, changes: Partial<Tables> = {}): Outcome => runTransit(world!, frame, changes);

const unknownOption = (type: number): GeneveOption => ({ class: 0x0103, type, body: new Uint8Array(4) });
const arpReply = (changes: TunnelChanges = {}): Uint8Array =>
  tunnelFrame(
    arpFrame(pod.ipv4, { operation: arpOperation.reply, sender: remote.ipv4, senderMac: remote.mac, targetMac: pod.mac }),
    changes,
  );

/* Octets of the outer headers. */
const at = {
  fragment: 20,
  protocol: 23,
  sourceAddress: 26,
  destinationAddress: 30,
  sourcePort: 34,
  udpPort: 36,
  udpLength: 38,
  version: 42,
  control: 43,
  geneveProtocol: 44,
  option: 50,
} as const;

/** As a host sends it to learn whether the other's transit runs. */
const probe = (changes: TunnelChanges = {}): Uint8Array => changed(tunnelFrame(new Uint8Array(16).fill(0x70), changes), at.control, 0x80);

for (const [name, frame] of [
  ['for another port', forPod({ port: 4789 })],
  ['for another address', forPod({ to: hostAddress(9) })],
  ['that is no UDP', changed(forPod(), at.protocol, 6)],
  ['that is a fragment', changed(forPod(), at.fragment, 0x20, 0x00)],
  ['that is no IPv4', arpFrame(address('192.0.2.1'))],
] as const) {
  test(`transit leaves a packet ${name} to the kernel`, { skip }, () => {
    const outcome = run(frame);
    expectOutcome(outcome, 'pass', [], frame);
    assert.deepEqual(outcome.frame, frame);
  });
}

const otherOwnerDead: Partial<Tables> = world === undefined ? {} : withDead(world.tables, 2);

interface Drop {
  readonly name: string;
  readonly reason: Reason;
  readonly frame: Uint8Array;
  readonly changes?: Partial<Tables>;
  /** The VNI that it is counted for: 0 when it was not read yet. */
  readonly countedVni?: number;
}

const drops: readonly Drop[] = [
  { name: 'a packet of a host that is none of ours', reason: 'unknownSource', frame: forPod({ from: 9 }), countedVni: 0 },
  { name: 'another version of Geneve', reason: 'malformed', frame: changed(forPod(), at.version, 0x40), countedVni: 0 },
  { name: 'another protocol in Geneve', reason: 'malformed', frame: changed(forPod(), at.geneveProtocol, 8, 0), countedVni: 0 },
  { name: 'lengths that differ', reason: 'malformed', frame: changed(forPod(), at.udpLength, 0, 30), countedVni: 0 },
  { name: 'a packet that is longer than its frame', reason: 'malformed', frame: forPod().slice(0, -4), countedVni: 0 },
  {
    name: 'options that pass the end of the header',
    reason: 'malformed',
    frame: changed(forPod({ options: [unknownOption(1)] }), at.option + 3, 31),
    countedVni: 0,
  },
  {
    name: 'five options',
    reason: 'malformed',
    frame: forPod({ options: Array.from({ length: 5 }, () => unknownOption(1)) }),
    countedVni: 0,
  },
  {
    name: '68 octets of options',
    reason: 'malformed',
    frame: changed(forPod({ options: [location(), location()] }), at.version, 17),
    countedVni: 0,
  },
  {
    name: 'a location of another length',
    reason: 'malformed',
    frame: forPod({ options: [{ class: overlayOptionClass, type: 1, body: new Uint8Array(16) }] }),
    countedVni: 0,
  },
  {
    name: 'a critical option that is not known',
    reason: 'criticalOption',
    frame: forPod({ options: [unknownOption(0x81)] }),
    countedVni: 0,
  },
  {
    name: 'an inner frame of another protocol',
    reason: 'etherType',
    frame: tunnelFrame(encodeEthernet({ destination: pod.mac, source: remote.mac, type: 0x88cc, payload: new Uint8Array(46) })),
  },
  { name: 'an inner frame that is cut off', reason: 'malformed', frame: tunnelFrame(new Uint8Array(10)) },
  { name: 'an inner packet that is cut off', reason: 'malformed', frame: tunnelFrame(udpFrame({ destination: pod.ipv4 }).slice(0, 30)) },
  { name: 'a question about what nobody has', reason: 'noEndpoint', frame: tunnelFrame(arpFrame(owned.nobody)) },
  { name: 'a probe of a host that is none of ours', reason: 'unknownSource', frame: probe({ from: 9 }), countedVni: 0 },
  {
    name: 'a probe that its answer would make a probe again',
    reason: 'malformed',
    frame: changed(probe(), at.sourcePort, 0x17, 0xc1),
    countedVni: 0,
  },
  { name: 'a probe of another version', reason: 'malformed', frame: changed(probe(), at.version, 0x40), countedVni: 0 },
  { name: 'a probe that is cut off', reason: 'malformed', frame: probe().slice(0, 46), countedVni: 0 },
  { name: 'an ARP answer without a location', reason: 'arp', frame: arpReply() },
  { name: 'an ARP answer of a host that does not own it', reason: 'untrusted', frame: arpReply({ from: 4, options: [location()] }) },
  {
    name: 'a neighbour advertisement of a host that does not own it',
    reason: 'untrusted',
    frame: tunnelFrame(
      icmpv6Frame(
        encodeNeighbor({ kind: 'advertisement', flags: 0, target: remote.ipv6, linkLayerAddress: remote.mac }),
        remote.ipv6,
        pod.ipv6,
      ),
      { from: 4, options: [location()] },
    ),
  },
  {
    name: 'an ARP answer for nobody here',
    reason: 'arp',
    frame: tunnelFrame(arpFrame(remote.ipv4, { operation: arpOperation.reply }), { options: [location()] }),
  },
  {
    name: 'a neighbour advertisement without a location',
    reason: 'arp',
    frame: tunnelFrame(
      icmpv6Frame(
        encodeNeighbor({ kind: 'advertisement', flags: 0, target: remote.ipv6, linkLayerAddress: remote.mac }),
        remote.ipv6,
        pod.ipv6,
      ),
    ),
  },
  {
    name: 'a router advertisement',
    reason: 'arp',
    frame: tunnelFrame(
      icmpv6Frame({ type: icmpv6Type.routerAdvertisement, code: 0, rest: 0, body: new Uint8Array(8) }, remote.ipv6, pod.ipv6),
    ),
  },
  { name: 'a VNI that is not here', reason: 'noRoute', frame: forPod({ vni: 8 }), countedVni: 8 },
  {
    name: 'a packet of another’s pod that comes back',
    reason: 'malformed',
    frame: tunnelFrame(udpFrame({ source: remote.ipv4 }), { options: [encodeMoved({ endpointGeneration: 0 })] }),
  },
  {
    name: 'a packet that comes back from a host that never had it',
    reason: 'untrusted',
    frame: back({ from: 4, options: [encodeMoved({ endpointGeneration: 0 })] }),
    changes: paths([remote.ipv4, pathTo(2, 21)]),
  },
  {
    name: 'an address that neither owner knows',
    reason: 'noEndpoint',
    frame: forPod({ options: [location({ flags: flag.noPath })] }, owned.nobody),
  },
  {
    name: 'an address that this host owns and does not know, with a dead host',
    reason: 'noEndpoint',
    frame: forPod({ from: 3, options: [location({ hostId: 3, hostGeneration: hostGeneration(3), flags: flag.noPath })] }, owned.nobody),
    changes: otherOwnerDead,
  },
  {
    name: 'an address that this host owns and does not know, of a sender with an old path, with a dead host',
    reason: 'noEndpoint',
    frame: forPod({ from: 3 }, owned.nobody),
    changes: otherOwnerDead,
  },
  {
    name: 'an address that this host owns and does not know, for the second time',
    reason: 'noEndpoint',
    frame: forPod({ from: 3, options: [location({ hostId: 3, flags: flag.final + flag.noPath })] }, owned.nobody),
  },
  { name: 'a last bounce to nobody', reason: 'noEndpoint', frame: forPod({ options: [location({ flags: flag.final })] }, remote.ipv4) },
  {
    name: 'a relayed packet to nobody',
    reason: 'noEndpoint',
    frame: forPod({ from: 3, options: [location()] }, remote.ipv4),
  },
  { name: 'a packet to where it comes from', reason: 'loop', frame: forPod({ from: 3 }, owned.ipv4) },
  { name: 'a packet that was sent on too often', reason: 'loop', frame: forPod({ timeToLive: 1 }, owned.ipv4) },
  { name: 'a packet that was sent back too often', reason: 'loop', frame: forPod({ timeToLive: 1 }, moved.ipv4) },
  {
    name: 'a packet to an endpoint whose host is dead',
    reason: 'noEndpoint',
    frame: forPod({}, owned.ipv4),
    changes: { endpoints: new Map([[keyName(owned.ipv4), directory(4, 31)]]) },
  },
];

test('transit drops what it must, and says why', { skip }, async (context) => {
  for (const { name, reason, frame, changes, countedVni } of drops) {
    await context.test(`${name}: ${reason}`, () => {
      const outcome = run(frame, changes);
      assert.deepEqual(outcome.counts, [`${countedVni === undefined ? '' : `${countedVni} `}${reason} 1 ${frame.length}`]);
      assert.equal(outcome.verdict, verdicts.drop);
    });
  }
});

test('transit sends a probe back as it is, whatever its VNI, with the ends swapped', { skip }, () => {
  for (const frame of [probe(), probe({ from: 4, vni: 0 }), probe({ timeToLive: 1, options: [unknownOption(0x81)] })]) {
    const outcome = run(frame);
    assert.deepEqual(outcome.counts, [`0 answered 1 ${frame.length}`]);
    assert.equal(outcome.verdict, verdicts.transmit);
    const { sourceAddress, destinationAddress, sourcePort, udpPort, udpLength } = at;
    const wanted = frame.slice();
    wanted.set([...frame.subarray(6, 12), ...frame.subarray(0, 6)], 0);
    wanted.set([...frame.subarray(destinationAddress, sourcePort), ...frame.subarray(sourceAddress, destinationAddress)], sourceAddress);
    wanted.set([...frame.subarray(udpPort, udpLength), ...frame.subarray(sourcePort, udpPort)], sourcePort);
    assert.deepEqual(outcome.frame, wanted);
  }
});

test('transit ignores an option that it does not know', { skip }, () => {
  const frame = forPod({ options: [unknownOption(1)] });
  expectOutcome(run(frame), 'redirect', ['delivered'], frame);
});

test('transit answers ARP as owner, with the location', { skip }, () => {
  for (const [target, hostId, mac] of [
    [owned.ipv4, 3, owned.mac],
    [neighbour.ipv4, me, neighbour.mac],
  ] as const) {
    const question = arpFrame(target, { sender: remote.ipv4, senderMac: remote.mac });
    const frame = tunnelFrame(question, { timeToLive: 2 });
    const outcome = run(frame);
    expectOutcome(outcome, 'transmit', ['answered'], frame);
    const sent = open(outcome.frame);
    assert.deepEqual([sent.from, sent.to, sent.destinationMac, sent.timeToLive], [hostAddress(me), hostAddress(2), hostMac(2), 4]);
    assert.deepEqual(sent.options, [
      {
        kind: 'location',
        hostId,
        hostGeneration: hostGeneration(hostId),
        endpointGeneration: podGeneration,
        identity: mac[5],
        flags: 0,
        mac,
      },
    ]);
    const inner = decodeEthernet(sent.inner)!;
    assert.deepEqual([inner.destination, inner.source], [remote.mac, mac]);
    assert.deepEqual(decodeArp(inner.payload), {
      operation: arpOperation.reply,
      senderMac: mac,
      senderAddress: target,
      targetMac: remote.mac,
      targetAddress: remote.ipv4,
    });
  }
});

test('transit answers a neighbour solicitation as owner', { skip }, () => {
  const frame = tunnelFrame(solicitationFrame(neighbour.ipv6, remote.ipv6));
  const outcome = run(frame);
  expectOutcome(outcome, 'transmit', ['answered'], frame);
  const packet = decodeIpv6(decodeEthernet(open(outcome.frame).inner)!.payload)!;
  assert.deepEqual([packet.source, packet.destination], [neighbour.ipv6, remote.ipv6]);
  assert.ok(
    icmpChecksumHolds(packet.payload, pseudoHeaderSum(packet.source, packet.destination, ipProtocol.icmpv6, packet.payload.length)),
  );
  const message = decodeNeighbor(decodeIcmp(packet.payload)!)!;
  assert.equal(message.flags, neighborFlag.solicited + neighborFlag.override);
  assert.deepEqual([message.target, message.linkLayerAddress], [neighbour.ipv6, neighbour.mac]);
});

test('transit hands the answer to the pod and learns the path', { skip }, () => {
  const frame = arpReply({ from: 3, options: [location()] });
  const outcome = run(frame);
  expectOutcome(outcome, 'redirect', ['delivered'], frame);
  const answer = { operation: arpOperation.reply, sender: remote.ipv4, senderMac: remote.mac, targetMac: pod.mac, destinationMac: pod.mac };
  assert.deepEqual(outcome.frame, arpFrame(pod.ipv4, answer));
  const path = outcome.paths.get(keyName(remote.ipv4));
  assert.deepEqual([path?.hostId, path?.endpointGeneration, path?.told, path?.mac], [2, podGeneration, 0, remote.mac]);
});

test('transit delivers, and learns where the source is', { skip }, () => {
  const frame = forPod({ options: [location()] });
  const outcome = run(frame);
  expectOutcome(outcome, 'redirect', ['delivered'], frame);
  assert.deepEqual(outcome.frame, udpFrame({ source: remote.ipv4, sourceMac: remote.mac, destination: pod.ipv4, destinationMac: pod.mac }));
  assert.equal(outcome.paths.get(keyName(remote.ipv4))?.hostId, 2);
  const plain = forPod();
  assert.equal(run(plain).paths.size, 0);
});

test('transit tells its end again to a sender that has no path', { skip }, () => {
  const known = paths([remote.ipv4, pathTo(2, 21)]);
  const toldAfter = (flags: number): number | undefined =>
    run(forPod({ options: [location({ flags })] }), known).paths.get(keyName(remote.ipv4))?.told;
  assert.equal(toldAfter(0), 3);
  assert.equal(toldAfter(flag.noPath), 0);
});

interface Lesson {
  readonly name: string;
  readonly frame: Uint8Array;
  readonly changes?: Partial<Tables>;
  readonly believed: boolean;
}

const lessons: readonly Lesson[] = [
  { name: 'of the host itself', frame: forPod({ options: [location()] }), believed: true },
  { name: 'of another host, by an owner of the source', frame: forPod({ from: 3, options: [location()] }), believed: true },
  { name: 'of another host, by a host that owns nothing of it', frame: forPod({ from: 4, options: [location()] }), believed: false },
  { name: 'of a host that is not known', frame: forPod({ from: 3, options: [location({ hostId: 9 })] }), believed: false },
  { name: 'of a host before it started anew', frame: forPod({ options: [location({ hostGeneration: 1 })] }), believed: false },
  {
    name: 'that is older than the path',
    frame: forPod({ options: [location()] }),
    changes: paths([remote.ipv4, pathTo(3, 21, { endpointGeneration: 6 })]),
    believed: false,
  },
  {
    name: 'that is older than a path that has expired',
    frame: forPod({ options: [location()] }),
    changes: paths([remote.ipv4, pathTo(3, 21, { endpointGeneration: 6, expiresNs: 1n })]),
    believed: true,
  },
  {
    name: 'about an endpoint of this host',
    frame: tunnelFrame(udpFrame({ source: neighbour.ipv4, destination: pod.ipv4 }), { options: [location()] }),
    believed: false,
  },
];

for (const { name, frame, changes, believed } of lessons) {
  test(`transit ${believed ? 'believes' : 'does not believe'} a location ${name}; the packet goes on`, { skip }, () => {
    const outcome = run(frame, changes);
    expectOutcome(outcome, 'redirect', believed ? ['delivered'] : ['delivered', 'untrusted'], frame);
    assert.equal(
      [...outcome.paths.values()].some((path) => path.hostId === 2),
      believed,
    );
  });
}

test('transit remembers the host before', { skip }, () => {
  const { paths: learnt } = run(forPod({ options: [location()] }), paths([remote.ipv4, pathTo(3, 21, { endpointGeneration: 4 })]));
  assert.equal(learnt.get(keyName(remote.ipv4))?.previousHostId, 3);
});

test('transit keeps tenants apart: the same addresses in another VNI are others', { skip }, () => {
  const others = world!.tables.subnets.map(({ key, subnet }) => ({ key: { ...key, vni: 8 }, subnet: { ...subnet, vni: 8 } }));
  const subnets = [...world!.tables.subnets, ...others];
  const frame = forPod({ vni: 8 });
  const outcome = run(frame, { subnets });
  assert.deepEqual(outcome.counts, [`8 sentBack 1 ${frame.length}`]);
});

test('pass leaves every frame as it is', { skip }, () => {
  const frame = forPod();
  const outcome = world!.run('pass', frame);
  expectOutcome(outcome, 'pass', [], frame);
  assert.deepEqual(outcome.frame, frame);
});
