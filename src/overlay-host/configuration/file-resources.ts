import { InputError } from '../../base/errors.ts';
import type { FileResource } from '../../overlay/catalog/resource-book.ts';
import { isIpv4Prefix, octetsOf, type Prefix } from '../../overlay/control/address.ts';
import { specLimits } from '../../overlay/control/spec.ts';
import { formatAddress } from '../../overlay/packet/address.ts';
import { parseOverlayResources, placedByName } from '../../overlay/resources/resources.ts';
import type { OverlayResource } from '../../overlay/resources/resource-types.ts';
import { tenantNetworks } from '../../overlay/resources/tenant-network.ts';
import type { ConfiguredSubnet } from './configured-subnets.ts';

/**
 * Nobody gives numbers to the networks of files: who writes the files does, the VNI of each VPC in its spec and the id of each subnet in this
 * annotation. The same on all hosts.
 */
export const subnetIdAnnotation = 'caravan.dev/subnet-id';

/** Bits of a 16-octet address before the four octets of an IPv4 address. */
const mappedBits = 96;

/** The resources of a file, the whole of it, and its subnets. Throws InputError. */
export function readResourceFile(
  content: string,
  where: string,
): { readonly resources: readonly FileResource[]; readonly subnets: readonly ConfiguredSubnet[] } {
  const placed = parseOverlayResources(content, where);
  const { vpcs, subnets: read } = tenantNetworks(placed);
  const vniOf = new Map(vpcs.map(({ name, vni }) => [name, vni]));
  const ids = new Map<string, number>();
  const subnets = read.map(({ name, vpc, prefixes, mtu }) => {
    const source = placed.find(({ resource }) => resource.kind === 'Subnet' && resource.metadata.name === name);
    const wrong = (path: readonly string[], message: string): InputError =>
      new InputError('bad-configuration', source?.place(path) ?? where, message);
    const vni = vniOf.get(vpc);
    if (vni === undefined) throw wrong(['spec', 'vpc'], `VPC ${vpc} needs a vni: hosts that read files cannot choose one`);
    const text = source?.resource.metadata.annotations?.[subnetIdAnnotation];
    const subnetId = Number(text);
    if (text === undefined || !/^\d+$/.test(text) || subnetId < 1 || subnetId >= specLimits.subnets) {
      throw wrong(['metadata', 'annotations'], `needs ${subnetIdAnnotation}, a number from 1 to ${specLimits.subnets - 1}, in quotes`);
    }
    ids.set(name, subnetId);
    return { vpc, name, vni, subnetId, prefixes, mtu };
  });
  const resources = placed.map(({ resource, place }) => ({
    resource,
    place: (path: Parameters<typeof place>[0]) => place(path),
    subnetId: resource.kind === 'Subnet' ? ids.get(resource.metadata.name) : undefined,
  }));
  return { resources, subnets };
}

/** Subnets that stand under their VPCs, as resources: each VPC has the addresses of its subnets, and a subnet is named VPC/SUBNET. */
export function resourcesOf(subnets: readonly ConfiguredSubnet[]): readonly FileResource[] {
  const byVpc = Map.groupBy(subnets, ({ vpc }) => vpc);
  return [...byVpc].flatMap(([vpc, own]) => {
    const prefixes = own.flatMap((subnet) => subnet.prefixes.map(prefixText));
    const resource: OverlayResource = {
      kind: 'VPC',
      metadata: { name: vpc },
      spec: { vni: own[0]?.vni ?? 0, prefixes, peers: [], dns: 'forward' },
    };
    return [{ ...placedByName(resource), subnetId: undefined }, ...own.map(subnetResource)];
  });
}

function subnetResource({ vpc, name, subnetId, prefixes, mtu }: ConfiguredSubnet): FileResource {
  const resource: OverlayResource = {
    kind: 'Subnet',
    metadata: { name: `${vpc}/${name}` },
    spec: {
      vpc,
      prefixes: prefixes.map(prefixText),
      gateways: prefixes.flatMap(({ gateway }) => (gateway === undefined ? [] : [formatAddress(octetsOf(gateway))])),
      fixed: prefixes.flatMap(({ fixed }) => (fixed === undefined ? [] : [prefixText(fixed)])),
      ...(mtu === undefined ? {} : { mtu }),
    },
  };
  return { ...placedByName(resource), subnetId };
}

function prefixText(prefix: Prefix): string {
  return `${formatAddress(octetsOf(prefix.address))}/${prefix.length - (isIpv4Prefix(prefix) ? mappedBits : 0)}`;
}
