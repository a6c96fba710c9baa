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

/* One charge on its way up the ladder. Kind and family are constants where the rungs are unrolled. */
struct limit_run {
	const struct packet *pkt;
	struct dg_scratch *scratch; /* rung[] holds what each rung found */
	const struct dg_rate *rate;
	__u64 now;   /* in ticks */
	__u32 shift; /* a unit costs 2^shift times as much: TCP pressure; 0 for queries */
	enum dg_charge kind;
	enum dg_family family;
};

#define DG_LIMIT_NO_LINE (~0ull)

/*
 * Ticks ahead of now. More than the ceiling and the slack cannot be: that is a cell that lay idle since long ago. What lies
 * between is refused by its caller, being above the ceiling.
 */
static __always_inline __u64 limit_load(__u64 cell, __u64 now, __u64 ceiling)
{
	__u64 ahead = (cell - now) & DG_TAT_MASK;

	return ahead > ceiling + DG_LIMIT_SLACK ? 0 : ahead;
}

/*
 * What one unit costs on a rung; never more than the whole burst, or nobody could pay it. Pressure is on the narrowest alone:
 * on a wide one those who are refused again and again would use up what their honest neighbours need.
 */
static __always_inline __u64 limit_cost(const struct limit_run *run, __u32 rung)
{
	__u64 cost = run->rate->cost[rung];

	if (rung || !run->shift)
		return cost;
	cost <<= run->shift;
	return cost > run->rate->ceiling ? run->rate->ceiling : cost;
}

/* The sender's key on a rung, hashed. Masks are for addresses as little-endian words of network bytes. */
static __always_inline __u64 limit_hash(const struct limit_run *run, __u32 rung)
{
	const struct dg_addr *addr = &run->pkt->f->saddr;
	const __u64 *key = run->pkt->set->limit_key;
	const __u32 masks_v4[DG_RUNGS_IPV4] = { ~0u, 0x00ffffff, 0x00f0ffff, 0x00c0ffff };
	const __u64 masks_v6[DG_RUNGS_IPV6] = { ~0ull, ~0ull, ~0ull >> 8, ~0ull >> 16,
						~0ull >> 32 };
	__u64 salt = run->kind | rung << 1;

	if (run->family == DG_IPV4)
		return dg_mix64(((addr->lo >> 32) & masks_v4[rung]) ^ key[0] ^ salt << 32);
	if (rung == 0)
		return dg_hash_addr(addr->hi, addr->lo ^ salt, key);
	return dg_mix64((addr->hi & masks_v6[rung]) ^ key[1] ^ dg_rotl64(salt, 60));
}

/* The way of `line` that is id's, or else the least loaded one. */
static __always_inline __u32 limit_way(const struct dg_limit_line *line, __u64 id, __u64 now,
				       __u64 ceiling)
{
	__u64 least = ~0ull;
	__u32 way = 0;

#pragma unroll
	for (__u32 i = 0; i < DG_CELLS_PER_LINE; i++)
		if ((line->cell[i] ^ id) >> DG_TAT_BITS == 0)
			return i;
#pragma unroll
	for (__u32 i = 0; i < DG_CELLS_PER_LINE; i++) {
		__u64 load = limit_load(line->cell[i], now, ceiling);

		if (load < least) {
			least = load;
			way = i;
		}
		if (!load)
			break;
	}
	return way;
}

/* Finds the rung's cell. Ticks it is ahead of now (0 where the rung costs nothing), or DG_LIMIT_NO_LINE. */
static __always_inline __u64 limit_find(struct limit_run *run, __u32 rung,
					struct dg_limit_line **ret_line)
{
	struct dg_rung *found = &run->scratch->rung[rung];
	__u64 hash = limit_hash(run, rung);
	__u32 at = (hash >> DG_CELL_ID_BITS) & run->pkt->set->limit_line_mask;
	struct dg_limit_line *line = bpf_map_lookup_elem(&dg_limiter, &at);

	if (!line)
		return DG_LIMIT_NO_LINE;
	*ret_line = line;
	found->id = hash << DG_TAT_BITS;
	found->way = limit_way(line, found->id, run->now, run->rate->ceiling);
	found->seen = *(volatile __u64 *)&line->cell[found->way & (DG_CELLS_PER_LINE - 1)];
	return run->rate->cost[rung] ? limit_load(found->seen, run->now, run->rate->ceiling) : 0;
}

/*
 * Moves the rung's TAT on. Another CPU may have moved it meanwhile: the load is judged again each time, so many
 * CPUs together admit no more than one would. False = over the ceiling now.
 */
static __always_inline bool limit_commit(const struct limit_run *run, __u32 rung,
					 struct dg_limit_line *line)
{
	const struct dg_rung *found = &run->scratch->rung[rung];
	__u64 *cell = &line->cell[found->way & (DG_CELLS_PER_LINE - 1)];
	__u64 seen = found->seen, cost = limit_cost(run, rung);

	if (!cost)
		return true;
	for (__u32 try = 0; try < DG_LIMIT_TRIES; try++) {
		__u64 load = limit_load(seen, run->now, run->rate->ceiling), held;

		if (load + cost > run->rate->ceiling)
			return false;
		held = __sync_val_compare_and_swap(
			cell, seen, found->id | ((run->now + load + cost) & DG_TAT_MASK));
		if (held == seen)
			return true;
		seen = held;
	}
	return true;
}

/* Charges one unit on every rung, or on none when one refuses. Returns the refusing rung + 1, or 0. */
static __always_inline __u32 limit_rungs(struct limit_run *run, const __u32 rungs)
{
	struct dg_limit_line *line[DG_RUNGS_MAX];
	__u64 load;

#pragma unroll
	for (__u32 rung = 0; rung < rungs; rung++) {
		load = limit_find(run, rung, &line[rung]);
		if (load == DG_LIMIT_NO_LINE)
			return 0;
		if (load + limit_cost(run, rung) > run->rate->ceiling)
			return rung + 1;
	}
	if (run->pkt->f->dry)
		return 0;
#pragma unroll
	for (__u32 rung = 0; rung < rungs; rung++)
		if (!limit_commit(run, rung, line[rung]))
			return rung + 1;
	return 0;
}

static __always_inline __u32 limit_ladder(const struct packet *pkt, struct dg_scratch *scratch,
					  enum dg_charge kind, enum dg_family family, __u32 rungs)
{
	struct limit_run run = { .pkt = pkt,
				 .scratch = scratch,
				 .rate = &pkt->set->rate[kind][family],
				 .now = pkt->f->now_ns >> DG_TICK_SHIFT,
				 .shift = kind == DG_CHARGE_SYN ? pkt->f->syn_shift : 0,
				 .kind = kind,
				 .family = family };

	return run.rate->cost[0] ? limit_rungs(&run, rungs) : 0;
}

static __always_inline __u32 limit_refusing_rung(const struct packet *pkt,
						 struct dg_scratch *scratch, enum dg_charge kind)
{
	if (pkt->f->source_flags & DG_SRC_NO_LIMIT)
		return 0;
	if (pkt->f->family == DG_IPV4)
		return limit_ladder(pkt, scratch, kind, DG_IPV4, DG_RUNGS_IPV4);
	return limit_ladder(pkt, scratch, kind, DG_IPV6, DG_RUNGS_IPV6);
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

/*
 * One SYN, on its own ladder: same table, other keys. TCP protection brings this limit with it where it has no mode of its
 * own, and tightens it with the pressure; but where the protection only observes it does not tighten what is enforced.
 */
static __always_inline enum dg_verdict limit_charge_syn(struct packet *pkt,
							struct dg_scratch *scratch)
{
	__u8 protect = pkt->set->protect.mode, mode = pkt->set->syn_mode ?: protect;

	if (!pkt->f->syn_kind || mode == DG_OFF)
		return DG_NEXT;
	pkt->f->syn_shift = protect >= mode ? packet_pressure(pkt) : 0;
	pkt->f->limited_rung = limit_refusing_rung(pkt, scratch, DG_CHARGE_SYN);
	if (!pkt->f->limited_rung)
		return DG_NEXT;
	return packet_decide(pkt, mode, DG_DROP_SYN_LIMITED, DG_PASS_OBSERVED_SYN);
}

#endif
