/** Flows that were decided about: their answers, their end, and what becomes of them when the rules are others. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { flowStateFlag, policyDirection, policyPeer } from '../../src/overlay/layout/policy.ts';
import { flowName, noPolicies, type PolicyTables } from '../../src/overlay/model/policy.ts';
import type { Tables } from '../../src/overlay/model/tables.ts';
import { isIpv4 } from '../../src/overlay/packet/address.ts';
import { ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { tcpFlag } from '../../src/overlay/packet/tcp.ts';
import { skipWithoutKernel } from '../../src/kernel/bpf/test-kernel.ts';
import { egress, families, fromRemote, identity, ingress, PolicyWorld, programs, rulesOf } from './policy-world.ts';
import { neighbour, open, pathTo, pod, podGeneration, ProgramWorld, remote, tunnelFrame, vni, type Outcome } from './program-world.ts';
import { reasonsOf, reversed } from './service-cases.ts';
import { echoFrame, errorFrame, frameOf, tcpFrame, udpFrame, type Between } from './service-packets.ts';
import { location, paths } from './transit-frames.ts';

const skip = skipWithoutKernel();
const world = skip === false ? new ProgramWorld() : undefined;
after(() => world?.[Symbol.dispose]());

const { syn, ack, fin } = tcpFlag;
const seconds = 1_000_000_000n;

/** Nothing may come in, all may go out; and the reverse. */
const noneIn = rulesOf({ restricted: ingress });
const noneOut = rulesOf({ restricted: egress });
const none = rulesOf({ restricted: ingress | egress });
const allIn = (revision: number): PolicyTables => rulesOf({ restricted: ingress | egress, revision, rules: [{}] });
const allOut = (revision: number): PolicyTables => rulesOf({ restricted: ingress | egress, revision, rules: [{ direction: egress }] });
const closed = (revision: number): PolicyTables => rulesOf({ restricted: ingress | egress, revision });

for (const { agent, transit } of programs) {
  for (const { family, of } of families) {
    const about = `${agent}, ${family}:`;
    const out: Between = { source: of(pod), sourcePort: 40_000, destination: of(remote), destinationPort: 2000 };
    const answer = reversed(out);
    const inward: Between = { source: of(remote), sourcePort: 41_000, destination: of(pod), destinationPort: 3000 };
    const known: Partial<Tables> = paths([of(remote), pathTo(2, identity.remote)]);
    const flowOf = (flow: Between, direction: number, protocol: number = ipProtocol.tcp): string =>
      flowName({ ...flow, vni, protocol, direction });

    /** Packets that follow each other. */
    class Talk {
      readonly #world = new PolicyWorld(world!);

      get flows(): PolicyWorld['flows'] {
        return this.#world.flows;
      }

      set flows(flows: PolicyWorld['flows']) {
        this.#world.flows = flows;
      }

      departed(frame: Uint8Array, policy: PolicyTables, changes = known): Outcome {
        return this.#world.run(agent, frame, policy, changes);
      }

      departs(frame: Uint8Array, policy: PolicyTables, changes = known): string {
        return reasonsOf(this.departed(frame, policy, changes)).join();
      }

      arrives(frame: Uint8Array, policy: PolicyTables, changes = known): string {
        return reasonsOf(this.#world.run(transit, tunnelFrame(frame), policy, changes)).join();
      }

      asNeighbour(frame: Uint8Array, policy: PolicyTables): string {
        return reasonsOf(this.#world.runAsNeighbour(agent, frame, policy)).join();
      }

      /** As if so much time had passed. */
      rest(ns: bigint): void {
        this.flows = new Map([...this.flows].map(([name, state]) => [name, { ...state, usedNs: state.usedNs - ns }]));
      }
    }
    const arrival = (flow: Between, flags: number): Uint8Array => tcpFrame(flow, flags, fromRemote);

    test(`${about} the answers of what goes out come in, and the reverse`, { skip }, () => {
      const talk = new Talk();
      assert.equal(talk.arrives(arrival(answer, syn | ack), noneIn), 'policy');
      assert.equal(talk.departs(tcpFrame(out, syn), noneIn), 'sentDirect');
      assert.equal(talk.arrives(arrival(answer, syn | ack), noneIn), 'delivered');
      assert.equal(talk.departs(tcpFrame(out, ack), noneIn), 'sentDirect');
      // Another port is another flow.
      assert.equal(talk.arrives(arrival({ ...answer, destinationPort: 40_001 }, ack), noneIn), 'policy');
      const served = new Talk();
      assert.equal(served.departs(tcpFrame(reversed(inward), syn | ack), noneOut), 'policy');
      assert.equal(served.arrives(arrival(inward, syn), noneOut), 'delivered');
      assert.equal(served.departs(tcpFrame(reversed(inward), syn | ack), noneOut), 'sentDirect');
    });

    test(`${about} UDP and echoes have answers, too`, { skip }, () => {
      const talk = new Talk();
      assert.equal(talk.departs(udpFrame(out), noneIn), 'sentDirect');
      assert.equal(talk.arrives(udpFrame(answer, fromRemote), noneIn), 'delivered');
      assert.equal(talk.departs(echoFrame(out, 9), noneIn), 'sentDirect');
      assert.equal(talk.arrives(echoFrame(answer, 9, 'echoReply', fromRemote), noneIn), 'delivered');
      assert.equal(talk.arrives(echoFrame(answer, 10, 'echoReply', fromRemote), noneIn), 'policy');
      assert.equal(talk.arrives(echoFrame(answer, 9, 'echoRequest', fromRemote), noneIn), 'policy');
      // An identifier may be 0, and is not another kind of message then.
      assert.equal(talk.departs(echoFrame(out, 0), noneIn), 'sentDirect');
      assert.equal(talk.arrives(echoFrame(answer, 0, 'echoReply', fromRemote), noneIn), 'delivered');
    });

    test(`${about} a SYN is no answer: who is spoken to may not open connections to the port that spoke`, { skip }, () => {
      const talk = new Talk();
      assert.equal(talk.departs(tcpFrame(out, syn), noneIn), 'sentDirect');
      assert.equal(talk.arrives(arrival(answer, syn), noneIn), 'policy');
      assert.equal(talk.arrives(arrival(answer, syn | ack), noneIn), 'delivered');
    });

    test(`${about} the other host hears who sends until it has answered`, { skip }, () => {
      const talk = new Talk();
      const optionsOf = (frame: Uint8Array): string[] =>
        open(talk.departed(frame, noPolicies, known).frame).options.map((option) =>
          option.kind === 'location' ? `${option.identity} ${option.endpointGeneration}` : option.kind,
        );
      const itself = [`${identity.pod} ${podGeneration}`];
      // The path has been told often enough.
      assert.deepEqual(optionsOf(tcpFrame(out, syn)), itself);
      assert.deepEqual(optionsOf(tcpFrame(out, syn)), itself);
      assert.equal(talk.arrives(arrival(answer, syn | ack), noPolicies), 'delivered');
      assert.deepEqual(optionsOf(tcpFrame(out, ack)), []);
      // The port is used again, maybe after a move of the other end.
      assert.deepEqual(optionsOf(tcpFrame(out, syn)), itself);
      assert.equal(talk.arrives(arrival(inward, syn), noPolicies), 'delivered');
      // Its first answer says it, too: who began the flow may know an older tenant of the address.
      assert.deepEqual(optionsOf(tcpFrame(reversed(inward), syn | ack)), itself);
      assert.deepEqual(optionsOf(tcpFrame(reversed(inward), ack)), []);
    });

    test(`${about} a rule that is revoked cuts what came in by it, in both directions, until it is back`, { skip }, () => {
      const talk = new Talk();
      assert.equal(talk.arrives(arrival(inward, syn), allIn(1)), 'delivered');
      assert.equal(talk.departs(tcpFrame(reversed(inward), syn | ack), allIn(1)), 'sentDirect');
      assert.equal(talk.arrives(arrival(inward, ack), closed(2)), 'policy');
      // What may go out of itself may not go out as an answer of what was cut.
      const onlyIn = rulesOf({ restricted: ingress, revision: 2 });
      assert.equal(talk.departs(tcpFrame(reversed(inward), ack), onlyIn), 'policy');
      assert.equal(talk.arrives(arrival(inward, ack), onlyIn), 'policy');
      assert.equal(talk.arrives(arrival(inward, ack), allIn(3)), 'delivered');
      assert.equal(talk.departs(tcpFrame(reversed(inward), ack), allIn(3)), 'sentDirect');
      // Rules that come back are the same as before, also for a flow that began anew meanwhile.
      assert.equal(talk.arrives(arrival(inward, syn), closed(2)), 'policy');
      assert.equal(talk.arrives(arrival(inward, ack), allIn(3)), 'delivered');
      // It may be the answer that meets the new rules first.
      assert.equal(talk.departs(tcpFrame(reversed(inward), ack), rulesOf({ restricted: ingress, revision: 4 })), 'policy');
    });

    test(`${about} a rule that is revoked cuts what went out by it, in both directions, until it is back`, { skip }, () => {
      const talk = new Talk();
      assert.equal(talk.departs(tcpFrame(out, syn), allOut(1)), 'sentDirect');
      assert.equal(talk.arrives(arrival(answer, syn | ack), allOut(1)), 'delivered');
      assert.equal(talk.arrives(arrival(answer, ack), closed(2)), 'policy');
      assert.equal(talk.departs(tcpFrame(out, ack), closed(2)), 'policy');
      const onlyOut = rulesOf({ restricted: egress, revision: 2 });
      assert.equal(talk.arrives(arrival(answer, ack), onlyOut), 'policy');
      assert.equal(talk.departs(tcpFrame(out, ack), allOut(3)), 'sentDirect');
      assert.equal(talk.arrives(arrival(answer, ack), allOut(3)), 'delivered');
    });

    test(`${about} a flow is decided anew when its subject or its sender has other labels`, { skip }, () => {
      const talk = new Talk();
      const fromRemoteOnly = rulesOf({ rules: [{ peer: identity.remote }] });
      assert.equal(talk.arrives(arrival(inward, syn), fromRemoteOnly), 'delivered');
      const relabelled = new PolicyWorld(world!);
      relabelled.flows = talk.flows;
      const told = tunnelFrame(arrival(inward, ack), { options: [location({ identity: 22 })] });
      assert.deepEqual(reasonsOf(relabelled.run(transit, told, fromRemoteOnly, known)), ['policy']);
      // Of another subject the revision says nothing.
      const [[name, state]] = [...talk.flows] as [[string, NonNullable<ReturnType<(typeof talk.flows)['get']>>]];
      talk.flows = new Map([[name, { ...state, subject: 99 }]]);
      assert.equal(talk.arrives(arrival(inward, ack), noneIn), 'policy');
    });

    test(`${about} an answer that says another sender than was thought ends the flow`, { skip }, () => {
      const toRemoteOnly = rulesOf({ restricted: egress, rules: [{ peer: identity.remote }] });
      const talk = new PolicyWorld(world!);
      assert.deepEqual(reasonsOf(talk.run(agent, tcpFrame(out, syn), toRemoteOnly, known)), ['sentDirect']);
      const told = (as: number): Uint8Array => tunnelFrame(arrival(answer, syn | ack), { options: [location({ identity: as })] });
      assert.deepEqual(reasonsOf(talk.run(transit, told(identity.remote), toRemoteOnly, known)), ['delivered']);
      assert.deepEqual(reasonsOf(talk.run(transit, told(22), toRemoteOnly, known)), ['policy']);
      assert.deepEqual(reasonsOf(talk.run(agent, tcpFrame(out, ack), toRemoteOnly, known)), ['policy']);
    });

    test(`${about} the flow of an endpoint that was here before is none of who has its address now`, { skip }, () => {
      const talk = new Talk();
      assert.equal(talk.departs(tcpFrame(out, syn), noneIn), 'sentDirect');
      talk.flows = new Map([...talk.flows].map(([name, state]) => [name, { ...state, generation: podGeneration - 1 }]));
      assert.equal(talk.arrives(arrival(answer, syn | ack), noneIn), 'policy');
    });

    test(`${about} a flow that rests is forgotten: the sooner the less both ends have said`, { skip }, () => {
      const rests = (ns: bigint, ...frames: readonly ((talk: Talk) => void)[]): string => {
        const talk = new Talk();
        talk.departs(tcpFrame(out, syn), noneIn);
        for (const frame of frames) frame(talk);
        talk.rest(ns);
        return talk.arrives(arrival(answer, ack), noneIn);
      };
      const answered = (talk: Talk): void => void talk.arrives(arrival(answer, syn | ack), noneIn);
      const ended = (talk: Talk): void => void talk.departs(tcpFrame(out, fin | ack), noneIn);
      assert.deepEqual([rests(50n * seconds), rests(61n * seconds)], ['delivered', 'policy']);
      assert.deepEqual([rests(7000n * seconds, answered), rests(7201n * seconds, answered)], ['delivered', 'policy']);
      assert.deepEqual([rests(50n * seconds, answered, ended), rests(61n * seconds, answered, ended)], ['delivered', 'policy']);
      const talk = new Talk();
      talk.departs(udpFrame(out), noneIn);
      talk.arrives(udpFrame(answer, fromRemote), noneIn);
      talk.rest(61n * seconds);
      assert.equal(talk.arrives(udpFrame(answer, fromRemote), noneIn), 'policy');
    });

    test(`${about} a flow that was forgotten goes on with the next packet of who began it, not with an answer`, { skip }, () => {
      const talk = new Talk();
      assert.equal(talk.arrives(arrival(answer, ack), noneIn), 'policy');
      assert.equal(talk.departs(tcpFrame(out, ack), noneIn), 'sentDirect');
      assert.equal(talk.arrives(arrival(answer, ack), noneIn), 'delivered');
    });

    test(`${about} errors about a flow pass with it, others do not`, { skip }, () => {
      const error = isIpv4(of(pod)) ? { type: 3, code: 4 } : { type: 2, code: 0 };
      const talk = new Talk();
      const sent = udpFrame(out);
      const about_ = (quoted: Uint8Array): Uint8Array => errorFrame(answer, quoted, error, 60, fromRemote);
      assert.equal(talk.arrives(about_(sent), noneIn), 'policy');
      assert.equal(talk.departs(sent, noneIn), 'sentDirect');
      assert.equal(talk.arrives(about_(sent), noneIn), 'delivered');
      assert.equal(talk.arrives(about_(udpFrame({ ...out, sourcePort: 40_001 })), noneIn), 'policy');
      // One that the pod sends about what it got.
      const served = new Talk();
      const got = udpFrame(inward, fromRemote);
      const complaint = errorFrame(reversed(inward), got, { type: isIpv4(of(pod)) ? 3 : 1, code: 3 }, 60);
      assert.equal(served.departs(complaint, none), 'policy');
      assert.equal(served.arrives(got, allIn(1)), 'delivered');
      assert.equal(served.departs(complaint, allIn(1)), 'sentDirect');
      // The flow is not allowed any more.
      assert.equal(served.departs(complaint, closed(2)), 'policy');
    });

    test(`${about} fragments go the way of their first one`, { skip }, () => {
      const payload = new Uint8Array(16).fill(0x61);
      payload.set([inward.sourcePort >>> 8, inward.sourcePort & 255, inward.destinationPort >>> 8, inward.destinationPort & 255]);
      const fragment = (offsetBytes: number, more: boolean): Uint8Array =>
        frameOf({ ...inward, ...fromRemote, protocol: ipProtocol.udp, payload, fragment: { offsetBytes, more } });
      const atPort = (port: number): PolicyTables => rulesOf({ rules: [{ protocol: ipProtocol.udp, port }] });
      const talk = new Talk();
      assert.equal(talk.arrives(fragment(16, false), atPort(3000)), 'fragment');
      assert.equal(talk.arrives(fragment(0, true), atPort(3000)), 'delivered');
      assert.equal(talk.arrives(fragment(16, false), atPort(3000)), 'delivered');
      const refused = new Talk();
      assert.equal(refused.arrives(fragment(0, true), atPort(80)), 'policy');
      assert.equal(refused.arrives(fragment(16, false), atPort(80)), 'policy');
    });

    test(`${about} one flow in two VPCs is two flows`, { skip }, () => {
      const talk = new Talk();
      assert.equal(talk.departs(tcpFrame(out, syn), noneIn), 'sentDirect');
      const [[name, state]] = [...talk.flows] as [[string, NonNullable<ReturnType<(typeof talk.flows)['get']>>]];
      assert.equal(name, flowOf(out, policyDirection.egress));
      talk.flows = new Map([[name.replace(/^7 /, '8 '), state]]);
      assert.equal(talk.arrives(arrival(answer, syn | ack), noneIn), 'policy');
    });

    test(`${about} between pods of one host each has its flow, and answers pass both`, { skip }, () => {
      const talk = new Talk();
      const between: Between = { ...out, destination: of(neighbour) };
      const policy = rulesOf({ restricted: ingress });
      assert.equal(talk.departs(tcpFrame(between, syn), policy), 'delivered');
      assert.deepEqual(
        [...talk.flows.keys()].sort(),
        [flowOf(between, policyDirection.ingress), flowOf(between, policyDirection.egress)].sort(),
      );
      const back = tcpFrame(reversed(between), syn | ack, { sourceMac: neighbour.mac });
      assert.equal(talk.asNeighbour(back, policy), 'delivered');
      for (const { state } of talk.flows.values()) assert.equal(state, flowStateFlag.answered);
      assert.equal(
        talk.asNeighbour(tcpFrame(reversed({ ...between, sourcePort: 1 }), syn | ack, { sourceMac: neighbour.mac }), policy),
        'policy',
      );
    });

    test(`${about} what is in no prefix of the VPC is known as the gateway`, { skip }, () => {
      const outside = { ...inward, source: isIpv4(of(pod)) ? remote.ipv4.with(12, 99) : remote.ipv6.with(0, 0x20) };
      const run = (policy: PolicyTables): string => new Talk().arrives(arrival(outside, syn), policy);
      assert.equal(run(noneIn), 'policy');
      assert.equal(run(rulesOf({ rules: [{ peer: policyPeer.gateway }] })), 'delivered');
    });
  }
}
