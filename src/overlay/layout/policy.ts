import { recordCodec, type RecordCodec } from './record.ts';

/** Numbers that are no set of labels: those are below 0x80000000. */
export const policyPeer = {
  /** What comes from outside of the VPC by its gateway. */
  gateway: 0x7fffffff,
  /** Classes of addresses have this number or a higher one. */
  firstClass: 0x80000000,
  /** In a flow's state only. */
  unknown: 0xfffffffe,
  everybody: 0xffffffff,
} as const;

/** `ingress`: what the subject gets; `egress`: what it sends. As bits in `PolicyScope.restricted`. */
export const policyDirection = { ingress: 1, egress: 2 } as const;

/** How much of a rule's key counts, in bits behind the prefix length: the port's bits come on top of `protocol`. */
export const policyPrefixLength = { anyProtocol: 104, protocol: 112, port: 128 } as const;

/** The key of `policies`: packets of `subject` with `peer`. */
export interface PolicyKey {
  readonly prefixLength: number;
  readonly vni: number;
  /** An identity. */
  readonly subject: number;
  /** An identity, a class or everybody. */
  readonly peer: number;
  /** One of `policyDirection`. */
  readonly direction: number;
  readonly protocol: number;
  /** Of the flow's destination; ICMP has port 0. */
  readonly port: number;
}

export const policyKeyCodec: RecordCodec<PolicyKey> = recordCodec('policy_key', [
  ['prefixLength', 'u32'],
  ['vni', 'u32'],
  ['subject', 'u32'],
  ['peer', 'u32'],
  ['direction', 'u8'],
  ['protocol', 'u8'],
  ['port', 'be16'],
]);

export const policyVerdict = { allow: 1 } as const;

export interface PolicyVerdict {
  /** One of `policyVerdict`. */
  readonly verdict: number;
}

export const policyVerdictCodec: RecordCodec<PolicyVerdict> = recordCodec('policy_verdict', [['verdict', 'u32']]);

/** In front of the address in the key of `policy_prefixes`, in bits. */
export const prefixBitsBeforeAddress = 96;

/** The key of `policy_prefixes`: addresses of a prefix, for the rules of a subject. */
export interface PolicyPrefixKey {
  readonly prefixLength: number;
  readonly vni: number;
  readonly subject: number;
  readonly direction: number;
  readonly address: Uint8Array;
}

export const policyPrefixKeyCodec: RecordCodec<PolicyPrefixKey> = recordCodec('policy_prefix_key', [
  ['prefixLength', 'u32'],
  ['vni', 'u32'],
  ['subject', 'u32'],
  ['direction', 'u8'],
  3,
  ['address', 'address'],
]);

/** The peer that stands for the addresses of a prefix: the class of the longest prefix counts, so one without rules is an exception. */
export interface PolicyClass {
  readonly peer: number;
}

export const policyClassCodec: RecordCodec<PolicyClass> = recordCodec('policy_class', [['peer', 'u32']]);

/** The key of `policy_scopes`. */
export interface PolicyScopeKey {
  readonly vni: number;
  readonly subject: number;
}

export const policyScopeKeyCodec: RecordCodec<PolicyScopeKey> = recordCodec('policy_scope_key', [
  ['vni', 'u32'],
  ['subject', 'u32'],
]);

/** The rules of a subject as a whole; who has none is not restricted. */
export interface PolicyScope {
  /** Another one whenever the rules are others: then each flow is decided anew with its next packet. */
  readonly revision: number;
  /** Directions (bits of `policyDirection`) in which only what a rule allows may pass. */
  readonly restricted: number;
}

export const policyScopeCodec: RecordCodec<PolicyScope> = recordCodec('policy_scope', [['revision', 'u32'], ['restricted', 'u16'], 2]);

/**
 * `answered`: the receiver has sent something. `closing`: TCP, one end has sent FIN or RST. `denied`: it was allowed once, so its answers
 * must not pass as a flow of their own.
 */
export const flowStateFlag = { answered: 1, closing: 2, denied: 4 } as const;

/** In `flows`, under the flow as its initiator sends and whether the endpoint of this host is its receiver or its sender. */
export interface FlowState {
  /** On the kernel's monotonic clock. */
  readonly usedNs: bigint;
  /** Of the subject's rules when they were looked at. */
  readonly revision: number;
  /** Of the endpoint of this host: another one is another endpoint. */
  readonly generation: number;
  readonly subject: number;
  readonly peer: number;
  /** Of `flowStateFlag`. */
  readonly state: number;
}

export const flowStateCodec: RecordCodec<FlowState> = recordCodec('flow_state', [
  ['usedNs', 'u64'],
  ['revision', 'u32'],
  ['generation', 'u32'],
  ['subject', 'u32'],
  ['peer', 'u32'],
  ['state', 'u16'],
  6,
]);
