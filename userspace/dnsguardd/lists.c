// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lists.c - looks at all lists and starts what is due.
 *
 * Each look reads the registry and the small file of each list afresh: what an operator does by hand counts at once.
 */
#include "userspace/dnsguardd/lists.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "userspace/dnsguardd/lists_internal.h"
#include "userspace/dnsguardd/log.h"
#include "userspace/lists/schedule.h"

/* Lists in one run: compiling is done once for all, but what is slow shall not hold up too many. */
#define LOCAL_MAX 64
#define REMOTE_MAX 16

/* ---- entries -------------------------------------------------------------------------------- */

static void entry_free(struct dg_entry *entry)
{
	dg_follow_stop(&entry->follower);
	free(entry);
}

/* A source is looked at when it is first seen: it may have changed while nobody watched. */
static struct dg_entry *entry_make(struct dg_lists *lists, const struct dg_list_state *state)
{
	struct dg_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->lists = lists;
	entry->spec = state->spec;
	if (dg_list_kind_of(&state->spec) == DG_LIST_PATH)
		dg_entry_touch(entry);
	return entry;
}

/* The same name with another source is another list. */
static struct dg_entry *entry_of(struct dg_lists *lists, const struct dg_list_state *state)
{
	struct dg_entry *known = dg_lists_entry(lists, state->spec.name);

	if (known && !strcmp(known->spec.source, state->spec.source) &&
	    !strcmp(known->spec.tsig_file, state->spec.tsig_file))
		return known;
	return entry_make(lists, state);
}

static void registry_take(struct dg_lists *lists, const struct dg_list_state *states, int count)
{
	struct dg_entry *next[DG_LISTS_MAX];
	unsigned int made = 0;

	for (unsigned int i = 0; i < lists->count; i++)
		lists->entry[i]->found = false;
	for (int i = 0; i < count; i++) {
		struct dg_entry *entry = entry_of(lists, states + i);

		if (!entry)
			continue;
		entry->found = true;
		entry->spec = states[i].spec;
		entry->meta = states[i].meta;
		next[made++] = entry;
	}
	for (unsigned int i = 0; i < lists->count; i++)
		if (!lists->entry[i]->found)
			entry_free(lists->entry[i]);
	memcpy(lists->entry, next, made * sizeof(next[0]));
	lists->count = made;
}

/* A registry that cannot be read leaves everything as it was; it is said once. */
static void registry_read(struct dg_lists *lists)
{
	dg_scoped_free struct dg_list_state *states = NULL;
	struct dg_error err = { .text = "" };
	int count = dg_lists_read(lists->daemon->options->state_dir, &states, &err);

	if (count < 0 && !lists->unreadable)
		dg_log(DG_LOG_ERROR, "the lists cannot be read: %s", err.text);
	lists->unreadable = count < 0;
	if (count >= 0)
		registry_take(lists, states, count);
}

/* ---- looking -------------------------------------------------------------------------------- */

static void lane_fill(struct dg_lists *lists, enum dg_lane lane)
{
	static const unsigned int most[DG_LANES] = {
		[DG_LANE_LOCAL] = LOCAL_MAX, [DG_LANE_REMOTE] = REMOTE_MAX
	};
	struct dg_entry *ready[LOCAL_MAX];
	unsigned int count = 0;

	if (lists->lane[lane].program)
		return;
	for (unsigned int i = 0; i < lists->count && count < most[lane]; i++)
		if (dg_entry_lane(lists->entry[i]) == lane && !dg_entry_wait_ms(lists->entry[i]))
			ready[count++] = lists->entry[i];
	if (count)
		dg_lists_run(lists, lane, ready, count);
}

/* For whoever asks when a list is refreshed next: nobody else knows what is configured and what was drawn. */
static void schedule_tell(struct dg_lists *lists)
{
	const struct dg_daemon *daemon = lists->daemon;
	json_t *due = json_object();
	json_t *document =
		json_pack("{s:i, s:s, s:I, s:I, s:o}", "schema", 1, "state_dir",
			  daemon->options->state_dir, "refresh_seconds",
			  (json_int_t)(daemon->config->lists_refresh_ns / DG_CONFIG_SECOND_NS),
			  "spread_seconds",
			  (json_int_t)(daemon->config->lists_spread_ns / DG_CONFIG_SECOND_NS),
			  "due", due);

	for (unsigned int i = 0; document && i < lists->count; i++) {
		__u64 at = dg_entry_due(lists->entry[i]);

		if (at)
			json_object_set_new(due, lists->entry[i]->spec.name,
					    json_integer((json_int_t)at));
	}
	if (!document || json_equal(document, lists->told)) {
		json_decref(document);
		return;
	}
	json_decref(lists->told);
	lists->told = json_deep_copy(document);
	(void)dg_schedule_write(daemon->options->bpffs, document); /* then nobody is told */
}

static void on_wake(uv_timer_t *timer)
{
	dg_lists_look(timer->data);
}

void dg_lists_look(struct dg_lists *lists)
{
	if (!lists || lists->stopping)
		return;
	lists->look_wanted = false;
	registry_read(lists);
	dg_watch_sync(lists);
	for (unsigned int i = 0; i < lists->count; i++)
		dg_follow_sync(lists->entry[i]);
	for (int lane = 0; lane < DG_LANES; lane++)
		lane_fill(lists, (enum dg_lane)lane);
	dg_lists_arm(lists);
	schedule_tell(lists);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static __u64 earliest(__u64 a, __u64 b)
{
	return !a || (b && b < a) ? b : a;
}

static struct dg_list_row row_of(const struct dg_lists *lists, const struct dg_list_state *state)
{
	const struct dg_entry *entry = dg_lists_entry((struct dg_lists *)lists, state->spec.name);
	const struct dg_list_meta *meta = &state->meta;
	struct dg_list_row row = { .last_success_unix = meta->fetched,
				   .stale_since_unix = meta->stale_since,
				   .rejected_lines = meta->counts.rejected };

	strcpy(row.name, state->spec.name); /* both have the size of a list's name */
	if (entry) {
		row.failures = entry->failures;
		row.stale_since_unix = earliest(row.stale_since_unix, entry->broken_since);
		if (entry->expired)
			row.stale_since_unix = earliest(row.stale_since_unix, entry->expired_since);
	}
	return row;
}

int dg_lists_rows(const struct dg_lists *lists, struct dg_list_row **ret)
{
	dg_scoped_free struct dg_list_state *states = NULL;
	struct dg_list_row *rows;
	int count;

	*ret = NULL;
	count = lists ? dg_lists_read(lists->daemon->options->state_dir, &states, NULL) : 0;
	rows = count > 0 ? calloc((size_t)count, sizeof(*rows)) : NULL;
	if (!rows)
		return 0;
	for (int i = 0; i < count; i++)
		rows[i] = row_of(lists, states + i);
	*ret = rows;
	return count;
}

/* ---- life ----------------------------------------------------------------------------------- */

int dg_lists_start(struct dg_daemon *daemon, struct dg_lists **ret, struct dg_error *err)
{
	struct dg_lists *lists = calloc(1, sizeof(*lists));
	int rc;

	if (!lists)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	lists->daemon = daemon;
	lists->started = (__u64)time(NULL);
	for (int lane = 0; lane < DG_LANES; lane++)
		lists->lane[lane].lists = lists;
	rc = dg_watch_start(lists, err);
	if (rc) {
		free(lists);
		return rc;
	}
	uv_timer_init(&daemon->loop, &lists->wake);
	lists->wake.data = lists;
	lists->on_wake = on_wake;
	lists->handles = 2;
	uv_timer_start(&lists->wake, on_wake, 0, 0);
	*ret = lists;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct dg_lists *lists = handle->data;

	if (--lists->handles)
		return;
	free(lists->watched);
	json_decref(lists->told);
	free(lists);
}

void dg_lists_stop(struct dg_lists **lists)
{
	struct dg_lists *stopped = *lists;

	*lists = NULL;
	if (!stopped)
		return;
	stopped->stopping = true;
	for (int lane = 0; lane < DG_LANES; lane++)
		dg_program_stop(&stopped->lane[lane].program);
	for (unsigned int i = 0; i < stopped->count; i++)
		entry_free(stopped->entry[i]);
	stopped->count = 0;
	uv_poll_stop(&stopped->news);
	dg_close_fd(&stopped->inotify);
	uv_close((uv_handle_t *)&stopped->news, on_closed);
	uv_close((uv_handle_t *)&stopped->wake, on_closed);
}
