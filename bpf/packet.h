/* Packets: headers, addresses, checksums, the hash of a flow. */
#pragma once

#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"

#define INLINE static __always_inline

#define IPV4_MORE_FRAGMENTS_AND_OFFSET 0x3fff
#define IPV4_OFFSET 0x1fff
#define IPV4_DO_NOT_FRAGMENT 0x4000

#define ARP_REQUEST 1
#define ARP_REPLY 2

#define ND_ROUTER_SOLICITATION 133
#define ND_NEIGHBOR_SOLICITATION 135
#define ND_NEIGHBOR_ADVERTISEMENT 136
#define ND_REDIRECT 137
#define ND_SOLICITED_OVERRIDE 0x60000000
#define ND_OPTION_SOURCE 1
#define ND_OPTION_TARGET 2

#define ICMP_UNREACHABLE 3
#define ICMP_FRAGMENTATION_NEEDED 4

/* ICMP "destination unreachable". */
struct icmp {
  __u8 type;
  __u8 code;
  __sum16 checksum;
  __be16 reserved;
  __be16 mtu;
};

/* ARP for IPv4 over Ethernet. */
struct arp {
  __be16 hardware;
  __be16 protocol;
  __u8 hardware_bytes;
  __u8 protocol_bytes;
  __be16 operation;
  __u8 sender_mac[MAC_BYTES];
  __u8 sender[4];
  __u8 target_mac[MAC_BYTES];
  __u8 target[4];
};

/* A neighbour solicitation or advertisement with one option for a MAC. */
struct neighbor {
  __u8 type;
  __u8 code;
  __sum16 checksum;
  __be32 flags;
  __u8 target[ADDRESS_BYTES];
  __u8 option_type;
  __u8 option_length; /* in 8 octets */
  __u8 option_mac[MAC_BYTES];
};

/* Extension headers that are walked over: more than any sensible packet has. */
#define MAX_EXTENSIONS 6
#define IPV6_FRAGMENT_OFFSET 0xfff8

INLINE bool is_extension(__u32 protocol) {
  return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_AH ||
         protocol == IPPROTO_DSTOPTS;
}

/* Without the option: what a pod must send at least. */
#define NEIGHBOR_MINIMUM_BYTES 24

INLINE void copy_mac(__u8 *to, const __u8 *from) {
  __builtin_memcpy(to, from, MAC_BYTES);
}

INLINE bool same_mac(const __u8 *a, const __u8 *b) {
  return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]) | (a[5] ^ b[5]));
}

/* Addresses lie at multiples of 4 octets wherever these are used. */
INLINE __u32 word(const __u8 *address, int index) {
  return ((const __u32 *)address)[index];
}

INLINE bool same_address(const __u8 *a, const __u8 *b) {
  return !((word(a, 0) ^ word(b, 0)) | (word(a, 1) ^ word(b, 1)) | (word(a, 2) ^ word(b, 2)) | (word(a, 3) ^ word(b, 3)));
}

INLINE void copy_address(__u8 *to, const __u8 *from) {
  __u32 *words = (__u32 *)to;
  words[0] = word(from, 0);
  words[1] = word(from, 1);
  words[2] = word(from, 2);
  words[3] = word(from, 3);
}

INLINE bool is_unspecified(const __u8 *address) {
  return !(word(address, 0) | word(address, 1) | word(address, 2) | word(address, 3));
}

/* ::ffff:a.b.c.d */
INLINE void map_ipv4(__u8 *to, __be32 address) {
  __u32 *words = (__u32 *)to;
  words[0] = 0;
  words[1] = 0;
  words[2] = bpf_htonl(0xffff);
  words[3] = address;
}

INLINE __be32 ipv4_of(const __u8 *address) {
  return word(address, 3);
}

INLINE bool is_link_local(const __u8 *address) {
  return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

/* No endpoint can have it: multicast, broadcast, link-local, unspecified. */
INLINE bool is_ipv4_of_many(__be32 address) {
  __u32 value = bpf_ntohl(address);
  return value >> 28 == 0xe || value == 0xffffffff || value >> 16 == 0xa9fe || value == 0;
}

INLINE bool is_ipv6_of_many(const __u8 *address) {
  return address[0] == 0xff || is_link_local(address) || is_unspecified(address);
}

INLINE __sum16 fold(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

INLINE __sum16 ipv4_checksum(struct iphdr *header) {
  const __u16 *words = (const __u16 *)header;
  __u32 sum = 0;
#pragma unroll
  for (int i = 0; i < 10; i++) sum += words[i];
  return fold(sum);
}

/* The checksum after one 16-bit word has changed (RFC 1624). */
INLINE __sum16 replace_in_checksum(__sum16 checksum, __u16 before, __u16 after) {
  return fold((__u16)~checksum + (__u16)~before + after);
}

/* What stands for a flow: the same words, the same UDP source port, so that the underlay keeps its packets in order. */
INLINE __u16 flow_port(const __u8 *source, const __u8 *destination, __u32 protocol, __u32 ports) {
  __u32 h = 0x811c9dc5;
#pragma unroll
  for (int i = 0; i < 4; i++) h = (h ^ word(source, i)) * 0x01000193;
#pragma unroll
  for (int i = 0; i < 4; i++) h = (h ^ word(destination, i)) * 0x01000193;
  h = (h ^ protocol) * 0x01000193;
  h = (h ^ ports) * 0x01000193;
  h ^= h >> 16;
  h *= 0x85ebca6b;
  h ^= h >> 13;
  return 49152 + (h & 16383);
}

INLINE bool has_ports(__u32 protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* Frames that are built begin with so much that is not sent: the IP header then lies at a multiple of 4 octets. */
#define LEAD_BYTES 2

/* A neighbour message as agents and owners send it, without extension headers. */
struct neighbor_frame {
  __u8 lead[LEAD_BYTES];
  struct ethhdr ethernet;
  struct ipv6hdr ip;
  struct neighbor neighbor;
};

#define NEIGHBOR_FRAME_BYTES 86
_Static_assert(sizeof(struct neighbor_frame) == LEAD_BYTES + NEIGHBOR_FRAME_BYTES, "neighbour frame");

/* Checksum of an ICMPv6 message of `bytes` octets (a multiple of 4) behind `ip`. */
INLINE __sum16 icmpv6_checksum(struct ipv6hdr *ip, void *message, __u32 bytes) {
  __u32 sum = bpf_csum_diff(0, 0, (__be32 *)&ip->saddr, 2 * ADDRESS_BYTES, bpf_htonl(bytes + IPPROTO_ICMPV6));
  return fold(bpf_csum_diff(0, 0, message, bytes, sum));
}
