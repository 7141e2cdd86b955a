import { InputError } from '../base/errors.ts';
import { specLimits } from '../overlay/control/spec.ts';
import { parseOverlayResources } from '../overlay/resources/resources.ts';
import { tenantNetworks } from '../overlay/resources/tenant-network.ts';
import type { ConfiguredSubnet } from './configured-subnets.ts';

/**
 * Hosts that read files have nobody who gives numbers to networks: who writes the files does, the VNI of each VPC in its spec and the id of each
 * subnet in this annotation. The same on all hosts.
 */
export const subnetIdAnnotation = 'caravan.dev/subnet-id';

/** The VPCs and subnets of resources, the whole of them. Throws InputError. */
export function resourceSubnets(content: string, where: string): readonly ConfiguredSubnet[] {
  const placed = parseOverlayResources(content, where);
  const { vpcs, subnets } = tenantNetworks(placed);
  const vniOf = new Map(vpcs.map(({ name, vni }) => [name, vni]));
  return subnets.map(({ name, vpc, prefixes, mtu }) => {
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
    return { vpc, name, vni, subnetId, prefixes, mtu };
  });
}
