import assert from 'node:assert/strict';
import { test } from 'node:test';
import { address, gatewayMac, mac, ModelNetwork, mtu, udpFrame, type Pod } from '../../../test/overlay/model-network.ts';
import { hostFlag } from '../layout/host.ts';
import { arpOperation, decodeArp, encodeArp } from '../packet/arp.ts';
import { internetChecksum, pseudoHeaderSum } from '../packet/checksum.ts';
import { decodeEthernet, encodeEthernet, etherType } from '../packet/ethernet.ts';
import { decodeGeneve } from '../packet/geneve.ts';
import { decodeIcmp, encodeIcmp, icmpChecksumHolds, icmpv6Type } from '../packet/icmp.ts';
import { decodeIpv4, ipProtocol } from '../packet/ipv4.ts';
import { decodeIpv6, encodeExtension, encodeFragment, encodeIpv6, extensionHeader, maxExtensionHeaders } from '../packet/ipv6.ts';
import { decodeNeighbor, encodeNeighbor, solicitedNodeGroup } from '../packet/neighbor-discovery.ts';
import { joinOctets, readU16 } from '../packet/octets.ts';
import { decodeOverlayOption, type OverlayOption } from '../packet/overlay-option.ts';
import { agent } from './agent.ts';

const outerBytes = 50;
const locationOptionBytes = 28;

/** Host 1 has pod a, host 2 pod b; hosts 3 and 4 own all addresses. */
function network(): { net: ModelNetwork; a: Pod; b: Pod } {
  const net = new ModelNetwork(4, [3, 4], [7]);
  return { net, a: net.place(7, 1, 0, 1), b: net.place(7, 2, 0, 2) };
}

const changed = (frame: Uint8Array, at: number, ...values: readonly number[]): Uint8Array => {
  const copy = frame.slice();
  copy.set(values, at);
  return copy;
};

function optionsOf(outer: Uint8Array): OverlayOption[] {
  return decodeGeneve(outer.subarray(42))!.options.map((option) => decodeOverlayOption(option)!);
}

function arpRequest(
  pod: Pod,
  target: Uint8Array,
  fields: { senderAddress?: Uint8Array; senderMac?: Uint8Array; operation?: number } = {},
): Uint8Array {
  const { senderAddress = pod.ipv4, senderMac = pod.mac, operation = arpOperation.request } = fields;
  const payload = encodeArp({ operation, senderMac, senderAddress, targetMac: new Uint8Array(6), targetAddress: target });
  return encodeEthernet({ destination: mac('ff:ff:ff:ff:ff:ff'), source: pod.mac, type: etherType.arp, payload });
}

function icmpv6Frame(pod: Pod, type: number, body: Uint8Array, fields: { source?: Uint8Array; hopLimit?: number } = {}): Uint8Array {
  const { source = pod.ipv6, hopLimit = 255 } = fields;
  const destination = solicitedNodeGroup(body.subarray(0, 16));
  const payload = encodeIcmp({ type, code: 0, rest: 0, body }, pseudoHeaderSum(source, destination, ipProtocol.icmpv6, 8 + body.length));
  const packet = encodeIpv6({ trafficClass: 0, flowLabel: 0, nextHeader: ipProtocol.icmpv6, hopLimit, source, destination, payload });
  return encodeEthernet({ destination: mac('33:33:ff:00:00:02'), source: pod.mac, type: etherType.ipv6, payload: packet });
}

function solicitation(pod: Pod, target: Uint8Array, fields: { source?: Uint8Array; hopLimit?: number } = {}): Uint8Array {
  const { body } = encodeNeighbor({ kind: 'solicitation', flags: 0, target, linkLayerAddress: pod.mac });
  return icmpv6Frame(pod, icmpv6Type.neighborSolicitation, body, fields);
}

test('what a pod may not send is dropped for a reason', () => {
  const { net, a, b } = network();
  const ipv4 = udpFrame(a, b.ipv4);
  const ipv6 = udpFrame(a, b.ipv6);
  const probe = arpRequest(a, b.ipv4, { senderAddress: address('0.0.0.0') });
  const frames: readonly (readonly [reason: string, frame: Uint8Array])[] = [
    ['malformed', ipv4.subarray(0, 13)],
    ['spoofedMac', changed(ipv4, 11, 0x77)],
    ['etherType', changed(ipv4, 12, 0x81, 0x00)],
    ['malformed', ipv4.subarray(0, 40)],
    ['malformed', changed(ipv4, 14, 0x44)],
    ['malformed', ipv6.subarray(0, 60)],
    ['malformed', changed(ipv6, 14, 0x40)],
    ['spoofedAddress', changed(ipv4, 29, 9)],
    ['spoofedAddress', changed(ipv6, 37, 9)],
    ['multicast', udpFrame(a, address('224.0.0.251'))],
    ['multicast', udpFrame(a, address('255.255.255.255'))],
    ['multicast', udpFrame(a, address('169.254.169.254'))],
    ['multicast', udpFrame(a, address('0.0.0.0'))],
    ['multicast', udpFrame(a, address('ff02::2'))],
    ['multicast', udpFrame(a, address('fe80::1'))],
    ['multicast', udpFrame(a, address('::'))],
    ['noRoute', udpFrame(a, address('10.9.9.9'))],
    ['noRoute', udpFrame(a, address('fd00:9::9'))],
    ['ttl', udpFrame(a, b.ipv4, { timeToLive: 1 })],
    ['ttl', udpFrame(a, b.ipv6, { timeToLive: 0 })],
    ['malformed', probe.subarray(0, 40)],
    ['arp', arpRequest(a, b.ipv4, { operation: arpOperation.reply })],
    ['arp', changed(probe, 15, 6)],
    ['duplicateProbe', probe],
    ['spoofedAddress', arpRequest(a, b.ipv4, { senderAddress: b.ipv4 })],
    ['spoofedAddress', arpRequest(a, b.ipv4, { senderMac: b.mac })],
    ['noRoute', arpRequest(a, address('10.9.9.9'))],
    ['duplicateProbe', solicitation(a, a.ipv6, { source: address('::') })],
    ['spoofedAddress', solicitation(a, b.ipv6, { source: b.ipv6 })],
    ['malformed', solicitation(a, b.ipv6, { hopLimit: 64 })],
    ['malformed', icmpv6Frame(a, icmpv6Type.neighborSolicitation, b.ipv6.subarray(0, 8))],
    ['multicast', icmpv6Frame(a, icmpv6Type.routerSolicitation, new Uint8Array(16))],
    ['arp', icmpv6Frame(a, icmpv6Type.routerAdvertisement, new Uint8Array(16))],
    ['arp', icmpv6Frame(a, icmpv6Type.neighborAdvertisement, b.ipv6)],
    ['arp', icmpv6Frame(a, icmpv6Type.redirect, b.ipv6)],
  ];
  for (const [reason, frame] of frames) {
    assert.deepEqual(net.send(a, frame), { steps: [`1 ${reason}`], outer: [], delivered: undefined }, Buffer.from(frame).toString('hex'));
  }
  const outcome = agent(net.host(1), { ifindex: 99, frame: ipv4 }, net.nowNs);
  assert.deepEqual(outcome.counts, [{ vni: 0, reason: 'noPort' }]);
});

test('a pod of the same host gets the frame itself: as sent on the link, one hop less across the gateway', () => {
  const { net, a } = network();
  const c = net.place(7, 1, 1, 3);
  const onLink = udpFrame(a, c.ipv4, { destinationMac: c.mac, timeToLive: 1 });
  assert.deepEqual(net.send(a, onLink).delivered, { hostId: 1, ifindex: c.ifindex, frame: onLink });
  for (const destination of [c.ipv4, c.ipv6]) {
    const { delivered, steps } = net.send(a, udpFrame(a, destination));
    assert.deepEqual(steps, ['1 delivered']);
    const frame = decodeEthernet(delivered!.frame)!;
    assert.deepEqual([...frame.destination, ...frame.source], [...c.mac, ...gatewayMac]);
    const ipv4 = decodeIpv4(frame.payload);
    assert.equal(ipv4?.timeToLive ?? decodeIpv6(frame.payload)?.hopLimit, 63);
    if (ipv4 !== undefined) assert.equal(internetChecksum(frame.payload.subarray(0, 20)), 0);
  }
});

test('without a path a packet goes to the first owner that is alive, and says where it comes from', () => {
  const { net, a, b } = network();
  const via = (): string => net.send(a, udpFrame(a, b.ipv4)).steps.slice(0, 2).join(', ');
  const walk = net.send(a, udpFrame(a, b.ipv4));
  assert.deepEqual(optionsOf(walk.outer[0]!), [
    { kind: 'location', hostId: 1, hostGeneration: 1, endpointGeneration: 1, identity: 1, flags: 4, mac: new Uint8Array(a.mac) },
  ]);
  assert.equal(via(), '1 sentViaOwner, 3 relayed');
  net.changeHost(3, { flags: hostFlag.known });
  assert.equal(via(), '1 sentViaOwner, 4 relayed');
  net.changeHost(4, { flags: hostFlag.known });
  assert.equal(via(), '1 noOwner');
});

test('a host on a direct path is told three times; then packets carry no option', () => {
  const { net, a, b } = network();
  net.send(a, udpFrame(a, b.ipv4));
  const sizes = Array.from({ length: 5 }, () => {
    const frame = udpFrame(b, a.ipv4);
    const { outer, steps } = net.send(b, frame);
    assert.deepEqual(steps, ['2 sentDirect', '1 delivered']);
    return outer[0]!.length - frame.length;
  });
  const told = outerBytes + locationOptionBytes;
  assert.deepEqual(sizes, [told, told, told, outerBytes, outerBytes]);
});

test('a path is not taken when it has expired, or its host is dead or another one than it was', () => {
  const { net, a, b } = network();
  const learn = (): void => {
    net.send(b, udpFrame(b, a.ipv4));
    net.send(a, udpFrame(a, b.ipv4));
    assert.equal(net.send(a, udpFrame(a, b.ipv4)).steps[0], '1 sentDirect');
  };
  const first = (): string | undefined => net.send(a, udpFrame(a, b.ipv4)).steps[0];
  learn();
  net.nowNs += 30_000_000_000n;
  assert.equal(first(), '1 sentViaOwner');
  learn();
  net.changeHost(2, { flags: hostFlag.known });
  assert.equal(first(), '1 sentViaOwner');
  net.changeHost(2, { flags: hostFlag.known | hostFlag.alive });
  assert.equal(first(), '1 sentDirect');
  net.changeHost(2, { generation: 2 });
  assert.equal(first(), '1 sentViaOwner');
});

test('a packet that is too big is answered with the MTU, also when it may be cut', () => {
  const { net, a, b } = network();
  const fits = mtu - 28;
  assert.equal(net.send(a, udpFrame(a, b.ipv4, { payloadBytes: fits })).delivered?.hostId, 2);
  const long = udpFrame(a, b.ipv4, { payloadBytes: 10 * fits });
  assert.equal(net.send(a, long, fits).delivered?.hostId, 2, 'segments are smaller');
  assert.deepEqual(net.send(a, long, fits + 1).steps, ['1 tooBig']);
  const cut = net.send(a, udpFrame(a, b.ipv4, { payloadBytes: fits + 1, dontFragment: false }));
  assert.deepEqual([cut.steps, cut.delivered?.ifindex], [['1 tooBig'], a.ifindex]);
  const later = net.send(a, udpFrame(a, b.ipv4, { payloadBytes: fits + 1, dontFragment: false, fragmentOffsetBytes: 80 }));
  assert.deepEqual([later.steps, later.delivered], [['1 tooBig'], undefined], 'nobody is told of a later fragment');

  const answer = net.send(a, udpFrame(a, b.ipv4, { payloadBytes: fits + 1 }));
  assert.deepEqual(answer.steps, ['1 tooBig']);
  assert.deepEqual([answer.delivered!.hostId, answer.delivered!.ifindex], [1, a.ifindex]);
  const packet = decodeIpv4(decodeEthernet(answer.delivered!.frame)!.payload)!;
  assert.deepEqual([packet.source, packet.destination], [address('10.0.0.254'), a.ipv4]);
  const message = decodeIcmp(packet.payload)!;
  assert.deepEqual([message.type, message.code, message.rest], [3, 4, mtu]);
  assert.equal(icmpChecksumHolds(packet.payload, 0), true);
  const quoted = udpFrame(a, b.ipv4, { payloadBytes: fits + 1 }).subarray(14, 14 + 68);
  assert.deepEqual(new Uint8Array(message.body), new Uint8Array(quoted));

  const answer6 = net.send(a, udpFrame(a, b.ipv6, { payloadBytes: mtu - 47 }));
  const packet6 = decodeIpv6(decodeEthernet(answer6.delivered!.frame)!.payload)!;
  const message6 = decodeIcmp(packet6.payload)!;
  assert.deepEqual([message6.type, message6.code, message6.rest], [2, 0, mtu]);
  const sum = pseudoHeaderSum(packet6.source, packet6.destination, ipProtocol.icmpv6, packet6.payload.length);
  assert.equal(icmpChecksumHolds(packet6.payload, sum), true);
});

test('a packet that is too big for the subnet that it goes to is answered with the MTU of that one', () => {
  const net = new ModelNetwork(4, [3, 4], [7]);
  const [a, b, near] = [net.place(7, 1, 0, 1), net.place(7, 2, 1, 2), net.place(7, 1, 1, 3)];
  const narrow = 1300;
  const { ports, subnets } = net.host(1);
  ports.set(a.ifindex, { ...ports.get(a.ifindex)!, leastMtu: narrow });
  for (const [at, { key, subnet }] of subnets.entries())
    if (subnet.subnetId === 1) subnets[at] = { key, subnet: { ...subnet, mtu: narrow } };
  for (const to of [b, near]) {
    const fits = narrow - 28;
    assert.deepEqual(net.send(a, udpFrame(a, to.ipv4, { payloadBytes: fits })).delivered?.ifindex, to.ifindex);
    assert.deepEqual(net.send(a, udpFrame(a, to.ipv4, { payloadBytes: 10 * fits }), fits).delivered?.ifindex, to.ifindex);
    assert.deepEqual(net.send(a, udpFrame(a, to.ipv4, { payloadBytes: 10 * fits }), fits + 1).steps, ['1 tooBig']);
    const answer = net.send(a, udpFrame(a, to.ipv4, { payloadBytes: fits + 1 }));
    assert.deepEqual([answer.steps, answer.delivered?.ifindex], [['1 tooBig'], a.ifindex]);
    assert.equal(decodeIcmp(decodeIpv4(decodeEthernet(answer.delivered!.frame)!.payload)!.payload)!.rest, narrow);
    assert.equal(net.send(a, udpFrame(a, to.ipv6, { payloadBytes: fits - 20 })).delivered?.ifindex, to.ifindex);
    const answer6 = net.send(a, udpFrame(a, to.ipv6, { payloadBytes: fits - 19 }));
    assert.equal(decodeIcmp(decodeIpv6(decodeEthernet(answer6.delivered!.frame)!.payload)!.payload)!.rest, narrow);
  }
});

test('fragments go like other packets, all of them by one outer port', () => {
  const { net, a, b } = network();
  const port = (frame: Uint8Array): number => {
    const { outer, delivered } = net.send(a, frame);
    assert.equal(delivered?.hostId, 2);
    return readU16(outer[0]!, 34);
  };
  const first = port(udpFrame(a, b.ipv4, { moreFragments: true, sourcePort: 1 }));
  assert.equal(port(udpFrame(a, b.ipv4, { fragmentOffsetBytes: 512, sourcePort: 2 })), first);
  const flows = new Set(Array.from({ length: 20 }, (_, at) => port(udpFrame(a, b.ipv4, { sourcePort: at + 1 }))));
  assert.equal(flows.size > 10, true, 'flows spread over ports');
  for (const flow of flows) assert.equal(flow >= 49152 && flow <= 65535, true);
});

test('ARP and ND are answered here for the gateway, for pods of this host and for known paths', () => {
  const { net, a, b } = network();
  const c = net.place(7, 1, 0, 3);
  const arpAnswer = (target: Uint8Array): string => {
    const { steps, delivered } = net.send(a, arpRequest(a, target));
    const frame = decodeEthernet(delivered!.frame)!;
    const reply = decodeArp(frame.payload)!;
    assert.deepEqual([delivered!.hostId, delivered!.ifindex, reply.operation], [1, a.ifindex, arpOperation.reply]);
    assert.deepEqual(
      [reply.senderAddress, reply.targetAddress, reply.targetMac, frame.destination],
      [target, a.ipv4, a.mac, a.mac].map((octets) => new Uint8Array(octets)),
    );
    assert.deepEqual(frame.source, reply.senderMac);
    return `${steps.join(', ')} ${Buffer.from(reply.senderMac).toString('hex')}`;
  };
  const ndAnswer = (target: Uint8Array, source = a.ipv6): string => {
    const { steps, delivered } = net.send(a, solicitation(a, target, { source }));
    const frame = decodeEthernet(delivered!.frame)!;
    const packet = decodeIpv6(frame.payload)!;
    assert.deepEqual(
      [packet.hopLimit, packet.source, packet.destination],
      [255, target, source].map((field) => (typeof field === 'number' ? field : new Uint8Array(field))),
    );
    assert.equal(icmpChecksumHolds(packet.payload, pseudoHeaderSum(target, source, ipProtocol.icmpv6, packet.payload.length)), true);
    const neighbor = decodeNeighbor(decodeIcmp(packet.payload)!)!;
    assert.deepEqual([neighbor.kind, neighbor.flags], ['advertisement', 0x60000000]);
    return `${steps.join(', ')} ${Buffer.from(neighbor.linkLayerAddress!).toString('hex')}`;
  };
  const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
  assert.equal(arpAnswer(address('10.0.0.254')), `1 answered ${hex(gatewayMac)}`);
  assert.equal(ndAnswer(address('fd00::fe')), `1 answered ${hex(gatewayMac)}`);
  assert.equal(arpAnswer(c.ipv4), `1 answered ${hex(c.mac)}`);
  assert.equal(ndAnswer(c.ipv6, address('fe80::5')), `1 answered ${hex(c.mac)}`);
  // The owner is asked once; its answer is the path that the next question is answered from.
  assert.equal(arpAnswer(b.ipv4), `1 sentViaOwner, 3 answered, 1 delivered ${hex(b.mac)}`);
  assert.equal(arpAnswer(b.ipv4), `1 answered ${hex(b.mac)}`);
  assert.equal(ndAnswer(b.ipv6), `1 sentViaOwner, 3 answered, 1 delivered ${hex(b.mac)}`);
  assert.equal(ndAnswer(b.ipv6), `1 answered ${hex(b.mac)}`);
});

test('a message of neighbour discovery cannot hide behind extension headers', () => {
  const { net, a, b } = network();
  const send = (nextHeader: number, payload: Uint8Array): readonly string[] => {
    const fields = { trafficClass: 0, flowLabel: 0, nextHeader, hopLimit: 255, source: a.ipv6, destination: b.ipv6 };
    const packet = encodeIpv6({ ...fields, payload });
    return net.send(a, encodeEthernet({ destination: b.mac, source: a.mac, type: etherType.ipv6, payload: packet })).steps.slice(0, 1);
  };
  const advertisement = Uint8Array.of(icmpv6Type.neighborAdvertisement, 0, 0, 0, 0x20, 0, 0, 0, ...a.ipv6);
  const { hopByHop, destinationOptions, fragment } = extensionHeader;
  const options = (nextHeader: number, next: Uint8Array): Uint8Array => joinOctets(encodeExtension(nextHeader, new Uint8Array(6)), next);
  const piece = (offsetBytes: number, next: Uint8Array): Uint8Array =>
    joinOctets(encodeFragment(ipProtocol.icmpv6, { offsetBytes, more: true, identification: 1 }), next);
  assert.deepEqual(send(ipProtocol.icmpv6, advertisement), ['1 arp']);
  assert.deepEqual(send(hopByHop, options(ipProtocol.icmpv6, advertisement)), ['1 arp']);
  assert.deepEqual(send(hopByHop, options(destinationOptions, options(ipProtocol.icmpv6, advertisement))), ['1 arp']);
  assert.deepEqual(send(fragment, piece(0, advertisement)), ['1 arp']);
  assert.deepEqual(send(fragment, piece(64, advertisement)), ['1 sentViaOwner'], 'the octets of a later fragment are no header');
  assert.deepEqual(send(hopByHop, options(ipProtocol.icmpv6, Uint8Array.of(icmpv6Type.echoRequest))), ['1 sentViaOwner']);
  assert.deepEqual(send(hopByHop, new Uint8Array(7)), ['1 malformed']);
  let chain: Uint8Array = advertisement;
  for (let headers = 0; headers < maxExtensionHeaders; headers++)
    chain = options(headers === 0 ? ipProtocol.icmpv6 : destinationOptions, chain);
  assert.deepEqual(send(destinationOptions, chain), ['1 arp']);
  assert.deepEqual(send(destinationOptions, options(destinationOptions, chain)), ['1 malformed']);
});

test('an owner answers its own pods from its directory, and sends their packets direct', () => {
  const { net, b } = network();
  const c = net.place(7, 3, 0, 3);
  assert.deepEqual(net.send(c, arpRequest(c, b.ipv4)).steps, ['3 answered']);
  assert.deepEqual(net.send(c, udpFrame(c, b.ipv4)).steps, ['3 sentDirect', '2 delivered']);
  assert.deepEqual(net.send(c, udpFrame(c, b.ipv6)).steps, ['3 sentDirect', '2 delivered']);
  // The other owner might know.
  assert.deepEqual(net.send(c, udpFrame(c, address('10.0.0.77'))).steps, ['3 sentViaOwner', '4 noEndpoint']);
  net.changeHost(4, { flags: hostFlag.known });
  assert.deepEqual(net.send(c, udpFrame(c, address('10.0.0.77'))).steps, ['3 noEndpoint']);
});

test('XDP redirects to the interfaces it was given only', () => {
  const { net, a } = network();
  const c = net.place(7, 1, 0, 3);
  const frame = udpFrame(a, c.ipv4);
  const reasons = (): string[] =>
    agent(net.host(1), { ifindex: a.ifindex, frame, hook: 'xdp' }, net.nowNs).counts.map(({ reason }) => reason);
  assert.deepEqual(reasons(), ['delivered']);
  net.host(1).devices.delete(c.ifindex);
  assert.deepEqual(reasons(), ['internal']);
});
