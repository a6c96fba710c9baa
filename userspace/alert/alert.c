// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * alert.c - the book of alerts: what fires, and which receiver has yet to hear of it.
 *
 * Pure: time comes in. Knows nothing of how a receiver is reached.
 */
#include "userspace/alert/alert.h"

#include <string.h>

#define KEPT_SEC 3600 /* after the end, when everybody knows */
#define RESOLVED_RESENT_SEC                                                                        \
	300 /* an Alertmanager that has lost its memory hears of the end as well */
#define AGAIN_SEC 5
#define AGAIN_MAX_SEC 300

void dg_alerts_free(struct dg_alerts *alerts)
{
	free(alerts->alert);
	*alerts = (struct dg_alerts){ .alert = NULL };
}

/* ---- what fires ------------------------------------------------------------------------------- */

static struct dg_alert *alert_find(struct dg_alerts *alerts, const char *name, const char *listener)
{
	for (unsigned int i = 0; i < alerts->count; i++)
		if (!strcmp(alerts->alert[i].name, name) &&
		    !strcmp(alerts->alert[i].listener, listener))
			return &alerts->alert[i];
	return NULL;
}

static struct dg_alert *alert_add(struct dg_alerts *alerts)
{
	struct dg_alert *grown;
	unsigned int room = alerts->room ? 2 * alerts->room : 16;

	if (alerts->count == DG_ALERTS_MAX)
		return NULL;
	if (alerts->count == alerts->room) {
		grown = realloc(alerts->alert, room * sizeof(*grown));
		if (!grown)
			return NULL;
		alerts->alert = grown;
		alerts->room = room;
	}
	alerts->alert[alerts->count] = (struct dg_alert){ .changes = 0 };
	return &alerts->alert[alerts->count++];
}

static void words_take(struct dg_alert *alert, const struct dg_news *news)
{
	snprintf(alert->name, sizeof(alert->name), "%s", news->name);
	snprintf(alert->severity, sizeof(alert->severity), "%s", news->severity);
	snprintf(alert->listener, sizeof(alert->listener), "%s", news->listener);
	if (news->resolver[0] || !alert->changes)
		snprintf(alert->resolver, sizeof(alert->resolver), "%s", news->resolver);
	snprintf(alert->summary, sizeof(alert->summary), "%s", news->summary);
	snprintf(alert->description, sizeof(alert->description), "%s", news->description);
}

void dg_alerts_note(struct dg_alerts *alerts, const struct dg_news *news, __u64 now_unix)
{
	struct dg_alert *alert = alert_find(alerts, news->name, news->listener);

	if (alert && alert->firing && news->firing)
		words_take(alert, news); /* no change, but how things are now */
	if (alert ? alert->firing == news->firing : !news->firing)
		return;
	if (!alert)
		alert = alert_add(alerts);
	if (!alert) {
		alerts->refused++;
		return;
	}
	words_take(alert, news);
	alert->firing = news->firing;
	alert->starts_unix = news->firing ? now_unix : alert->starts_unix;
	alert->ends_unix = news->firing ? 0 : now_unix;
	alert->changes++;
	alert->order = ++alerts->order;
	alerts->changed = true;
}

static bool is_over(const struct dg_alerts *alerts, const struct dg_alert *alert, __u64 now_unix)
{
	if (alert->firing || now_unix - alert->ends_unix < KEPT_SEC)
		return false;
	for (unsigned int i = 0; i < alerts->sinks; i++)
		if (alert->told[i].changes != alert->changes)
			return false;
	return true;
}

void dg_alert_test_make(struct dg_alert *ret, __u64 now_unix)
{
	*ret = (struct dg_alert){
		.name = "DnsguardTest",
		.severity = "warning",
		.summary = "a test; nothing is wrong",
		.description = "sent by dnsguard alert test",
		.firing = true,
		.starts_unix = now_unix,
	};
}

void dg_alerts_tidy(struct dg_alerts *alerts, __u64 now_unix)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < alerts->count; i++) {
		if (is_over(alerts, &alerts->alert[i], now_unix))
			alerts->changed = true;
		else
			alerts->alert[kept++] = alerts->alert[i];
	}
	alerts->count = kept;
}

/* ---- who has to hear of it -------------------------------------------------------------------- */

/* An Alertmanager takes for over what it does not hear of any more. */
static bool is_resent(const struct dg_alert *alert, const struct dg_tell_rules *rules,
		      const struct dg_told *told, __u64 now_unix)
{
	return now_unix - told->unix_sec >= rules->resend_sec &&
	       (alert->firing || now_unix - alert->ends_unix < RESOLVED_RESENT_SEC);
}

/* One that is to wait for longer than anybody ever is has a clock behind it that was set back since. */
static bool is_put_off(const struct dg_sink *sink, __u64 now_unix)
{
	return now_unix < sink->not_before_unix &&
	       sink->not_before_unix - now_unix <= AGAIN_MAX_SEC;
}

bool dg_alert_due(const struct dg_alert *alert, const struct dg_sink *sink, unsigned int at,
		  const struct dg_tell_rules *rules, __u64 now_unix)
{
	const struct dg_told *told = &alert->told[at];

	if (sink->busy || is_put_off(sink, now_unix))
		return false;
	if (told->changes == alert->changes)
		return sink->kind == DG_SINK_ALERTMANAGER &&
		       is_resent(alert, rules, told, now_unix);
	return !told->unix_sec || told->unix_sec > now_unix ||
	       now_unix - told->unix_sec >= rules->interval_sec;
}

/*
 * An end waits for what its listener went through before, as long as that may not be told yet: else who was slow to take a
 * critical alert would hear of the end of the warning first. What begins to fire waits for nothing.
 */
static bool waits(const struct dg_alerts *alerts, const struct dg_alert *alert, unsigned int sink)
{
	if (alert->firing || alert->told[sink].changes == alert->changes)
		return false;
	for (unsigned int i = 0; i < alerts->count; i++) {
		const struct dg_alert *other = &alerts->alert[i];

		if (other->order < alert->order && other->told[sink].changes != other->changes &&
		    !strcmp(other->listener, alert->listener))
			return true;
	}
	return false;
}

unsigned int dg_alerts_due(const struct dg_alerts *alerts, unsigned int sink,
			   const struct dg_tell_rules *rules, __u64 now_unix,
			   unsigned int ret[DG_BATCH_MAX])
{
	const struct dg_alert *alert = alerts->alert;
	const struct dg_sink *to = &alerts->sink[sink];
	const bool batch = to->kind == DG_SINK_ALERTMANAGER;
	unsigned int max = batch ? DG_BATCH_MAX : 1, count = 0, at;

	for (unsigned int i = 0; i < alerts->count; i++) {
		if (!dg_alert_due(&alert[i], to, sink, rules, now_unix) ||
		    (!batch && waits(alerts, &alert[i], sink)))
			continue;
		for (at = count; at && alert[ret[at - 1]].order > alert[i].order; at--)
			if (at < max)
				ret[at] = ret[at - 1];
		if (at < max)
			ret[at] = i;
		count += count < max;
	}
	return count;
}

__u64 dg_alert_suppressed(const struct dg_alert *alert, unsigned int sink)
{
	__u64 missed = alert->changes - alert->told[sink].changes;

	return missed ? missed - 1 : 0;
}

unsigned int dg_sink_queued(const struct dg_alerts *alerts, unsigned int sink)
{
	unsigned int queued = 0;

	for (unsigned int i = 0; i < alerts->count; i++)
		queued += alerts->alert[i].told[sink].changes != alerts->alert[i].changes;
	return queued;
}

void dg_sink_tried(struct dg_sink *sink, const char *error, __u64 now_unix)
{
	__u64 wait = AGAIN_SEC << (sink->tries < 6 ? sink->tries : 6);

	sink->busy = false;
	snprintf(sink->last_error, sizeof(sink->last_error), "%s", error ? error : "");
	if (!error) {
		sink->delivered++;
		sink->last_unix = now_unix;
		sink->tries = 0;
		sink->not_before_unix = 0;
		return;
	}
	sink->failed++;
	sink->tries++;
	sink->not_before_unix = now_unix + (wait < AGAIN_MAX_SEC ? wait : AGAIN_MAX_SEC);
}
