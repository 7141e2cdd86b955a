/** Peers and ways out in the programs, rule by rule. The pod's VPC has VNI 7; VNI 8 is its peer. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { endpointKind } from '../../src/overlay/layout/endpoint.ts';
import { portFlag } from '../../src/overlay/layout/port.ts';
import { subnetFlag, subnetKind, type Subnet } from '../../src/overlay/layout/subnet.ts';
import { endpointName, type SubnetEntry, type Tables } from '../../src/overlay/model/tables.ts';
import { decodeEthernet } from '../../src/overlay/packet/ethernet.ts';
import { skipWithoutKernel } from '../../src/kernel/bpf/test-kernel.ts';
import {
  address,
  arpFrame,
  directory,
  gatewayMac,
  hostAddress,
  mac,
  me,
  neighbour,
  open,
  pathTo,
  pod,
  podMac,
  ProgramWorld,
  remote,
  tunnelFrame,
  udpFrame,
  vni,
  withDead,
  type IpChanges,
  type Outcome,
  type TunnelChanges,
} from './program-world.ts';
import { flag, location, runTransit, verdicts } from './transit-frames.ts';

const skip = skipWithoutKernel();
const world = skip === false ? new ProgramWorld() : undefined;
after(() => world?.[Symbol.dispose]());

const peerVni = 8;
const peer = { mac: podMac(81), ipv4: address('10.0.8.81') };
const outside = address('198.51.100.7');
const wayOutMac = mac('0a:47:57:00:00:07');
/** Tables of the world: 1 is {2, 3}, 2 is {1, 2}, 3 is a dead host. */
const owners = { others: 1, ownFirst: 2, dead: 3 } as const;

function prefix(of: number, text: string, bits: number, changes: Partial<Subnet>): SubnetEntry {
  const { subnet } = world!.tables.subnets[0]!;
  const key = { prefixLength: 32 + bits, vni: of, address: address(text) };
  return { key, subnet: { ...subnet, vni: of, flags: subnetFlag.hasRoutes, tableId: owners.others, ...changes } };
}

/** What a host knows whose VPC has a peer and a way out; `egress` says more of that. */
function routed(egress: Partial<Subnet> = {}, changes: Partial<Tables> = {}): Partial<Tables> {
  const own = world!.tables.subnets.map(({ key, subnet }) => ({ key, subnet: { ...subnet, flags: subnetFlag.hasRoutes } }));
  const wayOut = { kind: subnetKind.egress, gatewayMac: wayOutMac, ...egress };
  return {
    subnets: [
      ...own,
      prefix(vni, '10.0.8.0', 120, { vni: peerVni }),
      prefix(vni, '0.0.0.0', 96, wayOut),
      prefix(peerVni, '10.0.8.0', 120, {}),
      prefix(peerVni, '10.0.0.0', 120, { vni }),
      prefix(peerVni, '0.0.0.0', 96, { ...wayOut, tableId: owners.dead }),
    ],
    ...changes,
  };
}

const peerName = endpointName({ vni: peerVni, address: peer.ipv4 });
const reasons = ({ counts }: Outcome): string[] => counts.map((count) => count.split(' ').slice(0, -2).join(' '));
const viaGateway = (changes: IpChanges): Uint8Array => udpFrame({ destinationMac: gatewayMac, ...changes });
const ifindexOf = (at: 'neighbour' | 'uplink'): number => [...world!.tables.devices][at === 'uplink' ? 1 : 2]!;

for (const program of ['agent_tc', 'agent_xdp'] as const) {
  const run = (frame: Uint8Array, changes: Partial<Tables>): Outcome => world!.run(program, frame, changes);
  const toPeer = (): Uint8Array => viaGateway({ destination: peer.ipv4 });
  const toOutside = (changes: IpChanges = {}): Uint8Array => viaGateway({ destination: outside, ...changes });

  test(`${program} sends to a peer's endpoint under the peer's VNI: along a path, by its owner, at this host`, { skip }, () => {
    const known = run(toPeer(), routed({}, { paths: new Map([[peerName, pathTo(3, 81)]]) }));
    assert.deepEqual(reasons(known), ['sentDirect']);
    assert.equal(open(known.frame).vni, peerVni);
    assert.deepEqual(open(known.frame).to, hostAddress(3));
    const asked = run(toPeer(), routed());
    assert.deepEqual(reasons(asked), ['sentViaOwner']);
    assert.equal(open(asked.frame).vni, peerVni);
    assert.deepEqual(open(asked.frame).to, hostAddress(2));
    const here = { ...directory(me, 81), kind: endpointKind.local, ifindex: ifindexOf('neighbour') };
    const local = run(toPeer(), routed({}, { endpoints: new Map(world!.tables.endpoints).set(peerName, here) }));
    assert.deepEqual(reasons(local), ['delivered']);
    assert.deepEqual(decodeEthernet(local.frame)?.destination, peer.mac);
  });

  test(`${program} knows no neighbours in a peer, or outside`, { skip }, () => {
    assert.deepEqual(reasons(run(arpFrame(peer.ipv4), routed())), ['noRoute']);
    assert.deepEqual(reasons(run(arpFrame(outside), routed())), ['noRoute']);
  });

  test(`${program} sends what goes outside to the first gateway that lives`, { skip }, () => {
    const first = run(toOutside(), routed());
    assert.deepEqual(reasons(first), ['sentDirect']);
    const { to, vni: sent, options, inner } = open(first.frame);
    assert.deepEqual([to, sent, options.length], [hostAddress(2), vni, 0]);
    assert.deepEqual(decodeEthernet(inner)?.destination, wayOutMac);
    assert.deepEqual(open(run(toOutside(), routed({}, withDead(world!.tables, 2))).frame).to, hostAddress(3));
    assert.deepEqual(reasons(run(toOutside(), routed({ tableId: owners.dead }))), ['noOwner']);
  });

  test(`${program} takes the gateway of this host when it is one of the two`, { skip }, () => {
    const own = run(toOutside(), routed({ tableId: owners.ownFirst, ifindex: ifindexOf('neighbour') }));
    assert.deepEqual(reasons(own), ['delivered']);
    assert.deepEqual(decodeEthernet(own.frame)?.destination, wayOutMac);
    const notYet = run(toOutside(), routed({ tableId: owners.ownFirst }));
    assert.deepEqual(open(notYet.frame).to, hostAddress(2));
  });

  test(`${program} lets a gateway send for what is outside and for endpoints behind it, to its own VPC alone`, { skip }, () => {
    const port = { ...world!.tables.ports.get(pod.ifindex)!, flags: portFlag.isGateway | portFlag.hasIpv4, ipv4: new Uint8Array(16) };
    const tables = routed({}, { ports: new Map([[pod.ifindex, port]]) });
    const from = (source: Uint8Array, destination: Uint8Array): string[] => reasons(run(viaGateway({ source, destination }), tables));
    assert.deepEqual(from(outside, remote.ipv4), ['sentViaOwner']);
    assert.deepEqual(from(outside, neighbour.ipv4), ['delivered']);
    assert.deepEqual(from(pod.ipv4, remote.ipv4), ['sentViaOwner'], 'an endpoint behind its link');
    assert.deepEqual(from(neighbour.ipv4, remote.ipv4), ['spoofedAddress'], 'one behind another link');
    assert.deepEqual(from(remote.ipv4, neighbour.ipv4), ['spoofedAddress'], 'one at another host');
    assert.deepEqual(from(peer.ipv4, neighbour.ipv4), ['spoofedAddress'], 'one of a peer');
    assert.deepEqual(from(outside, address('203.0.113.1')), ['noRoute'], 'from outside to outside');
    assert.deepEqual(from(outside, peer.ipv4), ['noRoute'], 'from outside to a peer');
    const alone = { ...tables, subnets: world!.tables.subnets };
    assert.deepEqual(reasons(run(viaGateway({ source: outside, destination: neighbour.ipv4 }), alone)), ['spoofedAddress']);
  });
}

const arrive = (inner: Uint8Array, tunnel: TunnelChanges, changes: Partial<Tables>): Outcome =>
  runTransit(world!, tunnelFrame(inner, tunnel), changes);
const toPod = (source: Uint8Array): Uint8Array => udpFrame({ source, destination: pod.ipv4, sourceMac: peer.mac, destinationMac: pod.mac });

test('transit learns where a peer’s endpoint is under the peer’s VNI', { skip }, () => {
  const outcome = arrive(toPod(peer.ipv4), { options: [location()] }, routed());
  assert.deepEqual(reasons(outcome), ['delivered']);
  assert.equal(outcome.paths.get(peerName)?.hostId, 2);
  assert.equal(outcome.paths.has(endpointName({ vni, address: peer.ipv4 })), false);
});

test('transit takes no packet for a peer’s endpoint under the VPC’s own VNI, and none of nobody', { skip }, () => {
  const inner = udpFrame({ source: remote.ipv4, destination: peer.ipv4 });
  assert.deepEqual(reasons(arrive(inner, {}, routed())), ['noRoute']);
  const { subnets = [], ...rest } = routed();
  const noWayOut = { ...rest, subnets: subnets.filter(({ subnet }) => subnet.kind !== subnetKind.egress) };
  assert.deepEqual(reasons(arrive(toPod(outside), {}, noWayOut)), ['untrusted']);
});

test('transit takes what comes from outside from gateways only, directly or by an owner, and learns no path', { skip }, () => {
  const direct = arrive(toPod(outside), { options: [location()] }, routed());
  assert.deepEqual(reasons(direct), ['delivered']);
  assert.equal(direct.paths.size, 0);
  assert.deepEqual(reasons(arrive(toPod(outside), {}, routed({ tableId: owners.ownFirst }))), ['delivered']);
  assert.deepEqual(reasons(arrive(toPod(outside), { from: 3 }, routed({ tableId: owners.ownFirst }))), ['untrusted']);
  const relayed = { from: 3, options: [location({ hostId: 2, flags: flag.noPath })] };
  assert.deepEqual(reasons(arrive(toPod(outside), relayed, routed())), ['delivered']);
  const stranger = { from: 3, options: [location({ hostId: 4, flags: flag.noPath })] };
  assert.deepEqual(reasons(arrive(toPod(outside), stranger, routed())), ['untrusted']);
});

test('transit hands to the gateway what endpoints of the VPC send outside, and nothing else', { skip }, () => {
  const here = { ifindex: ifindexOf('neighbour') };
  const toOutside = (source: Uint8Array): Uint8Array => udpFrame({ source, destination: outside });
  const taken = arrive(toOutside(remote.ipv4), {}, routed(here));
  assert.deepEqual([taken.verdict, reasons(taken)], [verdicts.redirect, ['delivered']]);
  assert.deepEqual(decodeEthernet(taken.frame)?.destination, wayOutMac);
  assert.deepEqual(reasons(arrive(toOutside(remote.ipv4), {}, routed())), ['noEndpoint']);
  assert.deepEqual(reasons(arrive(toOutside(peer.ipv4), {}, routed(here))), ['untrusted']);
  assert.deepEqual(reasons(arrive(toOutside(address('203.0.113.1')), {}, routed(here))), ['untrusted']);
});
