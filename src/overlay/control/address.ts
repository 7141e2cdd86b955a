import { assert } from '../../base/errors.ts';
import { parseAddress } from '../packet/address.ts';

/** An address as 32 lower-case hex digits; IPv4 as ::ffff:a.b.c.d. Texts compare and order as the addresses do. */
export type AddressHex = string;
/** A MAC as 12 lower-case hex digits. */
export type MacHex = string;
/** A block of 16 addresses (an IPv4 /28, an IPv6 /124): all digits of its addresses but the last. */
export type BlockHex = string;

export const addressBits = 128;
/** Addresses of a block; each is a bit of its mask. */
export const blockAddresses = 16;
export const wholeBlock = 0xffff;
const blockBits = 4;
const addressDigits = 32;
/** In digits: what all IPv4 addresses begin with. */
const ipv4Prefix = '00000000000000000000ffff';

export function hexOf(octets: Uint8Array): string {
  return octets.toHex();
}

/** Octets of `AddressHex` or `MacHex`. */
export function octetsOf(hex: string): Uint8Array {
  return Uint8Array.fromHex(hex);
}

/** The address of a text such as `10.0.0.1` or `fd00::1`. Throws (our bug) when it is none: for texts that were checked before. */
export function addressHex(text: string): AddressHex {
  const octets = parseAddress(text);
  assert(octets !== undefined, `${text} is no address`);
  return hexOf(octets);
}

export function blockOf(address: AddressHex): BlockHex {
  return address.slice(0, addressDigits - 1);
}

/** The address's bit in the mask of its block. */
export function bitOf(address: AddressHex): number {
  return 1 << Number.parseInt(address[addressDigits - 1]!, 16);
}

export function addressIn(block: BlockHex, index: number): AddressHex {
  return block + index.toString(16);
}

/** The block's first address: its grantors are the owners of this key. */
export function blockKey(block: BlockHex): AddressHex {
  return `${block}0`;
}

export function bitsIn(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** A range of addresses: those that share the first `length` bits (of 128, so an IPv4 /24 has 120). */
export interface Prefix {
  readonly address: AddressHex;
  readonly length: number;
}

export function isInPrefix(address: AddressHex, { address: base, length }: Prefix): boolean {
  const digits = length >> 2;
  if (address.slice(0, digits) !== base.slice(0, digits)) return false;
  const rest = length & 3;
  if (rest === 0) return true;
  const mask = (0xf << (4 - rest)) & 0xf;
  return (Number.parseInt(address[digits]!, 16) & mask) === (Number.parseInt(base[digits]!, 16) & mask);
}

export function isIpv4Prefix({ address, length }: Prefix): boolean {
  return length >= ipv4Prefix.length * 4 && address.startsWith(ipv4Prefix);
}

/** How many blocks a prefix has; at least one, of which it may have a part only. Capped at 2^32: more are never used. */
export function blockCount({ length }: Prefix): number {
  return 2 ** Math.min(32, Math.max(0, addressBits - blockBits - length));
}

/** The prefix's block number `index`, from 0. */
export function blockAt({ address }: Prefix, index: number): BlockHex {
  const base = BigInt(`0x${address}`) >> BigInt(blockBits);
  return (base + BigInt(index)).toString(16).padStart(addressDigits - 1, '0');
}

/**
 * Addresses of a block that endpoints may have: those of the prefix without its first (the network's), those that are reserved (the gateway's and
 * that of DNS), and the last one of an IPv4 prefix (broadcast). IPv6 has no broadcast.
 */
export function usableMask(prefix: Prefix, block: BlockHex, ...reserved: readonly (AddressHex | undefined)[]): number {
  const size = Math.min(blockAddresses, 2 ** (addressBits - prefix.length));
  const start = size === blockAddresses ? 0 : Number.parseInt(prefix.address[addressDigits - 1]!, 16);
  let mask = ((1 << size) - 1) << start;
  if (block === blockOf(prefix.address)) mask &= ~bitOf(prefix.address);
  for (const address of reserved) if (address !== undefined && block === blockOf(address)) mask &= ~bitOf(address);
  if (isIpv4Prefix(prefix)) {
    const last = (BigInt(`0x${prefix.address}`) + (1n << BigInt(addressBits - prefix.length)) - 1n)
      .toString(16)
      .padStart(addressDigits, '0');
    if (block === blockOf(last)) mask &= ~bitOf(last);
  }
  return mask;
}
