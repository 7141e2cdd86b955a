import type { LocalEndpoint, Tombstone } from './host-maps.ts';
import { hexOf, listOf, numberOf, shapeOf, u32Of } from './json-reader.ts';

/** A record of the store; the ifindex is its key. */
export function parseStoredEndpoint(value: unknown, ifindex: number): LocalEndpoint | undefined {
  const stored = shapeOf<Omit<LocalEndpoint, 'ifindex'>>(value, {
    subnetId: u32Of,
    vni: (vni) => numberOf(vni, 0xffffff),
    mac: (mac) => hexOf(mac, 12),
    identity: u32Of,
    flags: (flags) => numberOf(flags, 0xffff),
    addresses: (addresses) => listOf(addresses, 2, (address) => hexOf(address, 32)),
    generation: u32Of,
  });
  return stored === undefined ? undefined : { ifindex, ...stored };
}

export function parseStoredTombstone(value: unknown): Tombstone | undefined {
  return shapeOf<Tombstone>(value, {
    hostId: u32Of,
    generation: u32Of,
    mac: (mac) => hexOf(mac, 12),
    untilMs: (untilMs) => numberOf(untilMs, Number.MAX_SAFE_INTEGER),
  });
}
