// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_tcp.c - the books of a listener as people read them: peaks, rates, hold times, addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <string.h>

#include "userspace/lib/tcp.h"

#define NOW 1000ull /* seconds */
#define NOW_NS (NOW * 1000000000 + 5)

static __u64 cell(__u64 second, __u64 value)
{
	return second << DG_TCP_SECOND_SHIFT | value;
}

static void book(struct dg_tcp_row *row, __u64 second, __u64 peak, __u64 opened)
{
	row->second[second % DG_TCP_SECONDS] =
		(struct dg_tcp_second){ cell(second, peak), cell(second, opened) };
}

static void peak_is_of_the_last_minute(void **state)
{
	struct dg_tcp_row row = { .connections = 3 };

	(void)state;
	assert_int_equal(dg_tcp_peak_minute(&row, NOW_NS), 3);
	book(&row, NOW - 61, 90, 0);
	assert_int_equal(dg_tcp_peak_minute(&row, NOW_NS), 3);
	book(&row, NOW - 60, 70, 0);
	assert_int_equal(dg_tcp_peak_minute(&row, NOW_NS), 70);
	book(&row, NOW, 80, 0);
	assert_int_equal(dg_tcp_peak_minute(&row, NOW_NS), 80);
}

static void count_below_zero_is_no_peak(void **state)
{
	struct dg_tcp_row row = { .connections = -2 };

	(void)state;
	assert_int_equal(dg_tcp_peak_minute(&row, NOW_NS), 0);
}

static void rate_is_of_ten_whole_seconds(void **state)
{
	struct dg_tcp_row row = { 0 };

	(void)state;
	book(&row, NOW, 0, 1000); /* has only begun */
	book(&row, NOW - 11, 0, 1000);
	assert_true(dg_tcp_new_per_second(&row, NOW_NS) == 0);
	book(&row, NOW - 1, 0, 4);
	book(&row, NOW - 10, 0, 1);
	assert_true(dg_tcp_new_per_second(&row, NOW_NS) == 0.5);
}

static void quantile_lies_within_its_bucket(void **state)
{
	struct dg_tcp_row row = { 0 };

	(void)state;
	assert_true(dg_tcp_hold_quantile(&row, 0.5) == -1);
	row.hold[0] = 1; /* below a millisecond */
	assert_true(dg_tcp_hold_quantile(&row, 1) == 0.001);
	row.hold[0] = 0;
	row.hold[5] = 4; /* 16 to 32 ms */
	assert_true(dg_tcp_hold_quantile(&row, 0.5) == 0.024);
	row.hold[10] = 6; /* 512 to 1024 ms */
	assert_true(dg_tcp_hold_quantile(&row, 0.4) == 0.032);
	assert_true(dg_tcp_hold_quantile(&row, 1) == 1.024);
}

static void check_text(const char *address, int family, const char *want)
{
	struct dg_tcp_key key = { .port = htons(53) };
	char text[DG_TCP_KEY_TEXT];
	__u8 bytes[16];

	assert_int_equal(inet_pton(family, address, bytes), 1);
	key.addr = family == AF_INET ? dg_addr_from_v4(bytes) : dg_addr_from_v6(bytes);
	assert_string_equal(dg_tcp_key_text(&key, text), want);
}

static void listener_has_a_text(void **state)
{
	(void)state;
	check_text("192.0.2.1", AF_INET, "192.0.2.1:53");
	check_text("0.0.0.0", AF_INET, "0.0.0.0:53");
	check_text("::", AF_INET6, "[::]:53");
	check_text("2001:db8::1", AF_INET6, "[2001:db8::1]:53");
}

static void series_is_filled_between_changes(void **state)
{
	struct dg_tcp_row row = { .connections = 6 };
	double levels[10];

	(void)state;
	dg_tcp_series(&row, NOW_NS, levels, 10);
	for (int i = 0; i < 10; i++)
		assert_true(levels[i] == 6); /* nothing has changed for long */
	book(&row, NOW - 2, 6, 1);	     /* one came */
	book(&row, NOW - 5, 9, 0);	     /* four went */
	dg_tcp_series(&row, NOW_NS, levels, 10);
	assert_true(levels[9] == 6 && levels[8] == 6 && levels[7] == 6);
	assert_true(levels[6] == 5 && levels[5] == 5);
	assert_true(levels[4] == 9 && levels[0] == 9);
	book(&row, NOW, 40, 38); /* a burst that has gone again */
	dg_tcp_series(&row, NOW_NS, levels, 10);
	assert_true(levels[9] == 40 && levels[8] == 2);
	dg_tcp_series(&(struct dg_tcp_row){ .connections = -1 }, NOW_NS, levels, 1);
	assert_true(levels[0] == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peak_is_of_the_last_minute),
		cmocka_unit_test(count_below_zero_is_no_peak),
		cmocka_unit_test(rate_is_of_ten_whole_seconds),
		cmocka_unit_test(quantile_lies_within_its_bucket),
		cmocka_unit_test(series_is_filled_between_changes),
		cmocka_unit_test(listener_has_a_text),
	};

	return cmocka_run_group_tests_name("tcp", tests, NULL, NULL);
}
