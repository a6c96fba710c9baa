// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_history.c - days under a clock of our own: what came since the last sample goes to the day of
 * this one, counters that began anew are never negative, and everything is bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/unit/scratch.h"
#include "userspace/history/history.h"

#define NOON 1764072000ull /* 2025-11-25 12:00 UTC */
#define DAY 86400ull
#define LONG_NAMES 20

static char dir[64];
static struct dg_error err;
static struct dg_history_day days[DG_HISTORY_DAYS];
static struct dg_history_top top[DG_HISTORY_NAMES + 10];

static int fresh_dir_in(const char *parent)
{
	setenv("TZ", "UTC", 1);
	tzset();
	memset(&err, 0, sizeof(err));
	return dg_scratch_make_in(dir, sizeof(dir), parent, "history");
}

static int fresh_dir(void **state)
{
	(void)state;
	return fresh_dir_in("/tmp");
}

/* What is tried is what stands in the file, not the disk: in memory where there is some. */
static int fresh_dir_in_memory(void **state)
{
	(void)state;
	return fresh_dir_in(access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
}

static int remove_dir(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* Each sample by a process of its own, as after a restart. */
static void add(const struct dg_history_sample *sample)
{
	struct dg_history *history dg_scoped_history = NULL;

	if (dg_history_open(dir, true, &history, &err) || dg_history_add(history, sample, &err))
		fail_msg("%s", err.text);
}

static void counters(__u64 unix_s, __u64 queries, __u64 tcp, __u64 peak)
{
	add(&(struct dg_history_sample){
		.unix_s = unix_s, .queries = queries, .tcp_queries = tcp, .tcp_peak = peak });
}

static int days_read(const char *since)
{
	struct dg_history *history dg_scoped_history = NULL;
	int count;

	if (dg_history_open(dir, false, &history, &err))
		fail_msg("%s", err.text);
	count = dg_history_days(history, since, days, &err);
	return count;
}

static int top_read(const char *date, unsigned int max)
{
	struct dg_history *history dg_scoped_history = NULL;

	if (dg_history_open(dir, false, &history, &err))
		fail_msg("%s", err.text);
	return dg_history_top(history, date, top, max, &err);
}

static void assert_day(int i, const char *date, __u64 queries, __u64 tcp, __u64 peak)
{
	assert_string_equal(days[i].date, date);
	assert_int_equal(days[i].queries, queries);
	assert_int_equal(days[i].tcp_queries, tcp);
	assert_int_equal(days[i].tcp_peak, peak);
}

static void test_what_came_since_goes_to_the_day_of_the_sample(void **state)
{
	(void)state;
	counters(NOON, 1000, 100, 7); /* of which day these are nobody knows */
	counters(NOON + 60, 1500, 120, 9);
	counters(NOON + 120, 1500, 120, 3);
	counters(NOON + DAY, 1510, 130, 2);
	assert_int_equal(days_read("2000-01-01"), 2);
	assert_day(0, "2025-11-25", 500, 20, 9);
	assert_day(1, "2025-11-26", 10, 10, 2);
	assert_int_equal(days_read("2025-11-26"), 1);
	assert_int_equal(days_read("2025-11-27"), 0);
}

static void test_counters_that_began_anew_are_not_negative(void **state)
{
	(void)state;
	counters(NOON, 1000, 100, 0);
	counters(NOON + 60, 1100, 110, 0);
	counters(NOON + 120, 30, 4, 0); /* loaded anew */
	assert_int_equal(days_read("2000-01-01"), 1);
	assert_day(0, "2025-11-25", 130, 14, 0);
}

static void test_midnight_is_local(void **state)
{
	(void)state;
	setenv("TZ", "XYZ-14", 1); /* 14 hours ahead: it is tomorrow already */
	tzset();
	counters(NOON, 0, 0, 1);
	assert_int_equal(days_read("2000-01-01"), 1);
	assert_string_equal(days[0].date, "2025-11-26");
}

static void names(__u64 unix_s, const struct dg_history_name *name, unsigned int count)
{
	add(&(struct dg_history_sample){ .unix_s = unix_s, .name = name, .names = count });
}

static void test_names_by_type_and_by_what_they_grew(void **state)
{
	struct dg_history_name name[] = {
		{ "a.example", 1, 50, 1000 },
		{ "a.example", 28, 5, 1001 },
		{ "b.example", 16, 8, 1002 },
	};

	(void)state;
	names(NOON, name, 3); /* first of all: only noted */
	assert_int_equal(top_read("2025-11-25", 10), 0);
	name[0].count = 60;
	name[1].count = 7;
	name[2] = (struct dg_history_name){ "b.example", 16, 3, 5000 }; /* thrown out, back again */
	names(NOON + 60, name, 3);
	assert_int_equal(top_read("2025-11-25", 10), 3);
	assert_string_equal(top[0].name, "a.example");
	assert_int_equal(top[0].qtype, 1);
	assert_int_equal(top[0].queries, 10);
	assert_string_equal(top[1].name, "b.example");
	assert_int_equal(top[1].queries, 3);
	assert_int_equal(top[2].qtype, 28);
	assert_int_equal(top[2].queries, 2);
	names(NOON + 120, name + 1, 1); /* the others have left the table */
	names(NOON + 180, name, 3);	/* not so: a.example could not be read that moment */
	assert_int_equal(top_read("2025-11-25", 2), 2);
	assert_int_equal(top[0].queries, 10);
	names(NOON + 7200, name + 1, 1);
	names(NOON + 7260, name, 1); /* another one after that long, even if it looks the same */
	assert_int_equal(top_read("2025-11-25", 1), 1);
	assert_int_equal(top[0].queries, 70);
}

static void test_years_and_names_are_bounded(void **state)
{
	static struct dg_history_name name[DG_HISTORY_NAMES + 50];
	struct dg_history *history = NULL;

	(void)state;
	assert_int_equal(dg_history_open(dir, true, &history, &err), 0);
	for (__u64 day = 0; day < DG_HISTORY_DAYS + 30; day++)
		assert_int_equal(
			dg_history_add(history,
				       &(struct dg_history_sample){ .unix_s = NOON + day * DAY,
								    .queries = 10 * day },
				       &err),
			0);
	for (unsigned int i = 0; i < DG_HISTORY_NAMES + 50; i++) {
		snprintf(name[i].name, sizeof(name[i].name), "n%u.example", i);
		name[i].count = i + 1;
	}
	dg_history_close(&history);
	names(NOON + (DG_HISTORY_DAYS + 30) * DAY, name, DG_HISTORY_NAMES + 50);
	assert_int_equal(days_read("2000-01-01"), DG_HISTORY_DAYS);
	assert_string_equal(days[0].date, "2025-12-26");
	assert_int_equal(top_read(days[DG_HISTORY_DAYS - 1].date, DG_HISTORY_NAMES + 10),
			 DG_HISTORY_NAMES + 10); /* still today's */
	counters(NOON + (DG_HISTORY_DAYS + 31) * DAY, 0, 0, 0);
	assert_int_equal(days_read("2000-01-01"), DG_HISTORY_DAYS);
	assert_int_equal(top_read(days[DG_HISTORY_DAYS - 2].date, DG_HISTORY_NAMES + 10),
			 DG_HISTORY_NAMES);
	assert_string_equal(top[0].name, "n149.example");
}

/* Names as long as names can be, other ones each day, for longer than is kept: the file stops growing. */
static void test_the_file_has_a_size(void **state)
{
	static struct dg_history_name name[LONG_NAMES];
	const off_t most = (off_t)DG_HISTORY_DAYS * LONG_NAMES * 2048;
	struct dg_history *history = NULL;
	char path[128];
	struct stat full, later;

	(void)state;
	snprintf(path, sizeof(path), "%s/" DG_HISTORY_FILE, dir);
	assert_int_equal(dg_history_open(dir, true, &history, &err), 0);
	for (__u64 day = 0; day < DG_HISTORY_DAYS + 50; day++) {
		for (unsigned int i = 0; i < LONG_NAMES; i++) {
			memset(name[i].name, 'x', 1016);
			snprintf(name[i].name, 32, "d%llu-%u", (unsigned long long)day, i);
			name[i].name[strlen(name[i].name)] = '-';
			name[i].count = day + i + 1;
			name[i].first_ns = day + 1;
		}
		if (dg_history_add(history,
				   &(struct dg_history_sample){ .unix_s = NOON + day * DAY,
								.name = name,
								.names = LONG_NAMES },
				   &err))
			fail_msg("%s", err.text);
		if (day == DG_HISTORY_DAYS)
			assert_int_equal(stat(path, &full), 0);
	}
	dg_history_close(&history);
	assert_int_equal(stat(path, &later), 0);
	assert_in_range(full.st_size, most / 4, most);
	assert_in_range(later.st_size, full.st_size * 9 / 10, full.st_size * 11 / 10);
	assert_int_equal(days_read("2000-01-01"), DG_HISTORY_DAYS);
	assert_string_equal(days[0].date, "2026-01-14"); /* the 51st */
	assert_int_equal(top_read("2026-01-13", 1), 0);
	assert_int_equal(top_read("2026-01-14", LONG_NAMES + 1), LONG_NAMES);
}

static void test_neighbours_of_a_day(void **state)
{
	struct dg_history *history dg_scoped_history = NULL;
	char near[2][DG_HISTORY_DATE];

	(void)state;
	counters(NOON, 0, 0, 1);
	counters(NOON + 3 * DAY, 0, 0, 1);
	assert_int_equal(dg_history_open(dir, false, &history, &err), 0);
	assert_int_equal(dg_history_around(history, "2025-11-26", near, &err), 0);
	assert_string_equal(near[0], "2025-11-25");
	assert_string_equal(near[1], "2025-11-28");
	assert_int_equal(dg_history_around(history, "2025-11-25", near, &err), 1);
	assert_string_equal(near[0], "");
	assert_int_equal(dg_history_days_between("2024-02-28", "2024-03-01"), 2);
	assert_int_equal(dg_history_days_between("2025-12-31", "2026-01-01"), 1);
}

static void test_a_damaged_file_is_told_from_none(void **state)
{
	struct dg_history *history = NULL;
	char path[128], aside[160];
	FILE *file;

	(void)state;
	assert_int_equal(dg_history_open(dir, false, &history, &err), -ENOENT);
	assert_int_equal(err.status, DG_EXIT_NOT_FOUND);
	counters(NOON, 1, 1, 1);
	snprintf(path, sizeof(path), "%s/" DG_HISTORY_FILE, dir);
	snprintf(aside, sizeof(aside), "%s.broken", path);
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("no database ", file);
	fclose(file);
	assert_int_equal(dg_history_open(dir, true, &history, &err), -EBADF);
	dg_history_put_aside(dir);
	assert_int_equal(access(aside, F_OK), 0);
	counters(NOON, 1, 1, 1);
	assert_int_equal(days_read("2000-01-01"), 1);
}

static void test_the_file_is_its_owners_alone(void **state)
{
	char path[128];
	struct stat st;

	(void)state;
	counters(NOON, 1, 1, 1);
	snprintf(path, sizeof(path), "%s/" DG_HISTORY_FILE, dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
}

static void test_dates(void **state)
{
	(void)state;
	assert_true(dg_history_is_date("2024-02-29"));
	assert_false(dg_history_is_date("2025-02-29"));
	assert_false(dg_history_is_date("2025-13-01"));
	assert_false(dg_history_is_date("2025-1-1"));
	assert_false(dg_history_is_date("7d"));
	assert_false(dg_history_is_date("2025-11-25x"));
}

#define in_dir(test) cmocka_unit_test_setup_teardown(test, fresh_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_dir(test_what_came_since_goes_to_the_day_of_the_sample),
		in_dir(test_counters_that_began_anew_are_not_negative),
		in_dir(test_midnight_is_local),
		in_dir(test_names_by_type_and_by_what_they_grew),
		in_dir(test_years_and_names_are_bounded),
		cmocka_unit_test_setup_teardown(test_the_file_has_a_size, fresh_dir_in_memory,
						remove_dir),
		in_dir(test_neighbours_of_a_day),
		in_dir(test_a_damaged_file_is_told_from_none),
		in_dir(test_the_file_is_its_owners_alone),
		in_dir(test_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
