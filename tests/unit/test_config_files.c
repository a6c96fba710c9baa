// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_config_files.c - several files as one configuration: who wins, who contradicts whom, what is
 * no part of it; and the whole printed, read back and compared.
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

#include "tests/unit/scratch.h"
#include "userspace/config/config.h"

static struct dg_config config;
static struct dg_error err;
static char dir[64], main_file[96];

static char *path_of(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
}

static int fresh_dir(void **state)
{
	(void)state;
	if (dg_scratch_make(dir, sizeof(dir), "config") || mkdir(path_of("conf.d"), 0755))
		return -1;
	snprintf(main_file, sizeof(main_file), "%s/c.yaml", dir);
	memset(&err, 0, sizeof(err));
	return 0;
}

static int remove_dir(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void load_good(void)
{
	if (dg_config_load(main_file, &config, &err))
		fail_msg("%s", err.text);
}

static void test_later_file_wins_and_lists_are_replaced(void **state)
{
	char text[300], want[300];

	(void)state;
	put("c.yaml",
	    "limits: {slip: 1, rate-limit: 5}\nclients: [192.0.2.0/24, 198.51.100.0/24]\n");
	put("conf.d/20-b.yaml", "limits:\n  slip: 3\n");
	put("conf.d/10-a.yaml", "limits: {slip: 2}\nclients: [203.0.113.0/24]\n");
	load_good();
	assert_int_equal(config.slip, 3);
	assert_int_equal(config.rate_limit, 5);
	assert_int_equal(config.client_count, 1);
	snprintf(want, sizeof(want), "%s/conf.d/20-b.yaml:2", dir);
	assert_string_equal(dg_config_origin_text(&config, DG_KEY_SLIP, text, sizeof(text)), want);
	snprintf(want, sizeof(want), "%s/c.yaml:1", dir);
	assert_string_equal(dg_config_origin_text(&config, DG_KEY_RATE_LIMIT, text, sizeof(text)),
			    want);
	assert_string_equal(dg_config_origin_text(&config, DG_KEY_BUDGET, text, sizeof(text)),
			    "default");
}

static void test_what_an_editor_leaves_is_no_part(void **state)
{
	(void)state;
	put("c.yaml", "limits: {slip: 1}\n");
	put("conf.d/a.yaml~", "nonsense");
	put("conf.d/.a.yaml", "nonsense");
	put("conf.d/a.yaml.dpkg-new", "nonsense");
	put("conf.d/.yaml", "nonsense");
	load_good();
	assert_int_equal(config.file_count, 1);
}

static void test_a_bad_part_is_named_and_refuses_the_whole(void **state)
{
	char want[300];

	(void)state;
	put("c.yaml", "limits: {slip: 1}\n");
	put("conf.d/a.yaml", "limits:\n  slip: 5000\n");
	memset(&config, 0x5a, sizeof(config));
	assert_int_equal(dg_config_load(main_file, &config, &err), -EINVAL);
	snprintf(want, sizeof(want), "%s/conf.d/a.yaml:2:9: limits.slip: \"5000\"", dir);
	assert_non_null(strstr(err.text, want));
	assert_int_equal(((unsigned char *)&config)[0], 0x5a);
}

static void test_a_part_that_is_no_file(void **state)
{
	(void)state;
	put("c.yaml", "");
	assert_int_equal(mkdir(path_of("conf.d/a.yaml"), 0755), 0);
	assert_int_equal(dg_config_load(main_file, &config, &err), -EINVAL);
	assert_non_null(strstr(err.text, "conf.d/a.yaml: a directory, a plain file is wanted"));
}

static void test_two_files_contradict_each_other(void **state)
{
	char want[300];

	(void)state;
	put("c.yaml", "\nanswers: {cookie-secret: 000102030405060708090a0b0c0d0e0f}\n");
	put("conf.d/a.yaml", "answers:\n\n  cookie-secret-file: /x\n");
	assert_int_equal(dg_config_load(main_file, &config, &err), -EINVAL);
	snprintf(want, sizeof(want),
		 "%s/conf.d/a.yaml:3:3: answers.cookie-secret-file: excludes answers.cookie-secret "
		 "(%s/c.yaml:2)",
		 dir, dir);
	assert_string_equal(err.text, want);
}

static void test_numbers_that_contradict_each_other(void **state)
{
	char want[300];

	(void)state;
	put("c.yaml", "tcp:\n  warning: {at: 90}\n");
	assert_int_equal(dg_config_load(main_file, &config, &err), -EINVAL);
	snprintf(want, sizeof(want),
		 "%s/c.yaml:2:13: tcp.warning.at: must be less than tcp.critical.at (default)",
		 dir);
	assert_string_equal(err.text, want);
	put("c.yaml", "tcp:\n  warning: {at: 60}\n");
	put("conf.d/a.yaml", "tcp: {critical: {at: 60}}\n");
	assert_int_equal(dg_config_load(main_file, &config, &err), -EINVAL);
	snprintf(
		want, sizeof(want),
		"%s/conf.d/a.yaml:1:18: tcp.critical.at: must be more than tcp.warning.at (%s/c.yaml:2)",
		dir, dir);
	assert_string_equal(err.text, want);
	put("conf.d/a.yaml", "tcp: {critical: {at: 61}}\n");
	load_good();
	put("conf.d/b.yaml", "tcp: {clear: {below: 50}, warning: {at: 50}}\n");
	assert_int_equal(dg_config_load(main_file, &config, &err), -EINVAL);
	assert_non_null(strstr(err.text, "must be more than tcp.clear.below"));
}

static void test_too_many_parts(void **state)
{
	char name[40];

	(void)state;
	put("c.yaml", "");
	for (int i = 0; i < DG_CONFIG_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "conf.d/%02d.yaml", i);
		put(name, "");
	}
	assert_int_equal(dg_config_load(main_file, &config, &err), -E2BIG);
	assert_non_null(strstr(err.text, "conf.d/63.yaml: one file too many"));
}

static void test_a_missing_main_file_is_an_error_even_with_parts(void **state)
{
	(void)state;
	put("conf.d/a.yaml", "limits: {slip: 7}\n");
	assert_int_equal(dg_config_load(main_file, &config, &err), -ENOENT);
}

static void test_lines_speak_the_files_language(void **state)
{
	char *lines;

	(void)state;
	put("c.yaml",
	    "interfaces: [eth0, {name: eth1, mode: generic, observe: true}]\n"
	    "service: {addresses: ['2001:db8::1']}\n"
	    "lists: {refresh: 90m, spread: 0s, max-memory: 1GiB, notify: ['a=[::1]:5300']}\n"
	    "answers: {cookie-secret: 000102030405060708090a0b0c0d0e0f}\n"
	    "alerts: {webhook: ['https://u:pw@hooks.example:8443/T0K/EN?x', 'http://[::1]/']}\n"
	    "tcp: {quotas: ['192.0.2.1:53=20', '[2001:DB8:0::1]:053=5'], warning: {at: 60}}\n"
	    "metrics: {listen: off}\n");
	load_good();
	lines = dg_config_lines(&config);
	assert_non_null(lines);
	assert_non_null(strstr(lines, "\ninterfaces[]: {name: eth0}\n"));
	assert_non_null(
		strstr(lines, "\ninterfaces[]: {name: eth1, mode: generic, observe: true}\n"));
	assert_non_null(strstr(lines, "\nservice.ports[]: 53\n"));
	assert_non_null(strstr(lines, "\nservice.addresses[]: '2001:db8::1'\n"));
	assert_non_null(strstr(lines, "\nlists.refresh: 90m\n"));
	assert_non_null(strstr(lines, "\nlists.spread: 0s\n"));
	assert_non_null(strstr(lines, "\nlists.max-memory: 1GiB\n"));
	assert_non_null(strstr(lines, "\nlists.notify[]: 'a=[::1]:5300'\n"));
	assert_non_null(strstr(lines, "\nlimits.memory: 8MiB\n"));
	assert_non_null(strstr(lines, "\nmetrics.listen: off\n"));
	assert_non_null(strstr(lines, "\nanswers.cookie-secret: (hidden)\n"));
	assert_null(strstr(lines, "0001020304"));
	assert_non_null(strstr(lines, "\nalerts.webhook[]: 'https://(hidden)@hooks.example:8443/"
				      "(hidden)'\nalerts.webhook[]: 'http://[::1]/'\n"));
	/* A listener is named as the kernel's are. */
	assert_non_null(strstr(lines, "\ntcp.quotas[]: '192.0.2.1:53=20'\n"
				      "tcp.quotas[]: '[2001:db8::1]:53=5'\n"));
	assert_non_null(strstr(lines, "\ntcp.warning.at: 60%\n"));
	free(lines);
}

/* Every default, printed, is the default as the table writes it. */
static void test_every_default_is_printed_as_it_is_written(void **state)
{
	char text[DG_CONFIG_TEXT_MAX];

	(void)state;
	dg_config_default(&config);
	for (unsigned int i = 0; i < DG_KEY_COUNT; i++) {
		const struct dg_config_key *key = &dg_config_keys[i];

		if (dg_config_key_is_list(key) && !key->fallback[0])
			continue;
		if (dg_config_key_is_list(key))
			dg_config_element_text(key, &config, 0, text, sizeof(text));
		else
			dg_config_value_text(key, &config, text, sizeof(text));
		if (key->type == DG_TYPE_PERCENT) /* the sign may be left out */
			text[strcspn(text, "%")] = '\0';
		assert_string_equal(text, key->fallback);
	}
}

static void collect(const char *change, void *arg)
{
	strcat(arg, change);
	strcat(arg, "|");
}

static void test_differences(void **state)
{
	char said[400] = "";

	(void)state;
	assert_int_equal(dg_config_diff("a: 1\na-b: 2\nl[]: x\nl[]: y\ngone: 5\n",
					"a: 10\na-b: 2\nl[]: y\nl[]: z\nnew: 6\n", collect, said),
			 5);
	assert_string_equal(said, "a: 1 -> 10|- gone: 5|- l[]: x|+ l[]: z|+ new: 6|");
	said[0] = '\0';
	assert_int_equal(dg_config_diff("b: 1\na: 1\n", "a: 1\nb: 1\n", collect, said), 0);
	assert_string_equal(said, "");
	assert_int_equal(dg_config_diff("", "", collect, said), 0);
	assert_int_equal(dg_config_diff("s: (hidden)\t1\nu[]: x\t2\nu[]: y\t3\n",
					"s: (hidden)\t4\nu[]: x\t2\nu[]: y\t5\nu[]: z\t6\n",
					collect, said),
			 3);
	assert_string_equal(said, "s: changed (hidden)|u[]: y: changed (hidden)|+ u[]: z|");
	said[0] = '\0';
	assert_int_equal(dg_config_diff("u[]: x\t2\nu[]: x\t4\n", "u[]: x\t4\nu[]: x\t5\n", collect,
					said),
			 1);
	assert_string_equal(said, "u[]: x: changed (hidden)|");
}

/* Which secret it is, and nothing of it; another key, another mark. */
static void test_marks_tell_secrets_apart(void **state)
{
	static const __u64 key[4] = { 1, 2, 3, 4 }, other[4] = { 1, 2, 3, 7 };
	static const char *const files[] = {
		"alerts: {webhook: ['https://h.example/a']}\n",
		"alerts: {webhook: ['https://h.example/b']}\n",
		"answers: {cookie-secret: 000102030405060708090a0b0c0d0e0f}\n",
		"answers: {cookie-secret: 000102030405060708090a0b0c0d0e1f}\n",
	};
	char *lines[4], *again, said[400] = "";

	(void)state;
	for (int i = 0; i < 4; i++) {
		put("c.yaml", files[i]);
		load_good();
		lines[i] = dg_config_lines_marked(&config, key);
		again = dg_config_lines_marked(&config, key);
		assert_string_equal(lines[i], again);
		free(again);
		again = dg_config_lines_marked(&config, other);
		assert_string_not_equal(lines[i], again);
		free(again);
	}
	assert_int_equal(dg_config_diff(lines[0], lines[1], collect, said), 1);
	assert_int_equal(dg_config_diff(lines[2], lines[3], collect, said), 1);
	assert_string_equal(said,
			    "alerts.webhook[]: 'https://h.example/(hidden)': changed (hidden)|"
			    "answers.cookie-secret: changed (hidden)|");
	for (int i = 0; i < 4; i++)
		free(lines[i]);
}

#define in_dir(test) cmocka_unit_test_setup_teardown(test, fresh_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_dir(test_later_file_wins_and_lists_are_replaced),
		in_dir(test_what_an_editor_leaves_is_no_part),
		in_dir(test_a_bad_part_is_named_and_refuses_the_whole),
		in_dir(test_a_part_that_is_no_file),
		in_dir(test_two_files_contradict_each_other),
		in_dir(test_numbers_that_contradict_each_other),
		in_dir(test_too_many_parts),
		in_dir(test_a_missing_main_file_is_an_error_even_with_parts),
		in_dir(test_marks_tell_secrets_apart),
		in_dir(test_lines_speak_the_files_language),
		cmocka_unit_test(test_every_default_is_printed_as_it_is_written),
		cmocka_unit_test(test_differences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
