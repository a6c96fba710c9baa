// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_stats.c - sums over CPUs, talkers by weight, and the verdict table, on real maps of the kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "userspace/lib/stats.h"

#define NS_PER_SEC 1000000000ull

static int array_make(enum bpf_map_type type, size_t value_bytes, __u32 entries)
{
	return bpf_map_create(type, "t_stats", 4, (__u32)value_bytes, entries, NULL);
}

static int world_make(void **state)
{
	struct dg_maps *maps = malloc(sizeof(*maps));

	*maps = DG_MAPS_NONE;
	*state = maps;
	maps->dg_settings = array_make(BPF_MAP_TYPE_ARRAY, sizeof(struct dg_settings), 1);
	maps->dg_ifaces = array_make(BPF_MAP_TYPE_ARRAY, sizeof(struct dg_iface), DG_IF_MAX);
	maps->dg_stats = array_make(BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(struct dg_stats), DG_IF_MAX);
	maps->dg_tcp_stats = array_make(BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(struct dg_tcp_stats), 1);
	maps->dg_list_stats = array_make(BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(struct dg_list_stats),
					 DG_LISTS_MAX + 1);
	maps->dg_lists = array_make(BPF_MAP_TYPE_ARRAY, 64, DG_IMAGE_SLOTS * DG_LIST_ROWS);
	maps->dg_limited =
		array_make(BPF_MAP_TYPE_ARRAY, sizeof(struct dg_talker), DG_TALKERS_LIMITED);
	return 0;
}

static int world_end(void **state)
{
	dg_maps_close(*state);
	free(*state);
	return 0;
}

static const struct dg_maps *need_maps(void **state)
{
	const struct dg_maps *maps = *state;

	if (maps->dg_limited < 0) {
		print_message("needs the right to make maps (root)\n");
		skip();
	}
	return maps;
}

/* CPU n counts n + 1 frames of a verdict. Returns how many that are together. */
static __u64 count_on_every_cpu(const struct dg_maps *maps, __u32 slot, enum dg_verdict verdict)
{
	int cpus = libbpf_num_possible_cpus();
	struct dg_stats *stats = calloc((size_t)cpus, sizeof(*stats));
	__u64 sum = 0;

	for (int cpu = 0; cpu < cpus; cpu++) {
		stats[cpu].verdict[verdict].frames = (__u64)cpu + 1;
		stats[cpu].verdict[verdict].bytes = 100 * ((__u64)cpu + 1);
		sum += (__u64)cpu + 1;
	}
	assert_int_equal(bpf_map_update_elem(maps->dg_stats, &slot, stats, BPF_ANY), 0);
	free(stats);
	return sum;
}

static void iface_put(const struct dg_maps *maps, __u32 slot, const char *name, __u32 flags)
{
	struct dg_iface iface = { .flags = flags };

	strcpy(iface.name, name);
	assert_int_equal(bpf_map_update_elem(maps->dg_ifaces, &slot, &iface, BPF_ANY), 0);
}

static void test_sums(void **state)
{
	const struct dg_maps *maps = need_maps(state);
	struct dg_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	__u64 each;

	iface_put(maps, 3, "eth3", DG_IF_USED);
	iface_put(maps, 5, "gone5", 0); /* detached: in the total, not among the devices */
	each = count_on_every_cpu(maps, 3, DG_PASS_CLEAN);
	count_on_every_cpu(maps, 5, DG_PASS_CLEAN);
	assert_int_equal(dg_snapshot_read(maps, snapshot), 0);
	assert_int_equal(snapshot->ifaces, 1);
	assert_int_equal(snapshot->slot[0], 3);
	assert_string_equal(snapshot->iface[0].name, "eth3");
	assert_int_equal(snapshot->per_iface[0].verdict[DG_PASS_CLEAN].frames, each);
	assert_int_equal(snapshot->per_iface[0].verdict[DG_PASS_CLEAN].bytes, 100 * each);
	assert_int_equal(snapshot->total.verdict[DG_PASS_CLEAN].frames, 2 * each);
	assert_int_equal(snapshot->total.verdict[DG_DROP_LIMITED].frames, 0);
	free(snapshot);
}

static void test_settings_and_image(void **state)
{
	const struct dg_maps *maps = need_maps(state);
	struct dg_settings settings = { .limit_line_mask = 1023, .own_entries = 42 };
	struct dg_image_header header = {
		.magic = DG_IMAGE_MAGIC, .names = 9, .lists = 1, .first = 2, .buckets = 5
	};
	struct dg_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	__u32 zero = 0;

	assert_int_equal(dg_settings_write(maps, &settings), 0);
	assert_int_equal(dg_snapshot_read(maps, snapshot), 0);
	assert_int_equal(snapshot->limiter_bytes, 64 << 10);
	assert_int_equal(snapshot->own_entries, 42);
	assert_int_equal(snapshot->image.names, 0); /* none published: all 0, and no failure */
	settings.image = DG_IMAGE_AT(0, 0, header.first, header.buckets);
	assert_int_equal(dg_settings_write(maps, &settings), 0);
	assert_int_equal(bpf_map_update_elem(maps->dg_lists, &zero, &header, BPF_ANY), 0);
	assert_int_equal(dg_snapshot_read(maps, snapshot), 0);
	assert_int_equal(snapshot->image.names, 9);
	assert_int_equal(snapshot->image_bytes, 64 * (2 + 5 + DG_IMAGE_SPILL_MAX));
	free(snapshot);
}

static void talker_put(const struct dg_maps *maps, __u32 slot, __u64 count, __u64 last_ns)
{
	struct dg_talker talker = { .bits = slot, .count = count, .last_ns = last_ns };

	assert_int_equal(bpf_map_update_elem(maps->dg_limited, &slot, &talker, BPF_ANY), 0);
}

/* bits tells the talkers apart here. */
static void test_talkers_by_weight(void **state)
{
	const struct dg_maps *maps = need_maps(state);
	struct dg_talker top[3];

	talker_put(maps, 1, 10, 900);
	talker_put(maps, 2000, 50, 900); /* in another batch */
	talker_put(maps, 3, 99, 100);	 /* too long ago */
	talker_put(maps, 4, 30, 900);
	talker_put(maps, DG_TALKERS_LIMITED - 1, 20, 500); /* the very last slot, just in time */
	assert_int_equal(dg_talkers_read(maps->dg_limited, 500, top, 3), 3);
	assert_int_equal(top[0].bits, 2000);
	assert_int_equal(top[1].bits, 4);
	assert_int_equal(top[2].bits, DG_TALKERS_LIMITED - 1);
	assert_int_equal(dg_talkers_read(maps->dg_limited, 500, top, 1), 1);
	assert_int_equal(top[0].bits, 2000);
	assert_int_equal(dg_talkers_read(maps->dg_limited, 500, top, 0), 0);
	assert_int_equal(dg_talkers_read(maps->dg_limited, 901, top, 3), 0);
}

static void test_limited_sources_are_recent(void **state)
{
	const struct dg_maps *maps = need_maps(state);
	struct dg_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	__u64 now_ns = dg_now_ns();

	talker_put(maps, 1, 5, now_ns - 2 * NS_PER_SEC);
	talker_put(maps, 2, 5, now_ns - 9 * NS_PER_SEC);
	talker_put(maps, 3, 5, now_ns - 11 * NS_PER_SEC);
	assert_int_equal(dg_snapshot_read(maps, snapshot), 0);
	assert_int_equal(snapshot->limited_sources, 2);
	free(snapshot);
}

static void test_verdict_table(void **state)
{
	(void)state;
	assert_string_equal(dg_verdict_label(DG_NEXT), "unsettled");
	assert_string_equal(dg_verdict_label(DG_REPLY_TRUNCATED), "reply_truncated");
	assert_int_equal(dg_verdict_action(DG_PASS_CLEAN), DG_ACT_PASS);
	assert_int_equal(dg_verdict_action(DG_DROP_LIMITED), DG_ACT_DROP);
	assert_int_equal(dg_verdict_action(DG_REPLY_SINKHOLE), DG_ACT_REPLY);
	assert_string_equal(dg_verdict_label(DG_VERDICT_COUNT),
			    "unknown"); /* an event from a newer program */
	for (enum dg_verdict one = 0; one < DG_VERDICT_COUNT; one++)
		for (enum dg_verdict other = 0; other < one; other++)
			assert_string_not_equal(dg_verdict_label(one), dg_verdict_label(other));
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_WORLD(test_sums),
		IN_A_WORLD(test_settings_and_image),
		IN_A_WORLD(test_talkers_by_weight),
		IN_A_WORLD(test_limited_sources_are_recent),
		cmocka_unit_test(test_verdict_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
