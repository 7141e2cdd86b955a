/** Policies in the world of the program tests: rules, and runs that follow each other with the flows that the last one left. */
import { endpointFlag } from '../../src/overlay/layout/endpoint.ts';
import type { Fragment } from '../../src/overlay/layout/fragment.ts';
import {
  policyDirection,
  policyPeer,
  policyPrefixLength,
  prefixBitsBeforeAddress,
  type FlowState,
  type PolicyKey,
  type PolicyScope,
} from '../../src/overlay/layout/policy.ts';
import { portFlag } from '../../src/overlay/layout/port.ts';
import { scopeName, type PolicyTables } from '../../src/overlay/model/policy.ts';
import type { Tables } from '../../src/overlay/model/tables.ts';
import { isIpv4 } from '../../src/overlay/packet/address.ts';
import { address, neighbour, pod, remote, vni, type Outcome, type ProgramWorld } from './program-world.ts';

export const { ingress, egress } = policyDirection;
/** Identities are the last octets of addresses. */
export const identity = { pod: 11, neighbour: 12, remote: 21, owned: 31 } as const;

/** The two programs of a hook. */
export const programs = [
  { agent: 'agent_tc', transit: 'transit_tc' },
  { agent: 'agent_xdp', transit: 'transit' },
] as const;
export const families = [
  { family: 'IPv4', of: (ends: { ipv4: Uint8Array; ipv6: Uint8Array }): Uint8Array => ends.ipv4 },
  { family: 'IPv6', of: (ends: { ipv4: Uint8Array; ipv6: Uint8Array }): Uint8Array => ends.ipv6 },
] as const;
/** Of a frame that another host sends to the pod. */
export const fromRemote = { sourceMac: remote.mac, destinationMac: pod.mac };

export interface Rule {
  readonly subject?: number;
  readonly direction?: number;
  /** Everybody when it is left out. */
  readonly peer?: number;
  readonly protocol?: number;
  readonly port?: number;
  /** How many bits of the port count; all of them when it is left out. */
  readonly portBits?: number;
  readonly vni?: number;
}

export interface PrefixRule {
  readonly prefix: string;
  readonly peer: number;
  readonly direction?: number;
  readonly subject?: number;
}

export interface Rules {
  readonly restricted?: number;
  readonly revision?: number;
  readonly subject?: number;
  readonly rules?: readonly Rule[];
  readonly prefixes?: readonly PrefixRule[];
}

/** Rules of `subject`, the pod when it is left out; `restricted` to coming in when it is left out. */
export function rulesOf({
  restricted = ingress,
  revision = 1,
  subject = identity.pod,
  rules = [],
  prefixes = [],
}: Rules = {}): PolicyTables {
  const scope: PolicyScope = { revision, restricted };
  return {
    rules: rules.map((rule) => keyOf({ subject, direction: restricted & ingress ? ingress : egress, ...rule })),
    prefixes: prefixes.map(({ prefix, peer, direction = restricted & ingress ? ingress : egress }) => {
      const [text, bits] = prefix.split('/');
      const of = address(text!);
      const length = prefixBitsBeforeAddress + Number(bits) + (isIpv4(of) ? 96 : 0);
      return { key: { prefixLength: length, vni, subject, direction, address: of }, peer };
    }),
    scopes: new Map([[scopeName(vni, subject), scope]]),
    flows: new Map(),
  };
}

function keyOf({ protocol, port, portBits = 16, peer = policyPeer.everybody, ...rule }: Rule): PolicyKey {
  const prefixLength =
    protocol === undefined
      ? policyPrefixLength.anyProtocol
      : port === undefined
        ? policyPrefixLength.protocol
        : policyPrefixLength.protocol + portBits;
  return {
    prefixLength,
    vni: rule.vni ?? vni,
    subject: rule.subject ?? identity.pod,
    peer,
    direction: rule.direction ?? ingress,
    protocol: protocol ?? 0,
    port: port ?? 0,
  };
}

/** Runs where the VPC has policies; what was decided stays from one run to the next. */
export class PolicyWorld {
  readonly world: ProgramWorld;
  flows: ReadonlyMap<string, FlowState> = new Map();
  fragments: ReadonlyMap<string, Fragment> = new Map();

  constructor(world: ProgramWorld) {
    this.world = world;
  }

  run(program: string, frame: Uint8Array, policy: PolicyTables, changes: Partial<Omit<Tables, 'ownerTables'>> = {}): Outcome {
    const { flows, fragments } = this;
    const known = { ...policy, flows: new Map([...flows, ...policy.flows]) };
    const outcome = this.world.run(program, frame, { ...withPolicies(this.world.tables), ...changes, fragments, policy: known });
    this.flows = outcome.flows;
    this.fragments = outcome.fragments;
    return outcome;
  }

  /** As the other pod of this host, by the same interface. */
  runAsNeighbour(program: string, frame: Uint8Array, policy: PolicyTables): Outcome {
    const port = withPolicies(this.world.tables).ports.get(pod.ifindex)!;
    const { mac, ipv4, ipv6 } = neighbour;
    return this.run(program, frame, policy, {
      ports: new Map([[pod.ifindex, { ...port, mac, ipv4, ipv6, identity: identity.neighbour }]]),
    });
  }
}

/** Ports and local endpoints whose VPC has policies. */
export function withPolicies(tables: Tables): Pick<Tables, 'ports' | 'endpoints'> {
  return {
    ports: new Map([...tables.ports].map(([ifindex, port]) => [ifindex, { ...port, flags: port.flags | portFlag.hasPolicies }])),
    endpoints: new Map(
      [...tables.endpoints].map(([name, endpoint]) => [
        name,
        endpoint.ifindex === 0 ? endpoint : { ...endpoint, flags: endpoint.flags | endpointFlag.hasPolicies },
      ]),
    ),
  };
}
