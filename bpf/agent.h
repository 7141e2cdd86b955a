/* The agent: frames that a pod sends, at the root side of its link. */
#pragma once

#include "hook.h"
#include "policy.h"
#include "refuse.h"
#include "service.h"
#include "too-big.h"

/* Longest headers that are read: Ethernet, IPv4 with options or IPv6, ports. */
#define READ_BYTES 94

/* What becomes of a frame: a reason of layout.h, or one of these or of the headers above. */
#define ADVERTISE 258
#define SOLICIT 259

/* How a frame is to be sent. */
struct order {
  struct route route;
  __u32 bytes; /* of the frame as it came */
  __u32 inner_bytes; /* of the frame that is sent */
  __u32 generation;  /* of the endpoint that sends it */
  __u16 source_port;
  bool is_ip;
  bool asks_who; /* it may not arrive before it is known who the destination is */
  bool segmented_later;
};

/* Encapsulation */

/* tc: room between Ethernet and IP, so that the kernel knows what is outer and inner when it cuts a super-packet into segments. These stay
 * as long as they are: the pod's MTU has left room for the headers. */
INLINE long make_room(struct __sk_buff *skb, const struct order *order, const __u32 room) {
  struct ethhdr inner;
  if (order->is_ip) {
    long failed = bpf_skb_load_bytes(skb, 0, &inner, sizeof(inner));
    if (failed) return failed;
    failed = bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC,
                                 BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP |
                                     BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN) | BPF_F_ADJ_ROOM_ENCAP_L2_ETH);
    if (!failed) return bpf_skb_store_bytes(skb, room, &inner, sizeof(inner), 0);
    /* A packet of a tunnel of the pod's own is marked as encapsulated already: that goes the other way, if it is one packet only. */
    if (order->segmented_later) return failed;
  }
  return bpf_skb_change_head(skb, room, 0);
}

INLINE int encapsulate(void *context, const bool xdp, const struct port *port, const struct order *order, enum reason reason) {
  __u32 host_id = order->route.host_id;
  struct settings *own = this_host();
  struct host *host = bpf_map_lookup_elem(&hosts, &host_id);
  if (!own || !host) return drop(xdp, port->vni, INTERNAL, order->bytes);
  bool tell = order->route.tell && order->is_ip;
  struct letter letter = {
      .source = ipv4_of(own->address),
      .destination = ipv4_of(host->address),
      .vni = order->route.vni,
      .inner_bytes = order->inner_bytes,
      .option_bytes = tell ? LOC_BYTES : 0,
      .source_port = order->source_port,
      .ttl = FIRST_TTL,
  };
  copy_mac(letter.source_mac, own->mac);
  copy_mac(letter.destination_mac, host->mac);
  struct envelope envelope = {};
  write_outer(&envelope.outer, &letter);
  long failed;
  if (tell) {
    __u16 flags = reason != SENT_VIA_OWNER ? 0 : order->asks_who ? LOC_ASKS_WHO : LOC_NO_PATH;
    write_loc(&envelope, own->host_id, own->host_generation, order->generation, port->identity, flags, port->mac);
    const __u32 room = OUTER_BYTES + LOC_BYTES;
    failed = xdp ? bpf_xdp_adjust_head(context, -(int)room) : make_room(context, order, room);
    failed = failed ?: store(context, xdp, 0, &envelope.outer.ethernet, room);
  } else {
    failed = xdp ? bpf_xdp_adjust_head(context, -OUTER_BYTES) : make_room(context, order, OUTER_BYTES);
    failed = failed ?: store(context, xdp, 0, &envelope.outer.ethernet, OUTER_BYTES);
  }
  if (failed) return drop(xdp, port->vni, INTERNAL, order->bytes);
  return redirect(xdp, own->uplink_ifindex, port->vni, reason, order->bytes);
}

static __noinline int encapsulate_tc(struct __sk_buff *skb, const struct port *port, const struct order *order, enum reason reason) {
  return encapsulate(skb, false, port, order, reason);
}

static __noinline int encapsulate_xdp(struct xdp_md *context, const struct port *port, const struct order *order, enum reason reason) {
  return encapsulate(context, true, port, order, reason);
}

/* ARP */

/* Who is asked for: the gateway is everywhere, and so are services, behind it; others are resolved. */
INLINE int resolve_neighbor(const struct port *port, const struct endpoint_key *key, const bool ipv6, struct route *route) {
  __u8 gateway[ADDRESS_BYTES] __attribute__((aligned(4)));
  if (find_gateway(port, ipv6, gateway) && same_address(key->address, gateway)) {
    copy_mac(route->mac, port->gateway_mac);
    return ANSWERED;
  }
  if (port->flags & PORT_HAS_SERVICES && is_service_address(key)) {
    copy_mac(route->mac, port->gateway_mac);
    return ANSWERED;
  }
  int how = resolve(key, route, 0, 0, 0);
  return how == DELIVERED || how == SENT_DIRECT ? ANSWERED : how;
}

INLINE int agent_arp(struct frame *frame, struct order *order) {
  struct port *port = frame->port;
  struct ethhdr *ethernet = frame->data;
  struct arp *arp = (void *)(ethernet + 1);
  if ((void *)(arp + 1) > frame->data_end) return MALFORMED;
  if (arp->hardware != bpf_htons(1) || arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_bytes != MAC_BYTES ||
      arp->protocol_bytes != 4 || arp->operation != bpf_htons(ARP_REQUEST))
    return ARP;
  if (!same_mac(arp->sender_mac, port->mac)) return SPOOFED_ADDRESS;
  __be32 sender, target;
  __builtin_memcpy(&sender, arp->sender, 4);
  __builtin_memcpy(&target, arp->target, 4);
  if (!sender) return DUPLICATE_PROBE;
  struct endpoint_key source = {.vni = port->vni};
  struct endpoint_key key = {.vni = port->vni};
  map_ipv4(source.address, sender);
  map_ipv4(key.address, target);
  if (!(port->flags & PORT_HAS_IPV4) || !same_address(source.address, port->ipv4)) return SPOOFED_ADDRESS;

  int how = resolve_neighbor(port, &key, false, &order->route);
  if (how == SENT_VIA_OWNER) order->source_port = flow_port(source.address, key.address, 0, 0);
  if (how != ANSWERED) return how;
  copy_mac(ethernet->h_dest, port->mac);
  copy_mac(ethernet->h_source, order->route.mac);
  arp->operation = bpf_htons(ARP_REPLY);
  copy_mac(arp->target_mac, port->mac);
  __builtin_memcpy(arp->target, &sender, 4);
  copy_mac(arp->sender_mac, order->route.mac);
  __builtin_memcpy(arp->sender, &target, 4);
  return ANSWERED;
}

/* Neighbour discovery: who a solicitation asks for. */
INLINE int agent_neighbor(struct frame *frame, struct order *order, struct ipv6hdr *ip) {
  struct port *port = frame->port;
  struct neighbor *neighbor = (void *)(ip + 1);
  if (neighbor->type == ND_ROUTER_SOLICITATION) return MULTICAST;
  if (neighbor->type != ND_NEIGHBOR_SOLICITATION) return ARP;
  if ((void *)neighbor + NEIGHBOR_MINIMUM_BYTES > frame->data_end || bpf_ntohs(ip->payload_len) < NEIGHBOR_MINIMUM_BYTES ||
      neighbor->code || ip->hop_limit != 255)
    return MALFORMED;
  struct endpoint_key source = {.vni = port->vni};
  struct endpoint_key key = {.vni = port->vni};
  copy_address(source.address, (__u8 *)&ip->saddr);
  copy_address(key.address, neighbor->target);
  if (is_unspecified(source.address)) return DUPLICATE_PROBE;
  if (!(port->flags & PORT_HAS_IPV6)) return SPOOFED_ADDRESS;
  if (!same_address(source.address, port->ipv6) && !is_link_local(source.address)) return SPOOFED_ADDRESS;
  int how = resolve_neighbor(port, &key, true, &order->route);
  order->source_port = flow_port(port->ipv6, key.address, IPPROTO_ICMPV6, 0);
  if (how == ANSWERED) return ADVERTISE;
  return how == SENT_VIA_OWNER ? SOLICIT : how;
}

/* The solicitation becomes the advertisement, or the one form of solicitation that owners read. 0, or INTERNAL. */
INLINE int rewrite_neighbor(void *context, const bool xdp, const struct port *port, struct order *order, bool advertise) {
  struct neighbor_frame message = {};
  if (load(context, xdp, 0, &message.ethernet, NEIGHBOR_FRAME_BYTES - 8)) return INTERNAL;
  struct neighbor *neighbor = &message.neighbor;
  __u8 *source = (__u8 *)&message.ip.saddr;
  neighbor->flags = 0;
  neighbor->option_type = ND_OPTION_SOURCE;
  neighbor->option_length = 1;
  copy_mac(neighbor->option_mac, port->mac);
  if (advertise) {
    neighbor->type = ND_NEIGHBOR_ADVERTISEMENT;
    neighbor->flags = bpf_htonl(ND_SOLICITED_OVERRIDE);
    neighbor->option_type = ND_OPTION_TARGET;
    copy_mac(neighbor->option_mac, order->route.mac);
    copy_address((__u8 *)&message.ip.daddr, source);
    copy_address(source, neighbor->target);
    copy_mac(message.ethernet.h_dest, port->mac);
    copy_mac(message.ethernet.h_source, order->route.mac);
  } else {
    copy_address(source, port->ipv6);
  }
  neighbor->checksum = 0;
  *(__be32 *)&message.ip = bpf_htonl(6 << 28);
  message.ip.payload_len = bpf_htons(sizeof(*neighbor));
  neighbor->checksum = icmpv6_checksum(&message.ip, neighbor, sizeof(*neighbor));
  if (resize(context, xdp, order->bytes, NEIGHBOR_FRAME_BYTES) || store(context, xdp, 0, &message.ethernet, NEIGHBOR_FRAME_BYTES))
    return INTERNAL;
  order->inner_bytes = NEIGHBOR_FRAME_BYTES;
  return 0;
}

static __noinline int rewrite_neighbor_tc(struct __sk_buff *skb, const struct port *port, struct order *order, bool advertise) {
  return rewrite_neighbor(skb, false, port, order, advertise);
}

static __noinline int rewrite_neighbor_xdp(struct xdp_md *context, const struct port *port, struct order *order, bool advertise) {
  return rewrite_neighbor(context, true, port, order, advertise);
}

/* IP */

/* Who sends a packet: 0, or the reason to drop. A pod has its addresses; a gateway those of endpoints behind its link, and all that no prefix
 * of the VPC has: that comes from `outside`. */
INLINE int check_source(const struct frame *frame, struct order *order, const struct endpoint_key *source, const bool ipv6, bool *outside) {
  const struct port *port = frame->port;
  if (!(port->flags & PORT_IS_GATEWAY)) {
    bool is_own = port->flags & (ipv6 ? PORT_HAS_IPV6 : PORT_HAS_IPV4) && same_address(source->address, ipv6 ? port->ipv6 : port->ipv4);
    return is_own ? 0 : SPOOFED_ADDRESS;
  }
  struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, source);
  if (endpoint && endpoint->kind == ENDPOINT_LOCAL) {
    order->generation = endpoint->generation;
    return endpoint->ifindex == frame->ifindex ? 0 : SPOOFED_ADDRESS;
  }
  struct subnet *subnet = find_subnet(source);
  *outside = true;
  return subnet && subnet->kind == SUBNET_EGRESS ? 0 : SPOOFED_ADDRESS;
}

/* Where the VPC has services or policies: what they make of a packet that its sender may send. 0, or what becomes of it. The packet may be
 * another one then. */
INLINE int flow_departs(void *context, const bool xdp, struct frame *frame, struct order *order, const bool ipv6) {
  struct port *port = frame->port;
  struct flow_scratch *scratch = this_flow_scratch();
  if (!scratch) return INTERNAL;
  int how = read_flow(context, xdp, ETH_HLEN, port->vni, &scratch->flow);
  if (how) return how;
  frame->has_flow = true;
  if (port->flags & PORT_HAS_SERVICES) {
    if (may_be_too_big(frame) && keep_original(context, xdp, ipv6)) return INTERNAL;
    how = service_departs(context, xdp, scratch);
    frame->translated = how == TRANSLATED || how == RESTORED;
    if (frame->translated)
      count(port->vni, how, frame->bytes);
    else if (how)
      return how;
  }
  if (port->flags & PORT_HAS_POLICIES && !(port->flags & PORT_IS_GATEWAY)) {
    how = policy_departs(context, xdp, port->vni, port->identity, port->generation, &scratch->flow);
    frame->is_unanswered = how == ALLOWED_UNANSWERED;
    order->asks_who = how == NO_IDENTITY;
    if (how && how != ALLOWED_UNANSWERED && how != NO_IDENTITY) return how;
  }
  frame->data = xdp ? READ_POINTER((struct xdp_md *)context, data) : READ_POINTER((struct __sk_buff *)context, data);
  frame->data_end = xdp ? READ_POINTER((struct xdp_md *)context, data_end) : READ_POINTER((struct __sk_buff *)context, data_end);
  return 0;
}

/* What services and policies make of a packet to an endpoint of this host. 0, or the reason to drop it. */
INLINE int flow_delivers(void *context, const bool xdp, const struct frame *frame, const struct route *route) {
  struct flow_scratch *scratch = this_flow_scratch();
  if (!scratch) return INTERNAL;
  if (!frame->has_flow) {
    int failed = read_flow(context, xdp, ETH_HLEN, route->vni, &scratch->flow);
    if (failed) return failed;
  }
  scratch->flow.vni = route->vni;
  if (route->flags & ENDPOINT_HAS_POLICIES) {
    struct endpoint_key key = {.vni = route->vni};
    copy_address(key.address, scratch->flow.destination);
    struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &key);
    if (!endpoint) return INTERNAL;
    int refused = policy_arrives(context, xdp, route->vni, endpoint, frame->is_unanswered, &scratch->flow);
    if (refused) return refused;
  }
  /* What a service has sent to a backend is no answer of one. */
  if (!(route->flags & ENDPOINT_HAS_SERVICES) || frame->translated) return 0;
  int how = service_arrives(context, xdp, scratch);
  if (how != RESTORED) return how;
  count(route->vni, RESTORED, frame->bytes);
  return 0;
}

/* Finds the way and writes the MACs of the frame as it shall arrive. What comes from outside is for endpoints of this VPC alone. */
INLINE int route_ip(struct frame *frame, struct order *order, const struct endpoint_key *key, const struct endpoint_key *source,
                    bool via_gateway) {
  struct ethhdr *ethernet = frame->data;
  int how = resolve(key, &order->route, !frame->segmented_later, 0, source);
  if (order->asks_who && (how == DELIVERED || how == SENT_DIRECT)) return NO_IDENTITY;
  if (frame->is_unanswered) order->route.tell = 1;
  if (via_gateway) copy_mac(ethernet->h_source, frame->port->gateway_mac);
  if (how == DELIVERED || how == SENT_DIRECT) copy_mac(ethernet->h_dest, order->route.mac);
  return how;
}

INLINE int agent_ipv4(void *context, const bool xdp, struct frame *frame, struct order *order) {
  struct port *port = frame->port;
  struct ethhdr *ethernet = frame->data;
  struct iphdr *ip = (void *)(ethernet + 1);
  if ((void *)(ip + 1) > frame->data_end) return MALFORMED;
  __u32 header_bytes = ip->ihl * 4;
  __u32 total_bytes = bpf_ntohs(ip->tot_len);
  if (ip->version != 4 || header_bytes < sizeof(*ip)) return MALFORMED;
  if (!frame->segmented_later && (total_bytes < header_bytes || total_bytes > frame->bytes - ETH_HLEN)) return MALFORMED;
  if (is_ipv4_of_many(ip->daddr)) return MULTICAST;
  struct endpoint_key source = {.vni = port->vni};
  struct endpoint_key key = {.vni = port->vni};
  map_ipv4(source.address, ip->saddr);
  map_ipv4(key.address, ip->daddr);
  bool outside = false;
  int spoofed = check_source(frame, order, &source, false, &outside);
  if (spoofed) return spoofed;
  frame->longest_bytes = longest_bytes(frame, header_bytes, ip->protocol);
  if (frame->longest_bytes > port->mtu) return too_big_ipv4(frame, ip);
  if (port->flags & (PORT_HAS_SERVICES | PORT_HAS_POLICIES)) {
    int how = flow_departs(context, xdp, frame, order, false);
    if (how) return how;
    ethernet = frame->data;
    ip = (void *)(ethernet + 1);
    if ((void *)(ip + 1) > frame->data_end) return MALFORMED;
    map_ipv4(key.address, ip->daddr);
  }
  if (may_be_too_big(frame) && is_too_big_for(frame, &key)) return too_big_ipv4(frame, ip);
  bool via_gateway = frame->translated || same_mac(ethernet->h_dest, port->gateway_mac);
  if (via_gateway) {
    if (ip->ttl <= 1) return TTL;
    __u16 before = *(__u16 *)&ip->ttl;
    ip->ttl--;
    ip->check = replace_in_checksum(ip->check, before, *(__u16 *)&ip->ttl);
  }
  __u32 ports = 0;
  if (has_ports(ip->protocol) && !(ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS_AND_OFFSET))) {
    __u32 *behind = (void *)ip + header_bytes;
    if ((void *)(behind + 1) <= frame->data_end) ports = *behind;
  }
  order->is_ip = true;
  order->source_port = flow_port(source.address, key.address, ip->protocol, ports);
  return route_ip(frame, order, &key, outside ? 0 : &source, via_gateway);
}

/* The kernel of the receiver walks over extension headers, so a message of neighbour discovery must not hide behind them. 0, or the reason
 * to drop. `end`: of the packet, in the frame. */
INLINE int walk_extensions(void *context, const bool xdp, __u32 protocol, __u32 end) {
  __u32 at = ETH_HLEN + sizeof(struct ipv6hdr);
  for (int walked = 0; is_extension(protocol); walked++) {
    __u8 head[8];
    if (walked == MAX_EXTENSIONS || at + sizeof(head) > end || load(context, xdp, at, head, sizeof(head))) return MALFORMED;
    /* The authentication header alone counts in words, less two. */
    if (protocol == IPPROTO_FRAGMENT)
      at += sizeof(head);
    else
      at += protocol == IPPROTO_AH ? (head[1] + 2) * 4 : (head[1] + 1) * 8;
    if (at > end) return MALFORMED;
    /* What follows continues another fragment: it is no header. */
    if (protocol == IPPROTO_FRAGMENT && (head[2] << 8 | head[3]) & IPV6_FRAGMENT_OFFSET) return 0;
    protocol = head[0];
  }
  __u8 type;
  if (protocol != IPPROTO_ICMPV6 || at >= end || load(context, xdp, at, &type, sizeof(type))) return 0;
  return type >= ND_ROUTER_SOLICITATION && type <= ND_REDIRECT ? ARP : 0;
}

static __noinline int walk_extensions_tc(struct __sk_buff *skb, __u32 protocol, __u32 end) {
  return walk_extensions(skb, false, protocol, end);
}

static __noinline int walk_extensions_xdp(struct xdp_md *context, __u32 protocol, __u32 end) {
  return walk_extensions(context, true, protocol, end);
}

INLINE int agent_ipv6(void *context, const bool xdp, struct frame *frame, struct order *order) {
  struct port *port = frame->port;
  struct ethhdr *ethernet = frame->data;
  struct ipv6hdr *ip = (void *)(ethernet + 1);
  if ((void *)(ip + 1) > frame->data_end || ip->version != 6) return MALFORMED;
  if (!frame->segmented_later && bpf_ntohs(ip->payload_len) > frame->bytes - ETH_HLEN - sizeof(*ip)) return MALFORMED;
  if (is_extension(ip->nexthdr)) {
    __u32 end = frame->segmented_later ? frame->bytes : ETH_HLEN + sizeof(*ip) + bpf_ntohs(ip->payload_len);
    int hidden = xdp ? walk_extensions_xdp(context, ip->nexthdr, end) : walk_extensions_tc(context, ip->nexthdr, end);
    if (hidden) return hidden;
  }
  if (ip->nexthdr == IPPROTO_ICMPV6) {
    struct icmp6hdr *icmp = (void *)(ip + 1);
    if ((void *)(icmp + 1) > frame->data_end || bpf_ntohs(ip->payload_len) < sizeof(*icmp)) return MALFORMED;
    if (icmp->icmp6_type >= ND_ROUTER_SOLICITATION && icmp->icmp6_type <= ND_REDIRECT) return agent_neighbor(frame, order, ip);
  }
  struct endpoint_key source = {.vni = port->vni};
  struct endpoint_key key = {.vni = port->vni};
  copy_address(source.address, (__u8 *)&ip->saddr);
  copy_address(key.address, (__u8 *)&ip->daddr);
  if (is_ipv6_of_many(key.address)) return MULTICAST;
  bool outside = false;
  int spoofed = check_source(frame, order, &source, true, &outside);
  if (spoofed) return spoofed;
  frame->longest_bytes = longest_bytes(frame, sizeof(*ip), ip->nexthdr);
  if (frame->longest_bytes > port->mtu) return too_big_ipv6(frame);
  if (port->flags & (PORT_HAS_SERVICES | PORT_HAS_POLICIES)) {
    int how = flow_departs(context, xdp, frame, order, true);
    if (how) return how;
    ethernet = frame->data;
    ip = (void *)(ethernet + 1);
    if ((void *)(ip + 1) > frame->data_end) return MALFORMED;
    copy_address(key.address, (__u8 *)&ip->daddr);
  }
  if (may_be_too_big(frame) && is_too_big_for(frame, &key)) return too_big_ipv6(frame);
  bool via_gateway = frame->translated || same_mac(ethernet->h_dest, port->gateway_mac);
  if (via_gateway) {
    if (ip->hop_limit <= 1) return TTL;
    ip->hop_limit--;
  }
  __u32 ports = 0;
  if (has_ports(ip->nexthdr)) {
    __u32 *behind = (void *)(ip + 1);
    if ((void *)(behind + 1) <= frame->data_end) ports = *behind;
  }
  order->is_ip = true;
  order->source_port = flow_port(source.address, key.address, ip->nexthdr, ports);
  return route_ip(frame, order, &key, outside ? 0 : &source, via_gateway);
}

INLINE int decide(void *context, const bool xdp, struct frame *frame, struct order *order, bool tagged) {
  struct ethhdr *ethernet = frame->data;
  if ((void *)(ethernet + 1) > frame->data_end) return MALFORMED;
  if (!same_mac(ethernet->h_source, frame->port->mac)) return SPOOFED_MAC;
  if (tagged) return ETHER_TYPE;
  switch (ethernet->h_proto) {
  case bpf_htons(ETH_P_ARP):
    return agent_arp(frame, order);
  case bpf_htons(ETH_P_IP):
    return agent_ipv4(context, xdp, frame, order);
  case bpf_htons(ETH_P_IPV6):
    return agent_ipv6(context, xdp, frame, order);
  default:
    return ETHER_TYPE;
  }
}

INLINE int agent(void *context, const bool xdp, __u32 ifindex, struct frame *frame, bool tagged) {
  struct port *port = bpf_map_lookup_elem(&ports, &ifindex);
  __u32 bytes = frame->bytes;
  if (!port) return drop(xdp, 0, NO_PORT, bytes);
  frame->port = port;
  frame->ifindex = ifindex;
  frame->mtu = port->mtu;
  struct order order = {
      .bytes = bytes,
      .inner_bytes = bytes,
      .generation = port->generation,
      .segmented_later = frame->segmented_later,
  };
  int how = decide(context, xdp, frame, &order, tagged);
  if (how == ADVERTISE || how == SOLICIT) {
    bool advertise = how == ADVERTISE;
    how = xdp ? rewrite_neighbor_xdp(context, port, &order, advertise) : rewrite_neighbor_tc(context, port, &order, advertise);
    if (!how) how = advertise ? ANSWERED : SENT_VIA_OWNER;
  }
  if (how == DELIVERED && order.route.flags) {
    int refused = flow_delivers(context, xdp, frame, &order.route);
    if (refused) return drop(xdp, port->vni, refused, bytes);
  }
  switch (how) {
  case DELIVERED:
    return redirect(xdp, order.route.ifindex, port->vni, DELIVERED, bytes);
  case SENT_DIRECT:
  case SENT_VIA_OWNER:
    return xdp ? encapsulate_xdp(context, port, &order, how) : encapsulate_tc(context, port, &order, how);
  case ANSWERED:
    return redirect(xdp, ifindex, port->vni, ANSWERED, bytes);
  case REPORT_TOO_BIG_IPV4:
    how = xdp ? report_too_big_ipv4_xdp(context, frame) : report_too_big_ipv4_tc(context, frame);
    return how ? drop(xdp, port->vni, how, bytes) : redirect(xdp, ifindex, port->vni, TOO_BIG, bytes);
  case REPORT_TOO_BIG_IPV6:
    how = xdp ? report_too_big_ipv6_xdp(context, frame) : report_too_big_ipv6_tc(context, frame);
    return how ? drop(xdp, port->vni, how, bytes) : redirect(xdp, ifindex, port->vni, TOO_BIG, bytes);
  case REFUSE:
    how = refuse(context, xdp, port, bytes, frame->segmented_later);
    return how ? drop(xdp, port->vni, how, bytes) : redirect(xdp, ifindex, port->vni, NO_BACKEND, bytes);
  default:
    return drop(xdp, port->vni, how, bytes);
  }
}
