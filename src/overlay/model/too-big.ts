import type { Port } from '../layout/port.ts';
import { pseudoHeaderSum } from '../packet/checksum.ts';
import { encodeEthernet, ethernetHeaderBytes, etherType } from '../packet/ethernet.ts';
import { encodeIcmp, icmpFragmentationNeeded, icmpHeaderBytes, icmpType, icmpv6Type } from '../packet/icmp.ts';
import { encodeWholeIpv4, ipProtocol } from '../packet/ipv4.ts';
import { encodeIpv6 } from '../packet/ipv6.ts';
import { isUnspecified, type IpPacket } from './ip.ts';
import type { Run } from './run.ts';
import { subnetOf } from './tables.ts';

/** Octets of the packet that are quoted, from its IP header: enough for every header that a sender wants to see again. */
const quotedIpv4Bytes = 68;
const quotedIpv6Bytes = 128;
const answerTtl = 64;

/** The frame that tells the pod which MTU its packet must fit, DF or not, since nobody cuts it; undefined when it cannot be told. */
export function tooBigAnswer(run: Run, port: Port, ip: IpPacket, mtu: number): Uint8Array | undefined {
  if (ip.family === 4 && ip.packet.fragmentOffsetBytes > 0) return undefined;
  const { tables, frame } = run;
  const subnet = subnetOf(tables, run.key(ip.source));
  const gateway = ip.family === 4 ? subnet?.gatewayIpv4 : subnet?.gatewayIpv6;
  // Without a gateway it speaks as the destination: that one is certain to be of the family.
  const source = gateway === undefined || isUnspecified(gateway) ? ip.destination : gateway;
  const macs = { destination: port.mac, source: port.gatewayMac };
  const quoted = (lengthBytes: number): Uint8Array => frame.subarray(ethernetHeaderBytes, ethernetHeaderBytes + lengthBytes);
  if (ip.family === 4) {
    const packet = encodeWholeIpv4({
      dontFragment: false,
      timeToLive: answerTtl,
      protocol: ipProtocol.icmp,
      source,
      destination: ip.source,
      payload: encodeIcmp(
        { type: icmpType.destinationUnreachable, code: icmpFragmentationNeeded, rest: mtu, body: quoted(quotedIpv4Bytes) },
        0,
      ),
    });
    return encodeEthernet({ ...macs, type: etherType.ipv4, payload: packet });
  }
  const sum = pseudoHeaderSum(source, ip.source, ipProtocol.icmpv6, icmpHeaderBytes + quotedIpv6Bytes);
  const packet = encodeIpv6({
    trafficClass: 0,
    flowLabel: 0,
    nextHeader: ipProtocol.icmpv6,
    hopLimit: answerTtl,
    source,
    destination: ip.source,
    payload: encodeIcmp({ type: icmpv6Type.packetTooBig, code: 0, rest: mtu, body: quoted(quotedIpv6Bytes) }, sum),
  });
  return encodeEthernet({ ...macs, type: etherType.ipv6, payload: packet });
}
