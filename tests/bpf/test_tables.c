// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_tables.c - what the fixed tables and the event stream keep when more comes than they hold; speaks TAP.
 *
 * The SYN table under more connections than cells, the talkers among many lighter ones, the event stream over its bound and
 * with nobody reading. Shown to the real program under an injected clock; read through the maps as userspace does.
 */
#include <arpa/inet.h>

#include "tests/bpf/frames.h"

/* ---- frames --------------------------------------------------------------------------------- */

static void query_frame(struct guard_run *run, __u32 source)
{
	static const __u8 question[] = { 0x12, 0x34, 1, 0,   0,	  1,   0,   0, 0, 0, 0, 0,
					 1,    'q',  4, 't', 'e', 's', 't', 0, 0, 1, 0, 1 };

	frame_begin(run, source, IPPROTO_UDP, 8 + sizeof(question));
	put16(run->frame + FRAME_L4 + 4, 8 + sizeof(question));
	memcpy(run->frame + FRAME_L4 + 8, question, sizeof(question));
}

static enum dg_verdict show(const struct guard *guard, struct guard_run *run, __u64 now_ns)
{
	must(guard_show(guard, run, now_ns, 0), "test run");
	return run->probe.verdict;
}

static struct dg_stats stats_read(const struct guard *guard)
{
	struct guard_counts counts;

	must(guard_read(guard, &counts), "counters");
	return counts.stats;
}

/* ---- the SYN table -------------------------------------------------------------------------- */

#define CELLS (DG_SYN_BUCKETS * DG_SYN_WAYS)
#define SYN_PER_SEC 20000
#define SYNS (3 * CELLS)

static __u64 syn_count(const struct guard *guard, enum dg_syn_kind kind)
{
	return stats_read(guard).syn[DG_IPV4][kind];
}

static void syn_show(const struct guard *guard, __u32 number, __u64 now_ns)
{
	struct guard_run run;

	frame_segment(&run, 0x0a000000 + number % 60000, number, FRAME_SYN, 0);
	show(guard, &run, now_ns);
}

/* Three times as many connections as cells; every tenth is retransmitted a second later, as RFC 6298 has it. */
static void syn_overflow(struct guard *guard)
{
	__u64 again, first;
	__u32 asked = 0;

	guard_begin(guard);
	for (__u32 i = 0; i < SYNS; i++) {
		__u64 now = FRAME_START + i * (GUARD_SECOND / SYN_PER_SEC);

		syn_show(guard, i, now);
		if (i % 10 || i < SYN_PER_SEC)
			continue;
		syn_show(guard, i - SYN_PER_SEC, now);
		asked++;
	}
	first = syn_count(guard, DG_SYN_FIRST);
	again = syn_count(guard, DG_SYN_RETRANSMITTED);
	ok(first + again == SYNS + asked, "every SYN is on one of the two books: %llu of %u",
	   first + again, SYNS + asked);
	ok(first >= SYNS, "%u SYNs against %u cells: none is taken for a retransmission", SYNS,
	   CELLS);
	ok(again * 100 >= asked * 99ull,
	   "of %u retransmissions a second later %llu are known as such", asked, again);
}

/* What was washed out of the table is a first SYN again: precision goes, nothing else. */
static void syn_washed_out(struct guard *guard)
{
	__u64 before;

	guard_begin(guard);
	for (__u32 i = 0; i < SYNS; i++)
		syn_show(guard, i, FRAME_START + i * (GUARD_SECOND / SYN_PER_SEC));
	before = syn_count(guard, DG_SYN_FIRST);
	for (__u32 i = 0; i < 1000; i++)
		syn_show(guard, i, FRAME_START + SYNS * (GUARD_SECOND / SYN_PER_SEC));
	ok(syn_count(guard, DG_SYN_FIRST) >= before + 990,
	   "of 1,000 repeats from before the table ran over %llu count as first",
	   syn_count(guard, DG_SYN_FIRST) - before);
}

/* ---- talkers -------------------------------------------------------------------------------- */

#define HEAVY 0xc6336407 /* 198.51.100.7 */
#define LIGHT 30000	 /* senders, nearly twice the table of the limited ones */

static void talkers_clear(int map, __u32 slots)
{
	const struct dg_talker none = { 0 };

	for (__u32 at = 0; at < slots; at++)
		must(bpf_map_update_elem(map, &at, &none, BPF_ANY), "clear");
}

typedef void frame_fn(struct guard_run *run, __u32 source);

/* Light senders of two frames each, 10,000 a second; among them one of 1,000 frames a second. */
static void talkers_play(const struct guard *guard, frame_fn *frame)
{
	struct guard_run run;

	for (__u32 i = 0; i < LIGHT; i++) {
		__u64 now = FRAME_START + i * (GUARD_SECOND / 10000);

		for (int twice = 0; twice < 2; twice++) {
			frame(&run, 0x0a000000 + i * 7919);
			show(guard, &run, now);
		}
		if (i % 10)
			continue;
		frame(&run, HEAVY);
		show(guard, &run, now);
	}
}

static void talkers_judge(const char *what, int map)
{
	struct dg_talker top[10] = { 0 };
	const __u32 frames = LIGHT / 10;
	int count = dg_talkers_read(map, FRAME_START, top, 10);
	__be32 addr = htonl(HEAVY);
	struct dg_addr heavy = dg_addr_from_v4(&addr);

	ok(count == 10, "%s: ten are read", what);
	ok(top[0].addr.lo == heavy.lo && top[0].addr.hi == heavy.hi && top[0].bits == 32 &&
		   top[0].family == DG_IPV4,
	   "%s: the heaviest is on top among %u lighter ones", what, LIGHT);
	ok(top[0].count > frames / 50 && top[0].count <= frames,
	   "%s: of its %u frames its neighbours left %llu", what, frames, top[0].count);
	ok(top[0].count > 10 * top[1].count, "%s: the next one is far behind: %llu", what,
	   top[1].count);
}

static void syn_of(struct guard_run *run, __u32 source)
{
	static __u32 sequence;

	frame_segment(run, source, sequence++, FRAME_SYN, 0);
}

static void talkers(struct guard *guard)
{
	guard_begin(guard);
	talkers_clear(guard->maps.dg_limited, DG_TALKERS_LIMITED);
	talkers_clear(guard->maps.dg_syn_talkers, DG_TALKERS_SYN);
	guard->settings.limit_mode = DG_ENFORCE;
	dg_rate_make(1, 1, DG_IPV4, &guard->settings.rate[DG_CHARGE_QUERY][DG_IPV4]);
	for (int rung = 1; rung < DG_RUNGS_MAX; rung++) /* the single address alone */
		guard->settings.rate[DG_CHARGE_QUERY][DG_IPV4].cost[rung] = 0;
	must(guard_write_settings(guard), "settings");
	talkers_play(guard, query_frame); /* the first of each is within its burst */
	talkers_judge("limited", guard->maps.dg_limited);
	talkers_play(guard, syn_of);
	talkers_judge("SYN senders", guard->maps.dg_syn_talkers);
}

static struct dg_talker talker_at(const struct guard *guard, __u32 at)
{
	struct dg_talker talker;

	must(bpf_map_lookup_elem(guard->maps.dg_syn_talkers, &at, &talker), "talker");
	return talker;
}

static bool is_from(const struct dg_talker *talker, __u32 source)
{
	__be32 addr = htonl(source);

	return talker->count && talker->addr.lo == dg_addr_from_v4(&addr).lo;
}

static void syns(const struct guard *guard, __u32 source, __u32 count, __u64 now_ns)
{
	struct guard_run run;

	for (__u32 i = 0; i < count; i++) {
		syn_of(&run, source);
		show(guard, &run, now_ns);
	}
}

/* The slot of HEAVY, and a sender that wants the same one. */
static __u32 rival_find(const struct guard *guard, __u32 *ret_rival)
{
	__u32 at = 0, rival = 0x0a000000;

	talkers_clear(guard->maps.dg_syn_talkers, DG_TALKERS_SYN);
	syns(guard, HEAVY, 1, FRAME_START);
	for (struct dg_talker talker = talker_at(guard, 0); !is_from(&talker, HEAVY);)
		talker = talker_at(guard, ++at);
	for (struct dg_talker talker = talker_at(guard, at); is_from(&talker, HEAVY);) {
		must(++rival < 0x0a000000 + 100 * DG_TALKERS_SYN ? 0 : -ENOENT, "a rival");
		syns(guard, rival, 1, FRAME_START);
		talker = talker_at(guard, at);
	}
	*ret_rival = rival;
	return at;
}

/* Two for one slot: the heavy one gives way by halves, the silent one at once. */
static void rivals(struct guard *guard)
{
	struct dg_talker talker;
	__u32 rival, at;

	guard_begin(guard);
	at = rival_find(guard, &rival);
	talkers_clear(guard->maps.dg_syn_talkers, DG_TALKERS_SYN);
	syns(guard, HEAVY, 1000, FRAME_START);
	syns(guard, rival, 3, FRAME_START + GUARD_SECOND);
	talker = talker_at(guard, at);
	ok(is_from(&talker, HEAVY) && talker.count == 125,
	   "three frames of a rival leave 1,000 an eighth: %llu", talker.count);
	syns(guard, rival, 10, FRAME_START + GUARD_SECOND);
	talker = talker_at(guard, at);
	ok(is_from(&talker, rival) && talker.count < 10, "ten more and the slot is its own");
	syns(guard, HEAVY, 1000, FRAME_START + 2 * GUARD_SECOND);
	syns(guard, rival, 1, FRAME_START + 5 * GUARD_SECOND);
	talker = talker_at(guard, at);
	ok(is_from(&talker, rival) && talker.count == 1 &&
		   talker.first_ns == FRAME_START + 5 * GUARD_SECOND,
	   "after three seconds of silence one frame is enough");
}

/* ---- events --------------------------------------------------------------------------------- */

#define FRAMES 5000 /* more than the ring holds */

static int event_take(void *arg, void *data, size_t size)
{
	__u64 *taken = arg;

	(void)data;
	*taken += size == sizeof(struct dg_event);
	return 0;
}

static __u64 events_take(const struct guard *guard)
{
	__u64 taken = 0;
	struct ring_buffer *ring =
		ring_buffer__new(guard->maps.dg_events, event_take, &taken, NULL);

	if (!ring)
		must(-EIO, "ring buffer");
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return taken;
}

/* Everybody is watched until far ahead. */
static void watch(struct guard *guard, __u32 per_sec)
{
	guard_begin(guard);
	guard->settings.watch_until_ns = ~0ull;
	guard->settings.watch_verdicts = ~0ull;
	guard->settings.watch_per_sec = per_sec;
	must(guard_write_settings(guard), "settings");
}

/* Shows `frames` queries within one second; returns how many pass as they should. */
static __u64 queries_pass(const struct guard *guard, __u64 second, __u32 frames)
{
	struct guard_run run;
	__u64 passed = 0;

	for (__u32 i = 0; i < frames; i++) {
		query_frame(&run, 0x0a000001);
		passed += show(guard, &run, second * GUARD_SECOND + i * 1000) == DG_PASS_CLEAN;
	}
	return passed;
}

static void event_rate(struct guard *guard)
{
	struct dg_stats stats;
	__u64 passed;

	watch(guard, 10);
	passed = queries_pass(guard, 7, 1000);
	stats = stats_read(guard);
	ok(stats.events_sent == 10 && events_take(guard) == 10,
	   "1,000 queries in one second, 10 events a second allowed: %llu sent", stats.events_sent);
	ok(stats.events_lost == 990, "the others are counted as lost: %llu", stats.events_lost);
	ok(passed == 1000 && stats.verdict[DG_PASS_CLEAN].frames == 1000,
	   "no verdict hangs on it: %llu pass", passed);
	queries_pass(guard, 8, 5);
	stats = stats_read(guard);
	ok(stats.events_sent == 15 && stats.events_lost == 990 && events_take(guard) == 5,
	   "the next second has its own: %llu sent in all", stats.events_sent);
	queries_pass(guard, 8, 10);
	ok(stats_read(guard).events_sent == 20 && events_take(guard) == 5,
	   "which it may use up later");
	watch(guard, 0);
	passed = queries_pass(guard, 9, 100);
	stats = stats_read(guard);
	ok(passed == 100 && stats.events_sent == 0 && stats.events_lost == 100,
	   "none allowed: none sent, all pass");
}

static void event_ring_full(struct guard *guard)
{
	struct dg_stats stats;
	__u64 passed, taken;

	watch(guard, ~0u);
	passed = queries_pass(guard, 7, FRAMES);
	stats = stats_read(guard);
	ok(stats.events_sent + stats.events_lost == FRAMES && stats.events_lost > 0 &&
		   stats.events_sent >= DG_EVENT_RING_BYTES / sizeof(struct dg_event) / 2,
	   "nobody reads: %llu events sent, %llu lost", stats.events_sent, stats.events_lost);
	ok(passed == FRAMES, "no verdict hangs on it: %llu of %u pass", passed, FRAMES);
	taken = events_take(guard);
	ok(taken == stats.events_sent, "what was sent is there to be read: %llu", taken);
	queries_pass(guard, 8, 10);
	ok(events_take(guard) == 10, "and once it is read there is room again");
}

/* A deadline that is past: nobody watches any more. */
static void event_deadline(struct guard *guard)
{
	struct dg_stats stats;

	watch(guard, 10);
	guard->settings.watch_until_ns = 7 * GUARD_SECOND;
	must(guard_write_settings(guard), "settings");
	queries_pass(guard, 7, 5);
	stats = stats_read(guard);
	ok(stats.events_sent + stats.events_lost == 0 && events_take(guard) == 0,
	   "past the watcher's deadline nothing is sent, nothing is lost");
	queries_pass(guard, 6, 5);
	ok(events_take(guard) == 5, "twin: before it five are");
}

int main(void)
{
	struct guard guard;

	if (guard_load(&guard, DG_LIMIT_BYTES_DEFAULT))
		return 2;
	must(guard_pin(0), "pin");
	syn_overflow(&guard);
	syn_washed_out(&guard);
	talkers(&guard);
	rivals(&guard);
	event_rate(&guard);
	event_ring_full(&guard);
	event_deadline(&guard);
	guard_unload(&guard);
	return tap_end();
}
