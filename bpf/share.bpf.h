/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share.bpf.h - the table of connections by source (abi.h, struct dg_share_line): where a source is counted, and how many it
 * has. tcpstate counts, the packet's walk reads.
 */
#ifndef DG_SHARE_BPF_H
#define DG_SHARE_BPF_H

#include "bpf/maps.bpf.h"

#define DG_SHARE_COUNT_MASK ((1ull << DG_SHARE_COUNT_BITS) - 1)

static __always_inline struct dg_share_line *share_line(struct dg_addr addr, __u32 rung,
							__u64 *ret_id)
{
	__u32 zero = 0, at;
	const struct dg_settings *set = bpf_map_lookup_elem(&dg_settings, &zero);
	__u64 hash;

	if (!set)
		return NULL;
	hash = dg_hash_share(addr.hi, addr.lo, rung, set->limit_key);
	*ret_id = hash & ~DG_SHARE_COUNT_MASK;
	at = hash & (DG_SHARE_LINES - 1);
	return bpf_map_lookup_elem(&dg_tcp_shares, &at);
}

/* How many the source's prefix on this rung holds. Without a branch for each way: to the verifier eight would be a tree. */
static __always_inline __u64 share_count(struct dg_addr addr, __u32 rung)
{
	__u64 id, count = 0, cell, is_other;
	const struct dg_share_line *line = share_line(addr, rung, &id);

	if (!line)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < DG_SHARE_WAYS; i++) {
		cell = line->cell[i];
		is_other = (cell ^ id) >> DG_SHARE_COUNT_BITS;
		count += cell & DG_SHARE_COUNT_MASK & -((is_other - 1) >> 63);
	}
	return count;
}

#endif
