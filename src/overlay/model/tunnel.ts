import type { Host } from '../layout/host.ts';
import type { Settings } from '../layout/settings.ts';
import { ipv4Octets } from '../packet/address.ts';
import { internetChecksum } from '../packet/checksum.ts';
import { encodeEthernet, ethernetHeaderBytes, etherType } from '../packet/ethernet.ts';
import { encodeGeneve, genevePort, type GeneveOption } from '../packet/geneve.ts';
import { encodeWholeIpv4, ipProtocol, ipv4HeaderBytes } from '../packet/ipv4.ts';
import { writeU16 } from '../packet/octets.ts';
import { encodeUdp } from '../packet/udp.ts';

/** The outer TTL a packet starts with: as many hosts may send it, so that no loop lasts. */
export const firstOuterTtl = 4;

export interface Tunnel {
  readonly vni: number;
  readonly sourcePort: number;
  readonly timeToLive: number;
  readonly options: readonly GeneveOption[];
}

/** Where an outer packet comes from and goes to. */
export interface OuterAddresses {
  readonly sourceMac: Uint8Array;
  readonly destinationMac: Uint8Array;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/** From this host to another. */
export function addressesTo(settings: Settings, host: Host): OuterAddresses {
  return { sourceMac: settings.mac, destinationMac: host.mac, source: settings.address, destination: host.address };
}

/** The inner frame in UDP over IPv4. */
export function encapsulate(tunnel: Tunnel, addresses: OuterAddresses, inner: Uint8Array): Uint8Array<ArrayBuffer> {
  const geneve = encodeGeneve({
    control: false,
    protocol: etherType.transparentEthernet,
    vni: tunnel.vni,
    options: tunnel.options,
    payload: inner,
  });
  const ip = encodeWholeIpv4({
    timeToLive: tunnel.timeToLive,
    protocol: ipProtocol.udp,
    source: addresses.source,
    destination: addresses.destination,
    payload: encodeUdp({ sourcePort: tunnel.sourcePort, destinationPort: genevePort, checksum: 0, payload: geneve }),
  });
  return encodeEthernet({ destination: addresses.destinationMac, source: addresses.sourceMac, type: etherType.ipv4, payload: ip });
}

/** An outer packet, one hop older, to another host; all else as it came, and no UDP checksum, which would be over the old addresses. */
export function readdressed(frame: Uint8Array, addresses: OuterAddresses): Uint8Array<ArrayBuffer> {
  const changed = withMacs(frame, addresses.destinationMac, addresses.sourceMac);
  const header = changed.subarray(ethernetHeaderBytes, ethernetHeaderBytes + ipv4HeaderBytes);
  header[8]!--;
  header.set(ipv4Octets(addresses.source), 12);
  header.set(ipv4Octets(addresses.destination), 16);
  writeU16(header, 10, 0);
  writeU16(header, 10, internetChecksum(header));
  writeU16(changed, ethernetHeaderBytes + ipv4HeaderBytes + 6, 0);
  return changed;
}

/** The frame with other MACs; what is undefined stays. */
export function withMacs(frame: Uint8Array, destination: Uint8Array | undefined, source: Uint8Array | undefined): Uint8Array<ArrayBuffer> {
  const changed = frame.slice();
  if (destination !== undefined) changed.set(destination, 0);
  if (source !== undefined) changed.set(source, 6);
  return changed;
}
