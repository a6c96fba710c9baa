/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * asked.bpf.h - how long answers take: ingress notes when a query went to the resolver, egress when its answer left.
 *
 * Statistics, of one query in so many, for a look at the clock costs a third of a walk: both sides work out from the same
 * fields whether this is one of them. A query that is repeated keeps its first time, which is what its client waits from.
 */
#ifndef DG_ASKED_BPF_H
#define DG_ASKED_BPF_H

#include "bpf/latency.h"
#include "bpf/packet.bpf.h"

#define ASKED_TIME_MASK ((1ull << DG_ASKED_TIME_BITS) - 1)
#define ASKED_WINDOW (DG_ASKED_WINDOW_NS >> DG_ASKED_TIME_SHIFT)
#define NS_PER_US 1000

/* A query as its client knows it. */
struct asked {
	struct dg_addr client, service;
	__be16 client_port, service_port, id;
};

static __always_inline bool asked_is_sampled(const struct dg_settings *set, __be16 client_port,
					     __be16 id)
{
	return dg_latency_number(client_port, id, set->limit_key[1]) < set->asked_below;
}

static __always_inline __u64 asked_hash(const struct dg_settings *set, const struct asked *asked)
{
	__u64 hash = dg_hash_addr(asked->client.hi, asked->client.lo, set->limit_key);

	hash = dg_hash_addr(asked->service.hi ^ hash, asked->service.lo, set->limit_key);
	return dg_mix64(hash ^ ((__u64)asked->id << 32 | (__u32)asked->client_port << 16 |
				asked->service_port));
}

/* Age of a cell in its own units; a free one is older than any. */
static __always_inline __u64 asked_age(__u64 cell, __u64 now)
{
	return cell ? (now - cell) & ASKED_TIME_MASK : ASKED_TIME_MASK + 1;
}

static __always_inline __u64 asked_units(__u64 now_ns)
{
	return now_ns >> DG_ASKED_TIME_SHIFT & ASKED_TIME_MASK;
}

static __always_inline struct dg_asked_bucket *asked_bucket(__u64 hash)
{
	__u32 at = hash & (DG_ASKED_BUCKETS - 1);

	return bpf_map_lookup_elem(&dg_asked, &at);
}

/* Remembers a query, in the place of the oldest of its bucket. */
static __always_inline void asked_remember(__u64 hash)
{
	struct dg_asked_bucket *bucket = asked_bucket(hash);
	__u64 now = asked_units(bpf_ktime_get_ns()), mark = hash & ~ASKED_TIME_MASK;
	__u32 kind = DG_LATENCY_UDP, oldest = 0;
	struct dg_latency *row = bpf_map_lookup_elem(&dg_latency, &kind);
	__u64 age, greatest = 0;

	if (!bucket || !row)
		return;
	for (__u32 way = 0; way < DG_ASKED_WAYS; way++) {
		age = asked_age(bucket->cell[way], now);
		if ((bucket->cell[way] & ~ASKED_TIME_MASK) == mark && age < ASKED_WINDOW)
			return;
		if (age >= greatest) {
			greatest = age;
			oldest = way;
		}
	}
	*(volatile __u64 *)&bucket->cell[oldest & (DG_ASKED_WAYS - 1)] = mark | now;
	row->asked++;
	row->displaced += greatest < ASKED_WINDOW;
}

/*
 * Notes the query that is being walked. A global function, so that the verifier does not walk these branches after each way
 * through the packet; only queries that are timed pay for the call. It is given nothing and finds what it needs where
 * the walk left it.
 */
__noinline int asked_note(void)
{
	__u32 zero = 0;
	const struct dg_scratch *scratch = bpf_map_lookup_elem(&dg_scratch, &zero);
	const struct dg_settings *set = conf_settings();

	if (!scratch || !set)
		return 0;
	const struct facts *f = &scratch->facts;
	const struct asked asked = { f->saddr, f->daddr, f->sport, f->dport, f->dns_id };

	asked_remember(asked_hash(set, &asked));
	return 1;
}

/* Is this query timed: by a device whose answers are seen to leave, and its number is up? */
static __always_inline bool asked_is_due(const struct packet *pkt)
{
	const struct facts *f = pkt->f;

	return f->timed && f->is_query && !f->dry &&
	       asked_is_sampled(pkt->set, f->sport, f->dns_id);
}

/* ---- the other side ------------------------------------------------------------------------- */

/* Takes the query out. How long ago it was asked, in ns; 0 = nobody waits for this answer, or somebody was faster. */
static __always_inline __u64 asked_take(__u64 hash, __u64 now_ns)
{
	struct dg_asked_bucket *bucket = asked_bucket(hash);
	__u64 mark = hash & ~ASKED_TIME_MASK, cell, age;

	for (__u32 way = 0; bucket && way < DG_ASKED_WAYS; way++) {
		cell = *(volatile __u64 *)&bucket->cell[way];
		if ((cell & ~ASKED_TIME_MASK) != mark)
			continue;
		age = asked_age(cell, asked_units(now_ns));
		if (age >= ASKED_WINDOW ||
		    __sync_val_compare_and_swap(&bucket->cell[way], cell, 0) != cell)
			return 0;
		return (age ? age : 1) << DG_ASKED_TIME_SHIFT;
	}
	return 0;
}

/* The turn that now_ns falls into, emptied when it was another one's. */
static __always_inline struct dg_latency_turn *latency_turn(struct dg_latency *row, __u64 now_ns)
{
	__u64 number = now_ns >> DG_LATENCY_TURN_SHIFT;
	struct dg_latency_turn *turn = &row->recent[number & (DG_LATENCY_TURNS - 1)];

	if (turn->turn == number)
		return turn;
	for (__u32 i = 0; i < DG_LATENCY_BUCKETS; i++)
		*(volatile __u64 *)&turn->bucket[i] = 0; /* or clang calls a memset() */
	turn->turn = number;
	return turn;
}

static __always_inline void latency_note(enum dg_latency_kind which, __u64 took_ns, __u64 now_ns)
{
	__u32 kind = which, bucket = dg_latency_bucket(took_ns / NS_PER_US);
	struct dg_latency *row = bpf_map_lookup_elem(&dg_latency, &kind);

	if (!row || bucket >= DG_LATENCY_BUCKETS)
		return;
	row->sum_ns += took_ns;
	row->bucket[bucket]++;
	latency_turn(row, now_ns)->bucket[bucket]++;
}

#endif
