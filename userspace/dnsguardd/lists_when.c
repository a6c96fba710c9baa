// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lists_when.c - when each list is refreshed.
 *
 * By the clock (dg_list_due(), put off by a random time) or because its source changed (after a moment of quiet). What
 * happens to a list is noted here; what follows from it is drawn by the look that the clock brings.
 */
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "userspace/dnsguardd/lists_internal.h"

#define NS_PER_SEC DG_CONFIG_SECOND_NS
#define SETTLE_MS 250	   /* an editor's burst of writes and renames is over */
#define SETTLE_MAX_MS 5000 /* a source that never is quiet is read all the same */
#define LOOK_MS 60000	   /* a second look, should something have been missed */
#define AGAIN_SEC 300	   /* a path that was refused is tried again, then half as often, ... */
#define AGAIN_MAX_SEC 86400

/* ---- what happens to an entry ---------------------------------------------------------------- */

struct dg_entry *dg_lists_entry(struct dg_lists *lists, const char *name)
{
	for (unsigned int i = 0; i < lists->count; i++)
		if (!strcmp(lists->entry[i]->spec.name, name))
			return lists->entry[i];
	return NULL;
}

void dg_entry_touch(struct dg_entry *entry)
{
	__u64 now = uv_now(&entry->lists->daemon->loop);

	if (!entry->touched)
		entry->touched_first_ms = now;
	entry->touched = true;
	entry->touched_last_ms = now;
}

/* ---- when ----------------------------------------------------------------------------------- */

static __u64 unix_now(void)
{
	return (__u64)time(NULL);
}

static __u64 random_below(__u64 bound)
{
	__u64 number = 0;

	(void)!getrandom(&number, sizeof(number), GRND_NONBLOCK);
	return bound ? number % bound : 0;
}

/* By the clock, 0 = never. What was due before we started is due from then on: hosts that start together spread too. */
static __u64 clock_due(const struct dg_lists *lists, const struct dg_entry *entry)
{
	struct dg_list_spec spec = entry->spec;
	const struct dg_list_meta *meta = &entry->meta;
	__u64 again = AGAIN_SEC << (meta->failures < 9 ? meta->failures : 9), due;

	if (dg_list_kind_of(&spec) == DG_LIST_PATH)
		return !meta->failures ?
			       0 :
			       meta->attempted + (again < AGAIN_MAX_SEC ? again : AGAIN_MAX_SEC);
	if (!spec.refresh_sec && !meta->interval_sec && meta->expires <= meta->fetched)
		spec.refresh_sec = lists->daemon->config->lists_refresh_ns / NS_PER_SEC;
	due = dg_list_due(&spec, meta);
	return due > lists->started ? due : lists->started;
}

static __u64 spread_due(const struct dg_lists *lists, struct dg_entry *entry)
{
	__u64 due = clock_due(lists, entry), spread = lists->daemon->config->lists_spread_ns;

	if (!due || dg_list_kind_of(&entry->spec) == DG_LIST_PATH)
		return due;
	if (entry->spread_for != due) {
		entry->spread_for = due;
		entry->spread_sec = random_below(spread / NS_PER_SEC + 1);
	}
	return due + entry->spread_sec;
}

static __u64 ms_until(__u64 unix_sec)
{
	__u64 now = unix_now();

	return unix_sec > now ? (unix_sec - now) * 1000 : 0;
}

/* Milliseconds until the touched source is quiet. */
static __u64 ms_until_quiet(const struct dg_entry *entry)
{
	__u64 now = uv_now(&entry->lists->daemon->loop);
	__u64 quiet = entry->touched_last_ms + SETTLE_MS,
	      most = entry->touched_first_ms + SETTLE_MAX_MS;

	quiet = quiet < most ? quiet : most;
	return quiet > now ? quiet - now : 0;
}

__u64 dg_entry_wait_ms(struct dg_entry *entry)
{
	__u64 due, held = ms_until(entry->not_before), wait = DG_WAIT_NEVER;

	if (entry->running)
		return DG_WAIT_NEVER;
	due = spread_due(entry->lists, entry);
	if (due)
		wait = ms_until(due);
	if (entry->touched && ms_until_quiet(entry) < wait)
		wait = ms_until_quiet(entry);
	if (entry->asked)
		wait = 0;
	return wait > held ? wait : held;
}

__u64 dg_entry_due(struct dg_entry *entry)
{
	__u64 due = spread_due(entry->lists, entry);

	return due || entry->asked ? (due > entry->not_before ? due : entry->not_before) : 0;
}

/* A zone that its follower has brought already lies beside the list: no server is asked for it. */
enum dg_lane dg_entry_lane(const struct dg_entry *entry)
{
	if (dg_list_kind_of(&entry->spec) == DG_LIST_PATH)
		return DG_LANE_LOCAL;
	return entry->touched ? DG_LANE_LOCAL : DG_LANE_REMOTE;
}

void dg_lists_arm(struct dg_lists *lists)
{
	__u64 wait = lists->look_wanted ? 0 : LOOK_MS;

	for (unsigned int i = 0; i < lists->count; i++) {
		struct dg_entry *entry = lists->entry[i];
		__u64 one = lists->lane[dg_entry_lane(entry)].program ? DG_WAIT_NEVER :
									dg_entry_wait_ms(entry);

		wait = one < wait ? one : wait;
		if (entry->follow_at && ms_until(entry->follow_at) < wait)
			wait = ms_until(entry->follow_at);
	}
	uv_timer_start(&lists->wake, lists->on_wake, wait, 0);
}

void dg_lists_look_soon(struct dg_lists *lists)
{
	lists->look_wanted = true;
	if (!lists->stopping)
		uv_timer_start(&lists->wake, lists->on_wake, 0, 0);
}
