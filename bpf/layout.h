/* Records of the maps: the one source of truth. src/overlay/layout/ has the same in TypeScript; a test compares both by the object's BTF.
 *
 * Addresses have 16 octets; an IPv4 address is ::ffff:a.b.c.d. Addresses and MACs are in network order, numbers in the host's. Every key
 * that speaks of a tenant begins with its VNI. There are no holes: a key is compared octet by octet. */
#pragma once

#include <linux/types.h>
#include <stdbool.h>

#define ADDRESS_BYTES 16
#define MAC_BYTES 6

/* Who is meant: an address of a tenant. */
struct endpoint_key {
  __u32 vni;
  __u8 address[ADDRESS_BYTES];
};

/* Of what comes from outside of a VPC. */
#define IDENTITY_OF_GATEWAY 0x7fffffff

enum endpoint_kind {
  ENDPOINT_LOCAL = 1,     /* it is here, behind `ifindex` */
  ENDPOINT_DIRECTORY = 2, /* this host is one of its owners; it lives at `host_id` */
  ENDPOINT_TOMBSTONE = 3, /* it was here and is now at `host_id` */
};

#define ENDPOINT_HAS_SERVICES 1
#define ENDPOINT_HAS_POLICIES 2

struct endpoint {
  __u32 kind;
  __u32 host_id;
  __u32 generation; /* raised at each placement; the newer wins */
  __u32 ifindex;
  __u32 identity;
  __u16 flags;
  __u8 mac[MAC_BYTES];
};

#define PORT_HAS_IPV4 1
#define PORT_HAS_IPV6 2
#define PORT_HAS_SERVICES 4
#define PORT_HAS_POLICIES 8
#define PORT_IS_GATEWAY 16 /* of the VPC: what comes from outside enters here */

/* A pod's link, by the ifindex of its root side: what the pod may send. */
struct port {
  __u32 vni;
  __u32 subnet_id;
  __u32 identity;
  __u32 generation;
  __u32 mtu; /* of IP packets */
  __u16 flags;
  __u8 mac[MAC_BYTES];
  __u8 ipv4[ADDRESS_BYTES];
  __u8 ipv6[ADDRESS_BYTES];
  __u8 gateway_mac[MAC_BYTES];
  __u16 least_mtu; /* of all subnets that it reaches: a packet that is no longer fits everywhere */
};

#define HOST_KNOWN 1
#define HOST_ALIVE 2

/* A host, by its id. Host 0 is nobody. */
struct host {
  __u8 address[ADDRESS_BYTES]; /* on the underlay */
  __u8 mac[MAC_BYTES];         /* of the next hop towards it */
  __u16 flags;
  __u32 generation; /* raised when it starts anew: paths of another generation are void */
  __u32 mtu;
};

struct host_address {
  __u8 address[ADDRESS_BYTES]; /* on the underlay */
};

/* Where an endpoint was last heard of. */
struct path {
  __u32 host_id;
  __u32 host_generation;
  __u32 endpoint_generation;
  __u32 told; /* how often the host there was told where our end is */
  __u64 expires_ns;
  __u8 mac[MAC_BYTES];
  __u16 previous_host_id; /* may still send back packets that were under way to it */
  __u32 identity;
  __u32 reserved;
};

/* `prefix_length` counts the VNI's 32 bits and those of the address. */
struct subnet_key {
  __u32 prefix_length;
  __u32 vni;
  __u8 address[ADDRESS_BYTES];
};

#define SUBNET_HAS_SERVICES 1
#define SUBNET_HAS_POLICIES 2
#define SUBNET_HAS_ROUTES 4 /* the VPC has peers or a way out: where a packet comes from is looked at */

enum subnet_kind {
  SUBNET_OF_ENDPOINTS = 0,
  SUBNET_EGRESS = 1, /* the way out of the VPC: `table_id` names the hosts with a gateway, by `egress_slot` */
};

/* What a prefix of a VPC is: a subnet of its own, one of a peer, or the way out. */
struct subnet {
  __u32 subnet_id;
  __u32 table_id; /* in `owner_tables` */
  __u32 mtu;
  __u32 flags;
  __u32 vni;     /* the VPC that the addresses belong to: the key's own or a peer's */
  __u32 ifindex; /* egress: the root side of the gateway's link at this host, 0 if there is none */
  __u8 gateway_ipv4[ADDRESS_BYTES];
  __u8 gateway_ipv6[ADDRESS_BYTES];
  __u8 gateway_mac[MAC_BYTES]; /* egress: of the gateway's own end */
  __u16 kind;
};

#define OWNER_SLOTS 251

/* The hosts that keep the directory entries of a slot; 0 is nobody. */
struct owners {
  __u32 first;
  __u32 second;
};

/* This host. */
struct settings {
  __u32 host_id;
  __u32 host_generation;
  __u32 uplink_ifindex;
  __u32 underlay_mtu;
  __u8 address[ADDRESS_BYTES];
  __u8 mac[MAC_BYTES];
  __u8 reserved[2];
};

/* Below 64: why a packet was dropped; UNTRUSTED also counts options that were not believed. */
enum reason {
  NO_PORT = 1,
  SPOOFED_MAC = 2,
  SPOOFED_ADDRESS = 3,
  ETHER_TYPE = 4,
  MALFORMED = 5,
  ARP = 6,
  DUPLICATE_PROBE = 7,
  MULTICAST = 8,
  TOO_BIG = 9,
  TTL = 10,
  NO_ROUTE = 11,
  NO_OWNER = 12,
  NO_ENDPOINT = 13,
  UNKNOWN_SOURCE = 14,
  CRITICAL_OPTION = 15,
  LOOP = 16,
  UNTRUSTED = 17,
  INTERNAL = 18,
  FRAGMENT = 19,
  NO_BACKEND = 20,
  NO_IDENTITY = 21,
  POLICY = 22,
  DELIVERED = 64,
  SENT_DIRECT = 65,
  SENT_VIA_OWNER = 66,
  SENT_BACK = 67,
  ANSWERED = 68,
  RELAYED = 69,
  TRANSLATED = 70,
  RESTORED = 71,
};

struct counter_key {
  __u32 vni; /* 0 where it is not known */
  __u32 reason;
};

struct counter {
  __u64 packets;
  __u64 bytes;
};

/* An owner sent a packet on: its sender does not know the way yet. */
struct relayed_event {
  __u32 vni;
  __u32 source_host_id;
  __u32 host_id;
  __u32 generation;
  __u8 source[ADDRESS_BYTES];
  __u8 destination[ADDRESS_BYTES];
};

/* Fragments of one packet. */
struct fragment_key {
  __u32 vni;
  __u8 source[ADDRESS_BYTES];
  __u8 destination[ADDRESS_BYTES];
  __u32 id;
  __u8 protocol; /* as the fragments name it */
  __u8 reserved[3];
};

/* What only the first fragment has. */
struct fragment {
  __u64 expires_ns;
  __be16 source_port;
  __be16 destination_port;
  __u8 protocol; /* behind all extension headers */
  __u8 icmp_type;
  __u8 reserved[2];
};

/* A port of a service. Port 0 with protocol 0 says that the address is a service's, with that of ICMP or ICMPv6 that echoes are answered. */
struct service_key {
  __u32 vni;
  __u8 address[ADDRESS_BYTES];
  __be16 port;
  __u8 protocol;
  __u8 reserved;
};

#define SERVICE_HAS_AFFINITY 1 /* all flows of a client's address have one backend */

struct service {
  __u32 service_id;
  __u32 table_id;   /* in `backend_tables` */
  __u32 generation; /* another one whenever the backends are others */
  __u16 flags;
  __u16 backends; /* that are ready */
};

#define BACKEND_SLOTS 251

/* A slot of a service's table; without an address nobody. */
struct backend {
  __u8 address[ADDRESS_BYTES];
  __be16 port;
  __u16 flags;
  __u32 reserved;
};

struct backend_key {
  __u32 service_id;
  __u8 address[ADDRESS_BYTES];
  __be16 port;
  __u16 reserved;
};

#define BACKEND_READY 1
#define BACKEND_DRAINING 2 /* keeps its TCP connections */

/* A backend of a service. */
struct backend_state {
  __u32 flags;
};

#define FLOW_FORWARD 0 /* as the client sends */
#define FLOW_ANSWERS 1

/* A flow of a VPC, as its packets have it. */
struct flow_key {
  __u32 vni;
  __u8 protocol;
  __u8 direction;
  __be16 source_port;
  __be16 destination_port;
  __u16 reserved;
  __u8 source[ADDRESS_BYTES];
  __u8 destination[ADDRESS_BYTES];
};

#define TRANSLATION_ACKNOWLEDGED 1 /* TCP: the client has sent more than its SYN */
#define TRANSLATION_CLOSING 2      /* TCP: one end has sent FIN or RST */
#define TRANSLATION_HAIRPIN 4      /* the client is its own backend */

/* FLOW_FORWARD: the backend. FLOW_ANSWERS: the service's address and port, which the client knows, and when the flow was used last. */
struct translation {
  __u64 used_ns;
  __u32 service_id;
  __u32 generation; /* of the service when the backend was found good */
  __u8 address[ADDRESS_BYTES];
  __be16 port;
  __u16 state;
  __u32 reserved;
};

/* Identities are numbers of sets of labels, below 0x80000000. As the peer of a rule a number may stand for more. IDENTITY_OF_GATEWAY is what comes
 * from outside. */
#define PEER_UNKNOWN 0xfffffffe     /* in a flow's state only */
#define PEER_EVERYBODY 0xffffffff

/* A rule is for packets that its subject gets or sends; in `flows`, whether the endpoint of this host is the receiver or the sender. */
#define INGRESS 1
#define EGRESS 2

/* A rule: packets of `subject` with `peer`. The rule holds for a prefix of what follows `prefix_length`: 104 bits for any protocol, 112 for
 * any port of one, up to 128 for ports that begin with the same bits. ICMP has port 0. */
struct policy_key {
  __u32 prefix_length;
  __u32 vni;
  __u32 subject; /* identity */
  __u32 peer;    /* identity, class or everybody */
  __u8 direction;
  __u8 protocol;
  __be16 port; /* of the flow's destination */
};

#define VERDICT_ALLOW 1

struct policy_verdict {
  __u32 verdict;
};

/* Which class the addresses of a prefix are of, for the rules of a subject. */
struct policy_prefix_key {
  __u32 prefix_length;
  __u32 vni;
  __u32 subject;
  __u8 direction;
  __u8 reserved[3];
  __u8 address[ADDRESS_BYTES];
};

struct policy_class {
  __u32 peer; /* 0x80000000 or more */
};

struct policy_scope_key {
  __u32 vni;
  __u32 subject;
};

/* The rules of a subject as a whole. Without a scope it is not restricted. */
struct policy_scope {
  __u32 revision;   /* another one whenever the rules are others: flows are decided anew */
  __u16 restricted; /* INGRESS | EGRESS: only what a rule allows */
  __u16 reserved;
};

#define FLOW_ANSWERED 1 /* the receiver has sent something */
#define FLOW_CLOSING 2  /* TCP: one end has sent FIN or RST */
#define FLOW_DENIED 4   /* was allowed once: its answers must not pass as a flow of their own */

/* A flow that was decided about, as its initiator sends. */
struct flow_state {
  __u64 used_ns;
  __u32 revision;   /* of the subject's rules when they were looked at */
  __u32 generation; /* of the endpoint of this host: another one is another endpoint */
  __u32 subject;
  __u32 peer;
  __u16 state;
  __u8 reserved[6];
};
