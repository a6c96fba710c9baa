// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kept.c - reads what the daemon has written down.
 */
#include "userspace/view/kept.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SCHEMA 1

/* A file, owned; NULL where it cannot be had. */
static json_t *file_read(const char *state_dir, const char *file)
{
	char path[4096];
	json_t *doc;

	snprintf(path, sizeof(path), "%s/%s", state_dir, file);
	doc = json_load_file(path, 0, NULL);
	if (json_integer_value(json_object_get(doc, "schema")) == SCHEMA)
		return doc;
	json_decref(doc);
	return NULL;
}

/* An array of it, owned; an empty one where there is none. */
static json_t *rows_of(const json_t *doc, const char *key)
{
	json_t *rows = json_object_get(doc, key);

	return json_is_array(rows) ? json_incref(rows) : json_array();
}

static json_t *percent_of(const json_t *doc, const char *key)
{
	json_t *percent = json_object_get(doc, key);

	return json_integer_value(percent) > 0 ? json_incref(percent) : json_null();
}

void dg_kept_read(const char *state_dir, struct dg_kept *ret)
{
	json_t *pressure = file_read(state_dir, "pressure.json"),
	       *alerts = file_read(state_dir, "alerts.json");

	ret->listeners = rows_of(pressure, "listeners");
	ret->warning_at = percent_of(pressure, "warning_at");
	ret->critical_at = percent_of(pressure, "critical_at");
	ret->alerts = rows_of(alerts, "alerts");
	json_decref(pressure);
	json_decref(alerts);
}

void dg_kept_drop(struct dg_kept *kept)
{
	json_decref(kept->listeners);
	json_decref(kept->warning_at);
	json_decref(kept->critical_at);
	json_decref(kept->alerts);
	*kept = (struct dg_kept){ .listeners = NULL };
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
