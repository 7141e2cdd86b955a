import type { InputError } from '../../base/errors.ts';
import type { OverlayResource } from '../resources/resource-types.ts';
import type { Endpoint, Policy, Service, Subnet, Vpc } from '../resources/tenant-network.ts';

export interface NumberedVpc extends Vpc {
  readonly vni: number;
}

export interface NumberedSubnet extends Subnet {
  readonly vni: number;
  readonly subnetId: number;
  /** In which its record was written. */
  readonly createdEpoch: number;
}

/** What the resources of all hosts and of files say together. What cannot be is left out. */
export interface Networks {
  /** `peers`: those that name each other. */
  readonly vpcs: readonly NumberedVpc[];
  /** Subnets that a configuration lists under their VPC are named VPC/SUBNET. */
  readonly subnets: readonly NumberedSubnet[];
  readonly endpoints: readonly Endpoint[];
  readonly services: readonly Service[];
  readonly policies: readonly Policy[];
}

export const noNetworks: Networks = { vpcs: [], subnets: [], endpoints: [], services: [], policies: [] };

/** A resource as it is told to users. */
export interface ListedResource {
  readonly resource: OverlayResource;
  /** `file`: of the configuration, and nobody's to change. */
  readonly origin: 'catalog' | 'file';
  /** VNI of a VPC. */
  readonly vni: number | undefined;
  readonly subnetId: number | undefined;
  /** Why it has no effect, or not all of it. */
  readonly problem: InputError | undefined;
}
