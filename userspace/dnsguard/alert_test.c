// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * alert_test.c - dnsguard alert test: whether a message arrives, at every receiver.
 *
 * Needs no daemon: reads the configuration that the daemon reads, and sends for itself.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "userspace/alert/send.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/config.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"

#define RESEND_SEC 15 /* an Alertmanager lets it go after four of these */

const struct dg_option dg_alert_test_options[] = {
	{ "config", DG_OPT_TEXT, "FILE",
	  "the configuration to try; that of the running daemon, else " DG_CONFIG_PATH, 0, 0,
	  NULL },
	{ 0 },
};

static const struct dg_column test_columns[] = {
	{ "sink", "RECEIVER", DG_AS_TEXT },
	{ "delivered", "DELIVERED", DG_AS_YES_NO },
	{ "error", "ERROR", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_section test_sections[] = {
	{ "files", "configuration", DG_AS_LIST, NULL, NULL },
	{ "warning", "warning", DG_AS_TEXT, NULL, NULL },
	{ "sinks", "", DG_AS_TEXT, test_columns, "nobody is told: name receivers below alerts:" },
	{ 0 },
};

static void say(int priority, const char *line)
{
	(void)priority;
	fprintf(stderr, "%s\n", line);
}

/* One receiver on trial. */
struct trial {
	struct dg_sending sending;
	struct dg_error err;
	int failed;
	bool under_way;
};

static int trial_log(const struct dg_config *config, const struct dg_message *message,
		     struct dg_error *err)
{
	int status = dg_send_log((enum dg_config_log)config->alerts_log, &dg_log_paths_default,
				 message, say);

	return status ? dg_fail(err, status, DG_EXIT_FAILED, "%s", strerror(-status)) : 0;
}

static void trial_begin(struct trial *trial, const struct dg_config *config,
			const struct dg_sink *sink, const struct dg_message *message)
{
	dg_scoped_fd int job = -1;

	*trial = (struct trial){ .failed = 0 };
	if (sink->kind == DG_SINK_LOG) {
		trial->failed = trial_log(config, message, &trial->err);
		return;
	}
	trial->failed = dg_send_job(sink, config, message, 1, &job);
	if (trial->failed)
		dg_fail(&trial->err, trial->failed, DG_EXIT_FAILED, "no message can be made: %s",
			strerror(-trial->failed));
	else
		trial->failed = dg_send_begin(job, &trial->sending, &trial->err);
	trial->under_way = !trial->failed;
}

/* All at once: one that hangs holds none of the others up. */
static json_t *trials_run(const struct dg_config *config, const struct dg_message *message,
			  bool *ret_failed)
{
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };
	struct trial trial[DG_SINKS_MAX];
	json_t *list = json_array();

	dg_sinks_configure(&alerts, config);
	for (unsigned int i = 0; i < alerts.sinks; i++)
		trial_begin(&trial[i], config, &alerts.sink[i], message);
	for (unsigned int i = 0; i < alerts.sinks; i++) {
		if (trial[i].under_way)
			trial[i].failed = dg_send_end(&trial[i].sending, &trial[i].err);
		*ret_failed |= trial[i].failed != 0;
		json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "sink", alerts.sink[i].id,
						      "delivered", !trial[i].failed, "error",
						      trial[i].err.text));
	}
	return list;
}

static json_t *test_all(const struct dg_config *config, bool *ret_failed)
{
	const struct dg_alert alert = {
		.name = "DnsguardTest",
		.severity = "warning",
		.summary = "a test; nothing is wrong",
		.description = "sent by dnsguard alert test",
		.firing = true,
		.starts_unix = (__u64)time(NULL),
	};
	char instance[64];
	const struct dg_message message = { .alert = &alert,
					    .instance = dg_alert_instance(config, instance,
									  sizeof(instance)),
					    .now_unix = alert.starts_unix,
					    .resend_sec = RESEND_SEC };

	return trials_run(config, &message, ret_failed);
}

/* "alerts.x: a -> b", "+ alerts.x[]: a": of what is below alerts: */
static void change_count(const char *change, void *arg)
{
	int *changes = arg;

	change += strspn(change, "+- ");
	*changes += !strncmp(change, "alerts.", strlen("alerts."));
}

/* What was read is not what the daemon tells by; NULL = nothing is to be said. */
static json_t *test_warning(const struct dg_config *config, const json_t *running)
{
	const char *theirs = json_string_value(json_object_get(running, "lines"));
	dg_scoped_free char *ours = dg_config_lines(config);
	int changes = 0;

	if (!config->file_count)
		return json_string(DG_CONFIG_PATH " is not there: every key is at its default");
	if (!ours || !theirs || dg_config_diff(theirs, ours, change_count, &changes) < 0 ||
	    !changes)
		return NULL;
	return json_string("the running dnsguardd has not read this yet; dnsguard reload");
}

int dg_alert_test_run(const struct dg_cli *cli, struct dg_error *err)
{
	const struct dg_value *file = &cli->value[0];
	dg_scoped_free struct dg_config *config = malloc(sizeof(*config));
	json_t *keep dg_scoped(dg_json_drop) = NULL;
	const char *path = dg_config_path(cli, file->given ? file->text : NULL, &keep);
	bool failed = false;
	json_t *list, *doc;
	int status;

	if (!config)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	status = dg_config_load(path, config, err);
	if (status)
		return status;
	list = test_all(config, &failed);
	failed |= !json_array_size(list);
	doc = json_pack("{s:i, s:o, s:o*, s:o}", "schema", 1, "files", dg_config_files_json(config),
			"warning", test_warning(config, keep), "sinks", list);
	status = dg_render(stdout, doc, test_sections, cli->json);
	return status ? status : failed ? DG_EXIT_FAILED : DG_EXIT_OK;
}
