/* The flow of an IP packet: who speaks with whom, read once for services and policies. */
#pragma once

#include "hook.h"

#define FLOW_WHOLE 0
#define FLOW_FIRST 1 /* the first fragment: it has the ports */
#define FLOW_LATER 2 /* a later one: ports, protocol and ICMP type are those of the first */

/* Fragments of a packet come together: the kernel's own limit for putting them together. */
#define FRAGMENT_NS (30ULL * 1000 * 1000 * 1000)

#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO_REQUEST 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12
#define ICMPV6_LAST_ERROR 4

struct flow {
  __u32 vni;
  __u8 source[ADDRESS_BYTES];
  __u8 destination[ADDRESS_BYTES];
  __be16 source_port; /* of an echo request its identifier, with destination port 0; the reverse in the reply */
  __be16 destination_port;
  __u8 protocol;  /* behind the extension headers */
  __u8 tcp_flags; /* 0 in a later fragment */
  __u8 kind;
  __u8 is_ipv6;
  __u16 l3_offset; /* in the frame */
  __u16 l4_offset;
  __u8 icmp_type;
  __u8 is_error; /* ICMP that quotes a packet: read_quoted_flow() tells of which flow */
  __u8 reserved[2];
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* What lies too large on the stack. */
struct flow_scratch {
  struct flow flow;
  struct flow quoted;
  struct fragment_key key;
  struct fragment fragment;
  union {
    struct iphdr ipv4;
    struct ipv6hdr ipv6;
    __u8 octets[40];
  };
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct flow_scratch);
} flow_scratch SEC(".maps");

INLINE struct flow_scratch *this_flow_scratch(void) {
  __u32 first = 0;
  return bpf_map_lookup_elem(&flow_scratch, &first);
}

INLINE bool is_icmp(__u32 protocol) {
  return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

INLINE bool is_echo_request(const struct flow *flow) {
  return flow->protocol == IPPROTO_ICMPV6 ? flow->icmp_type == ICMPV6_ECHO_REQUEST
                                          : flow->protocol == IPPROTO_ICMP && flow->icmp_type == ICMP_ECHO_REQUEST;
}

/* The ports behind the IP header, or what stands for them. */
INLINE int read_transport(void *context, const bool xdp, struct flow *flow, struct flow_scratch *scratch, bool quoted) {
  __u8 *head = scratch->octets;
  __u32 at = flow->l4_offset;
  if (flow->protocol == IPPROTO_TCP && !quoted) {
    if (load(context, xdp, at, head, 20)) return MALFORMED;
    flow->tcp_flags = head[13];
  } else if (has_ports(flow->protocol) || is_icmp(flow->protocol)) {
    if (load(context, xdp, at, head, 8)) return MALFORMED;
  } else {
    return 0;
  }
  if (!is_icmp(flow->protocol)) {
    flow->source_port = *(__be16 *)head;
    flow->destination_port = *(__be16 *)(head + 2);
    return 0;
  }
  __u8 type = head[0];
  bool request, reply;
  flow->icmp_type = type;
  if (flow->protocol == IPPROTO_ICMP) {
    request = type == ICMP_ECHO_REQUEST;
    reply = type == ICMP_ECHO_REPLY;
    flow->is_error = type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
  } else {
    request = type == ICMPV6_ECHO_REQUEST;
    reply = type == ICMPV6_ECHO_REPLY;
    flow->is_error = type >= 1 && type <= ICMPV6_LAST_ERROR;
  }
  if (request) flow->source_port = *(__be16 *)(head + 4);
  if (reply) flow->destination_port = *(__be16 *)(head + 4);
  return 0;
}

/* The first fragment says whose the others are. */
INLINE int match_fragment(struct flow *flow, struct flow_scratch *scratch) {
  if (flow->kind == FLOW_FIRST) {
    scratch->fragment.expires_ns = bpf_ktime_get_ns() + FRAGMENT_NS;
    scratch->fragment.source_port = flow->source_port;
    scratch->fragment.destination_port = flow->destination_port;
    scratch->fragment.protocol = flow->protocol;
    scratch->fragment.icmp_type = flow->icmp_type;
    bpf_map_update_elem(&fragments, &scratch->key, &scratch->fragment, BPF_ANY);
    return 0;
  }
  struct fragment *first = bpf_map_lookup_elem(&fragments, &scratch->key);
  if (!first || bpf_ktime_get_ns() >= first->expires_ns) return FRAGMENT;
  flow->source_port = first->source_port;
  flow->destination_port = first->destination_port;
  flow->protocol = first->protocol;
  flow->icmp_type = first->icmp_type;
  return 0;
}

/* Reads the flow of the IP packet at `at`: 0, or the reason to drop it. A packet that ICMP quotes may be cut off behind 8 octets of its
 * transport header, and says nothing about fragments. */
INLINE int read_flow_at(void *context, const bool xdp, __u32 at, __u32 vni, struct flow *flow, const bool quoted) {
  struct flow_scratch *scratch = this_flow_scratch();
  if (!scratch) return INTERNAL;
  __builtin_memset(flow, 0, sizeof(*flow));
  __builtin_memset(&scratch->key, 0, sizeof(scratch->key));
  flow->vni = vni;
  flow->l3_offset = at;
  struct fragment_key *key = &scratch->key;
  if (load(context, xdp, at, scratch->octets, sizeof(struct iphdr))) return MALFORMED;
  if (scratch->ipv4.version == 4) {
    struct iphdr *ip = &scratch->ipv4;
    map_ipv4(flow->source, ip->saddr);
    map_ipv4(flow->destination, ip->daddr);
    flow->protocol = ip->protocol;
    flow->l4_offset = at + ip->ihl * 4;
    __u32 fragment = bpf_ntohs(ip->frag_off) & IPV4_MORE_FRAGMENTS_AND_OFFSET;
    if (fragment) flow->kind = fragment & 0x1fff ? FLOW_LATER : FLOW_FIRST;
    key->protocol = ip->protocol;
    key->id = bpf_ntohs(ip->id);
  } else {
    if (load(context, xdp, at, scratch->octets, sizeof(struct ipv6hdr)) || scratch->ipv6.version != 6) return MALFORMED;
    struct ipv6hdr *ip = &scratch->ipv6;
    copy_address(flow->source, (__u8 *)&ip->saddr);
    copy_address(flow->destination, (__u8 *)&ip->daddr);
    flow->is_ipv6 = 1;
    __u32 protocol = ip->nexthdr;
    at += sizeof(*ip);
    __u8 *head = scratch->octets;
    for (int walked = 0; is_extension(protocol); walked++) {
      if (walked == MAX_EXTENSIONS || load(context, xdp, at, head, 8)) return MALFORMED;
      if (protocol == IPPROTO_FRAGMENT) {
        __u32 fragment = head[2] << 8 | head[3];
        if (fragment & (IPV6_FRAGMENT_OFFSET | 1)) flow->kind = fragment & IPV6_FRAGMENT_OFFSET ? FLOW_LATER : FLOW_FIRST;
        key->protocol = head[0];
        key->id = bpf_ntohl(*(__be32 *)(head + 4));
        at += 8;
      } else {
        at += protocol == IPPROTO_AH ? (head[1] + 2) * 4 : (head[1] + 1) * 8;
      }
      protocol = head[0];
      if (flow->kind == FLOW_LATER) break;
    }
    flow->protocol = protocol;
    flow->l4_offset = at;
  }
  if (flow->kind != FLOW_LATER) {
    int failed = read_transport(context, xdp, flow, scratch, quoted);
    if (failed) return failed;
  }
  if (flow->kind == FLOW_WHOLE || quoted) return 0;
  key->vni = vni;
  copy_address(key->source, flow->source);
  copy_address(key->destination, flow->destination);
  return match_fragment(flow, scratch);
}

/* Functions of the object, not of this file: the verifier looks at each once, not at every place that calls it. */

__noinline int read_flow_tc(struct __sk_buff *skb, __u32 at, __u32 vni, struct flow *flow) {
  if (!flow) return MALFORMED;
  return read_flow_at(skb, false, at, vni, flow, false);
}

__noinline int read_flow_xdp(struct xdp_md *context, __u32 at, __u32 vni, struct flow *flow) {
  if (!flow) return MALFORMED;
  return read_flow_at(context, true, at, vni, flow, false);
}

__noinline int read_quoted_flow_tc(struct __sk_buff *skb, __u32 at, __u32 vni, struct flow *flow) {
  if (!flow) return MALFORMED;
  return read_flow_at(skb, false, at, vni, flow, true);
}

__noinline int read_quoted_flow_xdp(struct xdp_md *context, __u32 at, __u32 vni, struct flow *flow) {
  if (!flow) return MALFORMED;
  return read_flow_at(context, true, at, vni, flow, true);
}

/* The flow of the IP packet at `at` in the frame: 0, or the reason to drop the packet. */
INLINE int read_flow(void *context, const bool xdp, __u32 at, __u32 vni, struct flow *flow) {
  return xdp ? read_flow_xdp(context, at, vni, flow) : read_flow_tc(context, at, vni, flow);
}

/* The flow of the packet that the ICMP error of `error` quotes, as it was when it came to whom speaks here. */
INLINE int read_quoted_flow(void *context, const bool xdp, const struct flow *error, struct flow *flow) {
  __u32 at = error->l4_offset + 8;
  return xdp ? read_quoted_flow_xdp(context, at, error->vni, flow) : read_quoted_flow_tc(context, at, error->vni, flow);
}
