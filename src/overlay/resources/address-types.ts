import { mismatch, SchemaProblem, type Schema } from '../../management/schema.ts';
import { isInPrefix, type AddressHex, type Prefix } from '../control/address.ts';
import { formatAddress, isIpv4, parseAddress, parseMac } from '../packet/address.ts';

/** Addresses in resources: texts that are kept as texts, in the one form that each address has. */

const ipv4Bits = 32;
const addressBits = 128;

/** An IPv4 or IPv6 address. */
export function address(): Schema<string> {
  const type = 'IPv4 or IPv6 address';
  return {
    type,
    read(value, path): string {
      const octets = typeof value === 'string' ? parseAddress(value) : undefined;
      if (octets === undefined || isMappedText(value, octets)) throw mismatch(path, `an ${type}`, value);
      return formatAddress(octets);
    },
  };
}

/** A range of addresses such as 10.0.0.0/16. */
export function prefix(): Schema<string> {
  const type = 'prefix such as 10.0.0.0/16';
  return {
    type,
    read(value, path): string {
      const [, text = '', digits = ''] = (typeof value === 'string' ? /^([^/]*)\/(0|[1-9]\d{0,2})$/.exec(value) : null) ?? [];
      const octets = parseAddress(text);
      const length = Number(digits);
      if (octets === undefined || isMappedText(text, octets) || length > (isIpv4(octets) ? ipv4Bits : addressBits)) {
        throw mismatch(path, `a ${type}`, value);
      }
      const first = formatAddress(firstOf(octets, length));
      if (first !== formatAddress(octets)) {
        throw new SchemaProblem('invalid', path, `has bits behind its length ${length}`, `write ${first}/${length}`);
      }
      return `${first}/${length}`;
    },
  };
}

/** A MAC of one interface: neither a group's nor all zeros. */
export function mac(): Schema<string> {
  const type = 'MAC of one interface such as 02:00:00:00:00:01';
  return {
    type,
    read(value, path): string {
      const octets = typeof value === 'string' ? parseMac(value) : undefined;
      const isUnicast = octets?.[0] !== undefined && (octets[0] & 1) === 0 && octets.some((octet) => octet !== 0);
      if (typeof value !== 'string' || !isUnicast) throw mismatch(path, `a ${type}`, value);
      return value.toLowerCase();
    },
  };
}

/** An IPv4 address in the clothes of an IPv6 one is written as what it is. */
function isMappedText(text: unknown, octets: Uint8Array): boolean {
  return isIpv4(octets) && String(text).includes(':');
}

/** The first address of the prefix that the address is in. */
function firstOf(octets: Uint8Array, length: number): Uint8Array {
  const bits = isIpv4(octets) ? length + addressBits - ipv4Bits : length;
  return octets.map((octet, at) => octet & (0xff00 >> Math.min(8, Math.max(0, bits - 8 * at))) & 0xff);
}

/** The address of a text that `address` or `prefix` has read. */
export function addressOf(text: string): AddressHex {
  const octets = parseAddress(text);
  if (octets === undefined) throw new Error(`bug: ${text} is no address`);
  return octets.toHex();
}

/** The prefix of a text that `prefix` has read, its length in bits of 128. */
export function prefixOf(text: string): Prefix {
  const [first = '', digits = ''] = text.split('/');
  return { address: addressOf(first), length: Number(digits) + (first.includes(':') ? 0 : addressBits - ipv4Bits) };
}

export function contains(outer: Prefix, inner: Prefix): boolean {
  return outer.length <= inner.length && isInPrefix(inner.address, outer);
}

export function overlap(left: Prefix, right: Prefix): boolean {
  return contains(left, right) || contains(right, left);
}

/** Whether it is an IPv4 text. */
export function isIpv4Text(text: string): boolean {
  return !text.includes(':');
}

/** The address `count` behind it. */
export function addressBehind(start: AddressHex, count: bigint): AddressHex {
  return (BigInt(`0x${start}`) + count).toString(16).padStart(addressBits / 4, '0');
}

/** The last address of a prefix. */
export function lastOf({ address: first, length }: Prefix): AddressHex {
  return addressBehind(first, (1n << BigInt(addressBits - length)) - 1n);
}
