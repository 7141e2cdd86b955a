/** Which flows policies allow, rule by rule, in all programs of the data path, with IPv4 and IPv6. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { policyPeer } from '../../src/overlay/layout/policy.ts';
import { noPolicies, type PolicyTables } from '../../src/overlay/model/policy.ts';
import type { Tables } from '../../src/overlay/model/tables.ts';
import { isIpv4 } from '../../src/overlay/packet/address.ts';
import { ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { tcpFlag } from '../../src/overlay/packet/tcp.ts';
import { skipWithoutKernel } from '../../src/kernel/bpf/test-kernel.ts';
import {
  egress,
  families,
  fromRemote,
  identity,
  ingress,
  PolicyWorld,
  programs,
  rulesOf,
  type PrefixRule,
  type Rule,
} from './policy-world.ts';
import { directory, keyName, neighbour, open, pathTo, pod, ProgramWorld, remote, tunnelFrame, type Outcome } from './program-world.ts';
import { reasonsOf, reversed } from './service-cases.ts';
import { echoFrame, icmpFrame, tcpFrame, udpFrame, type Between } from './service-packets.ts';
import { flag, location, paths } from './transit-frames.ts';

const skip = skipWithoutKernel();
const world = skip === false ? new ProgramWorld() : undefined;
after(() => world?.[Symbol.dispose]());

const { tcp, udp } = ipProtocol;
const firstClass = policyPeer.firstClass + 1;

for (const { agent, transit } of programs) {
  for (const { family, of } of families) {
    const about = `${agent}, ${family}:`;
    const toRemote: Between = { source: of(pod), sourcePort: 40_000, destination: of(remote), destinationPort: 2000 };
    const toPod = reversed({ ...toRemote, sourcePort: 2000, destinationPort: 40_000 });
    const known = paths([of(remote), pathTo(2, identity.remote)]);

    /** What becomes of the first packet of a flow of `remote` to the pod, which says who sends it. */
    const arrives = (policy: PolicyTables, frame: Uint8Array = tcpFrame(toPod, tcpFlag.syn, fromRemote)): string =>
      reasonsOf(new PolicyWorld(world!).run(transit, tunnelFrame(frame, { options: [location()] }), policy)).join();
    /** What becomes of the first packet of a flow of the pod to `remote`, which is known. */
    const departs = (policy: PolicyTables, frame: Uint8Array = tcpFrame(toRemote, tcpFlag.syn), changes: Partial<Tables> = known): string =>
      reasonsOf(new PolicyWorld(world!).run(agent, frame, policy, changes)).join();
    const both = (policy: { rules?: readonly Rule[]; prefixes?: readonly PrefixRule[] }, expected: boolean, what: string): void => {
      const allowed = [arrives(rulesOf({ ...policy, restricted: ingress })), departs(rulesOf({ ...policy, restricted: egress }))];
      assert.deepEqual(allowed, expected ? ['delivered', 'sentDirect'] : ['policy', 'policy'], what);
    };

    test(`${about} what is not restricted is allowed, what is restricted needs a rule`, { skip }, () => {
      assert.deepEqual([arrives(noPolicies), departs(noPolicies)], ['delivered', 'sentDirect']);
      assert.deepEqual([arrives(rulesOf({ restricted: 0 })), departs(rulesOf({ restricted: 0 }))], ['delivered', 'sentDirect']);
      both({}, false, 'no rule');
      // Restricted in the other direction only.
      assert.deepEqual([arrives(rulesOf({ restricted: egress })), departs(rulesOf())], ['delivered', 'sentDirect']);
      // The rules of another identity.
      assert.deepEqual(
        [arrives(rulesOf({ subject: 12 })), departs(rulesOf({ subject: 12, restricted: egress }))],
        ['delivered', 'sentDirect'],
      );
    });

    test(`${about} rules are for identities, for everybody, and in one direction`, { skip }, () => {
      both({ rules: [{ peer: identity.remote }] }, true, 'its identity');
      both({ rules: [{ peer: 22 }] }, false, 'another identity');
      both({ rules: [{}] }, true, 'everybody');
      both({ rules: [{ subject: 12 }] }, false, 'a rule of another subject');
      both({ rules: [{ vni: 8 }] }, false, 'a rule of another VPC');
      assert.equal(arrives(rulesOf({ rules: [{ direction: egress }] })), 'policy');
      assert.equal(departs(rulesOf({ restricted: egress, rules: [{ direction: ingress }] })), 'policy');
    });

    test(`${about} rules are for protocols and ports`, { skip }, () => {
      both({ rules: [{ protocol: tcp }] }, true, 'any port of the protocol');
      both({ rules: [{ protocol: udp }] }, false, 'another protocol');
      both({ rules: [{ protocol: tcp, port: 2000 }] }, true, 'the receiver');
      both({ rules: [{ protocol: tcp, port: 40_000 }] }, false, 'the port of the sender');
      const port = (policy: readonly Rule[], number: number): string =>
        arrives(rulesOf({ rules: policy }), tcpFrame({ ...toPod, destinationPort: number }, tcpFlag.syn, fromRemote));
      const range: Rule[] = [{ protocol: tcp, port: 2048, portBits: 11 }];
      assert.deepEqual(
        [2047, 2048, 2050, 2079, 2080].map((number) => port(range, number)),
        ['policy', 'delivered', 'delivered', 'delivered', 'policy'],
      );
      assert.deepEqual([port([{ protocol: tcp, port: 80 }], 80), port([{ protocol: tcp, port: 80 }], 81)], ['delivered', 'policy']);
      const udpRule = rulesOf({ rules: [{ protocol: udp, port: 2000 }] });
      assert.deepEqual([arrives(udpRule, udpFrame(toPod, fromRemote)), arrives(udpRule)], ['delivered', 'policy']);
    });

    test(`${about} rules are for addresses, but for exceptions among them`, { skip }, () => {
      const wide = isIpv4(of(remote)) ? '10.0.0.0/8' : 'fd00::/16';
      const exact = isIpv4(of(remote)) ? '10.0.0.21/32' : 'fd00::21/128';
      const other = isIpv4(of(remote)) ? '10.0.0.22/32' : 'fd00::22/128';
      const rules = [{ peer: firstClass, protocol: tcp }];
      both({ rules, prefixes: [{ prefix: wide, peer: firstClass }] }, true, 'in the prefix');
      both({ rules, prefixes: [{ prefix: other, peer: firstClass }] }, false, 'not in the prefix');
      const but = (prefix: string): PrefixRule[] => [
        { prefix: wide, peer: firstClass },
        { prefix, peer: policyPeer.firstClass },
      ];
      both({ rules, prefixes: but(exact) }, false, 'the exception');
      both({ rules, prefixes: but(other) }, true, 'beside the exception');
      both({ rules: [...rules, { peer: identity.remote }], prefixes: but(exact) }, true, 'allowed by its identity all the same');
    });

    test(`${about} echoes are of ICMP with port 0; other messages are decided one by one`, { skip }, () => {
      const protocol = isIpv4(of(pod)) ? ipProtocol.icmp : ipProtocol.icmpv6;
      const allowed = rulesOf({ rules: [{ protocol, port: 0 }] });
      const request = echoFrame(toPod, 77, 'echoRequest', fromRemote);
      assert.deepEqual([arrives(rulesOf(), request), arrives(allowed, request)], ['policy', 'delivered']);
      const timestamp = icmpFrame(toPod, { type: isIpv4(of(pod)) ? 13 : 200, code: 0, rest: 0, body: new Uint8Array(12) }, fromRemote);
      const flows = new PolicyWorld(world!);
      const run = (policy: PolicyTables): string =>
        reasonsOf(flows.run(transit, tunnelFrame(timestamp, { options: [location()] }), policy)).join();
      assert.deepEqual([run(rulesOf()), run(allowed), run(rulesOf())], ['policy', 'delivered', 'policy']);
      assert.equal(flows.flows.size, 0);
    });

    test(
      `${about} the sender's identity is that of its path, also of one that has expired, of an owner's entry, or of the packet`,
      { skip },
      () => {
        const policy = rulesOf({ rules: [{ peer: identity.remote }] });
        const frame = tunnelFrame(tcpFrame(toPod, tcpFlag.syn, fromRemote));
        const run = (changes: Partial<Tables>, options = frame): string =>
          reasonsOf(new PolicyWorld(world!).run(transit, options, policy, changes)).join();
        assert.equal(run(known), 'delivered');
        assert.equal(run(paths([of(remote), pathTo(2, identity.remote, { expiresNs: 1n })])), 'delivered');
        assert.equal(run(paths([of(remote), pathTo(2, identity.remote, { identity: 22 })])), 'policy');
        // The packet says it anew.
        const told = tunnelFrame(tcpFrame(toPod, tcpFlag.syn, fromRemote), { options: [location()] });
        assert.equal(run(paths([of(remote), pathTo(2, identity.remote, { identity: 22 })]), told), 'delivered');
        const { endpoints } = new PolicyWorld(world!).world.tables;
        const withEntry = new Map([...endpoints].map(([name, record]) => [name, record.ifindex === 0 ? record : { ...record, flags: 2 }]));
        withEntry.set(keyName(of(remote)), directory(2, identity.remote));
        assert.equal(run({ endpoints: withEntry }), 'delivered');
      },
    );

    test(`${about} a packet of whom nobody knows goes back once, and is dropped when it may not`, { skip }, () => {
      const policy = rulesOf({ rules: [{ peer: identity.remote }] });
      const inner = tcpFrame(toPod, tcpFlag.syn, fromRemote);
      const run = (changes: Partial<Tables>, options: Parameters<typeof tunnelFrame>[1] = {}): Outcome =>
        new PolicyWorld(world!).run(transit, tunnelFrame(inner, options), policy, changes);
      const outcome = run({});
      assert.deepEqual(reasonsOf(outcome), ['sentBack']);
      assert.deepEqual(open(outcome.frame).options, [{ kind: 'moved', endpointGeneration: 0 }]);
      // Its host has started anew since the path was learnt.
      assert.deepEqual(reasonsOf(run(paths([of(remote), pathTo(2, identity.remote, { hostGeneration: 1 })]))), ['sentBack']);
      const untold = location({ hostGeneration: 1, flags: flag.final });
      assert.deepEqual(reasonsOf(run({}, { options: [untold] })), ['noIdentity', 'untrusted']);
      assert.deepEqual(reasonsOf(run({}, { timeToLive: 1 })), ['noIdentity']);
      const everybody = new PolicyWorld(world!).run(transit, tunnelFrame(inner), rulesOf({ rules: [{}] }));
      assert.deepEqual(reasonsOf(everybody), ['delivered']);
    });

    test(`${about} a packet to whom nobody knows asks an owner who that is, and is decided when it comes back`, { skip }, () => {
      const policy = rulesOf({ restricted: egress, rules: [{ peer: identity.remote }] });
      const asked = new PolicyWorld(world!).run(agent, tcpFrame(toRemote), policy);
      assert.deepEqual(reasonsOf(asked), ['sentViaOwner']);
      assert.equal(asked.flows.size, 0);
      const { options, inner } = open(asked.frame);
      assert.deepEqual(
        options.map((option) => (option.kind === 'location' ? [option.identity, option.flags] : option.kind)),
        [[identity.pod, flag.asksWho]],
      );
      const back = (options: Parameters<typeof tunnelFrame>[1], rules = policy): Outcome =>
        new PolicyWorld(world!).run(transit, tunnelFrame(inner, { from: 2, ...options }), rules);
      const place = location({ flags: flag.destination });
      const again = back({ options: [place] });
      assert.deepEqual(reasonsOf(again), ['sentDirect']);
      assert.equal(again.flows.size, 1);
      assert.deepEqual(
        open(again.frame).options.map((option) => (option.kind === 'location' ? [option.identity, option.flags] : option.kind)),
        [[identity.pod, flag.final]],
      );
      // An old path may be that of an older tenant of the address.
      const expired = paths([of(remote), pathTo(2, identity.remote, { expiresNs: 1n })]);
      assert.deepEqual(reasonsOf(new PolicyWorld(world!).run(agent, tcpFrame(toRemote), policy, expired)), ['sentViaOwner']);
      assert.deepEqual(reasonsOf(back({ options: [location({ identity: 22, flags: flag.destination })] })), ['policy']);
      assert.deepEqual(reasonsOf(back({ options: [location({ hostGeneration: 1, flags: flag.destination })] })), ['noIdentity']);
    });

    test(`${about} an owner says who an endpoint is to who asks, and delivers nothing`, { skip }, () => {
      const ask = (flags: number): Outcome =>
        new PolicyWorld(world!).run(
          transit,
          tunnelFrame(tcpFrame(toPod, tcpFlag.syn, fromRemote), { options: [location({ flags })] }),
          noPolicies,
        );
      const answered = ask(flag.asksWho);
      assert.deepEqual(reasonsOf(answered), ['sentBack']);
      assert.deepEqual(
        open(answered.frame).options.map((option) =>
          option.kind === 'location' ? [option.hostId, option.identity, option.flags] : option.kind,
        ),
        [[1, identity.pod, flag.destination]],
      );
      assert.deepEqual(reasonsOf(ask(0)), ['delivered']);
    });

    test(`${about} pods of one host are held to both their rules`, { skip }, () => {
      const toNeighbour = tcpFrame({ ...toRemote, destination: of(neighbour) });
      const run = (policy: PolicyTables): string => reasonsOf(new PolicyWorld(world!).run(agent, toNeighbour, policy)).join();
      assert.equal(run(noPolicies), 'delivered');
      assert.equal(run(rulesOf({ restricted: egress })), 'policy');
      assert.equal(run(rulesOf({ restricted: egress, rules: [{ peer: identity.neighbour }] })), 'delivered');
      assert.equal(run(rulesOf({ subject: identity.neighbour })), 'policy');
      assert.equal(
        run(rulesOf({ subject: identity.neighbour, rules: [{ subject: identity.neighbour, peer: identity.pod }] })),
        'delivered',
      );
    });

    test(`${about} where a VPC has no policies nothing is looked up or kept`, { skip }, () => {
      const policy = rulesOf({ restricted: ingress | egress });
      const departed = world!.run(agent, tcpFrame(toRemote), { ...known, policy });
      const arrived = world!.run(transit, tunnelFrame(tcpFrame(toPod, tcpFlag.syn, fromRemote)), { policy });
      assert.deepEqual([reasonsOf(departed), reasonsOf(arrived)], [['sentDirect'], ['delivered']]);
      assert.deepEqual([departed.flows.size, arrived.flows.size], [0, 0]);
    });
  }
}
