/**
 * Policies: which flows of a VPC may be. A packet is looked at where it leaves and where it arrives, as one of a flow that is known or of
 * a new one:
 *
 * ```text
 *   answer of a known flow ──┬──> rules are others by now? decided anew ──> passes, or is dropped as all that follows
 *   packet of a known flow ──┘
 *   neither ──> an ICMP error about a known flow passes; else a rule must allow it, or nothing be restricted ──> known from now on
 * ```
 */
import { endpointKind, type EndpointKey } from '../layout/endpoint.ts';
import type { Reason } from '../layout/counter.ts';
import {
  flowStateFlag,
  policyDirection,
  policyPeer,
  prefixBitsBeforeAddress,
  type FlowState,
  type PolicyKey,
  type PolicyPrefixKey,
  type PolicyScope,
} from '../layout/policy.ts';
import type { FlowKey } from '../layout/translation.ts';
import { formatAddress } from '../packet/address.ts';
import { icmpType, icmpv6Type } from '../packet/icmp.ts';
import { ipProtocol } from '../packet/ipv4.ts';
import { sameOctets } from '../packet/octets.ts';
import { tcpFlag } from '../packet/tcp.ts';
import { isEchoRequest, isIcmp, opensConnection, quotedFlow, type Flow } from './flow.ts';
import { meaningOf } from './routes.ts';
import type { Run } from './run.ts';
import { endpointOf, knownHost, localEndpoint } from './tables.ts';

const longRestNs = 7_200_000_000_000n;
const shortRestNs = 60_000_000_000n;
const usedEveryNs = 1_000_000_000n;

/** What the maps of policies hold. */
export interface PolicyTables {
  readonly rules: readonly PolicyKey[];
  readonly prefixes: readonly { readonly key: PolicyPrefixKey; readonly peer: number }[];
  /** By `scopeName`. */
  readonly scopes: ReadonlyMap<string, PolicyScope>;
  /** By `flowName`. */
  readonly flows: ReadonlyMap<string, FlowState>;
}

export const noPolicies: PolicyTables = { rules: [], prefixes: [], scopes: new Map(), flows: new Map() };

export function scopeName(vni: number, subject: number): string {
  return `${vni} ${subject}`;
}

export function flowName({ vni, protocol, direction, source, sourcePort, destination, destinationPort }: FlowKey): string {
  return [vni, protocol, direction, formatAddress(source), sourcePort, formatAddress(destination), destinationPort].join(' ');
}

/** Whose rules are looked at: an endpoint of this host. */
export interface Subject {
  readonly vni: number;
  readonly identity: number;
  readonly generation: number;
}

/** A packet, and its flow as it is in that frame. */
export interface PacketOfFlow {
  readonly frame: Uint8Array;
  readonly flow: Flow;
}

/** `unanswered`: allowed, and the other host is to hear who sends: until it has answered, and with the first answer. */
export type PolicyVerdict = 'allowed' | 'unanswered' | Reason;

/** Whether a packet of the subject may go where its flow says. `noIdentity`: it is not known yet who the destination is. */
export function policyDeparts(run: Run, subject: Subject, packet: PacketOfFlow): PolicyVerdict {
  return new Decision(run, subject, packet, true, false).verdict();
}

/**
 * Why a packet may not be handed to the subject; undefined when it may. `isTold`: the packet says who its sender is. `noIdentity`: that is
 * not known.
 */
export function policyArrives(run: Run, subject: Subject, packet: PacketOfFlow, isTold: boolean): Reason | undefined {
  const verdict = new Decision(run, subject, packet, false, isTold).verdict();
  return verdict === 'allowed' || verdict === 'unanswered' ? undefined : verdict;
}

class Decision {
  readonly #run: Run;
  readonly #subject: Subject;
  readonly #frame: Uint8Array;
  readonly #flow: Flow;
  readonly #departs: boolean;
  readonly #isTold: boolean;
  readonly #revision: number;
  readonly #restricted: number;

  constructor(run: Run, subject: Subject, { frame, flow }: PacketOfFlow, departs: boolean, isTold: boolean) {
    this.#run = run;
    this.#subject = subject;
    this.#frame = frame;
    this.#flow = flow;
    this.#departs = departs;
    this.#isTold = isTold;
    const scope = this.#tables().scopes.get(scopeName(subject.vni, subject.identity));
    this.#revision = scope?.revision ?? 0;
    this.#restricted = scope?.restricted ?? 0;
  }

  verdict(): PolicyVerdict {
    const flow = this.#flow;
    const quoted = flow.isError ? quotedFlow(this.#frame, flow) : undefined;
    if (quoted !== undefined && this.#isAboutAllowedFlow(quoted)) return 'allowed';
    if (mayAnswer(flow)) {
      const key = this.#key(flow, this.#asReceiver(), true);
      const state = this.#find(key);
      if (state !== undefined) return this.#follow(key, state, true);
    }
    const key = this.#key(flow, this.#asSender(), false);
    const isKept = !isIcmp(flow) || isEchoRequest(flow);
    const state = isKept ? this.#find(key) : undefined;
    return state !== undefined && !opensConnection(flow) ? this.#follow(key, state, false) : this.#begin(key, state, isKept);
  }

  #begin(key: FlowKey, before: FlowState | undefined, isKept: boolean): PolicyVerdict {
    const { identity, generation } = this.#subject;
    const peer = this.#peer();
    if (!this.#permits(key, peer)) {
      if (peer === policyPeer.unknown) return 'noIdentity';
      const state = (before?.state ?? 0) | flowStateFlag.denied;
      if (before !== undefined) this.#run.writeFlow(flowName(key), { ...before, state, revision: this.#revision });
      return 'policy';
    }
    if (isKept) {
      const known = { usedNs: this.#run.nowNs, revision: this.#revision, generation, subject: identity, peer, state: 0 };
      this.#run.writeFlow(flowName(key), known);
    }
    return this.#departs ? 'unanswered' : 'allowed';
  }

  #follow(key: FlowKey, before: FlowState, answers: boolean): PolicyVerdict {
    const { nowNs } = this.#run;
    let after = before;
    if (this.#isOutdated(before) || this.#isTold) {
      const found = this.#peer();
      const peer = found === policyPeer.unknown ? before.peer : found;
      if (this.#isOutdated(before) || before.peer !== peer) {
        const isAllowed = this.#permits(key, peer);
        if (!isAllowed && peer === policyPeer.unknown) return 'noIdentity';
        const state = isAllowed ? before.state & flowStateFlag.closing : before.state | flowStateFlag.denied;
        after = { ...before, state, revision: this.#revision, subject: this.#subject.identity, peer };
      }
    }
    if (nowNs - after.usedNs >= usedEveryNs) after = { ...after, usedNs: nowNs };
    const isDenied = (after.state & flowStateFlag.denied) !== 0;
    const isUnanswered = (after.state & flowStateFlag.answered) === 0;
    if (!isDenied) {
      if (answers) after = { ...after, state: after.state | flowStateFlag.answered };
      if ((this.#flow.tcpFlags & (tcpFlag.fin | tcpFlag.rst)) !== 0) after = { ...after, state: after.state | flowStateFlag.closing };
    }
    this.#run.writeFlow(flowName(key), after);
    if (isDenied) return 'policy';
    return this.#departs && isUnanswered ? 'unanswered' : 'allowed';
  }

  /** An error speaks of a packet that went the other way. */
  #isAboutAllowedFlow(quoted: Flow): boolean {
    const state = this.#find(this.#key(quoted, this.#asReceiver(), false)) ?? this.#find(this.#key(quoted, this.#asSender(), true));
    return state !== undefined && (state.state & flowStateFlag.denied) === 0 && !this.#isOutdated(state);
  }

  #isOutdated(state: FlowState): boolean {
    return state.revision !== this.#revision || state.subject !== this.#subject.identity;
  }

  /** The direction of a flow whose answers are like this packet. */
  #asReceiver(): number {
    return this.#departs ? policyDirection.ingress : policyDirection.egress;
  }

  #asSender(): number {
    return this.#departs ? policyDirection.egress : policyDirection.ingress;
  }

  #key(flow: Flow, direction: number, reversed: boolean): FlowKey {
    const { protocol, source, sourcePort, destination, destinationPort } = flow;
    const { vni } = this.#subject;
    if (!reversed) return { vni, protocol, direction, source, sourcePort, destination, destinationPort };
    return { vni, protocol, direction, source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort };
  }

  /** Undefined also when it has rested for too long, or is of an endpoint that was here before. */
  #find(key: FlowKey): FlowState | undefined {
    const state = this.#run.flow(flowName(key));
    if (state?.generation !== this.#subject.generation) return undefined;
    const isLasting = (state.state & (flowStateFlag.answered | flowStateFlag.denied)) !== 0 && (state.state & flowStateFlag.closing) === 0;
    const restNs = key.protocol === ipProtocol.tcp && isLasting ? longRestNs : shortRestNs;
    return this.#run.nowNs - state.usedNs < restNs ? state : undefined;
  }

  #permits(key: FlowKey, peer: number): boolean {
    return (this.#restricted & key.direction) === 0 || this.#isAllowed(key, peer);
  }

  #isAllowed(key: FlowKey, peer: number): boolean {
    const allows = (who: number): boolean => this.#tables().rules.some((rule) => this.#holds(rule, key, who));
    if ((peer !== policyPeer.unknown && allows(peer)) || allows(policyPeer.everybody)) return true;
    const found = this.#classOf(key.direction, key.direction === policyDirection.ingress ? key.source : key.destination);
    return found !== undefined && allows(found);
  }

  #holds(rule: PolicyKey, key: FlowKey, peer: number): boolean {
    const { vni, identity } = this.#subject;
    if (rule.vni !== vni || rule.subject !== identity || rule.peer !== peer || rule.direction !== key.direction) return false;
    const port = isIcmp(key) ? 0 : key.destinationPort;
    const significantBits = rule.prefixLength - 104;
    const bitsOf = (protocol: number, of: number): number => (protocol * 0x10000 + of) >>> (24 - significantBits);
    return significantBits === 0 || bitsOf(rule.protocol, rule.port) === bitsOf(key.protocol, port);
  }

  /** That of the longest prefix. */
  #classOf(direction: number, address: Uint8Array): number | undefined {
    const { vni, identity } = this.#subject;
    let longest = -1;
    let found: number | undefined;
    for (const { key, peer } of this.#tables().prefixes) {
      if (key.vni !== vni || key.subject !== identity || key.direction !== direction || key.prefixLength <= longest) continue;
      if (!hasPrefix(address, key.address, key.prefixLength - prefixBitsBeforeAddress)) continue;
      longest = key.prefixLength;
      found = peer;
    }
    return found;
  }

  #tables(): PolicyTables {
    return this.#run.tables.policy ?? noPolicies;
  }

  /**
   * The identity of the other end, as far as this host has heard. Of a receiver it may be out of date when the path is: it is asked for again.
   * A sender says it with its first packet.
   */
  #peer(): number {
    const { tables } = this.#run;
    const address = this.#departs ? this.#flow.destination : this.#flow.source;
    const meaning = meaningOf(tables, { vni: this.#subject.vni, address });
    if (meaning?.kind !== 'endpoint') return policyPeer.gateway;
    const key: EndpointKey = meaning.key;
    const local = localEndpoint(tables, key);
    if (local !== undefined) return local.identity;
    const path = this.#run.path(key);
    const isRecent = !this.#departs || (path !== undefined && this.#run.nowNs < path.expiresNs);
    if (path !== undefined && isRecent && knownHost(tables, path.hostId)?.generation === path.hostGeneration) return path.identity;
    const known = endpointOf(tables, key);
    return known?.kind === endpointKind.directory ? known.identity : policyPeer.unknown;
  }
}

/** A SYN is no answer: whoever is spoken to could open flows to the port that spoke. */
function mayAnswer(flow: Flow): boolean {
  if (!isIcmp(flow)) return !opensConnection(flow);
  return flow.icmpType === (flow.protocol === ipProtocol.icmpv6 ? icmpv6Type.echoReply : icmpType.echoReply);
}

function hasPrefix(address: Uint8Array, prefix: Uint8Array, bits: number): boolean {
  const octets = bits >>> 3;
  if (!sameOctets(address.subarray(0, octets), prefix.subarray(0, octets))) return false;
  return (bits & 7) === 0 || (((address[octets]! ^ prefix[octets]!) >>> (8 - (bits & 7))) & 0xff) === 0;
}
