import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ip } from '../../examples/overlay/network.ts';
import type { Pod } from '../../examples/overlay/pod.ts';
import type { Reason } from '../../src/overlay/layout/counter.ts';
import { parseAddress } from '../../src/overlay/packet/address.ts';
import { arpOperation, encodeArp } from '../../src/overlay/packet/arp.ts';
import { encodeEthernet, etherType } from '../../src/overlay/packet/ethernet.ts';
import { encodeGeneve, genevePort } from '../../src/overlay/packet/geneve.ts';
import { encodeWholeIpv4, ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { encodeLocation } from '../../src/overlay/packet/overlay-option.ts';
import { encodeUdp } from '../../src/overlay/packet/udp.ts';
import { DaemonRig, patienceMs, skipWithoutDaemons, within } from '../../examples/overlay/daemon-rig.ts';
import { RawLink } from './raw-link.ts';

/** What pods and strangers may not do: they try it by raw frames, against real daemons and programs. */

const skip = skipWithoutDaemons();
const vni = 81;
const otherVni = 82;
const vpcs = [
  {
    name: 'red',
    vni,
    subnets: [
      { name: 'front', id: 1, ipv4: '10.0.0.0/24', fixedIpv4: '10.0.0.128/25' },
      { name: 'small', id: 2, ipv4: '10.0.1.0/29' },
    ],
  },
  { name: 'blue', vni: otherVni, subnets: [{ name: 'front', id: 3, ipv4: '10.0.0.0/24' }] },
];
const address = (text: string): Uint8Array => parseAddress(text)!;
const broadcast = new Uint8Array(6).fill(0xff);
const gatewayMac = Uint8Array.of(0x0a, 0xff, 0, 0, 0, 1);

let rig: DaemonRig;
let attacker: Pod;
let victim: Pod;
let friend: Pod;
let link: RawLink;
before(async () => {
  if (skip !== false) return;
  rig = await DaemonRig.start({ prefix: 'cvforge', hosts: 2, vpcs });
  [attacker, victim, friend] = [
    await rig.add(1, 'red', 'front', '10.0.0.130'),
    await rig.add(2, 'red', 'front', '10.0.0.131'),
    await rig.add(1, 'red', 'front', '10.0.0.132'),
  ];
  link = new RawLink(attacker.namespace, 'eth0');
  assert.ok((await rig.reaches(friend, victim.address)) && (await rig.reaches(attacker, victim.address)));
});
after(async () => {
  link?.[Symbol.dispose]();
  await rig?.[Symbol.asyncDispose]();
});

interface Datagram {
  readonly source?: string;
  readonly destination?: string;
  readonly sourceMac?: Uint8Array;
  readonly destinationMac?: Uint8Array;
  readonly port?: number;
  readonly payload?: Uint8Array;
  readonly timeToLive?: number;
}

/** UDP without a checksum, from the attacker to the victim unless it is said otherwise. */
function datagram(changes: Datagram = {}): Uint8Array {
  const { source = attacker.address, destination = victim.address, port = 6000, payload = Buffer.from('hello'), timeToLive = 64 } = changes;
  const { sourceMac = link.mac, destinationMac = gatewayMac } = changes;
  const ipPacket = encodeWholeIpv4({
    timeToLive,
    protocol: ipProtocol.udp,
    source: address(source),
    destination: address(destination),
    payload: encodeUdp({ sourcePort: 5000, destinationPort: port, checksum: 0, payload }),
  });
  return encodeEthernet({ destination: destinationMac, source: sourceMac, type: etherType.ipv4, payload: ipPacket });
}

function arp(changes: {
  readonly senderMac?: Uint8Array;
  readonly sender?: string;
  readonly operation?: number;
  readonly sourceMac?: Uint8Array;
}): Uint8Array {
  const { senderMac = link.mac, sender = attacker.address, operation = arpOperation.request, sourceMac = link.mac } = changes;
  const payload = encodeArp({
    operation,
    senderMac,
    senderAddress: address(sender),
    targetMac: new Uint8Array(6),
    targetAddress: address(victim.address),
  });
  return encodeEthernet({ destination: broadcast, source: sourceMac, type: etherType.arp, payload });
}

/** Sends a frame from the attacker's link, and expects that the agent counts it for `reason`. */
async function refused(what: string, frame: Uint8Array, reason: Reason): Promise<void> {
  const before = await rig.host(1).counted(vni, reason);
  link.send(frame);
  assert.ok(await within(patienceMs, async () => (await rig.host(1).counted(vni, reason)) > before), `${what}: ${reason}`);
}

/** What the victim hears at a port while `action` runs. */
async function heardBy(pod: Pod, port: number, action: () => Promise<void>): Promise<string[]> {
  const heard: string[] = [];
  const socket = await rig.sockets.openUdp(pod.namespace, port);
  socket.on('message', (message, { address: from }) => heard.push(`${from}: ${message.toString()}`));
  try {
    await action();
  } finally {
    socket.close();
  }
  return heard;
}

test('a datagram without a checksum arrives', { skip }, async () => {
  const mac = (await ip(victim.namespace, '-o link show eth0')).match(/ether ([0-9a-f:]+)/)?.[1] ?? '';
  const heard = await heardBy(victim, 6000, async () => {
    link.send(datagram({ destinationMac: Uint8Array.fromHex(mac.replaceAll(':', '')) }));
    await sleep(200);
  });
  assert.deepEqual(heard, [`${attacker.address}: hello`]);
});

test('a pod speaks for nobody else, neither in packets nor in ARP, and who it names is reached as before', { skip }, async () => {
  const other = Uint8Array.of(2, 0, 0, 0, 0, 9);
  const heard = await heardBy(victim, 6000, async () => {
    await refused('another source address', datagram({ source: friend.address }), 'spoofedAddress');
    await refused('an address of nobody', datagram({ source: '10.0.0.200' }), 'spoofedAddress');
    await refused('another source MAC', datagram({ sourceMac: other }), 'spoofedMac');
    await refused('ARP for another address', arp({ sender: friend.address }), 'spoofedAddress');
    await refused('ARP for another MAC', arp({ senderMac: other }), 'spoofedAddress');
    await refused('an ARP answer', arp({ operation: arpOperation.reply }), 'arp');
    await refused('ARP from another MAC', arp({ sourceMac: other }), 'spoofedMac');
  });
  assert.deepEqual(heard, []);
  assert.ok(await rig.reaches(victim, friend.address), 'the victim still reaches the one that was named');
  assert.ok(await rig.reaches(friend, victim.address));
});

test('frames that no pod has to send are dropped', { skip }, async () => {
  const vlan = Uint8Array.of(...link.mac, ...link.mac, 0x88, 0xa8, 0, 1, 8, 0, ...new Uint8Array(40));
  await refused('a VLAN tag', vlan, 'etherType');
  await refused(
    'an unknown EtherType',
    encodeEthernet({ destination: broadcast, source: link.mac, type: 0x88b5, payload: new Uint8Array(46) }),
    'etherType',
  );
  await refused('multicast', datagram({ destination: '224.0.0.1' }), 'multicast');
  await refused('broadcast', datagram({ destination: '255.255.255.255' }), 'multicast');
  await refused('a host of the underlay', datagram({ destination: '192.0.2.2' }), 'noRoute');
  await refused('cut off', datagram().subarray(0, 30), 'malformed');
});

/** Geneve as a host would send it, with a LOC that the victim lives at host 1. */
function forgedGeneve(inner: Uint8Array, vniOf = vni): Uint8Array {
  const option = encodeLocation({ hostId: 1, hostGeneration: 1, endpointGeneration: 0xffff, identity: 0, flags: 0, mac: link.mac });
  return encodeGeneve({ control: false, protocol: etherType.transparentEthernet, vni: vniOf, options: [option], payload: inner });
}

test('Geneve in the packets of a pod is payload: nobody opens it on the way', { skip }, async () => {
  const learnt = datagram({ source: victim.address, destination: friend.address });
  const payload = forgedGeneve(learnt);
  const heard = await heardBy(victim, genevePort, async () => {
    link.send(datagram({ payload, port: genevePort }));
    link.send(datagram({ payload, port: genevePort, destination: friend.address }));
    await sleep(200);
  });
  assert.equal(heard.length, 1);
  assert.ok(await rig.reaches(friend, victim.address));
});

test('a stranger on the underlay is not heard, whatever VNI and place it claims', { skip }, async () => {
  // One more machine at the switch, which is none of the hosts.
  const stranger = rig.network.makeNamespace('x');
  const sw = `${rig.network.prefix}-sw`;
  await ip(stranger, `link add u type veth peer name wx netns ${sw}`);
  await ip(sw, 'link set wx master br0 up');
  await ip(stranger, 'link set u up');
  using far = new RawLink(stranger, 'u');
  using uplink = new RawLink(rig.host(2).namespace, 'u');
  const forged = (inner: Uint8Array, of = vni): Uint8Array => {
    const geneve = forgedGeneve(inner, of);
    const packet = encodeWholeIpv4({
      timeToLive: 4,
      protocol: ipProtocol.udp,
      source: address('192.0.2.99'),
      destination: address('192.0.2.2'),
      payload: encodeUdp({ sourcePort: 50_000, destinationPort: genevePort, checksum: 0, payload: geneve }),
    });
    return encodeEthernet({ destination: uplink.mac, source: far.mac, type: etherType.ipv4, payload: packet });
  };
  const before = await rig.host(2).counted(0, 'unknownSource');
  const heard = await heardBy(victim, 6000, async () => {
    for (const claimed of [vni, otherVni, 0xabcdef]) far.send(forged(datagram({ source: friend.address }), claimed));
    far.send(forged(arp({ operation: arpOperation.reply, sender: friend.address })));
    assert.ok(await within(patienceMs, async () => (await rig.host(2).counted(0, 'unknownSource')) === before + 4));
  });
  assert.deepEqual(heard, []);
  assert.ok(await rig.reaches(victim, friend.address), 'the path to the one that was named is as before');
});

test('adding pods that fails costs no address, and a full subnet says so', { skip }, async () => {
  for (let attempt = 0; attempt < 12; attempt++) {
    const failed = await rig.failedAdd(1, 'red', 'small');
    assert.match(failed, /code/);
  }
  const added: Pod[] = [];
  const full = await fill(added);
  // Of eight addresses not the network's, the gateway's, the one for names and the broadcast.
  assert.equal(added.length, 4, full);
  assert.match(full, /subnet-exhausted/);
  const [first, second] = added;
  assert.ok(await rig.reaches(first!, second!.address));
});

/** Adds pods until the plugin refuses: what it says then. */
async function fill(added: Pod[]): Promise<string> {
  for (let count = 0; count < 8; count++) {
    try {
      added.push(await rig.add(1, 'red', 'small'));
    } catch (error) {
      return (error as Error).message;
    }
  }
  return 'not full';
}
