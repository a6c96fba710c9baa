// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_limit.c - limit set: words on the command line to live settings. What is not given stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "userspace/dnsguard/limit.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/maps.h"

static struct dg_settings base(void)
{
	struct dg_settings settings = { .slip = 2, .limit_mode = DG_ENFORCE };

	for (enum dg_family family = DG_IPV4; family < DG_FAMILY_COUNT; family++)
		dg_rate_make(100, 200, family, &settings.rate[DG_CHARGE_QUERY][family]);
	dg_budget_make(1000, &settings);
	return settings;
}

/* Applies "limit set WORDS" to settings. */
static int set(const char *words, struct dg_settings *settings, struct dg_error *err)
{
	const char *argv[16] = { "dnsguard", "limit", "set" };
	char copy[256];
	struct dg_cli cli;
	int argc = 3;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	assert_int_equal(dg_cli_parse(dg_verbs, argc, argv, &cli, err), 0);
	return dg_limit_apply(cli.value, settings, err);
}

static void rate_is(const struct dg_settings *settings, enum dg_charge charge, __u64 per_sec,
		    __u64 burst)
{
	for (enum dg_family family = DG_IPV4; family < DG_FAMILY_COUNT; family++) {
		__u64 read_per_sec, read_burst;

		dg_rate_read(&settings->rate[charge][family], &read_per_sec, &read_burst);
		assert_int_equal(read_per_sec, per_sec);
		assert_int_equal(read_burst, burst);
	}
}

static void test_each_word_moves_its_own(void **state)
{
	struct dg_settings settings = base(), before = base();
	struct dg_error err;

	(void)state;
	assert_int_equal(set("--slip 1", &settings, &err), 0);
	assert_int_equal(settings.slip, 1);
	before.slip = 1;
	assert_memory_equal(&settings, &before, sizeof(settings));
	assert_int_equal(set("--mode observe", &settings, &err), 0);
	assert_int_equal(settings.limit_mode, DG_OBSERVE);
	assert_int_equal(set("--budget 0", &settings, &err), 0);
	assert_int_equal(settings.budget_cost, 0);
	rate_is(&settings, DG_CHARGE_QUERY, 100, 200);
}

static void test_rate_keeps_burst_and_the_reverse(void **state)
{
	struct dg_settings settings = base();
	struct dg_error err;

	(void)state;
	assert_int_equal(set("--rate-limit 10", &settings, &err), 0);
	rate_is(&settings, DG_CHARGE_QUERY, 10, 200);
	assert_int_equal(set("--instant-limit 20", &settings, &err), 0);
	rate_is(&settings, DG_CHARGE_QUERY, 10, 20);
	rate_is(&settings, DG_CHARGE_SYN, 0, 0);
}

/* Off, then on again without a burst: there is nothing to keep, so it is the default. */
static void test_rate_off_and_on(void **state)
{
	struct dg_settings settings = base();
	struct dg_error err;

	(void)state;
	assert_int_equal(set("--rate-limit 0", &settings, &err), 0);
	rate_is(&settings, DG_CHARGE_QUERY, 0, 0);
	assert_int_equal(set("--rate-limit 50", &settings, &err), 0);
	rate_is(&settings, DG_CHARGE_QUERY, 50, 200);
}

static void refused(const char *words, const char *sentence)
{
	struct dg_settings settings = base();
	struct dg_error err = { .text = "" };

	if (set(words, &settings, &err) != -EINVAL)
		fail_msg("\"%s\" is accepted", words);
	assert_int_equal(err.status, DG_EXIT_USAGE);
	if (!strstr(err.text, sentence))
		fail_msg("\"%s\" is refused with \"%s\"", words, err.text);
}

static void test_refused(void **state)
{
	(void)state;
	/* More than half of the 44-bit clock ahead would look like long ago. */
	refused("--rate-limit 1 --instant-limit 140738", "up to 140737 are allowed");
	refused("--syn-burst 5", "give both");
	refused("--syn-mode enforce", "--syn-rate");
}

static void test_the_most_that_is_allowed(void **state)
{
	struct dg_settings settings = base();
	struct dg_error err;

	(void)state;
	assert_int_equal(set("--rate-limit 1 --instant-limit 140737", &settings, &err), 0);
	assert_true(settings.rate[DG_CHARGE_QUERY][DG_IPV4].ceiling < 1ull << (DG_TAT_BITS - 1));
	assert_int_equal(set("--syn-rate 20 --syn-burst 40 --syn-mode enforce", &settings, &err),
			 0);
	rate_is(&settings, DG_CHARGE_SYN, 20, 40);
	assert_int_equal(settings.syn_mode, DG_ENFORCE);
}

static void test_shown_as_set(void **state)
{
	struct dg_settings settings = base();
	json_t *doc = dg_limit_json(&settings), *query = json_object_get(doc, "query");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(query, "rate_limit")), 100);
	assert_int_equal(json_integer_value(json_object_get(query, "instant_limit")), 200);
	assert_string_equal(json_string_value(json_object_get(query, "mode")), "enforce");
	assert_int_equal(json_integer_value(json_object_get(doc, "budget_per_second")), 1000);
	assert_int_equal(json_array_size(json_object_get(doc, "ladder")),
			 DG_RUNGS_IPV4 + DG_RUNGS_IPV6);
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_word_moves_its_own),
		cmocka_unit_test(test_rate_keeps_burst_and_the_reverse),
		cmocka_unit_test(test_rate_off_and_on),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_the_most_that_is_allowed),
		cmocka_unit_test(test_shown_as_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
