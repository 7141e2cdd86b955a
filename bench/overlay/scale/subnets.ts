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

/** Of 1,000 hosts a quarter are the first owners of some slot of a table: so many tables, that some host has one. */
const chosenSubnets = 12;
const firstChosenId = 11;

/** Pods that are measured; addresses that are chosen; endpoints of others. */
const plans: readonly Plan[] = [
  { name: 'many', subnetId: 1, address: '10.0.0.0', gateway: '10.0.0.1', bits: 12 },
  { name: 'standing', subnetId: 3, address: '10.64.0.0', gateway: '10.64.0.1', bits: 10 },
  ...Array.from({ length: chosenSubnets }, (_, at): Plan => {
    const net = `10.${128 + at}`;
    const fixed = { address: `${net}.128.0`, bits: 17 };
    return { name: chosenName(at), subnetId: firstChosenId + at, address: `${net}.0.0`, gateway: `${net}.0.1`, bits: 16, fixed };
  }),
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

export interface ChosenAddress {
  readonly subnet: string;
  readonly address: string;
}

/** An address that can be chosen, and that one of these hosts is asked about first. */
export function chosenAddress(owners: readonly number[], members: readonly number[]): ChosenAddress {
  for (let at = 0; at < chosenSubnets; at++) {
    const table = ownerTable(firstChosenId + at, members);
    if (!table.some(({ first }) => owners.includes(first))) continue;
    for (let index = 0x8002; index < 0xffff; index++) {
      const address = `10.${128 + at}.${index >>> 8}.${index & 255}`;
      const owner = table[slotOf(vpc.vni, addressHex(address))]?.first ?? 0;
      if (owners.includes(owner)) return { subnet: chosenName(at), address };
    }
  }
  throw new Error('none of these hosts is the first owner of anything');
}

function chosenName(at: number): string {
  return `chosen${at}`;
}
