// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report.c - what came of a run, as a document.
 */
#include <string.h>

#include "userspace/lists/internal.h"

static const char *const outcome_words[] = {
	[DG_OUTCOME_NONE] = "untouched",  [DG_OUTCOME_SAME] = "unchanged",
	[DG_OUTCOME_UPDATED] = "updated", [DG_OUTCOME_STALE] = "stale",
	[DG_OUTCOME_BUSY] = "busy",
};

static json_t *time_json(__u64 unix_sec)
{
	return unix_sec ? json_integer((json_int_t)unix_sec) : json_null();
}

/* For people: lost or won since last time is the first thing they ask. */
static json_t *item_json(const struct dg_item *item)
{
	const struct dg_list_meta *meta = dg_item_meta(item);
	const json_t *list = dg_report_list(item->check, 0);
	bool failed = item->outcome == DG_OUTCOME_STALE || item->outcome == DG_OUTCOME_BUSY;
	json_t *problems = json_object_get(list, "problems");
	json_t *reasons = json_object_get(list, "unsupported");
	json_t *row =
		json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "name",
			  item->spec.name, "outcome", outcome_words[item->outcome], "format",
			  meta->format, "accepted", (json_int_t)meta->counts.accepted, "before",
			  (json_int_t)item->meta.counts.accepted, "folded",
			  (json_int_t)meta->counts.folded, "duplicate",
			  (json_int_t)meta->counts.duplicate, "rejected",
			  (json_int_t)meta->counts.rejected, "unsupported",
			  (json_int_t)meta->counts.unsupported, "skipped",
			  (json_int_t)meta->counts.skipped, "lines", (json_int_t)meta->counts.lines,
			  "stale_since", time_json(meta->stale_since));

	if (!row)
		return json_null();
	json_object_set_new(row, "protected", json_integer((json_int_t)meta->counts.protected));
	json_object_set(row, "unsupported_reasons", reasons ? reasons : json_null());
	json_object_set_new(row, "senders", json_integer((json_int_t)meta->counts.senders));
	json_object_set_new(row, "error", failed ? json_string(item->err.text) : json_null());
	json_object_set_new(row, "exit_status", json_integer(failed ? item->err.status : 0));
	json_object_set(row, "problems", problems ? problems : json_null());
	return row;
}

/* Names of all lists in the image. An entry more stands there where a name is an exception to what is above it. */
static __u64 names_live(const struct dg_run *run)
{
	const json_t *list;
	__u64 names = 0;
	size_t i;

	json_array_foreach(json_object_get(run->report, "lists"), i, list) names +=
		(__u64)json_integer_value(json_object_get(list, "accepted"));
	return names;
}

json_t *dg_run_report(const struct dg_run *run)
{
	const struct dg_image_header *header = run->elements;
	json_t *lists = json_array();

	for (__u32 i = 0; i < run->count; i++)
		if (run->item[i].selected)
			json_array_append_new(lists, item_json(run->item + i));
	if (run->gone)
		json_array_extend(lists, run->gone);
	return json_pack("{s:i, s:b, s:b, s:b, s:o, s:o, s:o, s:{s:I, s:I}, s:o}", "schema", 1,
			 "attached", run->attached, "compiled", run->compiled, "published",
			 run->published, "names",
			 header ? json_integer((json_int_t)names_live(run)) : json_null(),
			 "entries", header ? json_integer((json_int_t)header->names) : json_null(),
			 "bytes",
			 header ? json_integer((json_int_t)(run->elements_count *
							    sizeof(struct dg_image_bucket))) :
				  json_null(),
			 "memory", "needed", (json_int_t)run->memory_needed, "allowed",
			 (json_int_t)run->memory_allowed, "lists", lists);
}
