import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { address, ModelNetwork, udpFrame, type Pod } from '../../../test/overlay/model-network.ts';
import { policyDirection, policyPeer, policyPrefixLength, type PolicyKey } from '../layout/policy.ts';
import { noPolicies, scopeName } from './policy.ts';

const { ingress, egress } = policyDirection;
const vni = 7;

/** Host 1 has pod a, host 2 pod b; two hosts own all addresses. Identities are the pods' numbers. */
function network(owners: readonly [number, number] = [3, 4]): { net: ModelNetwork; a: Pod; b: Pod } {
  const net = new ModelNetwork(4, owners, [vni]);
  const pods = { a: net.place(vni, 1, 0, 1), b: net.place(vni, 2, 1, 2) };
  net.usePolicies(vni);
  return { net, ...pods };
}

/** Restricts a pod, whose number is `subject`, to what goes to or comes from `peers`. */
function restrict(net: ModelNetwork, pod: Pod, subject: number, restricted: number, peers: readonly number[], revision = 1): void {
  const tables = net.host(pod.hostId);
  const key = { prefixLength: policyPrefixLength.anyProtocol, vni, subject, direction: restricted, protocol: 0, port: 0 };
  const scopes = new Map([...tables.policy.scopes, [scopeName(vni, subject), { revision, restricted }]]);
  tables.policy = { ...tables.policy, scopes, rules: peers.map((peer) => ({ ...key, peer })) };
}

const answer = { sourcePort: 2000, destinationPort: 1000 };

test('the first packet says who sends it, by whichever host it comes', () => {
  const { net, a, b } = network();
  restrict(net, b, 2, ingress, [1]);
  assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentViaOwner', '3 relayed', '2 delivered']);
  assert.deepEqual(net.send(b, udpFrame(b, a.ipv4, answer)).steps, ['2 sentDirect', '1 delivered']);
  restrict(net, b, 2, ingress, [], 2);
  assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentDirect', '2 policy']);
  assert.deepEqual(net.send(b, udpFrame(b, a.ipv4, answer)).steps, ['2 policy']);
  // A flow of its own may go out.
  assert.deepEqual(net.send(b, udpFrame(b, a.ipv4)).steps, ['2 sentDirect', '1 delivered']);
});

for (const [name, owners, owner] of [
  ['an owner', [3, 4], 3],
  ['an owner that has the endpoint itself', [2, 3], 2],
] as const) {
  test(`a packet to somebody unknown goes to ${name} and back, and none is lost`, () => {
    const { net, a, b } = network(owners);
    restrict(net, a, 1, egress, [2]);
    assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentViaOwner', `${owner} sentBack`, '1 sentDirect', '2 delivered']);
    assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentDirect', '2 delivered']);
    assert.deepEqual(net.send(b, udpFrame(b, a.ipv4, answer)).steps, ['2 sentDirect', '1 delivered']);
    const refused = network(owners);
    restrict(refused.net, refused.a, 1, egress, [3]);
    const { steps } = refused.net.send(refused.a, udpFrame(refused.a, refused.b.ipv4));
    assert.deepEqual(steps, ['1 sentViaOwner', `${owner} sentBack`, '1 policy']);
  });
}

test('a packet to nobody is not let out', () => {
  const { net, a } = network();
  restrict(net, a, 1, egress, [2]);
  assert.deepEqual(net.send(a, udpFrame(a, address('10.0.1.99'))).steps, ['1 sentViaOwner', '3 sentBack', '1 noIdentity']);
});

test('a host that has forgotten all of a flow hears of it again, and no packet is lost', () => {
  const { net, a, b } = network();
  restrict(net, b, 2, ingress, [1]);
  net.send(a, udpFrame(a, b.ipv4));
  net.send(b, udpFrame(b, a.ipv4, answer));
  // So often that the path is not told any more.
  for (let sent = 0; sent < 5; sent++) assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentDirect', '2 delivered']);
  const receiver = net.host(2);
  receiver.policy = { ...receiver.policy, flows: new Map() };
  receiver.paths.clear();
  assert.deepEqual(net.send(a, udpFrame(a, b.ipv4)).steps, ['1 sentDirect', '2 sentBack', '1 sentViaOwner', '3 relayed', '2 delivered']);
  assert.deepEqual(net.send(b, udpFrame(b, a.ipv4, answer)).steps, ['2 sentDirect', '1 delivered']);
});

test('a rule for a prefix of protocol and port allows what begins with its bits', () => {
  const { net, a } = network();
  const c = net.place(vni, 1, 0, 3);
  net.usePolicies(vni);
  const tables = net.host(1);
  const bits = fc.integer({ min: policyPrefixLength.anyProtocol, max: policyPrefixLength.port });
  const port = fc.nat({ max: 0xffff });
  const near = (of: number): fc.Arbitrary<number> =>
    fc.oneof(
      fc.nat({ max: 15 }).map((bit) => of ^ (1 << bit)),
      fc.constant(of),
      port,
    );
  const rule = fc
    .tuple(bits, fc.constantFrom(17, 6), port)
    .chain(([prefixLength, protocol, of]) => fc.tuple(fc.constant({ prefixLength, protocol, port: of }), near(of)));
  fc.assert(
    fc.property(rule, ([{ prefixLength, protocol, port: of }, destinationPort]) => {
      const key: PolicyKey = { prefixLength, vni, subject: 3, peer: policyPeer.everybody, direction: ingress, protocol, port: of };
      tables.policy = { ...noPolicies, rules: [key], scopes: new Map([[scopeName(vni, 3), { revision: 1, restricted: ingress }]]) };
      const text = (ofProtocol: number, ofPort: number): string =>
        ofProtocol.toString(2).padStart(8, '0') + ofPort.toString(2).padStart(16, '0');
      const counted = prefixLength - policyPrefixLength.anyProtocol;
      const allowed = text(17, destinationPort).slice(0, counted) === text(protocol, of).slice(0, counted);
      const { steps } = net.send(a, udpFrame(a, c.ipv4, { destinationPort }));
      assert.deepEqual(steps, [allowed ? '1 delivered' : '1 policy']);
    }),
  );
});
