// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_maps.c - rates to ticks and back, the table of service addresses on real maps of the kernel, and maps that are kept.
 *
 * The table's reader is the program in the kernel; here an independent walk over the buckets, written from abi.h, must
 * find what was set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/hash.h"
#include "tests/unit/scratch.h"
#include "userspace/lib/maps.h"

/* ---- rates ---------------------------------------------------------------------------------- */

static void test_rate_is_rate_times_ladder(void **state)
{
	struct dg_rate rate;

	(void)state;
	dg_rate_make(100, 200, DG_IPV4, &rate);
	assert_int_equal(rate.cost[0], 10000000 / 16);	   /* 10 ms in ticks of 16 ns */
	assert_int_equal(rate.cost[1], (312500 + 8) / 16); /* 1e9 / 3200 */
	assert_int_equal(rate.cost[4], 0);		   /* IPv4 has four rungs */
	assert_int_equal(rate.ceiling, 200 * rate.cost[0]);
	dg_rate_make(100, 200, DG_IPV6, &rate);
	assert_int_equal(rate.cost[1], 5000000 / 16);
	assert_int_equal(rate.cost[4], (156250 + 8) / 16);
}

static void test_rate_off_charges_nothing(void **state)
{
	struct dg_rate rate;
	__u64 per_sec = 1, burst = 1;

	(void)state;
	dg_rate_make(0, 200, DG_IPV4, &rate);
	for (int rung = 0; rung < DG_RUNGS_MAX; rung++)
		assert_int_equal(rate.cost[rung], 0);
	dg_rate_read(&rate, &per_sec, &burst);
	assert_int_equal(per_sec, 0);
	assert_int_equal(burst, 0);
}

/* However fast: a cost of 0 would mean "not charged". */
static void test_rate_costs_at_least_a_tick(void **state)
{
	struct dg_rate rate;

	(void)state;
	dg_rate_make(1000000, 1, DG_IPV4, &rate);
	assert_int_equal(rate.cost[3], 1); /* 768 million a second would be 0.08 ticks */
}

static void test_rate_reads_back(void **state)
{
	static const __u64 rates[] = { 1,   2,	 3,   7,    10,	  60,	 99,
				       100, 150, 333, 1000, 7777, 20000, 1000000 };
	struct dg_rate rate;
	__u64 per_sec, burst;

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		dg_rate_make(rates[i], 50, DG_IPV4, &rate);
		dg_rate_read(&rate, &per_sec, &burst);
		assert_int_equal(per_sec, rates[i]);
		assert_int_equal(burst, 50);
	}
}

static void test_budget(void **state)
{
	struct dg_settings settings = { 0 };

	(void)state;
	dg_budget_make(200000, &settings);
	assert_int_equal(settings.budget_cost, 313); /* 5000 ns = 312.5 ticks */
	assert_int_equal(settings.budget_ceiling, 100000000 / 16);
	assert_int_equal(dg_budget_read(&settings), 200000);
	dg_budget_make(2,
		       &settings); /* slower than one in the tenth of a second: still one at once */
	assert_int_equal(settings.budget_ceiling, settings.budget_cost);
	dg_budget_make(0, &settings);
	assert_int_equal(settings.budget_cost, 0);
	assert_int_equal(dg_budget_read(&settings), 0);
}

/* ---- service addresses ---------------------------------------------------------------------- */

static struct dg_addr addr(const char *text)
{
	__u8 bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		return dg_addr_from_v4(bytes);
	assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
	return dg_addr_from_v6(bytes);
}

static void test_addresses_are_the_sixteen_bytes(void **state)
{
	static const __u8 mapped[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
	struct dg_addr v4 = addr("192.0.2.1"), same = addr("::ffff:192.0.2.1");

	(void)state;
	assert_memory_equal(&v4, mapped, 16);
	assert_memory_equal(&v4, &same, 16);
}

static int world_make(void **state)
{
	struct dg_maps *maps = malloc(sizeof(*maps));
	struct dg_settings settings = { .abi_version = DG_ABI_VERSION, .limit_key = { 11, 13 } };

	*maps = DG_MAPS_NONE;
	*state = maps;
	maps->dg_settings =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_settings", 4, sizeof(settings), 1, NULL);
	maps->dg_services =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_services", 4,
			       sizeof(struct dg_service_bucket), DG_SERVICE_BUCKETS, NULL);
	maps->dg_svc_stats =
		bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "t_svc_stats", 4,
			       sizeof(struct dg_service_stats), DG_SERVICE_SLOTS, NULL);
	return maps->dg_settings < 0 ? 0 : dg_settings_write(maps, &settings);
}

static int world_end(void **state)
{
	dg_maps_close(*state);
	free(*state);
	return 0;
}

#define NEED_MAPS(maps)                                                                            \
	if ((maps)->dg_settings < 0) {                                                             \
		print_message("needs the right to make maps (root)\n");                            \
		skip();                                                                            \
	}

/* The reader of the contract: home bucket, then the next one. */
static __u32 kernel_flags(const struct dg_maps *maps, struct dg_addr wanted)
{
	const __u64 key[2] = { 11, 13 };
	__u32 home = (__u32)dg_hash_addr(wanted.hi, wanted.lo, key);
	struct dg_service_bucket bucket;

	for (__u32 step = 0; step < 2; step++) {
		__u32 at = (home + step) & (DG_SERVICE_BUCKETS - 1);

		assert_int_equal(bpf_map_lookup_elem(maps->dg_services, &at, &bucket), 0);
		for (int way = 0; way < DG_SERVICE_WAYS; way++)
			if (bucket.flags[way] && bucket.addr[way].hi == wanted.hi &&
			    bucket.addr[way].lo == wanted.lo)
				return bucket.flags[way];
	}
	return 0;
}

static void test_service_set_and_clear(void **state)
{
	const struct dg_maps *maps = *state;
	__u32 slot, again, flags;

	NEED_MAPS(maps);
	assert_int_equal(dg_service_set(maps, addr("192.0.2.1"), DG_SVC_GUARDED, &slot), 0);
	assert_int_equal(kernel_flags(maps, addr("192.0.2.1")), DG_SVC_GUARDED);
	assert_int_equal(kernel_flags(maps, addr("192.0.2.2")), 0);
	assert_int_equal(dg_service_set(maps, addr("192.0.2.1"), DG_SVC_OWN, &again), 0);
	assert_int_equal(again, slot); /* keeps its place, and so its counters */
	assert_int_equal(kernel_flags(maps, addr("192.0.2.1")), DG_SVC_OWN);
	assert_int_equal(dg_service_get(maps, addr("192.0.2.1"), &flags, &slot), 0);
	assert_int_equal(flags, DG_SVC_OWN);
	assert_int_equal(dg_service_clear(maps, addr("192.0.2.1")), 0);
	assert_int_equal(kernel_flags(maps, addr("192.0.2.1")), 0);
	assert_int_equal(dg_service_clear(maps, addr("192.0.2.1")), -ENOENT);
}

static int count_visit(struct dg_addr a, __u32 flags, __u32 slot, void *arg)
{
	(void)a;
	(void)flags;
	(void)slot;
	(*(int *)arg)++;
	return 0;
}

/* Until two buckets are full: what was accepted is found, what was not is refused and leaves no trace. */
static void test_service_table_fills_honestly(void **state)
{
	const struct dg_maps *maps = *state;
	int accepted = 0, seen = 0, status = 0;
	struct dg_addr one;

	NEED_MAPS(maps);
	for (__u32 i = 1; !status; i++) {
		one = addr("2001:db8::");
		one.lo = (__u64)i << 32;
		status = dg_service_set(maps, one, DG_SVC_GUARDED, NULL);
		accepted += !status;
		assert_int_equal(kernel_flags(maps, one), status ? 0 : DG_SVC_GUARDED);
	}
	assert_int_equal(status, -ENOSPC);
	assert_true(accepted > DG_SERVICE_SLOTS / 4);
	assert_int_equal(dg_service_each(maps, count_visit, &seen), 0);
	assert_int_equal(seen, accepted);
}

static void test_service_slot_starts_at_zero(void **state)
{
	const struct dg_maps *maps = *state;
	struct dg_service_stats stats[1024] = { { .syn = 7 } };
	__u32 slot, second;

	NEED_MAPS(maps);
	assert_int_equal(dg_service_set(maps, addr("192.0.2.1"), DG_SVC_GUARDED, &slot), 0);
	assert_int_equal(bpf_map_update_elem(maps->dg_svc_stats, &slot, stats, BPF_ANY), 0);
	assert_int_equal(dg_service_clear(maps, addr("192.0.2.1")), 0);
	assert_int_equal(dg_service_set(maps, addr("192.0.2.1"), DG_SVC_GUARDED, &second), 0);
	assert_int_equal(second, slot);
	assert_int_equal(bpf_map_lookup_elem(maps->dg_svc_stats, &slot, stats), 0);
	assert_int_equal(stats[0].syn, 0);
}

/* ---- layout versions ------------------------------------------------------------------------ */

static void test_other_layouts_are_refused(void **state)
{
	struct dg_maps *maps = *state;
	struct dg_settings settings = { .abi_version = DG_ABI_VERSION + 1 };
	struct dg_error err = { .text = "" };
	__u32 zero = 0, longer[sizeof(settings) / 4 + 2] = { DG_ABI_VERSION };
	dg_scoped_fd int other = -1;

	NEED_MAPS(maps);
	assert_int_equal(dg_abi_check(maps->dg_settings, &err), 0);
	assert_int_equal(dg_settings_write(maps, &settings), 0);
	assert_int_equal(dg_abi_check(maps->dg_settings, &err), -EPROTO);
	assert_non_null(strstr(err.text, "dnsguard detach --all --purge"));
	/* The same number on another size is another layout all the same. */
	other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_longer", 4, sizeof(longer), 1, NULL);
	assert_int_equal(bpf_map_update_elem(other, &zero, longer, BPF_ANY), 0);
	assert_int_equal(dg_abi_check(other, &err), -EPROTO);
}

/* ---- kept from one look to the next ----------------------------------------------------------- */

/* A set as a loader pins it, under this name of a bpffs: all maps are like the settings, whose version is looked at. */
static void set_pin(const char *bpffs, const char *name)
{
	const struct dg_settings settings = { .abi_version = DG_ABI_VERSION };
	char path[512];
	__u32 zero = 0;

	snprintf(path, sizeof(path), "%s/%s", bpffs, name);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < DG_MAP_COUNT; i++) {
		dg_scoped_fd int fd =
			bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_kept", 4, sizeof(settings), 1, NULL);

		assert_int_equal(bpf_map_update_elem(fd, &zero, &settings, BPF_ANY), 0);
		snprintf(path, sizeof(path), "%s/%s/%s", bpffs, name, dg_map_names[i]);
		assert_int_equal(bpf_obj_pin(fd, path), 0);
	}
}

static __u32 id_of(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	return info.id;
}

static void set_rename(const char *bpffs, const char *from, const char *to)
{
	char old[512], new[512];

	snprintf(old, sizeof(old), "%s/%s", bpffs, from);
	snprintf(new, sizeof(new), "%s/%s", bpffs, to);
	assert_int_equal(rename(old, new), 0);
}

static void test_maps_are_kept_until_others_take_their_place(void **state)
{
	struct dg_maps_kept kept = { .ino = 0 };
	char bpffs[256];
	__u32 first;
	int fd;

	NEED_MAPS((struct dg_maps *)*state);
	assert_int_equal(dg_scratch_make(bpffs, sizeof(bpffs), "kept"), 0);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("bpf", bpffs, "bpf", 0, NULL), 0);
	assert_int_equal(dg_maps_keep(bpffs, &kept), -ENOENT);
	set_pin(bpffs, "dnsguard");
	assert_int_equal(dg_maps_keep(bpffs, &kept), 0);
	first = id_of(kept.maps.dg_own);
	fd = kept.maps.dg_own;
	assert_int_equal(dg_maps_keep(bpffs, &kept), 0);
	assert_int_equal(id_of(fd), first);
	assert_int_equal(kept.maps.dg_own, fd);
	set_pin(bpffs, "other");
	set_rename(bpffs, "dnsguard", "before");
	assert_int_equal(dg_maps_keep(bpffs, &kept), -ENOENT);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* what is gone is held by nobody */
	set_rename(bpffs, "other", "dnsguard");
	assert_int_equal(dg_maps_keep(bpffs, &kept), 0);
	assert_int_not_equal(id_of(kept.maps.dg_own), first);
	dg_maps_let_go(&kept);
	dg_maps_let_go(&kept); /* there is nothing to let go any more */
	assert_int_equal(umount(bpffs), 0);
	assert_int_equal(rmdir(bpffs), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_is_rate_times_ladder),
		cmocka_unit_test(test_rate_off_charges_nothing),
		cmocka_unit_test(test_rate_costs_at_least_a_tick),
		cmocka_unit_test(test_rate_reads_back),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_addresses_are_the_sixteen_bytes),
		cmocka_unit_test_setup_teardown(test_service_set_and_clear, world_make, world_end),
		cmocka_unit_test_setup_teardown(test_service_table_fills_honestly, world_make,
						world_end),
		cmocka_unit_test_setup_teardown(test_service_slot_starts_at_zero, world_make,
						world_end),
		cmocka_unit_test_setup_teardown(test_other_layouts_are_refused, world_make,
						world_end),
		cmocka_unit_test_setup_teardown(test_maps_are_kept_until_others_take_their_place,
						world_make, world_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
