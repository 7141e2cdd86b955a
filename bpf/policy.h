/* Policies: which flows of a VPC may be, decided where they leave and where they arrive. A flow that was allowed is remembered at both
 * hosts, so that its answers pass and its packets cost one look-up; it is decided anew when the rules are others. */
#pragma once

#include "flow.h"
#include "resolve.h"

/* What a flow may rest before it is forgotten: TCP while both ends have spoken and none has closed, and all else. */
#define LONG_REST_NS (2ULL * 3600 * 1000 * 1000 * 1000)
#define SHORT_REST_NS (60ULL * 1000 * 1000 * 1000)
/* A flow in use is not marked as used at each packet: a write takes the cache line from other processors. */
#define USED_EVERY_NS (1000ULL * 1000 * 1000)

#define PREFIX_OF_RULE 128
#define PREFIX_OF_CLASS 224

/* Allowed, and the other host is to hear who sends: until it has answered, and with the first answer. */
#define ALLOWED_UNANSWERED 256

/* Whose rules are looked at: an endpoint of this host. */
struct subject {
  __u32 vni;
  __u32 identity;
  __u32 generation;
  __u32 is_told; /* the packet says who its sender is */
};

/* What lies too large on the stack. */
struct policy_scratch {
  struct subject subject;
  struct flow_key key;
  struct policy_key rule;
  struct policy_prefix_key prefix;
  struct policy_scope_key scope;
  struct endpoint_key peer;
  struct flow_state state;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct policy_scratch);
} policy_scratch SEC(".maps");

INLINE struct policy_scratch *this_policy_scratch(void) {
  __u32 first = 0;
  return bpf_map_lookup_elem(&policy_scratch, &first);
}

INLINE bool allows(struct policy_scratch *scratch, __u32 peer) {
  scratch->rule.peer = peer;
  struct policy_verdict *verdict = bpf_map_lookup_elem(&policies, &scratch->rule);
  return verdict && verdict->verdict == VERDICT_ALLOW;
}

/* Whether a rule of the subject allows the flow of `scratch->key`. */
static __noinline int is_allowed(struct policy_scratch *scratch, __u32 peer) {
  struct flow_key *key = &scratch->key;
  struct policy_key *rule = &scratch->rule;
  rule->prefix_length = PREFIX_OF_RULE;
  rule->vni = key->vni;
  rule->subject = scratch->subject.identity;
  rule->direction = key->direction;
  rule->protocol = key->protocol;
  rule->port = is_icmp(key->protocol) ? 0 : key->destination_port;
  if (peer != PEER_UNKNOWN && allows(scratch, peer)) return 1;
  if (allows(scratch, PEER_EVERYBODY)) return 1;
  struct policy_prefix_key *prefix = &scratch->prefix;
  prefix->prefix_length = PREFIX_OF_CLASS;
  prefix->vni = key->vni;
  prefix->subject = scratch->subject.identity;
  prefix->direction = key->direction;
  copy_address(prefix->address, key->direction == INGRESS ? key->source : key->destination);
  struct policy_class *found = bpf_map_lookup_elem(&policy_prefixes, prefix);
  return found && allows(scratch, found->peer);
}

/* The identity of who has an address of the VPC, as far as this host has heard. Of a receiver it may be out of date when the path is: it is
 * asked for again. A sender says it with its first packet. */
static __noinline __u32 find_identity(struct policy_scratch *scratch, const __u8 *address, bool is_receiver) {
  struct endpoint_key *key = &scratch->peer;
  key->vni = scratch->subject.vni;
  copy_address(key->address, address);
  struct subnet *subnet = find_subnet(key);
  if (!subnet || subnet->kind == SUBNET_EGRESS) return IDENTITY_OF_GATEWAY;
  key->vni = subnet->vni;
  struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, key);
  if (endpoint && endpoint->kind == ENDPOINT_LOCAL) return endpoint->identity;
  struct path *path = bpf_map_lookup_elem(&paths, key);
  if (path) {
    __u32 host_id = path->host_id;
    struct host *host = bpf_map_lookup_elem(&hosts, &host_id);
    if (host && host->flags & HOST_KNOWN && host->generation == path->host_generation &&
        (!is_receiver || bpf_ktime_get_ns() < path->expires_ns))
      return path->identity;
  }
  return endpoint && endpoint->kind == ENDPOINT_DIRECTORY ? endpoint->identity : PEER_UNKNOWN;
}

INLINE void write_flow_key(struct flow_key *key, const struct flow *flow, __u32 vni, __u8 direction, bool reversed) {
  key->vni = vni;
  key->protocol = flow->protocol;
  key->direction = direction;
  key->source_port = reversed ? flow->destination_port : flow->source_port;
  key->destination_port = reversed ? flow->source_port : flow->destination_port;
  key->reserved = 0;
  copy_address(key->source, reversed ? flow->destination : flow->source);
  copy_address(key->destination, reversed ? flow->source : flow->destination);
}

INLINE bool is_older(__u64 used_ns, __u64 age_ns, __u64 now) {
  /* Another processor may have marked it as used a moment after `now`. */
  return (__s64)(now - used_ns) >= (__s64)age_ns;
}

INLINE bool is_echo_reply(const struct flow *flow) {
  return flow->icmp_type == (flow->protocol == IPPROTO_ICMPV6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY);
}

/* The state of the flow of `scratch->key`, unless it has rested for too long or is that of an endpoint that was here before. */
INLINE struct flow_state *find_flow(struct policy_scratch *scratch, __u64 now) {
  struct flow_state *state = bpf_map_lookup_elem(&flows, &scratch->key);
  if (!state || state->generation != scratch->subject.generation) return 0;
  bool rests_long = scratch->key.protocol == IPPROTO_TCP && state->state & (FLOW_ANSWERED | FLOW_DENIED) && !(state->state & FLOW_CLOSING);
  return is_older(state->used_ns, rests_long ? LONG_REST_NS : SHORT_REST_NS, now) ? 0 : state;
}

/* A packet of a flow that is known: 0, ALLOWED_UNANSWERED, or the reason to drop. */
INLINE int follow(struct policy_scratch *scratch, struct flow_state *state, const struct flow *flow, const struct policy_scope *scope,
                  bool departs, bool answers, __u64 now) {
  __u32 revision = scope ? scope->revision : 0;
  __u32 restricted = scope ? scope->restricted : 0;
  if (state->revision != revision || state->subject != scratch->subject.identity || scratch->subject.is_told) {
    __u32 peer = find_identity(scratch, departs ? flow->destination : flow->source, departs);
    if (peer == PEER_UNKNOWN) peer = state->peer;
    if (state->revision != revision || state->subject != scratch->subject.identity || state->peer != peer) {
      bool allowed = !(restricted & scratch->key.direction) || is_allowed(scratch, peer);
      if (!allowed && peer == PEER_UNKNOWN) return NO_IDENTITY;
      state->state = allowed ? state->state & FLOW_CLOSING : state->state | FLOW_DENIED;
      state->revision = revision;
      state->subject = scratch->subject.identity;
      state->peer = peer;
    }
  }
  if (is_older(state->used_ns, USED_EVERY_NS, now)) state->used_ns = now;
  if (state->state & FLOW_DENIED) return POLICY;
  bool is_unanswered = !(state->state & FLOW_ANSWERED);
  if (answers && is_unanswered) state->state |= FLOW_ANSWERED;
  if (flow->tcp_flags & (TCP_FIN | TCP_RST) && !(state->state & FLOW_CLOSING)) state->state |= FLOW_CLOSING;
  return departs && is_unanswered ? ALLOWED_UNANSWERED : 0;
}

/* An error speaks of a packet that went the other way: it passes with the flow of that. */
INLINE bool is_about_allowed_flow(struct policy_scratch *scratch, const struct flow *quoted, __u32 revision, bool departs, __u64 now) {
  write_flow_key(&scratch->key, quoted, scratch->subject.vni, departs ? INGRESS : EGRESS, false);
  struct flow_state *state = find_flow(scratch, now);
  if (!state) {
    write_flow_key(&scratch->key, quoted, scratch->subject.vni, departs ? EGRESS : INGRESS, true);
    state = find_flow(scratch, now);
  }
  return state && !(state->state & FLOW_DENIED) && state->revision == revision && state->subject == scratch->subject.identity;
}

/* Decides about a packet of the subject in `scratch`, or for it. `quoted`: of an ICMP error, else 0. Not static: so the verifier looks at it
 * once, not in the state of each call. */
__noinline int decide_flow(struct policy_scratch *scratch, const struct flow *flow, const struct flow *quoted, int departs) {
  if (!scratch || !flow) return INTERNAL;
  __u64 now = bpf_ktime_get_ns();
  __u32 vni = scratch->subject.vni;
  scratch->scope.vni = vni;
  scratch->scope.subject = scratch->subject.identity;
  struct policy_scope *scope = bpf_map_lookup_elem(&policy_scopes, &scratch->scope);
  __u32 revision = scope ? scope->revision : 0;
  if (quoted && is_about_allowed_flow(scratch, quoted, revision, departs, now)) return 0;
  bool request = is_echo_request(flow);
  /* A SYN is no answer: whoever is spoken to could open flows to the port that spoke. */
  bool may_answer = is_icmp(flow->protocol) ? is_echo_reply(flow) : (flow->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN;
  if (may_answer) {
    write_flow_key(&scratch->key, flow, vni, departs ? INGRESS : EGRESS, true);
    struct flow_state *state = find_flow(scratch, now);
    if (state) return follow(scratch, state, flow, scope, departs, true, now);
  }
  write_flow_key(&scratch->key, flow, vni, departs ? EGRESS : INGRESS, false);
  bool is_kept = !is_icmp(flow->protocol) || request;
  bool opens = (flow->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
  struct flow_state *state = is_kept ? find_flow(scratch, now) : 0;
  if (state && !opens) return follow(scratch, state, flow, scope, departs, false, now);
  __u32 peer = find_identity(scratch, departs ? flow->destination : flow->source, departs);
  if (scope && scope->restricted & scratch->key.direction && !is_allowed(scratch, peer)) {
    if (peer == PEER_UNKNOWN) return NO_IDENTITY;
    if (state) {
      state->state |= FLOW_DENIED;
      state->revision = revision;
    }
    return POLICY;
  }
  if (!is_kept) return departs ? ALLOWED_UNANSWERED : 0;
  scratch->state.used_ns = now;
  scratch->state.revision = revision;
  scratch->state.generation = scratch->subject.generation;
  scratch->state.subject = scratch->subject.identity;
  scratch->state.peer = peer;
  scratch->state.state = 0;
  bpf_map_update_elem(&flows, &scratch->key, &scratch->state, BPF_ANY);
  return departs ? ALLOWED_UNANSWERED : 0;
}

/* Whether a packet of an endpoint of this host may go where its flow says: 0, ALLOWED_UNANSWERED, or the reason to drop. With NO_IDENTITY it
 * is not known yet who the destination is. */
INLINE int policy_departs(void *context, const bool xdp, __u32 vni, __u32 identity, __u32 generation, const struct flow *flow) {
  struct policy_scratch *scratch = this_policy_scratch();
  struct flow_scratch *flows_read = this_flow_scratch();
  if (!scratch || !flows_read) return INTERNAL;
  scratch->subject.vni = vni;
  scratch->subject.identity = identity;
  scratch->subject.generation = generation;
  scratch->subject.is_told = 0;
  bool has_quoted = flow->is_error && !read_quoted_flow(context, xdp, flow, &flows_read->quoted);
  return decide_flow(scratch, flow, has_quoted ? &flows_read->quoted : 0, 1);
}

/* Whether a packet may be handed to an endpoint of this host: 0, or the reason to drop. With NO_IDENTITY it is not known who sent it. */
INLINE int policy_arrives(void *context, const bool xdp, __u32 vni, const struct endpoint *endpoint, bool is_told, const struct flow *flow) {
  struct policy_scratch *scratch = this_policy_scratch();
  struct flow_scratch *flows_read = this_flow_scratch();
  if (!scratch || !flows_read) return INTERNAL;
  scratch->subject.vni = vni;
  scratch->subject.identity = endpoint->identity;
  scratch->subject.generation = endpoint->generation;
  scratch->subject.is_told = is_told;
  bool has_quoted = flow->is_error && !read_quoted_flow(context, xdp, flow, &flows_read->quoted);
  return decide_flow(scratch, flow, has_quoted ? &flows_read->quoted : 0, 0);
}
