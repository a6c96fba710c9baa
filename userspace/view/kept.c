// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kept.c - reads what the daemon has written down.
 */
#include "userspace/view/kept.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SCHEMA 1

/* An array of a file, owned; an empty one where it cannot be had. */
static json_t *rows_read(const char *state_dir, const char *file, const char *key)
{
	char path[4096];
	json_t *doc, *rows;

	snprintf(path, sizeof(path), "%s/%s", state_dir, file);
	doc = json_load_file(path, 0, NULL);
	rows = json_integer_value(json_object_get(doc, "schema")) == SCHEMA ?
		       json_incref(json_object_get(doc, key)) :
		       NULL;
	json_decref(doc);
	if (json_is_array(rows))
		return rows;
	json_decref(rows);
	return json_array();
}

void dg_kept_read(const char *state_dir, struct dg_kept *ret)
{
	ret->listeners = rows_read(state_dir, "pressure.json", "listeners");
	ret->alerts = rows_read(state_dir, "alerts.json", "alerts");
}

void dg_kept_drop(struct dg_kept *kept)
{
	json_decref(kept->listeners);
	json_decref(kept->alerts);
	*kept = (struct dg_kept){ NULL, NULL };
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

const json_t *dg_kept_listener(const struct dg_kept *kept, const char *listener)
{
	const json_t *row;
	size_t i;

	json_array_foreach(kept->listeners, i,
			   row) if (!strcmp(text_of(row, "listener"), listener)) return row;
	return NULL;
}

int dg_kept_shares(const json_t *one, const json_t *other)
{
	return one == other || (json_is_true(json_object_get(one, "quota_shared")) &&
				json_is_true(json_object_get(other, "quota_shared")) &&
				json_integer_value(json_object_get(one, "pid")) ==
					json_integer_value(json_object_get(other, "pid")));
}

json_t *dg_kept_alerts_json(const struct dg_kept *kept)
{
	const json_int_t now = (json_int_t)time(NULL);
	json_t *list = json_array();
	const json_t *row;
	size_t i;

	json_array_foreach(kept->alerts, i, row)
	{
		if (!json_is_true(json_object_get(row, "firing")))
			continue;
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", text_of(row, "alert"), "of",
				  text_of(row, "listener"), "state", text_of(row, "severity"),
				  "summary", text_of(row, "summary"), "seconds",
				  now - json_integer_value(json_object_get(row, "starts"))));
	}
	return list;
}
