// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_pressure.c - the model of a listener's quota, lived through second by second: when states rise, fall and do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "userspace/pressure/pressure.h"
#include "userspace/pressure/share.h"

#define SECOND_NS 1000000000ull

/* ---- a listener and its days ------------------------------------------------------------------ */

/* Connections and accept queue at a second. */
struct load {
	double connections;
	unsigned int queue;
	unsigned int most; /* where who is too many is sent away */
};

struct scene {
	const char *name;
	unsigned int quota, slots, seconds;
	struct load (*load)(unsigned int second);
	const char *expected; /* "second:state second:state" */
};

#define QUEUE_MAX 10

static struct load clipped(double wanted, unsigned int quota)
{
	double over = wanted > quota ? wanted - quota : 0;

	over = over < QUEUE_MAX ? over : QUEUE_MAX;
	return (struct load){ (wanted < quota ? wanted : quota) + over, (unsigned int)over, 0 };
}

static struct load one_a_second(unsigned int second)
{
	return clipped(second, 150);
}

static struct load up_and_gone(unsigned int second)
{
	return second < 200 ? clipped(second, 150) : (struct load){ 0, 0, 0 };
}

static struct load flat_at_72(unsigned int second)
{
	return (struct load){ second < 300 ? 72 : 62, 0, 0 };
}

static struct load flat_at_59(unsigned int second)
{
	return (struct load){ second < 20 ? 72 : 59, 0, 0 };
}

/* Nine seconds high, one low: never high for ten in a row. */
static struct load short_peaks(unsigned int second)
{
	return (struct load){ second % 10 ? 80 : 20, 0, 0 };
}

/* Half a minute high, half a minute low, for ten minutes. */
static struct load flapping(unsigned int second)
{
	return (struct load){ second / 30 % 2 ? 10 : 95, 0, 0 };
}

/* A resolver that has just started takes its usual clients back within seconds, and stays there. */
static struct load start_up(unsigned int second)
{
	return (struct load){ second < 6 ? second * 10 : 60, 0, 0 };
}

/* Ups and downs around 50 that lead nowhere: a fixed row of pseudo-random steps. */
static struct load noise(unsigned int second)
{
	unsigned int state = second * 2654435761u;

	state ^= state >> 15;
	state *= 2246822519u;
	state ^= state >> 13;
	return (struct load){ 40 + state % 21, 0, 0 };
}

/* One of two threads is full, the other has room: 68 of 100, and a queue that nobody empties. */
static struct load one_thread_full(unsigned int second)
{
	return (struct load){ 68, second < 8 ? second : 8, 0 };
}

static struct load quota_unknown_queue_full(unsigned int second)
{
	return (struct load){ 500, second < 10 ? second : second < 40 ? QUEUE_MAX : 0, 0 };
}

/* DoT connections, which are not counted, hold the slots: nobody is let in at 21 of 150. */
static struct load others_hold_the_slots(unsigned int second)
{
	return second < 40 ? (struct load){ 21, QUEUE_MAX, 0 } : (struct load){ 11, 0, 0 };
}

/* Every slot taken, and the queue emptied again each second: full, but nobody waits for good. */
static struct load full_and_served(unsigned int second)
{
	return (struct load){ 100 + (second % 2) * 3, (second % 2) * 3, 0 };
}

/* Every slot taken, a queue that goes up and down but never away: nobody is served in time. */
static struct load full_and_waiting(unsigned int second)
{
	unsigned int queue = 4 + second * 7 % 5;

	return (struct load){ 100 + queue, queue, 0 };
}

/* A burst that waits is let in, one after the other. */
static struct load full_and_drained(unsigned int second)
{
	unsigned int queue = second < 9 ? 9 - second : 0;

	return (struct load){ 100 + queue, queue, 0 };
}

/* Who is too many is sent away, never queued: for twenty seconds they come, then none does. */
static struct load full_and_sent_away(unsigned int second)
{
	return (struct load){ 100, 0, second < 20 ? 101 : 100 };
}

/* The same seen once: the quota was reached, and one who came is no exhaustion. */
static struct load one_sent_away(unsigned int second)
{
	return (struct load){ 100, 0, second == 3 ? 101 : 100 };
}

static const struct scene scenes[] = {
	{ "1 connection a second fills 150", 150, 0, 200, one_a_second,
	  "35:warning 125:critical 153:exhausted" },
	{ "and all of them go at once", 150, 0, 300, up_and_gone,
	  "35:warning 125:critical 153:exhausted 260:critical 261:warning 262:ok" },
	{ "above 70 % for 10 s, then within the 10 points", 100, 0, 900, flat_at_72, "10:warning" },
	{ "10 points lower for 60 s", 100, 0, 900, flat_at_59, "10:warning 80:ok" },
	{ "peaks shorter than the hold time", 100, 0, 600, short_peaks, "" },
	{ "a load that flaps faster than it may clear", 100, 0, 600, flapping, "10:critical" },
	{ "start of a resolver", 100, 0, 600, start_up, "" },
	{ "noise", 100, 0, 600, noise, "" },
	{ "a thread that is full", 100, 50, 60, one_thread_full, "3:exhausted" },
	{ "a thread that is full, were its quota the sum", 100, 0, 60, one_thread_full, "" },
	{ "quota not known, queue full", 0, 0, 200, quota_unknown_queue_full,
	  "12:exhausted 100:critical 101:warning 102:ok" },
	{ "quota known, slots free, queue full", 150, 0, 200, others_hold_the_slots,
	  "2:exhausted 100:critical 101:warning 102:ok" },
	{ "every slot taken, the queue never empty", 100, 0, 10, full_and_waiting, "2:exhausted" },
	{ "every slot taken, the queue gets shorter", 100, 0, 12, full_and_drained, "5:critical" },
	{ "every slot taken, who comes is sent away", 100, 0, 200, full_and_sent_away,
	  "2:exhausted 80:critical" },
	{ "every slot taken, one was sent away", 100, 0, 60, one_sent_away, "5:critical" },
	{ "every slot taken, but the queue is served", 100, 0, 60, full_and_served, "5:critical" },
};

static void note(char *seen, size_t size, unsigned int second, enum dg_pressure_state state)
{
	size_t len = strlen(seen);

	snprintf(seen + len, size - len, "%s%u:%s", len ? " " : "", second,
		 dg_pressure_names[state]);
}

static double seconds_to_full(const struct scene *scene, unsigned int second)
{
	double levels[DG_FORECAST_SECONDS];
	unsigned int count = second + 1 < DG_FORECAST_SECONDS ? second + 1 : DG_FORECAST_SECONDS;

	for (unsigned int i = 0; i < count; i++)
		levels[i] = scene->load(second + 1 - count + i).connections;
	return dg_forecast(levels, count, scene->quota);
}

static void live(const struct scene *scene, char *seen, size_t size)
{
	enum dg_pressure_state before = DG_PRESSURE_OK, now;
	struct dg_pressure pressure = { 0 };

	seen[0] = '\0';
	for (unsigned int second = 0; second < scene->seconds; second++) {
		struct load load = scene->load(second);
		struct dg_pressure_sample sample = {
			.now_ns = (second + 1000) * SECOND_NS,
			.quota = scene->quota,
			.slots = scene->slots,
			.connections = (__u64)load.connections,
			.waiting = load.queue,
			.accept_queue = load.queue,
			.accept_queue_max = QUEUE_MAX,
			.most = load.most,
			.seconds_to_full = seconds_to_full(scene, second),
		};

		now = dg_pressure_step(&pressure, &dg_pressure_rules_default, &sample);
		if (now != before)
			note(seen, size, second, now);
		before = now;
	}
}

static void states_rise_and_fall_when_they_should(void **state)
{
	char seen[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		live(&scenes[i], seen, sizeof(seen));
		if (strcmp(seen, scenes[i].expected))
			print_message("# %s\n", scenes[i].name);
		assert_string_equal(seen, scenes[i].expected);
	}
}

static void an_alarm_changes_at_most_twice_in_a_hold_time(void **state)
{
	unsigned int changes[10] = { 0 };

	(void)state;
	for (unsigned int period = 1; period < 150; period++) {
		struct dg_alarm alarm = { 0 };

		memset(changes, 0, sizeof(changes));
		for (unsigned int second = 0; second < 600; second++) {
			bool high = second / period % 2 == 0;

			changes[second / 60] += dg_alarm_step(&alarm, alarm.on ? !high : high,
							      alarm.on ? 60 * SECOND_NS : 0,
							      (second + 1) * SECOND_NS);
		}
		for (int i = 0; i < 10; i++)
			assert_true(changes[i] <= 2);
	}
}

static void a_restored_state_is_neither_raised_nor_cleared_at_once(void **state)
{
	struct dg_pressure pressure;
	struct dg_pressure_sample sample = {
		.now_ns = 5 * SECOND_NS, .quota = 100, .connections = 90, .seconds_to_full = -1
	};

	(void)state;
	dg_pressure_restore(&pressure, DG_PRESSURE_CRITICAL);
	assert_int_equal(dg_pressure_step(&pressure, &dg_pressure_rules_default, &sample),
			 DG_PRESSURE_CRITICAL);
	sample.connections = 0;
	for (unsigned int second = 6; second < 66; second++) {
		sample.now_ns = second * SECOND_NS;
		assert_int_equal(dg_pressure_step(&pressure, &dg_pressure_rules_default, &sample),
				 DG_PRESSURE_CRITICAL);
	}
	sample.now_ns = 66 * SECOND_NS;
	assert_int_equal(dg_pressure_step(&pressure, &dg_pressure_rules_default, &sample),
			 DG_PRESSURE_WARNING);
}

/* ---- figures ---------------------------------------------------------------------------------- */

static void forecast_follows_the_line(void **state)
{
	double levels[DG_FORECAST_SECONDS];

	(void)state;
	for (int i = 0; i < DG_FORECAST_SECONDS; i++)
		levels[i] = 10 + 2 * i;
	assert_true(dg_forecast(levels, DG_FORECAST_SECONDS, 100) == 16); /* (100 - 68) / 2 */
	assert_true(dg_forecast(levels, DG_FORECAST_SECONDS, 68) == 0);
	assert_true(dg_forecast(levels, 9, 1000) == -1); /* too few */
	for (int i = 0; i < DG_FORECAST_SECONDS; i++)
		levels[i] = 100 - 2 * i;
	assert_true(dg_forecast(levels, DG_FORECAST_SECONDS, 200) == -1);
	for (int i = 0; i < DG_FORECAST_SECONDS; i++)
		levels[i] = 50;
	assert_true(dg_forecast(levels, DG_FORECAST_SECONDS, 100) == -1);
}

static void quota_bears_what_the_mean_hold_says(void **state)
{
	(void)state;
	assert_true(dg_sustainable(150, 30) == 5);
	assert_true(dg_sustainable(150, 0) == -1);
	assert_true(dg_sustainable(150, -1) == -1);
}

/* ---- the share of TCP ------------------------------------------------------------------------- */

#define MONDAY 345600ull /* 1970-01-05, a Monday, 0:00 */

/* So many hours of 6000 queries, of which so many a thousand over TCP; looked at every minute. */
static void hours_pass(struct dg_share *share, __u64 *unix_sec, struct dg_share_counts *counts,
		       unsigned int hours, unsigned int per_mille)
{
	for (unsigned int minute = 0; minute < hours * 60; minute++) {
		dg_share_note(share, *unix_sec, *counts);
		*unix_sec += 60;
		counts->all += 100;
		counts->tcp += per_mille / 10;
	}
}

static void usual_share_is_of_the_hour(void **state)
{
	const struct dg_share_rules *rules = &dg_share_rules_default;
	struct dg_share share = { 0 };
	struct dg_share_counts counts = { 0 };
	__u64 now = MONDAY;

	(void)state;
	hours_pass(&share, &now, &counts, 1, 20);
	assert_true(dg_share_read(&share, rules).usual == -1); /* the hour is not over */
	hours_pass(&share, &now, &counts, 23, 100);
	hours_pass(&share, &now, &counts, 1, 20);		 /* Tuesday 0:00 */
	assert_true(dg_share_read(&share, rules).usual == 0.02); /* borrowed from Monday */
	hours_pass(&share, &now, &counts, 1, 100);
	assert_true(dg_share_read(&share, rules).usual == 0.1);
	assert_true(dg_share_read(&share, rules).share == 0.1);
}

static void alarm_is_raised_by_what_is_unusual(void **state)
{
	const struct dg_share_rules *rules = &dg_share_rules_default;
	struct dg_share share = { 0 };
	struct dg_share_counts counts = { 0 };
	__u64 now = MONDAY, second;

	(void)state;
	hours_pass(&share, &now, &counts, 26, 20);
	assert_false(dg_share_step(&share, rules, now * SECOND_NS));
	for (second = now; second < now + 3600 && !share.alarm.on; second += 60) {
		counts.all += 100;
		counts.tcp += 30;
		dg_share_note(&share, second, counts);
		dg_share_step(&share, rules, second * SECOND_NS);
	}
	/* 0.02 to 0.3: the window of 15 minutes is above 0.07 after 3, and for 5 after 8. */
	assert_in_range(second - now, 7 * 60, 10 * 60);
	assert_true(share.alarm.on);
}

static void few_queries_are_no_share(void **state)
{
	struct dg_share share = { 0 };

	(void)state;
	dg_share_note(&share, MONDAY, (struct dg_share_counts){ 0, 0 });
	dg_share_note(&share, MONDAY + 60, (struct dg_share_counts){ 900, 999 });
	assert_true(dg_share_read(&share, &dg_share_rules_default).share == -1);
	dg_share_note(&share, MONDAY + 120, (struct dg_share_counts){ 900, 1000 });
	assert_true(dg_share_read(&share, &dg_share_rules_default).share == 0.9);
}

static void counters_that_begin_anew_are_no_negative_share(void **state)
{
	struct dg_share share = { 0 };

	(void)state;
	dg_share_note(&share, MONDAY, (struct dg_share_counts){ 500, 5000 });
	dg_share_note(&share, MONDAY + 60, (struct dg_share_counts){ 10, 100 });
	dg_share_note(&share, MONDAY + 120, (struct dg_share_counts){ 110, 2100 });
	assert_true(dg_share_read(&share, &dg_share_rules_default).share == 0.05);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_rise_and_fall_when_they_should),
		cmocka_unit_test(an_alarm_changes_at_most_twice_in_a_hold_time),
		cmocka_unit_test(a_restored_state_is_neither_raised_nor_cleared_at_once),
		cmocka_unit_test(forecast_follows_the_line),
		cmocka_unit_test(quota_bears_what_the_mean_hold_says),
		cmocka_unit_test(usual_share_is_of_the_hour),
		cmocka_unit_test(alarm_is_raised_by_what_is_unusual),
		cmocka_unit_test(few_queries_are_no_share),
		cmocka_unit_test(counters_that_begin_anew_are_no_negative_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
