// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * event.c - what happened, a line of JSON on standard output each.
 *
 * The lines are the contract with whoever keeps this program as a child: see the usage text.
 */
#include <jansson.h>

#include "userspace/transfer/clock.h"
#include "userspace/transfer/follow.h"

static void say(const struct dg_follow *follow, json_t *event)
{
	if (!event)
		return;
	json_object_set_new(event, "zone", json_string(follow->options->zone_text));
	json_dumpf(event, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(event);
}

void dg_event_loaded(const struct dg_follow *follow)
{
	say(follow, json_pack("{s:s, s:I, s:I}", "event", "loaded", "serial",
			      (json_int_t)dg_zone_serial(&follow->zone), "records",
			      (json_int_t)follow->zone.count + 1));
}

static const char *method_text(enum dg_kind kind)
{
	static const char *const methods[] = { "none", "axfr", "ixfr" };

	return methods[kind];
}

static json_t *changed(const struct dg_checked *checked)
{
	const struct dg_change *change = &checked->change;
	bool step = change->kind == DG_KIND_IXFR;

	return json_pack("{s:s, s:I, s:o, s:s, s:I, s:I, s:I, s:I}", "event", "changed", "serial",
			 (json_int_t)checked->serial, "from",
			 step ? json_integer(change->from) : json_null(), "method",
			 method_text(change->kind), "records", (json_int_t)checked->records,
			 "added", (json_int_t)change->added, "deleted", (json_int_t)change->deleted,
			 "bytes", (json_int_t)checked->bytes);
}

static json_t *unchanged(const struct dg_checked *checked)
{
	return json_pack("{s:s, s:I, s:I}", "event", "unchanged", "serial",
			 (json_int_t)checked->serial, "primary_serial",
			 (json_int_t)checked->primary_serial);
}

void dg_event_checked(const struct dg_follow *follow, const struct dg_checked *checked)
{
	json_t *event = checked->written ? changed(checked) : unchanged(checked);

	json_object_set_new(event, "refresh", json_integer(checked->refresh_s));
	json_object_set_new(event, "retry", json_integer(checked->retry_s));
	json_object_set_new(event, "expire", json_integer(checked->expire_s));
	say(follow, event);
}

void dg_event_expired(const struct dg_follow *follow)
{
	say(follow, json_pack("{s:s, s:I}", "event", "expired", "serial",
			      (json_int_t)dg_zone_serial(&follow->zone)));
}

void dg_event_failed(const struct dg_follow *follow, const char *reason, __u64 retry_ns)
{
	json_t *event = json_pack("{s:s, s:s}", "event", "failed", "reason", reason);

	if (retry_ns)
		json_object_set_new(event, "retry_seconds",
				    json_real((double)retry_ns / (double)DG_NS_PER_S));
	say(follow, event);
}
