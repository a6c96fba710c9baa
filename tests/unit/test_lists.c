// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_lists.c - lists without a guard: what may be said of one, when it is due, and what a helper is left with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace/dnsguard/progress.h"
#include "userspace/fetch/fetch.h"
#include "userspace/lists/lists.h"
#include "userspace/lib/maps.h"
#include "userspace/lists/child.h"

#define DAY 86400ull

/* ---- words ---------------------------------------------------------------------------------- */

static void primaries(void **state)
{
	static const struct {
		const char *source, *host, *port, *zone; /* host NULL = refused */
	} rows[] = {
		{ "axfr://192.0.2.1/rpz.example", "192.0.2.1", "53", "rpz.example" },
		{ "axfr://192.0.2.1:5353/rpz.example.", "192.0.2.1", "5353", "rpz.example." },
		{ "axfr://[2001:db8::1]/x", "2001:db8::1", "53", "x" },
		{ "axfr://[2001:db8::1]:5300/x", "2001:db8::1", "5300", "x" },
		{ "axfr://2001:db8::1/x", NULL, NULL, NULL },
		{ "axfr://[2001:db8::1/x", NULL, NULL, NULL },
		{ "axfr://[2001:db8::1]5300/x", NULL, NULL, NULL },
		{ "axfr://192.0.2.1:/x", NULL, NULL, NULL },
		{ "axfr://192.0.2.1:65536/x", NULL, NULL, NULL },
		{ "axfr://ns.example/x", NULL, NULL, NULL },
		{ "axfr:///x", NULL, NULL, NULL },
		{ "axfr://192.0.2.1/", NULL, NULL, NULL },
		{ "axfr://192.0.2.1/a..b", NULL, NULL, NULL },
	};
	struct dg_list_axfr axfr;
	struct dg_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = dg_list_axfr_parse(rows[i].source, &axfr, &err);

		print_message("# %s\n", rows[i].source);
		assert_int_equal(rc, rows[i].host ? 0 : -EINVAL);
		if (rc)
			continue;
		assert_string_equal(axfr.host, rows[i].host);
		assert_string_equal(axfr.port, rows[i].port);
		assert_string_equal(axfr.zone, rows[i].zone);
	}
}

static void a_relative_path_becomes_absolute(void **state)
{
	struct dg_list_spec spec = { .name = "" };
	char cwd[PATH_MAX], wanted[2 * PATH_MAX];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	snprintf(wanted, sizeof(wanted), "%s/feeds/a", cwd);
	assert_int_equal(dg_list_source_set(&spec, "feeds/a", NULL), 0);
	assert_string_equal(spec.source, wanted);
	assert_int_equal(dg_list_kind_of(&spec), DG_LIST_PATH);
	assert_int_equal(dg_list_source_set(&spec, "HTTPS://lists.example/a", NULL), 0);
	assert_int_equal(dg_list_kind_of(&spec), DG_LIST_URL);
}

static void precedence_is_order(void **state)
{
	struct dg_registry *registry = calloc(1, sizeof(*registry));
	struct dg_list_spec spec = { .name = "a" };

	(void)state;
	assert_int_equal(dg_registry_add(registry, &spec, false, NULL), 0);
	strcpy(spec.name, "b");
	assert_int_equal(dg_registry_add(registry, &spec, true, NULL), 0);
	strcpy(spec.name, "c");
	assert_int_equal(dg_registry_add(registry, &spec, false, NULL), 0);
	assert_int_equal(dg_registry_add(registry, &spec, false, NULL), -EEXIST);
	assert_string_equal(registry->list[0].name, "b");
	dg_registry_remove(registry, "a");
	dg_registry_remove(registry, "a");
	assert_int_equal(registry->lists, 2);
	assert_string_equal(registry->list[1].name, "c");
	while (registry->lists < DG_LISTS_MAX) {
		snprintf(spec.name, sizeof(spec.name), "n%u", registry->lists);
		assert_int_equal(dg_registry_add(registry, &spec, true, NULL), 0);
	}
	strcpy(spec.name, "more");
	assert_int_equal(dg_registry_add(registry, &spec, true, NULL), -ENOSPC);
	free(registry);
}

/* ---- when ----------------------------------------------------------------------------------- */

static __u64 due(const char *source, struct dg_list_meta meta, __u64 refresh_sec)
{
	struct dg_list_spec spec = { .refresh_sec = refresh_sec };

	strcpy(spec.source, source);
	return dg_list_due(&spec, &meta);
}

static void when_a_list_is_due(void **state)
{
	const char *url = "https://lists.example/a";
	struct dg_list_meta good = { .fetched = 1000, .attempted = 1000 };
	struct dg_list_meta content = { .fetched = 1000, .interval_sec = 4 * DAY };
	struct dg_list_meta header = { .fetched = 1000, .expires = 1000 + 7200 };
	struct dg_list_meta hasty = { .fetched = 1000, .interval_sec = 1 };
	struct dg_list_meta lazy = { .fetched = 1000, .interval_sec = 300 * DAY };
	struct dg_list_meta bad = { .fetched = 1000, .attempted = 5000, .failures = 1 };

	(void)state;
	assert_int_equal(due("/a", good, 0), 0); /* watched, not timed */
	assert_int_equal(due(url, good, 0), 1000 + DAY);
	assert_int_equal(due(url, content, 0), 1000 + 4 * DAY);
	assert_int_equal(due(url, header, 0), 1000 + 7200);
	assert_int_equal(due(url, content, 3600), 1000 + 3600); /* the operator's word counts */
	assert_int_equal(due(url, hasty, 0), 1000 + DG_LIST_REFRESH_MIN_SEC);
	assert_int_equal(due(url, lazy, 0), 1000 + 7 * DAY);
	assert_int_equal(due(url, bad, 0), 5000 + 600);
	bad.failures = 3;
	assert_int_equal(due(url, bad, 0), 5000 + 2400);
	bad.failures = 1000;
	assert_int_equal(due(url, bad, 0), 5000 + 300 * 256);
	assert_int_equal(due(url, bad, 3600), 5000 + 3600); /* never rarer than without failures */
}

static void what_a_list_says_of_itself(void **state)
{
	static const struct {
		const char *head;
		__u64 seconds;
	} rows[] = {
		{ "[Adblock Plus]\n! Title: x\n! Expires: 4 days (update frequency)\n", 4 * DAY },
		{ "! Expires: 1 day\r\n", DAY },
		{ "# Expires: 12 hours\n", 12 * 3600 },
		{ "; expires: 90 minutes\n", 5400 },
		{ "!Expires:2d\n", 2 * DAY },
		{ "! Expires: 3\n", 3 * DAY },
		{ "! Expires: 99999 weeks\n", 30 * DAY },
		{ "! Expires: soon\n", 0 },
		{ "! Expires: 4 fortnights\n", 0 },
		{ "! Expires: 0 days\n", 0 },
		{ "Expires: 4 days\n", 0 }, /* no comment */
		{ "", 0 },
		{ "! Expires: 1 hour", 3600 }, /* no line end */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("# %s\n", rows[i].head);
		assert_int_equal(dg_fetch_expires(rows[i].head, strlen(rows[i].head)),
				 rows[i].seconds);
	}
	assert_int_equal(dg_fetch_max_age("public, max-age=600"), 600);
	assert_int_equal(dg_fetch_max_age("no-cache, max-age=600"), 0);
	assert_int_equal(dg_fetch_max_age("max-age=99999999999"), 30 * DAY);
	assert_int_equal(dg_fetch_max_age("max-age=x"), 0);
}

/* ---- how far -------------------------------------------------------------------------------- */

static void the_line_says_it_all(void **state)
{
	const struct dg_update_progress now = { .phase = "read",
						.list = "ads",
						.bytes = 5 << 20,
						.bytes_total = 10 << 20,
						.lines = 200000,
						.accepted = 1500000,
						.folded = 40000,
						.rejected = 7 };
	const struct dg_update_progress memory = { .phase = "memory",
						   .memory_needed = 100 << 20,
						   .memory_allowed = 2ull << 30 };
	char text[512];

	(void)state;
	assert_string_equal(dg_progress_text(&now, 2000000000, text, sizeof(text)),
			    "read ads [#####.....] 50% 5.0 MiB of 10.0 MiB, 3s left, 100k lines/s, "
			    "1.50M accepted, 40k folded, 7 rejected");
	assert_string_equal(dg_progress_text(&memory, 0, text, sizeof(text)),
			    "memory needed 100.0 MiB, allowed 2.0 GiB");
}

/* What was printed to a file that is no terminal. */
static size_t printed(FILE *file)
{
	fflush(file);
	return (size_t)ftell(file);
}

static void a_line_each_ten_seconds(void **state)
{
	const struct dg_update_progress now = { .phase = "read", .list = "ads", .bytes = 1 };
	const __u64 second = 1000000000;
	struct dg_progress progress;
	FILE *file = tmpfile();
	size_t once;

	(void)state;
	dg_progress_begin(&progress, file);
	dg_progress_show(&now, &progress);
	assert_int_equal(printed(file), 0); /* short work is not spoken of */
	progress.started_ns -= 9 * second;
	progress.shown_ns -= 9 * second;
	dg_progress_show(&now, &progress);
	assert_int_equal(printed(file), 0);
	progress.shown_ns -= 2 * second;
	dg_progress_show(&now, &progress);
	once = printed(file);
	assert_true(once > 0);
	dg_progress_show(&now, &progress);
	dg_progress_end(&progress);
	assert_int_equal(printed(file), once);
	fclose(file);
}

/* An inode may use all 64 bits; JSON integers here have 63. */
static void a_large_inode_is_kept(void **state)
{
	const struct dg_list_meta before = { .fetched = 7, .content_inode = (1ull << 63) | 5 };
	struct dg_dir dir = DG_DIR_NONE;
	struct dg_list_meta after;
	char path[] = "/tmp/test-lists-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(path));
	assert_int_equal(dg_dir_open(path, &dir, NULL), 0);
	assert_int_equal(dg_list_meta_write(&dir, "meta.json", &before, NULL), 0);
	assert_int_equal(dg_list_meta_read(&dir, "meta.json", &after, NULL), 0);
	assert_true(after.content_inode == before.content_inode);
	assert_int_equal(after.fetched, 7);
	dg_dir_remove(&dir, "meta.json");
	dg_dir_close(&dir);
	rmdir(path);
}

/* What may hold a token is not shown. */
static void a_source_without_its_secrets(void **state)
{
	static const char *const pairs[][2] = {
		{ "/etc/list?x=y@z", "/etc/list?x=y@z" },
		{ "axfr://192.0.2.1:53/rpz.example", "axfr://192.0.2.1:53/rpz.example" },
		{ "https://a.example/b@c", "https://a.example/b@c" },
		{ "https://u:p@a.example/b", "https://***@a.example/b" },
		{ "https://u:p@q@a.example", "https://***@a.example" },
		{ "https://a.example?k=v", "https://a.example?k=***" },
		{ "https://a.example/?k=v=w&z&y=#t", "https://a.example/?k=***&***&y=***" },
		{ "https://a.example/#frag?k=v", "https://a.example/" },
		{ "https://a.example/x?", "https://a.example/x?***" },
	};
	char buf[DG_LIST_SOURCE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_string_equal(dg_list_source_text(pairs[i][0], buf), pairs[i][1]);
}

/* ---- helpers -------------------------------------------------------------------------------- */

/*
 * A shell beside this program, which is where helpers are looked for: a link, not a script, because nobody could not
 * open a script in a build below a home directory. The rest of the child is as the caller set it.
 */
static int script_run(struct dg_child *child, const char *body, struct dg_error *err)
{
	char self[PATH_MAX - 64], path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int rc;

	assert_true(len > 0);
	self[len] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(path, PATH_MAX, "%s/test-lists-helper", self);
	unlink(path);
	assert_int_equal(symlink("/bin/sh", path), 0);
	child->program = "test-lists-helper";
	child->cwd_fd = child->stdout_fd = -1;
	assert_int_equal(dg_child_word(child, "%s", child->program), 0);
	assert_int_equal(dg_child_word(child, "-c"), 0);
	assert_int_equal(dg_child_word(child, "%s", body), 0);
	rc = dg_child_run(child, err);
	unlink(path);
	return rc;
}

static void a_helper_has_nothing(void **state)
{
	dg_scoped_child struct dg_child child = { .seconds_max = 10 };
	struct dg_error err = { .text = "" };
	int open_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(
		script_run(&child,
			   "pwd; id -u; id -G; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status\n"
			   "ls /proc/self/fd | wc -l; env | grep -vE '^(PWD|SHLVL|_|OLDPWD)='",
			   &err),
		0);
	close(open_fd);
	if (geteuid())
		skip();
	/* ls has its directory open besides the three that everybody has */
	assert_string_equal(child.said,
			    "/\n65534\n65534\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n4\n");
}

static void a_helper_ends_in_time(void **state)
{
	dg_scoped_child struct dg_child child = { .seconds_max = 1 };
	struct dg_error err = { .text = "" };

	(void)state;
	assert_int_equal(script_run(&child, "exec sleep 60", &err), -ETIME);
	assert_non_null(strstr(err.text, "was not done within 1 s"));
}

static void a_helper_may_not_talk_for_ever(void **state)
{
	dg_scoped_child struct dg_child child = { .seconds_max = 30 };
	struct dg_error err = { .text = "" };

	(void)state;
	assert_int_equal(script_run(&child, "exec yes", &err), -EFBIG);
}

static void a_helper_complains(void **state)
{
	dg_scoped_child struct dg_child child = { .seconds_max = 10 };
	struct dg_error err = { .text = "" };

	(void)state;
	assert_int_equal(script_run(&child,
				    "echo first >&2; echo test-lists-helper: it rains >&2; exit 7",
				    &err),
			 0);
	assert_int_equal(child.exit_status, 7);
	assert_string_equal(child.complaint, "it rains");
}

static void a_helper_that_was_taken_over(void **state)
{
	dg_scoped_child struct dg_child child = { .seconds_max = 10 };
	struct dg_error err = { .text = "" };

	(void)state;
	assert_int_equal(script_run(&child, "printf 'all is \\033[2Jwell' >&2; exit 1", &err), 0);
	assert_string_equal(child.complaint, "\"all is \\x1b[2Jwell\"");
}

static void a_helper_that_dies(void **state)
{
	dg_scoped_child struct dg_child child = { .seconds_max = 10 };
	struct dg_error err = { .text = "" };

	(void)state;
	assert_int_equal(script_run(&child, "kill -SEGV $$", &err), -ECHILD);
	assert_non_null(strstr(err.text, "signal 11"));
}

static void a_helper_that_is_missing(void **state)
{
	dg_scoped_child struct dg_child child = {
		.program = "test-lists-not-there", .cwd_fd = -1, .stdout_fd = -1, .seconds_max = 1
	};
	struct dg_error err = { .text = "" };

	(void)state;
	assert_int_equal(dg_child_run(&child, &err), -ENOENT);
	assert_non_null(strstr(err.text, "test-lists-not-there is neither in"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_inode_is_kept),
		cmocka_unit_test(a_source_without_its_secrets),
		cmocka_unit_test(primaries),
		cmocka_unit_test(a_relative_path_becomes_absolute),
		cmocka_unit_test(precedence_is_order),
		cmocka_unit_test(when_a_list_is_due),
		cmocka_unit_test(what_a_list_says_of_itself),
		cmocka_unit_test(the_line_says_it_all),
		cmocka_unit_test(a_line_each_ten_seconds),
		cmocka_unit_test(a_helper_has_nothing),
		cmocka_unit_test(a_helper_ends_in_time),
		cmocka_unit_test(a_helper_may_not_talk_for_ever),
		cmocka_unit_test(a_helper_complains),
		cmocka_unit_test(a_helper_that_was_taken_over),
		cmocka_unit_test(a_helper_that_dies),
		cmocka_unit_test(a_helper_that_is_missing),
	};

	return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
