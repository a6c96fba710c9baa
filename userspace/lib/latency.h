/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * latency.h - how long answers took, summed over CPUs: since the maps were made, and in the last minute.
 *
 * Reads only. Of UDP queries one in so many is timed (dg_settings.asked_below), of TCP every one that the flow table keeps.
 */
#ifndef DG_LATENCY_VIEW_H
#define DG_LATENCY_VIEW_H

#include "bpf/latency.h"
#include "userspace/lib/maps.h"

struct dg_latency_view {
	__u64 asked;	  /* UDP: queries that were timed */
	__u64 displaced;  /* UDP: of those, forgotten for newer ones */
	__u64 unanswered; /* UDP: of those, had no answer for 34 s */
	__u64 answers;
	__u64 sum_ns;
	__u64 bucket[DG_LATENCY_BUCKETS];
	__u64 recent_answers; /* in the last 51 to 69 s */
	__u64 recent[DG_LATENCY_BUCKETS];
};

/* All kinds. now_ns is CLOCK_MONOTONIC. 0 or -errno. */
int dg_latency_read(const struct dg_maps *maps, __u64 now_ns,
		    struct dg_latency_view ret[DG_LATENCY_KINDS]);

/* The time within which a share (0 .. 1) of the answers came, in seconds; -1 = there were none. */
double dg_latency_quantile(const __u64 bucket[DG_LATENCY_BUCKETS], double share);

/* One in how many UDP queries is timed, 0 = none. */
__u32 dg_latency_sample(const struct dg_settings *settings);

#endif
