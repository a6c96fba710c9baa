// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lists_run.c - one run of the update pipeline as a child: which lists, how long at most, what came of each.
 *
 * The child is `dnsguard list update --json NAME...`, as an operator would type it. A run that is cut off leaves the old
 * state or the new one, never half of it: that is the pipeline's promise, and why it may be killed.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "userspace/dnsguardd/lists_internal.h"
#include "userspace/dnsguardd/log.h"
#include "userspace/lib/quote.h"

#define PROGRAM "dnsguard"
#define RUN_SECONDS 1800   /* to check, compile and load whatever there is */
#define FETCH_SECONDS 1000 /* more than the pipeline gives one source */
#define WORDS_MAX (12 + DG_LISTS_MAX)
/* A run that came to nothing: again after a minute, then twice that, up to an hour. */
#define AGAIN_SEC 60
#define AGAIN_MAX_SEC 3600

/* ---- what came of it ------------------------------------------------------------------------ */

static void entry_good(struct dg_entry *entry)
{
	entry->broken = entry->broken_since = entry->not_before = 0;
	entry->expired = false;
	entry->expired_since = 0;
}

/* Nothing is known of the list after such a run; the pipeline could not note that it failed. */
static void entry_broken(struct dg_entry *entry)
{
	__u64 now = (__u64)time(NULL), wait = AGAIN_SEC << (entry->broken < 6 ? entry->broken : 6);

	entry->failures++;
	entry->broken++;
	if (!entry->broken_since)
		entry->broken_since = now;
	entry->not_before = now + (wait < AGAIN_MAX_SEC ? wait : AGAIN_MAX_SEC);
	entry->asked = true;
}

/* Somebody else is at it, or a list of the run was taken away: nothing is known, nothing is wrong. */
static void entry_later(struct dg_entry *entry, __u64 seconds)
{
	entry->not_before = (__u64)time(NULL) + seconds;
	entry->asked = true;
}

static void entry_stale(struct dg_entry *entry, const char *error)
{
	entry->failures++;
	entry->broken = entry->broken_since = entry->not_before = 0;
	dg_log(DG_LOG_WARNING, "list %s: %s; what it had stays", entry->spec.name,
	       dg_text_is_clean(error) ? error : DG_QUOTE(error));
}

static void row_take(struct dg_entry *entry, const json_t *row)
{
	const char *outcome = json_string_value(json_object_get(row, "outcome"));
	const char *error = json_string_value(json_object_get(row, "error"));

	if (!outcome || !strcmp(outcome, "untouched")) {
		entry_broken(entry);
	} else if (!strcmp(outcome, "stale")) {
		entry_stale(entry, error ? error : "it could not be refreshed");
	} else if (!strcmp(outcome, "busy")) {
		entry_later(entry, AGAIN_SEC);
	} else {
		entry_good(entry);
		if (!strcmp(outcome, "updated"))
			dg_log(DG_LOG_NOTICE, "list %s: updated, %lld names", entry->spec.name,
			       (long long)json_integer_value(json_object_get(row, "accepted")));
	}
}

static const json_t *row_find(const json_t *report, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(report, "lists"), i, row)
	{
		const char *its = json_string_value(json_object_get(row, "name"));

		if (its && !strcmp(its, name))
			return row;
	}
	return NULL;
}

static void say_broken(const struct dg_program_end *end)
{
	if (end->late)
		dg_log(DG_LOG_ERROR, "refreshing lists took too long and was ended");
	else if (end->exit_status < 0)
		dg_log(DG_LOG_ERROR, "refreshing lists was ended by signal %d (%s)", end->number,
		       strsignal(end->number));
	else
		dg_log(DG_LOG_ERROR, "lists cannot be refreshed: %s",
		       end->complaint[0] ? end->complaint : "the program said nothing");
}

/* without: for lists of which the report says nothing. */
static void entries_take(struct dg_lists *lists, enum dg_lane lane, const json_t *report,
			 void (*without)(struct dg_entry *entry))
{
	for (unsigned int i = 0; i < lists->count; i++) {
		struct dg_entry *entry = lists->entry[i];
		const json_t *row = row_find(report, entry->spec.name);

		if (!entry->running || entry->lane != lane)
			continue;
		entry->running = false;
		if (row)
			row_take(entry, row);
		else
			without(entry);
	}
}

static void entry_next(struct dg_entry *entry)
{
	entry_later(entry, 1);
}

static void on_end(void *arg, const struct dg_program_end *end)
{
	struct dg_lane_run *run = arg;
	struct dg_lists *lists = run->lists;
	json_t *report = end->exit_status < 0 ? NULL : json_loads(end->said, 0, NULL);
	bool gone = end->exit_status ==
		    DG_EXIT_NOT_FOUND; /* taken away meanwhile: the others run again */

	run->program = NULL;
	if (!gone && !json_is_array(json_object_get(report, "lists")))
		say_broken(end);
	entries_take(lists, (enum dg_lane)(run - lists->lane), report,
		     gone ? entry_next : entry_broken);
	json_decref(report);
	dg_lists_look_soon(lists);
}

/* ---- the start ------------------------------------------------------------------------------ */

static void mark(struct dg_entry *entry, enum dg_lane lane)
{
	entry->running = true;
	entry->lane = lane;
	entry->touched = entry->asked = false;
}

void dg_lists_run(struct dg_lists *lists, enum dg_lane lane, struct dg_entry *const *entries,
		  unsigned int count)
{
	const struct dg_daemon_options *options = lists->daemon->options;
	struct dg_lane_run *run = lists->lane + lane;
	__u64 memory = lists->daemon->config->lists_memory;
	struct dg_error err = { .text = "" };
	struct dg_program_want want = { .name = PROGRAM,
					.end = on_end,
					.seconds_max = RUN_SECONDS + count * FETCH_SECONDS,
					.arg = run };
	char memory_word[40];
	char *words[WORDS_MAX] = { PROGRAM,
				   "--bpffs",
				   (char *)options->bpffs,
				   "--state-dir",
				   (char *)options->state_dir,
				   "list",
				   "update",
				   "--json" };
	unsigned int n = 8;

	snprintf(memory_word, sizeof(memory_word), "--memory=%lluK",
		 (unsigned long long)memory >> 10);
	if (memory)
		words[n++] = memory_word;
	for (unsigned int i = 0; i < count; i++) {
		words[n++] = entries[i]->spec.name;
		mark(entries[i], lane);
	}
	want.argv = words;
	if (!dg_program_start(&lists->daemon->loop, &want, &run->program, &err))
		return;
	dg_log(DG_LOG_ERROR, "lists cannot be refreshed: %s", err.text);
	entries_take(lists, lane, NULL, entry_broken);
}
