import type { Networks } from '../overlay/catalog/networks.ts';

/** VNIs that were a VPC's and are not any more, or are another one's: what the data path remembers of their packets is to be forgotten. */
export function formerTenants(before: Networks, after: Networks): ReadonlySet<number> {
  const names = new Map(after.vpcs.map(({ vni, name }) => [vni, name]));
  return new Set(before.vpcs.filter(({ vni, name }) => names.get(vni) !== name).map(({ vni }) => vni));
}
