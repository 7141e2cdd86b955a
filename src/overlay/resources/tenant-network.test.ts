import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputError } from '../../base/errors.ts';
import { addressHex, isInPrefix } from '../control/address.ts';
import { formatAddress } from '../packet/address.ts';
import { prefixOf } from './address-types.ts';
import { parseOverlayResources, placedByName } from './resources.ts';
import { tenantNetworks, type TenantNetworks } from './tenant-network.ts';

/** A document of one line: `doc('VPC', 'red', '{prefixes: [10.0.0.0/8]}')`. */
function doc(kind: string, name: string, spec: string, labels = '{}'): string {
  return `{apiVersion: caravan.dev/v1alpha1, kind: ${kind}, metadata: {name: ${name}, labels: ${labels}}, spec: ${spec}}\n---\n`;
}

function networksOf(...documents: readonly string[]): TenantNetworks {
  return tenantNetworks(parseOverlayResources(documents.join(''), 'FILE'));
}

const red = doc('VPC', 'red', '{vni: 5, prefixes: [10.0.0.0/8, "fd00::/48"]}');
const front = doc('Subnet', 'front', '{vpc: red, prefixes: [10.1.0.0/16, "fd00:0:0:1::/64"], fixed: [10.1.255.0/24]}');

test('the records say what the resources say', () => {
  const networks = networksOf(
    doc(
      'OverlayPolicy',
      'web-only',
      '{vpc: red, selector: {app: web}, policyTypes: [Ingress, Egress], ingress: [{from: [{selector: {app: lb}}, {prefix: 10.9.0.0/16, except: [10.9.1.0/24]}], ports: [{port: 80, endPort: 90}]}]}',
    ),
    doc(
      'OverlayService',
      'web',
      '{vpc: red, addresses: [10.1.255.10, "fd00:0:0:2::10"], ports: [{port: 80, targetPort: 8080}, {port: 53, protocol: udp}], selector: {app: web}}',
    ),
    doc(
      'Endpoint',
      'web-1',
      '{subnet: front, addresses: [10.1.255.11], mac: "02:00:00:00:00:AA", host: h1, netns: /run/netns/a}',
      '{app: web}',
    ),
    front,
    doc('Subnet', 'back', '{vpc: red, prefixes: [10.2.0.0/24], gateways: [10.2.0.254], mtu: 1400}'),
    doc('VPC', 'blue', '{prefixes: [10.0.0.0/8], egress: {hosts: [one]}}'),
    red,
  );
  const hex = addressHex;
  assert.deepEqual(networks, {
    vpcs: [
      {
        name: 'blue',
        vni: undefined,
        prefixes: [{ address: hex('10.0.0.0'), length: 104 }],
        peers: [],
        egress: { mode: 'nat', hosts: ['one'] },
        dns: 'forward',
      },
      {
        name: 'red',
        vni: 5,
        prefixes: [
          { address: hex('10.0.0.0'), length: 104 },
          { address: hex('fd00::'), length: 48 },
        ],
        peers: [],
        egress: undefined,
        dns: 'forward',
      },
    ],
    subnets: [
      {
        name: 'back',
        vpc: 'red',
        prefixes: [{ address: hex('10.2.0.0'), length: 120, gateway: hex('10.2.0.254'), fixed: undefined }],
        mtu: 1400,
      },
      {
        name: 'front',
        vpc: 'red',
        prefixes: [
          { address: hex('10.1.0.0'), length: 112, gateway: hex('10.1.0.1'), fixed: { address: hex('10.1.255.0'), length: 120 } },
          { address: hex('fd00:0:0:1::'), length: 64, gateway: hex('fd00:0:0:1::1'), fixed: undefined },
        ],
        mtu: undefined,
      },
    ],
    endpoints: [
      {
        name: 'web-1',
        vpc: 'red',
        subnet: 'front',
        addresses: [hex('10.1.255.11')],
        mac: '0200000000aa',
        host: 'h1',
        netns: '/run/netns/a',
        ifname: 'eth0',
        forward: [],
        offer: [],
        labels: { app: 'web' },
      },
    ],
    services: [
      {
        name: 'web',
        vpc: 'red',
        addresses: [hex('10.1.255.10'), hex('fd00:0:0:2::10')],
        ports: [
          { protocol: 'tcp', port: 80, targetPort: 8080 },
          { protocol: 'udp', port: 53, targetPort: 53 },
        ],
        selector: { app: 'web' },
        affinity: 'none',
      },
    ],
    policies: [
      {
        name: 'web-only',
        vpc: 'red',
        selector: { app: 'web' },
        ingress: [
          {
            peers: [
              { kind: 'selector', selector: { app: 'lb' } },
              {
                kind: 'prefix',
                family: 'IPv4',
                prefix: { address: hex('10.9.0.0'), length: 112 },
                except: [{ address: hex('10.9.1.0'), length: 120 }],
              },
            ],
            ports: [{ protocol: 'tcp', port: 80, endPort: 90 }],
          },
        ],
        egress: [],
      },
    ],
  });
});

const refused: readonly (readonly [string, readonly string[], string, string])[] = [
  ['two of a name', [red, red], 'resource-duplicate', "FILE:3: metadata.name: VPC 'red' is already at FILE:1"],
  ['one VNI for two', [red, doc('VPC', 'blue', '{vni: 5, prefixes: [10.0.0.0/8]}')], 'resource-conflict', "VPC 'red' has VNI 5 already"],
  ['a subnet of no VPC', [front], 'resource-reference', "FILE:1: spec.vpc: there is no VPC 'red'"],
  [
    'a subnet outside of its VPC',
    [red, doc('Subnet', 'a', '{vpc: red, prefixes: [11.0.0.0/24]}')],
    'resource-conflict',
    "spec.prefixes[0]: 11.0.0.0/24 is not inside of 10.0.0.0/8 or fd00::/48 of VPC 'red'",
  ],
  [
    'a subnet that is larger than its VPC',
    [doc('VPC', 'a', '{prefixes: [10.0.0.0/16]}'), doc('Subnet', 'b', '{vpc: a, prefixes: [10.0.0.0/15]}')],
    'resource-conflict',
    'is not inside of',
  ],
  [
    'subnets that overlap',
    [red, front, doc('Subnet', 'a', '{vpc: red, prefixes: [10.1.128.0/24]}')],
    'resource-conflict',
    "overlaps subnet 'front' of the same VPC",
  ],
  [
    'a gateway outside',
    [red, doc('Subnet', 'a', '{vpc: red, prefixes: [10.1.0.0/24], gateways: [10.1.1.1]}')],
    'resource-conflict',
    'spec.gateways[0]: is not inside of 10.1.0.0/24',
  ],
  [
    'a gateway at the first address',
    [red, doc('Subnet', 'a', '{vpc: red, prefixes: [10.1.0.0/24], gateways: [10.1.0.0]}')],
    'resource-conflict',
    'the first address',
  ],
  [
    'a gateway at the last address',
    [red, doc('Subnet', 'a', '{vpc: red, prefixes: [10.1.0.0/24], gateways: [10.1.0.255]}')],
    'resource-conflict',
    'for broadcast',
  ],
  ['an endpoint of no subnet', [red, doc('Endpoint', 'e', '{subnet: front}')], 'resource-reference', "there is no Subnet 'front'"],
  [
    'an endpoint outside of its subnet',
    [red, front, doc('Endpoint', 'e', '{subnet: front, addresses: [10.2.0.5]}')],
    'resource-conflict',
    "10.2.0.5 is not in subnet 'front'",
  ],
  [
    'an endpoint that is the gateway',
    [red, front, doc('Endpoint', 'e', '{subnet: front, addresses: [10.1.0.1]}')],
    'resource-conflict',
    'is the gateway',
  ],
  [
    'two endpoints with one address',
    [
      red,
      front,
      doc('Endpoint', 'e', '{subnet: front, addresses: [10.1.0.5]}'),
      doc('Endpoint', 'f', '{subnet: front, addresses: [10.1.0.5]}'),
    ],
    'resource-conflict',
    "Endpoint 'e' has this address already",
  ],
  [
    'a service with the address of an endpoint',
    [
      red,
      front,
      doc('Endpoint', 'e', '{subnet: front, addresses: [10.1.255.5]}'),
      doc('OverlayService', 's', '{vpc: red, addresses: [10.1.255.5], ports: [{port: 80}], selector: {a: b}}'),
    ],
    'resource-conflict',
    "Endpoint 'e' has this address already",
  ],
  [
    'a service where pods get addresses',
    [red, front, doc('OverlayService', 's', '{vpc: red, addresses: [10.1.0.5], ports: [{port: 80}], selector: {a: b}}')],
    'resource-conflict',
    'choose one of its fixed range',
  ],
  [
    'a service outside of its VPC',
    [red, doc('OverlayService', 's', '{vpc: red, addresses: [11.1.0.5], ports: [{port: 80}], selector: {a: b}}')],
    'resource-conflict',
    "11.1.0.5 is not in VPC 'red'",
  ],
  ['a policy of no VPC', [doc('OverlayPolicy', 'p', '{vpc: red}')], 'resource-reference', "there is no VPC 'red'"],
  ['a peer that is not there', [doc('VPC', 'a', '{prefixes: [10.0.0.0/8], peers: [b]}')], 'resource-reference', "there is no VPC 'b'"],
  [
    'a peer that does not agree',
    [doc('VPC', 'a', '{prefixes: [10.0.0.0/8], peers: [b]}'), doc('VPC', 'b', '{prefixes: [11.0.0.0/8]}')],
    'resource-reference',
    "VPC 'b' does not name 'a' as its peer",
  ],
  ['a peer of itself', [doc('VPC', 'a', '{prefixes: [10.0.0.0/8], peers: [a]}')], 'resource-conflict', 'no peer of itself'],
  [
    'peers that overlap',
    [doc('VPC', 'a', '{prefixes: [10.0.0.0/8], peers: [b]}'), doc('VPC', 'b', '{prefixes: [10.1.0.0/16], peers: [a]}')],
    'resource-conflict',
    "10.0.0.0/8 overlaps an address range of VPC 'b'",
  ],
];

for (const [what, documents, code, message] of refused) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => networksOf(...documents),
      (error) => {
        assert.ok(error instanceof InputError);
        assert.equal(error.code, code, error.message);
        assert.ok(error.message.includes(message), error.message);
        return true;
      },
    );
  });
}

test('tenants may have the same addresses, and an endpoint in each the same one', () => {
  const tenant = (name: string): string[] => [
    doc('VPC', name, '{prefixes: [10.0.0.0/8]}'),
    doc('Subnet', `${name}-net`, `{vpc: ${name}, prefixes: [10.1.0.0/16]}`),
    doc('Endpoint', `${name}-pod`, `{subnet: ${name}-net, addresses: [10.1.0.5]}`),
  ];
  assert.equal(networksOf(...tenant('red'), ...tenant('blue')).endpoints.length, 2);
});

test('peers that agree and share nothing are fine', () => {
  const networks = networksOf(
    doc('VPC', 'a', '{prefixes: [10.0.0.0/9], peers: [b]}'),
    doc('VPC', 'b', '{prefixes: [10.128.0.0/9], peers: [a]}'),
  );
  assert.deepEqual(
    networks.vpcs.map(({ peers }) => peers),
    [['b'], ['a']],
  );
});

test('errors name a resource that comes from no file', () => {
  const [placed] = parseOverlayResources(front, 'FILE');
  assert.ok(placed !== undefined);
  assert.throws(() => tenantNetworks([placedByName(placed.resource)]), { message: "Subnet 'front': spec.vpc: there is no VPC 'red'" });
});

/** Small prefixes in a small range, so that they often meet. */
const smallPrefix = fc.tuple(fc.nat(255), fc.integer({ min: 24, max: 30 })).map(([last, length]) => {
  const first = last & ((0xff << (32 - length)) & 0xff);
  return `10.0.0.${first}/${length}`;
});

test('overlaps are found exactly when two subnets of a VPC share an address', () => {
  const subnet = fc.record({ vpc: fc.constantFrom('red', 'blue'), prefix: smallPrefix });
  fc.assert(
    fc.property(fc.array(subnet, { maxLength: 8 }), (subnets) => {
      const documents = subnets.map(({ vpc, prefix }, index) => doc('Subnet', `s${index}`, `{vpc: ${vpc}, prefixes: [${prefix}]}`));
      const vpcs = ['red', 'blue'].map((name) => doc('VPC', name, '{prefixes: [10.0.0.0/8]}'));
      const holders = new Set<string>();
      let isShared = false;
      for (const { vpc, prefix } of subnets) {
        for (let last = 0; last < 256; last++) {
          if (!isInPrefix(addressHex(`10.0.0.${last}`), prefixOf(prefix))) continue;
          const key = `${vpc} ${last}`;
          isShared ||= holders.has(key);
          holders.add(key);
        }
      }
      const check = (): unknown => networksOf(...vpcs, ...documents);
      if (isShared) assert.throws(check, { code: 'resource-conflict' });
      else check();
    }),
    { numRuns: 300 },
  );
});

test('a prefix is read exactly when nothing stands behind its length', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.integer({ min: 9, max: 126 }),
      fc.boolean(),
      (octets, length, isCleared) => {
        // Unique local addresses: no range with a meaning of its own.
        octets[0] = 0xfd;
        if (isCleared) for (let bit = length; bit < 128; bit++) octets[bit >> 3] = octets[bit >> 3]! & ~(0x80 >> (bit & 7));
        let isClear = true;
        for (let bit = length; bit < 128; bit++) isClear &&= (octets[bit >> 3]! & (0x80 >> (bit & 7))) === 0;
        const check = (): TenantNetworks => networksOf(doc('VPC', 'a', `{prefixes: ["${formatAddress(octets)}/${length}"]}`));
        if (!isClear) assert.throws(check, { code: 'resource-invalid' });
        else assert.deepEqual(check().vpcs[0]?.prefixes, [{ address: octets.toHex(), length }]);
      },
    ),
  );
});
