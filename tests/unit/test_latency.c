// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_latency.c - which queries are timed; the buckets of response times: each ends where the next begins, and a share of them
 * lies where it should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "userspace/lib/latency.h"

#define NS_PER_SEC 1000000000ull
#define TURN (1ull << DG_LATENCY_TURN_SHIFT)
#define NOW (100 * TURN + 5)

static void test_every_time_lies_within_its_bucket(void **state)
{
	(void)state;
	for (__u32 us = 0; us < 1 << 26; us += 1 + us / 97) {
		__u32 bucket = dg_latency_bucket(us);

		assert_true(bucket < DG_LATENCY_BUCKETS);
		assert_true(us < dg_latency_end_us(bucket));
		assert_true(!bucket || us >= dg_latency_end_us(bucket - 1));
	}
}

static void test_buckets_grow_by_a_quarter_at_most(void **state)
{
	(void)state;
	for (__u32 i = 4; i < DG_LATENCY_BUCKETS; i++)
		assert_true(4 * dg_latency_end_us(i) <= 5 * dg_latency_end_us(i - 1));
	assert_int_equal(dg_latency_end_us(DG_LATENCY_BUCKETS - 1), 1 << 26);
}

static void test_quantile(void **state)
{
	__u64 bucket[DG_LATENCY_BUCKETS] = { 0 };

	(void)state;
	assert_true(dg_latency_quantile(bucket, 0.99) < 0); /* nothing */
	bucket[dg_latency_bucket(1000)] = 99;
	bucket[dg_latency_bucket(2000000)] = 1;
	assert_true(dg_latency_quantile(bucket, 0.5) >= 0.000896 &&
		    dg_latency_quantile(bucket, 0.5) <= 0.001024);
	assert_true(dg_latency_quantile(bucket, 0.99) <= 0.001024);
	assert_true(dg_latency_quantile(bucket, 0.995) >= 1.8);
	assert_true(dg_latency_quantile(bucket, 1) <= 2.1);
}

static void test_sample(void **state)
{
	struct dg_settings settings = { .asked_below = DG_ASKED_BELOW(64) };

	(void)state;
	assert_int_equal(dg_latency_sample(&settings), 64);
	settings.asked_below = DG_ASKED_BELOW(1);
	assert_int_equal(dg_latency_sample(&settings), 1);
	settings.asked_below = DG_ASKED_BELOW(0);
	assert_int_equal(dg_latency_sample(&settings), 0);
	for (__u32 one_in = 1; one_in <= DG_ASKED_ONE_IN_MAX; one_in++) {
		settings.asked_below = DG_ASKED_BELOW(one_in);
		assert_int_equal(dg_latency_sample(&settings), one_in);
	}
}

/* Of so many IDs in a row from one port, how many are timed when one in n is? */
static __u32 timed_in_a_row(__u64 key, __be16 port, __u32 ids, __u32 one_in)
{
	__u32 timed = 0;

	for (__u32 id = 0; id < ids; id++)
		timed += dg_latency_number(port, htons((__u16)id), key) < DG_ASKED_BELOW(one_in);
	return timed;
}

/*
 * Whatever the key: as many as of IDs by chance. 1000 in a row, one in 64: 15.6 on average, and in a run of these keys, as from a
 * binomial, none is outside of six times its deviation of 3.9.
 */
static void test_ids_in_a_row_are_timed_as_others_are(void **state)
{
	__u64 key = 0x243f6a8885a308d3, all = 0;
	__u32 timed;

	(void)state;
	for (__u32 i = 0; i < 10000; i++) {
		key = key * 6364136223846793005ull + 1442695040888963407ull; /* Knuth's MMIX */
		timed = timed_in_a_row(key ^ key >> 29, htons((__u16)(1024 + i)), 1000, 64);
		assert_in_range(timed, 1, 15 + 24);
		all += timed;
	}
	assert_in_range(all, 10000 * 15, 10000 * 16);
}

static void test_all_or_none_are_timed_when_that_is_asked(void **state)
{
	(void)state;
	assert_int_equal(timed_in_a_row(5, htons(40000), 65535, 1), 65535);
	assert_int_equal(timed_in_a_row(5, htons(40000), 65535, 0), 0);
}

/* ---- on maps of the kernel ------------------------------------------------------------------ */

static int maps_make(struct dg_maps *ret)
{
	LIBBPF_OPTS(bpf_map_create_opts, shared, .map_flags = BPF_F_MMAPABLE);

	*ret = DG_MAPS_NONE;
	ret->dg_latency = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "t_latency", 4,
					 sizeof(struct dg_latency), DG_LATENCY_KINDS, NULL);
	ret->dg_asked = bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_asked", 4,
				       sizeof(struct dg_asked_bucket), DG_ASKED_BUCKETS, &shared);
	return ret->dg_latency < 0 || ret->dg_asked < 0 ? -1 : 0;
}

/* On each CPU: 10 asked, 3 answered, of which 1 in this turn, number 100, and 1 three turns ago. */
static void latency_fill(const struct dg_maps *maps, int cpus)
{
	struct dg_latency *row = calloc((size_t)cpus, sizeof(*row));
	__u32 kind = DG_LATENCY_UDP;

	for (int cpu = 0; cpu < cpus; cpu++) {
		row[cpu].asked = 10;
		row[cpu].displaced = 1;
		row[cpu].bucket[7] = 3;
		row[cpu].sum_ns = 30;
		for (__u64 turn = 97; turn <= 100; turn += 3)
			row[cpu].recent[turn % DG_LATENCY_TURNS] =
				(struct dg_latency_turn){ turn, { [7] = 1 } };
	}
	/* Of a CPU that has been idle since. */
	row[0].recent[94 % DG_LATENCY_TURNS] = (struct dg_latency_turn){ 94, { 1 } };
	assert_int_equal(bpf_map_update_elem(maps->dg_latency, &kind, row, BPF_ANY), 0);
	free(row);
}

static void cell_put(const struct dg_maps *maps, __u32 at, __u64 asked_ns)
{
	struct dg_asked_bucket bucket = { .cell = { 0, 7ull << DG_ASKED_TIME_BITS |
							       asked_ns >> DG_ASKED_TIME_SHIFT } };

	assert_int_equal(bpf_map_update_elem(maps->dg_asked, &at, &bucket, BPF_ANY), 0);
}

static void test_read(void **state)
{
	struct dg_latency_view view[DG_LATENCY_KINDS];
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	int cpus = libbpf_num_possible_cpus();

	(void)state;
	if (maps_make(&maps)) {
		print_message("needs the right to make maps (root)\n");
		skip();
	}
	latency_fill(&maps, cpus);
	cell_put(&maps, 1, NOW - NS_PER_SEC);	   /* may be answered yet */
	cell_put(&maps, 2, NOW - 40 * NS_PER_SEC); /* will not */
	assert_int_equal(dg_latency_read(&maps, NOW, view), 0);
	assert_int_equal(view[DG_LATENCY_UDP].answers, 3 * cpus);
	assert_int_equal(view[DG_LATENCY_UDP].recent_answers, 2 * cpus);
	assert_int_equal(view[DG_LATENCY_UDP].sum_ns, 30 * cpus);
	assert_int_equal(view[DG_LATENCY_UDP].unanswered, 6 * cpus - 1);
	assert_int_equal(view[DG_LATENCY_TCP].answers, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_time_lies_within_its_bucket),
		cmocka_unit_test(test_buckets_grow_by_a_quarter_at_most),
		cmocka_unit_test(test_quantile),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_ids_in_a_row_are_timed_as_others_are),
		cmocka_unit_test(test_all_or_none_are_timed_when_that_is_asked),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests_name("latency", tests, NULL, NULL);
}
