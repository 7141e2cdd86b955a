import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressHex, isInPrefix, octetsOf, type AddressHex, type Prefix } from '../control/address.ts';
import { plan } from '../control/plan.ts';
import { maps } from '../layout/maps.ts';
import { policyDirection, policyPeer, policyPrefixLength, prefixBitsBeforeAddress } from '../layout/policy.ts';
import { memoryMaps, type MemoryMaps } from '../memory-maps.ts';
import { prefixOf } from '../resources/address-types.ts';
import type { Labels, PolicyPort } from '../resources/resource-types.ts';
import type { Peer, Policy, Rule } from '../resources/tenant-network.ts';
import { doesSelect } from './labels.ts';
import { policyRecords } from './policy-records.ts';

const vni = 7;
const subject = 1000;
/** Identities of the VPC by their numbers. */
const identities: ReadonlyMap<number, Labels> = new Map<number, Labels>([
  [1, {}],
  [2, { app: 'web' }],
  [3, { app: 'db' }],
  [4, { app: 'web', tier: 'a' }],
  [policyPeer.gateway, {}],
]);
const protocols = { tcp: [6], udp: [17], sctp: [132], icmp: [1, 58] } as const;

const selector = fc.constantFrom<Labels>({}, { app: 'web' }, { app: 'db' }, { tier: 'a' }, { app: 'none' });
const nets4 = ['0.0.0.0/0', '10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24', '10.1.2.3/32', '192.0.2.0/24'];
const nets6 = ['::/0', 'fd00::/16', 'fd00:1::/32', 'fd00:1::5/128'];

function prefixPeer(nets: readonly string[], family: 'IPv4' | 'IPv6'): fc.Arbitrary<Peer> {
  return fc.record({ net: fc.constantFrom(...nets), except: fc.subarray([...nets], { maxLength: 2 }) }).map(({ net, except }): Peer => {
    const prefix = prefixOf(net);
    const inside = except.map(prefixOf).filter((part) => part.length > prefix.length && isInPrefix(part.address, prefix));
    return { kind: 'prefix', family, prefix, except: inside };
  });
}

const peer: fc.Arbitrary<Peer> = fc.oneof(
  selector.map((selected): Peer => ({ kind: 'selector', selector: selected })),
  prefixPeer(nets4, 'IPv4'),
  prefixPeer(nets6, 'IPv6'),
);
const port: fc.Arbitrary<PolicyPort> = fc.oneof(
  fc.constantFrom<PolicyPort>({ protocol: 'icmp' }, { protocol: 'tcp' }, { protocol: 'udp', port: 53 }, { protocol: 'sctp', port: 80 }),
  fc.record({ first: fc.integer({ min: 75, max: 90 }), count: fc.nat(20) }).map(({ first, count }): PolicyPort => ({
    protocol: 'tcp',
    port: first,
    endPort: first + count,
  })),
);
const rules: fc.Arbitrary<readonly Rule[] | undefined> = fc.option(
  fc.array(fc.record({ peers: fc.array(peer, { maxLength: 3 }), ports: fc.array(port, { maxLength: 3 }) }), { maxLength: 3 }),
  { nil: undefined },
);
const policies: fc.Arbitrary<readonly Policy[]> = fc.array(
  fc.record({ ingress: rules, egress: rules }).map((directions): Policy => ({ name: 'p', vpc: 'red', selector: {}, ...directions })),
  { minLength: 1, maxLength: 3 },
);

interface Packet {
  readonly direction: 'ingress' | 'egress';
  readonly identity: number;
  readonly address: AddressHex;
  readonly protocol: number;
  readonly port: number;
}

const packet: fc.Arbitrary<Packet> = fc.record({
  direction: fc.constantFrom('ingress', 'egress'),
  identity: fc.constantFrom(...identities.keys()),
  address: fc
    .constantFrom(
      '10.0.0.1',
      '10.1.0.1',
      '10.1.2.1',
      '10.1.2.3',
      '192.0.2.9',
      '198.51.100.1',
      'fd00::1',
      'fd00:1::1',
      'fd00:1::5',
      '2001:db8::1',
    )
    .map(addressHex),
  protocol: fc.constantFrom(6, 17, 132, 1, 58, 47),
  port: fc.oneof(fc.integer({ min: 70, max: 115 }), fc.constantFrom(0, 53, 80)),
});

/** As the resources say it. */
function isAllowedByRules(all: readonly Policy[], { direction, identity, address, protocol, port: number }: Packet): boolean {
  const restricting = all.filter((policy) => policy[direction] !== undefined);
  if (restricting.length === 0) return true;
  const isPeer = (candidate: Peer): boolean => {
    if (candidate.kind === 'selector')
      return identity !== policyPeer.gateway && doesSelect(candidate.selector, identities.get(identity) ?? {});
    const isIpv4 = address.startsWith('00000000000000000000ffff');
    return (
      isIpv4 === (candidate.family === 'IPv4') && holds(candidate.prefix, address) && !candidate.except.some((part) => holds(part, address))
    );
  };
  const isPort = (candidate: PolicyPort): boolean => {
    if (!(protocols[candidate.protocol] as readonly number[]).includes(protocol)) return false;
    return candidate.port === undefined || (number >= candidate.port && number <= (candidate.endPort ?? candidate.port));
  };
  return restricting.some((policy) =>
    policy[direction]?.some(
      (rule) => (rule.peers.length === 0 || rule.peers.some(isPeer)) && (rule.ports.length === 0 || rule.ports.some(isPort)),
    ),
  );
}

/** As the data path looks it up. */
function isAllowedByRecords(memory: MemoryMaps, { direction, identity, address, protocol, port: number }: Packet): boolean {
  const scope = memory.map(maps.policyScopes.name).get(maps.policyScopes.key.encode({ vni, subject }));
  const code = policyDirection[direction];
  if (scope === undefined || (maps.policyScopes.value.decode(scope).restricted & code) === 0) return true;
  const prefixKey = { prefixLength: prefixBitsBeforeAddress + 128, vni, subject, direction: code, address: octetsOf(address) };
  const found = memory.map(maps.policyPrefixes.name).get(maps.policyPrefixes.key.encode(prefixKey));
  const peers = [identity, policyPeer.everybody];
  if (found !== undefined) peers.push(maps.policyPrefixes.value.decode(found).peer);
  return peers.some((candidate) => {
    const key = { prefixLength: policyPrefixLength.port, vni, subject, peer: candidate, direction: code, protocol, port: number };
    return memory.map(maps.policies.name).get(maps.policies.key.encode(key)) !== undefined;
  });
}

function holds(prefix: Prefix, address: AddressHex): boolean {
  return isInPrefix(address, prefix);
}

function peersOf(wanted: Labels): readonly number[] {
  return [...identities].flatMap(([identity, labels]) => (identity !== policyPeer.gateway && doesSelect(wanted, labels) ? [identity] : []));
}

test('what the records allow is what the policies allow', () => {
  let allowed = 0;
  let refused = 0;
  fc.assert(
    fc.property(policies, fc.array(packet, { minLength: 20, maxLength: 40 }), (all, packets) => {
      const memory = memoryMaps();
      const made = policyRecords(vni, subject, all, peersOf);
      for (const write of plan(made?.records ?? new Map(), new Map())) {
        assert.equal(write.kind, 'put');
        if (write.kind === 'put') memory.map(write.map).put(write.key, write.value);
      }
      for (const one of packets) {
        const expected = isAllowedByRules(all, one);
        assert.equal(isAllowedByRecords(memory, one), expected, JSON.stringify(one));
        if (expected) allowed++;
        else refused++;
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(allowed > 500 && refused > 500, `${allowed} allowed, ${refused} refused`);
});

test('equal rules have equal revisions, others others', () => {
  const rule = (number: number): Policy => ({
    name: 'p',
    vpc: 'red',
    selector: {},
    ingress: [{ peers: [], ports: [{ protocol: 'tcp', port: number }] }],
    egress: undefined,
  });
  const revision = (...all: readonly Policy[]): number | undefined => policyRecords(vni, subject, all, peersOf)?.revision;
  assert.equal(revision(rule(80), rule(81)), revision(rule(81), rule(80)));
  assert.equal(revision(rule(80), rule(80)), revision(rule(80)));
  assert.notEqual(revision(rule(80)), revision(rule(81)));
  assert.equal(revision({ ...rule(80), ingress: undefined }), undefined);
});
