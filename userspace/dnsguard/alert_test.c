// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * alert_test.c - dnsguard alert test: whether a message arrives, at every receiver.
 *
 * The running daemon sends it: with its receivers, its rights, its view of the files. Where none runs, or a file is named, this
 * command sends for itself and says so: outside the service's sandbox a command may do more.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "userspace/alert/send.h"
#include "userspace/dnsguard/asking.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/config.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"

const struct dg_option dg_alert_test_options[] = {
	{ "config", DG_OPT_TEXT, "FILE",
	  "the configuration to try from here, outside the service's sandbox; without it the running "
	  "daemon sends, as it would an alert",
	  0, 0, NULL },
	{ 0 },
};

static const struct dg_column test_columns[] = {
	{ "sink", "RECEIVER", DG_AS_TEXT },
	{ "delivered", "DELIVERED", DG_AS_YES_NO },
	{ "error", "ERROR", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_section test_sections[] = {
	{ "sent_by", "sent by", DG_AS_TEXT, NULL, NULL },
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
static json_t *trials_run(const struct dg_config *config, const struct dg_message *message)
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
		json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "sink", alerts.sink[i].id,
						      "delivered", !trial[i].failed, "error",
						      trial[i].err.text));
	}
	return list;
}

static json_t *test_all(const struct dg_config *config)
{
	struct dg_alert alert;
	char instance[64];
	const struct dg_message message = { .alert = &alert,
					    .instance = dg_alert_instance(config, instance,
									  sizeof(instance)),
					    .now_unix = (__u64)time(NULL),
					    .resend_sec = DG_TEST_RESEND_SEC };

	dg_alert_test_make(&alert, message.now_unix);
	return trials_run(config, &message);
}

/* "alerts.x: a -> b", "+ alerts.x[]: a": of what is below alerts: */
static void change_count(const char *change, void *arg)
{
	int *changes = arg;

	change += strspn(change, "+- ");
	*changes += !strncmp(change, "alerts.", strlen("alerts."));
}

/* What stands in the files is not what the daemon tells by. */
static bool is_unread(const struct dg_config *config, const json_t *running)
{
	const char *theirs = json_string_value(json_object_get(running, "lines"));
	__u64 key[4];
	dg_scoped_free char *ours = dg_config_lines_marked(config, dg_running_mark(running, key));
	int changes = 0;

	return ours && theirs && dg_config_diff(theirs, ours, change_count, &changes) >= 0 &&
	       changes;
}

/* ---- by the daemon --------------------------------------------------------------------------- */

/* What the files say by now. A warning, or NULL: nothing is to be said. */
static json_t *unread_warning(const json_t *running, json_t **ret_files)
{
	dg_scoped_free struct dg_config *config = malloc(sizeof(*config));
	struct dg_error err = { .text = "" };

	if (!config ||
	    dg_config_load(json_string_value(json_object_get(running, "config")), config, &err))
		return json_sprintf("%s; dnsguardd goes on with what it read before", err.text);
	*ret_files = dg_config_files_json(config);
	return is_unread(config, running) ?
		       json_string("the running dnsguardd has not read this yet, its own receivers "
				   "were told; dnsguard reload") :
		       NULL;
}

static int test_by_daemon(const struct dg_cli *cli, pid_t pid, json_t **ret, struct dg_error *err)
{
	const struct dg_asked_daemon asked = { cli->bpffs, pid, DG_ASK_ALERT_TEST };
	json_t *answer dg_scoped(dg_json_drop) = NULL;
	json_t *running dg_scoped(dg_json_drop) = NULL;
	json_t *files = NULL, *warning;
	const char *refused;
	dg_scoped_fd int lock = -1;
	int status = dg_asking_lock(cli->bpffs, asked.what, &lock, err);

	if (!status)
		status = dg_daemon_ask(&asked, &answer, err);

	if (!status)
		status = dg_reload_state(cli->bpffs, &running, err);
	if (status)
		return status;
	refused = json_string_value(json_object_get(answer, "refused"));
	if (refused && refused[0])
		return dg_fail(err, -EBUSY, DG_EXIT_FAILED, "dnsguardd (pid %ld): %s", (long)pid,
			       refused);
	warning = unread_warning(running, &files);
	*ret = json_pack("{s:i, s:o, s:o*, s:o*, s:O}", "schema", 1, "sent_by",
			 json_sprintf("dnsguardd (pid %ld)", (long)pid), "files", files, "warning",
			 warning, "sinks", json_object_get(answer, "sinks"));
	return 0;
}

/*
 * 1: there is one, *ret. 0: none runs, or one of an earlier version, which the signal would end. -errno: whether one runs
 * cannot be seen.
 */
static int daemon_find(const struct dg_cli *cli, pid_t *ret, struct dg_error *err)
{
	json_t *state dg_scoped(dg_json_drop) = NULL;
	int status = dg_daemon_pid(cli->bpffs, ret, err);

	if (status)
		return status == -ESRCH ? 0 : status;
	return !dg_reload_state(cli->bpffs, &state, NULL) &&
	       json_is_true(json_object_get(state, "alert_test"));
}

/* ---- by ourselves ---------------------------------------------------------------------------- */

static json_t *own_warning(const struct dg_config *config)
{
	return config->file_count ?
		       NULL :
		       json_string(DG_CONFIG_PATH " is not there: every key is at its default");
}

static int test_by_us(const struct dg_cli *cli, const char *why, json_t **ret, struct dg_error *err)
{
	const struct dg_value *file = &cli->value[0];
	dg_scoped_free struct dg_config *config = malloc(sizeof(*config));
	json_t *keep dg_scoped(dg_json_drop) = NULL;
	const char *path = dg_config_path(cli, file->given ? file->text : NULL, &keep);
	int status;

	if (!config)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	status = dg_config_load(path, config, err);
	if (status)
		return status;
	*ret = json_pack("{s:i, s:o, s:o, s:o*, s:o}", "schema", 1, "sent_by",
			 json_sprintf("this command, outside the service's sandbox: %s", why),
			 "files", dg_config_files_json(config), "warning", own_warning(config),
			 "sinks", test_all(config));
	return 0;
}

/* ---- the command ----------------------------------------------------------------------------- */

static bool all_delivered(const json_t *doc)
{
	const json_t *sinks = json_object_get(doc, "sinks");
	size_t i;
	json_t *sink;

	json_array_foreach(
		sinks, i, sink) if (!json_is_true(json_object_get(sink, "delivered"))) return false;
	return json_array_size(sinks) > 0;
}

int dg_alert_test_run(const struct dg_cli *cli, struct dg_error *err)
{
	const bool is_named = cli->value[0].given;
	json_t *doc = NULL;
	bool delivered;
	pid_t pid;
	int status = is_named ? 0 : daemon_find(cli, &pid, err);

	if (status < 0)
		return status;
	if (status)
		status = test_by_daemon(cli, pid, &doc, err);
	else
		status = test_by_us(cli,
				    is_named ? "--config is given" :
					       "no dnsguardd runs that could send it",
				    &doc, err);
	if (status)
		return status;
	delivered = all_delivered(doc);
	status = dg_render(stdout, doc, test_sections, cli->json);
	return status ? status : delivered ? DG_EXIT_OK : DG_EXIT_FAILED;
}
