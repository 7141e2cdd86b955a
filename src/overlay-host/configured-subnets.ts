import { addressHex, isInPrefix, type Prefix } from '../overlay/control/address.ts';
import { specLimits, type SubnetPrefix } from '../overlay/control/spec.ts';
import { isIpv4, parseAddress } from '../overlay/packet/address.ts';
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
const leastMtu = 1280;
const mostMtu = 65_535;

/** VPCs and their subnets. Throws InputError. */
export function readSubnets(fields: Fields): readonly ConfiguredSubnet[] {
  const subnets = fields.list('vpcs', specLimits.subnets).flatMap((vpc) => {
    const name = vpc.neededText('name');
    const vni = vpc.neededNumber('vni', 1, 0xffffff);
    const found = vpc.list('subnets', specLimits.subnets).map((subnet) => readSubnet(subnet, name, vni));
    vpc.refuseOthers();
    return found;
  });
  for (const one of subnets) {
    const twin = subnets.find((other) => other !== one && other.subnetId === one.subnetId);
    if (twin !== undefined) throw fields.wrong('vpcs', `${one.vpc}/${one.name} and ${twin.vpc}/${twin.name} have the same subnet id`);
    const shared = subnets.find((other) => other !== one && other.vni === one.vni && other.vpc !== one.vpc);
    if (shared !== undefined) throw fields.wrong('vpcs', `${one.vpc} and ${shared.vpc} have the same VNI`);
    const overlapping = subnets.find((other) => other !== one && other.vni === one.vni && doOverlap(one, other));
    if (overlapping !== undefined) throw fields.wrong('vpcs', `the subnets ${one.name} and ${overlapping.name} of ${one.vpc} overlap`);
  }
  return subnets;
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

/** `10.0.0.0/24`; its first address is the gateway. */
function readPrefix(fields: Fields, family: 'ipv4' | 'ipv6'): SubnetPrefix[] {
  const text = fields.text(family);
  if (text === undefined) return [];
  const [addressText = '', lengthText = ''] = text.split('/');
  const octets = parseAddress(addressText);
  const own = Number(lengthText);
  const [least, most] = family === 'ipv4' ? [8, 29] : [48, 124];
  if (octets === undefined || isIpv4(octets) !== (family === 'ipv4') || !/^\d+$/.test(lengthText) || own < least || own > most) {
    throw fields.wrong(family, `must be a prefix of ${family === 'ipv4' ? 'IPv4' : 'IPv6'} with a length from ${least} to ${most}`);
  }
  const length = family === 'ipv4' ? mappedBits + own : own;
  const last = octets[15] ?? 0;
  const firstAddress = octets.slice();
  firstAddress[15] = last + 1;
  const prefix: Prefix = { address: addressHex(addressText), length };
  // Bits behind the length would be silently lost otherwise.
  const base = octets.slice();
  for (let bit = length; bit < 128; bit++) base[bit >> 3] = (base[bit >> 3] ?? 0) & ~(0x80 >> (bit & 7));
  if (base.toHex() !== prefix.address) throw fields.wrong(family, `${addressText} is not the first address of a /${own}`);
  return [{ ...prefix, gateway: firstAddress.toHex(), fixed: undefined }];
}

function doOverlap(one: ConfiguredSubnet, other: ConfiguredSubnet): boolean {
  return one.prefixes.some((a) => other.prefixes.some((b) => isInPrefix(a.address, b) || isInPrefix(b.address, a)));
}
