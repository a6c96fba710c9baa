// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * alert_test.c - a test message to every receiver, all at once; each with a child of its own beside those of real alerts.
 */
#include "userspace/dnsguardd/alert_test.h"

#include <string.h>
#include <time.h>

#include "userspace/config/reload.h"
#include "userspace/dnsguardd/daemon.h"
#include "userspace/dnsguardd/log.h"
#include "userspace/dnsguardd/messenger.h"

/* One receiver. */
struct trial {
	struct dg_alert_testing *testing;
	struct dg_program *program; /* NULL: not on its way */
	char error[DG_MESSENGER_ERROR];
};

struct dg_alert_testing {
	struct dg_daemon *daemon;
	struct dg_reload_note note;
	struct dg_alerts alerts; /* receivers, no alerts */
	struct dg_alert alert;
	struct trial trial[DG_SINKS_MAX];
	unsigned int left; /* not yet heard of */
};

static void answer(const struct dg_daemon *daemon, const struct dg_reload_note *note, json_t *sinks,
		   const char *refused)
{
	json_t *said = json_pack("{s:s, s:o, s:s}", "token", note->token, "sinks", sinks, "refused",
				 refused);
	struct dg_error err = { .text = "" };

	if (dg_alert_test_publish(daemon->options->bpffs, said, &err))
		dg_log(DG_LOG_ERROR, "cannot say what became of the test of alerts: %s", err.text);
	json_decref(said);
}

static void finish(struct dg_alert_testing *testing)
{
	json_t *sinks = json_array();

	for (unsigned int i = 0; i < testing->alerts.sinks; i++)
		json_array_append_new(sinks, json_pack("{s:s, s:b, s:s}", "sink",
						       testing->alerts.sink[i].id, "delivered",
						       !testing->trial[i].error[0], "error",
						       testing->trial[i].error));
	answer(testing->daemon, &testing->note, sinks, "");
	testing->daemon->alert_testing = NULL;
	dg_alerts_free(&testing->alerts);
	free(testing);
}

static void heard(struct trial *trial, const char *error)
{
	trial->program = NULL;
	snprintf(trial->error, sizeof(trial->error), "%.159s", error ? error : "");
	if (!--trial->testing->left)
		finish(trial->testing);
}

static void on_end(void *arg, const struct dg_program_end *end)
{
	char error[DG_MESSENGER_ERROR];

	heard(arg, dg_messenger_error(end, error));
}

static void say(int priority, const char *line)
{
	dg_log(priority > DG_LOG_WARNING ? DG_LOG_NOTICE : DG_LOG_WARNING, "%s", line);
}

static void trial_begin(struct dg_alert_testing *testing, unsigned int at,
			const struct dg_message *message)
{
	const struct dg_sink *sink = &testing->alerts.sink[at];
	struct trial *trial = &testing->trial[at];
	const struct dg_errand errand = {
		.sink = sink, .messages = message, .count = 1, .end = on_end, .arg = trial
	};
	struct dg_error err = { .text = "" };
	int failed;

	if (sink->kind != DG_SINK_LOG) {
		if (dg_messenger_start(testing->daemon, &errand, &trial->program, &err))
			heard(trial, err.text);
		return;
	}
	failed = dg_send_log((enum dg_config_log)testing->daemon->config->alerts_log,
			     &dg_log_paths_default, message, say);
	heard(trial, failed ? strerror(-failed) : NULL);
}

/* One more than there are is awaited until all have begun: the last may be heard of at once. */
static void trials_begin(struct dg_alert_testing *testing)
{
	char instance[64];
	const struct dg_message message = {
		.alert = &testing->alert,
		.instance = dg_alert_instance(testing->daemon->config, instance, sizeof(instance)),
		.now_unix = testing->alert.starts_unix,
		.resend_sec = DG_TEST_RESEND_SEC
	};

	testing->left = testing->alerts.sinks + 1;
	for (unsigned int i = 0; i < testing->alerts.sinks; i++) {
		testing->trial[i].testing = testing;
		trial_begin(testing, i, &message);
	}
	if (!--testing->left)
		finish(testing);
}

void dg_alert_test_begin(struct dg_daemon *daemon)
{
	struct dg_alert_testing *testing;
	struct dg_reload_note note;

	dg_note_take(daemon->options->bpffs, DG_ASK_ALERT_TEST, &note);
	if (!note.token[0])
		return;
	testing = daemon->alert_testing ? NULL : calloc(1, sizeof(*testing));
	if (!testing) {
		answer(daemon, &note, json_array(),
		       daemon->alert_testing ?
			       "another test is under way; try again when it is over" :
			       "out of memory");
		return;
	}
	dg_log(DG_LOG_NOTICE, "alerts are tested, by %s", note.who);
	*testing = (struct dg_alert_testing){ .daemon = daemon, .note = note };
	dg_alert_test_make(&testing->alert, (__u64)time(NULL));
	dg_sinks_configure(&testing->alerts, daemon->config);
	daemon->alert_testing = testing;
	trials_begin(testing);
}

void dg_alert_test_stop(struct dg_daemon *daemon)
{
	struct dg_alert_testing *testing = daemon->alert_testing;

	daemon->alert_testing = NULL;
	if (!testing)
		return;
	for (unsigned int i = 0; i < DG_SINKS_MAX; i++)
		dg_program_stop(&testing->trial[i].program);
	dg_alerts_free(&testing->alerts);
	free(testing);
}
