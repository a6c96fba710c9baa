// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_own.c - the operator's own entries: hash, filter, count and file stay in step.
 *
 * Runs on real maps of the kernel, made here and pinned nowhere; without the right to make maps
 * those tests are skipped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include <bpf/bpf.h>

#include "tests/unit/scratch.h"
#include "userspace/lib/own.h"

#define SEC 1000000000ull
#define FILTER_BITS (DG_OWN_FILTER_WORDS * 64)

static const __u64 key[4] = { 11, 22, 33, 44 };

struct world {
	struct dg_maps maps;
	char dir[32], file[40];
};

static int map_make(enum bpf_map_type type, __u32 key_size, __u32 value_size, __u32 entries,
		    __u32 flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);

	return bpf_map_create(type, "t_own", key_size, value_size, entries, &opts);
}

static __u64 filter[DG_OWN_FILTER_WORDS];

static int world_make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct dg_settings settings = { .abi_version = DG_ABI_VERSION };

	memcpy(settings.hash_key, key, sizeof(key));
	w->maps = DG_MAPS_NONE;
	w->maps.dg_settings = map_make(BPF_MAP_TYPE_ARRAY, 4, sizeof(settings), 1, 0);
	w->maps.dg_own = map_make(BPF_MAP_TYPE_HASH, sizeof(struct dg_name_key),
				  sizeof(struct dg_own), DG_OWN_MAX, BPF_F_NO_PREALLOC);
	w->maps.dg_own_filter = map_make(BPF_MAP_TYPE_ARRAY, 4, sizeof(filter), 1, BPF_F_MMAPABLE);
	if (dg_scratch_make(w->dir, sizeof(w->dir), "own"))
		return -1;
	snprintf(w->file, sizeof(w->file), "%s/own", w->dir);
	*state = w;
	return w->maps.dg_own < 0 ? 0 : dg_settings_write(&w->maps, &settings);
}

static int world_end(void **state)
{
	struct world *w = *state;

	unlink(w->file);
	rmdir(w->dir);
	dg_maps_close(&w->maps);
	free(w);
	return 0;
}

static struct world *world_of(void **state)
{
	struct world *w = *state;

	if (w->maps.dg_own < 0) {
		print_message("no right to make maps in the kernel: run as root\n");
		skip();
	}
	return w;
}

static struct dg_name name_of(const char *text)
{
	struct dg_error err;
	struct dg_name name;

	assert_int_equal(dg_name_parse(text, &name, &err), 0);
	return name;
}

static void block(struct world *w, const char *text, __u64 until_ns)
{
	struct dg_name name = name_of(text);
	struct dg_own entry;
	struct dg_error err;

	dg_own_default(&entry);
	entry.until_ns = until_ns;
	assert_int_equal(dg_own_set(&w->maps, &name, &entry, &err), 0);
}

static unsigned int count(struct world *w)
{
	struct dg_settings settings;

	assert_int_equal(dg_settings_read(&w->maps, &settings), 0);
	return settings.own_entries;
}

/* The filter as the program asks it. */
static int filter_says(struct world *w, const char *text)
{
	struct dg_name name = name_of(text);
	unsigned int bit = dg_hash_filter_bit(dg_name_hash(&name, key), FILTER_BITS),
		     word = bit / 64;
	assert_int_equal(bpf_map_lookup_elem(w->maps.dg_own_filter, &(unsigned int){ 0 }, filter),
			 0);
	return filter[word] >> bit % 64 & 1;
}

static int has(struct world *w, const char *text)
{
	struct dg_name name = name_of(text);
	struct dg_own entry;

	return dg_own_get(&w->maps, &name, &entry) == 0;
}

static void set_get_remove(void **state)
{
	struct world *w = world_of(state);
	struct dg_name name = name_of("a.example");
	struct dg_error err;
	struct dg_own entry;

	assert_false(filter_says(w, "a.example"));
	block(w, "a.example", 0);
	assert_true(filter_says(w, "a.example"));
	assert_int_equal(count(w), 1);
	block(w, "a.example", 5);
	assert_int_equal(count(w), 1);
	assert_int_equal(dg_own_get(&w->maps, &name, &entry), 0);
	assert_int_equal(entry.until_ns, 5);
	assert_int_equal(entry.name_len, name.len);
	assert_memory_equal(entry.name, name.wire, name.len);
	assert_false(has(w, "b.a.example"));

	assert_int_equal(dg_own_remove(&w->maps, &name, &err), 0);
	assert_int_equal(count(w), 0);
	assert_false(has(w, "a.example"));
	assert_int_equal(dg_own_remove(&w->maps, &name, &err), -ENOENT);
	assert_int_equal(err.status, DG_EXIT_NOT_FOUND);
	assert_int_equal(count(w), 0);
}

static unsigned int filter_word(const char *text)
{
	struct dg_name name = name_of(text);

	return dg_hash_filter_bit(dg_name_hash(&name, key), FILTER_BITS) / 64;
}

/* Two entries whose bits share a word of the filter: setting one keeps the other. */
static void neighbours_in_the_filter(void **state)
{
	struct world *w = world_of(state);
	char text[32];

	block(w, "first.example", 0);
	for (unsigned int i = 0;; i++) {
		snprintf(text, sizeof(text), "n%u.example", i);
		if (filter_word(text) == filter_word("first.example") && !filter_says(w, text))
			break;
	}
	block(w, text, 0);
	assert_true(filter_says(w, text));
	assert_true(filter_says(w, "first.example"));
}

static void tidy_keeps_what_holds(void **state)
{
	struct world *w = world_of(state);
	struct dg_name name = name_of("gone.example");
	struct dg_error err;

	block(w, "for.good.example", 0);
	block(w, "later.example", 2001);
	block(w, "now.example", 2000);
	block(w, "past.example", 1);
	block(w, "gone.example", 0);
	assert_int_equal(dg_own_remove(&w->maps, &name, &err), 0);
	assert_true(filter_says(w, "gone.example"));

	assert_int_equal(dg_own_tidy(&w->maps, 2000, &err), 2);
	assert_int_equal(count(w), 2);
	assert_true(has(w, "for.good.example") && filter_says(w, "for.good.example"));
	assert_true(has(w, "later.example") && filter_says(w, "later.example"));
	assert_false(has(w, "now.example") || filter_says(w, "now.example"));
	assert_false(has(w, "past.example") || filter_says(w, "past.example"));
	assert_false(filter_says(w, "gone.example"));
	assert_int_equal(dg_own_tidy(&w->maps, 2000, &err), 0);
}

static int count_visit(const struct dg_own *entry, void *arg)
{
	assert_true(entry->name_len > 1);
	++*(unsigned int *)arg;
	return 0;
}

static void full_table_is_told(void **state)
{
	struct world *w = world_of(state);
	struct dg_name name = name_of("one.more.example");
	unsigned int seen = 0;
	struct dg_error err;
	struct dg_own entry;
	char text[32];

	for (unsigned int i = 0; i < DG_OWN_MAX; i++) {
		snprintf(text, sizeof(text), "n%u.example", i);
		block(w, text, 0);
	}
	assert_int_equal(count(w), DG_OWN_MAX);
	dg_own_default(&entry);
	assert_int_equal(dg_own_set(&w->maps, &name, &entry, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "65536"));
	assert_int_equal(count(w), DG_OWN_MAX);
	block(w, "n7.example", 9); /* replacing needs no room */
	assert_int_equal(dg_own_each(&w->maps, count_visit, &seen), 0);
	assert_int_equal(seen, DG_OWN_MAX);
}

/* ---- the file ------------------------------------------------------------------------------- */

static void file_brings_all_back(void **state)
{
	struct world *w = world_of(state);
	struct dg_name allowed = name_of("ok.example"), later = name_of("later.example");
	__u64 deadline = dg_now_ns() + 3600 * SEC;
	struct dg_own entry;
	struct dg_error err;

	block(w, "for.good.example", 0);
	block(w, "later.example", deadline);
	block(w, "past.example", 1);
	dg_own_default(&entry);
	entry.answer.kind = DG_ANSWER_ALLOW;
	assert_int_equal(dg_own_reason_set(&entry, "ticket 7, see wiki", &err), 0);
	assert_int_equal(dg_own_set(&w->maps, &allowed, &entry, &err), 0);
	assert_int_equal(dg_own_save(&w->maps, w->dir, &err), 0);

	assert_int_equal(dg_own_remove(&w->maps, &allowed, &err), 0);
	assert_int_equal(dg_own_remove(&w->maps, &later, &err), 0);
	assert_int_equal(dg_own_tidy(&w->maps, 2, &err), 1);
	assert_int_equal(dg_own_restore(&w->maps, w->dir, &err), 0);
	assert_int_equal(count(w), 3);
	assert_false(has(w, "past.example"));
	assert_int_equal(dg_own_get(&w->maps, &allowed, &entry), 0);
	assert_int_equal(entry.answer.kind, DG_ANSWER_ALLOW);
	assert_string_equal(entry.reason, "ticket 7, see wiki");
	/* Saved in whole seconds, rounded up; the clocks are read anew. */
	assert_int_equal(dg_own_get(&w->maps, &later, &entry), 0);
	assert_in_range(entry.until_ns, deadline - SEC / 100, deadline + SEC + SEC / 100);
}

static void bad_file_changes_nothing(void **state)
{
	struct world *w = world_of(state);
	struct dg_error err;
	FILE *file = fopen(w->file, "w");

	fputs("# comment\nnxdomain 15 0 0 good.example\n\nnxdomain 15 0 0 bad..example\n", file);
	fclose(file);
	assert_int_equal(dg_own_restore(&w->maps, w->dir, &err), -EINVAL);
	assert_non_null(strstr(err.text, "own:4: name \"bad..example\""));
	assert_int_equal(count(w), 0);
}

static void no_file_is_no_error(void **state)
{
	struct world *w = world_of(state);
	struct dg_error err;

	assert_int_equal(dg_own_restore(&w->maps, w->dir, &err), 0);
	assert_int_equal(count(w), 0);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void lines_both_ways(void **state)
{
	static const char *const lines[] = {
		"nxdomain 15 0 1700000000 ads.example",
		"allow 15 0 1700000000 ok.example because",
		"192.0.2.1,2001:db8::1 17 1800000000 1700000000 a.example two words",
		"drop - 0 0 a\\032b.example",
	};
	char back[DG_OWN_LINE_MAX];
	struct dg_name name;
	struct dg_own entry;
	struct dg_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(dg_own_line_parse(lines[i], 1600000000 * SEC, &name, &entry, &err),
				 0);
		assert_string_equal(dg_own_line_text(&entry, 1600000000 * SEC, back), lines[i]);
	}
}

static void bad_lines_are_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"nxdomain",
		"nxdomain 15 0 0",
		"nxdomain  15 0 0 a.example",
		"what 15 0 0 a.example",
		"address 15 0 0 a.example",
		"nxdomain 256 0 0 a.example",
		"nxdomain 15 x 0 a.example",
		"nxdomain 15 18446744074 0 a.example",
		"nxdomain 15 0 0 a..example",
		"nxdomain 15 0 0 a.example \033[2J",
		"nxdomain 15 0 0 a.example 01234567890123456789012345678901"
		"23456789012345678901234567890123",
	};
	struct dg_name name;
	struct dg_own entry;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct dg_error err = { .text = "" };

		assert_int_equal(dg_own_line_parse(lines[i], 0, &name, &entry, &err), -EINVAL);
		assert_true(err.text[0]);
	}
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(set_get_remove),
		IN_WORLD(neighbours_in_the_filter),
		IN_WORLD(tidy_keeps_what_holds),
		IN_WORLD(full_table_is_told),
		IN_WORLD(file_brings_all_back),
		IN_WORLD(bad_file_changes_nothing),
		IN_WORLD(no_file_is_no_error),
		cmocka_unit_test(lines_both_ways),
		cmocka_unit_test(bad_lines_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
