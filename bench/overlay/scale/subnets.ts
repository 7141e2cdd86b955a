import { addressHex } from '../../../src/overlay/control/address.ts';
import { ownerTable } from '../../../src/overlay/control/owner-table.ts';
import type { SubnetSpec } from '../../../src/overlay/control/spec.ts';
import { slotOf } from '../../../src/overlay/control/tables.ts';
import { podMtu } from '../sizes.ts';

/** The one VPC of these measurements. */
export const vpc = { name: 'red', vni: 91 } as const;

interface Plan {
  readonly name: string;
  readonly subnetId: number;
  readonly address: string;
  readonly gateway: string;
  /** Of an IPv4 prefix. */
  readonly bits: number;
  readonly fixed?: { readonly address: string; readonly bits: number };
}

const chosenSubnetId = 2;
/** Pods that are measured; addresses that are chosen; endpoints of others. */
const plans: readonly Plan[] = [
  { name: 'many', subnetId: 1, address: '10.0.0.0', gateway: '10.0.0.1', bits: 12 },
  {
    name: 'chosen',
    subnetId: chosenSubnetId,
    address: '10.128.0.0',
    gateway: '10.128.0.1',
    bits: 12,
    fixed: { address: '10.136.0.0', bits: 13 },
  },
  { name: 'standing', subnetId: 3, address: '10.64.0.0', gateway: '10.64.0.1', bits: 10 },
];
const ipv4PrefixBits = 96;

/** As the configuration of a daemon has them. */
export const vpcs: readonly object[] = [
  {
    ...vpc,
    subnets: plans.map(({ name, subnetId, address, bits, fixed }) => ({
      name,
      id: subnetId,
      ipv4: `${address}/${bits}`,
      ...(fixed === undefined ? {} : { fixedIpv4: `${fixed.address}/${fixed.bits}` }),
    })),
  },
];

/** As the control has them. */
export const subnetSpecs: readonly SubnetSpec[] = plans.map(({ subnetId, address, gateway, bits, fixed }) => ({
  subnetId,
  vni: vpc.vni,
  tableId: subnetId,
  mtu: podMtu,
  prefixes: [
    {
      address: addressHex(address),
      length: ipv4PrefixBits + bits,
      gateway: addressHex(gateway),
      fixed: fixed === undefined ? undefined : { address: addressHex(fixed.address), length: ipv4PrefixBits + fixed.bits },
    },
  ],
  gatewayMac: '0a564e000001',
  createdEpoch: 1,
}));

/** An address that can be chosen, and that this host is asked about first. */
export function chosenAddress(owner: number, members: readonly number[]): string {
  const table = ownerTable(chosenSubnetId, members);
  for (let index = 2; index < 0x7_0000; index++) {
    const address = `10.${136 + (index >>> 16)}.${(index >>> 8) & 255}.${index & 255}`;
    if (table[slotOf(vpc.vni, addressHex(address))]?.first === owner) return address;
  }
  throw new Error(`host ${owner} is the first owner of no address`);
}
