/** The internet checksum (RFC 1071): the complement of the ones' complement sum of 16 bit words in network order. */

/** Adds the words of `octets` to `sum`; an odd last octet is the high half of a word. The sum is folded to 16 bits. */
export function onesComplementSum(octets: Uint8Array, sum = 0): number {
  let total = sum;
  for (let at = 0; at < octets.length; at += 2) total += (octets[at]! << 8) | (octets[at + 1] ?? 0);
  while (total > 0xffff) total = Math.floor(total / 0x10000) + (total & 0xffff);
  return total;
}

/** The checksum of `octets`, whose own checksum field holds 0; over octets with their right checksum it is 0. */
export function internetChecksum(octets: Uint8Array, sum = 0): number {
  return ~onesComplementSum(octets, sum) & 0xffff;
}

/** The sum to start with for UDP, TCP and ICMPv6. Both addresses in the length the header has them: 4 or 16 octets. */
export function pseudoHeaderSum(source: Uint8Array, destination: Uint8Array, protocol: number, lengthBytes: number): number {
  const rest = Uint8Array.of(lengthBytes >>> 24, lengthBytes >>> 16, lengthBytes >>> 8, lengthBytes, 0, protocol);
  return onesComplementSum(rest, onesComplementSum(destination, onesComplementSum(source)));
}

/** The checksum after one 16 bit word has changed (RFC 1624, equation 3). */
export function updatedChecksum(checksum: number, oldWord: number, newWord: number): number {
  return updatedChecksumBy(checksum, (~oldWord & 0xffff) + newWord);
}

/** The same after any change: `difference` sums up what came, and the complement of what it replaced; below 0x20000. */
export function updatedChecksumBy(checksum: number, difference: number): number {
  const sum = (~checksum & 0xffff) + difference;
  const folded = (sum & 0xffff) + (sum >>> 16);
  return ~((folded & 0xffff) + (folded >>> 16)) & 0xffff;
}
