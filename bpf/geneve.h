/* Ethernet / IPv4 / UDP / Geneve (RFC 8926) / options / inner Ethernet frame.
 *
 * Options of class 0xff76 (the experimental range):
 *   LOC   0x01, 24 octets: host_id u32, host_generation u32, endpoint_generation u32, identity u32, flags u16, MAC: where and what an
 *         endpoint is
 *   MOVED 0x82 (critical), 4 octets: endpoint_generation u32, 0 if unknown: the inner destination is not here; ask its owner */
#pragma once

#include "packet.h"

#define GENEVE_PORT 6081
#define GENEVE_TRANSPARENT_ETHERNET 0x6558
#define GENEVE_CONTROL 0x80
#define GENEVE_CRITICAL 0x40
#define FIRST_TTL 4

#define OPTION_CLASS 0xff76
#define OPTION_LOC 0x01
#define OPTION_MOVED 0x82
#define OPTION_CRITICAL 0x80

#define LOC_OF_DESTINATION 1 /* speaks of the inner destination, else of the inner source, ARP sender or ND target */
#define LOC_LAST_BOUNCE 2    /* must not be sent back again */
#define LOC_NO_PATH 4        /* the sender has no path to the inner destination: tell it where that is */
#define LOC_ASKS_WHO 8       /* the sender may not send to whom it does not know: send the packet back with who the destination is */

/* More are malformed: bounds for the loop over them. */
#define MAX_OPTIONS 4
#define MAX_OPTION_BYTES 64

struct geneve {
  __u8 version_length; /* 2 bits, then the length of the options in 4 octets */
  __u8 flags;
  __be16 protocol;
  __be32 vni; /* the upper 24 bits */
};

struct option {
  __be16 class;
  __u8 type;
  __u8 length; /* of the body in 4 octets, in the lower 5 bits */
};

/* The body of LOC. */
struct location {
  __be32 host_id;
  __be32 host_generation;
  __be32 endpoint_generation;
  __be32 identity;
  __be16 flags;
  __u8 mac[MAC_BYTES];
};

#define LOC_BYTES (sizeof(struct option) + sizeof(struct location))
#define MOVED_BYTES (sizeof(struct option) + 4)
_Static_assert(LOC_BYTES == 28 && MOVED_BYTES == 8, "options");

/* Everything in front of the options. */
struct outer {
  __u8 lead[LEAD_BYTES];
  struct ethhdr ethernet;
  struct iphdr ip;
  struct udphdr udp;
  struct geneve geneve;
};

#define OUTER_BYTES 50
_Static_assert(sizeof(struct outer) == LEAD_BYTES + OUTER_BYTES, "outer headers");

/* The outer headers with the option that goes with a packet, if any. */
struct envelope {
  struct outer outer;
  struct option option;
  union {
    struct location location;
    __be32 moved_generation;
  };
};
_Static_assert(sizeof(struct envelope) == LEAD_BYTES + OUTER_BYTES + LOC_BYTES, "envelope");

/* What an envelope is made of. Addresses and MACs are those of the underlay. */
struct letter {
  __be32 source;
  __be32 destination;
  __u32 vni;
  __u32 inner_bytes;
  __u32 option_bytes; /* 0, LOC_BYTES or MOVED_BYTES; the caller writes the option */
  __u16 source_port;
  __u8 ttl;
  __u8 source_mac[MAC_BYTES];
  __u8 destination_mac[MAC_BYTES];
};

INLINE void write_loc(struct envelope *envelope, __u32 host_id, __u32 host_generation, __u32 endpoint_generation, __u32 identity,
                      __u16 flags, const __u8 *mac) {
  envelope->option.class = bpf_htons(OPTION_CLASS);
  envelope->option.type = OPTION_LOC;
  envelope->option.length = sizeof(struct location) / 4;
  envelope->location.host_id = bpf_htonl(host_id);
  envelope->location.host_generation = bpf_htonl(host_generation);
  envelope->location.endpoint_generation = bpf_htonl(endpoint_generation);
  envelope->location.identity = bpf_htonl(identity);
  envelope->location.flags = bpf_htons(flags);
  copy_mac(envelope->location.mac, mac);
}

INLINE void write_moved(struct envelope *envelope, __u32 endpoint_generation) {
  envelope->option.class = bpf_htons(OPTION_CLASS);
  envelope->option.type = OPTION_MOVED;
  envelope->option.length = 1;
  envelope->moved_generation = bpf_htonl(endpoint_generation);
}

/* The outer headers for `letter`. The UDP checksum is 0: the inner packet has its own. */
INLINE void write_outer(struct outer *outer, const struct letter *letter) {
  __u16 udp_bytes = sizeof(struct udphdr) + sizeof(struct geneve) + letter->option_bytes + letter->inner_bytes;
  copy_mac(outer->ethernet.h_dest, letter->destination_mac);
  copy_mac(outer->ethernet.h_source, letter->source_mac);
  outer->ethernet.h_proto = bpf_htons(ETH_P_IP);
  struct iphdr ip = {
      .version = 4,
      .ihl = 5,
      .tot_len = bpf_htons(sizeof(struct iphdr) + udp_bytes),
      .frag_off = bpf_htons(IPV4_DO_NOT_FRAGMENT),
      .ttl = letter->ttl,
      .protocol = IPPROTO_UDP,
      .saddr = letter->source,
      .daddr = letter->destination,
  };
  ip.check = ipv4_checksum(&ip);
  outer->ip = ip;
  outer->udp.source = bpf_htons(letter->source_port);
  outer->udp.dest = bpf_htons(GENEVE_PORT);
  outer->udp.len = bpf_htons(udp_bytes);
  outer->udp.check = 0;
  outer->geneve.version_length = letter->option_bytes / 4;
  outer->geneve.flags = letter->option_bytes == MOVED_BYTES ? GENEVE_CRITICAL : 0;
  outer->geneve.protocol = bpf_htons(GENEVE_TRANSPARENT_ETHERNET);
  outer->geneve.vni = bpf_htonl(letter->vni << 8);
}
