// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_advice.c - the setting that would help, and its value: sustainable rate = quota / hold time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "userspace/pressure/advice.h"

/* 150 slots at 30 s idle are 5 new connections a second: this is 8. */
static struct dg_advice_given default_bind(void)
{
	return (struct dg_advice_given){ .program = "named",
					 .quota = 150,
					 .peak = 160,
					 .new_per_second = 8,
					 .hold_mean_sec = 30,
					 .accept_queue_max = 10 };
}

static void bind_is_told_three_settings(void **state)
{
	const struct dg_advice_given given = default_bind();
	struct dg_advice advice[DG_ADVICE_MAX];

	(void)state;
	assert_int_equal(dg_advise(&given, advice), 3);
	/* 8 a second for 30 s are 240; 240 / 0.7 */
	assert_string_equal(advice[0].setting, "tcp-clients 343;");
	assert_non_null(strstr(advice[0].why, "240 connections at one time of a quota of 150"));
	assert_non_null(strstr(advice[0].why, "clients that were refused come on top")); /* 160 */
	/* 150 * 0.7 / 8 = 13.125 s, in tenths */
	assert_string_equal(advice[1].setting, "tcp-idle-timeout 131;");
	assert_non_null(strstr(advice[1].why, "held 30.0 s on average the quota bears 5.0"));
	assert_non_null(strstr(advice[1].why, "11.4 held 13.1 s; there are 8.0"));
	assert_string_equal(advice[2].setting, "tcp-listen-queue 256;");
}

static void a_setting_for_each_thread_is_divided(void **state)
{
	struct dg_advice_given given = default_bind();
	struct dg_advice advice[DG_ADVICE_MAX];

	(void)state;
	given.program = "unbound";
	given.quota = 40;
	given.slots = 10; /* four threads */
	given.accept_queue_max = 256;
	assert_int_equal(dg_advise(&given, advice), 2);
	assert_string_equal(advice[0].setting, "incoming-num-tcp: 86");	  /* 343 / 4 */
	assert_string_equal(advice[1].setting, "tcp-idle-timeout: 3500"); /* 40 * 0.7 / 8 s */
}

static void peak_counts_where_it_is_more_than_the_mean(void **state)
{
	struct dg_advice_given given = default_bind();
	struct dg_advice advice[DG_ADVICE_MAX];

	(void)state;
	given.new_per_second = 0;
	given.hold_mean_sec = -1;
	given.peak = 140;
	assert_int_equal(dg_advise(&given, advice),
			 2); /* no word on hold times that nobody knows */
	assert_string_equal(advice[0].setting, "tcp-clients 200;");
	assert_string_equal(advice[1].setting, "tcp-listen-queue 256;");
}

static void a_timeout_too_short_to_be_of_use_is_not_advised(void **state)
{
	struct dg_advice_given given = default_bind();
	struct dg_advice advice[DG_ADVICE_MAX];

	(void)state;
	given.new_per_second = 300;
	given.accept_queue_max = 256;
	assert_int_equal(dg_advise(&given, advice), 1);
	given.new_per_second = 200;
	assert_int_equal(dg_advise(&given, advice), 2);
	assert_string_equal(advice[1].setting, "tcp-idle-timeout 5;"); /* 0.525 s */
}

static void who_has_room_is_told_nothing(void **state)
{
	struct dg_advice_given given = default_bind();
	struct dg_advice advice[DG_ADVICE_MAX];

	(void)state;
	given.accept_queue_max = 128;
	given.new_per_second = 3.5; /* 105 of 150: just so */
	given.peak = 105;
	assert_int_equal(dg_advise(&given, advice), 0);
	given.peak = 106;
	assert_int_equal(dg_advise(&given, advice), 1);
	given.quota = 0;
	assert_int_equal(dg_advise(&given, advice), 0);
	given = default_bind();
	given.program = "python3.11";
	assert_int_equal(dg_advise(&given, advice), 0);
	given.program = NULL;
	assert_int_equal(dg_advise(&given, advice), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bind_is_told_three_settings),
		cmocka_unit_test(a_setting_for_each_thread_is_divided),
		cmocka_unit_test(peak_counts_where_it_is_more_than_the_mean),
		cmocka_unit_test(a_timeout_too_short_to_be_of_use_is_not_advised),
		cmocka_unit_test(who_has_room_is_told_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
