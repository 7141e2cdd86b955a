/* A packet from another host: what its outer headers say, and how it leaves, to another host with new ones or to a pod without. */
#pragma once

#include "hook.h"

/* Longest headers that are read: the outer ones with options, the inner Ethernet and IPv6 header, and a neighbour message. */
#define TRANSIT_READ_BYTES (OUTER_BYTES + MAX_OPTION_BYTES + ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct neighbor))

/* BPF_F_ADJ_ROOM_DECAP_L3_IPV6 of Linux 6.3: what is left is IPv6. */
#define ADJUST_ROOM_TO_IPV6 (1ULL << 8)

/* A packet that has arrived, and what its outer headers say. */
struct arrival {
  void *context; /* struct xdp_md or struct __sk_buff */
  void *data;
  void *data_end;
  __u64 inner; /* where the inner frame begins: 8 octets, so that the verifier remembers its bounds on the stack */
  __u32 bytes; /* of the whole frame */
  __u32 vni;
  __u32 from; /* the host that sent it */
  __u32 inner_bytes;
  __u16 source_port;
  __u8 ttl;
  bool segmented_later; /* GSO, at tc only: lengths in the outer headers mean nothing */
  bool has_loc;
  bool has_moved;
  bool outside; /* its source is outside of the VPC: it came in by a gateway */
  __u32 moved_generation;
  struct lesson loc;
};

INLINE int discard(const bool xdp, struct arrival *arrival, enum reason reason) {
  return drop(xdp, arrival->vni, reason, arrival->bytes);
}

/* Reads the options: 0, or the reason to drop. */
INLINE int read_options(struct arrival *arrival) {
  __u32 at = OUTER_BYTES;
  __u32 end = arrival->inner;
  for (int i = 0; i < MAX_OPTIONS; i++) {
    if (at >= end) break;
    if (at > OUTER_BYTES + MAX_OPTION_BYTES) return MALFORMED;
    struct option *option = arrival->data + at;
    if ((void *)(option + 1) > arrival->data_end) return MALFORMED;
    __u32 body_bytes = (option->length & 0x1f) * 4;
    at += sizeof(*option) + body_bytes;
    if (at > end) return MALFORMED;
    if (option->class == bpf_htons(OPTION_CLASS) && option->type == OPTION_LOC) {
      struct location *location = (void *)(option + 1);
      if (body_bytes != sizeof(*location) || (void *)(location + 1) > arrival->data_end) return MALFORMED;
      arrival->has_loc = true;
      arrival->loc.host_id = bpf_ntohl(location->host_id);
      arrival->loc.host_generation = bpf_ntohl(location->host_generation);
      arrival->loc.endpoint_generation = bpf_ntohl(location->endpoint_generation);
      arrival->loc.identity = bpf_ntohl(location->identity);
      arrival->loc.flags = bpf_ntohs(location->flags);
      copy_mac(arrival->loc.mac, location->mac);
    } else if (option->class == bpf_htons(OPTION_CLASS) && option->type == OPTION_MOVED) {
      __be32 *generation = (void *)(option + 1);
      if (body_bytes != sizeof(*generation) || (void *)(generation + 1) > arrival->data_end) return MALFORMED;
      arrival->has_moved = true;
      arrival->moved_generation = bpf_ntohl(*generation);
    } else if (option->type & OPTION_CRITICAL) {
      return CRITICAL_OPTION;
    }
  }
  return at < end ? MALFORMED : 0;
}

/* Out of the link that the packet came in by. */
INLINE int transmit(void *context, const bool xdp) {
  return xdp ? XDP_TX : bpf_redirect(((struct __sk_buff *)context)->ifindex, 0);
}

/* Makes the headers in front of the inner frame `after` octets long, before they are written anew. */
INLINE long resize_outer(void *context, const bool xdp, __u32 before, __u32 after) {
  if (xdp) return bpf_xdp_adjust_head(context, (int)before - (int)after);
  return before == after ? 0 : bpf_skb_adjust_room(context, (int)after - (int)before, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
}

/* Replaces the outer headers, with a LOC that says `loc` or, without it, a MOVED of generation 0, and sends the packet out of the
 * uplink. */
INLINE int replace_outer(void *context, const bool xdp, struct arrival *arrival, struct letter *letter, const struct lesson *loc,
                         enum reason reason) {
  struct envelope envelope = {};
  letter->vni = arrival->vni;
  letter->inner_bytes = arrival->inner_bytes;
  letter->source_port = arrival->source_port;
  long failed;
  if (loc) {
    letter->option_bytes = LOC_BYTES;
    write_loc(&envelope, loc->host_id, loc->host_generation, loc->endpoint_generation, loc->identity, loc->flags, loc->mac);
    write_outer(&envelope.outer, letter);
    failed = resize_outer(context, xdp, arrival->inner, OUTER_BYTES + LOC_BYTES);
    failed = failed ?: store(context, xdp, 0, &envelope.outer.ethernet, OUTER_BYTES + LOC_BYTES);
  } else {
    letter->option_bytes = MOVED_BYTES;
    write_moved(&envelope, 0);
    write_outer(&envelope.outer, letter);
    failed = resize_outer(context, xdp, arrival->inner, OUTER_BYTES + MOVED_BYTES);
    failed = failed ?: store(context, xdp, 0, &envelope.outer.ethernet, OUTER_BYTES + MOVED_BYTES);
  }
  if (failed) return discard(xdp, arrival, INTERNAL);
  count(arrival->vni, reason, arrival->bytes);
  return transmit(context, xdp);
}

static __noinline int replace_outer_tc(struct __sk_buff *skb, struct arrival *arrival, struct letter *letter, const struct lesson *loc,
                                       enum reason reason) {
  return replace_outer(skb, false, arrival, letter, loc, reason);
}

static __noinline int replace_outer_xdp(struct xdp_md *context, struct arrival *arrival, struct letter *letter, const struct lesson *loc,
                                        enum reason reason) {
  return replace_outer(context, true, arrival, letter, loc, reason);
}

INLINE int send(const bool xdp, struct arrival *arrival, struct letter *letter, const struct lesson *loc, enum reason reason) {
  return xdp ? replace_outer_xdp(arrival->context, arrival, letter, loc, reason)
             : replace_outer_tc(arrival->context, arrival, letter, loc, reason);
}

/* From this host to another; false if that one is not known. */
INLINE bool address_letter(struct arrival *arrival, struct letter *letter, __u32 host_id) {
  struct settings *own = this_host();
  struct host *host = bpf_map_lookup_elem(&hosts, &host_id);
  if (!own || !host) return false;
  letter->source = ipv4_of(own->address);
  letter->destination = ipv4_of(host->address);
  letter->ttl = arrival->ttl - 1;
  copy_mac(letter->source_mac, own->mac);
  copy_mac(letter->destination_mac, host->mac);
  return true;
}

/* tc: takes the headers from between the outer Ethernet header and the inner packet, then writes the inner Ethernet header. The kernel cuts
 * nothing meanwhile: a super-packet stays one. */
INLINE long strip(struct __sk_buff *skb, __u32 inner, const struct ethhdr *ethernet) {
  __u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
  if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) flags |= ADJUST_ROOM_TO_IPV6;
  return bpf_skb_adjust_room(skb, -(int)inner, BPF_ADJ_ROOM_MAC, flags) ?: bpf_skb_store_bytes(skb, 0, ethernet, sizeof(*ethernet), 0);
}

/* Strips the outer headers and hands the frame to a local endpoint. Reads the packet's place anew: it may have been written to. */
INLINE int deliver(const bool xdp, struct arrival *arrival, __u32 ifindex, const __u8 *mac) {
  if (xdp) {
    struct xdp_md *context = arrival->context;
    struct ethhdr *ethernet = READ_POINTER(context, data) + arrival->inner;
    if ((void *)(ethernet + 1) > READ_POINTER(context, data_end)) return discard(xdp, arrival, MALFORMED);
    copy_mac(ethernet->h_dest, mac);
    if (bpf_xdp_adjust_head(context, arrival->inner)) return discard(xdp, arrival, INTERNAL);
  } else {
    struct __sk_buff *skb = arrival->context;
    struct ethhdr ethernet;
    if (bpf_skb_load_bytes(skb, arrival->inner, &ethernet, sizeof(ethernet))) return discard(xdp, arrival, MALFORMED);
    copy_mac(ethernet.h_dest, mac);
    if (strip(skb, arrival->inner, &ethernet)) return discard(xdp, arrival, INTERNAL);
  }
  return redirect(xdp, ifindex, arrival->vni, DELIVERED, arrival->bytes);
}
