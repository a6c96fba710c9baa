// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * list_show.c - dnsguard list ls, show: which lists there are, how fresh they are, what they did. Reads only.
 */
#include <errno.h>
#include <string.h>

#include "userspace/dnsguard/list.h"
#include "userspace/lib/quote.h"
#include "userspace/lib/render.h"
#include "userspace/lists/schedule.h"

static const struct dg_column ls_columns[] = {
	{ "name", "LIST", DG_AS_TEXT },	      { "state", "STATE", DG_AS_TEXT },
	{ "accepted", "NAMES", DG_AS_COUNT }, { "format", "FORMAT", DG_AS_TEXT },
	{ "answer", "ANSWER", DG_AS_TEXT },   { "fetched", "FETCHED", DG_AS_WHEN },
	{ "source", "SOURCE", DG_AS_TEXT },   { 0 },
};

static const struct dg_section ls_sections[] = {
	{ "lists", NULL, DG_AS_TEXT, ls_columns,
	  "there is no list: dnsguard list add NAME SOURCE" },
	{ 0 },
};

static const struct dg_section show_sections[] = {
	{ "name", "list", DG_AS_TEXT, NULL, NULL },
	{ "source", "source", DG_AS_TEXT, NULL, NULL },
	{ "state", "state", DG_AS_TEXT, NULL, NULL },
	{ "error", "  because", DG_AS_TEXT, NULL, NULL },
	{ "format", "format", DG_AS_TEXT, NULL, NULL },
	{ "match", "match", DG_AS_TEXT, NULL, NULL },
	{ "answer", "answer", DG_AS_TEXT, NULL, NULL },
	{ "ede", "EDE", DG_AS_TEXT, NULL, NULL },
	{ "override", "  overrides feed", DG_AS_YES_NO, NULL, NULL },
	{ "observe", "only observes", DG_AS_YES_NO, NULL, NULL },
	{ "fetched", "fetched", DG_AS_WHEN, NULL, NULL },
	{ "changed", "changed", DG_AS_WHEN, NULL, NULL },
	{ "next", "next refresh", DG_AS_TEXT, NULL, NULL },
	{ "lines", "lines", DG_AS_COUNT, NULL, NULL },
	{ "accepted", "  accepted", DG_AS_COUNT, NULL, NULL },
	{ "folded", "  folded", DG_AS_COUNT, NULL, NULL },
	{ "duplicate", "  duplicate", DG_AS_COUNT, NULL, NULL },
	{ "rejected", "  rejected", DG_AS_COUNT, NULL, NULL },
	{ "unsupported", "  unsupported", DG_AS_COUNT, NULL, NULL },
	{ "protected", "  protected", DG_AS_COUNT, NULL, NULL },
	{ "skipped", "  skipped", DG_AS_COUNT, NULL, NULL },
	{ "senders", "senders", DG_AS_COUNT, NULL, NULL },
	{ "entries", "names in the image", DG_AS_COUNT, NULL, NULL },
	{ "answers", "queries it decided", DG_AS_COUNT, NULL, NULL },
	{ 0 },
};

/* ---- one list ------------------------------------------------------------------------------- */

/* live: its names are in the image, or there is no guard that could have one. */
static const char *state_word(const struct dg_list_meta *meta, bool live)
{
	if (!meta->content_inode)
		return meta->stale_since ? "empty, cannot be fetched" : "not fetched yet";
	if (!live)
		return "not live";
	return meta->stale_since ? "stale" : "fresh";
}

/* The list's number in the image, 0 = it is not there. */
static __u32 image_find(const char *name, const struct dg_answer *lists, __u32 count)
{
	for (__u32 i = 1; i <= count; i++)
		if (lists[i].text_len == strlen(name) &&
		    !memcmp(lists[i].text, name, lists[i].text_len))
			return i;
	return 0;
}

static void time_set(json_t *object, const char *key, __u64 unix_sec)
{
	json_object_set_new(object, key,
			    unix_sec ? json_integer((json_int_t)unix_sec) : json_null());
}

json_t *dg_list_json(const struct dg_list_state *state, const struct dg_snapshot *snapshot)
{
	const struct dg_list_meta *meta = &state->meta;
	__u32 number = snapshot ? image_find(state->spec.name, snapshot->image_list,
					     snapshot->image.lists) :
				  0;
	char source[DG_LIST_SOURCE_MAX];
	json_t *object = dg_list_meta_json(meta);

	json_object_update_new(object, dg_list_spec_json(&state->spec));
	json_object_set_new(object, "source",
			    json_string(dg_list_source_text(state->spec.source, source)));
	if (meta->format[0])
		json_object_set_new(object, "format", json_string(meta->format));
	json_object_set_new(object, "state", json_string(state_word(meta, number || !snapshot)));
	json_object_set_new(object, "number", json_integer(number));
	json_object_set_new(object, "entries",
			    !snapshot ?
				    json_null() :
				    json_integer(number ? snapshot->image_list[number].names : 0));
	time_set(object, "fetched", meta->fetched);
	time_set(object, "changed", meta->changed);
	time_set(object, "attempted", meta->attempted);
	time_set(object, "expires", meta->expires);
	time_set(object, "stale_since", meta->stale_since);
	json_object_del(object, "content_inode");
	json_object_del(object, "generation");
	return object;
}

/*
 * When it is refreshed next, by the word of the daemon. refreshed_by: "clock", "change" of its source, or "nobody" as long
 * as no daemon runs.
 */
static void due_set(json_t *object, const json_t *schedule)
{
	const char *name = json_string_value(json_object_get(object, "name"));
	json_t *due = json_object_get(json_object_get(schedule, "due"), name);

	json_object_set(object, "due", due ? due : json_null());
	json_object_set_new(object, "refreshed_by",
			    json_string(!schedule ? "nobody" :
					due	  ? "clock" :
						    "change"));
}

/* ---- all of them ---------------------------------------------------------------------------- */

static json_t *states_json(const struct dg_cli *cli, const struct dg_list_state *states, int count,
			   const struct dg_snapshot *snapshot)
{
	json_t *array = json_array(), *schedule = dg_schedule_read(cli->bpffs, cli->state_dir);

	for (int i = 0; i < count; i++) {
		json_t *list = dg_list_json(states + i, snapshot);

		due_set(list, schedule);
		json_array_append_new(array, list);
	}
	json_decref(schedule);
	return array;
}

void dg_lists_status(const struct dg_cli *cli, const struct dg_snapshot *snapshot, json_t *doc)
{
	dg_scoped_free struct dg_list_state *states = NULL;
	struct dg_error err;
	int count = dg_lists_read(cli->state_dir, &states, &err);

	json_object_set_new(doc, "lists", states_json(cli, states, count, snapshot));
	if (count < 0)
		json_object_set_new(doc, "lists_error", json_string(err.text));
}

static bool list_judge(const json_t *list, char *buf, size_t size)
{
	const char *name = json_string_value(json_object_get(list, "name"));
	const char *state = json_string_value(json_object_get(list, "state"));
	const json_t *since = json_object_get(list, "stale_since");
	char when[32];

	if (!strcmp(state, "not live")) {
		snprintf(buf, size, "list %s is not live: \"dnsguard list update\" loads it", name);
		return true;
	}
	if (!json_is_integer(since))
		return false;
	snprintf(buf, size, "list %s is stale since %s: %s", name,
		 dg_format_value(since, DG_AS_WHEN, when, sizeof(when)),
		 json_string_value(json_object_get(list, "error")));
	return true;
}

bool dg_lists_judge(const json_t *status, char *buf, size_t size)
{
	const json_t *error = json_object_get(status, "lists_error"), *list;
	size_t i;

	if (error) {
		snprintf(buf, size, "the lists cannot be read: %s", json_string_value(error));
		return true;
	}
	json_array_foreach(json_object_get(status, "lists"), i,
			   list) if (list_judge(list, buf, size)) return true;
	return false;
}

/* Without a guard the lists are there all the same; nothing of them is live then. */
static struct dg_snapshot *snapshot_try(const struct dg_cli *cli)
{
	dg_scoped_free struct dg_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;

	if (!snapshot || dg_maps_open(cli->bpffs, &maps, NULL) || dg_snapshot_read(&maps, snapshot))
		return NULL;
	return dg_take_ptr(snapshot);
}

int dg_list_ls_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_free struct dg_snapshot *snapshot = snapshot_try(cli);
	dg_scoped_free struct dg_list_state *states = NULL;
	int count = dg_lists_read(cli->state_dir, &states, err);

	if (count < 0)
		return count;
	return dg_render(stdout,
			 json_pack("{s:i, s:o}", "schema", 1, "lists",
				   states_json(cli, states, count, snapshot)),
			 ls_sections, cli->json);
}

/* ---- one of them ---------------------------------------------------------------------------- */

static void answers_set(json_t *object, const struct dg_list_stats *stats)
{
	json_t *kinds = json_object();
	__u64 total = 0;

	for (enum dg_answer_kind kind = 0; kind < DG_ANSWER_KINDS; kind++) {
		json_object_set_new(kinds, dg_answer_kind_name(kind),
				    json_integer((json_int_t)stats->answers[kind]));
		total += stats->answers[kind];
	}
	json_object_set_new(object, "answers", json_integer((json_int_t)total));
	json_object_set_new(object, "answers_by_kind", kinds);
}

/* The same in words. */
static void next_set(json_t *object)
{
	const char *by = json_string_value(json_object_get(object, "refreshed_by"));
	char when[32];

	json_object_set_new(object, "next",
			    json_string(!strcmp(by, "clock") ?
						dg_format_value(json_object_get(object, "due"),
								DG_AS_WHEN, when, sizeof(when)) :
					!strcmp(by, "change") ?
						"when its source changes" :
						"unknown: no dnsguardd runs; dnsguard list update "
						"refreshes it now"));
}

int dg_list_show_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_free struct dg_snapshot *snapshot = snapshot_try(cli);
	dg_scoped_free struct dg_list_state *states = NULL;
	int count = dg_lists_read(cli->state_dir, &states, err), at = 0;
	json_t *object, *array;

	if (count < 0)
		return count;
	while (at < count && strcmp(states[at].spec.name, cli->arg[0]))
		at++;
	if (at == count)
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_FOUND,
			       "there is no list %s: \"dnsguard list ls\" shows those there are",
			       DG_QUOTE(cli->arg[0]));
	array = states_json(cli, states + at, 1, snapshot);
	object = json_incref(json_array_get(array, 0));
	json_decref(array);
	if (!cli->json)
		next_set(object);
	json_object_set_new(object, "schema", json_integer(1));
	json_object_set_new(object, "precedence", json_integer(at + 1));
	if (json_integer_value(json_object_get(object, "number")))
		answers_set(object,
			    snapshot->list + json_integer_value(json_object_get(object, "number")));
	return dg_render(stdout, object, show_sections, cli->json);
}
