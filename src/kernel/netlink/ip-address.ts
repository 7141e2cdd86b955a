import { assert } from '../../base/errors.ts';

/** 4 octets (IPv4), or 16 (IPv6, or IPv4 as `::ffff:a.b.c.d`, which is what the overlay's records hold). */
export type IpAddress = Uint8Array;

export const addressFamilies = { unspecified: 0, ipv4: 2, ipv6: 10 } as const;

/** As the kernel has it: IPv4 always as 4 octets. The result may be a view of `address`. */
export function kernelAddress(address: IpAddress): IpAddress {
  assert(address.length === 4 || address.length === 16, 'an IP address has 4 or 16 octets');
  return isMapped(address) ? address.subarray(12) : address;
}

/** AF_INET or AF_INET6. */
export function addressFamily(address: IpAddress): number {
  return kernelAddress(address).length === 4 ? addressFamilies.ipv4 : addressFamilies.ipv6;
}

function isMapped(address: IpAddress): boolean {
  return address.length === 16 && address[10] === 0xff && address[11] === 0xff && address.subarray(0, 10).every((octet) => octet === 0);
}

/** IPv6 without the short form of zeros: for messages only. */
export function addressText(address: IpAddress): string {
  const octets = kernelAddress(address);
  if (octets.length === 4) return octets.join('.');
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push((((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0)).toString(16));
  return groups.join(':');
}

/** The prefix length as the kernel counts it: of an IPv4 address given as `::ffff:a.b.c.d` it is that of its last 4 octets. */
export function prefixText(prefix: { readonly address: IpAddress; readonly prefixLength: number }): string {
  return `${addressText(prefix.address)}/${prefix.prefixLength}`;
}

export function macText(mac: Uint8Array): string {
  return Array.from(mac, (octet) => octet.toString(16).padStart(2, '0')).join(':');
}
