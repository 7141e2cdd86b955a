/* A packet to a service that nobody answers becomes the message that says so: RST, or ICMP "port unreachable". */
#pragma once

#include <linux/tcp.h>

#include "flow.h"

#define ICMP_PORT_UNREACHABLE 3
#define ICMPV6_PORT_UNREACHABLE 4

/* Quoted is the packet up to the first 8 octets of its transport header: its addresses and ports. */
#define QUOTED_TRANSPORT_BYTES 8
#define REFUSED_IPV4_BYTES 68
#define REFUSED_IPV6_BYTES 128

struct refusal_ipv4 {
  __u8 lead[LEAD_BYTES];
  struct ethhdr ethernet;
  struct iphdr ip;
  union {
    struct tcphdr tcp;
    struct {
      struct icmp icmp;
      __u8 quoted[REFUSED_IPV4_BYTES];
    };
  };
};

struct refusal_ipv6 {
  __u8 lead[LEAD_BYTES];
  struct ethhdr ethernet;
  struct ipv6hdr ip;
  union {
    struct tcphdr tcp;
    struct {
      struct icmp6hdr icmp;
      __u8 quoted[REFUSED_IPV6_BYTES];
    };
  };
};

struct refusal_scratch {
  struct tcphdr tcp; /* of the packet */
  __u8 reserved[4];
  union {
    struct refusal_ipv4 ipv4;
    struct refusal_ipv6 ipv6;
  };
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct refusal_scratch);
} refusal_scratch SEC(".maps");

/* The RST for a segment of `bytes` octets, header and all, without its checksum. */
INLINE void write_reset(struct tcphdr *reset, const struct tcphdr *segment, const struct flow *flow, __u32 bytes) {
  reset->source = flow->destination_port;
  reset->dest = flow->source_port;
  reset->doff = 5;
  reset->rst = 1;
  if (segment->ack) {
    reset->seq = segment->ack_seq;
    return;
  }
  __u32 header_bytes = segment->doff * 4;
  __u32 taken = (bytes > header_bytes ? bytes - header_bytes : 0) + segment->syn + segment->fin;
  reset->ack = 1;
  reset->ack_seq = bpf_htonl(bpf_ntohl(segment->seq) + taken);
}

/* 0, or INTERNAL. `end`: of the packet in the frame. */
INLINE int refuse_ipv4(void *context, const bool xdp, const struct flow *flow, const struct port *port, __u32 bytes, __u32 end,
                       struct refusal_scratch *scratch) {
  struct refusal_ipv4 *message = &scratch->ipv4;
  __builtin_memset(message, 0, sizeof(*message));
  __u32 message_bytes;
  if (flow->protocol == IPPROTO_TCP && flow->kind == FLOW_WHOLE) {
    if (load(context, xdp, flow->l4_offset, &scratch->tcp, sizeof(scratch->tcp))) return INTERNAL;
    write_reset(&message->tcp, &scratch->tcp, flow, end - flow->l4_offset);
    message_bytes = ETH_HLEN + sizeof(struct iphdr) + sizeof(struct tcphdr);
    message->ip.protocol = IPPROTO_TCP;
  } else {
    __u32 quoted_bytes = flow->l4_offset + QUOTED_TRANSPORT_BYTES - ETH_HLEN;
    if (quoted_bytes > end - ETH_HLEN) quoted_bytes = end - ETH_HLEN;
    if (quoted_bytes < sizeof(struct iphdr) || quoted_bytes > REFUSED_IPV4_BYTES) return INTERNAL;
    if (load(context, xdp, ETH_HLEN, message->quoted, quoted_bytes)) return INTERNAL;
    message->icmp.type = ICMP_UNREACHABLE;
    message->icmp.code = ICMP_PORT_UNREACHABLE;
    message->icmp.checksum = fold(bpf_csum_diff(0, 0, (__be32 *)&message->icmp, sizeof(message->icmp) + REFUSED_IPV4_BYTES, 0));
    message_bytes = ETH_HLEN + sizeof(struct iphdr) + sizeof(struct icmp) + quoted_bytes;
    message->ip.protocol = IPPROTO_ICMP;
  }
  copy_mac(message->ethernet.h_dest, port->mac);
  copy_mac(message->ethernet.h_source, port->gateway_mac);
  message->ethernet.h_proto = bpf_htons(ETH_P_IP);
  message->ip.version = 4;
  message->ip.ihl = 5;
  message->ip.tot_len = bpf_htons(message_bytes - ETH_HLEN);
  message->ip.ttl = 64;
  message->ip.saddr = ipv4_of(flow->destination);
  message->ip.daddr = ipv4_of(flow->source);
  message->ip.check = ipv4_checksum(&message->ip);
  if (message->ip.protocol == IPPROTO_TCP) {
    __u32 sum = bpf_csum_diff(0, 0, &message->ip.saddr, 8, bpf_htonl(IPPROTO_TCP + sizeof(struct tcphdr)));
    message->tcp.check = fold(bpf_csum_diff(0, 0, (__be32 *)&message->tcp, sizeof(message->tcp), sum));
  }
  return resize(context, xdp, bytes, message_bytes) || store(context, xdp, 0, &message->ethernet, message_bytes) ? INTERNAL : 0;
}

INLINE int refuse_ipv6(void *context, const bool xdp, const struct flow *flow, const struct port *port, __u32 bytes, __u32 end,
                       struct refusal_scratch *scratch) {
  struct refusal_ipv6 *message = &scratch->ipv6;
  __builtin_memset(message, 0, sizeof(*message));
  __u32 payload_bytes;
  bool tcp = flow->protocol == IPPROTO_TCP && flow->kind == FLOW_WHOLE;
  if (tcp) {
    if (load(context, xdp, flow->l4_offset, &scratch->tcp, sizeof(scratch->tcp))) return INTERNAL;
    write_reset(&message->tcp, &scratch->tcp, flow, end - flow->l4_offset);
    payload_bytes = sizeof(struct tcphdr);
    message->ip.nexthdr = IPPROTO_TCP;
  } else {
    __u32 quoted_bytes = flow->l4_offset + QUOTED_TRANSPORT_BYTES - ETH_HLEN;
    if (quoted_bytes > end - ETH_HLEN) quoted_bytes = end - ETH_HLEN;
    if (quoted_bytes > REFUSED_IPV6_BYTES) quoted_bytes = REFUSED_IPV6_BYTES;
    if (quoted_bytes < sizeof(struct ipv6hdr)) return INTERNAL;
    if (load(context, xdp, ETH_HLEN, message->quoted, quoted_bytes)) return INTERNAL;
    message->icmp.icmp6_type = ICMPV6_DEST_UNREACH;
    message->icmp.icmp6_code = ICMPV6_PORT_UNREACHABLE;
    payload_bytes = sizeof(struct icmp6hdr) + quoted_bytes;
    message->ip.nexthdr = IPPROTO_ICMPV6;
  }
  copy_mac(message->ethernet.h_dest, port->mac);
  copy_mac(message->ethernet.h_source, port->gateway_mac);
  message->ethernet.h_proto = bpf_htons(ETH_P_IPV6);
  message->ip.version = 6;
  message->ip.payload_len = bpf_htons(payload_bytes);
  message->ip.hop_limit = 64;
  copy_address((__u8 *)&message->ip.saddr, flow->destination);
  copy_address((__u8 *)&message->ip.daddr, flow->source);
  __u32 sum = bpf_csum_diff(0, 0, (__be32 *)&message->ip.saddr, 2 * ADDRESS_BYTES, bpf_htonl(payload_bytes + message->ip.nexthdr));
  /* What is not quoted is zero. */
  sum = bpf_csum_diff(0, 0, (__be32 *)&message->icmp, sizeof(message->icmp) + REFUSED_IPV6_BYTES, sum);
  if (tcp)
    message->tcp.check = fold(sum);
  else
    message->icmp.icmp6_cksum = fold(sum);
  __u32 message_bytes = ETH_HLEN + sizeof(struct ipv6hdr) + payload_bytes;
  return resize(context, xdp, bytes, message_bytes) || store(context, xdp, 0, &message->ethernet, message_bytes) ? INTERNAL : 0;
}

/* Where the IP packet ends in a frame of `bytes` octets: behind it may be padding. */
INLINE __u32 end_of(void *context, const bool xdp, const struct flow *flow, __u32 bytes) {
  __be16 length = 0;
  if (load(context, xdp, ETH_HLEN + (flow->is_ipv6 ? 4 : 2), &length, sizeof(length))) return 0;
  __u32 end = ETH_HLEN + (flow->is_ipv6 ? sizeof(struct ipv6hdr) : 0) + bpf_ntohs(length);
  return end < bytes ? end : bytes;
}

/* Makes of the pod's packet the answer to it: 0, or the reason to drop it, for what nobody may be answered about. The lengths in a packet that
 * will be cut into segments mean nothing. */
INLINE int refuse_at(void *context, const bool xdp, const struct flow *flow, const struct port *port, __u32 bytes, bool segmented_later) {
  __u32 first = 0;
  struct refusal_scratch *scratch = bpf_map_lookup_elem(&refusal_scratch, &first);
  if (!scratch) return INTERNAL;
  __u32 end = segmented_later ? bytes : end_of(context, xdp, flow, bytes);
  if (flow->kind == FLOW_LATER || flow->is_error || flow->tcp_flags & TCP_RST) return NO_BACKEND;
  return flow->is_ipv6 ? refuse_ipv6(context, xdp, flow, port, bytes, end, scratch)
                       : refuse_ipv4(context, xdp, flow, port, bytes, end, scratch);
}

static __noinline int refuse_tc(struct __sk_buff *skb, const struct flow *flow, const struct port *port, __u32 bytes,
                               bool segmented_later) {
  return refuse_at(skb, false, flow, port, bytes, segmented_later);
}

static __noinline int refuse_xdp(struct xdp_md *context, const struct flow *flow, const struct port *port, __u32 bytes,
                                bool segmented_later) {
  return refuse_at(context, true, flow, port, bytes, segmented_later);
}

INLINE int refuse(void *context, const bool xdp, const struct port *port, __u32 bytes, bool segmented_later) {
  struct flow_scratch *scratch = this_flow_scratch();
  if (!scratch) return INTERNAL;
  return xdp ? refuse_xdp(context, &scratch->flow, port, bytes, segmented_later)
             : refuse_tc(context, &scratch->flow, port, bytes, segmented_later);
}
