/* The maps. The loader pins each by its name, so that a daemon that starts again finds them as they were. */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"

/* Pods of one host: more than Kubernetes' default of 110 by far, and 4 ports cost 1 KiB. */
#define MAX_PORTS 4096
/* Local endpoints, directory entries and tombstones. Not preallocated: an entry costs about 100 octets when it is there. */
#define MAX_ENDPOINTS 262144
/* Host ids must fit into path.previous_host_id. */
#define MAX_HOSTS 4096
/* Peers that the pods of one host speak with; the least used is forgotten and asked for again. */
#define MAX_PATHS 65536
#define MAX_SUBNETS 16384
#define MAX_OWNER_TABLES 4096
/* About 24 reasons for each of 2,700 tenants. */
#define MAX_COUNTERS 65536
#define EVENTS_BYTES (256 * 1024)
/* Packets that are on their way in fragments at one time. */
#define MAX_FRAGMENTS 8192
#define MAX_SERVICES 65536
#define MAX_BACKEND_TABLES 4096
/* 64 for each table. */
#define MAX_BACKENDS 262144
/* Two for each flow to a service; one that is forgotten is found again, as long as the backends are the same. */
#define MAX_TRANSLATIONS 131072
/* Rules and prefixes for the identities that live on this host; the daemon says when they are too many. */
#define MAX_POLICIES 262144
#define MAX_POLICY_PREFIXES 65536
/* Identities: four for each port of this host. */
#define MAX_POLICY_SCOPES 16384
/* Two for each flow between pods of this host, else one. What is forgotten is decided anew. */
#define MAX_FLOWS 131072

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAX_PORTS);
  __type(key, __u32);
  __type(value, struct port);
} ports SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAX_ENDPOINTS);
  __type(key, struct endpoint_key);
  __type(value, struct endpoint);
} endpoints SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, MAX_HOSTS);
  __type(key, __u32);
  __type(value, struct host);
} hosts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAX_HOSTS);
  __type(key, struct host_address);
  __type(value, __u32);
} host_ids SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, MAX_PATHS);
  __type(key, struct endpoint_key);
  __type(value, struct path);
} paths SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAX_SUBNETS);
  __type(key, struct subnet_key);
  __type(value, struct subnet);
} subnets SEC(".maps");

struct owner_table {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, OWNER_SLOTS);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(struct owners));
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, MAX_OWNER_TABLES);
  __type(key, __u32);
  __array(values, struct owner_table);
} owner_tables SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct settings);
} settings SEC(".maps");

/* Where XDP may send to: the uplink and the pods' links. */
struct {
  __uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
  __uint(max_entries, MAX_PORTS);
  __type(key, __u32);
  __type(value, __u32);
} devices SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAX_COUNTERS);
  __type(key, struct counter_key);
  __type(value, struct counter);
} counters SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, MAX_FRAGMENTS);
  __type(key, struct fragment_key);
  __type(value, struct fragment);
} fragments SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAX_SERVICES);
  __type(key, struct service_key);
  __type(value, struct service);
} services SEC(".maps");

struct backend_table {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, BACKEND_SLOTS);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(struct backend));
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, MAX_BACKEND_TABLES);
  __type(key, __u32);
  __array(values, struct backend_table);
} backend_tables SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAX_BACKENDS);
  __type(key, struct backend_key);
  __type(value, struct backend_state);
} backends SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, MAX_TRANSLATIONS);
  __type(key, struct flow_key);
  __type(value, struct translation);
} translations SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAX_POLICIES);
  __type(key, struct policy_key);
  __type(value, struct policy_verdict);
} policies SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAX_POLICY_PREFIXES);
  __type(key, struct policy_prefix_key);
  __type(value, struct policy_class);
} policy_prefixes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAX_POLICY_SCOPES);
  __type(key, struct policy_scope_key);
  __type(value, struct policy_scope);
} policy_scopes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, MAX_FLOWS);
  __type(key, struct flow_key);
  __type(value, struct flow_state);
} flows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, EVENTS_BYTES);
} events SEC(".maps");
