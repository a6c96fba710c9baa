// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_protect.c - TCP protection without a socket: the ladder's steps and shares, and whose connections are closed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/hash.h"
#include "userspace/dnsguardd/ladder.h"
#include "userspace/dnsguardd/reaper.h"
#include "userspace/tcp/flows.h"

#define SECOND 1000000000ull

/* ---- the ladder ----------------------------------------------------------------------------- */

static void ladder_goes_up_at_once_as_far_as_it_must(void **state)
{
	static const struct {
		double use;
		__u32 step;
	} rows[] = { { 0, 0 },	  { 0.49, 0 }, { 0.50, 1 }, { 0.64, 1 }, { 0.65, 2 },
		     { 0.80, 3 }, { 0.94, 3 }, { 0.95, 4 }, { 27, 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dg_ladder ladder = { 0 };

		assert_int_equal(dg_ladder_step(&ladder, rows[i].use, SECOND), rows[i].step);
	}
}

static void ladder_comes_down_a_step_after_a_calm(void **state)
{
	struct dg_ladder ladder = { 0 };
	__u64 now_ns = SECOND;

	(void)state;
	assert_int_equal(dg_ladder_step(&ladder, 1, now_ns), 4);
	assert_int_equal(dg_ladder_step(&ladder, 0, now_ns), 4); /* calm begins */
	assert_int_equal(dg_ladder_step(&ladder, 0, now_ns + DG_LADDER_CALM_NS - 1), 4);
	assert_int_equal(dg_ladder_step(&ladder, 0, now_ns + DG_LADDER_CALM_NS), 3);
	assert_int_equal(dg_ladder_step(&ladder, 0, now_ns + DG_LADDER_CALM_NS + 1), 3);
	assert_int_equal(dg_ladder_step(&ladder, 0, now_ns + 2 * DG_LADDER_CALM_NS), 2);
}

static void ladder_does_not_flap_about_a_threshold(void **state)
{
	struct dg_ladder ladder = { 0 };
	__u64 now_ns = SECOND;

	(void)state;
	assert_int_equal(dg_ladder_step(&ladder, 0.80, now_ns), 3);
	for (int i = 0; i < 100; i++) { /* below the step, not by ten points */
		now_ns += SECOND;
		assert_int_equal(dg_ladder_step(&ladder, i % 2 ? 0.72 : 0.79, now_ns), 3);
	}
	assert_int_equal(dg_ladder_step(&ladder, 0.69, now_ns += SECOND), 3);
	assert_int_equal(dg_ladder_step(&ladder, 0.72, now_ns += SECOND), 3); /* the calm is over */
	assert_int_equal(dg_ladder_step(&ladder, 0.69, now_ns += SECOND), 3);
	assert_int_equal(dg_ladder_step(&ladder, 0.69, now_ns += DG_LADDER_CALM_NS - 1), 3);
	assert_int_equal(dg_ladder_step(&ladder, 0.69, now_ns + 1), 2);
}

static void shares_halve_with_each_step_down_to_the_fair_one(void **state)
{
	static const struct {
		__u64 quota, sources;
		__u32 step, base, share, reaped, wide;
	} rows[] = {
		{ 150, 1, 0, 37, 37, 37, 0 }, { 150, 1, 1, 37, 18, 18, 0 },
		{ 150, 1, 2, 37, 9, 9, 0 },   { 150, 1, 3, 37, 4, 4, 0 },
		{ 150, 1, 4, 37, 2, 2, 112 }, { 150, 50, 2, 37, 9, 2, 0 },
		{ 150, 50, 3, 37, 2, 2, 0 },  { 150, 200, 3, 37, 1, 0, 0 },
		{ 20, 50, 4, 5, 1, 0, 15 },   { 10, 1, 0, 2, 2, 2, 0 },
		{ 3, 1, 0, 2, 2, 2, 0 },      { 100000, 10, 4, 25000, 1562, 1562, 75000 },
		{ 0, 7, 4, 0, 0, ~0u, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dg_tcp_protect told;

		memset(&told, 0xff, sizeof(told));
		dg_ladder_shares(&(struct dg_ladder_given){ .step = rows[i].step,
							    .quota = rows[i].quota,
							    .percent = 25,
							    .sources = rows[i].sources },
				 &told);
		assert_int_equal(told.base[0], rows[i].base);
		assert_int_equal(told.base[1], 0);
		assert_int_equal(told.share[0], rows[i].share);
		assert_int_equal(told.share[1], rows[i].wide);
		assert_int_equal(told.share_reaped, rows[i].reaped);
	}
}

/* Below that it would never see TCP critical, and who came first would keep what a prefix may hold. */
static void a_wide_prefix_gets_as_far_as_the_reaper(void **state)
{
	static const struct {
		__u64 quota, from;
		__u32 wide;
	} rows[] = { { 150, 0, 112 }, { 150, 85, 138 }, { 20, 85, 18 }, { 10, 85, 9 },
		     { 3, 85, 3 },    { 1, 0, 1 },	{ 20, 99, 20 }, { 20, 100, 20 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dg_tcp_protect told;

		dg_ladder_shares(&(struct dg_ladder_given){ .step = DG_PROTECT_STEPS,
							    .quota = rows[i].quota,
							    .percent = 25,
							    .percent_24 = i % 2 ? 75 : 100,
							    .sources = 1,
							    .reaped_from = rows[i].from },
				 &told);
		assert_int_equal(told.share_wide4, i % 2 ? rows[i].wide : 0);
		assert_int_equal(told.share[1], rows[i].wide);
		assert_true(told.share[1] * 100 >= rows[i].quota * rows[i].from);
	}
}

/* ---- the reaper ----------------------------------------------------------------------------- */

/* Idle since so long, after an answer to its query; `name` tells it apart. */
static struct dg_tcp_socket held_by(const char *peer, __u32 idle_ms, __u32 name)
{
	struct dg_tcp_socket socket = { .detailed = true,
					.recv_ms = idle_ms + 1,
					.sent_ms = idle_ms,
					.received = 31,
					.acked = 47,
					.inode = name };
	__u8 bytes[16];

	if (inet_pton(AF_INET6, peer, bytes) == 1) {
		socket.peer = dg_addr_from_v6(bytes);
	} else {
		assert_int_equal(inet_pton(AF_INET, peer, bytes), 1);
		socket.peer = dg_addr_from_v4(bytes);
	}
	return socket;
}

static bool spares_nobody(const struct dg_tcp_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	return false;
}

static bool spares_one(const struct dg_tcp_socket *socket, void *arg)
{
	return socket->inode == *(__u32 *)arg;
}

static bool all_are_answered(const struct dg_tcp_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	return true;
}

static bool nothing_is_known(const struct dg_tcp_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	return false;
}

static void add(struct dg_reaper_crowd *crowd, const char *peer, __u32 idle_ms, __u32 name)
{
	const struct dg_tcp_socket socket = held_by(peer, idle_ms, name);

	dg_reaper_crowd_add(&socket, crowd);
}

static struct dg_reaper_rules rules_of(__u64 share)
{
	return (struct dg_reaper_rules){
		.share = share,
		.idle_ms = 2000,
		.budget = 1000,
		.spares = spares_nobody,
		.answered = all_are_answered,
	};
}

static void only_what_is_above_the_share_is_closed_the_longest_idle_first(void **state)
{
	struct dg_reaper_crowd crowd = { 0 };
	struct dg_reaper_rules rules = rules_of(2);

	(void)state;
	add(&crowd, "192.0.2.1", 9000, 1);
	add(&crowd, "192.0.2.2", 60000, 2); /* idle for ages, but within its share */
	add(&crowd, "192.0.2.1", 8000, 3);
	add(&crowd, "192.0.2.1", 7000, 4);
	add(&crowd, "192.0.2.1", 12000, 5);
	add(&crowd, "192.0.2.3", 10000, 6);
	add(&crowd, "192.0.2.3", 5000, 7);
	add(&crowd, "192.0.2.3", 4000, 8);
	assert_int_equal(dg_reaper_sources(&crowd), 3);
	assert_int_equal(dg_reaper_pick(&crowd, &rules), 3);
	assert_int_equal(crowd.socket[0].inode, 5);
	assert_int_equal(crowd.socket[1].inode, 6);
	assert_int_equal(crowd.socket[2].inode, 1);
	assert_int_equal(crowd.count, 8);
	dg_reaper_crowd_free(&crowd);
}

static void a_share_of_nothing_closes_all_that_are_idle(void **state)
{
	struct dg_reaper_crowd crowd = { 0 };
	struct dg_reaper_rules rules = rules_of(0);

	(void)state;
	add(&crowd, "192.0.2.1", 9000, 1);
	add(&crowd, "192.0.2.2", 1999, 2); /* not for long enough */
	add(&crowd, "192.0.2.3", 2000, 3);
	assert_int_equal(dg_reaper_pick(&crowd, &rules), 2);
	rules.budget = 1;
	assert_int_equal(dg_reaper_pick(&crowd, &rules), 1);
	assert_int_equal(crowd.socket[0].inode, 1);
	dg_reaper_crowd_free(&crowd);
}

static void a_network_of_64_bits_is_one_source(void **state)
{
	struct dg_reaper_crowd crowd = { 0 };
	struct dg_reaper_rules rules = rules_of(1);

	(void)state;
	add(&crowd, "2001:db8:1:2::1", 9000, 1);
	add(&crowd, "2001:db8:1:2:ffff::1", 8000, 2);
	add(&crowd, "2001:db8:1:3::1", 9000, 3);
	add(&crowd, "192.0.2.1", 9000, 4);
	add(&crowd, "192.0.2.2", 9000, 5);
	assert_int_equal(dg_reaper_sources(&crowd), 4);
	assert_int_equal(dg_reaper_pick(&crowd, &rules), 1);
	assert_int_equal(crowd.socket[0].inode, 1);
	dg_reaper_crowd_free(&crowd);
}

static void whom_the_caller_spares_is_spared(void **state)
{
	struct dg_reaper_crowd crowd = { 0 };
	struct dg_reaper_rules rules = rules_of(1);
	__u32 spared = 1;

	(void)state;
	rules.spares = spares_one;
	rules.arg = &spared;
	add(&crowd, "192.0.2.1", 9000, 1);
	add(&crowd, "192.0.2.1", 8000, 2);
	assert_int_equal(dg_reaper_pick(&crowd, &rules), 1);
	assert_int_equal(crowd.socket[0].inode, 2);
	dg_reaper_crowd_free(&crowd);
}

static void a_query_in_flight_is_never_cut(void **state)
{
	struct dg_tcp_socket socket = held_by("192.0.2.1", 9000, 1);
	struct dg_reaper_rules known = rules_of(1), unknown = rules_of(1);

	(void)state;
	unknown.answered = nothing_is_known;
	assert_false(dg_reaper_in_flight(&socket, &known));
	assert_true(dg_reaper_in_flight(&socket, &unknown)); /* one answer of several, maybe */
	socket.rqueue = 1;
	assert_true(dg_reaper_in_flight(&socket, &known)); /* the resolver has not read it */
	socket.rqueue = 0;
	socket.wqueue = 1;
	assert_true(
		dg_reaper_in_flight(&socket, &known)); /* the client has not all of the answer */
	socket.wqueue = 0;
	socket.recv_ms = 8000;
	assert_true(dg_reaper_in_flight(&socket, &known)); /* asked again */
	socket.recv_ms = socket.sent_ms;
	assert_true(dg_reaper_in_flight(&socket, &unknown)); /* within a tick */
	assert_false(dg_reaper_in_flight(&socket, &known));
	socket.acked = 0;
	assert_true(dg_reaper_in_flight(&socket, &known)); /* asked in the tick it was opened in */
	socket.recv_ms = DG_REAPER_ANSWER_MS - 1;
	assert_true(dg_reaper_in_flight(&socket, &unknown));
	socket.recv_ms = DG_REAPER_ANSWER_MS;
	assert_false(dg_reaper_in_flight(&socket, &unknown)); /* and never will be */
	socket.recv_ms = 8000;
	socket.received = 13;
	assert_false(dg_reaper_in_flight(&socket, &unknown)); /* too little to be a query */
	socket.received = 14;
	assert_true(dg_reaper_in_flight(&socket, &known));
}

/* The table with this one flow in it, on each of its ways in turn. */
static bool known_to_be_answered(struct dg_flow flow, __u8 answers)
{
	static const struct dg_tcp_key client = { .addr = { 1, 2 }, .port = 3 };
	static const struct dg_tcp_key service = { .addr = { 4, 5 }, .port = 6 };
	static const __u64 from[2] = { 1, 2 }, to[2] = { 4, 5 };
	struct dg_flow_bucket *table = calloc(DG_FLOW_BUCKETS, sizeof(*table)), *bucket;
	const struct dg_tcp_flows flows = { .bucket = table, .key = { 7, 8 } };
	__u64 hash = dg_hash_flow(from, to, 3 << 16 | 6, flows.key);
	int known = 0;

	assert_non_null(table);
	bucket = &table[hash & (DG_FLOW_BUCKETS - 1)];
	flow.mark = dg_hash_flow_id(hash) << DG_FLOW_SEEN_BITS | 77;
	for (int way = 0; way < DG_FLOW_WAYS; way++) {
		*bucket = (struct dg_flow_bucket){ .answers = { 0 } };
		assert_false(dg_tcp_flows_answered(&flows, &client, &service));
		bucket->flow[way] = flow;
		bucket->answers[way] = answers;
		known += dg_tcp_flows_answered(&flows, &client, &service);
		assert_false(dg_tcp_flows_answered(&flows, &service, &client));
	}
	free(table);
	assert_true(known == 0 || known == DG_FLOW_WAYS);
	return known;
}

static void answered_is_what_was_seen_from_begin_to_end(void **state)
{
	const __u8 whole = DG_FLOW_SYN | DG_FLOW_ANSWERED;

	(void)state;
	assert_true(known_to_be_answered((struct dg_flow){ .queries = 3, .flags = whole }, 3));
	assert_false(known_to_be_answered((struct dg_flow){ .queries = 3, .flags = whole }, 2));
	assert_false(known_to_be_answered((struct dg_flow){ .queries = 0, .flags = whole }, 0));
	assert_false(known_to_be_answered(
		(struct dg_flow){ .queries = 3, .flags = DG_FLOW_ANSWERED }, 3));
	assert_false(known_to_be_answered(
		(struct dg_flow){ .queries = 3, .flags = whole | DG_FLOW_GAP }, 3));
	assert_false(known_to_be_answered((struct dg_flow){ .queries = DG_FLOW_QUERIES_MAX,
							    .flags = whole },
					  DG_FLOW_QUERIES_MAX));
}

static void what_is_not_known_in_detail_is_not_closed(void **state)
{
	struct dg_tcp_socket socket = held_by("192.0.2.1", 9000, 1);
	struct dg_reaper_crowd crowd = { 0 };
	struct dg_reaper_rules rules = rules_of(0);

	(void)state;
	socket.detailed = false;
	dg_reaper_crowd_add(&socket, &crowd);
	assert_int_equal(dg_reaper_pick(&crowd, &rules), 0);
	crowd.socket[0].detailed = true;
	assert_int_equal(dg_reaper_pick(&crowd, &rules), 1);
	dg_reaper_crowd_free(&crowd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ladder_goes_up_at_once_as_far_as_it_must),
		cmocka_unit_test(ladder_comes_down_a_step_after_a_calm),
		cmocka_unit_test(ladder_does_not_flap_about_a_threshold),
		cmocka_unit_test(shares_halve_with_each_step_down_to_the_fair_one),
		cmocka_unit_test(a_wide_prefix_gets_as_far_as_the_reaper),
		cmocka_unit_test(only_what_is_above_the_share_is_closed_the_longest_idle_first),
		cmocka_unit_test(a_share_of_nothing_closes_all_that_are_idle),
		cmocka_unit_test(a_network_of_64_bits_is_one_source),
		cmocka_unit_test(whom_the_caller_spares_is_spared),
		cmocka_unit_test(a_query_in_flight_is_never_cut),
		cmocka_unit_test(answered_is_what_was_seen_from_begin_to_end),
		cmocka_unit_test(what_is_not_known_in_detail_is_not_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
