/* Transit: packets from other hosts, at the uplink: XDP, or tc, where a packet may be a whole GSO super-packet. */
#pragma once

#include "arrival.h"
#include "policy.h"
#include "service.h"

/* An IP packet is about to be handed to a local endpoint: the place of policies and services. 0, or the reason to drop. Its IP header is at
 * arrival->inner + ETH_HLEN. Whoever writes to it need not care for arrival->data: nothing reads that afterwards. */
INLINE int arrives(const bool xdp, struct arrival *arrival, struct endpoint *endpoint, const struct endpoint_key *source,
                   const struct endpoint_key *destination) {
  (void)source, (void)destination;
  if (!endpoint->flags) return 0;
  struct flow_scratch *scratch = this_flow_scratch();
  if (!scratch) return INTERNAL;
  int failed = read_flow(arrival->context, xdp, arrival->inner + ETH_HLEN, arrival->vni, &scratch->flow);
  if (failed) return failed;
  if (endpoint->flags & ENDPOINT_HAS_POLICIES) {
    int refused = policy_arrives(arrival->context, xdp, arrival->vni, endpoint, arrival->has_loc, &scratch->flow);
    if (refused) return refused;
  }
  if (!(endpoint->flags & ENDPOINT_HAS_SERVICES)) return 0;
  int how = service_arrives(arrival->context, xdp, scratch);
  if (how != RESTORED) return how;
  count(arrival->vni, RESTORED, arrival->bytes);
  return 0;
}

/* The same for an IP packet. */
INLINE int deliver_ip(const bool xdp, struct arrival *arrival, struct endpoint *endpoint, const struct endpoint_key *source,
                      const struct endpoint_key *destination) {
  int refused = arrives(xdp, arrival, endpoint, source, destination);
  if (refused) return discard(xdp, arrival, refused);
  return deliver(xdp, arrival, endpoint->ifindex, endpoint->mac);
}

/* LOC about `about` is believed if its host sent it, or an owner of `about`, or (of a packet on its way) an owner of `destination`. */
INLINE void learn_loc(struct arrival *arrival, const struct endpoint_key *about, const struct endpoint_key *destination) {
  __u32 from = arrival->from;
  bool trusted = arrival->loc.host_id == from || is_owner(from, about) || (destination && is_owner(from, destination));
  if (!trusted || !learn(about, &arrival->loc)) count(arrival->vni, UNTRUSTED, arrival->bytes);
}

INLINE struct endpoint *find_local(const struct endpoint_key *key) {
  struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, key);
  return endpoint && endpoint->kind == ENDPOINT_LOCAL ? endpoint : 0;
}

/* What an owner answers about an endpoint. */
INLINE bool find_entry(const struct endpoint_key *key, struct lesson *entry) {
  struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, key);
  struct settings *own = this_host();
  if (!endpoint || !own) return false;
  entry->endpoint_generation = endpoint->generation;
  entry->identity = endpoint->identity;
  copy_mac(entry->mac, endpoint->mac);
  if (endpoint->kind == ENDPOINT_LOCAL) {
    entry->host_id = own->host_id;
    entry->host_generation = own->host_generation;
    return true;
  }
  struct host *host = find_host(endpoint->host_id);
  if (endpoint->kind != ENDPOINT_DIRECTORY || !host) return false;
  entry->host_id = endpoint->host_id;
  entry->host_generation = host->generation;
  return true;
}

/* Sends the answer that the inner frame has become back the way the question came. */
INLINE int send_answer(const bool xdp, struct arrival *arrival, const struct lesson *entry) {
  struct ethhdr *ethernet = arrival->data;
  struct iphdr *ip = (void *)(ethernet + 1);
  if ((void *)(ip + 1) > arrival->data_end) return discard(xdp, arrival, MALFORMED);
  struct letter letter = {.source = ip->daddr, .destination = ip->saddr, .ttl = FIRST_TTL};
  copy_mac(letter.source_mac, ethernet->h_dest);
  copy_mac(letter.destination_mac, ethernet->h_source);
  return send(xdp, arrival, &letter, entry, ANSWERED);
}

/* ARP: a question to this host as owner, or the answer of an owner to a question of ours. */
INLINE int transit_arp(const bool xdp, struct arrival *arrival) {
  struct ethhdr *ethernet = arrival->data + arrival->inner;
  struct arp *arp = (void *)(ethernet + 1);
  if ((void *)(arp + 1) > arrival->data_end || arrival->inner_bytes < ETH_HLEN + sizeof(*arp)) return discard(xdp, arrival, MALFORMED);
  if (arp->hardware != bpf_htons(1) || arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_bytes != MAC_BYTES || arp->protocol_bytes != 4)
    return discard(xdp, arrival, ARP);
  __be32 sender, target;
  __builtin_memcpy(&sender, arp->sender, 4);
  __builtin_memcpy(&target, arp->target, 4);
  struct endpoint_key target_key = {.vni = arrival->vni};
  map_ipv4(target_key.address, target);
  if (arp->operation == bpf_htons(ARP_REQUEST)) {
    struct lesson entry = {};
    if (!find_entry(&target_key, &entry)) return discard(xdp, arrival, NO_ENDPOINT);
    copy_mac(ethernet->h_dest, arp->sender_mac);
    copy_mac(ethernet->h_source, entry.mac);
    arp->operation = bpf_htons(ARP_REPLY);
    copy_mac(arp->target_mac, arp->sender_mac);
    __builtin_memcpy(arp->target, &sender, 4);
    copy_mac(arp->sender_mac, entry.mac);
    __builtin_memcpy(arp->sender, &target, 4);
    return send_answer(xdp, arrival, &entry);
  }
  struct endpoint *endpoint = find_local(&target_key);
  if (arp->operation != bpf_htons(ARP_REPLY) || !arrival->has_loc || !endpoint) return discard(xdp, arrival, ARP);
  struct endpoint_key sender_key = {.vni = arrival->vni};
  map_ipv4(sender_key.address, sender);
  if (!is_owner(arrival->from, &sender_key)) return discard(xdp, arrival, UNTRUSTED);
  learn_loc(arrival, &sender_key, 0);
  return deliver(xdp, arrival, endpoint->ifindex, endpoint->mac);
}

/* The same for IPv6. Agents send these messages in one form only. */
INLINE int transit_neighbor(const bool xdp, struct arrival *arrival) {
  struct ethhdr *ethernet = arrival->data + arrival->inner;
  struct ipv6hdr *ip = (void *)(ethernet + 1);
  struct neighbor *neighbor = (void *)(ip + 1);
  if ((void *)(neighbor + 1) > arrival->data_end) return discard(xdp, arrival, ARP);
  bool solicitation = neighbor->type == ND_NEIGHBOR_SOLICITATION;
  bool advertisement = neighbor->type == ND_NEIGHBOR_ADVERTISEMENT;
  if (!(solicitation || advertisement) || ip->payload_len != bpf_htons(sizeof(struct neighbor)) || neighbor->code ||
      ip->hop_limit != 255 || neighbor->option_length != 1 ||
      neighbor->option_type != (solicitation ? ND_OPTION_SOURCE : ND_OPTION_TARGET))
    return discard(xdp, arrival, ARP);
  struct endpoint_key target = {.vni = arrival->vni};
  copy_address(target.address, neighbor->target);
  if (solicitation) {
    struct lesson entry = {};
    if (!find_entry(&target, &entry)) return discard(xdp, arrival, NO_ENDPOINT);
    copy_mac(ethernet->h_dest, neighbor->option_mac);
    copy_mac(ethernet->h_source, entry.mac);
    struct ipv6hdr header = {
        .version = 6, .payload_len = bpf_htons(sizeof(struct neighbor)), .nexthdr = IPPROTO_ICMPV6, .hop_limit = 255};
    copy_address((__u8 *)&header.daddr, (__u8 *)&ip->saddr);
    copy_address((__u8 *)&header.saddr, target.address);
    struct neighbor message = {};
    message.type = ND_NEIGHBOR_ADVERTISEMENT;
    message.flags = bpf_htonl(ND_SOLICITED_OVERRIDE);
    message.option_type = ND_OPTION_TARGET;
    message.option_length = 1;
    copy_address(message.target, target.address);
    copy_mac(message.option_mac, entry.mac);
    message.checksum = icmpv6_checksum(&header, &message, sizeof(message));
    *ip = header;
    *neighbor = message;
    return send_answer(xdp, arrival, &entry);
  }
  struct endpoint_key asked = {.vni = arrival->vni};
  copy_address(asked.address, (__u8 *)&ip->daddr);
  struct endpoint *endpoint = find_local(&asked);
  if (!arrival->has_loc || !endpoint) return discard(xdp, arrival, ARP);
  if (!is_owner(arrival->from, &target)) return discard(xdp, arrival, UNTRUSTED);
  learn_loc(arrival, &target, 0);
  return deliver(xdp, arrival, endpoint->ifindex, endpoint->mac);
}

/* What LOC says of the sender of a packet that came back, an endpoint of this host or what is behind its gateway; false if it is neither. */
INLINE bool find_sender(struct arrival *arrival, const struct endpoint_key *source, struct lesson *loc) {
  struct endpoint *endpoint = find_local(source);
  if (endpoint) {
    loc->endpoint_generation = endpoint->generation;
    loc->identity = endpoint->identity;
    copy_mac(loc->mac, endpoint->mac);
    return true;
  }
  struct subnet *egress = arrival->outside ? find_subnet(source) : 0;
  if (!egress || !egress->ifindex) return false;
  loc->identity = IDENTITY_OF_GATEWAY;
  copy_mac(loc->mac, egress->gateway_mac);
  return true;
}

/* What policies say of a packet that is sent again: it may be the first one of which it is known who its destination is. 0, or the reason to
 * drop it. */
INLINE int departs_again(const bool xdp, struct arrival *arrival, const struct endpoint_key *source) {
  struct endpoint *endpoint = find_local(source);
  if (!endpoint || !(endpoint->flags & ENDPOINT_HAS_POLICIES)) return 0;
  struct flow_scratch *scratch = this_flow_scratch();
  if (!scratch) return INTERNAL;
  int how = read_flow(arrival->context, xdp, arrival->inner + ETH_HLEN, source->vni, &scratch->flow);
  if (how) return how;
  how = policy_departs(arrival->context, xdp, source->vni, endpoint->identity, endpoint->generation, &scratch->flow);
  return how == ALLOWED_UNANSWERED ? 0 : how;
}

/* A packet of ours was sent back: its destination is not where we thought. Learns what there is to learn and sends it again, for the last
 * time. */
INLINE int send_again(const bool xdp, struct arrival *arrival, const struct endpoint_key *source, const struct endpoint_key *destination) {
  struct lesson loc = {};
  if (!find_sender(arrival, source, &loc)) return discard(xdp, arrival, MALFORMED);
  struct path *path = bpf_map_lookup_elem(&paths, destination);
  bool pointed = path && (path->host_id == arrival->from || path->previous_host_id == arrival->from);
  if (!pointed && !is_owner(arrival->from, destination)) return discard(xdp, arrival, UNTRUSTED);
  if (arrival->ttl <= 1) return discard(xdp, arrival, LOOP);
  if (arrival->has_moved) {
    if (path && path->host_id == arrival->from &&
        (!arrival->moved_generation || path->endpoint_generation <= arrival->moved_generation))
      path->expires_ns = 0;
  } else {
    learn(destination, &arrival->loc);
  }
  int refused = departs_again(xdp, arrival, source);
  if (refused) return discard(xdp, arrival, refused);
  struct route route = {};
  int how = resolve(destination, &route, 0, arrival->has_moved ? arrival->from : 0, 0);
  if (how == DELIVERED) {
    struct endpoint *here = find_local(destination);
    return here ? deliver_ip(xdp, arrival, here, source, destination) : discard(xdp, arrival, INTERNAL);
  }
  if (how != SENT_DIRECT && how != SENT_VIA_OWNER) return discard(xdp, arrival, how);
  struct settings *own = this_host();
  struct letter letter = {};
  if (!own || !address_letter(arrival, &letter, route.host_id)) return discard(xdp, arrival, INTERNAL);
  if (how == SENT_DIRECT) {
    struct ethhdr *ethernet = arrival->data + arrival->inner;
    if ((void *)(ethernet + 1) > arrival->data_end) return discard(xdp, arrival, MALFORMED);
    copy_mac(ethernet->h_dest, route.mac);
  }
  loc.host_id = own->host_id;
  loc.host_generation = own->host_generation;
  loc.flags = how == SENT_DIRECT ? LOC_LAST_BOUNCE : LOC_LAST_BOUNCE | LOC_NO_PATH;
  return send(xdp, arrival, &letter, &loc, how);
}

/* To the host that has the destination, with the options as they are. */
INLINE int send_on(const bool xdp, struct arrival *arrival, __u32 host_id) {
  if (arrival->ttl <= 1) return discard(xdp, arrival, LOOP);
  struct letter letter = {};
  if (!find_host(host_id)) return discard(xdp, arrival, NO_ENDPOINT);
  if (!address_letter(arrival, &letter, host_id)) return discard(xdp, arrival, INTERNAL);
  struct ethhdr *ethernet = arrival->data;
  struct iphdr *ip = (void *)(ethernet + 1);
  struct udphdr *udp = (void *)(ip + 1);
  if ((void *)(udp + 1) > arrival->data_end) return discard(xdp, arrival, MALFORMED);
  copy_mac(ethernet->h_dest, letter.destination_mac);
  copy_mac(ethernet->h_source, letter.source_mac);
  ip->saddr = letter.source;
  ip->daddr = letter.destination;
  ip->ttl = letter.ttl;
  ip->check = 0;
  ip->check = ipv4_checksum(ip);
  udp->check = 0;
  count(arrival->vni, RELAYED, arrival->bytes);
  return transmit(arrival->context, xdp);
}

/* Back to the host it came from, which has an old path or asks who the destination is, with what `entry` says, if anything. */
INLINE int send_back(const bool xdp, struct arrival *arrival, const struct endpoint *entry) {
  if (arrival->ttl <= 1) return discard(xdp, arrival, LOOP);
  struct letter letter = {};
  if (!address_letter(arrival, &letter, arrival->from)) return discard(xdp, arrival, INTERNAL);
  if (!entry) return send(xdp, arrival, &letter, 0, SENT_BACK);
  struct settings *own = this_host();
  struct host *host = find_host(entry->host_id);
  bool is_here = own && entry->kind == ENDPOINT_LOCAL;
  if (!is_here && !host) return discard(xdp, arrival, NO_ENDPOINT);
  struct lesson loc = {
      .host_id = entry->host_id,
      .host_generation = is_here ? own->host_generation : host->generation,
      .endpoint_generation = entry->generation,
      .identity = entry->identity,
      .flags = LOC_OF_DESTINATION,
  };
  copy_mac(loc.mac, entry->mac);
  return send(xdp, arrival, &letter, &loc, SENT_BACK);
}

/* A function of its own, so that `struct relayed_event` is in the object's BTF. A full ring loses the event; there will be another. */
static __noinline int report(struct relayed_event *event) {
  return bpf_ringbuf_output(&events, event, sizeof(*event), 0);
}

INLINE void report_relayed(struct arrival *arrival, const struct endpoint *entry, const struct endpoint_key *source,
                           const struct endpoint_key *destination) {
  struct relayed_event event = {
      .vni = arrival->vni,
      .source_host_id = arrival->loc.host_id,
      .host_id = entry->host_id,
      .generation = entry->generation,
  };
  copy_address(event.source, source->address);
  copy_address(event.destination, destination->address);
  report(&event);
}

/* Of a VPC with peers or a way out: a peer's endpoint gets the peer's VNI, and what is outside is marked. False if it is neither, nor of the
 * VPC itself. */
static __noinline int find_source(struct arrival *arrival, struct endpoint_key *source) {
  struct subnet *subnet = find_subnet(source);
  if (!subnet) return false;
  source->vni = subnet->vni;
  arrival->outside = subnet->kind == SUBNET_EGRESS;
  return true;
}

/* Whether a packet from outside was sent by a gateway: by the host that it came from, or by the sender that an owner names. */
static __noinline int came_by_gateway(struct arrival *arrival, const struct endpoint_key *source, const struct endpoint_key *destination) {
  struct subnet *egress = find_subnet(source);
  struct owners *owners = egress ? find_gateways(egress, source, destination) : 0;
  if (!owners) return false;
  __u32 sender = arrival->has_loc && is_owner(arrival->from, destination) ? arrival->loc.host_id : arrival->from;
  return sender && (owners->first == sender || owners->second == sender);
}

/* The stacks of functions that call each other count together: what keeps much is a function of its own. */

static __noinline int transit_arp_tc(struct arrival *arrival) {
  return transit_arp(false, arrival);
}

static __noinline int transit_arp_xdp(struct arrival *arrival) {
  return transit_arp(true, arrival);
}

static __noinline int transit_neighbor_tc(struct arrival *arrival) {
  return transit_neighbor(false, arrival);
}

static __noinline int transit_neighbor_xdp(struct arrival *arrival) {
  return transit_neighbor(true, arrival);
}

static __noinline int send_back_tc(struct arrival *arrival, const struct endpoint *entry) {
  return send_back(false, arrival, entry);
}

static __noinline int send_back_xdp(struct arrival *arrival, const struct endpoint *entry) {
  return send_back(true, arrival, entry);
}

static __noinline int send_on_tc(struct arrival *arrival, __u32 host_id) {
  return send_on(false, arrival, host_id);
}

static __noinline int send_on_xdp(struct arrival *arrival, __u32 host_id) {
  return send_on(true, arrival, host_id);
}

INLINE int back(const bool xdp, struct arrival *arrival, const struct endpoint *entry) {
  return xdp ? send_back_xdp(arrival, entry) : send_back_tc(arrival, entry);
}

INLINE int on(const bool xdp, struct arrival *arrival, __u32 host_id) {
  return xdp ? send_on_xdp(arrival, host_id) : send_on_tc(arrival, host_id);
}

/* Nothing may be sent back of what an owner has relayed: it could do nothing with it. */
INLINE bool is_last(const struct arrival *arrival) {
  return arrival->has_loc && (arrival->loc.flags & LOC_LAST_BOUNCE || arrival->loc.host_id != arrival->from);
}

INLINE int transit_ip(const bool xdp, struct arrival *arrival, struct endpoint_key *source, const struct endpoint_key *destination) {
  struct subnet *subnet = find_subnet(destination);
  bool is_known = !subnet || !(subnet->flags & SUBNET_HAS_ROUTES) || find_source(arrival, source);
  if (!subnet || subnet->vni != arrival->vni) return discard(xdp, arrival, NO_ROUTE);
  if (!is_known || (arrival->outside && !came_by_gateway(arrival, source, destination))) return discard(xdp, arrival, UNTRUSTED);
  struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, destination);
  if (subnet->kind == SUBNET_EGRESS) {
    /* What is outside, and peers, do not pass through. */
    if (arrival->outside || source->vni != arrival->vni) return discard(xdp, arrival, UNTRUSTED);
    return subnet->ifindex ? deliver(xdp, arrival, subnet->ifindex, subnet->gateway_mac) : discard(xdp, arrival, NO_ENDPOINT);
  }
  if (endpoint && endpoint->kind == ENDPOINT_LOCAL) {
    if (arrival->has_loc && !arrival->outside) learn_loc(arrival, source, destination);
    if (arrival->has_loc && arrival->loc.flags & LOC_ASKS_WHO && !is_last(arrival)) return back(xdp, arrival, endpoint);
    int refused = arrives(xdp, arrival, endpoint, source, destination);
    /* Sent back it comes by an owner, with LOC. */
    if (refused == NO_IDENTITY && !is_last(arrival) && arrival->ttl > 1) return back(xdp, arrival, 0);
    return refused ? discard(xdp, arrival, refused) : deliver(xdp, arrival, endpoint->ifindex, endpoint->mac);
  }
  struct settings *own = this_host();
  if (!own) return discard(xdp, arrival, INTERNAL);
  if (endpoint && endpoint->host_id == own->host_id) return discard(xdp, arrival, LOOP);
  bool last = is_last(arrival);
  /* A sender that does not ask has an old path to this host: one packet that is sent back corrects it. */
  bool asks = arrival->has_loc && arrival->loc.flags & LOC_NO_PATH;
  if (endpoint && endpoint->kind == ENDPOINT_DIRECTORY) {
    if (endpoint->host_id == arrival->from) return discard(xdp, arrival, LOOP);
    if (!last && !asks) return back(xdp, arrival, endpoint);
    if (arrival->ttl > 1 && find_host(endpoint->host_id) && arrival->loc.host_id != own->host_id)
      report_relayed(arrival, endpoint, source, destination);
    return on(xdp, arrival, endpoint->host_id);
  }
  if (endpoint) return last ? on(xdp, arrival, endpoint->host_id) : back(xdp, arrival, endpoint);
  if (last) return discard(xdp, arrival, NO_ENDPOINT);
  struct owners *owners = find_owners(subnet, destination);
  __u32 other = 0;
  if (owners && owners->first == own->host_id)
    other = owners->second;
  else if (owners && owners->second == own->host_id)
    other = owners->first;
  else
    return back(xdp, arrival, 0);
  /* This host should know and does not: the other owner may. That one sees by the LOC that the packet was relayed. */
  if (other == own->host_id || !find_host(other)) return discard(xdp, arrival, NO_ENDPOINT);
  if (!asks) return back(xdp, arrival, 0);
  return other == arrival->from ? discard(xdp, arrival, NO_ENDPOINT) : on(xdp, arrival, other);
}

/* Of a packet whose header is there. */
INLINE int read_keys(const struct arrival *arrival, bool ipv6, struct endpoint_key *source, struct endpoint_key *destination) {
  void *header = arrival->data + arrival->inner + ETH_HLEN;
  source->vni = arrival->vni;
  destination->vni = arrival->vni;
  if (ipv6) {
    struct ipv6hdr *ip = header;
    if ((void *)(ip + 1) > arrival->data_end) return MALFORMED;
    copy_address(source->address, (__u8 *)&ip->saddr);
    copy_address(destination->address, (__u8 *)&ip->daddr);
  } else {
    struct iphdr *ip = header;
    if ((void *)(ip + 1) > arrival->data_end) return MALFORMED;
    map_ipv4(source->address, ip->saddr);
    map_ipv4(destination->address, ip->daddr);
  }
  return 0;
}

INLINE int transit_ip_packet(const bool xdp, struct arrival *arrival, bool ipv6) {
  struct endpoint_key source, destination;
  if (read_keys(arrival, ipv6, &source, &destination)) return discard(xdp, arrival, MALFORMED);
  return transit_ip(xdp, arrival, &source, &destination);
}

INLINE int send_packet_again(const bool xdp, struct arrival *arrival, bool ipv6) {
  struct endpoint_key source, destination;
  if (read_keys(arrival, ipv6, &source, &destination)) return discard(xdp, arrival, MALFORMED);
  struct subnet *subnet = find_subnet(&destination);
  if (subnet && subnet->flags & SUBNET_HAS_ROUTES) find_source(arrival, &source);
  return send_again(xdp, arrival, &source, &destination);
}

static __noinline int transit_ip_tc(struct arrival *arrival, bool ipv6) {
  return transit_ip_packet(false, arrival, ipv6);
}

static __noinline int transit_ip_xdp(struct arrival *arrival, bool ipv6) {
  return transit_ip_packet(true, arrival, ipv6);
}

static __noinline int send_again_tc(struct arrival *arrival, bool ipv6) {
  return send_packet_again(false, arrival, ipv6);
}

static __noinline int send_again_xdp(struct arrival *arrival, bool ipv6) {
  return send_packet_again(true, arrival, ipv6);
}

INLINE int transit_any_ip(const bool xdp, struct arrival *arrival, bool ipv6) {
  if (arrival->has_moved || (arrival->has_loc && arrival->loc.flags & LOC_OF_DESTINATION))
    return xdp ? send_again_xdp(arrival, ipv6) : send_again_tc(arrival, ipv6);
  return xdp ? transit_ip_xdp(arrival, ipv6) : transit_ip_tc(arrival, ipv6);
}

/* Whether the inner packet is as long as it says. A super-packet is exactly as long: several packets that somebody has joined behind one
 * outer header are none. It says nothing when it is too long for its 16 bits. `said`: that number. */
INLINE bool fits(const struct arrival *arrival, __u32 said, __u32 total_bytes, __u32 header_bytes) {
  if (arrival->segmented_later) return !said || total_bytes + ETH_HLEN == arrival->inner_bytes;
  return total_bytes >= header_bytes && total_bytes + ETH_HLEN <= arrival->inner_bytes;
}

INLINE int transit_inner(const bool xdp, struct arrival *arrival) {
  struct ethhdr *ethernet = arrival->data + arrival->inner;
  if ((void *)(ethernet + 1) > arrival->data_end || arrival->inner_bytes < ETH_HLEN) return discard(xdp, arrival, MALFORMED);
  if (ethernet->h_proto == bpf_htons(ETH_P_ARP)) return xdp ? transit_arp_xdp(arrival) : transit_arp_tc(arrival);
  if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
    struct iphdr *ip = (void *)(ethernet + 1);
    if ((void *)(ip + 1) > arrival->data_end) return discard(xdp, arrival, MALFORMED);
    __u32 total_bytes = bpf_ntohs(ip->tot_len);
    if (ip->version != 4 || ip->ihl < 5 || !fits(arrival, total_bytes, total_bytes, ip->ihl * 4u))
      return discard(xdp, arrival, MALFORMED);
    return transit_any_ip(xdp, arrival, false);
  }
  if (ethernet->h_proto != bpf_htons(ETH_P_IPV6)) return discard(xdp, arrival, ETHER_TYPE);
  struct ipv6hdr *ip = (void *)(ethernet + 1);
  __u32 payload_bytes = 0;
  if ((void *)(ip + 1) <= arrival->data_end) payload_bytes = bpf_ntohs(ip->payload_len);
  if ((void *)(ip + 1) > arrival->data_end || ip->version != 6 || !fits(arrival, payload_bytes, payload_bytes + sizeof(*ip), sizeof(*ip)))
    return discard(xdp, arrival, MALFORMED);
  if (ip->nexthdr == IPPROTO_ICMPV6) {
    struct icmp6hdr *icmp = (void *)(ip + 1);
    if ((void *)(icmp + 1) > arrival->data_end || bpf_ntohs(ip->payload_len) < sizeof(*icmp)) return discard(xdp, arrival, MALFORMED);
    if (icmp->icmp6_type >= ND_ROUTER_SOLICITATION && icmp->icmp6_type <= ND_REDIRECT)
      return xdp ? transit_neighbor_xdp(arrival) : transit_neighbor_tc(arrival);
  }
  return transit_any_ip(xdp, arrival, true);
}

/* A probe of another host: it goes back as it is. That proves that this program runs, whatever its daemon does. Checksums stay right. */
INLINE int reflect(const bool xdp, struct arrival *arrival, struct ethhdr *ethernet, struct iphdr *ip, struct udphdr *udp) {
  /* Two hosts would send each other one packet for ever. */
  if (udp->source == bpf_htons(GENEVE_PORT)) return discard(xdp, arrival, MALFORMED);
  __u8 mac[MAC_BYTES];
  copy_mac(mac, ethernet->h_dest);
  copy_mac(ethernet->h_dest, ethernet->h_source);
  copy_mac(ethernet->h_source, mac);
  __be32 address = ip->daddr;
  ip->daddr = ip->saddr;
  ip->saddr = address;
  udp->dest = udp->source;
  udp->source = bpf_htons(GENEVE_PORT);
  count(0, ANSWERED, arrival->bytes);
  return transmit(arrival->context, xdp);
}

/* `bytes`: of the whole frame, which may be longer than what can be read directly. `pass`: the verdict for what is not ours. */
INLINE int transit_packet(const bool xdp, struct arrival *arrival, const int pass) {
  struct ethhdr *ethernet = arrival->data;
  struct iphdr *ip = (void *)(ethernet + 1);
  struct udphdr *udp = (void *)(ip + 1);
  struct geneve *geneve = (void *)(udp + 1);
  /* Up to here it may be anybody's. */
  if ((void *)(udp + 1) > arrival->data_end) return pass;
  struct settings *own = this_host();
  if (!own || ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->version != 4 || ip->ihl != 5 ||
      ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS_AND_OFFSET) || ip->protocol != IPPROTO_UDP || udp->dest != bpf_htons(GENEVE_PORT))
    return pass;
  struct host_address address;
  map_ipv4(address.address, ip->daddr);
  if (!same_address(address.address, own->address)) return pass;

  map_ipv4(address.address, ip->saddr);
  __u32 *from = bpf_map_lookup_elem(&host_ids, &address);
  if (!from) return discard(xdp, arrival, UNKNOWN_SOURCE);
  arrival->from = *from;
  if ((void *)(geneve + 1) > arrival->data_end) return discard(xdp, arrival, MALFORMED);
  __u32 udp_bytes = arrival->bytes - (ETH_HLEN + sizeof(struct iphdr));
  if (!arrival->segmented_later) {
    __u32 total_bytes = bpf_ntohs(ip->tot_len);
    udp_bytes = bpf_ntohs(udp->len);
    if (total_bytes + ETH_HLEN > arrival->bytes || total_bytes != udp_bytes + sizeof(struct iphdr))
      return discard(xdp, arrival, MALFORMED);
  }
  if (!(geneve->version_length >> 6) && geneve->flags & GENEVE_CONTROL) return reflect(xdp, arrival, ethernet, ip, udp);
  __u32 option_bytes = (geneve->version_length & 0x3f) * 4;
  if (geneve->version_length >> 6 || geneve->protocol != bpf_htons(GENEVE_TRANSPARENT_ETHERNET) || option_bytes > MAX_OPTION_BYTES ||
      udp_bytes < sizeof(struct udphdr) + sizeof(struct geneve) + option_bytes)
    return discard(xdp, arrival, MALFORMED);
  arrival->inner = OUTER_BYTES + option_bytes;
  arrival->inner_bytes = udp_bytes - sizeof(struct udphdr) - sizeof(struct geneve) - option_bytes;
  arrival->source_port = bpf_ntohs(udp->source);
  arrival->ttl = ip->ttl;
  int refused = read_options(arrival);
  if (refused) return discard(xdp, arrival, refused);
  arrival->vni = bpf_ntohl(geneve->vni) >> 8;
  return transit_inner(xdp, arrival);
}
