/* Services: an address that stands for several endpoints. The client's host alone translates: a packet to a service gets the address and
 * port of a backend, and its answer those of the service. The backend sees the client's own address and keeps no state. */
#pragma once

#include "flow.h"
#include "rewrite.h"

/* The packet is answered with RST or ICMP "port unreachable". */
#define REFUSE 260

#define ESTABLISHED_NS (2ULL * 3600 * 1000 * 1000 * 1000)
/* Of UDP, echoes and TCP connections that begin or end. */
#define BRIEF_NS (60ULL * 1000 * 1000 * 1000)

/* How many slots are tried when a backend's answers to this client port belong to another flow already. */
#define SLOT_TRIES 4
/* From one try to the next: BACKEND_SLOTS is a prime, so each is another slot. */
#define SLOT_STEP 83

struct service_scratch {
  struct service_key key;
  struct backend_key backend_key;
  struct flow_key forward;
  struct flow_key answers;
  struct translation translation;
  struct backend backend;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct service_scratch);
} service_scratch SEC(".maps");

INLINE struct service_scratch *this_service_scratch(void) {
  __u32 first = 0;
  return bpf_map_lookup_elem(&service_scratch, &first);
}

/* The slot of a flow, or of all flows of its client. */
static __noinline __u32 backend_slot(const struct flow *flow, bool affinity) {
  __u32 h = 0x811c9dc5;
#pragma unroll
  for (int i = 0; i < 4; i++) h = (h ^ word(flow->source, i)) * 0x01000193;
  if (!affinity) {
#pragma unroll
    for (int i = 0; i < 4; i++) h = (h ^ word(flow->destination, i)) * 0x01000193;
    h = (h ^ flow->protocol) * 0x01000193;
    h = (h ^ ((__u32)flow->destination_port << 16 | flow->source_port)) * 0x01000193;
  }
  h ^= h >> 16;
  h *= 0x85ebca6b;
  h ^= h >> 13;
  return h % BACKEND_SLOTS;
}

/* A function of its own, so that `struct backend` is in the object's BTF. 0 if nobody is there. */
static __noinline struct backend *find_slot(__u32 table_id, __u32 slot) {
  void *table = bpf_map_lookup_elem(&backend_tables, &table_id);
  struct backend *backend = table ? bpf_map_lookup_elem(table, &slot) : 0;
  return backend && !is_unspecified(backend->address) ? backend : 0;
}

/* Keys are compared octet by octet: all fields are written. */
INLINE void write_key(struct flow_key *key, __u32 vni, __u8 protocol, __u8 direction, const __u8 *source, __be16 source_port,
                      const __u8 *destination, __be16 destination_port) {
  key->vni = vni;
  key->protocol = protocol;
  key->direction = direction;
  key->source_port = source_port;
  key->destination_port = destination_port;
  key->reserved = 0;
  copy_address(key->source, source);
  copy_address(key->destination, destination);
}

INLINE struct service *find_service(struct service_scratch *scratch, const struct flow *flow, __u8 protocol, __be16 port) {
  struct service_key *key = &scratch->key;
  key->vni = flow->vni;
  copy_address(key->address, flow->destination);
  key->port = port;
  key->protocol = protocol;
  key->reserved = 0;
  return bpf_map_lookup_elem(&services, key);
}

/* A function of its own, so that it can be called for IPv4 addresses of ARP and for the targets of neighbour discovery. */
static __noinline int is_service_address(const struct endpoint_key *address) {
  struct service_key key = {.vni = address->vni};
  copy_address(key.address, address->address);
  return bpf_map_lookup_elem(&services, &key) != 0;
}

/* Whether a flow to the backend may go on: it is ready, or it drains and the packet belongs to a TCP connection that it has already. */
INLINE bool is_good(struct service_scratch *scratch, __u32 service_id, const __u8 *address, __be16 port, bool begins) {
  struct backend_key *key = &scratch->backend_key;
  key->service_id = service_id;
  copy_address(key->address, address);
  key->port = port;
  key->reserved = 0;
  struct backend_state *state = bpf_map_lookup_elem(&backends, key);
  return state && (state->flags & BACKEND_READY || (!begins && state->flags & BACKEND_DRAINING));
}

INLINE bool is_idle(const struct translation *translation, __u8 protocol, __u64 now) {
  bool lasts = protocol == IPPROTO_TCP && (translation->state & (TRANSLATION_ACKNOWLEDGED | TRANSLATION_CLOSING)) == TRANSLATION_ACKNOWLEDGED;
  return now > translation->used_ns + (lasts ? ESTABLISHED_NS : BRIEF_NS);
}

INLINE bool opens(const struct flow *flow) {
  return flow->protocol != IPPROTO_TCP || (flow->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* Under which key the answers of a backend come. Those of the client itself come to the service's address. */
INLINE void write_answers_key(struct flow_key *key, const struct flow *flow, const __u8 *address, __be16 port) {
  bool hairpin = same_address(address, flow->source);
  write_key(key, flow->vni, flow->protocol, FLOW_ANSWERS, address, is_icmp(flow->protocol) ? 0 : port,
            hairpin ? flow->destination : flow->source, flow->source_port);
}

/* Whether the answers belong to this flow: the client knows them by the service's address and port. */
INLINE bool is_of(const struct translation *answers, const struct flow *flow) {
  return same_address(answers->address, flow->destination) && answers->port == flow->destination_port;
}

INLINE bool is_current(const struct translation *translation, const struct service *service) {
  return translation->service_id == service->service_id && translation->generation == service->generation;
}

/* What the packet says of its flow. */
INLINE __u16 state_of(const struct flow *flow, const __u8 *backend) {
  __u16 state = same_address(backend, flow->source) ? TRANSLATION_HAIRPIN : 0;
  if (flow->tcp_flags & TCP_ACK) state |= TRANSLATION_ACKNOWLEDGED;
  if (flow->tcp_flags & (TCP_FIN | TCP_RST)) state |= TRANSLATION_CLOSING;
  return state;
}

/* The backend that the flow has already, into `scratch->backend`: DELIVERED if all is as it was and noted, 0 if the flow is to be kept anew,
 * NO_BACKEND if there is none or another one is to be chosen, or REFUSE. */
static __noinline int keep_backend(const struct flow *flow, const struct service *service, struct service_scratch *scratch, __u64 now) {
  struct translation *forward = bpf_map_lookup_elem(&translations, &scratch->forward);
  if (!forward) return NO_BACKEND;
  write_answers_key(&scratch->answers, flow, forward->address, forward->port);
  struct translation *answers = bpf_map_lookup_elem(&translations, &scratch->answers);
  bool own = answers && is_of(answers, flow);
  bool tcp = flow->protocol == IPPROTO_TCP;
  if (is_idle(own ? answers : forward, flow->protocol, now)) return NO_BACKEND;
  if (tcp && opens(flow) && own && answers->state & TRANSLATION_CLOSING) return NO_BACKEND;
  bool current = is_current(forward, service);
  bool begins = opens(flow);
  /* A SYN that is sent again may find its backend draining, since its host is silent: it goes elsewhere. */
  if (!current || (tcp && begins)) {
    if (!is_good(scratch, service->service_id, forward->address, forward->port, begins)) {
      if (own) bpf_map_delete_elem(&translations, &scratch->answers);
      bpf_map_delete_elem(&translations, &scratch->forward);
      return begins ? NO_BACKEND : REFUSE;
    }
  }
  if (tcp && answers && !own && !is_idle(answers, flow->protocol, now)) return REFUSE;
  copy_address(scratch->backend.address, forward->address);
  scratch->backend.port = forward->port;
  if (!current || !own || !is_current(answers, service)) return 0;
  forward->used_ns = now;
  answers->used_ns = now;
  answers->state |= state_of(flow, forward->address);
  return DELIVERED;
}

/* A backend for a new flow, into `scratch->backend`: 0, or REFUSE. */
static __noinline int choose_backend(const struct flow *flow, const struct service *service, struct service_scratch *scratch, __u64 now) {
  if (!service->backends) return REFUSE;
  __u32 slot = backend_slot(flow, service->flags & SERVICE_HAS_AFFINITY);
  for (int tries = 0; tries < SLOT_TRIES; tries++) {
    struct backend *backend = find_slot(service->table_id, slot);
    if (!backend) return REFUSE;
    copy_address(scratch->backend.address, backend->address);
    scratch->backend.port = backend->port;
    write_answers_key(&scratch->answers, flow, backend->address, backend->port);
    struct translation *answers = bpf_map_lookup_elem(&translations, &scratch->answers);
    if (!answers || is_of(answers, flow) || is_idle(answers, flow->protocol, now) || answers->state & TRANSLATION_CLOSING) return 0;
    slot = (slot + SLOT_STEP) % BACKEND_SLOTS;
  }
  /* The client speaks with all of them from this port by another service. Answers without a connection go to whom spoke last. */
  return flow->protocol == IPPROTO_TCP ? REFUSE : 0;
}

/* Keeps both directions of the flow to `scratch->backend`. */
static __noinline int keep_flow(const struct flow *flow, const struct service *service, struct service_scratch *scratch, __u64 now) {
  struct translation *translation = &scratch->translation;
  struct translation *answers = bpf_map_lookup_elem(&translations, &scratch->answers);
  bool own = answers && is_of(answers, flow) && !is_idle(answers, flow->protocol, now);
  __u16 state = own && !(opens(flow) && answers->state & TRANSLATION_CLOSING) ? answers->state : 0;
  translation->used_ns = now;
  translation->service_id = service->service_id;
  translation->generation = service->generation;
  copy_address(translation->address, flow->destination);
  translation->port = flow->destination_port;
  translation->state = state | state_of(flow, scratch->backend.address);
  bpf_map_update_elem(&translations, &scratch->answers, translation, BPF_ANY);
  copy_address(translation->address, scratch->backend.address);
  translation->port = scratch->backend.port;
  translation->state = 0;
  bpf_map_update_elem(&translations, &scratch->forward, translation, BPF_ANY);
  return 0;
}

/* A pod that is its own backend answers itself: the packet, to the service's address, becomes one from there. RESTORED, or 0 if it is no
 * such answer. */
INLINE int answer_itself(void *context, const bool xdp, struct flow *flow, struct service_scratch *scratch, __u64 now) {
  write_key(&scratch->answers, flow->vni, flow->protocol, FLOW_ANSWERS, flow->source, flow->source_port, flow->destination,
            flow->destination_port);
  struct translation *answers = bpf_map_lookup_elem(&translations, &scratch->answers);
  if (!answers || !(answers->state & TRANSLATION_HAIRPIN) || is_idle(answers, flow->protocol, now)) return 0;
  answers->used_ns = now;
  if (flow->tcp_flags & (TCP_FIN | TCP_RST)) answers->state |= TRANSLATION_CLOSING;
  struct backend *client = &scratch->backend;
  copy_address(client->address, flow->source);
  client->port = flow->destination_port;
  if (rewrite(context, xdp, flow, REWRITE_SOURCE, answers->address, answers->port) ||
      rewrite(context, xdp, flow, REWRITE_DESTINATION, client->address, client->port))
    return INTERNAL;
  copy_address(flow->destination, client->address);
  return RESTORED;
}

/* An ICMP error of the client about an answer goes to the backend, and quotes what that one sent. */
INLINE int depart_error(void *context, const bool xdp, struct flow *flow, struct flow *quoted, struct service_scratch *scratch) {
  if (read_quoted_flow(context, xdp, flow, quoted) || quoted->kind == FLOW_LATER || quoted->is_ipv6 != flow->is_ipv6 ||
      !same_address(quoted->source, flow->destination) || !same_address(quoted->destination, flow->source))
    return NO_BACKEND;
  write_key(&scratch->forward, flow->vni, quoted->protocol, FLOW_FORWARD, quoted->destination, quoted->destination_port, quoted->source,
            quoted->source_port);
  struct translation *forward = bpf_map_lookup_elem(&translations, &scratch->forward);
  if (!forward || same_address(forward->address, flow->source)) return NO_BACKEND;
  copy_address(scratch->backend.address, forward->address);
  scratch->backend.port = forward->port;
  if (rewrite_quoted(context, xdp, flow, quoted, REWRITE_SOURCE, &scratch->backend) ||
      rewrite(context, xdp, flow, REWRITE_DESTINATION, scratch->backend.address, 0))
    return INTERNAL;
  copy_address(flow->destination, scratch->backend.address);
  return TRANSLATED;
}

/* A packet of a pod: 0 if it is not for a service, TRANSLATED or RESTORED if it has become one for an endpoint, REFUSE, or the reason to drop it.
 * `flow` is then that to the endpoint; its source stays the pod's, also when the pod is its own backend. */
INLINE int service_departs_at(void *context, const bool xdp, struct flow *flow, struct flow *quoted) {
  struct service_scratch *scratch = this_service_scratch();
  if (!scratch) return INTERNAL;
  if (!find_service(scratch, flow, 0, 0)) return 0;
  __u64 now = bpf_ktime_get_ns();
  if (flow->is_error) return depart_error(context, xdp, flow, quoted, scratch);
  struct service *service = 0;
  if (!is_icmp(flow->protocol) || is_echo_request(flow)) service = find_service(scratch, flow, flow->protocol, flow->destination_port);
  if (!service) return answer_itself(context, xdp, flow, scratch, now) ?: REFUSE;
  write_key(&scratch->forward, flow->vni, flow->protocol, FLOW_FORWARD, flow->source, flow->source_port, flow->destination,
            flow->destination_port);
  int how = keep_backend(flow, service, scratch, now);
  if (how == NO_BACKEND) {
    how = answer_itself(context, xdp, flow, scratch, now);
    if (how) return how;
    how = choose_backend(flow, service, scratch, now);
  }
  if (how && how != DELIVERED) return how;
  if (!how) keep_flow(flow, service, scratch, now);
  struct backend *backend = &scratch->backend;
  if (same_address(backend->address, flow->source) &&
      rewrite(context, xdp, flow, REWRITE_SOURCE, flow->destination, flow->source_port))
    return INTERNAL;
  if (rewrite(context, xdp, flow, REWRITE_DESTINATION, backend->address, backend->port)) return INTERNAL;
  copy_address(flow->destination, backend->address);
  if (!is_icmp(flow->protocol)) flow->destination_port = backend->port;
  return TRANSLATED;
}

__noinline int service_departs_tc(struct __sk_buff *skb, struct flow *flow, struct flow *quoted) {
  if (!flow || !quoted) return INTERNAL;
  return service_departs_at(skb, false, flow, quoted);
}

__noinline int service_departs_xdp(struct xdp_md *context, struct flow *flow, struct flow *quoted) {
  if (!flow || !quoted) return INTERNAL;
  return service_departs_at(context, true, flow, quoted);
}

INLINE int service_departs(void *context, const bool xdp, struct flow_scratch *scratch) {
  return xdp ? service_departs_xdp(context, &scratch->flow, &scratch->quoted) : service_departs_tc(context, &scratch->flow, &scratch->quoted);
}

/* An ICMP error about a packet to a service quotes what the client sent. */
INLINE int error_arrives(void *context, const bool xdp, struct flow *flow, struct flow *quoted, struct service_scratch *scratch, __u64 now) {
  if (read_quoted_flow(context, xdp, flow, quoted) || quoted->kind == FLOW_LATER || quoted->is_ipv6 != flow->is_ipv6 ||
      !same_address(quoted->source, flow->destination))
    return 0;
  write_key(&scratch->answers, flow->vni, quoted->protocol, FLOW_ANSWERS, quoted->destination, quoted->destination_port, quoted->source,
            quoted->source_port);
  struct translation *answers = bpf_map_lookup_elem(&translations, &scratch->answers);
  if (!answers || is_idle(answers, quoted->protocol, now)) return 0;
  copy_address(scratch->backend.address, answers->address);
  scratch->backend.port = answers->port;
  bool speaks = same_address(flow->source, quoted->destination);
  if (rewrite_quoted(context, xdp, flow, quoted, REWRITE_DESTINATION, &scratch->backend) ||
      (speaks && rewrite(context, xdp, flow, REWRITE_SOURCE, scratch->backend.address, 0)))
    return INTERNAL;
  return RESTORED;
}

/* A packet to a pod: 0 if it does not come from a backend that the pod speaks with by a service, RESTORED if it comes from the service now, or the
 * reason to drop it. */
INLINE int service_arrives_at(void *context, const bool xdp, struct flow *flow, struct flow *quoted) {
  struct service_scratch *scratch = this_service_scratch();
  if (!scratch) return INTERNAL;
  __u64 now = bpf_ktime_get_ns();
  if (flow->is_error) return error_arrives(context, xdp, flow, quoted, scratch, now);
  write_key(&scratch->answers, flow->vni, flow->protocol, FLOW_ANSWERS, flow->source, flow->source_port, flow->destination,
            flow->destination_port);
  struct translation *answers = bpf_map_lookup_elem(&translations, &scratch->answers);
  if (!answers || is_idle(answers, flow->protocol, now)) return 0;
  answers->used_ns = now;
  if (flow->tcp_flags & (TCP_FIN | TCP_RST)) answers->state |= TRANSLATION_CLOSING;
  return rewrite(context, xdp, flow, REWRITE_SOURCE, answers->address, answers->port) ? INTERNAL : RESTORED;
}

__noinline int service_arrives_tc(struct __sk_buff *skb, struct flow *flow, struct flow *quoted) {
  if (!flow || !quoted) return INTERNAL;
  return service_arrives_at(skb, false, flow, quoted);
}

__noinline int service_arrives_xdp(struct xdp_md *context, struct flow *flow, struct flow *quoted) {
  if (!flow || !quoted) return INTERNAL;
  return service_arrives_at(context, true, flow, quoted);
}

INLINE int service_arrives(void *context, const bool xdp, struct flow_scratch *scratch) {
  return xdp ? service_arrives_xdp(context, &scratch->flow, &scratch->quoted) : service_arrives_tc(context, &scratch->flow, &scratch->quoted);
}
