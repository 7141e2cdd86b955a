/* The two hooks of the agent: tc, where a packet may be a whole GSO super-packet, and XDP. `xdp` is a constant everywhere, so each program
 * holds its own half only. */
#pragma once

#include <linux/pkt_cls.h>

#include "geneve.h"
#include "resolve.h"

/* A field of a context that the verifier takes for a pointer. Written so that the compiler, which sees a number of 32 bits, does not move
 * it as one: the verifier would lose the pointer. */
#define READ_POINTER(context, field) \
  ({ \
    void *pointer; \
    asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(pointer) : "r"(context), "i"(__builtin_offsetof(__typeof__(*(context)), field))); \
    pointer; \
  })

INLINE int drop(const bool xdp, __u32 vni, enum reason reason, __u32 bytes) {
  count(vni, reason, bytes);
  return xdp ? XDP_DROP : TC_ACT_SHOT;
}

INLINE int load(void *context, const bool xdp, __u32 offset, void *to, __u32 bytes) {
  return xdp ? bpf_xdp_load_bytes(context, offset, to, bytes) : bpf_skb_load_bytes(context, offset, to, bytes);
}

INLINE int store(void *context, const bool xdp, __u32 offset, void *from, __u32 bytes) {
  return xdp ? bpf_xdp_store_bytes(context, offset, from, bytes) : bpf_skb_store_bytes(context, offset, from, bytes, 0);
}

/* Cuts or extends the packet at its end. */
INLINE int resize(void *context, const bool xdp, __u32 before, __u32 after) {
  return xdp ? bpf_xdp_adjust_tail(context, (int)after - (int)before) : bpf_skb_change_tail(context, after, 0);
}

/* To a link of this host, also the one it came from: a veth does not wake the other end for XDP_TX unless there is a program. Counts
 * `reason`, or INTERNAL if XDP has no such device. */
INLINE int redirect(const bool xdp, __u32 ifindex, __u32 vni, enum reason reason, __u32 bytes) {
  if (!xdp) {
    count(vni, reason, bytes);
    return bpf_redirect(ifindex, 0);
  }
  int verdict = bpf_redirect_map(&devices, ifindex, XDP_DROP);
  count(vni, verdict == XDP_REDIRECT ? reason : INTERNAL, bytes);
  return verdict;
}
