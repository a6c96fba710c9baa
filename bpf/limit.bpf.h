/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limit.bpf.h - the per-source rate limiter.
 *
 * Each sender is charged on several prefix lengths at once (the ladder in abi.h). A charge is GCRA, the virtual
 * scheduling form of the leaky bucket (ITU-T I.371): a cell holds the sender's theoretical arrival time (TAT);
 * a query moves it on by the rung's cost, and is refused when it would run more than the ceiling ahead of now.
 * Nothing has to decay: a TAT in the past is an empty cell. A refused query moves nothing (a ceiling, not a penalty).
 *
 * Cells lie eight to a cache line, one line a key: line and 20 bits of id come from a keyed hash. A key without
 * a cell takes over the least loaded of its line AND its load (Metwally's space saving), so insertion never fails
 * and a heavy sender pushed out comes back as heavy: a full table is strict with newcomers, never lenient
 * with floods. One-packet senders empty their cells within one cost interval and push out only each other.
 *
 * Memory: 8 bytes a tracked prefix, table size fixed at load. DESIGN.md has the arithmetic.
 */
#ifndef DG_LIMIT_BPF_H
#define DG_LIMIT_BPF_H

#include "bpf/packet.bpf.h"

#define DG_TAT_MASK ((1ull << DG_TAT_BITS) - 1)
/* CPUs read clocks a little apart: a full cell seen from a clock behind is full, not idle. 1 s in ticks. */
#define DG_LIMIT_SLACK (1000000000ull >> DG_TICK_SHIFT)
#define DG_LIMIT_TRIES 4 /* of a compare-and-swap against other CPUs; then the charge is forgone */

/* One rung's cell: found once, judged, then charged. */
struct limit_spot {
	struct dg_limit_line *line;
	__u64 id;   /* in place: id << DG_TAT_BITS */
	__u64 load; /* ticks the cell is ahead of now */
};

/*
 * Ticks ahead of now. More than the ceiling and the slack cannot be: that is a cell that lay idle since long ago. What lies
 * between is refused by its caller, being above the ceiling.
 */
static __always_inline __u64 limit_load(__u64 cell, __u64 now, __u64 ceiling)
{
	__u64 ahead = (cell - now) & DG_TAT_MASK;

	return ahead > ceiling + DG_LIMIT_SLACK ? 0 : ahead;
}

/* The sender's key on a rung, hashed. Masks are for addresses as little-endian words of network bytes. */
static __always_inline __u64 limit_hash(const struct packet *pkt, __u32 rung, __u64 salt)
{
	const __u64 *key = pkt->set->limit_key;
	const __u32 masks_v4[DG_RUNGS_IPV4] = { ~0u, 0x00ffffff, 0x00f0ffff, 0x00c0ffff };
	const __u64 masks_v6[DG_RUNGS_IPV6] = { ~0ull, ~0ull, ~0ull >> 8, ~0ull >> 16,
						~0ull >> 32 };

	salt |= rung << 1;
	if (pkt->f->family == DG_IPV4)
		return dg_mix64(((pkt->f->saddr.lo >> 32) & masks_v4[rung]) ^ key[0] ^ salt << 32);
	if (rung == 0)
		return dg_hash_addr(pkt->f->saddr.hi, pkt->f->saddr.lo ^ salt, key);
	return dg_mix64((pkt->f->saddr.hi & masks_v6[rung]) ^ key[1] ^ dg_rotl64(salt, 60));
}

/* The way of `line` that is id's, or else the least loaded one. */
static __always_inline __u32 limit_way(const struct limit_spot *spot, __u64 now, __u64 ceiling)
{
	__u64 least = ~0ull;
	__u32 way = 0;

#pragma unroll
	for (__u32 i = 0; i < DG_CELLS_PER_LINE; i++)
		if ((spot->line->cell[i] ^ spot->id) >> DG_TAT_BITS == 0)
			return i;
#pragma unroll
	for (__u32 i = 0; i < DG_CELLS_PER_LINE; i++) {
		__u64 load = limit_load(spot->line->cell[i], now, ceiling);

		if (load < least) {
			least = load;
			way = i;
		}
		if (!load)
			break;
	}
	return way;
}

/* Finds the rung's cell. False = the line is missing. */
static __always_inline bool limit_find(const struct packet *pkt, struct dg_scratch *scratch,
				       __u32 rung, enum dg_charge kind, struct limit_spot *spot)
{
	const struct dg_rate *rate = &pkt->set->rate[kind][pkt->f->family & 1];
	__u64 now = pkt->f->now_ns >> DG_TICK_SHIFT;
	__u64 hash = limit_hash(pkt, rung, kind);
	__u32 at = (hash >> DG_CELL_ID_BITS) & pkt->set->limit_line_mask;

	spot->id = hash << DG_TAT_BITS;
	spot->line = bpf_map_lookup_elem(&dg_limiter, &at);
	if (!spot->line)
		return false;
	scratch->way[rung] = limit_way(spot, now, rate->ceiling);
	spot->load = limit_load(spot->line->cell[scratch->way[rung] & (DG_CELLS_PER_LINE - 1)], now,
				rate->ceiling);
	return true;
}

/*
 * Moves the rung's TAT on. Another CPU may have moved it meanwhile: the load is judged again each time, so many
 * CPUs together admit no more than one would. False = over the ceiling now.
 */
static __always_inline bool limit_commit(const struct packet *pkt, struct dg_scratch *scratch,
					 __u32 rung, enum dg_charge kind, struct limit_spot *spot)
{
	const struct dg_rate *rate = &pkt->set->rate[kind][pkt->f->family & 1];
	__u64 now = pkt->f->now_ns >> DG_TICK_SHIFT;
	__u64 *cell = &spot->line->cell[scratch->way[rung] & (DG_CELLS_PER_LINE - 1)];

	for (__u32 try = 0; try < DG_LIMIT_TRIES; try++) {
		__u64 seen = *(volatile __u64 *)cell;
		__u64 load = limit_load(seen, now, rate->ceiling);
		__u64 tat = (now + load + rate->cost[rung]) & DG_TAT_MASK;

		if (load + rate->cost[rung] > rate->ceiling)
			return false;
		if (__sync_val_compare_and_swap(cell, seen, spot->id | tat) == seen)
			return true;
	}
	return true;
}

/* Charges one unit on every rung, or on none when one refuses. Returns the refusing rung + 1, or 0. */
static __always_inline __u32 limit_rungs(const struct packet *pkt, struct dg_scratch *scratch,
					 enum dg_charge kind, const __u32 rungs)
{
	const struct dg_rate *rate = &pkt->set->rate[kind][pkt->f->family & 1];
	struct limit_spot spot[DG_RUNGS_MAX];

#pragma unroll
	for (__u32 rung = 0; rung < rungs; rung++) {
		if (!limit_find(pkt, scratch, rung, kind, &spot[rung]))
			return 0;
		if (spot[rung].load + rate->cost[rung] > rate->ceiling)
			return rung + 1;
	}
	if (pkt->f->dry)
		return 0;
#pragma unroll
	for (__u32 rung = 0; rung < rungs; rung++)
		if (!limit_commit(pkt, scratch, rung, kind, &spot[rung]))
			return rung + 1;
	return 0;
}

static __always_inline __u32 limit_refusing_rung(const struct packet *pkt,
						 struct dg_scratch *scratch, enum dg_charge kind)
{
	if (pkt->f->source_flags & DG_SRC_NO_LIMIT ||
	    !pkt->set->rate[kind][pkt->f->family & 1].cost[0])
		return 0;
	if (pkt->f->family == DG_IPV4)
		return limit_rungs(pkt, scratch, kind, DG_RUNGS_IPV4);
	return limit_rungs(pkt, scratch, kind, DG_RUNGS_IPV6);
}

/* One query. DG_DROP_LIMITED = refused; whether it slips is the walk's next question. */
static __always_inline enum dg_verdict limit_charge(struct packet *pkt, struct dg_scratch *scratch)
{
	enum dg_verdict verdict;

	if (pkt->set->limit_mode == DG_OFF)
		return DG_NEXT;
	pkt->f->limited_rung = limit_refusing_rung(pkt, scratch, DG_CHARGE_QUERY);
	pkt->f->limit_action = DG_LIMIT_PASSED + 1;
	if (!pkt->f->limited_rung)
		return DG_NEXT;
	verdict =
		packet_decide(pkt, pkt->set->limit_mode, DG_DROP_LIMITED, DG_PASS_OBSERVED_LIMITED);
	pkt->f->limit_action = (verdict ? DG_LIMIT_DROPPED : DG_LIMIT_OBSERVED) + 1;
	return verdict;
}

/* One SYN, on its own ladder: same table, other keys. */
static __always_inline enum dg_verdict limit_charge_syn(struct packet *pkt,
							struct dg_scratch *scratch)
{
	if (!pkt->f->syn_kind || pkt->set->syn_mode == DG_OFF)
		return DG_NEXT;
	pkt->f->limited_rung = limit_refusing_rung(pkt, scratch, DG_CHARGE_SYN);
	if (!pkt->f->limited_rung)
		return DG_NEXT;
	return packet_decide(pkt, pkt->set->syn_mode, DG_DROP_SYN_LIMITED, DG_PASS_OBSERVED_SYN);
}

#endif
