import { endpointName, localEndpoint, type Tables } from '../../src/overlay/model/tables.ts';
import { mappedIpv4 } from '../../src/overlay/packet/address.ts';
import { encodeArp } from '../../src/overlay/packet/arp.ts';
import { pseudoHeaderSum } from '../../src/overlay/packet/checksum.ts';
import { encodeEthernet, etherType } from '../../src/overlay/packet/ethernet.ts';
import { encodeGeneve, type GeneveOption } from '../../src/overlay/packet/geneve.ts';
import { encodeIcmp } from '../../src/overlay/packet/icmp.ts';
import { encodeIpv4, ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { encodeExtension, encodeFragment, encodeIpv6, extensionHeader } from '../../src/overlay/packet/ipv6.ts';
import { solicitedNodeGroup } from '../../src/overlay/packet/neighbor-discovery.ts';
import { joinOctets } from '../../src/overlay/packet/octets.ts';
import {
  encodeForward,
  encodeLocation,
  encodeMoved,
  encodeRoute,
  locationFlag,
  overlayOptionClass,
} from '../../src/overlay/packet/overlay-option.ts';
import { encodeTcp } from '../../src/overlay/packet/tcp.ts';
import { encodeUdp } from '../../src/overlay/packet/udp.ts';
import type { SeededRandom } from '../../src/sim/seeded-random.ts';
import {
  address,
  endpointMac,
  gatewayMac,
  hostAddress,
  ipv4Pool,
  ipv6Pool,
  noAddress,
  otherHostIds,
  podIfindex,
  vnis,
} from './random-tables.ts';
import { portPool } from './random-policies.ts';

const broadcast = new Uint8Array(6).fill(0xff);
const rareIpv4 = ['10.0.0.254', '10.0.9.9', '192.168.7.7', '224.0.0.5', '255.255.255.255', '169.254.1.1', '0.0.0.0', '239.1.1.1'].map(
  address,
);
const rareIpv6 = ['fd00::fe', 'fd00:9::9', 'ff02::1', 'fe80::1', 'febf::2', 'fec0::3', '::', '::ffff:0:1'].map(address);

/** Who sends a frame, before it goes wrong here and there. */
interface Sender {
  readonly mac: Uint8Array;
  readonly ipv4: Uint8Array;
  readonly ipv6: Uint8Array;
}

/** A frame as the pod at `podIfindex` may send it, right or wrong. */
export function randomPodFrame(random: SeededRandom, tables: Tables): Uint8Array {
  const port = tables.ports.get(podIfindex);
  const sender: Sender = {
    mac: random.chance(0.97) ? (port?.mac ?? broadcast) : octets(random, 6),
    ipv4: port !== undefined && port.ipv4 !== noAddress && random.chance(0.95) ? port.ipv4 : random.pick([...ipv4Pool, ...rareIpv4]),
    ipv6: port !== undefined && port.ipv6 !== noAddress && random.chance(0.95) ? port.ipv6 : random.pick([...ipv6Pool, ...rareIpv6]),
  };
  return damaged(random, randomFrame(random, sender, 0.08));
}

/** A packet as the underlay may bring it, right or wrong. */
export function randomUnderlayFrame(random: SeededRandom, tables: Tables): Uint8Array {
  const { vni, sender, sourceHostId, options } = random.chance(0.25) ? returned(random, tables) : fromElsewhere(random, tables);
  const inner = randomFrame(random, sender, 0.02);
  const geneve = encodeGeneve({ control: random.chance(0.03), protocol: 0x6558, vni, options, payload: damaged(random, inner) });
  const udp = encodeUdp({
    sourcePort: random.chance(0.97) ? 49152 + random.below(16384) : 6081,
    destinationPort: random.chance(0.98) ? 6081 : random.below(0x10000),
    checksum: random.chance(0.8) ? 0 : random.below(0x10000),
    payload: geneve,
  });
  const ip = encodeIpv4({
    typeOfService: random.chance(0.7) ? 0 : random.below(256),
    identification: random.chance(0.7) ? 0 : random.below(0x10000),
    dontFragment: random.chance(0.9),
    moreFragments: random.chance(0.01),
    fragmentOffsetBytes: random.chance(0.01) ? 8 : 0,
    timeToLive: random.pick([0, 1, 2, 3, 4, 4, 4, 64]),
    protocol: ipProtocol.udp,
    source: random.chance(0.97) ? hostAddress(sourceHostId) : address('203.0.113.9'),
    destination: random.chance(0.98) ? tables.settings.address : hostAddress(9),
    options: random.chance(0.01) ? new Uint8Array(4) : new Uint8Array(),
    payload: udp,
  });
  const frame = encodeEthernet({
    destination: tables.settings.mac,
    source: random.chance(0.9) ? Uint8Array.of(2, 2, 0, 0, 0, sourceHostId) : Uint8Array.of(2, 2, 0, 0, 9, 9),
    type: random.chance(0.99) ? etherType.ipv4 : etherType.ipv6,
    payload: ip,
  });
  return damaged(random, frame);
}

interface Underlay {
  readonly vni: number;
  readonly sender: Sender;
  readonly sourceHostId: number;
  readonly options: readonly GeneveOption[];
}

function fromElsewhere(random: SeededRandom, tables: Tables): Underlay {
  const vni = random.chance(0.96) ? random.pick(vnis) : random.below(0x1000000);
  const ipv4 = random.pick(ipv4Pool);
  const ipv6 = random.pick(ipv6Pool);
  const sender = { mac: endpointMac(ipv4), ipv4, ipv6 };
  const known = tables.paths.get(endpointName({ vni, address: random.pick([ipv4, ipv6]) }));
  if (known !== undefined && random.chance(0.3)) {
    // What is known already is told again.
    const flags = random.pick([0, locationFlag.noPath]);
    return { vni, sender, sourceHostId: known.hostId & 7, options: [encodeLocation({ ...known, flags, mac: octets(random, 6) })] };
  }
  const sourceHostId = random.pick(otherHostIds);
  const options = Array.from({ length: random.pick([0, 0, 1, 1, 1, 1, 1, 1, 2, 3]) }, () => randomOption(random, tables, sourceHostId));
  return { vni, sender, sourceHostId, options };
}

/** A packet of one of ours that another host did not want. */
function returned(random: SeededRandom, tables: Tables): Underlay {
  const vni = random.pick(vnis);
  const locals = (pool: readonly Uint8Array[]): Uint8Array => {
    const here = pool.filter((of) => localEndpoint(tables, { vni, address: of }) !== undefined);
    return random.pick(here.length > 0 ? here : pool);
  };
  const ipv4 = locals(ipv4Pool);
  const sourceHostId = random.pick(otherHostIds);
  const option = random.chance(0.4)
    ? encodeMoved({ endpointGeneration: random.chance(0.5) ? 0 : random.below(5) })
    : randomLocation(random, tables, sourceHostId, random.chance(0.8) ? 1 : 3);
  return { vni, sender: { mac: endpointMac(ipv4), ipv4, ipv6: locals(ipv6Pool) }, sourceHostId, options: [option] };
}

function randomLocation(random: SeededRandom, tables: Tables, sourceHostId: number, flags: number): GeneveOption {
  const hostId = random.chance(0.5)
    ? sourceHostId
    : random.chance(0.85)
      ? random.pick(otherHostIds)
      : random.pick([0, 1, 1, 1, 4095, 4096, 0xffffffff]);
  return encodeLocation({
    hostId,
    hostGeneration: random.chance(0.85) ? (tables.hosts.get(hostId)?.generation ?? 0) : random.below(4),
    endpointGeneration: random.below(5),
    identity: random.below(4),
    flags,
    mac: octets(random, 6),
  });
}

function randomOption(random: SeededRandom, tables: Tables, sourceHostId: number): GeneveOption {
  const kind = random.below(100);
  if (kind < 72) {
    const flags = random.pick([0, 0, 0, 0, 1, 1, 2, 2, 4, 4, 8, 8, 3, 6, random.below(0x10000)]);
    return randomLocation(random, tables, sourceHostId, flags);
  }
  if (kind < 86) return encodeMoved({ endpointGeneration: random.chance(0.5) ? 0 : random.below(5) });
  if (kind < 88) return encodeForward({ address: random.pick(ipv4Pool), port: 80, flags: 0, hostId: 1, serviceGeneration: 1 });
  if (kind < 91) return encodeRoute({ prefix: random.pick(ipv6Pool), prefixBits: 64, tableId: 1, epoch: 1 });
  const optionClass = random.chance(0.7) ? overlayOptionClass : random.below(0x10000);
  return { class: optionClass, type: random.pick([0x01, 0x82, 0x83, 0x04, random.below(256)]), body: octets(random, random.below(10) * 4) };
}

/** `wrong`: how probable it is that a field holds something unusual. */
function randomFrame(random: SeededRandom, sender: Sender, wrong: number): Uint8Array {
  const kind = random.below(100);
  if (kind < 16) return arpFrame(random, sender, wrong);
  if (kind < 34) return discoveryFrame(random, sender, wrong);
  const destination = random.pick([gatewayMac, broadcast, Uint8Array.of(2, 1, 0, 0, 0, 2)]);
  const macs = { destination, source: sender.mac };
  if (kind < 66) return encodeEthernet({ ...macs, type: etherType.ipv4, payload: ipv4Packet(random, sender, wrong) });
  if (kind < 97) return encodeEthernet({ ...macs, type: etherType.ipv6, payload: ipv6Packet(random, sender, wrong) });
  return encodeEthernet({
    ...macs,
    type: random.pick([etherType.vlan, 0x88cc, 0x0600, 100]),
    payload: octets(random, 20 + random.below(60)),
  });
}

function arpFrame(random: SeededRandom, sender: Sender, wrong: number): Uint8Array {
  const unusual = (): boolean => random.chance(wrong);
  const operation = random.chance(0.7) ? 1 : random.chance(0.9) ? 2 : random.below(0x10000);
  const target = random.chance(0.85) ? random.pick(ipv4Pool) : random.pick(rareIpv4);
  const arp = encodeArp({
    operation,
    senderMac: unusual() ? octets(random, 6) : sender.mac,
    senderAddress: unusual() ? mappedIpv4(new Uint8Array(4)) : sender.ipv4,
    targetMac: octets(random, 6),
    targetAddress: target,
  });
  const destination = operation === 1 ? broadcast : endpointMac(target);
  const payload = joinOctets(arp, random.chance(0.5) ? new Uint8Array(18) : new Uint8Array());
  return encodeEthernet({ destination, source: sender.mac, type: etherType.arp, payload });
}

function discoveryFrame(random: SeededRandom, sender: Sender, wrong: number): Uint8Array {
  const unusual = (): boolean => random.chance(wrong);
  const type = random.chance(0.55) ? 135 : random.chance(0.8) ? 136 : 133 + random.below(5);
  const target = random.chance(0.85) ? random.pick(ipv6Pool) : random.pick(rareIpv6);
  const option = unusual()
    ? octets(random, random.below(25))
    : random.chance(0.9)
      ? joinOctets(Uint8Array.of(type === 136 ? 2 : 1, 1), sender.mac)
      : new Uint8Array();
  const source = unusual() ? random.pick(rareIpv6) : sender.ipv6;
  const destination = type === 136 || random.chance(0.2) ? random.pick(ipv6Pool) : solicitedNodeGroup(target);
  const body = joinOctets(target, option);
  const sum = pseudoHeaderSum(source, destination, ipProtocol.icmpv6, 8 + body.length);
  const rest = type === 136 ? 0x60000000 : 0;
  const packet = encodeIpv6({
    trafficClass: random.chance(0.9) ? 0 : random.below(256),
    flowLabel: random.chance(0.9) ? 0 : random.below(0x100000),
    nextHeader: ipProtocol.icmpv6,
    hopLimit: unusual() ? 64 : 255,
    source,
    destination,
    payload: encodeIcmp({ type, code: unusual() ? 1 : 0, rest, body }, sum),
  });
  const destinationMac = joinOctets(Uint8Array.of(0x33, 0x33), destination.subarray(12));
  return encodeEthernet({ destination: destinationMac, source: sender.mac, type: etherType.ipv6, payload: packet });
}

function ipv4Packet(random: SeededRandom, sender: Sender, wrong: number): Uint8Array {
  const fragment = random.chance(0.1);
  const protocol = random.pick([ipProtocol.udp, ipProtocol.tcp, ipProtocol.icmp, 132, 47]);
  return encodeIpv4({
    typeOfService: random.below(256),
    identification: random.below(0x10000),
    dontFragment: random.chance(0.5),
    moreFragments: fragment && random.chance(0.5),
    fragmentOffsetBytes: fragment ? random.below(100) * 8 : 0,
    timeToLive: random.pick([0, 1, 2, 64, 64, 64, 255]),
    protocol,
    source: random.chance(wrong) ? random.pick([...ipv4Pool, ...rareIpv4]) : sender.ipv4,
    destination: random.chance(0.88) ? random.pick(ipv4Pool) : random.pick(rareIpv4),
    options: octets(random, random.chance(0.85) ? 0 : random.below(11) * 4),
    payload: transport(random, protocol),
  });
}

function ipv6Packet(random: SeededRandom, sender: Sender, wrong: number): Uint8Array {
  const protocol = random.pick([ipProtocol.udp, ipProtocol.tcp, ipProtocol.icmpv6, 132, 59]);
  let nextHeader: number = protocol;
  let payload = transport(random, protocol);
  // One extension header often has more.
  let more = 0.15;
  while (random.chance(more)) {
    more = 0.5;
    if (random.chance(0.4)) {
      const fragment = { offsetBytes: random.below(20) * 8, more: random.chance(0.5), identification: 1 };
      payload = joinOctets(encodeFragment(nextHeader, fragment), payload);
      nextHeader = extensionHeader.fragment;
    } else {
      payload = joinOctets(encodeExtension(nextHeader, octets(random, 6 + random.below(20))), payload);
      nextHeader = random.pick([
        extensionHeader.hopByHop,
        extensionHeader.routing,
        extensionHeader.authentication,
        extensionHeader.destinationOptions,
      ]);
    }
  }
  return encodeIpv6({
    trafficClass: random.below(256),
    flowLabel: random.below(0x100000),
    nextHeader,
    hopLimit: random.pick([0, 1, 2, 64, 64, 64, 255]),
    source: random.chance(wrong) ? random.pick([...ipv6Pool, ...rareIpv6]) : sender.ipv6,
    destination: random.chance(0.88) ? random.pick(ipv6Pool) : random.pick(rareIpv6),
    payload,
  });
}

function transport(random: SeededRandom, protocol: number): Uint8Array<ArrayBuffer> {
  const payload = octets(random, random.chance(0.12) ? random.pick([150, 1200, 1200]) + random.below(300) : random.below(60));
  const port = (): number => (random.chance(0.7) ? random.pick(portPool) : random.below(0x10000));
  const sourcePort = port();
  const destinationPort = port();
  if (protocol === ipProtocol.udp) return encodeUdp({ sourcePort, destinationPort, checksum: random.below(0x10000), payload });
  if (protocol === ipProtocol.icmp || protocol === ipProtocol.icmpv6) {
    return encodeIcmp(
      {
        type: random.pick([0, 1, 3, 8, 128, 129, 133, 135, 136, 137]),
        code: 0,
        rest: random.chance(0.7) ? random.below(3) * 0x10000 : random.below(0xffffffff),
        body: random.chance(0.5) ? quotedPacket(random) : payload,
      },
      0,
    );
  }
  if (protocol !== ipProtocol.tcp) return octets(random, random.below(60));
  const flags = random.pick([2, 16, 16, 18, 17, 4, 20, 194]);
  const fields = { sequence: 1, acknowledgment: 2, flags, window: 3, checksum: random.below(0x10000), urgentPointer: 0 };
  return encodeTcp({ sourcePort, destinationPort, ...fields, options: new Uint8Array(random.below(4) * 4), payload });
}

/** What an ICMP error may quote: as much of a packet between endpoints as its sender cares to. */
function quotedPacket(random: SeededRandom): Uint8Array {
  const isIpv4 = random.chance(0.5);
  const pool = isIpv4 ? ipv4Pool : ipv6Pool;
  const ends = { source: random.pick(pool), destination: random.pick(pool) };
  const protocol = random.pick([ipProtocol.udp, ipProtocol.tcp, isIpv4 ? ipProtocol.icmp : ipProtocol.icmpv6]);
  const payload = encodeUdp({
    sourcePort: random.pick(portPool),
    destinationPort: random.pick(portPool),
    checksum: 0,
    payload: octets(random, 4),
  });
  const packet = isIpv4
    ? encodeIpv4({
        ...ends,
        typeOfService: 0,
        identification: 1,
        dontFragment: true,
        moreFragments: false,
        fragmentOffsetBytes: random.chance(0.9) ? 0 : 8,
        timeToLive: 9,
        protocol,
        options: new Uint8Array(),
        payload,
      })
    : encodeIpv6({ ...ends, trafficClass: 0, flowLabel: 0, hopLimit: 9, nextHeader: protocol, payload });
  return packet.subarray(0, random.chance(0.8) ? packet.length : random.below(packet.length));
}

/** Mostly as it is; else some octets changed, cut off or longer. */
function damaged(random: SeededRandom, frame: Uint8Array): Uint8Array {
  const kind = random.below(100);
  if (kind >= 16) return frame;
  if (kind < 9) {
    const changed = frame.slice();
    for (let changes = random.pick([1, 1, 2, 3]); changes > 0; changes--) {
      const at = random.below(Math.min(frame.length, 130));
      changed[at] = random.chance(0.5) ? changed[at]! ^ (1 << random.below(8)) : random.below(256);
    }
    return changed;
  }
  if (kind < 13) return frame.subarray(0, random.below(frame.length));
  return joinOctets(frame, octets(random, 1 + random.below(30)));
}

function octets(random: SeededRandom, count: number): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(count);
  random.fill(made);
  return made;
}
