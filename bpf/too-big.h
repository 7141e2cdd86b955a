/* Packets of a pod that are too long, for its own link or for the subnet that they go to: each becomes the message that says so. */
#pragma once

#include <linux/tcp.h>

#include "hook.h"

/* Quoted in "fragmentation needed": the longest IPv4 header and 8 octets. */
#define QUOTED_IPV4_BYTES 68
/* Quoted in "packet too big": the transport's ports, behind a few extension headers if need be. */
#define QUOTED_IPV6_BYTES 128

/* What becomes of a frame. */
#define REPORT_TOO_BIG_IPV4 256
#define REPORT_TOO_BIG_IPV6 257

/* A frame of a pod. */
struct frame {
  void *data;
  void *data_end;
  struct port *port;
  __u32 ifindex;
  __u32 bytes;
  bool segmented_later; /* GSO: longer than the MTU, but its segments are not */
  bool has_flow;        /* `flow_scratch` has its flow */
  bool translated;      /* by a service */
  bool is_unanswered;   /* of a flow whose receiver has not answered yet: it hears who sends */
  __u32 segment_bytes;  /* of a segment's payload */
  __u32 longest_bytes;  /* of the packet, or of its segments */
  __u32 mtu;            /* that it must fit */
};

INLINE __u32 longest_bytes(const struct frame *frame, __u32 header_bytes, __u32 protocol) {
  if (!frame->segmented_later) return frame->bytes - ETH_HLEN;
  if (protocol != IPPROTO_TCP) return header_bytes + sizeof(struct udphdr) + frame->segment_bytes;
  struct tcphdr *tcp = frame->data + ETH_HLEN + header_bytes;
  __u32 transport_bytes = (void *)(tcp + 1) <= frame->data_end ? tcp->doff * 4 : sizeof(*tcp);
  return header_bytes + transport_bytes + frame->segment_bytes;
}

/* Whether it must be looked where the packet goes before it is known that it is not too long. No subnet's MTU is as small as what is quoted. */
INLINE bool may_be_too_big(const struct frame *frame) {
  return frame->longest_bytes > frame->port->least_mtu && frame->longest_bytes > QUOTED_IPV6_BYTES;
}

/* Whether the packet is longer than the MTU of the subnet that it goes to. A function of its own, for the room on the agent's stack. */
static __noinline int is_too_big_for(struct frame *frame, const struct endpoint_key *key) {
  struct subnet *subnet = find_subnet(key);
  if (!subnet) return 0;
  frame->mtu = subnet->mtu;
  return frame->longest_bytes > frame->mtu;
}

/* What becomes of a packet that is too long. Nobody cuts it, so its sender is told also if others could. A gateway's kernel knows the MTU of
 * its link and of each subnet, and has told it already. */
INLINE int too_big_ipv4(const struct frame *frame, const struct iphdr *ip) {
  bool is_later_fragment = ip->frag_off & bpf_htons(IPV4_OFFSET);
  return frame->port->flags & PORT_IS_GATEWAY || is_later_fragment ? TOO_BIG : REPORT_TOO_BIG_IPV4;
}

INLINE int too_big_ipv6(const struct frame *frame) {
  return frame->port->flags & PORT_IS_GATEWAY ? TOO_BIG : REPORT_TOO_BIG_IPV6;
}

struct too_big_ipv4 {
  __u8 lead[LEAD_BYTES];
  struct ethhdr ethernet;
  struct iphdr ip;
  struct icmp icmp;
  __u8 quoted[QUOTED_IPV4_BYTES];
};

struct too_big_ipv6 {
  __u8 lead[LEAD_BYTES];
  struct ethhdr ethernet;
  struct ipv6hdr ip;
  struct icmp6hdr icmp;
  __u8 quoted[QUOTED_IPV6_BYTES];
};

/* Too large for the stack. What is quoted may be there before it is known that the packet is too long. */
union too_big_scratch {
  struct too_big_ipv4 ipv4;
  struct too_big_ipv6 ipv6;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, union too_big_scratch);
} too_big_scratch SEC(".maps");

INLINE union too_big_scratch *this_too_big_scratch(void) {
  __u32 first = 0;
  return bpf_map_lookup_elem(&too_big_scratch, &first);
}

/* 0, or INTERNAL. */
INLINE int quote(void *context, const bool xdp, const bool ipv6, union too_big_scratch *scratch) {
  int failed = ipv6 ? load(context, xdp, ETH_HLEN, scratch->ipv6.quoted, QUOTED_IPV6_BYTES)
                    : load(context, xdp, ETH_HLEN, scratch->ipv4.quoted, QUOTED_IPV4_BYTES);
  return failed ? INTERNAL : 0;
}

/* Keeps what is quoted as the pod sent it, before a service rewrites it. 0, or INTERNAL. */
INLINE int keep_original(void *context, const bool xdp, const bool ipv6) {
  union too_big_scratch *scratch = this_too_big_scratch();
  return scratch ? quote(context, xdp, ipv6, scratch) : INTERNAL;
}

/* 0, or INTERNAL. The gateway speaks; without one, who was meant. */
INLINE int report_too_big_ipv4(void *context, const bool xdp, const struct frame *frame) {
  const struct port *port = frame->port;
  union too_big_scratch *scratch = this_too_big_scratch();
  if (!scratch || (!frame->translated && quote(context, xdp, false, scratch))) return INTERNAL;
  struct too_big_ipv4 *message = &scratch->ipv4;
  __builtin_memset(message, 0, sizeof(*message) - QUOTED_IPV4_BYTES);
  const __u32 message_bytes = sizeof(*message) - LEAD_BYTES;
  __u8 speaker[ADDRESS_BYTES] __attribute__((aligned(4)));
  if (!find_gateway(port, false, speaker)) map_ipv4(speaker, ((struct iphdr *)message->quoted)->daddr);
  copy_mac(message->ethernet.h_dest, port->mac);
  copy_mac(message->ethernet.h_source, port->gateway_mac);
  message->ethernet.h_proto = bpf_htons(ETH_P_IP);
  message->ip.version = 4;
  message->ip.ihl = 5;
  message->ip.tot_len = bpf_htons(message_bytes - ETH_HLEN);
  message->ip.ttl = 64;
  message->ip.protocol = IPPROTO_ICMP;
  message->ip.saddr = ipv4_of(speaker);
  message->ip.daddr = ipv4_of(port->ipv4);
  message->ip.check = ipv4_checksum(&message->ip);
  message->icmp.type = ICMP_UNREACHABLE;
  message->icmp.code = ICMP_FRAGMENTATION_NEEDED;
  message->icmp.mtu = bpf_htons(frame->mtu);
  message->icmp.checksum = fold(bpf_csum_diff(0, 0, (__be32 *)&message->icmp, sizeof(message->icmp) + QUOTED_IPV4_BYTES, 0));
  return resize(context, xdp, frame->bytes, message_bytes) || store(context, xdp, 0, &message->ethernet, message_bytes) ? INTERNAL : 0;
}

INLINE int report_too_big_ipv6(void *context, const bool xdp, const struct frame *frame) {
  const struct port *port = frame->port;
  union too_big_scratch *scratch = this_too_big_scratch();
  if (!scratch || (!frame->translated && quote(context, xdp, true, scratch))) return INTERNAL;
  struct too_big_ipv6 *message = &scratch->ipv6;
  __builtin_memset(message, 0, sizeof(*message) - QUOTED_IPV6_BYTES);
  const __u32 message_bytes = sizeof(*message) - LEAD_BYTES;
  __u8 *speaker = (__u8 *)&message->ip.saddr;
  if (!find_gateway(port, true, speaker)) copy_address(speaker, (__u8 *)&((struct ipv6hdr *)message->quoted)->daddr);
  copy_mac(message->ethernet.h_dest, port->mac);
  copy_mac(message->ethernet.h_source, port->gateway_mac);
  message->ethernet.h_proto = bpf_htons(ETH_P_IPV6);
  message->ip.version = 6;
  message->ip.payload_len = bpf_htons(sizeof(message->icmp) + QUOTED_IPV6_BYTES);
  message->ip.nexthdr = IPPROTO_ICMPV6;
  message->ip.hop_limit = 64;
  copy_address((__u8 *)&message->ip.daddr, port->ipv6);
  message->icmp.icmp6_type = ICMPV6_PKT_TOOBIG;
  message->icmp.icmp6_mtu = bpf_htonl(frame->mtu);
  message->icmp.icmp6_cksum = icmpv6_checksum(&message->ip, &message->icmp, sizeof(message->icmp) + QUOTED_IPV6_BYTES);
  return resize(context, xdp, frame->bytes, message_bytes) || store(context, xdp, 0, &message->ethernet, message_bytes) ? INTERNAL : 0;
}

static __noinline int report_too_big_ipv4_tc(struct __sk_buff *skb, const struct frame *frame) {
  return report_too_big_ipv4(skb, false, frame);
}

static __noinline int report_too_big_ipv4_xdp(struct xdp_md *context, const struct frame *frame) {
  return report_too_big_ipv4(context, true, frame);
}

static __noinline int report_too_big_ipv6_tc(struct __sk_buff *skb, const struct frame *frame) {
  return report_too_big_ipv6(skb, false, frame);
}

static __noinline int report_too_big_ipv6_xdp(struct xdp_md *context, const struct frame *frame) {
  return report_too_big_ipv6(context, true, frame);
}
