import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputError } from '../../base/errors.ts';
import { formatOverlayResources, parseOverlayResources } from './resources.ts';

function documentOf(kind: string, ...spec: string[]): string {
  return [
    'apiVersion: caravan.dev/v1alpha1',
    `kind: ${kind}`,
    'metadata:',
    '  name: a',
    'spec:',
    ...spec.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

const accepted: readonly (readonly [string, unknown])[] = [
  [documentOf('VPC', 'prefixes: [10.0.0.0/8, "FD00:0::0/48"]'), { prefixes: ['10.0.0.0/8', 'fd00::/48'], peers: [], dns: 'forward' }],
  [documentOf('Subnet', 'vpc: red', 'prefixes: [10.1.0.0/30]'), { vpc: 'red', prefixes: ['10.1.0.0/30'], gateways: [], fixed: [] }],
  [
    documentOf('Endpoint', 'subnet: front', 'mac: 02:00:00:00:00:0A'),
    { subnet: 'front', addresses: [], mac: '02:00:00:00:00:0a', ifname: 'eth0', forward: [], offer: [] },
  ],
  [
    documentOf('OverlayService', 'vpc: red', 'addresses: ["fd00::1"]', 'ports: [{port: 80}]', 'selector: {app: web}', 'affinity: client'),
    { vpc: 'red', addresses: ['fd00::1'], ports: [{ protocol: 'tcp', port: 80 }], selector: { app: 'web' }, affinity: 'client' },
  ],
  [documentOf('OverlayPolicy', 'vpc: red'), { vpc: 'red', selector: {}, policyTypes: ['Ingress'], ingress: [], egress: [] }],
];

for (const [text, spec] of accepted) {
  test(`accepted: ${text.replaceAll(/\s+/g, ' ').slice(30, 140)}`, () => {
    const [placed] = parseOverlayResources(text, 'FILE');
    assert.deepEqual(placed?.resource.spec, spec);
    const again = parseOverlayResources(formatOverlayResources([placed!.resource]), 'AGAIN');
    assert.deepEqual(
      again.map(({ resource }) => resource),
      [placed!.resource],
    );
  });
}

const refused: readonly (readonly [string, string])[] = [
  [
    documentOf('VPC', 'prefixes: [10.0.0.0/8]').replace('caravan.dev', 'skupper.io'),
    "FILE:1: apiVersion: must be caravan.dev/v1alpha1, not 'skupper.io/v1alpha1'",
  ],
  [documentOf('Vpc', 'prefixes: [10.0.0.0/8]'), "FILE:2: kind: kind 'Vpc' is unknown; did you mean 'VPC'?"],
  ['- a\n', 'FILE:1: must be a map, not a list'],
  [documentOf('VPC', 'vni: 0', 'prefixes: [10.0.0.0/8]'), 'FILE:6: spec.vni: must be an integer from 1 to 16777215, not 0'],
  [documentOf('VPC', 'vni: 16777216', 'prefixes: [10.0.0.0/8]'), 'FILE:6: spec.vni: must be an integer from 1 to 16777215, not 16777216'],
  [documentOf('VPC', 'prefixes: []'), 'FILE:6: spec.prefixes: needs at least 1 item'],
  [documentOf('VPC', 'prefix: 10.0.0.0/8'), "FILE:6: spec.prefix: key 'prefix' is unknown; did you mean 'prefixes'?"],
  [documentOf('VPC', 'prefixes:', '- 10.0.0.1/8'), 'FILE:7: spec.prefixes[0]: has bits behind its length 8'],
  [
    documentOf('VPC', 'prefixes:', '- 10.0.0.0/33'),
    "FILE:7: spec.prefixes[0]: must be a prefix such as 10.0.0.0/16, not the text '10.0.0.0/33'",
  ],
  [documentOf('VPC', 'prefixes:', '- 10.0.0.0'), "FILE:7: spec.prefixes[0]: must be a prefix such as 10.0.0.0/16, not the text '10.0.0.0'"],
  [documentOf('VPC', 'prefixes:', '- 127.0.0.0/16'), 'FILE:7: spec.prefixes[0]: 127.0.0.0/16 overlaps 127.0.0.0/8 (loopback)'],
  [documentOf('VPC', 'prefixes:', '- 0.0.0.0/0'), 'FILE:7: spec.prefixes[0]: 0.0.0.0/0 overlaps 0.0.0.0/8 (this network)'],
  [documentOf('VPC', 'prefixes:', '- "ff00::/16"'), 'FILE:7: spec.prefixes[0]: ff00::/16 overlaps ff00::/8 (multicast)'],
  [
    documentOf('VPC', 'prefixes:', '- "::ffff:10.0.0.0/104"'),
    "FILE:7: spec.prefixes[0]: must be a prefix such as 10.0.0.0/16, not the text '::ffff:10.0.0.0/104'",
  ],
  [documentOf('VPC', 'prefixes: [10.0.0.0/8, 10.1.0.0/16]'), 'FILE:6: spec.prefixes[1]: 10.1.0.0/16 overlaps 10.0.0.0/8'],
  [documentOf('VPC', 'prefixes: [10.0.0.0/8]', 'peers: [b, b]'), "FILE:7: spec.peers[1]: 'b' stands twice"],
  [
    documentOf('VPC', 'prefixes: [10.0.0.0/8]').replace('name: a', 'name: A'),
    "FILE:4: metadata.name: must be a name of at most 63 lower case letters, digits and '-', beginning and ending with a letter or digit, not the text 'A'",
  ],
  [
    documentOf('VPC', 'prefixes: [10.0.0.0/8]').replace('name: a', 'name: a\n  namespace: b'),
    "FILE:5: metadata.namespace: key 'namespace' is not supported: networks of tenants are told apart by their VPC, and names are of all of them",
  ],
  [
    documentOf('Subnet', 'prefixes: [10.0.0.0/24]'),
    "FILE:5: spec: key 'vpc' is required (a name of at most 63 lower case letters, digits and '-', beginning and ending with a letter or digit: VPC that it belongs to)",
  ],
  [documentOf('Subnet', 'vpc: a', 'prefixes: [10.0.0.0/24, 10.0.1.0/24]'), 'FILE:7: spec.prefixes[1]: is a second one of IPv4'],
  [documentOf('Subnet', 'vpc: a', 'prefixes: [10.0.0.0/31]'), 'FILE:7: spec.prefixes[0]: 10.0.0.0/31 has no room for endpoints'],
  [
    documentOf('Subnet', 'vpc: a', 'prefixes: [10.0.0.0/24]', 'gateways: ["fd00::1"]'),
    'FILE:8: spec.gateways[0]: has no prefix of its family',
  ],
  [
    documentOf('Subnet', 'vpc: a', 'prefixes: [10.0.0.0/24]', 'fixed: [10.0.1.0/28]'),
    'FILE:8: spec.fixed[0]: 10.0.1.0/28 is not inside of 10.0.0.0/24',
  ],
  [
    documentOf('Subnet', 'vpc: a', 'prefixes: [10.0.0.0/24]', 'fixed: [10.0.0.0/29]'),
    'FILE:8: spec.fixed[0]: 10.0.0.0/29 is smaller than a block of 16 addresses, which hosts get as a whole',
  ],
  [
    documentOf('Subnet', 'vpc: a', 'prefixes: [10.0.0.0/24]', 'mtu: 1279'),
    'FILE:8: spec.mtu: must be an integer from 1280 to 9000, not 1279',
  ],
  [
    documentOf('Endpoint', 'subnet: a', 'mac: 01:00:00:00:00:01'),
    "FILE:7: spec.mac: must be a MAC of one interface such as 02:00:00:00:00:01, not the text '01:00:00:00:00:01'",
  ],
  [
    documentOf('Endpoint', 'subnet: a', 'addresses: [10.0.0.256]'),
    "FILE:7: spec.addresses[0]: must be an IPv4 or IPv6 address, not the text '10.0.0.256'",
  ],
  [documentOf('Endpoint', 'subnet: a', 'netns: ns'), "FILE:7: spec.netns: must be an absolute path, not the text 'ns'"],
  [
    documentOf('OverlayService', 'vpc: a', 'addresses: [10.0.0.1]', 'ports: [{port: 80}, {port: 80}]', 'selector: {a: b}'),
    "FILE:8: spec.ports[1]: 'tcp 80' stands twice",
  ],
  [
    documentOf('OverlayService', 'vpc: a', 'addresses: [10.0.0.1]', 'ports: [{port: 80}]', 'selector: {}'),
    'FILE:9: spec.selector: must name a label',
  ],
  [documentOf('OverlayPolicy', 'vpc: a', 'egress: [{}]'), "FILE:7: spec.egress: needs 'Egress' in policyTypes"],
  [
    documentOf('OverlayPolicy', 'vpc: a', 'ingress: [{from: [{}]}]'),
    "FILE:7: spec.ingress[0].from[0]: needs exactly one of 'selector' and 'prefix'",
  ],
  [
    documentOf('OverlayPolicy', 'vpc: a', 'ingress: [{from: [{prefix: 10.0.0.0/24, except: [10.1.0.0/24]}]}]'),
    'FILE:7: spec.ingress[0].from[0].except[0]: 10.1.0.0/24 is not inside of the prefix',
  ],
  [
    documentOf('OverlayPolicy', 'vpc: a', 'ingress: [{ports: [{port: 90, endPort: 80}]}]'),
    "FILE:7: spec.ingress[0].ports[0].endPort: must not be below 'port'",
  ],
  [
    documentOf('OverlayPolicy', 'vpc: a', 'ingress: [{ports: [{protocol: icmp, port: 90}]}]'),
    'FILE:7: spec.ingress[0].ports[0].port: icmp has no ports',
  ],
];

for (const [text, message] of refused) {
  test(`refused: ${message}`, () => {
    assert.throws(
      () => parseOverlayResources(text, 'FILE'),
      (error) => {
        assert.ok(error instanceof InputError);
        assert.equal(error.message, message);
        return true;
      },
    );
  });
}

test('what to write instead is told', () => {
  assert.throws(() => parseOverlayResources(documentOf('VPC', 'prefixes: [10.1.2.3/16]'), 'FILE'), { remedy: 'write 10.1.0.0/16' });
});

test('whatever the text, it is read or refused with a place', () => {
  const value = fc.constantFrom('10.0.0.0/8', 'a', '1', '[]', '{}', '[a]', '["::/0"]', 'null', '{a: b}', '[{port: 1}]');
  const key = fc.constantFrom(
    'vpc',
    'vni',
    'prefixes',
    'subnet',
    'addresses',
    'ports',
    'selector',
    'ingress',
    'egress',
    'policyTypes',
    'mac',
    'fixed',
  );
  const spec = fc.uniqueArray(fc.tuple(key, value), { maxLength: 6, selector: ([name]) => name });
  const kind = fc.constantFrom('VPC', 'Subnet', 'Endpoint', 'OverlayService', 'OverlayPolicy');
  fc.assert(
    fc.property(kind, spec, (name, lines) => {
      try {
        parseOverlayResources(documentOf(name, ...lines.map(([one, two]) => `${one}: ${two}`)), 'FILE');
      } catch (error) {
        assert.ok(error instanceof InputError, String(error));
        assert.match(error.where, /^FILE:\d+/);
      }
    }),
    { numRuns: 500 },
  );
});
