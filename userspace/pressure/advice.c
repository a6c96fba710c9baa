// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * advice.c - what to write into a resolver's configuration: see advice.h.
 */
#include "userspace/pressure/advice.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "userspace/pressure/pressure.h"

#define FREE_OF_TEN 3 /* tenths of the quota that should be free: below the first warning */
#define QUEUE_SMALL 128
#define HOLD_LEAST_SEC 0.5 /* clients that ask again would have to connect again */

/* How the settings are written; %llu takes the value. idle_unit: what one second is in the setting. */
static const struct resolver {
	const char *program, *clients, *idle, *backlog;
	double idle_unit;
} resolvers[] = {
	{ "named", "tcp-clients %llu;", "tcp-idle-timeout %llu;", "tcp-listen-queue %llu;", 10 },
	{ "unbound", "incoming-num-tcp: %llu", "tcp-idle-timeout: %llu",
	  "net.core.somaxconn = %llu (sysctl)", 1000 },
	{ "pdns_recursor", "max-tcp-clients=%llu", "client-tcp-timeout=%llu",
	  "net.core.somaxconn = %llu (sysctl)", 1 },
	{ "dnsdist", "maxConcurrentTCPConnections=%llu", "setTCPRecvTimeout(%llu)",
	  "listenQueueSize=%llu", 1 },
};

static const struct resolver *resolver_of(const char *program)
{
	for (size_t i = 0; program && i < sizeof(resolvers) / sizeof(resolvers[0]); i++)
		if (!strcmp(resolvers[i].program, program))
			return &resolvers[i];
	return NULL;
}

/* Who found no room is in no count: what is needed is more than what was seen. */
static const char *refused_say(const struct dg_advice_given *given)
{
	return given->peak > given->quota ? "; clients that were refused come on top" : "";
}

static __u64 round_up(double value)
{
	__u64 whole = (__u64)value;

	return (double)whole < value ? whole + 1 : whole;
}

/* Connections at one time that this load takes (Little's law), or took. */
static double needed(const struct dg_advice_given *given)
{
	double held = given->hold_mean_sec > 0 ? given->new_per_second * given->hold_mean_sec : 0;

	return held > (double)given->peak ? held : (double)given->peak;
}

/* The setting's format is one of the table above. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void setting_write(struct dg_advice *ret, const char *format, __u64 value)
{
	snprintf(ret->setting, sizeof(ret->setting), format, (unsigned long long)value);
}

static void advise_clients(const struct resolver *resolver, const struct dg_advice_given *given,
			   struct dg_advice *ret)
{
	double wanted = needed(given) * 10 / (10 - FREE_OF_TEN);
	double per_slot = given->slots ? (double)given->slots / (double)given->quota : 1;

	setting_write(ret, resolver->clients, round_up(wanted * per_slot));
	snprintf(ret->why, sizeof(ret->why),
		 "%.0f connections at one time of a quota of %llu; %llu would leave %d0 %% free%s",
		 needed(given), (unsigned long long)given->quota,
		 (unsigned long long)round_up(wanted), FREE_OF_TEN, refused_say(given));
}

/* How long each may be held so that the quota bears this rate. */
static double hold_wanted(const struct dg_advice_given *given)
{
	return (double)given->quota * (10 - FREE_OF_TEN) / 10 / given->new_per_second;
}

/* One unit of the setting at least: none of it would let nobody ask twice. */
static double hold_least(const struct resolver *resolver)
{
	double unit_sec = 1 / resolver->idle_unit;

	return unit_sec > HOLD_LEAST_SEC ? unit_sec : HOLD_LEAST_SEC;
}

static void advise_idle(const struct resolver *resolver, const struct dg_advice_given *given,
			struct dg_advice *ret)
{
	double hold = hold_wanted(given);

	setting_write(ret, resolver->idle, (__u64)(hold * resolver->idle_unit));
	snprintf(ret->why, sizeof(ret->why),
		 "held %.1f s on average the quota bears %.1f new connections a second, %.1f held "
		 "%.1f s; there are %.1f%s",
		 given->hold_mean_sec, dg_sustainable((double)given->quota, given->hold_mean_sec),
		 dg_sustainable((double)given->quota, hold), hold, given->new_per_second,
		 refused_say(given));
}

static void advise_backlog(const struct resolver *resolver, const struct dg_advice_given *given,
			   struct dg_advice *ret)
{
	setting_write(ret, resolver->backlog, 2 * QUEUE_SMALL);
	snprintf(ret->why, sizeof(ret->why),
		 "%u may wait to be accepted: of a burst of more, SYNs are dropped and come again "
		 "a second later",
		 given->accept_queue_max);
}

int dg_advise(const struct dg_advice_given *given, struct dg_advice ret[DG_ADVICE_MAX])
{
	const struct resolver *resolver = resolver_of(given->program);
	int count = 0;

	if (!resolver)
		return 0;
	if (given->quota && needed(given) * 10 > (double)given->quota * (10 - FREE_OF_TEN)) {
		advise_clients(resolver, given, &ret[count++]);
		if (given->new_per_second > 0 && given->hold_mean_sec > hold_wanted(given) &&
		    hold_wanted(given) >= hold_least(resolver))
			advise_idle(resolver, given, &ret[count++]);
	}
	if (given->accept_queue_max && given->accept_queue_max < QUEUE_SMALL)
		advise_backlog(resolver, given, &ret[count++]);
	return count;
}
