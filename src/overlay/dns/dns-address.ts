import type { AddressHex, Prefix } from '../control/address.ts';
import type { SubnetPrefix } from '../control/spec.ts';

const addressBits = 128;

/**
 * Where a subnet's pods ask for names: the address behind the gateway's, or, where that is no endpoint's, the one before. No endpoint gets it,
 * whatever the VPC says about names, so that it can say otherwise later. Undefined when the subnet has no gateway or no such address.
 */
export function dnsAddressOf(prefix: SubnetPrefix): AddressHex | undefined {
  if (prefix.gateway === undefined) return undefined;
  return [1n, -1n].map((step) => addressAt(prefix.gateway ?? '', step)).find((address) => isUsable(address, prefix));
}

/** Neither the first address of the prefix nor, of IPv4, its last one. */
function isUsable(address: AddressHex, { address: first, length }: Prefix): boolean {
  const firstNumber = BigInt(`0x${first}`);
  const number = BigInt(`0x${address}`);
  const behind = firstNumber + (1n << BigInt(addressBits - length));
  return number > firstNumber && number < (isIpv4Hex(first) ? behind - 1n : behind);
}

function addressAt(start: AddressHex, step: bigint): AddressHex {
  return (BigInt(`0x${start}`) + step).toString(16).padStart(addressBits / 4, '0');
}

/** IPv4 is mapped: `::ffff:a.b.c.d`. */
function isIpv4Hex(address: AddressHex): boolean {
  return address.startsWith('00000000000000000000ffff');
}
