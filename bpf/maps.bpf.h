/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * maps.bpf.h - every map: who writes it, who reads it, how big it is, what happens when it is full.
 *
 * All are pinned by name and shared by every instance of the program. No map grows by what arrives on the wire.
 */
#ifndef DG_MAPS_BPF_H
#define DG_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/facts.bpf.h"
#include "bpf/hash.h"

/* Live settings. Written by userspace under the lock; read by every packet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dg_settings);
} dg_settings SEC(".maps");

/* Guarded devices by slot: MACs and flags. Written by the loader and the daemon. Full: attach is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_IF_MAX);
	__type(key, __u32);
	__type(value, struct dg_iface);
} dg_ifaces SEC(".maps");

/* Guarded and own addresses, an open table of cache lines. Written by userspace. Full: the address is not
 * guarded and userspace says so. An array because a hash lookup costs 30 ns for every query, this one 3.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_SERVICE_BUCKETS);
	__uint(map_flags,
	       BPF_F_MMAPABLE); /* values start on a page: each bucket on its own cache line */
	__type(key, __u32);
	__type(value, struct dg_service_bucket);
} dg_services SEC(".maps");

/* Counters of each service address. Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DG_SERVICE_SLOTS);
	__type(key, __u32);
	__type(value, struct dg_service_stats);
} dg_svc_stats SEC(".maps");

/* Source policies. Written by userspace; memory grows with the operator's entries only. Full: refused there. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, DG_SOURCES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct dg_source_key_v4);
	__type(value, struct dg_source);
} dg_sources4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, DG_SOURCES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct dg_source_key_v6);
	__type(value, struct dg_source);
} dg_sources6 SEC(".maps");

/* The limiter's cells. Written by the programs alone. Never full: see limit.bpf.h. The loader sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_LIMIT_BYTES_DEFAULT / sizeof(struct dg_limit_line));
	__uint(map_flags, BPF_F_MMAPABLE); /* for the alignment: a line is a cache line */
	__type(key, __u32);
	__type(value, struct dg_limit_line);
} dg_limiter SEC(".maps");

/* Who is being limited, for people. Written by the programs. Full: lighter entries give way. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_TALKERS_LIMITED);
	__type(key, __u32);
	__type(value, struct dg_talker);
} dg_limited SEC(".maps");

/* The operator's own entries. Written by userspace, memory as used. Full: `block` is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DG_OWN_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct dg_name_key);
	__type(value, struct dg_own);
} dg_own SEC(".maps");

/* One bit a hash: no bit, no entry. One value, so that a name's labels are looked up with one load each. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct dg_own_filter);
} dg_own_filter SEC(".maps");

/*
 * The same for the lists, two bits a name: spares the ordinary query every look into the image, which is a call of a helper
 * and mostly a miss of the cache. Written by whoever publishes an image: bits come before it and go behind it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct dg_list_filter);
} dg_list_filter SEC(".maps");

/*
 * In its place for an image of millions, which would fill it: a larger one, the image's own, in the image's slot. Made, filled
 * and put there by whoever publishes the image, before it is named; gone with it, so that nobody else pays for it. All are
 * of one size, for then the kernel inlines this lookup, too.
 */
struct dg_large_filter {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct dg_list_large));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, DG_IMAGE_SLOTS);
	__type(key, __u32);
	__array(values, struct dg_large_filter);
} dg_list_large SEC(".maps");

/* The image of all lists; userspace fills a fresh inner array, puts it into the slot that is not in use, and names that. */
struct dg_image_data {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(key_size,
	       sizeof(__u32)); /* sizes, not types: clang leaves a forward declaration here */
	__uint(value_size, sizeof(struct dg_image_bucket));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, DG_IMAGE_SLOTS);
	__type(key, __u32);
	__array(values, struct dg_image_data);
} dg_image SEC(".maps");

/* The first elements of the image in each slot once more: an inner array costs the programs a call, and can be opened by its
 * number only with CAP_SYS_ADMIN, which the daemon has not. Written by whoever publishes an image, before it is named.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_IMAGE_SLOTS *DG_LIST_ROWS);
	__type(key, __u32);
	__type(value, struct dg_answer);
} dg_lists SEC(".maps");

/* Answers given on behalf of each list (0 = operator). Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DG_LISTS_MAX + 1);
	__type(key, __u32);
	__type(value, struct dg_list_stats);
} dg_list_stats SEC(".maps");

/* When the next kernel answer is due, for all CPUs. Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dg_budget SEC(".maps");

/* SYNs of the last seconds. Written by the programs. Full: the oldest of a bucket is forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_SYN_BUCKETS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct dg_syn_bucket);
} dg_syn_seen SEC(".maps");

/* Who sends SYNs, for people. Written by the programs. Full: lighter entries give way. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_TALKERS_SYN);
	__type(key, __u32);
	__type(value, struct dg_talker);
} dg_syn_talkers SEC(".maps");

/* Frame counters by device. Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DG_IF_MAX);
	__type(key, __u32);
	__type(value, struct dg_stats);
} dg_stats SEC(".maps");

/* Sampled events. Written by the programs while somebody watches. Full: events are lost and counted. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, DG_EVENT_RING_BYTES);
} dg_events SEC(".maps");

/* Who counts TCP connections, and how many rows are in use. Written by tcpstate and the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE); /* so that the loader changes one word of it */
	__type(key, __u32);
	__type(value, struct dg_tcp_now);
} dg_tcp_now SEC(".maps");

/* Listeners on guarded ports. Written by tcpstate when one begins, by userspace for those before and for those that get a row of
 * one that is gone. Full: the listener's connections are not counted, dg_tcp_now.refused is.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DG_TCP_LISTENERS_MAX);
	__type(key, struct dg_tcp_key);
	__type(value, __u32);
} dg_tcp_listen SEC(".maps");

/* Their books. Written by tcpstate; userspace adds differences to them, through shared memory. Never full: a row goes with
 * its key.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_TCP_LISTENERS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct dg_tcp_row);
} dg_tcp_rows SEC(".maps");

/* Begin of each connection, kept in its socket, gone with it: as many as there are sockets. Written by tcpstate. No memory:
 * the connection is counted, its hold time is not.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct dg_tcp_since);
} dg_tcp_since SEC(".maps");

/* TCP flows to guarded services. Written by ingress; egress reads and clears the times. Full: see flow_take(). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_FLOW_BUCKETS);
	__uint(map_flags, BPF_F_MMAPABLE); /* for the alignment: a bucket is a cache line */
	__type(key, __u32);
	__type(value, struct dg_flow_bucket);
} dg_flows SEC(".maps");

/* What became of TCP segments with data. Written by ingress. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dg_tcp_stats);
} dg_tcp_stats SEC(".maps");

/* What is asked over TCP, for people. Written by ingress. Full: lighter names give way. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_TCP_NAME_SETS);
	__type(key, __u32);
	__type(value, struct dg_tcp_name_set);
} dg_tcp_names SEC(".maps");

/* Which listed names are asked for, for people. Written by ingress. Full: lighter names give way. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_TCP_NAME_SETS);
	__type(key, __u32);
	__type(value, struct dg_tcp_name_set);
} dg_listed SEC(".maps");

/* Who asks over TCP, for people. Written by ingress. Full: lighter entries give way. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_TALKERS_TCP);
	__type(key, __u32);
	__type(value, struct dg_talker);
} dg_tcp_clients SEC(".maps");

/* Connections of each source. Written by tcpstate; userspace moves counts that a dump proves wrong, through shared memory.
 * A line that is full: the source is not counted, dg_tcp_now.shares_left_out is, and the source is not limited.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_SHARE_LINES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct dg_share_line);
} dg_tcp_shares SEC(".maps");

/* Sources some of whose connections were closed, and until when they are held to a lower allowance. Written by the daemon.
 * Full: the source is treated as any other.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DG_REAPED_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct dg_addr);
	__type(value, __u64);
} dg_reaped SEC(".maps");

/* Queries that wait for their answer. Written by ingress, cleared by egress. Full: the oldest of a bucket gives way. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DG_ASKED_BUCKETS);
	__uint(map_flags, BPF_F_MMAPABLE); /* each bucket on its own cache line; userspace counts */
	__type(key, __u32);
	__type(value, struct dg_asked_bucket);
} dg_asked SEC(".maps");

/* How long answers took. Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DG_LATENCY_KINDS);
	__type(key, __u32);
	__type(value, struct dg_latency);
} dg_latency SEC(".maps");

/* What the limiter found on a rung: the cell's place in its line, what it must hold, what it held. */
struct dg_rung {
	__u64 id;
	__u64 seen;
	__u32 way;
};

/* What one walk needs to remember beyond its stack. Nothing in it outlives the packet. Not pinned.
 * Values kept here, not in registers, also keep the verifier from telling apart what need not be.
 */
struct dg_scratch {
	struct facts facts;
	struct question q;
	struct reply reply;
	struct segment segment;
	struct dg_hash label[DG_LABELS_MAX +
			     1]; /* of the question's labels in wire order; then of its suffixes */
	__u8 maybe[DG_LABELS_MAX + 1]; /* depths where a filter says that something may be listed */
	__u32 maybes;
	__u32 own_entries; /* as the settings have it; one value for the whole walk */
	__u64 image;	   /* likewise: DG_IMAGE_AT() */
	__u8 label_at[DG_LABELS_MAX + 1]; /* their offsets in QNAME */
	__u32 own_depth;    /* labels of the deepest live block entry of the operator, 0 = none */
	__u32 allow_depth;  /* labels of an operator's allow entry, 0 = none */
	__u32 list_depth;   /* labels of the deepest match in the image, 0 = none */
	__u32 image_answer; /* its answer, an element of the image */
	struct dg_rung rung[DG_RUNGS_MAX];
	__u64 cookie[3];	 /* client cookie, server cookie */
	__u64 answers_paid;	 /* of the budget, not yet given; stays from packet to packet */
	struct dg_answer answer; /* what the question gets */
	__u8 front[512]; /* a frame's headers and question while they move: see reply_grow() */
	__u8 tail[192];	 /* the answer's records after the question */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dg_scratch);
} dg_scratch SEC(".maps");

#endif
