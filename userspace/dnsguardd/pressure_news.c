// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pressure_news.c - states as alerts, with what an operator needs to know in the middle of the night: how full, how fast,
 * how long it lasts, and which setting would help by how much.
 *
 * Names and severities are those of deploy/prometheus.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "userspace/dnsguardd/alerts.h"
#include "userspace/dnsguardd/pressure_internal.h"

/* Each fires while the state is this or worse: so a rise adds an alert and ends none. */
static const struct {
	enum dg_pressure_state from;
	const char *name, *severity, *what;
} alerts[] = {
	{ DG_PRESSURE_WARNING, "DnsguardTcpFilling", "warning", "is filling" },
	{ DG_PRESSURE_CRITICAL, "DnsguardTcpNearlyFull", "critical", "is nearly full" },
	{ DG_PRESSURE_EXHAUSTED, "DnsguardTcpExhausted", "critical",
	  "is exhausted: new clients wait or are refused" },
};

/* The two settings that make the bearable rate. */
static const struct {
	const char *resolver, *settings;
} settings[] = {
	{ "named", "tcp-clients up or tcp-idle-timeout down" },
	{ "unbound", "incoming-num-tcp up or tcp-idle-timeout down" },
	{ "pdns_recursor", "max-tcp-clients up or client-tcp-timeout down" },
	{ "dnsdist", "maxConcurrentTCPConnections up or setTCPRecvTimeout down" },
	{ "kresd", "LimitNOFILE of its service up" },
};

static const char *settings_of(const char *resolver)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (!strcmp(settings[i].resolver, resolver))
			return settings[i].settings;
	return "a larger quota or a shorter idle timeout";
}

static void add(char *buf, size_t size, const char *format, ...)
{
	size_t len = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + len, size - len, format, args);
	va_end(args);
}

/*
 * Connections that the present rate amounts to. Who has not gone yet is in no mean: where more are held than the mean explains,
 * those held are what counts.
 */
static double needed(const struct dg_quotas_listener *listener)
{
	double by_hold = listener->hold_mean_sec > 0 ?
				 listener->new_per_second * listener->hold_mean_sec :
				 0;
	double held = (double)listener->sample.connections;

	return by_hold > held ? by_hold : held;
}

static void description_write(const struct dg_quotas_listener *listener, char *buf, size_t size)
{
	const struct dg_pressure_sample *sample = &listener->sample;
	double bears = dg_sustainable((double)sample->quota, listener->hold_mean_sec);

	snprintf(buf, size, "%" PRIu64 " connections", (uint64_t)sample->connections);
	if (sample->quota)
		add(buf, size, " of %" PRIu64 " (%.0f %%)", (uint64_t)sample->quota,
		    100.0 * (double)sample->connections / (double)sample->quota);
	add(buf, size, ", accept queue %" PRIu64 " of %" PRIu64 ", %.1f new a second",
	    (uint64_t)sample->accept_queue, (uint64_t)sample->accept_queue_max,
	    listener->new_per_second > 0 ? listener->new_per_second : 0);
	if (sample->seconds_to_full > 0)
		add(buf, size, ", full in %.0f s", sample->seconds_to_full);
	if (bears >= 0)
		add(buf, size, "; held %.1f s on average the quota bears %.1f a second",
		    listener->hold_mean_sec, bears);
	if (dg_pressure_is_unexplained(sample))
		add(buf, size,
		    "; slots are taken by what is not counted (BIND's DoT draws on the same quota), or it hangs: "
		    "dnsguard doctor");
	else if (sample->quota && listener->state)
		add(buf, size, "; this load takes %.0f: %s", needed(listener),
		    settings_of(listener->quota.resolver));
}

void dg_quotas_tell(struct dg_quotas *watch, const struct dg_quotas_listener *listener)
{
	char summary[256], description[512];

	if (!listener->present && listener->state == DG_PRESSURE_OK && !listener->since_unix)
		return;
	description_write(listener, description, sizeof(description));
	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
		const struct dg_news news = { .name = alerts[i].name,
					      .severity = alerts[i].severity,
					      .listener = listener->name,
					      .resolver = listener->quota.resolver,
					      .summary = summary,
					      .description = description,
					      .firing = listener->state >= alerts[i].from };

		snprintf(summary, sizeof(summary), "TCP quota of %s %s", listener->name,
			 news.firing ? alerts[i].what : "has room again");
		dg_alerting_note(watch->daemon->alerting, &news);
	}
}

void dg_quotas_tell_share(struct dg_quotas *watch, const struct dg_share_now *now)
{
	char summary[256];
	const struct dg_news news = { .name = "DnsguardTcpShareUnusual",
				      .severity = "warning",
				      .listener = "",
				      .resolver = "",
				      .summary = summary,
				      .description = "",
				      .firing = watch->share.alarm.on };

	if (now->share < 0 || now->usual < 0)
		snprintf(summary, sizeof(summary), "too few queries to tell the share of TCP");
	else
		snprintf(summary, sizeof(summary),
			 "%.1f %% of queries come over TCP; usual at this hour is %.1f %%",
			 100 * now->share, 100 * now->usual);
	dg_alerting_note(watch->daemon->alerting, &news);
}
