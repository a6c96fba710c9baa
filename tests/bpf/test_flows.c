// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_flows.c - what the tables of TCP flows and of names asked over TCP keep when more comes than they hold; speaks TAP.
 *
 * Connections that are in use among SYNs in any number, more connections than cells, heavy names among light ones, and what
 * is written for whoever times answers. Shown to the real program under an injected clock.
 */
#include "tests/bpf/frames.h"

#define FLOOD 100000 /* SYNs: twice the cells */
#define USED 200     /* connections */
#define CELLS (DG_FLOW_BUCKETS * DG_FLOW_WAYS)
#define CROWD (CELLS + CELLS / 4)
#define NAMES 20000
#define HEAVY_EVERY 50

/* ---- frames --------------------------------------------------------------------------------- */

static void show(const struct guard *guard, struct guard_run *run, __u64 now_ns)
{
	must(guard_show(guard, run, now_ns, 0), "test run");
	must(run->probe.verdict == DG_PASS_TCP ? 0 : -EPROTO, "verdict");
}

static void syn(const struct guard *guard, __u32 source, __u64 now_ns)
{
	struct guard_run run;

	frame_segment(&run, source, 0, FRAME_SYN, 0);
	show(guard, &run, now_ns);
}

#define QUERY_BYTES (2 + 12 + 10 + 4)

/* Query number `turn` of a connection, for eight letters made of `name`. */
static void query(const struct guard *guard, __u32 source, __u32 turn, __u32 name, __u64 now_ns)
{
	static const __u8 message[QUERY_BYTES] = { 0, QUERY_BYTES - 2, 0,	 1,	  1, 0, 0,
						   1, [14] = 8,	       [25] = 1, [27] = 1 };
	struct guard_run run;

	frame_segment(&run, source, 1 + turn * QUERY_BYTES, FRAME_ACK, QUERY_BYTES);
	memcpy(run.frame + FRAME_DATA, message, sizeof(message));
	for (int i = 0; i < 8; i++)
		run.frame[FRAME_DATA + 15 + i] = (__u8)('a' + (name >> 4 * i & 15));
	show(guard, &run, now_ns);
}

/* ---- state ---------------------------------------------------------------------------------- */

static struct guard_counts base;

static void begin(struct guard *guard)
{
	guard_begin(guard);
	must(guard_read(guard, &base), "counters");
}

/* Since begin(). */
static struct guard_counts counted(const struct guard *guard)
{
	struct guard_counts counts;

	must(guard_read(guard, &counts), "counters");
	for (size_t i = 0; i < sizeof(counts) / sizeof(__u64); i++)
		((__u64 *)&counts)[i] -= ((const __u64 *)&base)[i];
	return counts;
}

/* ---- flows ---------------------------------------------------------------------------------- */

static void queries_of_used(const struct guard *guard, __u32 turn, __u64 now_ns)
{
	for (__u32 i = 0; i < USED; i++)
		query(guard, 0x0a000000 + i, turn, i, now_ns);
}

static void syn_flood(struct guard *guard)
{
	struct guard_counts counts;

	begin(guard);
	for (__u32 i = 0; i < USED; i++)
		syn(guard, 0x0a000000 + i, FRAME_START);
	queries_of_used(guard, 0, FRAME_START);
	for (__u32 i = 0; i < FLOOD; i++)
		syn(guard, 0x40000000 + i, FRAME_START + GUARD_SECOND);
	queries_of_used(guard, 1, FRAME_START + 30 * GUARD_SECOND);
	queries_of_used(guard, 0, FRAME_START + 30 * GUARD_SECOND);
	counts = counted(guard);
	ok(counts.tcp.reached[0] == USED && counts.tcp.reached[1] == USED,
	   "%u SYNs do not push out %u connections that asked: %llu asked twice", FLOOD, USED,
	   counts.tcp.reached[1]);
	ok(counts.tcp.found == 0 && counts.tcp.gaps == 0 && counts.tcp.inside == USED,
	   "and what comes again is known as such: %llu", counts.tcp.inside);
	ok(counts.stats.queries[DG_IPV4][DG_TCP] == 2 * USED, "%llu queries",
	   counts.stats.queries[DG_IPV4][DG_TCP]);
}

static void crowd_call(const struct guard *guard, __u32 first, __u64 now_ns)
{
	for (__u32 i = 0; i < CROWD; i++) {
		syn(guard, first + i, now_ns);
		query(guard, first + i, 0, i, now_ns);
	}
}

static void crowd(struct guard *guard)
{
	struct guard_counts counts;
	__u64 homeless, kept;

	begin(guard);
	crowd_call(guard, 0x40000000, FRAME_START);
	counts = counted(guard);
	homeless = counts.tcp.homeless;
	kept = counts.tcp.reached[0];
	ok(counts.stats.queries[DG_IPV4][DG_TCP] == CROWD,
	   "of %u connections for %u cells every query is counted", CROWD, CELLS);
	ok(homeless > 0 && kept + homeless == CROWD && kept > CELLS * 8 / 10,
	   "%llu of them have a cell, %llu found none", kept, homeless);
	crowd_call(guard, 0x60000000, FRAME_START + 70 * GUARD_SECOND);
	counts = counted(guard);
	ok(counts.tcp.reached[0] - kept > CELLS * 8 / 10,
	   "after a minute of silence others have the cells: %llu", counts.tcp.reached[0] - kept);
}

/* ---- times ---------------------------------------------------------------------------------- */

static struct dg_flow *flow_of(struct dg_flow_bucket *buckets)
{
	for (__u32 i = 0; i < DG_FLOW_BUCKETS; i++)
		for (__u32 way = 0; way < DG_FLOW_WAYS; way++)
			if (buckets[i].flow[way].mark)
				return &buckets[i].flow[way];
	must(-ENOENT, "a flow");
	return NULL;
}

/* Of the same flow. */
static __u8 *answers_of(struct dg_flow_bucket *buckets)
{
	struct dg_flow *flow = flow_of(buckets);
	struct dg_flow_bucket *bucket =
		&buckets[((char *)flow - (char *)buckets) / sizeof(*bucket)];

	return &bucket->answers[flow - bucket->flow];
}

static __u32 stamp(__u64 now_ns)
{
	return (__u32)(now_ns >> DG_FLOW_TIME_SHIFT);
}

/* What the program that times answers finds, and what it may do. */
static void times(struct guard *guard)
{
	const size_t bytes = DG_FLOW_BUCKETS * sizeof(struct dg_flow_bucket);
	struct dg_flow_bucket *buckets =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, guard->maps.dg_flows, 0);
	struct dg_flow *flow;
	__u8 *answers;

	must(buckets == MAP_FAILED ? -errno : 0, "map the flows");
	begin(guard);
	syn(guard, 0x0a000001, FRAME_START);
	flow = flow_of(buckets);
	ok(flow->syn_at == stamp(FRAME_START) && !flow->query_at && flow->flags == DG_FLOW_SYN,
	   "a SYN leaves its time");
	syn(guard, 0x0a000001, FRAME_START + GUARD_SECOND);
	ok(flow->syn_at == stamp(FRAME_START), "the first one's when it comes again");
	query(guard, 0x0a000001, 0, 1, FRAME_START + 2 * GUARD_SECOND);
	query(guard, 0x0a000001, 1, 1, FRAME_START + 3 * GUARD_SECOND);
	ok(flow->query_at == stamp(FRAME_START + 2 * GUARD_SECOND) && flow->queries == 2,
	   "of two queries the older one's time is kept");
	ok(flow->flags == DG_FLOW_SYN, "all of it was read");
	flow->syn_at = flow->query_at = 0;
	flow->flags |= DG_FLOW_ANSWERED;
	query(guard, 0x0a000001, 2, 1, FRAME_START + 4 * GUARD_SECOND);
	ok(flow->query_at == stamp(FRAME_START + 4 * GUARD_SECOND) && !flow->syn_at &&
		   flow->flags == (DG_FLOW_SYN | DG_FLOW_ANSWERED),
	   "once it is answered the next one's");
	query(guard, 0x0a000001, 4, 1, FRAME_START + 5 * GUARD_SECOND);
	ok(flow->flags & DG_FLOW_GAP && flow->queries == 4, "one that is missing leaves a gap");
	answers = answers_of(buckets);
	*answers = 3;
	syn(guard, 0x0a000001, FRAME_START + 6 * GUARD_SECOND);
	ok(flow->flags == DG_FLOW_SYN && !flow->queries && !*answers,
	   "a connection that begins anew has neither");
	munmap(buckets, bytes);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void names_clear(const struct guard *guard)
{
	static const struct dg_tcp_name_set none;

	for (__u32 i = 0; i < DG_TCP_NAME_SETS; i++)
		must(bpf_map_update_elem(guard->maps.dg_tcp_names, &i, &none, BPF_ANY), "clear");
}

/* How often the name of `letter` eight times was asked, by the table; 0 = it is not there. */
static __u64 name_count(const struct guard *guard, __u8 letter)
{
	struct dg_tcp_name_set set;

	for (__u32 i = 0; i < DG_TCP_NAME_SETS; i++) {
		must(bpf_map_lookup_elem(guard->maps.dg_tcp_names, &i, &set), "names");
		for (int way = 0; way < DG_TCP_NAME_WAYS; way++)
			if (set.weight[way] && set.name[way].name[1] == letter &&
			    !memcmp(set.name[way].name + 1, set.name[way].name + 2, 7))
				return set.name[way].name_len == 10 && set.name[way].qtype == 1 ?
					       set.name[way].count :
					       0;
	}
	return 0;
}

static void names(struct guard *guard)
{
	__u64 heavy;

	begin(guard);
	names_clear(guard);
	syn(guard, 0x0a000001, FRAME_START);
	for (__u32 i = 0; i < NAMES; i++)
		query(guard, 0x0a000001, i, i % HEAVY_EVERY ? 0x12345678 + i * 2654435761u : 0,
		      FRAME_START + i * 1000000ull);
	heavy = name_count(guard, 'a');
	ok(heavy >= NAMES / HEAVY_EVERY * 9 / 10 && heavy <= NAMES / HEAVY_EVERY,
	   "asked for once in %u among %u others a name is known: %llu of %u", HEAVY_EVERY, NAMES,
	   heavy, NAMES / HEAVY_EVERY);
	for (__u32 i = 0; i < 100; i++)
		query(guard, 0x0a000001, NAMES + i, 0xffffffff, FRAME_START + NAMES * 1000000ull);
	ok(name_count(guard, 'p') >= 50, "a new heavy one makes its way: %llu",
	   name_count(guard, 'p'));
}

int main(void)
{
	struct guard guard;

	if (guard_load(&guard, DG_LIMIT_BYTES_DEFAULT))
		return 2;
	must(guard_pin(0), "pin");
	syn_flood(&guard);
	crowd(&guard);
	times(&guard);
	names(&guard);
	guard_unload(&guard);
	return tap_end();
}
