/** The agent, rule by rule, as a tc and as an XDP program. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Reason } from '../../src/overlay/layout/counter.ts';
import type { Tables } from '../../src/overlay/model/tables.ts';
import { arpOperation, decodeArp } from '../../src/overlay/packet/arp.ts';
import { decodeEthernet, encodeEthernet, etherType } from '../../src/overlay/packet/ethernet.ts';
import { decodeIcmp, icmpChecksumHolds, icmpFragmentationNeeded, icmpType, icmpv6Type } from '../../src/overlay/packet/icmp.ts';
import { decodeIpv4, ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { decodeIpv6, encodeIpv6, extensionHeader } from '../../src/overlay/packet/ipv6.ts';
import { pseudoHeaderSum } from '../../src/overlay/packet/checksum.ts';
import { decodeNeighbor, encodeNeighbor, neighborFlag } from '../../src/overlay/packet/neighbor-discovery.ts';
import { skipWithoutKernel } from '../../src/kernel/bpf/test-kernel.ts';
import {
  address,
  arpFrame,
  directory,
  gatewayMac,
  hostAddress,
  hostGeneration,
  hostMac,
  icmpv6Frame,
  keyName,
  me,
  mtu,
  neighbour,
  open,
  orphan,
  owned,
  pathTo,
  pod,
  podGeneration,
  podMac,
  ProgramWorld,
  remote,
  solicitationFrame,
  udpFrame,
  vni,
  withDead,
  type Outcome,
} from './program-world.ts';

const skip = skipWithoutKernel();
const world = skip === false ? new ProgramWorld() : undefined;
after(() => world?.[Symbol.dispose]());

const hooks = [
  { program: 'agent_tc', drop: 2, redirect: 7 },
  { program: 'agent_xdp', drop: 1, redirect: 4 },
] as const;

const ethernetOf = (frame: Uint8Array): NonNullable<ReturnType<typeof decodeEthernet>> => decodeEthernet(frame)!;
const withPath = (changes: Parameters<typeof pathTo>[2] = {}): Partial<Tables> => ({
  paths: new Map([
    [keyName(remote.ipv4), pathTo(2, 21, changes)],
    [keyName(remote.ipv6), pathTo(2, 21, changes)],
  ]),
});
const routed = (changes: Parameters<typeof udpFrame>[0] = {}): Uint8Array => udpFrame({ destinationMac: gatewayMac, ...changes });
const linkLocal = address('fe80::11');
const routerSolicitation = { type: icmpv6Type.routerSolicitation, code: 0, rest: 0, body: new Uint8Array(8) };
const truncated = (frame: Uint8Array, bytes: number): Uint8Array => frame.slice(0, bytes);

/** The frame's IPv6 packet with so many headers of options for the destination in front of what it holds. */
function behindOptions(frame: Uint8Array, headers: number): Uint8Array {
  const { destination, source, type, payload } = ethernetOf(frame);
  const packet = decodeIpv6(payload)!;
  let { nextHeader, payload: rest } = packet;
  for (let count = 0; count < headers; count++) {
    rest = Uint8Array.of(nextHeader, 0, 1, 4, 0, 0, 0, 0, ...rest);
    nextHeader = extensionHeader.destinationOptions;
  }
  return encodeEthernet({ destination, source, type, payload: encodeIpv6({ ...packet, nextHeader, payload: rest }) });
}

const advertisement = icmpv6Frame(
  encodeNeighbor({ kind: 'advertisement', flags: 0, target: remote.ipv6, linkLayerAddress: pod.mac }),
  pod.ipv6,
  remote.ipv6,
);

/** The IPv4 packet with an offset: the MAC and a header of 20 octets are as they were but for the sum, which nobody looks at. */
function laterFragment(frame: Uint8Array): Uint8Array {
  const fragment = frame.slice();
  fragment[21] = 10;
  return fragment;
}

/** Endpoints of `subnetMtu` at another host, at this one, of a peer, and outside: of each the addresses, and how a packet goes there. */
const subnetMtu = 400;
const narrowTargets = [
  { name: 'at another host', ipv4: remote.ipv4, ipv6: remote.ipv6, home: {}, goes: 'sentDirect' },
  { name: 'at this host', ipv4: neighbour.ipv4, ipv6: neighbour.ipv6, home: {}, goes: 'delivered' },
  { name: 'of a peer', ipv4: address('10.9.0.21'), ipv6: address('fd09::21'), home: { vni: 8, tableId: 1 }, goes: 'sentViaOwner' },
] as const;

/** The tables where the addresses are in a narrower subnet. */
function narrowTables({ ipv4, ipv6, home }: (typeof narrowTargets)[number]): Partial<Tables> {
  const { ports, subnets } = world!.tables;
  const { subnet } = subnets[0]!;
  const narrow = [ipv4, ipv6].map((of) => ({
    key: { prefixLength: 160, vni, address: of },
    subnet: { ...subnet, vni, mtu: subnetMtu, ...home },
  }));
  const port = { ...ports.get(pod.ifindex)!, leastMtu: subnetMtu };
  return { ...withPath(), ports: new Map([[pod.ifindex, port]]), subnets: [...subnets, ...narrow] };
}

const otherOwnerDead: Partial<Tables> = world === undefined ? {} : withDead(world.tables, 2);

interface Drop {
  readonly name: string;
  readonly reason: Reason;
  readonly frame: Uint8Array;
  readonly changes?: Partial<Tables>;
}

const drops: readonly Drop[] = [
  { name: 'a frame whose source MAC is not the port’s', reason: 'spoofedMac', frame: udpFrame({ sourceMac: podMac(99) }) },
  {
    name: 'a frame of another protocol',
    reason: 'etherType',
    frame: encodeEthernet({ destination: remote.mac, source: pod.mac, type: 0x88cc, payload: new Uint8Array(46) }),
  },
  {
    name: 'a tagged frame',
    reason: 'etherType',
    frame: encodeEthernet({ destination: remote.mac, source: pod.mac, type: etherType.vlan, payload: new Uint8Array(46) }),
  },
  { name: 'an ARP message that is cut off', reason: 'malformed', frame: truncated(arpFrame(remote.ipv4), 40) },
  { name: 'an IPv4 packet shorter than it says', reason: 'malformed', frame: truncated(udpFrame(), 48) },
  {
    name: 'an IPv6 packet shorter than it says',
    reason: 'malformed',
    frame: truncated(udpFrame({ source: pod.ipv6, destination: remote.ipv6 }), 60),
  },
  { name: 'an ARP reply', reason: 'arp', frame: arpFrame(remote.ipv4, { operation: arpOperation.reply }) },
  { name: 'an ARP probe', reason: 'duplicateProbe', frame: arpFrame(remote.ipv4, { sender: address('0.0.0.0') }) },
  { name: 'an ARP request in another’s name', reason: 'spoofedAddress', frame: arpFrame(remote.ipv4, { sender: neighbour.ipv4 }) },
  { name: 'an ARP request for what no subnet has', reason: 'noRoute', frame: arpFrame(address('172.16.0.1')) },
  {
    name: 'an ARP request for an address that this host owns and does not know, with a dead host',
    reason: 'noEndpoint',
    frame: arpFrame(owned.nobody),
    changes: otherOwnerDead,
  },
  { name: 'an ARP request whose owner is dead', reason: 'noOwner', frame: arpFrame(orphan) },
  { name: 'a duplicate probe of IPv6', reason: 'duplicateProbe', frame: solicitationFrame(remote.ipv6, address('::')) },
  {
    name: 'a neighbour solicitation in another’s name',
    reason: 'spoofedAddress',
    frame: solicitationFrame(remote.ipv6, neighbour.ipv6),
  },
  {
    name: 'a neighbour solicitation that came over a router',
    reason: 'malformed',
    frame: icmpv6Frame(
      encodeNeighbor({ kind: 'solicitation', flags: 0, target: remote.ipv6, linkLayerAddress: pod.mac }),
      pod.ipv6,
      remote.ipv6,
      64,
    ),
  },
  { name: 'a neighbour advertisement', reason: 'arp', frame: advertisement },
  { name: 'a neighbour advertisement behind an extension header', reason: 'arp', frame: behindOptions(advertisement, 1) },
  { name: 'a neighbour advertisement behind six of them', reason: 'arp', frame: behindOptions(advertisement, 6) },
  {
    name: 'a packet with seven extension headers',
    reason: 'malformed',
    frame: behindOptions(udpFrame({ source: pod.ipv6, destination: remote.ipv6 }), 7),
  },
  {
    name: 'a router advertisement',
    reason: 'arp',
    frame: icmpv6Frame({ ...routerSolicitation, type: icmpv6Type.routerAdvertisement }, linkLocal, address('ff02::1')),
  },
  { name: 'a redirect', reason: 'arp', frame: icmpv6Frame({ ...routerSolicitation, type: icmpv6Type.redirect }, linkLocal, pod.ipv6) },
  { name: 'a router solicitation', reason: 'multicast', frame: icmpv6Frame(routerSolicitation, linkLocal, address('ff02::2')) },
  ...['224.0.0.251', '255.255.255.255', '169.254.169.254', '0.0.0.0'].map((to): Drop => ({
    name: `a packet to ${to}`,
    reason: 'multicast',
    frame: udpFrame({ destination: address(to) }),
  })),
  ...['ff02::fb', 'fe80::1', '::'].map((to): Drop => ({
    name: `a packet to ${to}`,
    reason: 'multicast',
    frame: udpFrame({ source: pod.ipv6, destination: address(to) }),
  })),
  { name: 'a packet in another’s name', reason: 'spoofedAddress', frame: udpFrame({ source: neighbour.ipv4 }) },
  {
    name: 'an IPv6 packet in another’s name',
    reason: 'spoofedAddress',
    frame: udpFrame({ source: neighbour.ipv6, destination: remote.ipv6 }),
  },
  {
    name: 'an IPv6 packet from a mapped IPv4 address',
    reason: 'spoofedAddress',
    frame: icmpv6Frame({ type: icmpv6Type.echoRequest, code: 0, rest: 1, body: new Uint8Array(8) }, pod.ipv4, remote.ipv6, 64),
  },
  { name: 'a later fragment over the MTU', reason: 'tooBig', frame: laterFragment(udpFrame({ payloadBytes: mtu, dontFragment: false })) },
  { name: 'a packet at the end of its life at the gateway', reason: 'ttl', frame: routed({ timeToLive: 1 }) },
  {
    name: 'an IPv6 packet at the end of its life at the gateway',
    reason: 'ttl',
    frame: routed({ source: pod.ipv6, destination: remote.ipv6, timeToLive: 1 }),
  },
  { name: 'a packet to what no subnet has', reason: 'noRoute', frame: routed({ destination: address('172.16.0.1') }) },
  { name: 'a packet whose owner is dead', reason: 'noOwner', frame: routed({ destination: orphan }) },
  {
    name: 'a packet to an address that this host owns and does not know, with a dead host',
    reason: 'noEndpoint',
    frame: routed({ destination: owned.nobody }),
    changes: otherOwnerDead,
  },
  {
    name: 'a packet to an endpoint whose host is dead, by this host as owner',
    reason: 'noEndpoint',
    frame: routed({ destination: owned.ipv4 }),
    changes: { endpoints: new Map([[keyName(owned.ipv4), directory(4, 31)]]) },
  },
  {
    name: 'a packet to an endpoint that this host’s own directory has here, but is not',
    reason: 'loop',
    frame: routed({ destination: owned.ipv4 }),
    changes: { endpoints: new Map([[keyName(owned.ipv4), directory(me, 31)]]) },
  },
];

for (const { program, drop, redirect } of hooks) {
  const run = (frame: Uint8Array, changes: Partial<Tables> = {}): Outcome => world!.run(program, frame, changes);
  /** A run that must be counted once, as this. */
  const expectCount = (outcome: Outcome, reason: Reason, frame: Uint8Array): void => {
    assert.deepEqual(outcome.counts, [`${reason} 1 ${frame.length}`]);
    assert.equal(outcome.verdict, redirect);
  };

  test(`${program} drops what it must, and says why`, { skip }, async (context) => {
    await context.test('a frame of an interface that is no port: noPort', () => {
      const frame = udpFrame();
      const outcome = run(frame, { ports: new Map() });
      assert.deepEqual(outcome.counts, [`0 noPort 1 ${frame.length}`]);
      assert.equal(outcome.verdict, drop);
    });
    for (const { name, reason, frame, changes } of drops) {
      await context.test(`${name}: ${reason}`, () => {
        const outcome = run(frame, changes);
        assert.deepEqual(outcome.counts, [`${reason} 1 ${frame.length}`]);
        assert.equal(outcome.verdict, drop);
      });
    }
  });

  test(`${program} answers ARP for the gateway, local endpoints, known paths and its own directory`, { skip }, () => {
    const answers: [target: Uint8Array, mac: Uint8Array][] = [
      [address('10.0.0.1'), gatewayMac],
      [neighbour.ipv4, neighbour.mac],
      [remote.ipv4, remote.mac],
      [owned.ipv4, owned.mac],
    ];
    for (const [target, answer] of answers) {
      const frame = arpFrame(target);
      const outcome = run(frame, withPath());
      expectCount(outcome, 'answered', frame);
      const { destination, source, payload } = ethernetOf(outcome.frame);
      assert.deepEqual([destination, source], [pod.mac, answer]);
      const { operation, senderMac, senderAddress, targetMac, targetAddress } = decodeArp(payload)!;
      assert.deepEqual(
        { operation, senderMac, senderAddress, targetMac, targetAddress },
        { operation: arpOperation.reply, senderMac: answer, senderAddress: target, targetMac: pod.mac, targetAddress: pod.ipv4 },
      );
    }
  });

  test(`${program} asks the owner for an ARP target it does not know`, { skip }, () => {
    const frame = arpFrame(remote.ipv4);
    const outcome = run(frame);
    expectCount(outcome, 'sentViaOwner', frame);
    const sent = open(outcome.frame);
    assert.deepEqual([sent.from, sent.to, sent.destinationMac, sent.timeToLive], [hostAddress(me), hostAddress(2), hostMac(2), 4]);
    assert.deepEqual(sent.options, []);
    assert.deepEqual(sent.inner, frame);
  });

  test(`${program} asks the second owner when the first is dead`, { skip }, () => {
    const hosts = new Map(world!.tables.hosts);
    hosts.set(2, { ...hosts.get(2)!, flags: 1 });
    const outcome = run(arpFrame(remote.ipv4), { hosts });
    assert.deepEqual(open(outcome.frame).to, hostAddress(3));
  });

  test(`${program} answers neighbour solicitations, also those of the pod’s link-local address`, { skip }, () => {
    const answers: [target: Uint8Array, source: Uint8Array, mac: Uint8Array][] = [
      [address('fd00::1'), linkLocal, gatewayMac],
      [neighbour.ipv6, pod.ipv6, neighbour.mac],
      [remote.ipv6, pod.ipv6, remote.mac],
    ];
    for (const [target, source, answer] of answers) {
      const frame = solicitationFrame(target, source);
      const outcome = run(frame, withPath());
      expectCount(outcome, 'answered', frame);
      const packet = decodeIpv6(ethernetOf(outcome.frame).payload)!;
      assert.deepEqual([packet.source, packet.destination, packet.hopLimit], [target, source, 255]);
      assert.ok(icmpChecksumHolds(packet.payload, pseudoHeaderSum(target, source, ipProtocol.icmpv6, packet.payload.length)));
      const message = decodeNeighbor(decodeIcmp(packet.payload)!)!;
      assert.equal(message.kind, 'advertisement');
      assert.equal(message.flags, neighborFlag.solicited + neighborFlag.override);
      assert.deepEqual([message.target, message.linkLayerAddress], [target, answer]);
    }
  });

  test(`${program} asks the owner for a neighbour in the pod’s global name`, { skip }, () => {
    const frame = solicitationFrame(remote.ipv6, linkLocal);
    const outcome = run(frame);
    expectCount(outcome, 'sentViaOwner', frame);
    assert.deepEqual(open(outcome.frame).inner, solicitationFrame(remote.ipv6, pod.ipv6));
  });

  test(`${program} delivers to a pod of this host, in the same subnet and across`, { skip }, () => {
    const same = udpFrame({ destination: neighbour.ipv4, destinationMac: neighbour.mac });
    const straight = run(same);
    expectCount(straight, 'delivered', same);
    assert.deepEqual(straight.frame, same);
    const across = routed({ destination: neighbour.ipv4 });
    const delivered = run(across);
    expectCount(delivered, 'delivered', across);
    assert.deepEqual(
      delivered.frame,
      udpFrame({ destination: neighbour.ipv4, destinationMac: neighbour.mac, sourceMac: gatewayMac, timeToLive: 63 }),
    );
  });

  test(`${program} sends along a path, tells its end three times, and no more`, { skip }, () => {
    const frame = routed();
    const first = run(frame, withPath({ told: 2 }));
    expectCount(first, 'sentDirect', frame);
    const sent = open(first.frame);
    assert.deepEqual([sent.from, sent.to, sent.destinationMac, sent.timeToLive], [hostAddress(me), hostAddress(2), hostMac(2), 4]);
    assert.deepEqual(sent.options, [
      {
        kind: 'location',
        hostId: me,
        hostGeneration: hostGeneration(me),
        endpointGeneration: podGeneration,
        identity: 11,
        flags: 0,
        mac: pod.mac,
      },
    ]);
    assert.deepEqual(sent.inner, udpFrame({ sourceMac: gatewayMac, timeToLive: 63 }));
    assert.equal(first.paths.get(keyName(remote.ipv4))?.told, 3);
    const second = run(frame, withPath({ told: 3 }));
    assert.deepEqual(open(second.frame).options, []);
    assert.equal(second.frame.length, frame.length + 50);
    assert.equal(second.paths.get(keyName(remote.ipv4))?.told, 3);
  });

  test(`${program} sends IPv6 along a path`, { skip }, () => {
    const frame = udpFrame({ source: pod.ipv6, destination: remote.ipv6 });
    const outcome = run(frame, withPath());
    expectCount(outcome, 'sentDirect', frame);
    assert.deepEqual(open(outcome.frame).inner, frame);
  });

  test(`${program} gives the packets of a flow one source port, and flows different ones`, { skip }, () => {
    const portOf = (frame: Uint8Array): number => open(run(frame, withPath()).frame).sourcePort;
    assert.equal(portOf(udpFrame()), portOf(udpFrame({ payloadBytes: 100 })));
    assert.notEqual(portOf(udpFrame()), portOf(udpFrame({ source: pod.ipv6, destination: remote.ipv6 })));
  });

  test(`${program} asks the other owner about an address that this host owns and does not know`, { skip }, () => {
    const frame = routed({ destination: owned.nobody });
    const outcome = run(frame);
    expectCount(outcome, 'sentViaOwner', frame);
    const sent = open(outcome.frame);
    assert.deepEqual(sent.to, hostAddress(2));
    assert.equal(sent.options[0]?.kind === 'location' && sent.options[0].flags, 4);
    const question = arpFrame(owned.nobody);
    assert.deepEqual(open(run(question).frame).to, hostAddress(2));
  });

  for (const [name, changes] of [
    ['expired', { expiresNs: 1n }],
    ['to a host that has started anew', { hostGeneration: 1 }],
    ['to a dead host', { hostId: 4, hostGeneration: hostGeneration(4) }],
  ] as const) {
    test(`${program} sends via the owner when the path is ${name}`, { skip }, () => {
      const frame = udpFrame();
      const outcome = run(frame, withPath(changes));
      expectCount(outcome, 'sentViaOwner', frame);
      const { to, options, inner } = open(outcome.frame);
      assert.deepEqual(to, hostAddress(2));
      assert.equal(options[0]?.kind === 'location' && options[0].flags, 4);
      assert.deepEqual(inner, frame);
    });
  }

  test(`${program} as owner sends straight to the host of its directory, and remembers the path`, { skip }, () => {
    const frame = routed({ destination: owned.ipv4 });
    const before = process.hrtime.bigint();
    const outcome = run(frame);
    expectCount(outcome, 'sentDirect', frame);
    assert.deepEqual(open(outcome.frame).to, hostAddress(3));
    const { expiresNs = 0n, ...path } = outcome.paths.get(keyName(owned.ipv4)) ?? {};
    assert.deepEqual(path, {
      hostId: 3,
      hostGeneration: hostGeneration(3),
      endpointGeneration: podGeneration,
      told: 1,
      mac: owned.mac,
      previousHostId: 0,
      identity: 31,
    });
    assert.ok(expiresNs > before + 20_000_000_000n);
  });

  test(`${program} says that an IPv4 packet is too big`, { skip }, () => {
    const frame = udpFrame({ payloadBytes: mtu - 27 });
    const outcome = run(frame);
    expectCount(outcome, 'tooBig', frame);
    const packet = decodeIpv4(ethernetOf(outcome.frame).payload)!;
    assert.deepEqual([packet.source, packet.destination], [address('10.0.0.1'), pod.ipv4]);
    assert.ok(icmpChecksumHolds(packet.payload, 0));
    const message = decodeIcmp(packet.payload)!;
    assert.deepEqual([message.type, message.code, message.rest], [icmpType.destinationUnreachable, icmpFragmentationNeeded, mtu]);
    assert.deepEqual(message.body, frame.subarray(14, 14 + 68));
    const fits = udpFrame({ payloadBytes: mtu - 28 });
    expectCount(run(fits, withPath()), 'sentDirect', fits);
    const mayBeCut = udpFrame({ payloadBytes: mtu - 27, dontFragment: false });
    expectCount(run(mayBeCut), 'tooBig', mayBeCut);
  });

  test(`${program} says that an IPv6 packet is too big`, { skip }, () => {
    const frame = udpFrame({ source: pod.ipv6, destination: remote.ipv6, payloadBytes: mtu - 47 });
    const outcome = run(frame);
    expectCount(outcome, 'tooBig', frame);
    const packet = decodeIpv6(ethernetOf(outcome.frame).payload)!;
    assert.deepEqual([packet.source, packet.destination], [address('fd00::1'), pod.ipv6]);
    assert.ok(
      icmpChecksumHolds(packet.payload, pseudoHeaderSum(packet.source, packet.destination, ipProtocol.icmpv6, packet.payload.length)),
    );
    const message = decodeIcmp(packet.payload)!;
    assert.deepEqual([message.type, message.rest], [icmpv6Type.packetTooBig, mtu]);
    assert.deepEqual(message.body, frame.subarray(14, 14 + 128));
  });

  for (const target of narrowTargets) {
    test(`${program} says that a packet is too big for the subnet of an endpoint ${target.name}`, { skip }, () => {
      const tables = narrowTables(target);
      const [to4, to6] = [{ destination: target.ipv4 }, { source: pod.ipv6, destination: target.ipv6 }];
      for (const fits of [routed({ ...to4, payloadBytes: subnetMtu - 28 }), routed({ ...to6, payloadBytes: subnetMtu - 48 })])
        expectCount(run(fits, tables), target.goes, fits);
      for (const frame of [true, false].map((dontFragment) => routed({ ...to4, dontFragment, payloadBytes: subnetMtu - 27 }))) {
        const outcome = run(frame, tables);
        expectCount(outcome, 'tooBig', frame);
        const packet = decodeIpv4(ethernetOf(outcome.frame).payload)!;
        assert.deepEqual([packet.source, packet.destination], [address('10.0.0.1'), pod.ipv4]);
        assert.ok(icmpChecksumHolds(packet.payload, 0));
        const message = decodeIcmp(packet.payload)!;
        assert.deepEqual([message.type, message.code, message.rest], [icmpType.destinationUnreachable, icmpFragmentationNeeded, subnetMtu]);
        assert.deepEqual(message.body, frame.subarray(14, 14 + 68));
      }
      const frame = routed({ ...to6, payloadBytes: subnetMtu - 47 });
      const outcome = run(frame, tables);
      expectCount(outcome, 'tooBig', frame);
      const packet = decodeIpv6(ethernetOf(outcome.frame).payload)!;
      const message = decodeIcmp(packet.payload)!;
      assert.deepEqual([message.type, message.rest], [icmpv6Type.packetTooBig, subnetMtu]);
      assert.deepEqual(message.body, frame.subarray(14, 14 + 128));
    });
  }

  test(`${program} keeps tenants apart: a path of another VNI is none`, { skip }, () => {
    const other = new Map([[`8 10.0.0.21`, pathTo(3, 21)]]);
    assert.deepEqual(run(udpFrame(), { paths: other }).counts[0]?.split(' ')[0], 'sentViaOwner');
  });
}

test('agent_xdp counts what it cannot send to an interface that is not among its devices', { skip }, () => {
  const frame = udpFrame();
  const outcome = world!.run('agent_xdp', frame, { ...withPath(), devices: new Set() });
  assert.deepEqual(outcome.counts, [`internal 1 ${frame.length}`]);
  assert.equal(outcome.verdict, 1);
});
