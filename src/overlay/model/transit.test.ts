import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  address,
  gatewayMac,
  hostAddress,
  hostMac,
  mac,
  ModelNetwork,
  udpFrame,
  type Pod,
  type Walk,
} from '../../../test/overlay/model-network.ts';
import { endpointKind } from '../layout/endpoint.ts';
import { hostFlag } from '../layout/host.ts';
import { arpOperation, encodeArp } from '../packet/arp.ts';
import { internetChecksum } from '../packet/checksum.ts';
import { decodeEthernet, encodeEthernet, etherType } from '../packet/ethernet.ts';
import { genevePort, type GeneveOption } from '../packet/geneve.ts';
import { decodeIpv4 } from '../packet/ipv4.ts';
import { encodeForward, encodeLocation, encodeMoved, encodeRoute, locationFlag, overlayOptionClass } from '../packet/overlay-option.ts';
import { decodeUdp } from '../packet/udp.ts';
import { endpointName } from './tables.ts';
import { transit } from './transit.ts';
import { encapsulate } from './tunnel.ts';

/** Host 1 has pod a, host 2 pod b, host 5 nothing; hosts 3 and 4 own all addresses. */
function network(): { net: ModelNetwork; a: Pod; b: Pod } {
  const net = new ModelNetwork(5, [3, 4], [7, 8]);
  return { net, a: net.place(7, 1, 0, 1), b: net.place(7, 2, 0, 2) };
}

interface Outer {
  readonly from: number;
  readonly to: number;
  readonly options?: readonly GeneveOption[];
  readonly vni?: number;
  readonly timeToLive?: number;
}

function outerPacket({ from, to, options = [], vni = 7, timeToLive = 4 }: Outer, inner: Uint8Array): Uint8Array {
  const addresses = { sourceMac: hostMac(from), destinationMac: hostMac(to), source: hostAddress(from), destination: hostAddress(to) };
  return encapsulate({ vni, sourcePort: 50000, timeToLive, options }, addresses, inner);
}

function location(hostId: number, endpointGeneration: number, flags = 0, hostGeneration = 1): GeneveOption {
  return encodeLocation({ hostId, hostGeneration, endpointGeneration, identity: 0, flags, mac: mac('02:00:00:00:00:99') });
}

const changed = (frame: Uint8Array, at: number, ...values: readonly number[]): Uint8Array => {
  const copy = frame.slice();
  copy.set(values, at);
  return copy;
};

/** Host 2's path to pod a. */
const pathToA = (net: ModelNetwork, a: Pod): number | undefined => net.host(2).paths.get(endpointName({ vni: 7, address: a.ipv4 }))?.hostId;

test('what is not of the overlay, or not for this host, goes to the kernel', () => {
  const { net, a, b } = network();
  const good = outerPacket({ from: 1, to: 2 }, udpFrame(a, b.ipv4));
  const others: readonly Uint8Array[] = [
    new Uint8Array(),
    good.subarray(0, 41),
    changed(good, 12, 0x86, 0xdd),
    changed(good, 14, 0x46),
    changed(good, 20, 0x20, 0x00),
    changed(good, 20, 0x40, 0x01),
    changed(good, 23, 6),
    changed(good, 33, 1),
    changed(good, 36, 0, 53),
  ];
  for (const frame of others) {
    const outcome = transit(net.host(2), frame, net.nowNs);
    assert.deepEqual([outcome.verdict.kind, outcome.counts], ['pass', []], Buffer.from(frame).toString('hex'));
    assert.equal(outcome.frame, frame);
  }
  assert.equal(transit(net.host(2), good, net.nowNs).verdict.kind, 'redirect');
});

test('packets that cannot be taken are dropped for a reason', () => {
  const { net, a, b } = network();
  const inner = udpFrame(a, b.ipv4);
  const outer = { from: 1, to: 2 };
  const good = outerPacket(outer, inner);
  const withOptions = (...options: readonly GeneveOption[]): Uint8Array => outerPacket({ ...outer, options }, inner);
  const unknown = (type: number): GeneveOption => ({ class: 0x0102, type, body: new Uint8Array(4) });
  const packets: readonly (readonly [reason: string, packet: Uint8Array])[] = [
    ['unknownSource', changed(good, 29, 77)],
    ['malformed', good.subarray(0, good.length - 1)],
    ['malformed', changed(good, 16, 0, 35)],
    ['malformed', changed(good, 38, 0, 20)],
    ['malformed', changed(good, 42, 0x40)],
    ['malformed', changed(good, 44, 0x08, 0x00)],
    ['malformed', changed(withOptions(unknown(1)), 53, 2)],
    ['malformed', withOptions({ class: overlayOptionClass, type: 1, body: new Uint8Array(16) })],
    ['malformed', withOptions({ class: overlayOptionClass, type: 0x82, body: new Uint8Array(8) })],
    ['malformed', withOptions(unknown(1), unknown(1), unknown(1), unknown(1), unknown(1))],
    ['malformed', withOptions({ class: 1, type: 1, body: new Uint8Array(64) })],
    ['criticalOption', withOptions(unknown(0x81))],
    ['criticalOption', withOptions(encodeForward({ address: b.ipv4, port: 1, flags: 0, hostId: 1, serviceGeneration: 1 }))],
    ['malformed', outerPacket(outer, inner.subarray(0, 13))],
    ['malformed', outerPacket(outer, inner.subarray(0, 40))],
    ['etherType', outerPacket(outer, changed(inner, 12, 0x81, 0x00))],
    ['noRoute', outerPacket({ ...outer, vni: 9 }, inner)],
    ['malformed', withOptions(location(1, 1, locationFlag.destination))],
    ['malformed', withOptions(encodeMoved({ endpointGeneration: 0 }))],
  ];
  for (const [reason, packet] of packets) {
    assert.deepEqual(net.arrive(2, packet).steps, [`2 ${reason}`], Buffer.from(packet).toString('hex'));
  }
  const ignored = withOptions(unknown(1), encodeRoute({ prefix: a.ipv4, prefixBits: 120, tableId: 1, epoch: 1 }));
  assert.deepEqual(net.arrive(2, ignored).steps, ['2 delivered']);
});

test('a location is believed from the host itself and from owners, not from others', () => {
  const { net, a, b } = network();
  const inner = udpFrame(a, b.ipv4);
  const from = (sender: number, option: GeneveOption): Walk =>
    net.arrive(2, outerPacket({ from: sender, to: 2, options: [option] }, inner));
  assert.deepEqual(from(5, location(1, 1)).steps, ['2 untrusted', '2 delivered'], 'the packet itself goes on');
  assert.equal(pathToA(net, a), undefined);
  from(1, location(1, 1));
  assert.equal(pathToA(net, a), 1);
  from(4, location(5, 2));
  assert.equal(pathToA(net, a), 5);
});

test('the newer generation wins, whatever the order', () => {
  const { net, a, b } = network();
  const tell = (hostId: number, generation: number, hostGeneration = 1): string[] => {
    const options = [location(hostId, generation, 0, hostGeneration)];
    return net.arrive(2, outerPacket({ from: 3, to: 2, options }, udpFrame(a, b.ipv4))).steps.slice();
  };
  assert.deepEqual(tell(5, 3), ['2 delivered']);
  assert.deepEqual(tell(1, 2), ['2 untrusted', '2 delivered']);
  assert.equal(pathToA(net, a), 5);
  tell(1, 4);
  assert.equal(pathToA(net, a), 1);
  assert.deepEqual(tell(5, 9, 2), ['2 untrusted', '2 delivered'], 'a host that has started anew since');
  net.nowNs += 30_000_000_000n;
  assert.deepEqual(tell(5, 1), ['2 delivered'], 'an expired path stands in the way of nothing');
  assert.equal(pathToA(net, a), 5);
});

test('no option makes a path to an endpoint of this host, or to this host itself', () => {
  const { net, a, b } = network();
  const c = net.place(7, 2, 0, 3);
  const walk = net.arrive(2, outerPacket({ from: 3, to: 2, options: [location(5, 9)] }, udpFrame(c, b.ipv4)));
  assert.deepEqual(walk.steps, ['2 untrusted', '2 delivered']);
  assert.deepEqual(net.arrive(2, outerPacket({ from: 3, to: 2, options: [location(2, 9)] }, udpFrame(a, b.ipv4))).steps, [
    '2 untrusted',
    '2 delivered',
  ]);
  assert.equal(net.host(2).paths.size, 0);
});

test('pods with one address in two networks never see each other', () => {
  const { net, a, b } = network();
  const a8 = net.place(8, 1, 0, 1);
  const b8 = net.place(8, 2, 0, 2);
  for (const [from, to, other] of [
    [a, b, b8],
    [a8, b8, b],
  ] as const) {
    // The same 5-tuple in both.
    for (const destination of [to.ipv4, to.ipv6]) {
      for (let packet = 0; packet < 3; packet++) assert.equal(net.send(from, udpFrame(from, destination)).delivered?.ifindex, to.ifindex);
      assert.equal(net.send(to, udpFrame(to, destination === to.ipv4 ? from.ipv4 : from.ipv6)).delivered?.ifindex, from.ifindex);
    }
    assert.notEqual(to.ifindex, other.ifindex);
  }
  net.remove(b8);
  for (const owner of [3, 4]) net.host(owner).endpoints.delete(endpointName({ vni: 8, address: b8.ipv4 }));
  assert.equal(net.send(a8, udpFrame(a8, b8.ipv4)).delivered, undefined);
  assert.equal(net.send(a, udpFrame(a, b.ipv4)).delivered?.ifindex, b.ifindex);
});

test('the owner relays the first packet only: the answer is direct, and so is what follows', () => {
  const { net, a, b } = network();
  const steps = (from: Pod, to: Pod): string => net.send(from, udpFrame(from, to.ipv4)).steps.join(', ');
  assert.equal(steps(a, b), '1 sentViaOwner, 3 relayed, 2 delivered');
  assert.equal(steps(b, a), '2 sentDirect, 1 delivered');
  assert.equal(steps(a, b), '1 sentDirect, 2 delivered');
  const options = [location(1, 1, locationFlag.noPath)];
  const event = transit(net.host(3), outerPacket({ from: 1, to: 3, options }, udpFrame(a, b.ipv4)), net.nowNs).events;
  assert.deepEqual(event, [{ vni: 7, sourceHostId: 1, hostId: 2, generation: 1, source: a.ipv4, destination: b.ipv4 }]);
});

test('across subnets a delivered packet comes from the gateway', () => {
  const { net, a } = network();
  const c = net.place(7, 2, 1, 9);
  for (let packet = 0; packet < 2; packet++) {
    const frame = decodeEthernet(net.send(a, udpFrame(a, c.ipv4)).delivered!.frame)!;
    assert.deepEqual([...frame.destination, ...frame.source], [...c.mac, ...gatewayMac]);
    net.send(c, udpFrame(c, a.ipv4));
  }
});

test('a stale packet that meets a tombstone is sent back, corrects the path and is sent on', () => {
  const { net, a, b } = network();
  net.send(a, udpFrame(a, b.ipv4));
  net.send(b, udpFrame(b, a.ipv4));
  const moved = net.place(7, 5, 0, 2, 2);
  net.remove(b, { hostId: 5, generation: 2, mac: moved.mac });
  const frame = udpFrame(a, b.ipv4);
  const first = net.send(a, frame);
  assert.deepEqual(first.steps, ['1 sentDirect', '2 sentBack', '1 sentDirect', '5 delivered']);
  assert.deepEqual([...decodeEthernet(first.delivered!.frame)!.destination], [...moved.mac]);
  assert.deepEqual(net.send(a, frame).steps, ['1 sentDirect', '5 delivered']);
  // Another packet that was under way to the old host comes back after the path was corrected: it is sent on, too.
  const stale = net.arrive(2, outerPacket({ from: 1, to: 2 }, frame));
  assert.deepEqual(stale.steps, ['2 sentBack', '1 sentDirect', '5 delivered']);
  // One that may not be sent back is followed up.
  const final = net.arrive(2, outerPacket({ from: 1, to: 2, options: [location(1, 1, locationFlag.final)] }, frame));
  assert.equal(final.delivered?.hostId, 5);
  // What an owner relayed is not sent back to it: it could do nothing with it.
  assert.equal(net.arrive(2, outerPacket({ from: 3, to: 2, options: [location(1, 1)] }, frame)).delivered?.hostId, 5);
});

test('a stale packet that meets the directory of an owner corrects the path at once', () => {
  const { net, a } = network();
  // Its old host is one of its owners, and knows where it is as such.
  const b = net.place(7, 3, 0, 9);
  net.send(a, udpFrame(a, b.ipv4));
  net.send(b, udpFrame(b, a.ipv4));
  assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentDirect', '3 delivered']);
  const moved = net.place(7, 5, 0, 9, 2);
  const frame = udpFrame(a, b.ipv4);
  const first = net.send(a, frame);
  assert.deepEqual(first.steps, ['1 sentDirect', '3 sentBack', '1 sentDirect', '5 delivered']);
  assert.deepEqual([...decodeEthernet(first.delivered!.frame)!.destination], [...moved.mac]);
  assert.deepEqual(net.send(a, frame).steps, ['1 sentDirect', '5 delivered']);
  // Host 1 does not know that host 5 has started anew: no path can be learnt, but nothing is lost.
  net.changeHost(5, { generation: 2 });
  net.host(1).hosts.set(5, { ...net.host(1).hosts.get(5)!, generation: 3 });
  net.host(1).paths.set(endpointName({ vni: 7, address: b.ipv4 }), {
    hostId: 3,
    hostGeneration: 1,
    endpointGeneration: 1,
    told: 3,
    expiresNs: net.nowNs + 1n,
    mac: b.mac,
    previousHostId: 0,
    identity: 0,
  });
  assert.deepEqual(net.send(a, frame).steps, ['1 sentDirect', '3 sentBack', '1 sentDirect', '3 relayed', '5 delivered']);
});

test('an owner that lost the entry costs no packet: the other one is asked', () => {
  const { net, a } = network();
  const name = (pod: Pod): string => endpointName({ vni: 7, address: pod.ipv4 });
  const b = net.place(7, 3, 0, 9);
  net.send(a, udpFrame(a, b.ipv4));
  net.send(b, udpFrame(b, a.ipv4));
  // Moved from an owner that keeps neither tombstone nor entry.
  const moved = net.place(7, 5, 0, 9, 2);
  net.host(3).endpoints.delete(name(b));
  const frame = udpFrame(a, b.ipv4);
  assert.deepEqual(net.send(a, frame).steps, ['1 sentDirect', '3 sentBack', '1 sentViaOwner', '4 relayed', '5 delivered']);
  // Who has no path yet asks that owner first.
  const c = net.place(7, 2, 0, 10);
  const asked = net.send(c, udpFrame(c, b.ipv4));
  assert.deepEqual(asked.steps, ['2 sentViaOwner', '3 relayed', '4 relayed', '5 delivered']);
  assert.deepEqual(net.send(moved, udpFrame(moved, c.ipv4)).steps, ['5 sentDirect', '2 delivered'], 'learnt from what owners relayed');
  assert.deepEqual(net.send(c, udpFrame(c, b.ipv4)).steps, ['2 sentDirect', '5 delivered']);
  // A pod of that owner, and one of the other.
  const near = net.place(7, 3, 0, 11);
  assert.deepEqual(net.send(near, udpFrame(near, b.ipv4)).steps, ['3 sentViaOwner', '4 relayed', '5 delivered']);
  const stale = net.place(7, 4, 0, 12);
  net.host(4).paths.set(name(b), { ...net.host(1).paths.get(name(b))!, hostId: 3, expiresNs: net.nowNs + 1n, told: 9 });
  assert.deepEqual(net.send(stale, udpFrame(stale, b.ipv4)).steps, ['4 sentDirect', '3 sentBack', '4 sentDirect', '5 delivered']);
  // Neither knows it.
  net.host(4).endpoints.delete(name(b));
  net.host(2).paths.clear();
  assert.deepEqual(net.send(c, udpFrame(c, b.ipv4)).steps, ['2 sentViaOwner', '3 relayed', '4 noEndpoint']);
});

test('without a tombstone the packet says so, the path is void and the owner is asked', () => {
  const { net, a, b } = network();
  net.send(a, udpFrame(a, b.ipv4));
  net.send(b, udpFrame(b, a.ipv4));
  net.remove(b);
  const moved = net.place(7, 5, 0, 2, 2);
  const walk = net.send(a, udpFrame(a, b.ipv4));
  assert.deepEqual(walk.steps.slice(0, 3), ['1 sentDirect', '2 sentBack', '1 sentViaOwner']);
  assert.equal(walk.delivered?.ifindex, moved.ifindex);
  net.send(moved, udpFrame(moved, a.ipv4));
  assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentDirect', '5 delivered']);
  // A late packet from the old host does not void the new path.
  const late = net.arrive(2, outerPacket({ from: 1, to: 2 }, udpFrame(a, b.ipv4)));
  assert.equal(late.delivered?.ifindex, moved.ifindex);
  assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentDirect', '5 delivered']);
});

test('a pod that moved to the host of its peer gets what comes back', () => {
  const { net, a, b } = network();
  net.send(a, udpFrame(a, b.ipv4));
  net.send(b, udpFrame(b, a.ipv4));
  const moved = net.place(7, 1, 0, 2, 2);
  net.remove(b, { hostId: 1, generation: 2, mac: moved.mac });
  assert.deepEqual(net.arrive(2, outerPacket({ from: 1, to: 2 }, udpFrame(a, b.ipv4))).steps, ['2 sentBack', '1 delivered']);
});

test('an endpoint that nobody knows is no endpoint; a packet is sent back at most once', () => {
  const { net, a } = network();
  const nobody = address('10.0.0.77');
  assert.deepEqual(net.send(a, udpFrame(a, nobody)).steps, ['1 sentViaOwner', '3 relayed', '4 noEndpoint']);
  const path = {
    hostId: 2,
    hostGeneration: 1,
    endpointGeneration: 1,
    told: 9,
    expiresNs: net.nowNs + 1n,
    mac: gatewayMac,
    previousHostId: 0,
    identity: 0,
  };
  net.host(1).paths.set(endpointName({ vni: 7, address: nobody }), path);
  assert.deepEqual(net.send(a, udpFrame(a, nobody)).steps, ['1 sentDirect', '2 sentBack', '1 sentViaOwner', '3 noEndpoint']);
  const final = outerPacket({ from: 1, to: 2, options: [location(1, 1, locationFlag.final)] }, udpFrame(a, nobody));
  assert.deepEqual(net.arrive(2, final).steps, ['2 noEndpoint']);
});

test('only the host that a path named, or an owner, can send a packet back', () => {
  const { net, a, b } = network();
  net.send(a, udpFrame(a, b.ipv4));
  net.send(b, udpFrame(b, a.ipv4));
  const back = (from: number, option: GeneveOption): readonly string[] =>
    net.arrive(1, outerPacket({ from, to: 1, options: [option] }, udpFrame(a, b.ipv4))).steps;
  assert.deepEqual(back(5, location(5, 9, locationFlag.destination)), ['1 untrusted']);
  assert.deepEqual(back(5, encodeMoved({ endpointGeneration: 0 })), ['1 untrusted']);
  assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentDirect', '2 delivered'], 'nothing was learnt');
  assert.equal(back(2, location(5, 9, locationFlag.destination))[0], '1 sentDirect');
});

test('directories that contradict each other make no loop', () => {
  const { net, a, b } = network();
  const name = endpointName({ vni: 7, address: b.ipv4 });
  net.host(2).endpoints.delete(name);
  const entry = { kind: endpointKind.directory, generation: 1, ifindex: 0, identity: 0, flags: 0, mac: b.mac };
  net.host(3).endpoints.set(name, { ...entry, hostId: 4 });
  net.host(4).endpoints.set(name, { ...entry, hostId: 5 });
  net.host(5).endpoints.set(name, { ...entry, hostId: 2 });
  net.host(2).endpoints.set(name, { ...entry, hostId: 3 });
  const walk = net.send(a, udpFrame(a, b.ipv4));
  assert.deepEqual(walk.steps, ['1 sentViaOwner', '3 relayed', '4 relayed', '5 relayed', '2 loop']);
  net.host(3).endpoints.set(name, { ...entry, hostId: 1 });
  assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentViaOwner', '3 loop']);
  net.host(3).endpoints.set(name, { ...entry, hostId: 3 });
  assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentViaOwner', '3 loop']);
  net.host(3).endpoints.set(name, { ...entry, hostId: 5 });
  net.changeHost(5, { flags: hostFlag.known });
  assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentViaOwner', '3 noEndpoint']);
});

test('a probe is sent back as it is, whatever is in it', () => {
  const { net, a, b } = network();
  const probe = changed(outerPacket({ from: 1, to: 2, vni: 0 }, udpFrame(a, b.ipv4).subarray(0, 16)), 43, 0x80);
  const outcome = transit(net.host(2), probe, net.nowNs);
  assert.deepEqual([outcome.verdict.kind, outcome.counts], ['transmit', [{ vni: 0, reason: 'answered' }]]);
  const there = decodeEthernet(probe)!;
  const back = decodeEthernet(outcome.frame)!;
  assert.deepEqual([back.destination, back.source], [there.source, there.destination]);
  const ip = decodeIpv4(back.payload)!;
  assert.deepEqual([ip.source, ip.destination, internetChecksum(back.payload.subarray(0, 20))], [hostAddress(2), hostAddress(1), 0]);
  const datagram = decodeUdp(ip.payload)!;
  assert.deepEqual([datagram.sourcePort, datagram.destinationPort], [genevePort, 50000]);
  assert.deepEqual(datagram.payload, probe.subarray(42));
  for (const [reason, packet] of [
    ['unknownSource', changed(probe, 29, 77)],
    ['malformed', changed(probe, 34, genevePort >> 8, genevePort & 255)],
    ['malformed', probe.subarray(0, 49)],
  ] as const) {
    assert.deepEqual(net.arrive(2, packet).steps, [`2 ${reason}`]);
  }
});

test('an ARP answer is taken with its option, for a pod of this host', () => {
  const { net, a, b } = network();
  const reply = (to: Pod, operation: number = arpOperation.reply): Uint8Array => {
    const payload = encodeArp({ operation, senderMac: b.mac, senderAddress: b.ipv4, targetMac: to.mac, targetAddress: to.ipv4 });
    return encodeEthernet({ destination: to.mac, source: b.mac, type: etherType.arp, payload });
  };
  const arrive = (inner: Uint8Array, ...options: readonly GeneveOption[]): readonly string[] =>
    net.arrive(1, outerPacket({ from: 3, to: 1, options }, inner)).steps;
  const forged = outerPacket({ from: 5, to: 1, options: [location(5, 9)] }, reply(a));
  assert.deepEqual(net.arrive(1, forged).steps, ['1 untrusted'], 'only owners are asked');
  assert.deepEqual(arrive(reply(a)), ['1 arp']);
  assert.deepEqual(arrive(reply(b), location(2, 1)), ['1 arp']);
  assert.deepEqual(arrive(reply(a, 3), location(2, 1)), ['1 arp']);
  assert.deepEqual(arrive(reply(a).subarray(0, 41), location(2, 1)), ['1 malformed']);
  assert.deepEqual(arrive(reply(a), location(2, 1)), ['1 delivered']);
  assert.equal(net.host(1).paths.get(endpointName({ vni: 7, address: b.ipv4 }))?.hostId, 2);
});
