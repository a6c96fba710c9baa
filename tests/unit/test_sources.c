// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_sources.c - what narrower prefixes inherit, on real tries of the kernel: the longest match alone must tell.
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

#include "tests/unit/scratch.h"
#include "userspace/lib/sources.h"

#define NS_PER_SEC 1000000000ull

struct world {
	struct dg_maps maps;
	char dir[40], file[64];
};

static int trie_make(size_t key_bytes)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);

	return bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "t_sources", (__u32)key_bytes,
			      sizeof(struct dg_source), 1024, &opts);
}

static int world_make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct dg_settings settings = { .abi_version = DG_ABI_VERSION };

	*state = w;
	w->maps = DG_MAPS_NONE;
	w->maps.dg_settings =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_settings", 4, sizeof(settings), 1, NULL);
	w->maps.dg_sources4 = trie_make(sizeof(struct dg_source_key_v4));
	w->maps.dg_sources6 = trie_make(sizeof(struct dg_source_key_v6));
	if (dg_scratch_make(w->dir, sizeof(w->dir), "sources"))
		return -1;
	snprintf(w->file, sizeof(w->file), "%s/sources", w->dir);
	return w->maps.dg_settings < 0 ? 0 : dg_settings_write(&w->maps, &settings);
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

static const struct dg_maps *need_maps(void **state)
{
	const struct world *w = *state;

	if (w->maps.dg_sources6 < 0) {
		print_message("needs the right to make maps (root)\n");
		skip();
	}
	return &w->maps;
}

static struct dg_prefix prefix(const char *text)
{
	struct dg_prefix parsed = { .bits = 0 };

	assert_int_equal(dg_prefix_parse(text, &parsed, NULL), 0);
	return parsed;
}

static void ban(const struct dg_maps *maps, const char *text, __u64 until_ns)
{
	struct dg_prefix p = prefix(text);

	assert_int_equal(dg_source_ban(maps, &p, until_ns, "why", NULL), 0);
}

static void exempt(const struct dg_maps *maps, const char *text, __u32 flags, __u64 until_ns)
{
	struct dg_prefix p = prefix(text);

	assert_int_equal(dg_source_exempt(maps, &p, (struct dg_exemption){ flags, until_ns }, NULL,
					  NULL),
			 0);
}

static int forget(const struct dg_maps *maps, const char *text)
{
	struct dg_prefix p = prefix(text);
	struct dg_error err = { .text = "" };
	int status = dg_source_forget(maps, &p, &err);

	if (status)
		assert_int_equal(err.status, DG_EXIT_NOT_FOUND);
	return status;
}

/* What the kernel's single lookup finds for one address; all 0 when nothing matches. */
static struct dg_source seen(const struct dg_maps *maps, const char *text)
{
	struct dg_source source = { 0 };
	struct dg_prefix p = prefix(text);
	const __u8 *bytes = (const __u8 *)&p.addr;
	struct dg_source_key_v4 v4 = { .bits = 32 };
	struct dg_source_key_v6 v6 = { .bits = 128 };

	memcpy(v4.addr, bytes + 12, 4);
	memcpy(v6.addr, bytes, 16);
	if (p.family == DG_IPV4)
		bpf_map_lookup_elem(maps->dg_sources4, &v4, &source);
	else
		bpf_map_lookup_elem(maps->dg_sources6, &v6, &source);
	return source;
}

static __u32 rules(const struct dg_maps *maps, enum dg_family family)
{
	struct dg_settings settings;

	assert_int_equal(dg_settings_read(maps, &settings), 0);
	return settings.source_rules[family];
}

static void test_ban_and_forget(void **state)
{
	const struct dg_maps *maps = need_maps(state);

	ban(maps, "192.0.2.0/24", DG_FOR_GOOD);
	assert_int_equal(seen(maps, "192.0.2.9").banned_until_ns, DG_FOR_GOOD);
	assert_int_equal(seen(maps, "192.0.3.9").banned_until_ns, 0);
	assert_int_equal(rules(maps, DG_IPV4), 1);
	assert_int_equal(rules(maps, DG_IPV6), 0);
	assert_int_equal(forget(maps, "192.0.2.0/25"), -ENOENT);
	assert_int_equal(forget(maps, "192.0.2.0/24"), 0);
	assert_int_equal(seen(maps, "192.0.2.9").banned_until_ns, 0);
	assert_int_equal(rules(maps, DG_IPV4), 0);
}

static void test_exemptions_add_up(void **state)
{
	const struct dg_maps *maps = need_maps(state);

	exempt(maps, "2001:db8::/32", DG_SRC_NO_SINKHOLE, 0);
	exempt(maps, "2001:db8:1::/48", DG_SRC_NO_LIMIT, 0);
	assert_int_equal(seen(maps, "2001:db8:1::1").flags, DG_SRC_NO_LIMIT | DG_SRC_NO_SINKHOLE);
	assert_int_equal(seen(maps, "2001:db8:2::1").flags, DG_SRC_NO_SINKHOLE);
	assert_int_equal(forget(maps, "2001:db8::/32"), 0);
	assert_int_equal(seen(maps, "2001:db8:1::1").flags, DG_SRC_NO_LIMIT);
}

/* The order in which things are said does not matter. */
static void test_ban_inside_an_exemption_keeps_it(void **state)
{
	const struct dg_maps *maps = need_maps(state);

	ban(maps, "192.0.2.1", 1000);
	exempt(maps, "192.0.2.0/24", DG_SRC_NO_LIMIT, 0);
	assert_int_equal(seen(maps, "192.0.2.1").flags,
			 DG_SRC_NO_LIMIT); /* holds once the ban is over */
	assert_int_equal(seen(maps, "192.0.2.1").banned_until_ns, 1000);
	assert_int_equal(seen(maps, "192.0.2.2").banned_until_ns, 0);
}

/* Else a short ban of one address would end the ban of its network for it. */
static void test_wider_ban_holds_below(void **state)
{
	const struct dg_maps *maps = need_maps(state);

	ban(maps, "192.0.2.1", 1000);
	ban(maps, "192.0.2.0/24", 5000);
	ban(maps, "192.0.2.2", 9000);
	assert_int_equal(seen(maps, "192.0.2.1").banned_until_ns, 5000);
	assert_int_equal(seen(maps, "192.0.2.2").banned_until_ns, 9000);
	assert_int_equal(forget(maps, "192.0.2.0/24"), 0);
	assert_int_equal(seen(maps, "192.0.2.1").banned_until_ns, 1000);
	assert_int_equal(seen(maps, "192.0.2.3").banned_until_ns, 0);
}

static void test_exempt_inside_a_ban_is_not_banned(void **state)
{
	const struct dg_maps *maps = need_maps(state);

	ban(maps, "192.0.0.0/16", DG_FOR_GOOD);
	exempt(maps, "192.0.2.0/24", DG_SRC_NO_LIMIT | DG_SRC_NO_SINKHOLE, 0);
	exempt(maps, "192.0.3.0/24", DG_SRC_NO_SINKHOLE, 0); /* says nothing about bans */
	assert_int_equal(seen(maps, "192.0.2.1").banned_until_ns, 0);
	assert_int_equal(seen(maps, "192.0.3.1").banned_until_ns, DG_FOR_GOOD);
	ban(maps, "192.0.2.7", 1000); /* the more specific word again */
	assert_int_equal(seen(maps, "192.0.2.7").banned_until_ns, 1000);
}

static void test_tidy_removes_what_ended(void **state)
{
	const struct dg_maps *maps = need_maps(state);

	ban(maps, "192.0.2.1", 1000);
	ban(maps, "192.0.2.2", 3000);
	exempt(maps, "192.0.2.0/24", DG_SRC_NO_LIMIT, 1500);
	exempt(maps, "2001:db8::/32", DG_SRC_NO_LIMIT, 0);
	assert_int_equal(dg_sources_tidy(maps, 2000, NULL), 2);
	assert_int_equal(rules(maps, DG_IPV4), 1);
	assert_int_equal(seen(maps, "192.0.2.2").flags, 0); /* inherited from what is gone */
	assert_int_equal(seen(maps, "192.0.2.2").banned_until_ns, 3000);
	assert_int_equal(seen(maps, "2001:db8::1").flags, DG_SRC_NO_LIMIT);
	assert_int_equal(dg_sources_tidy(maps, 2000, NULL), 0);
}

static void test_clients_are_exactly_these(void **state)
{
	const struct dg_maps *maps = need_maps(state);
	const struct dg_prefix first[] = { prefix("192.0.2.0/24"), prefix("2001:db8::/32") };
	const struct dg_prefix second[] = { prefix("198.51.100.0/24") };

	ban(maps, "192.0.2.1", 1000);
	assert_int_equal(dg_sources_clients(maps, first, 2, NULL), 0);
	assert_int_equal(seen(maps, "192.0.2.1").flags, DG_SRC_CLIENT);
	assert_int_equal(seen(maps, "2001:db8::1").flags, DG_SRC_CLIENT);
	assert_int_equal(forget(maps, "192.0.2.0/24"), -ENOENT); /* no ban, no exemption there */
	assert_int_equal(dg_sources_clients(maps, second, 1, NULL), 0);
	assert_int_equal(seen(maps, "192.0.2.1").flags, 0);
	assert_int_equal(seen(maps, "192.0.2.1").banned_until_ns, 1000);
	assert_int_equal(seen(maps, "198.51.100.1").flags, DG_SRC_CLIENT);
	assert_int_equal(rules(maps, DG_IPV6), 0);
}

static void test_everything_and_one_address(void **state)
{
	const struct dg_maps *maps = need_maps(state);

	ban(maps, "0.0.0.0/0", 7000);
	exempt(maps, "255.255.255.255", DG_SRC_NO_SINKHOLE, 0);
	assert_int_equal(seen(maps, "10.1.2.3").banned_until_ns, 7000);
	assert_int_equal(seen(maps, "255.255.255.255").banned_until_ns, 7000);
	assert_int_equal(seen(maps, "::1").banned_until_ns, 0);
}

static void test_full_table_changes_nothing(void **state)
{
	const struct dg_maps *maps = need_maps(state);
	struct dg_prefix p = prefix("10.0.0.0");
	struct dg_error err = { .text = "" };
	__u8 *bytes = (__u8 *)&p.addr;
	int status = 0;

	for (int i = 0; !status && i < 1100; i++) {
		bytes[14] = (__u8)(i >> 8);
		bytes[15] = (__u8)i;
		/* Straight into the trie: filling it through the front door takes n squared. */
		if (i < 1023) {
			struct dg_source_key_v4 key = { .bits = 32,
							.addr = { 10, 0, bytes[14], bytes[15] } };
			struct dg_source source = { .own_banned_until_ns = 5,
						    .banned_until_ns = 5 };

			assert_int_equal(
				bpf_map_update_elem(maps->dg_sources4, &key, &source, BPF_ANY), 0);
			continue;
		}
		status = dg_source_ban(maps, &p, 9, NULL, &err);
	}
	assert_int_equal(status, -ENOSPC);
	assert_non_null(strstr(err.text, "full"));
	assert_int_equal(seen(maps, "10.0.0.1").banned_until_ns, 5);
}

/* ---- the file ------------------------------------------------------------------------------- */

#define OFFSET (1700000000ull * NS_PER_SEC)

static void line_survives(const char *line)
{
	struct dg_source_entry entry;
	char again[DG_SOURCE_LINE_MAX];
	struct dg_error err = { .text = "" };

	if (dg_source_line_parse(line, OFFSET, &entry, &err))
		fail_msg("\"%s\": %s", line, err.text);
	assert_string_equal(dg_source_line_text(&entry, OFFSET, again), line);
}

static void test_lines(void **state)
{
	(void)state;
	line_survives("192.0.2.0/24 ever no 0");
	line_survives("192.0.2.1 1700000060 no 0 flood of last night");
	line_survives("2001:db8::/32 0 limits 1700000060");
	line_survives("2001:db8::1 0 both 0 our monitoring");
}

static void line_refused(const char *line)
{
	struct dg_source_entry entry;
	struct dg_error err = { .text = "" };

	if (!dg_source_line_parse(line, OFFSET, &entry, &err))
		fail_msg("\"%s\" is accepted", line);
	assert_true(err.text[0]);
}

static void test_lines_refused(void **state)
{
	(void)state;
	line_refused("192.0.2.0/24 ever no");
	line_refused("192.0.2.0/33 ever no 0");
	line_refused("192.0.2.0/24 soon no 0");
	line_refused("192.0.2.0/24 ever perhaps 0");
	line_refused("192.0.2.0/24 ever no -1");
}

static void test_saved_is_restored(void **state)
{
	const struct world *w = *state;
	const struct dg_maps *maps = need_maps(state);
	__u64 until_ns = dg_now_ns() + 3600 * NS_PER_SEC;
	struct dg_prefix client = prefix("203.0.113.0/24");

	ban(maps, "192.0.2.0/24", until_ns);
	ban(maps, "198.51.100.1", 1); /* a deadline before this boot: must not come back */
	exempt(maps, "2001:db8::/32", DG_SRC_NO_LIMIT, 0);
	assert_int_equal(dg_sources_clients(maps, &client, 1, NULL), 0);
	assert_int_equal(dg_sources_save(maps, w->dir, NULL), 0);
	assert_int_equal(forget(maps, "192.0.2.0/24"), 0);
	assert_int_equal(forget(maps, "198.51.100.1"), 0);
	assert_int_equal(forget(maps, "2001:db8::/32"), 0);
	assert_int_equal(dg_sources_restore(maps, w->dir, NULL), 0);
	assert_in_range(seen(maps, "192.0.2.1").banned_until_ns, until_ns - NS_PER_SEC,
			until_ns + 2 * NS_PER_SEC);
	assert_string_equal(seen(maps, "192.0.2.1").reason, "why");
	assert_int_equal(rules(maps, DG_IPV4), 2); /* it and the client */
	assert_int_equal(seen(maps, "2001:db8::1").flags, DG_SRC_NO_LIMIT);
}

static void test_no_file_is_no_failure(void **state)
{
	const struct world *w = *state;

	assert_int_equal(dg_sources_restore(need_maps(state), w->dir, NULL), 0);
}

static void test_broken_file_names_the_line(void **state)
{
	const struct world *w = *state;
	struct dg_error err = { .text = "" };
	FILE *file = fopen(w->file, "w");

	assert_non_null(file);
	fputs("# head\n192.0.2.1 ever no 0\nnonsense\n", file);
	fclose(file);
	assert_int_equal(dg_sources_restore(need_maps(state), w->dir, &err), -EINVAL);
	assert_non_null(strstr(err.text, "sources:3: "));
	assert_int_equal(seen(need_maps(state), "192.0.2.1").banned_until_ns,
			 0); /* all or nothing */
	assert_int_equal(rules(need_maps(state), DG_IPV4), 0);
}

/* An editor's hand: a prefix twice, in two orders, once as ban and once as exemption. */
static void test_a_prefix_twice(void **state)
{
	const struct world *w = *state;
	const struct dg_maps *maps = need_maps(state);
	FILE *file = fopen(w->file, "w");

	assert_non_null(file);
	fputs("192.0.2.1 9000000000 no 0 first\n198.51.100.1 0 limits 0 other\n"
	      "192.0.2.1 ever no 0 second\n192.0.2.1 0 sinkhole 0 third\n",
	      file);
	fclose(file);
	assert_int_equal(dg_sources_restore(maps, w->dir, NULL), 0);
	assert_int_equal(rules(maps, DG_IPV4), 2);
	assert_int_equal(seen(maps, "192.0.2.1").banned_until_ns, DG_FOR_GOOD);
	assert_int_equal(seen(maps, "192.0.2.1").flags, DG_SRC_NO_SINKHOLE);
	assert_string_equal(seen(maps, "192.0.2.1").reason, "third");
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_WORLD(test_ban_and_forget),
		IN_A_WORLD(test_exemptions_add_up),
		IN_A_WORLD(test_ban_inside_an_exemption_keeps_it),
		IN_A_WORLD(test_wider_ban_holds_below),
		IN_A_WORLD(test_exempt_inside_a_ban_is_not_banned),
		IN_A_WORLD(test_tidy_removes_what_ended),
		IN_A_WORLD(test_clients_are_exactly_these),
		IN_A_WORLD(test_everything_and_one_address),
		IN_A_WORLD(test_full_table_changes_nothing),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_lines_refused),
		IN_A_WORLD(test_saved_is_restored),
		IN_A_WORLD(test_no_file_is_no_failure),
		IN_A_WORLD(test_broken_file_names_the_line),
		IN_A_WORLD(test_a_prefix_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
