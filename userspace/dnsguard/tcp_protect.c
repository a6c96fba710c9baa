// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcp_protect.c - what `dnsguard tcp` says of protection and reaper, and which setting of a resolver would help. Reads only.
 */
#include <string.h>

#include "userspace/dnsguard/tcp.h"
#include "userspace/lib/stats.h"
#include "userspace/pressure/advice.h"

/* null = no bound */
static json_t *bound(__u32 connections)
{
	return connections ? json_integer(connections) : json_null();
}

json_t *dg_tcp_protect_json(const struct dg_snapshot *snapshot, const struct dg_tcp_now *now)
{
	static const char *const modes[] = { "off", "observe", "enforce" };
	const struct dg_tcp_protect *protect = &snapshot->settings.protect;
	const bool pressed = snapshot->now_ns < protect->until_ns;
	json_t *doc =
		json_pack("{s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:i, s:I}", "mode",
			  modes[protect->mode % (DG_ENFORCE + 1)], "reaper",
			  modes[protect->reaper % (DG_ENFORCE + 1)], "step",
			  pressed ? protect->step : 0, "steps", DG_PROTECT_STEPS, "syns_dropped",
			  (json_int_t)snapshot->total.verdict[DG_DROP_TCP_SHARE].frames,
			  "syns_observed",
			  (json_int_t)snapshot->total.verdict[DG_PASS_OBSERVED_TCP_SHARE].frames,
			  "reaped", (json_int_t)now->reaped[DG_ENFORCE], "reaped_observed",
			  (json_int_t)now->reaped[DG_OBSERVE], "held_to_less", (int)protect->reaped,
			  "sources_not_counted", (json_int_t)now->shares_left_out);

	if (doc)
		json_object_set_new(doc, "connections_of_a_source",
				    bound(pressed ? protect->share[0] : protect->base[0]));
	return doc;
}

json_t *dg_tcp_alone_json(const struct dg_tcp_protect *protect)
{
	const bool protects = protect->mode != DG_OFF || protect->reaper != DG_OFF;

	return json_sprintf(
		"not running: states are not known and nobody is told of any%s",
		protects ? "; shares stay as they are without pressure, and nothing is reaped" :
			   "");
}

static double number_of(const json_t *row, const char *key, double none)
{
	const json_t *value = json_object_get(row, key);

	return json_is_number(value) ? json_number_value(value) : none;
}

/* By the mean hold time, which the row gives as what the quota bears. */
static struct dg_advice_given given_of(const json_t *row)
{
	struct dg_advice_given given = {
		.program = json_string_value(json_object_get(row, "resolver")),
		.quota = (__u64)number_of(row, "quota", 0),
		.slots = (__u64)number_of(row, "quota_slots", 0),
		.peak = (__u64)number_of(row, "peak_minute", 0),
		.new_per_second = number_of(row, "new_per_second", 0),
		.hold_mean_sec = -1,
		.accept_queue_max = (__u32)(number_of(row, "accept_queue_max", 0) /
					    number_of(row, "sockets", 1)),
	};
	double bears = number_of(row, "sustainable_per_second", 0);

	if (bears > 0)
		given.hold_mean_sec = (double)given.quota / bears;
	return given;
}

json_t *dg_tcp_advice_json(const json_t *listeners)
{
	json_t *all = json_array();
	const json_t *row;
	size_t i;

	json_array_foreach(listeners, i, row)
	{
		const struct dg_advice_given given = given_of(row);
		struct dg_advice advice[DG_ADVICE_MAX];
		int count = dg_advise(&given, advice);

		for (int n = 0; n < count; n++)
			json_array_append_new(all,
					      json_pack("{s:O, s:s, s:s}", "listener",
							json_object_get(row, "listener"), "setting",
							advice[n].setting, "why", advice[n].why));
	}
	return all;
}
