/* Other addresses and ports in a packet, with the checksums over them. */
#pragma once

#include "flow.h"

#define REWRITE_SOURCE 0
#define REWRITE_DESTINATION 1

/* The checksum at `at` after what it covers has changed by `difference`. `pseudo`: the change lies in the addresses, which a checksum that the
 * device will finish has in it already. `may_be_none`: 0 says that there is none (UDP). */
INLINE int adjust_checksum(void *context, const bool xdp, __u32 at, __u32 difference, const bool pseudo, bool may_be_none) {
  if (!xdp) {
    __u64 flags = (pseudo ? BPF_F_PSEUDO_HDR : 0) | (may_be_none ? BPF_F_MARK_MANGLED_0 : 0);
    return bpf_l4_csum_replace(context, at, 0, difference, flags);
  }
  __sum16 checksum;
  if (load(context, xdp, at, &checksum, sizeof(checksum))) return -1;
  if (may_be_none && !checksum) return 0;
  difference = (difference & 0xffff) + (difference >> 16);
  checksum = fold((__u16)~checksum + difference);
  if (may_be_none && !checksum) checksum = 0xffff;
  return store(context, xdp, at, &checksum, sizeof(checksum));
}

/* Where the transport's checksum over the addresses lies, behind its header's begin; 0 if it has none. */
INLINE __u32 checksum_offset(__u32 protocol) {
  if (protocol == IPPROTO_TCP) return 16;
  if (protocol == IPPROTO_UDP) return 6;
  return protocol == IPPROTO_ICMPV6 ? 2 : 0;
}

INLINE __u32 word_difference(__u16 before, __u16 after) {
  return (__u32)(__u16)~before + after;
}

/* Writes an address into the IP header of `flow`, and its own checksum; the difference of the address goes to `difference`, so that who else
 * sums it up can be told. */
INLINE int rewrite_address(void *context, const bool xdp, const struct flow *flow, __u32 end, const __u8 *address, __u32 *difference) {
  const __u8 *before = end == REWRITE_SOURCE ? flow->source : flow->destination;
  __u8 copies[2 * ADDRESS_BYTES] __attribute__((aligned(4)));
  copy_address(copies, before);
  copy_address(copies + ADDRESS_BYTES, address);
  *difference = bpf_csum_diff((__be32 *)copies, ADDRESS_BYTES, (__be32 *)(copies + ADDRESS_BYTES), ADDRESS_BYTES, 0);
  *difference = (*difference & 0xffff) + (*difference >> 16);
  __u32 at = flow->l3_offset;
  if (flow->is_ipv6) return store(context, xdp, at + (end == REWRITE_SOURCE ? 8 : 24), copies + ADDRESS_BYTES, ADDRESS_BYTES);
  __sum16 checksum;
  if (load(context, xdp, at + 10, &checksum, sizeof(checksum))) return -1;
  checksum = fold((__u16)~checksum + *difference);
  return store(context, xdp, at + 10, &checksum, sizeof(checksum)) ?:
         store(context, xdp, at + (end == REWRITE_SOURCE ? 12 : 16), copies + ADDRESS_BYTES + 12, 4);
}

INLINE int rewrite_at(void *context, const bool xdp, const struct flow *flow, __u32 end, const __u8 *address, __be16 port) {
  __u32 difference = 0;
  if (rewrite_address(context, xdp, flow, end, address, &difference)) return -1;
  __u32 offset = checksum_offset(flow->protocol);
  if (flow->kind == FLOW_LATER || !offset) return 0;
  __u32 at = flow->l4_offset;
  bool udp = flow->protocol == IPPROTO_UDP;
  if (adjust_checksum(context, xdp, at + offset, difference, true, udp)) return -1;
  __be16 before = end == REWRITE_SOURCE ? flow->source_port : flow->destination_port;
  if (is_icmp(flow->protocol) || before == port) return 0;
  if (adjust_checksum(context, xdp, at + offset, word_difference(before, port), false, udp)) return -1;
  return store(context, xdp, at + (end == REWRITE_SOURCE ? 0 : 2), &port, sizeof(port));
}

static __noinline int rewrite_tc(struct __sk_buff *skb, const struct flow *flow, __u32 end, const __u8 *address, __be16 port) {
  return rewrite_at(skb, false, flow, end, address, port);
}

static __noinline int rewrite_xdp(struct xdp_md *context, const struct flow *flow, __u32 end, const __u8 *address, __be16 port) {
  return rewrite_at(context, true, flow, end, address, port);
}

/* Gives the packet of `flow` another address and port at one end; of ICMP the address alone. `flow` stays as it was. 0, or not if the packet
 * cannot be written to. */
INLINE int rewrite(void *context, const bool xdp, const struct flow *flow, __u32 end, const __u8 *address, __be16 port) {
  return xdp ? rewrite_xdp(context, flow, end, address, port) : rewrite_tc(context, flow, end, address, port);
}

/* The same in the packet that an ICMP error quotes, as far as it does; the error's checksum covers all of it. */
INLINE int rewrite_quoted_at(void *context, const bool xdp, const struct flow *error, const struct flow *quoted, __u32 end,
                             const struct backend *to) {
  __u32 difference = 0;
  if (rewrite_address(context, xdp, quoted, end, to->address, &difference)) return -1;
  /* With the header's own checksum an IPv4 header sums up to what it did before. */
  __u32 change = quoted->is_ipv6 ? difference : 0;
  __be16 port = to->port, before = end == REWRITE_SOURCE ? quoted->source_port : quoted->destination_port;
  __u32 at = quoted->l4_offset;
  if (is_icmp(quoted->protocol)) {
    port = before;
  } else if (has_ports(quoted->protocol)) {
    if (store(context, xdp, at + (end == REWRITE_SOURCE ? 0 : 2), &port, sizeof(port))) return -1;
    change += word_difference(before, port);
  }
  __u32 offset = checksum_offset(quoted->protocol);
  __sum16 checksum = 0;
  if (offset && !load(context, xdp, at + offset, &checksum, sizeof(checksum)) && (checksum || quoted->protocol != IPPROTO_UDP)) {
    difference = (difference & 0xffff) + (difference >> 16) + word_difference(before, port);
    difference = (difference & 0xffff) + (difference >> 16);
    __sum16 after = fold((__u16)~checksum + difference);
    if (!after && quoted->protocol == IPPROTO_UDP) after = 0xffff;
    if (store(context, xdp, at + offset, &after, sizeof(after))) return -1;
    change += word_difference(checksum, after);
  }
  return adjust_checksum(context, xdp, error->l4_offset + 2, change, false, false);
}

static __noinline int rewrite_quoted_tc(struct __sk_buff *skb, const struct flow *error, const struct flow *quoted, __u32 end,
                                        const struct backend *to) {
  return rewrite_quoted_at(skb, false, error, quoted, end, to);
}

static __noinline int rewrite_quoted_xdp(struct xdp_md *context, const struct flow *error, const struct flow *quoted, __u32 end,
                                         const struct backend *to) {
  return rewrite_quoted_at(context, true, error, quoted, end, to);
}

INLINE int rewrite_quoted(void *context, const bool xdp, const struct flow *error, const struct flow *quoted, __u32 end,
                          const struct backend *to) {
  return xdp ? rewrite_quoted_xdp(context, error, quoted, end, to) : rewrite_quoted_tc(context, error, quoted, end, to);
}
