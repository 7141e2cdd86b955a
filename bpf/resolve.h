/* Who is where: hosts, paths, owners, what is learnt, and the counters. */
#pragma once

#include "maps.h"
#include "geneve.h"

/* A path is asked for again after this time; a tombstone lives longer. */
#define PATH_NS (30ULL * 1000 * 1000 * 1000)
/* The other host is told so often where our end is: once would do, if no packet were ever lost. */
#define TELL_TIMES 3

#define PREFIX_OF_ADDRESS 160

static __noinline int count(__u32 vni, enum reason reason, __u32 bytes) {
  struct counter_key key = {.vni = vni, .reason = reason};
  struct counter *counter = bpf_map_lookup_elem(&counters, &key);
  if (!counter) {
    struct counter none = {};
    bpf_map_update_elem(&counters, &key, &none, BPF_NOEXIST);
    counter = bpf_map_lookup_elem(&counters, &key);
    if (!counter) return 0;
  }
  counter->packets++;
  counter->bytes += bytes;
  return 0;
}

INLINE struct settings *this_host(void) {
  __u32 first = 0;
  return bpf_map_lookup_elem(&settings, &first);
}

/* The host, if it is known and alive. */
INLINE struct host *find_host(__u32 host_id) {
  struct host *host = bpf_map_lookup_elem(&hosts, &host_id);
  if (!host || (host->flags & (HOST_KNOWN | HOST_ALIVE)) != (HOST_KNOWN | HOST_ALIVE)) return 0;
  return host;
}

INLINE bool is_valid(struct path *path) {
  __u32 host_id = path->host_id;
  struct host *host = find_host(host_id);
  return host && host->generation == path->host_generation && bpf_ktime_get_ns() < path->expires_ns;
}

INLINE struct subnet *find_subnet(const struct endpoint_key *key) {
  struct subnet_key prefix = {.prefix_length = PREFIX_OF_ADDRESS, .vni = key->vni};
  copy_address(prefix.address, key->address);
  return bpf_map_lookup_elem(&subnets, &prefix);
}

/* The gateway of the port's subnet; false if it has none. */
INLINE bool find_gateway(const struct port *port, const bool ipv6, __u8 *gateway) {
  struct endpoint_key key = {.vni = port->vni};
  copy_address(key.address, ipv6 ? port->ipv6 : port->ipv4);
  struct subnet *subnet = find_subnet(&key);
  if (!subnet) return false;
  copy_address(gateway, ipv6 ? subnet->gateway_ipv6 : subnet->gateway_ipv4);
  return !is_unspecified(gateway);
}

/* FNV-1a over the key: the slot of its owners. */
INLINE __u32 owner_slot(const struct endpoint_key *key) {
  const __u8 *octets = (const __u8 *)key;
  __u32 hash = 0x811c9dc5;
#pragma unroll
  for (int i = 0; i < (int)sizeof(*key); i++) hash = (hash ^ octets[i]) * 0x01000193;
  return hash % OWNER_SLOTS;
}

/* A function of its own, so that `struct owners` is in the object's BTF. */
static __noinline struct owners *find_owners(struct subnet *subnet, const struct endpoint_key *key) {
  __u32 table_id = subnet->table_id;
  void *table = bpf_map_lookup_elem(&owner_tables, &table_id);
  if (!table) return 0;
  __u32 slot = owner_slot(key);
  return bpf_map_lookup_elem(table, &slot);
}

/* The hosts by which packets between two addresses of a VPC, one of them outside, leave and enter it: the same for both directions. */
static __noinline struct owners *find_gateways(struct subnet *egress, const struct endpoint_key *one, const struct endpoint_key *other) {
  struct endpoint_key both = {.vni = one->vni};
  __u32 *words = (__u32 *)both.address;
#pragma unroll
  for (int i = 0; i < 4; i++) words[i] = word(one->address, i) ^ word(other->address, i);
  return find_owners(egress, &both);
}

/* Not static: the verifier looks at it once, not at every place that calls it. */
__noinline int is_owner(__u32 host_id, const struct endpoint_key *key) {
  if (!key) return 0;
  struct subnet *subnet = find_subnet(key);
  if (!subnet) return 0;
  struct owners *owners = find_owners(subnet, key);
  return owners && host_id && (owners->first == host_id || owners->second == host_id);
}

/* What is told about an endpoint. */
struct lesson {
  __u32 host_id;
  __u32 host_generation;
  __u32 endpoint_generation;
  __u32 identity;
  __u16 flags;
  __u8 mac[MAC_BYTES];
};

/* Functions that are not static are looked at by the verifier once, not in the state of each call: then no pointer is known to be there. */

/* Makes a path of a lesson that is trusted; 0 if it is void, old, about an endpoint of this host, or leads to this host itself. */
__noinline int learn(const struct endpoint_key *key, const struct lesson *lesson) {
  if (!key || !lesson) return 0;
  struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, key);
  if (endpoint && endpoint->kind == ENDPOINT_LOCAL) return 0;
  __u32 host_id = lesson->host_id;
  struct settings *own = this_host();
  if (!own || host_id == own->host_id) return 0;
  struct host *host = bpf_map_lookup_elem(&hosts, &host_id);
  if (!host || !(host->flags & HOST_KNOWN) || host->generation != lesson->host_generation) return 0;
  __u64 expires_ns = bpf_ktime_get_ns() + PATH_NS;
  struct path learnt = {
      .host_id = host_id,
      .host_generation = lesson->host_generation,
      .endpoint_generation = lesson->endpoint_generation,
      .expires_ns = expires_ns,
      .identity = lesson->identity,
  };
  copy_mac(learnt.mac, lesson->mac);
  struct path *path = bpf_map_lookup_elem(&paths, key);
  if (path) {
    if (lesson->endpoint_generation < path->endpoint_generation && is_valid(path)) return 0;
    if (path->host_id == host_id && path->host_generation == lesson->host_generation &&
        path->endpoint_generation == lesson->endpoint_generation) {
      if (lesson->flags & LOC_NO_PATH) path->told = 0;
      copy_mac(path->mac, lesson->mac);
      path->identity = lesson->identity;
      path->expires_ns = expires_ns;
      return 1;
    }
    learnt.previous_host_id = path->host_id == host_id ? path->previous_host_id : path->host_id;
  }
  return !bpf_map_update_elem(&paths, key, &learnt, BPF_ANY);
}

/* How a packet gets to an address. */
struct route {
  __u32 host_id; /* to send to, unless it is local */
  __u32 ifindex; /* of a local endpoint */
  __u32 tell;    /* 1: that host does not know our end yet */
  __u32 vni;     /* of the VPC that the destination belongs to: it goes on the wire */
  __u8 mac[MAC_BYTES];
  __u16 flags; /* of a local endpoint */
};

/* Whether an owner can be asked: another host if it is alive and did not say already that it has no entry, this one if it has one. If it
 * has not, the other one may: an entry comes and goes at different times. */
INLINE bool can_answer(__u32 owner, __u32 own_id, bool has_entry, __u32 denied_by) {
  return owner == own_id ? has_entry : owner != denied_by && find_host(owner);
}

INLINE int here(const struct endpoint *endpoint, struct route *route) {
  route->ifindex = endpoint->ifindex;
  route->flags = endpoint->flags;
  copy_mac(route->mac, endpoint->mac);
  return DELIVERED;
}

/* Without a path: SENT_VIA_OWNER, SENT_DIRECT when this host is the owner and has learnt a path from its entry, or the reason to drop. */
INLINE int ask(struct subnet *subnet, const struct endpoint_key *key, const struct endpoint *endpoint, struct route *route, __u32 own_id,
               __u32 denied_by) {
  struct owners *owners = find_owners(subnet, key);
  if (!owners) return NO_OWNER;
  bool has_entry = endpoint && endpoint->kind == ENDPOINT_DIRECTORY;
  __u32 first = owners->first, second = owners->second;
  __u32 owner = can_answer(first, own_id, has_entry, denied_by) ? first : second;
  if (owner == second && !can_answer(second, own_id, has_entry, denied_by)) {
    bool denied = first == own_id || second == own_id || (denied_by && (first == denied_by || second == denied_by));
    return denied ? NO_ENDPOINT : NO_OWNER;
  }
  if (owner != own_id) {
    route->host_id = owner;
    route->tell = 1;
    return SENT_VIA_OWNER;
  }
  if (!endpoint) return INTERNAL;
  if (endpoint->host_id == own_id) return LOOP;
  struct host *host = find_host(endpoint->host_id);
  if (!host) return NO_ENDPOINT;
  struct lesson lesson = {
      .host_id = endpoint->host_id,
      .host_generation = host->generation,
      .endpoint_generation = endpoint->generation,
      .identity = endpoint->identity,
      .flags = LOC_NO_PATH,
  };
  copy_mac(lesson.mac, endpoint->mac);
  return learn(key, &lesson) ? SENT_DIRECT : INTERNAL;
}

INLINE bool has_gateway(const struct subnet *egress, __u32 host_id, __u32 own_id) {
  return host_id == own_id ? egress->ifindex != 0 : find_host(host_id) != 0;
}

/* Out of the VPC by the first gateway that lives, which may be the one of this host: as `resolve`. */
INLINE int leave(struct subnet *egress, const struct endpoint_key *destination, const struct endpoint_key *source, struct route *route,
                 __u32 own_id) {
  struct owners *owners = find_gateways(egress, source, destination);
  if (!owners) return NO_OWNER;
  __u32 host_id = has_gateway(egress, owners->first, own_id) ? owners->first : owners->second;
  if (!has_gateway(egress, host_id, own_id)) return NO_OWNER;
  copy_mac(route->mac, egress->gateway_mac);
  route->ifindex = egress->ifindex;
  route->host_id = host_id;
  return host_id == own_id ? DELIVERED : SENT_DIRECT;
}

/* DELIVERED for a local endpoint, SENT_DIRECT, SENT_VIA_OWNER, or the reason to drop. With `may_tell` a path's tellings are counted.
 * `denied_by`: a host that said it does not have the endpoint, or 0. `source`: of a packet that may leave the VPC; without it only the VPC's
 * own endpoints are looked for. */
__noinline int resolve(const struct endpoint_key *destination, struct route *route, __u32 may_tell, __u32 denied_by,
                         const struct endpoint_key *source) {
  if (!destination || !route) return INTERNAL;
  struct settings *own = this_host();
  if (!own) return INTERNAL;
  struct endpoint_key key = *destination;
  route->vni = key.vni;
  struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &key);
  if (endpoint && endpoint->kind == ENDPOINT_LOCAL) return here(endpoint, route);
  struct path *path = bpf_map_lookup_elem(&paths, &key);
  if (!path || !is_valid(path)) {
    struct subnet *subnet = find_subnet(&key);
    if (!subnet) return NO_ROUTE;
    if (subnet->kind == SUBNET_EGRESS) return source ? leave(subnet, destination, source, route, own->host_id) : NO_ROUTE;
    if (subnet->vni != key.vni) {
      if (!source) return NO_ROUTE;
      key.vni = subnet->vni;
      route->vni = subnet->vni;
      endpoint = bpf_map_lookup_elem(&endpoints, &key);
      if (endpoint && endpoint->kind == ENDPOINT_LOCAL) return here(endpoint, route);
      path = bpf_map_lookup_elem(&paths, &key);
    }
    if (!path || !is_valid(path)) {
      int how = ask(subnet, &key, endpoint, route, own->host_id, denied_by);
      if (how != SENT_DIRECT) return how;
      path = bpf_map_lookup_elem(&paths, &key);
      if (!path) return INTERNAL;
    }
  }
  route->host_id = path->host_id;
  copy_mac(route->mac, path->mac);
  if (may_tell && path->told < TELL_TIMES) {
    path->told++;
    route->tell = 1;
  }
  return SENT_DIRECT;
}
