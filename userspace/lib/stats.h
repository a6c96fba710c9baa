/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats.h - one snapshot of everything that is counted, summed over CPUs.
 *
 * `status`, `top` and /metrics all render this one struct; it costs the same at 10 names and at 10 million.
 */
#ifndef DG_STATS_H
#define DG_STATS_H

#include "userspace/lib/maps.h"

struct dg_snapshot {
	struct dg_settings settings;
	__u64 now_ns;
	__u32 ifaces;
	struct dg_iface iface[DG_IF_MAX]; /* those in use, slot[i] is its slot */
	__u32 slot[DG_IF_MAX];
	struct dg_stats per_iface[DG_IF_MAX]; /* same order as iface[] */
	struct dg_stats total;		      /* over the devices, detached ones included */
	struct dg_list_stats list[DG_LISTS_MAX + 1];
	struct dg_tcp_stats tcp;      /* segments, and connections by their queries */
	struct dg_image_header image; /* all 0 = no image */
	struct dg_answer image_list[DG_LISTS_MAX + 1];
	__u64 image_bytes;
	__u64 own_entries;
	__u64 limiter_bytes;
	__u32 limited_sources; /* prefixes refused in the last 10 s, as far as remembered */
};

/* Large (about 60 KiB): allocate it. */
int dg_snapshot_read(const struct dg_maps *maps, struct dg_snapshot *ret);

/* Names of all lists in the image, as their rows say it: the image has more entries where a name is an exception. */
__u64 dg_snapshot_listed(const struct dg_snapshot *snapshot);

/* Is anything carried out on the snapshot's device number `at`: not observed, not paused, some protection enforcing? */
int dg_snapshot_enforces(const struct dg_snapshot *snapshot, __u32 at);

/* One verdict's row of the table in abi.h. */
const char *dg_verdict_label(enum dg_verdict verdict);
const char *dg_verdict_help(enum dg_verdict verdict);
enum dg_action dg_verdict_action(enum dg_verdict verdict);

/* Talkers of a table (dg_limited or dg_syn_talkers) noted since `since_ns`, heaviest first. Returns how many of `max`. */
int dg_talkers_read(int map_fd, __u64 since_ns, struct dg_talker *ret, __u32 max);

/* Entries in use and the kernel memory (memlock of fdinfo) of one map. */
struct dg_map_usage {
	const char *name;
	__u64 entries, max_entries, bytes;
};
#define DG_MAP_ONE(name) +1
enum { DG_MAP_USAGES = 0 DG_MAPS(DG_MAP_ONE) };
int dg_map_usage_read(const struct dg_maps *maps, struct dg_map_usage ret[DG_MAP_USAGES]);

#endif
