/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow.bpf.h - the table of TCP flows to guarded services: a fixed number of cells that never grows.
 *
 * Kept for statistics alone: nothing here may decide about a frame. Knows addresses, ports and times, not frames, so that any
 * program can use it. Ingress takes cells (flow_take), others find them (flow_find) and may clear what struct dg_flow says.
 *
 * A newcomer takes a free cell of its bucket, else one that carries nothing worth keeping, the longest silent of them: one
 * without a query, one with a single query that nobody answered and whose beginning nobody saw, one whose client has sent its
 * FIN, one that was silent for a minute. So SYNs, which anybody can send in any number, push out SYNs; connections in use
 * stay. Where all three are in use the newcomer has no cell, and its queries are counted as they come.
 */
#ifndef DG_FLOW_BPF_H
#define DG_FLOW_BPF_H

#include <stdbool.h>

#include "bpf/maps.bpf.h"

#define DG_FLOW_SEEN_MASK ((1u << DG_FLOW_SEEN_BITS) - 1)

/* The 4-tuple under the settings' limit_key. */
static __always_inline __u64 flow_hash(const __u64 key[2], struct dg_addr client,
				       struct dg_addr service, __be16 client_port,
				       __be16 service_port)
{
	const __u64 from[2] = { client.hi, client.lo }, to[2] = { service.hi, service.lo };

	return dg_hash_flow(from, to, (__u32)client_port << 16 | service_port, key);
}

/* A time for syn_at and query_at; never 0. */
static __always_inline __u32 flow_stamp(__u64 now_ns)
{
	__u32 stamp = now_ns >> DG_FLOW_TIME_SHIFT;

	return stamp ? stamp : 1;
}

/* From a stamp until now, to 4 us; right for less than 4.9 hours. */
static __always_inline __u64 flow_elapsed_ns(__u32 stamp, __u64 now_ns)
{
	return (__u64)(__u32)((__u32)(now_ns >> DG_FLOW_TIME_SHIFT) - stamp) << DG_FLOW_TIME_SHIFT;
}

/* The flow's mark if it were seen now; the id is never 0. */
static __always_inline __u32 flow_mark(__u64 hash, __u64 now_ns)
{
	return dg_hash_flow_id(hash) << DG_FLOW_SEEN_BITS |
	       (__u32)(now_ns >> DG_FLOW_SEEN_SHIFT & DG_FLOW_SEEN_MASK);
}

static __always_inline struct dg_flow_bucket *flow_bucket(__u64 hash)
{
	__u32 at = hash & (DG_FLOW_BUCKETS - 1);

	return bpf_map_lookup_elem(&dg_flows, &at);
}

/* What is kept of one flow. */
struct flow_cell {
	struct dg_flow *flow;
	__u8 *answers;
};

/* The cell of this flow_hash(), NULLs = none. now_ns is of no importance. */
static __always_inline struct flow_cell flow_cell(__u64 hash)
{
	struct dg_flow_bucket *bucket = flow_bucket(hash);
	__u32 mark = flow_mark(hash, 0);

	if (!bucket)
		return (struct flow_cell){};
#pragma unroll
	for (__u32 way = 0; way < DG_FLOW_WAYS; way++)
		if ((bucket->flow[way].mark ^ mark) <= DG_FLOW_SEEN_MASK)
			return (struct flow_cell){ &bucket->flow[way], &bucket->answers[way] };
	return (struct flow_cell){};
}

static __always_inline struct dg_flow *flow_find(__u64 hash)
{
	return flow_cell(hash).flow;
}

/* Flags are set on both sides at once: atomically, with what stands beside them in the same word. */
static __always_inline void flow_flag(struct dg_flow *flow, enum dg_flow_flags flag)
{
	__u32 *word = (__u32 *)&flow->alone;

	_Static_assert(__builtin_offsetof(struct dg_flow, flags) ==
			       __builtin_offsetof(struct dg_flow, alone) + 3,
		       "the last octet of the word");
	__sync_fetch_and_or(word, bpf_htonl(flag));
}

/* In units of DG_FLOW_SEEN_SHIFT. */
static __always_inline __u32 flow_silence(const struct dg_flow *flow, __u32 mark)
{
	return (mark - flow->mark) & DG_FLOW_SEEN_MASK;
}

/* How readily a cell gives way, 0 = not at all. */
static __always_inline __u32 flow_yields(const struct dg_flow *flow, __u32 mark)
{
	__u32 silence = flow_silence(flow, mark);
	bool vouched = flow->flags || flow->queries > 1;
	bool closing = flow->flags & DG_FLOW_CLOSING;

	if (!flow->mark)
		return 2 + DG_FLOW_SEEN_MASK;
	if (flow->queries && vouched && !closing && silence < DG_FLOW_IDLE)
		return 0;
	return 1 + silence;
}

/*
 * A cell for a flow that has none, empty but for its mark; NULL when none gives way. Two CPUs that take the same one
 * at once leave a mixture, which the next segments put right.
 */
static __always_inline struct dg_flow *flow_take(__u64 hash, __u64 now_ns)
{
	struct dg_flow_bucket *bucket = flow_bucket(hash);
	__u32 mark = flow_mark(hash, now_ns), most = 0, yields;
	struct dg_flow *taken = NULL;
	__u8 *answers = NULL;

	if (!bucket)
		return NULL;
#pragma unroll
	for (__u32 way = 0; way < DG_FLOW_WAYS; way++) {
		yields = flow_yields(&bucket->flow[way], mark) << 2;
		/* of equally old ones any */
		yields |= yields ? (way + (hash >> 30)) & 3 : 0;
		if (yields > most) {
			most = yields;
			taken = &bucket->flow[way];
			answers = &bucket->answers[way];
		}
	}
	if (!taken || !answers)
		return NULL;
	*taken = (struct dg_flow){ .mark = mark };
	*answers = 0;
	return taken;
}

#endif
