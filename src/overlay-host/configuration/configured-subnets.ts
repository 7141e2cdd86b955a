import { InputError } from '../../base/errors.ts';
import { hexOf, isInPrefix, octetsOf, type Prefix } from '../../overlay/control/address.ts';
import { specLimits, type SubnetPrefix } from '../../overlay/control/spec.ts';
import { addressBytes, isIpv4, parseAddress } from '../../overlay/packet/address.ts';
import type { Fields } from './fields.ts';

/** A subnet of a VPC. */
export interface ConfiguredSubnet {
  readonly vpc: string;
  readonly name: string;
  readonly vni: number;
  readonly subnetId: number;
  /** One of IPv4, one of IPv6, or both. */
  readonly prefixes: readonly SubnetPrefix[];
  /** In octets; what the underlay allows when absent. */
  readonly mtu: number | undefined;
}

/** Bits of a 16-octet address before the four octets of an IPv4 address. */
const mappedBits = 96;
/** A subnet of IPv4 has room for two endpoints at least; an IPv6 one is a block at least. */
const lengths = { ipv4: { least: 8, most: 29 }, ipv6: { least: 48, most: 124 } } as const;
const leastMtu = 1280;
const mostMtu = 65_535;

/** VPCs and their subnets. Throws InputError. */
export function readSubnets(fields: Fields): readonly ConfiguredSubnet[] {
  return fields.list('vpcs', specLimits.subnets).flatMap((vpc) => {
    const name = vpc.neededText('name');
    const vni = vpc.neededNumber('vni', 1, 0xffffff);
    const found = vpc.list('subnets', specLimits.subnets).map((subnet) => readSubnet(subnet, name, vni));
    vpc.refuseOthers();
    return found;
  });
}

/** What cannot be together. Throws InputError. */
export function checkSubnets(subnets: readonly ConfiguredSubnet[], where: string): void {
  const wrong = (message: string): InputError => new InputError('bad-configuration', where, message);
  for (const one of subnets) {
    const others = subnets.filter((other) => other !== one);
    const twin = others.find(({ subnetId }) => subnetId === one.subnetId);
    if (twin !== undefined) throw wrong(`${one.vpc}/${one.name} and ${twin.vpc}/${twin.name} have the same subnet id`);
    const shared = others.find(({ vni, vpc }) => vni === one.vni && vpc !== one.vpc);
    if (shared !== undefined) throw wrong(`${one.vpc} and ${shared.vpc} have the same VNI`);
    const overlapping = others.find((other) => other.vni === one.vni && doOverlap(one, other));
    if (overlapping !== undefined) throw wrong(`the subnets ${one.name} and ${overlapping.name} of ${one.vpc} overlap`);
  }
}

function readSubnet(fields: Fields, vpc: string, vni: number): ConfiguredSubnet {
  const prefixes = (['ipv4', 'ipv6'] as const).flatMap((family) => readPrefix(fields, family));
  if (prefixes.length === 0) throw fields.wrong('ipv4', 'a subnet needs ipv4 or ipv6');
  const subnet = {
    vpc,
    vni,
    name: fields.neededText('name'),
    subnetId: fields.neededNumber('id', 1, specLimits.subnets - 1),
    prefixes,
    mtu: fields.number('mtu', leastMtu, mostMtu),
  };
  fields.refuseOthers();
  return subnet;
}

/** `10.0.0.0/24`, whose first address is the gateway; `fixedIpv4` is the part of it in which users choose addresses themselves. */
function readPrefix(fields: Fields, family: 'ipv4' | 'ipv6'): SubnetPrefix[] {
  const prefix = parsePrefix(fields, family, family);
  const fixedName = family === 'ipv4' ? 'fixedIpv4' : 'fixedIpv6';
  const fixed = parsePrefix(fields, fixedName, family);
  if (fixed !== undefined && (prefix === undefined || fixed.length <= prefix.length || !isInPrefix(fixed.address, prefix))) {
    throw fields.wrong(fixedName, `must be a part of ${family}`);
  }
  if (prefix === undefined) return [];
  const first = octetsOf(prefix.address);
  first[addressBytes - 1] = (first[addressBytes - 1] ?? 0) + 1;
  return [{ ...prefix, gateway: hexOf(first), fixed }];
}

function parsePrefix(fields: Fields, name: string, family: 'ipv4' | 'ipv6'): Prefix | undefined {
  const text = fields.text(name);
  if (text === undefined) return undefined;
  const [addressText = '', lengthText = ''] = text.split('/');
  const octets = parseAddress(addressText);
  const own = Number(lengthText);
  const { least, most } = lengths[family];
  if (octets === undefined || isIpv4(octets) !== (family === 'ipv4') || !/^\d+$/.test(lengthText) || own < least || own > most) {
    throw fields.wrong(name, `must be a prefix of ${family === 'ipv4' ? 'IPv4' : 'IPv6'} with a length from ${least} to ${most}`);
  }
  const length = family === 'ipv4' ? mappedBits + own : own;
  // Bits behind the length would be silently lost otherwise.
  const hasMore = octets.some((octet, at) => (octet & (0xff >> Math.min(8, Math.max(0, length - at * 8)))) !== 0);
  if (hasMore) throw fields.wrong(name, `${addressText} is not the first address of a /${own}`);
  return { address: hexOf(octets), length };
}

function doOverlap(one: ConfiguredSubnet, other: ConfiguredSubnet): boolean {
  return one.prefixes.some((a) => other.prefixes.some((b) => isInPrefix(a.address, b) || isInPrefix(b.address, a)));
}
