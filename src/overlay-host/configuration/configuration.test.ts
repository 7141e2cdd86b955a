import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { InputError } from '../../base/errors.ts';
import { parseConfiguration } from './configuration.ts';

const hosts = [
  { name: 'one', id: 1, address: '192.0.2.1' },
  { name: 'two', id: 2, address: '192.0.2.2', port: 1234 },
];
const subnet = { name: 'front', id: 1, ipv4: '10.0.0.0/24' };

function parse(more: object): ReturnType<typeof parseConfiguration> {
  return parseConfiguration(stringify({ host: 'one', hosts, ...more }), '/etc/caravan/overlay.yaml', (path) => {
    assert.equal(path, '/etc/caravan/tenants.yaml');
    return tenants;
  });
}

const tenants = `
apiVersion: caravan.dev/v1alpha1
kind: VPC
metadata: { name: green }
spec: { vni: 9, prefixes: [10.0.0.0/8] }
---
apiVersion: caravan.dev/v1alpha1
kind: Subnet
metadata: { name: front, annotations: { caravan.dev/subnet-id: "5" } }
spec: { vpc: green, prefixes: [10.0.0.0/24], fixed: [10.0.0.128/25] }
`;

test('a configuration with what is usual left out', () => {
  const configuration = parse({ vpcs: [{ name: 'red', vni: 7, subnets: [{ ...subnet, ipv6: 'fd00::/64' }] }], stateFolder: 'state' });
  assert.equal(configuration.self.hostId, 1);
  assert.deepEqual(
    configuration.hosts.map(({ port }) => port),
    [45_710, 1234],
  );
  assert.equal(configuration.agent, 'tc');
  assert.equal(configuration.stateFolder, '/etc/caravan/state');
  const [vpc, subnetResource] = configuration.resources.map(({ resource }) => resource);
  assert.deepEqual(vpc?.spec, { vni: 7, prefixes: ['10.0.0.0/24', 'fd00::/64'], peers: [], dns: 'forward' });
  assert.deepEqual(subnetResource?.metadata, { name: 'red/front' });
  assert.deepEqual(subnetResource?.spec, {
    vpc: 'red',
    prefixes: ['10.0.0.0/24', 'fd00::/64'],
    gateways: ['10.0.0.1', 'fd00::1'],
    fixed: [],
  });
});

test('the part of a subnet in which users choose addresses', () => {
  const { resources } = parse({ vpcs: [{ name: 'red', vni: 7, subnets: [{ ...subnet, fixedIpv4: '10.0.0.128/25' }] }] });
  const { resource } = resources[1] ?? assert.fail();
  assert.deepEqual(resource.kind === 'Subnet' && resource.spec.fixed, ['10.0.0.128/25']);
});

test('VPCs and subnets from resources, beside those of the configuration', () => {
  const { resources } = parse({ resources: 'tenants.yaml', vpcs: [{ name: 'red', vni: 7, subnets: [subnet] }] });
  assert.deepEqual(
    resources.map(({ resource, subnetId }) => [resource.kind, resource.metadata.name, subnetId]),
    [
      ['VPC', 'red', undefined],
      ['Subnet', 'red/front', 1],
      ['VPC', 'green', undefined],
      ['Subnet', 'front', 5],
    ],
  );
  assert.throws(() => parse({ resources: 'tenants.yaml', vpcs: [{ name: 'red', vni: 9, subnets: [subnet] }] }), /the same VNI/);
});

const vpc = (subnets: readonly object[], more: object = {}): object => ({ vpcs: [{ name: 'red', vni: 7, subnets, ...more }] });

for (const [what, more, where] of [
  ['a host that is not among them', { host: 'three' }, /host: three is not in hosts/],
  ['two hosts of one address', { hosts: [...hosts, { name: 'three', id: 3, address: '192.0.2.1' }] }, /two of them have 192\.0\.2\.1/],
  ['a host id out of range', { hosts: [{ name: 'one', id: 4096, address: '192.0.2.1' }] }, /hosts\[0\]: id: must be a whole number/],
  ['a member that is not known', { uplnk: 'eth0' }, /uplnk: is not known/],
  ['a choice that there is not', { agent: 'ebpf' }, /agent: must be tc or tcx or xdp/],
  ['a VNI of more than 24 bits', { vpcs: [{ name: 'red', vni: 0x1000000 }] }, /vni: must be/],
  ['bits behind the prefix', vpc([{ ...subnet, ipv4: '10.0.0.1/24' }]), /10\.0\.0\.1 is not the first address of a \/24/],
  ['a prefix that is too long', vpc([{ ...subnet, ipv4: '10.0.0.0/30' }]), /ipv4: must be a prefix of IPv4/],
  ['IPv6 in the place of IPv4', vpc([{ ...subnet, ipv4: 'fd00::/64' }]), /ipv4: must be a prefix of IPv4/],
  ['a subnet without a prefix', vpc([{ name: 'front', id: 1 }]), /needs ipv4 or ipv6/],
  ['a fixed part outside', vpc([{ ...subnet, fixedIpv4: '10.0.1.0/25' }]), /fixedIpv4: must be a part/],
  ['two subnets of one id', vpc([subnet, { name: 'back', id: 1, ipv4: '10.0.1.0/24' }]), /the same subnet id/],
  ['subnets that overlap', vpc([subnet, { name: 'back', id: 2, ipv4: '10.0.0.128/25' }]), /overlap/],
  [
    'two VPCs of one VNI',
    {
      vpcs: [
        { name: 'red', vni: 7, subnets: [subnet] },
        { name: 'blue', vni: 7, subnets: [{ ...subnet, id: 2, ipv4: '10.9.0.0/24' }] },
      ],
    },
    /the same VNI/,
  ],
] as const) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => parse(more),
      (error) => error instanceof InputError && where.test(error.message),
    );
  });
}
