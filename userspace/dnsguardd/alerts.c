// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * alerts.c - messages on their way: at most one child for each receiver, looked at once a second.
 *
 * What is told stands in userspace/alert; here is only when. Alerts are not tidied while a message is on its way, so that
 * their numbers stay what they are.
 */
#include "userspace/dnsguardd/alerts.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "userspace/dnsguardd/daemon.h"
#include "userspace/dnsguardd/keep.h"
#include "userspace/dnsguardd/log.h"
#include "userspace/dnsguardd/messenger.h"

#define LOOK_MS 1000
#define NS_PER_SEC 1000000000ull

/* What is on its way to one receiver. */
struct flight {
	struct dg_alerting *alerting;
	unsigned int sink;
	struct dg_program *program;
	unsigned int count;
	unsigned int alert[DG_BATCH_MAX];
	__u64 changes[DG_BATCH_MAX]; /* of each, when the message was made */
};

struct dg_alerting {
	struct dg_daemon *daemon;
	struct dg_alerts alerts;
	struct flight room[DG_SINKS_MAX];
	struct flight *flight[DG_SINKS_MAX]; /* of each receiver */
	uv_timer_t look;
	struct dg_keep keep;
	char path[4096];
	char instance[64];
};

static __u64 unix_now(void)
{
	return (__u64)time(NULL);
}

static struct dg_tell_rules rules_of(const struct dg_alerting *alerting)
{
	const struct dg_config *config = alerting->daemon->config;

	return (struct dg_tell_rules){ .interval_sec = config->alerts_interval_ns / NS_PER_SEC,
				       .resend_sec = config->alerts_resend_ns / NS_PER_SEC };
}

/* ---- the end of a message --------------------------------------------------------------------- */

static void told(struct dg_alerting *alerting, const struct flight *flight)
{
	for (unsigned int i = 0; i < flight->count; i++)
		alerting->alerts.alert[flight->alert[i]].told[flight->sink] =
			(struct dg_told){ .changes = flight->changes[i], .unix_sec = unix_now() };
}

/* Said when it begins to fail and when it works again, not each time. */
static void tried(struct dg_alerting *alerting, const struct flight *flight, const char *error)
{
	struct dg_sink *sink = &alerting->alerts.sink[flight->sink];

	if (error && !sink->tries)
		dg_log(DG_LOG_WARNING, "alerts do not reach %s: %s; tried again and again",
		       sink->id, error);
	if (!error && sink->tries)
		dg_log(DG_LOG_NOTICE, "alerts reach %s again", sink->id);
	if (!error)
		told(alerting, flight);
	dg_sink_tried(sink, error, unix_now());
	alerting->alerts.changed = true;
}

static void on_end(void *arg, const struct dg_program_end *end)
{
	struct flight *flight = arg;
	char error[DG_MESSENGER_ERROR];

	flight->program = NULL;
	tried(flight->alerting, flight, dg_messenger_error(end, error));
}

/* ---- its start -------------------------------------------------------------------------------- */

static void say(int priority, const char *line)
{
	dg_log(priority > DG_LOG_WARNING ? DG_LOG_NOTICE : DG_LOG_WARNING, "%s", line);
}

static int child_start(struct dg_alerting *alerting, struct flight *flight,
		       const struct dg_message *messages, struct dg_error *err)
{
	const struct dg_errand errand = { .sink = &alerting->alerts.sink[flight->sink],
					  .messages = messages,
					  .count = flight->count,
					  .end = on_end,
					  .arg = flight };

	return dg_messenger_start(alerting->daemon, &errand, &flight->program, err);
}

static void flight_start(struct dg_alerting *alerting, struct flight *flight,
			 const struct dg_message *messages)
{
	struct dg_sink *sink = &alerting->alerts.sink[flight->sink];
	struct dg_error err = { .text = "" };
	int failed;

	sink->busy = true;
	if (sink->kind != DG_SINK_LOG) {
		if (child_start(alerting, flight, messages, &err))
			tried(alerting, flight, err.text);
		return;
	}
	failed = dg_send_log((enum dg_config_log)alerting->daemon->config->alerts_log,
			     &dg_log_paths_default, messages, say);
	tried(alerting, flight, failed ? strerror(-failed) : NULL);
}

static struct dg_message message_make(const struct dg_alerting *alerting, unsigned int sink,
				      const struct dg_alert *alert)
{
	return (struct dg_message){ .alert = alert,
				    .instance = alerting->instance,
				    .suppressed = dg_alert_suppressed(alert, sink),
				    .now_unix = unix_now(),
				    .resend_sec = rules_of(alerting).resend_sec };
}

static void sink_serve(struct dg_alerting *alerting, unsigned int at)
{
	const struct dg_tell_rules rules = rules_of(alerting);
	struct flight *flight = alerting->flight[at];
	struct dg_message messages[DG_BATCH_MAX];

	flight->count = dg_alerts_due(&alerting->alerts, at, &rules, unix_now(), flight->alert);
	for (unsigned int i = 0; i < flight->count; i++) {
		const struct dg_alert *alert = &alerting->alerts.alert[flight->alert[i]];

		flight->changes[i] = alert->changes;
		messages[i] = message_make(alerting, at, alert);
	}
	if (flight->count)
		flight_start(alerting, flight, messages);
}

static bool is_quiet(const struct dg_alerting *alerting)
{
	for (unsigned int i = 0; i < alerting->alerts.sinks; i++)
		if (alerting->alerts.sink[i].busy)
			return false;
	return true;
}

static void serve(struct dg_alerting *alerting)
{
	for (unsigned int i = 0; i < alerting->alerts.sinks; i++)
		if (!alerting->alerts.sink[i].busy)
			sink_serve(alerting, i);
}

static void on_look(uv_timer_t *timer)
{
	struct dg_alerting *alerting = timer->data;

	serve(alerting);
	if (is_quiet(alerting))
		dg_alerts_tidy(&alerting->alerts, unix_now());
	if (alerting->alerts.changed && dg_keep_write(&alerting->keep, &alerting->daemon->loop,
						      dg_alerts_text(&alerting->alerts)))
		alerting->alerts.changed = false;
}

/* ---- from outside ----------------------------------------------------------------------------- */

void dg_alerting_note(struct dg_alerting *alerting, const struct dg_news *news)
{
	if (!alerting)
		return;
	dg_alerts_note(&alerting->alerts, news, unix_now());
	serve(alerting);
}

void dg_alerting_settle(struct dg_alerting *alerting,
			bool (*known)(void *arg, const char *listener), void *arg)
{
	for (unsigned int i = 0; alerting && i < alerting->alerts.count; i++) {
		struct dg_alert was = alerting->alerts.alert[i];
		const struct dg_news news = { .name = was.name,
					      .severity = was.severity,
					      .listener = was.listener,
					      .resolver = was.resolver,
					      .summary =
						      "nothing is known of this listener any more",
					      .description = "",
					      .firing = false };

		if (was.listener[0] && !known(arg, was.listener))
			dg_alerts_note(&alerting->alerts, &news, unix_now());
	}
}

static void flight_stop(struct dg_alerting *alerting, unsigned int at)
{
	dg_program_stop(&alerting->flight[at]->program);
	alerting->alerts.sink[at].busy = false;
}

static int sink_find(const struct dg_alerts *alerts, const char *id)
{
	for (unsigned int i = 0; i < alerts->sinks; i++)
		if (!strcmp(alerts->sink[i].id, id))
			return (int)i;
	return -1;
}

/* What is on its way to a receiver that stays goes on: ended, it might be told twice. */
static void flights_move(struct dg_alerting *alerting, const struct dg_sink *before,
			 unsigned int count)
{
	struct flight *idle[DG_SINKS_MAX], *moved[DG_SINKS_MAX] = { NULL };
	unsigned int left = 0;

	for (unsigned int i = 0; i < DG_SINKS_MAX; i++) {
		struct flight *flight = alerting->flight[i];
		int at = i < count ? sink_find(&alerting->alerts, before[i].id) : -1;

		if (at >= 0) {
			moved[at] = flight;
			continue;
		}
		dg_program_stop(&flight->program);
		idle[left++] = flight;
	}
	for (unsigned int i = 0; i < DG_SINKS_MAX; i++) {
		alerting->flight[i] = moved[i] ? moved[i] : idle[--left];
		alerting->flight[i]->sink = i;
	}
}

void dg_alerting_configure(struct dg_alerting *alerting)
{
	struct dg_sink before[DG_SINKS_MAX];
	unsigned int count;

	if (!alerting)
		return;
	count = alerting->alerts.sinks;
	memcpy(before, alerting->alerts.sink, sizeof(before));
	dg_alert_instance(alerting->daemon->config, alerting->instance, sizeof(alerting->instance));
	dg_sinks_configure(&alerting->alerts, alerting->daemon->config);
	flights_move(alerting, before, count);
}

int dg_alerting_start(struct dg_daemon *daemon, struct dg_alerting **ret, struct dg_error *err)
{
	struct dg_alerting *alerting = calloc(1, sizeof(*alerting));
	struct dg_error reason = { .text = "" };

	if (!alerting)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	alerting->daemon = daemon;
	for (unsigned int i = 0; i < DG_SINKS_MAX; i++)
		alerting->flight[i] = &alerting->room[i];
	for (unsigned int i = 0; i < DG_SINKS_MAX; i++)
		*alerting->flight[i] = (struct flight){ .alerting = alerting, .sink = i };
	snprintf(alerting->path, sizeof(alerting->path), "%s/" DG_ALERTS_FILE,
		 daemon->options->state_dir);
	alerting->keep.path = alerting->path;
	if (dg_alerts_load(daemon->options->state_dir, &alerting->alerts, &reason))
		dg_log(DG_LOG_ERROR, "%s; alerts begin anew", reason.text);
	dg_alerting_configure(alerting);
	uv_timer_init(&daemon->loop, &alerting->look);
	alerting->look.data = alerting;
	uv_timer_start(&alerting->look, on_look, LOOK_MS, LOOK_MS);
	*ret = alerting;
	return 0;
}

void dg_alerting_stop(struct dg_alerting *alerting)
{
	for (unsigned int i = 0; alerting && i < DG_SINKS_MAX; i++)
		flight_stop(alerting, i);
}

void dg_alerting_free(struct dg_alerting *alerting)
{
	if (!alerting)
		return;
	dg_keep_now(&alerting->keep, dg_alerts_text(&alerting->alerts));
	dg_alerts_free(&alerting->alerts);
	free(alerting);
}
