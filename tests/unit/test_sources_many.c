// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_sources_many.c - thousands of bans come back in time that grows as they do: a host under attack must not wait for its
 * guard.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/unit/scratch.h"
#include "userspace/lib/sources.h"

#ifndef MANY
#define MANY 20000
#endif
#define FEW (MANY / 20)
#define GROWTH_MAX 60 /* of 20 times as many; one by one it would be 400 */

struct world {
	struct dg_maps maps;
	char dir[40], file[64];
};

static int trie_make(size_t key_bytes)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);

	return bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "t_sources", (__u32)key_bytes,
			      sizeof(struct dg_source), DG_SOURCES_MAX, &opts);
}

static void maps_make(struct dg_maps *ret)
{
	struct dg_settings settings = { .abi_version = DG_ABI_VERSION };

	*ret = DG_MAPS_NONE;
	ret->dg_settings =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_settings", 4, sizeof(settings), 1, NULL);
	ret->dg_sources4 = trie_make(sizeof(struct dg_source_key_v4));
	ret->dg_sources6 = trie_make(sizeof(struct dg_source_key_v6));
	if (ret->dg_sources6 < 0) {
		print_message("needs the right to make maps (root)\n");
		skip();
	}
	assert_int_equal(dg_settings_write(ret, &settings), 0);
}

static int world_make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	w->maps = DG_MAPS_NONE;
	if (dg_scratch_make(w->dir, sizeof(w->dir), "sources"))
		return -1;
	snprintf(w->file, sizeof(w->file), "%s/sources", w->dir);
	return 0;
}

static int world_end(void **state)
{
	struct world *w = *state;

	dg_maps_close(&w->maps);
	unlink(w->file);
	rmdir(w->dir);
	free(w);
	return 0;
}

/* Hosts of both families in an order that is not theirs, each inside one of a few wider bans. */
static void file_write(const struct world *w, unsigned int count)
{
	FILE *file = fopen(w->file, "w");

	assert_non_null(file);
	for (unsigned int i = 0; i < count; i++) {
		unsigned int n = i * 7919 % MANY; /* a prime: every host once */

		if (i % 2)
			fprintf(file, "2001:db8:%x::%x ever no 0 flood\n", n / 256, n % 256 + 1);
		else
			fprintf(file, "10.%u.%u.1 ever no 0 flood\n", n / 256, n % 256);
	}
	fputs("2001:db8::/32 0 sinkhole 0\n10.0.0.0/8 0 sinkhole 0\n", file);
	fclose(file);
}

static struct dg_source seen(const struct dg_maps *maps, const char *text)
{
	struct dg_prefix prefix = { .bits = 0 };
	struct dg_source source = { 0 };
	struct dg_source_key_v4 key = { .bits = 32 };

	assert_int_equal(dg_prefix_parse(text, &prefix, NULL), 0);
	memcpy(key.addr, (const __u8 *)&prefix.addr + 12, sizeof(key.addr));
	bpf_map_lookup_elem(maps->dg_sources4, &key, &source);
	return source;
}

/* Of this process alone, in the kernel and outside: the machine may do what it likes meanwhile. */
static __u64 spent_ns(void)
{
	struct timespec spent;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	return (__u64)spent.tv_sec * 1000000000ull + (__u64)spent.tv_nsec;
}

/* All of them are there, and each inherits. Returns how much work it was. */
static __u64 restored_ns(struct world *w, unsigned int count)
{
	dg_scoped_free struct dg_source_entry *entries = NULL;
	__u64 began;

	file_write(w, count);
	maps_make(&w->maps);
	began = spent_ns();
	assert_int_equal(dg_sources_restore(&w->maps, w->dir, NULL), 0);
	began = spent_ns() - began;
	assert_int_equal(dg_sources_list(&w->maps, &entries), count + 2);
	assert_int_equal(seen(&w->maps, "10.0.0.1").banned_until_ns, DG_FOR_GOOD);
	assert_int_equal(seen(&w->maps, "10.0.0.1").flags, DG_SRC_NO_SINKHOLE);
	assert_int_equal(seen(&w->maps, "10.0.0.2").banned_until_ns, 0);
	dg_maps_close(&w->maps);
	return began;
}

/* The best of three: the machine is not ours alone. */
static __u64 best_ns(struct world *w, unsigned int count)
{
	__u64 best = ~0ull;

	for (int i = 0; i < 3; i++) {
		__u64 took = restored_ns(w, count);

		best = took < best ? took : best;
	}
	return best;
}

static void test_time_grows_with_their_number(void **state)
{
	__u64 few = best_ns(*state, FEW), many = best_ns(*state, MANY);

	print_message("%d bans in %llu us, %d in %llu us\n", FEW, (unsigned long long)few / 1000,
		      MANY, (unsigned long long)many / 1000);
	assert_in_range(many, 0, few * GROWTH_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_time_grows_with_their_number, world_make,
						world_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
