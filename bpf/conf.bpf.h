/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf.bpf.h - what is fixed when an instance is loaded, what may change while it runs, and what time it is.
 */
#ifndef DG_CONF_BPF_H
#define DG_CONF_BPF_H

#include <stdbool.h>

#include "bpf/maps.bpf.h"

/* Index of the guarded device in dg_ifaces and dg_stats. Set by the loader before load. */
const volatile __u32 dg_slot = 0;
/* Loaded as xdp.frags: the frame may continue beyond data_end. Set by the loader before load. */
const volatile bool dg_frags = false;

static __always_inline struct dg_settings *conf_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&dg_settings, &zero);
}

/*
 * CLOCK_MONOTONIC to the last jiffy. bpf_jiffies64() is inlined by the verifier to one load; a coarse clock
 * read costs 20 ns here, a full one 33. A jiffy is 1 to 10 ms: fine enough for rates and deadlines.
 */
static __always_inline __u64 conf_now_ns(const struct dg_settings *set)
{
	return set->jiffy_zero_ns + bpf_jiffies64() * set->jiffy_ns;
}

#endif
