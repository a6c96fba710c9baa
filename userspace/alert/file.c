// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - <state dir>/alerts.json: alerts, receivers, and what each receiver knows. Replaced whole.
 *
 * `dnsguard alert ls` shows this file. It is ours, but it is read with care: a field that is missing or of another kind is
 * taken as empty.
 */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>

#include "userspace/alert/alert.h"

#define SCHEMA 1

/* ---- written ---------------------------------------------------------------------------------- */

static json_t *sink_json(const struct dg_alerts *alerts, unsigned int at)
{
	const struct dg_sink *sink = &alerts->sink[at];

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:I}", "sink", sink->id, "delivered",
			 (json_int_t)sink->delivered, "failed", (json_int_t)sink->failed, "queued",
			 (json_int_t)dg_sink_queued(alerts, at), "last_message",
			 (json_int_t)sink->last_unix, "last_error", sink->last_error, "tries",
			 (json_int_t)sink->tries, "next_try", (json_int_t)sink->not_before_unix);
}

static json_t *told_json(const struct dg_alerts *alerts, const struct dg_alert *alert)
{
	json_t *told = json_object();

	for (unsigned int i = 0; i < alerts->sinks; i++)
		json_object_set_new(told, alerts->sink[i].id,
				    json_pack("{s:I, s:I}", "changes",
					      (json_int_t)alert->told[i].changes, "at",
					      (json_int_t)alert->told[i].unix_sec));
	return told;
}

static json_t *alert_json(const struct dg_alerts *alerts, const struct dg_alert *alert)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:o}", "alert",
			 alert->name, "severity", alert->severity, "listener", alert->listener,
			 "resolver", alert->resolver, "summary", alert->summary, "description",
			 alert->description, "firing", alert->firing, "starts",
			 (json_int_t)alert->starts_unix, "ends", (json_int_t)alert->ends_unix,
			 "changes", (json_int_t)alert->changes, "order", (json_int_t)alert->order,
			 "told", told_json(alerts, alert));
}

char *dg_alerts_text(const struct dg_alerts *alerts)
{
	json_t *list = json_array(), *sinks = json_array(), *doc;
	char *text;

	for (unsigned int i = 0; i < alerts->count; i++)
		json_array_append_new(list, alert_json(alerts, &alerts->alert[i]));
	for (unsigned int i = 0; i < alerts->sinks; i++)
		json_array_append_new(sinks, sink_json(alerts, i));
	doc = json_pack("{s:i, s:o, s:o}", "schema", SCHEMA, "alerts", list, "sinks", sinks);
	text = doc ? json_dumps(doc, JSON_INDENT(1)) : NULL;
	json_decref(doc);
	return text;
}

/* ---- read ------------------------------------------------------------------------------------- */

static void text_take(const json_t *object, const char *key, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(ret, size, "%s", text ? text : "");
}

static __u64 number_take(const json_t *object, const char *key)
{
	return (__u64)json_integer_value(json_object_get(object, key));
}

static void sink_take(const json_t *row, struct dg_sink *ret)
{
	*ret = (struct dg_sink){ .delivered = number_take(row, "delivered"),
				 .failed = number_take(row, "failed"),
				 .last_unix = number_take(row, "last_message"),
				 .tries = (unsigned int)number_take(row, "tries"),
				 .not_before_unix = number_take(row, "next_try") };
	text_take(row, "sink", ret->id, sizeof(ret->id));
	text_take(row, "last_error", ret->last_error, sizeof(ret->last_error));
	ret->kind = !strncmp(ret->id, "alertmanager", 12) ? DG_SINK_ALERTMANAGER :
		    !strncmp(ret->id, "webhook", 7)	  ? DG_SINK_WEBHOOK :
		    !strncmp(ret->id, "command", 7)	  ? DG_SINK_COMMAND :
							    DG_SINK_LOG;
}

static void alert_take(const struct dg_alerts *alerts, const json_t *row, struct dg_alert *ret)
{
	const json_t *told = json_object_get(row, "told");

	*ret = (struct dg_alert){ .firing = json_is_true(json_object_get(row, "firing")),
				  .starts_unix = number_take(row, "starts"),
				  .ends_unix = number_take(row, "ends"),
				  .changes = number_take(row, "changes"),
				  .order = number_take(row, "order") };
	text_take(row, "alert", ret->name, sizeof(ret->name));
	text_take(row, "severity", ret->severity, sizeof(ret->severity));
	text_take(row, "listener", ret->listener, sizeof(ret->listener));
	text_take(row, "resolver", ret->resolver, sizeof(ret->resolver));
	text_take(row, "summary", ret->summary, sizeof(ret->summary));
	text_take(row, "description", ret->description, sizeof(ret->description));
	for (unsigned int i = 0; i < alerts->sinks; i++) {
		const json_t *knows = json_object_get(told, alerts->sink[i].id);

		ret->told[i] = (struct dg_told){ .changes = number_take(knows, "changes"),
						 .unix_sec = number_take(knows, "at") };
	}
}

static int document_take(const json_t *doc, struct dg_alerts *ret)
{
	const json_t *rows = json_object_get(doc, "alerts"), *sinks = json_object_get(doc, "sinks");
	size_t count = json_array_size(rows);

	count = count < DG_ALERTS_MAX ? count : DG_ALERTS_MAX;
	ret->alert = calloc(count ? count : 1, sizeof(*ret->alert));
	if (!ret->alert)
		return -ENOMEM;
	ret->room = count ? (unsigned int)count : 1;
	while (ret->sinks < DG_SINKS_MAX && ret->sinks < json_array_size(sinks)) {
		sink_take(json_array_get(sinks, ret->sinks), &ret->sink[ret->sinks]);
		ret->sinks++;
	}
	for (size_t i = 0; i < count; i++) {
		struct dg_alert *alert = &ret->alert[ret->count++];

		alert_take(ret, json_array_get(rows, i), alert);
		ret->order = alert->order > ret->order ? alert->order : ret->order;
	}
	return 0;
}

int dg_alerts_load(const char *state_dir, struct dg_alerts *ret, struct dg_error *err)
{
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };
	char path[PATH_MAX];
	json_error_t reason;
	json_t *doc;
	int failed, line;

	*ret = alerts;
	snprintf(path, sizeof(path), "%s/%s", state_dir, DG_ALERTS_FILE);
	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	doc = json_load_file(path, 0, &reason);
	line = doc ? 1 : reason.line;
	failed = doc && number_take(doc, "schema") == SCHEMA ? 0 : -EBADMSG;
	if (failed) {
		dg_fail(err, failed, DG_EXIT_FAILED, "%s:%d: cannot be read: %s", path, line,
			doc ? "of another version" : reason.text);
		json_decref(doc);
		return failed;
	}
	failed = document_take(doc, &alerts);
	json_decref(doc);
	if (failed)
		return dg_fail(err, failed, DG_EXIT_FAILED, "%s: out of memory", path);
	*ret = alerts;
	alerts.alert = NULL;
	return 0;
}
