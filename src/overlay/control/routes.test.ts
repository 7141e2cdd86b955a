import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maps } from '../layout/maps.ts';
import { portFlag } from '../layout/port.ts';
import { subnetCodec, subnetFlag, subnetKeyCodec, subnetKind } from '../layout/subnet.ts';
import { formatAddress } from '../packet/address.ts';
import { addressHex, octetsOf } from './address.ts';
import { specMaps, type SelfSpec } from './host-maps.ts';
import { GatewayTables, leastMtus, type LocalGateway } from './routes.ts';
import type { OverlaySpec, SubnetSpec, VpcRoutes } from './spec.ts';

const self: SelfSpec = {
  hostId: 1,
  generation: 1,
  uplinkIfindex: 2,
  underlayMtu: 1500,
  address: addressHex('192.0.2.1'),
  mac: '020000000001',
};

function subnet(subnetId: number, vni: number, text: string, bits: number): SubnetSpec {
  const prefix = { address: addressHex(text), length: bits, gateway: undefined, fixed: undefined };
  return { subnetId, vni, tableId: subnetId, mtu: 1400, prefixes: [prefix], gatewayMac: '020000000002', createdEpoch: 1 };
}

const subnets = [subnet(1, 7, '10.0.0.0', 120), subnet(2, 8, '10.0.1.0', 120), subnet(3, 9, '10.0.0.0', 120)];

/** Prefixes of VNI 7 with what they are. */
function routesOf(vni: number, vpcs: readonly VpcRoutes[], more: Partial<OverlaySpec> = {}, gateways: readonly LocalGateway[] = []) {
  const spec: OverlaySpec = { hosts: [], subnets, epochs: [], vpcs, ...more };
  const records = specMaps(
    self,
    spec,
    () => true,
    () => subnetFlag.hasServices,
    gateways,
  ).get(maps.subnets.name)!;
  return [...records]
    .map(([key, value]) => ({ key: subnetKeyCodec.decode(octetsOf(key)), value: subnetCodec.decode(octetsOf(value)) }))
    .filter(({ key }) => key.vni === vni)
    .map(({ key, value }) => ({ prefix: `${formatAddress(key.address)}/${key.prefixLength - 32}`, ...value }));
}

const without = { peers: [], egress: undefined };
const hasRoutes = subnetFlag.hasServices | subnetFlag.hasRoutes;

test('peers that name each other have each other’s prefixes', () => {
  const vpcs = [
    { vni: 7, peers: [8], egress: undefined },
    { vni: 8, peers: [7], egress: undefined },
  ];
  const seen = (vni: number): unknown => routesOf(vni, vpcs).map(({ prefix, vni: home, tableId, flags }) => [prefix, home, tableId, flags]);
  assert.deepEqual(seen(7), [
    ['10.0.0.0/120', 7, 1, hasRoutes],
    ['10.0.1.0/120', 8, 2, hasRoutes],
  ]);
  assert.deepEqual(seen(8), [
    ['10.0.1.0/120', 8, 2, hasRoutes],
    ['10.0.0.0/120', 7, 1, hasRoutes],
  ]);
  assert.deepEqual(seen(9), [['10.0.0.0/120', 9, 3, subnetFlag.hasServices]]);
});

test('one that names another in vain, or has the same addresses, is no peer', () => {
  const prefixes = (vpcs: readonly VpcRoutes[]): readonly string[] => routesOf(7, vpcs).map(({ prefix }) => prefix);
  assert.deepEqual(
    prefixes([
      { ...without, vni: 7, peers: [8] },
      { ...without, vni: 8 },
    ]),
    ['10.0.0.0/120'],
  );
  assert.deepEqual(prefixes([{ ...without, vni: 7, peers: [8] }]), ['10.0.0.0/120']);
  const same = [
    { ...without, vni: 7, peers: [9] },
    { ...without, vni: 9, peers: [7] },
  ];
  assert.deepEqual(prefixes(same), ['10.0.0.0/120']);
  assert.deepEqual(
    routesOf(7, same).map(({ flags }) => flags),
    [subnetFlag.hasServices],
  );
});

test('ports know the least MTU that their packets may meet: of the VPC and of its peers', () => {
  const narrow = { ...subnet(4, 8, '10.0.2.0', 120), mtu: 1300 };
  const vpcs = [
    { vni: 7, peers: [8], egress: undefined },
    { vni: 8, peers: [7], egress: undefined },
    { vni: 9, peers: [8], egress: undefined },
  ];
  const least = (more: Partial<OverlaySpec>): unknown => [...leastMtus({ hosts: [], epochs: [], subnets, ...more })];
  const wide = [
    [7, 1400],
    [8, 1400],
    [9, 1400],
  ];
  assert.deepEqual(least({ vpcs }), wide);
  assert.deepEqual(least({ subnets: [...subnets, narrow] }), [
    [7, 1400],
    [8, 1300],
    [9, 1400],
  ]);
  assert.deepEqual(least({ subnets: [...subnets, narrow], vpcs }), [
    [7, 1300],
    [8, 1300],
    [9, 1400],
  ]);
});

test('a way out is for all addresses of the families that the VPC has, and leads to the gateway that is here', () => {
  const vpcs = [{ vni: 7, peers: [], egress: { tableId: 40, hosts: [1, 2] } }];
  const gateway: LocalGateway = { vni: 7, ifindex: 55, mac: '0a4757000007', mtu: 1400, addresses: [], isWayOut: true };
  const egress = (routes: ReturnType<typeof routesOf>): unknown =>
    routes.filter(({ kind }) => kind === subnetKind.egress).map(({ prefix, tableId, ifindex, vni }) => [prefix, tableId, ifindex, vni]);
  assert.deepEqual(egress(routesOf(7, vpcs)), [['0.0.0.0/96', 40, 0, 7]]);
  assert.deepEqual(egress(routesOf(7, vpcs, {}, [gateway])), [['0.0.0.0/96', 40, 55, 7]]);
  assert.deepEqual(egress(routesOf(7, vpcs, {}, [{ ...gateway, isWayOut: false }])), [['0.0.0.0/96', 40, 0, 7]]);
  assert.deepEqual(egress(routesOf(8, vpcs, {}, [gateway])), []);
  const dual = [...subnets, subnet(4, 7, 'fd00::', 64)];
  assert.deepEqual(egress(routesOf(7, vpcs, { subnets: dual })), [
    ['0.0.0.0/96', 40, 0, 7],
    ['::/0', 40, 0, 7],
  ]);
});

test('a gateway has a port of its own, and the endpoints behind it are here', () => {
  const gateway: LocalGateway = {
    vni: 7,
    ifindex: 55,
    mac: '0a4757000007',
    mtu: 1400,
    addresses: [addressHex('10.0.0.2')],
    isWayOut: false,
  };
  const spec: OverlaySpec = { hosts: [], subnets, epochs: [] };
  const builder = specMaps(
    self,
    spec,
    () => true,
    () => 0,
    [gateway],
  );
  const [port] = [...builder.get(maps.ports.name)!].map(([key, value]) => ({
    ...maps.ports.key.decode(octetsOf(key)),
    ...maps.ports.value.decode(octetsOf(value)),
  }));
  assert.equal(port?.index, 55);
  assert.ok((port.flags & portFlag.isGateway) !== 0);
  const [endpoint] = [...builder.get(maps.endpoints.name)!].map(([key, value]) => ({
    ...maps.endpoints.key.decode(octetsOf(key)),
    ...maps.endpoints.value.decode(octetsOf(value)),
  }));
  assert.deepEqual([endpoint?.vni, formatAddress(endpoint!.address), endpoint?.ifindex, endpoint?.hostId], [7, '10.0.0.2', 55, 1]);
});

test('the table of gateways is another one only when its hosts are others', () => {
  const tables = new GatewayTables();
  const of = (hosts: readonly number[]): unknown =>
    tables.of({ hosts: [], subnets, epochs: [], vpcs: [{ vni: 7, peers: [], egress: { tableId: 40, hosts } }] }).get(40);
  const first = of([1, 2]);
  assert.equal(of([1, 2]), first);
  assert.notEqual(of([1]), first);
  assert.deepEqual(
    tables.of({ hosts: [], subnets, epochs: [], vpcs: [{ vni: 7, peers: [], egress: { tableId: 40, hosts: [3] } }] }).get(40)?.[0],
    { first: 3, second: 0 },
  );
});
