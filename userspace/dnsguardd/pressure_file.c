// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pressure_file.c - <state dir>/pressure.json: states and quotas of listeners, and the usual share of TCP.
 *
 * Ours, and read with care all the same. Times are Unix seconds.
 */
#include <errno.h>
#include <string.h>

#include "userspace/dnsguardd/log.h"
#include "userspace/dnsguardd/pressure_internal.h"

#define SCHEMA 1

/* ---- written ---------------------------------------------------------------------------------- */

static json_t *listener_json(const struct dg_quotas *watch,
			     const struct dg_quotas_listener *listener)
{
	const struct dg_quota_told *quota = &listener->quota;
	__u64 connections = dg_quotas_of(watch, listener);
	const char *source = connections != quota->connections ? "tcp.quota in our configuration" :
								 quota->source;

	return json_pack("{s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:b, s:s, s:s, s:b, s:b}", "listener",
			 listener->name, "state",
			 connections || listener->state ? dg_pressure_names[listener->state] :
							  "unknown",
			 "since", (json_int_t)listener->since_unix, "resolver", quota->resolver,
			 "pid", (json_int_t)quota->pid, "quota", (json_int_t)connections,
			 "quota_slots", (json_int_t)quota->slots, "quota_shared", quota->shared,
			 "quota_source", source, "quota_advice", quota->advice, "present",
			 listener->present, "configured", connections != quota->connections);
}

static json_t *share_json(const struct dg_share *share)
{
	json_t *usual = json_array(), *weeks = json_array();
	json_t *look_tcp = json_array(), *look_all = json_array();

	for (int minute = 0; minute < DG_SHARE_MINUTES; minute++) {
		json_array_append_new(look_tcp, json_integer((json_int_t)share->look[minute].tcp));
		json_array_append_new(look_all, json_integer((json_int_t)share->look[minute].all));
	}
	for (int hour = 0; hour < DG_SHARE_HOURS; hour++) {
		json_array_append_new(usual, json_real(share->usual[hour].share));
		json_array_append_new(weeks, json_integer(share->usual[hour].weeks));
	}
	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:b}", "usual", usual,
			 "weeks", weeks, "hour", (json_int_t)share->hour, "hour_tcp",
			 (json_int_t)share->hour_began.tcp, "hour_all",
			 (json_int_t)share->hour_began.all, "minute", (json_int_t)share->minute,
			 "first_minute", (json_int_t)share->first_minute, "look_tcp", look_tcp,
			 "look_all", look_all, "alarm", share->alarm.on);
}

char *dg_quotas_text(const struct dg_quotas *watch)
{
	json_t *list = json_array(), *doc;
	char *text;

	for (unsigned int i = 0; i < watch->count; i++)
		json_array_append_new(list, listener_json(watch, &watch->listener[i]));
	doc = json_pack("{s:i, s:o, s:o, s:I, s:I}", "schema", SCHEMA, "listeners", list, "share",
			share_json(&watch->share), "warning_at", (json_int_t)watch->warning_at,
			"critical_at", (json_int_t)watch->critical_at);
	text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	json_decref(doc);
	return text;
}

/* ---- read ------------------------------------------------------------------------------------- */

static enum dg_pressure_state state_read(const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "state"));

	for (int state = 0; name && state < DG_PRESSURE_STATES; state++)
		if (!strcmp(name, dg_pressure_names[state]))
			return (enum dg_pressure_state)state;
	return DG_PRESSURE_OK;
}

/* The quota is asked anew; until then the alarm stands on its state alone. */
static void listener_take(const json_t *row, struct dg_quotas_listener *ret)
{
	const char *name = json_string_value(json_object_get(row, "listener"));
	const char *resolver = json_string_value(json_object_get(row, "resolver"));

	*ret = (struct dg_quotas_listener){ .hold_mean_sec = -1 };
	snprintf(ret->name, sizeof(ret->name), "%s", name ? name : "");
	snprintf(ret->quota.resolver, sizeof(ret->quota.resolver), "%s", resolver ? resolver : "");
	ret->quota.pid = json_integer_value(json_object_get(row, "pid"));
	/* What the operator says is not the resolver's word. */
	if (!json_is_true(json_object_get(row, "configured")))
		ret->quota.connections = (__u64)json_integer_value(json_object_get(row, "quota"));
	ret->quota.slots = (__u64)json_integer_value(json_object_get(row, "quota_slots"));
	ret->quota.shared = json_is_true(json_object_get(row, "quota_shared"));
	ret->state = state_read(row);
	ret->since_unix = (__u64)json_integer_value(json_object_get(row, "since"));
	dg_pressure_restore(&ret->pressure, ret->state);
}

static __u64 number_take(const json_t *doc, const char *key)
{
	return (__u64)json_integer_value(json_object_get(doc, key));
}

/* The window goes on where it was: a share that nobody knows for minutes would end an alarm that is not over. */
static void looks_take(const json_t *doc, struct dg_share *ret)
{
	const json_t *tcp = json_object_get(doc, "look_tcp"),
		     *all = json_object_get(doc, "look_all");

	if (json_array_size(tcp) != DG_SHARE_MINUTES || json_array_size(all) != DG_SHARE_MINUTES)
		return;
	for (size_t minute = 0; minute < DG_SHARE_MINUTES; minute++)
		ret->look[minute] = (struct dg_share_counts){
			.tcp = (__u64)json_integer_value(json_array_get(tcp, minute)),
			.all = (__u64)json_integer_value(json_array_get(all, minute)),
		};
	ret->minute = number_take(doc, "minute");
	ret->first_minute = number_take(doc, "first_minute");
}

static void share_take(const json_t *doc, struct dg_share *ret)
{
	const json_t *usual = json_object_get(doc, "usual"), *weeks = json_object_get(doc, "weeks");

	for (size_t hour = 0; hour < DG_SHARE_HOURS; hour++) {
		ret->usual[hour].share = json_number_value(json_array_get(usual, hour));
		ret->usual[hour].weeks = (__u32)json_integer_value(json_array_get(weeks, hour));
	}
	ret->hour = number_take(doc, "hour");
	ret->hour_began.tcp = number_take(doc, "hour_tcp");
	ret->hour_began.all = number_take(doc, "hour_all");
	looks_take(doc, ret);
	ret->alarm.on = json_is_true(json_object_get(doc, "alarm"));
}

void dg_quotas_load(struct dg_quotas *watch)
{
	json_error_t reason;
	const json_t *list;
	json_t *doc;

	if (access(watch->path, F_OK) && errno == ENOENT)
		return;
	doc = json_load_file(watch->path, 0, &reason);
	if (json_integer_value(json_object_get(doc, "schema")) != SCHEMA) {
		dg_log(DG_LOG_ERROR, "%s cannot be read: %s; states begin anew", watch->path,
		       doc ? "of another version" : reason.text);
		json_decref(doc);
		return;
	}
	list = json_object_get(doc, "listeners");
	while (watch->count < DG_TCP_LISTENERS_MAX && watch->count < json_array_size(list)) {
		listener_take(json_array_get(list, watch->count), &watch->listener[watch->count]);
		watch->count++;
	}
	share_take(json_object_get(doc, "share"), &watch->share);
	json_decref(doc);
}
