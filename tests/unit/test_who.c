// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_who.c - who made a change, for the log: what the environment says is believed only where the
 * kernel says nothing, and never printed unless it is a name. And which commands are logged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/who.h"

static char who[DG_WHO_MAX];

/* Has this session a login uid? Then SUDO_USER is not asked. */
static int has_login(void)
{
	unsigned long uid = 4294967295ul;
	FILE *file = fopen("/proc/self/loginuid", "r");

	if (file && fscanf(file, "%lu", &uid) != 1)
		uid = 4294967295ul;
	if (file)
		fclose(file);
	return uid != 4294967295ul;
}

static void test_sudo_tells_the_person(void **state)
{
	(void)state;
	if (has_login()) {
		print_message("skipped: this session has a login uid, which goes first\n");
		skip();
	}
	setenv("SUDO_USER", "alice.b-c", 1);
	assert_true(!strncmp(dg_who_text(who, sizeof(who)), "alice.b-c as ", 13));
	unsetenv("SUDO_USER");
	dg_who_text(who, sizeof(who));
	assert_non_null(strstr(who, "uid "));
	assert_null(strstr(who, " as "));
}

static void test_no_environment_forges_a_line(void **state)
{
	static const char *const hostile[] = {
		"a\nb", "a b", "", "a,by root",
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		setenv("SUDO_USER", hostile[i], 1);
		assert_non_null(strstr(dg_who_text(who, sizeof(who)), "uid "));
		assert_null(strchr(who, '\n'));
		assert_null(strchr(who, ','));
	}
	unsetenv("SUDO_USER");
}

static void test_a_small_buffer_is_not_overrun(void **state)
{
	char small[8];

	(void)state;
	memset(small, 'x', sizeof(small));
	dg_who_text(small, sizeof(small) - 1);
	assert_int_equal(small[7], 'x');
	assert_true(strlen(small) < 7);
}

static void test_commands_that_change_are_known_by_name(void **state)
{
	static const char *const some[] = { "attach",	  "detach",	 "block", "unblock",
					    "limit set",  "list update", "pause", "source ban",
					    "image load", "resume" };
	int changing = 0;

	(void)state;
	for (const struct dg_verb *verb = dg_verbs; verb->name; verb++)
		changing += dg_verb_changes(verb);
	assert_int_equal(changing, 17); /* each row of journal.c names a verb that there is */
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		assert_true(dg_verb_changes(&(struct dg_verb){ .name = some[i] }));
	assert_false(dg_verb_changes(&(struct dg_verb){ .name = "status" }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sudo_tells_the_person),
		cmocka_unit_test(test_no_environment_forges_a_line),
		cmocka_unit_test(test_a_small_buffer_is_not_overrun),
		cmocka_unit_test(test_commands_that_change_are_known_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
