// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * alert.c - dnsguard alert ls and dnsguard alert test: what fires and who knows, and whether a message arrives.
 *
 * ls shows the files that the daemon keeps; without the daemon they say how things were. test needs no daemon: it reads the
 * configuration and sends for itself.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "userspace/alert/send.h"
#include "userspace/config/reload.h"
#include "userspace/dnsguard/alert.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/config.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"
#include "userspace/pressure/pressure.h"

#define TEST_RESEND_SEC 15 /* an Alertmanager lets it go after four of these */

/* ---- what the daemon keeps -------------------------------------------------------------------- */

static const char *state_dir(const struct dg_cli *cli)
{
	return cli->state_dir ? cli->state_dir : DG_STATE_DIR_DEFAULT;
}

json_t *dg_pressure_kept(const struct dg_cli *cli, const char *name, bool *ret_running)
{
	char path[PATH_MAX];
	pid_t pid;

	*ret_running = !dg_daemon_pid(cli->bpffs, &pid, NULL);
	snprintf(path, sizeof(path), "%s/%s", state_dir(cli), name);
	return json_load_file(path, 0, NULL);
}

static int state_rank(const json_t *row)
{
	const char *state = json_string_value(json_object_get(row, "state"));

	for (int rank = DG_PRESSURE_STATES - 1; state && rank >= 0; rank--)
		if (!strcmp(state, dg_pressure_names[rank]))
			return rank;
	return -1; /* unknown */
}

void dg_pressure_status(const struct dg_cli *cli, json_t *doc)
{
	const json_t *row, *worst = NULL;
	bool running;
	json_t *kept = dg_pressure_kept(cli, DG_PRESSURE_FILE, &running);
	size_t i;

	json_array_foreach(json_object_get(kept, "listeners"), i, row)
	{
		if (!worst || state_rank(row) > state_rank(worst))
			worst = row;
	}
	if (worst && running)
		json_object_set_new(doc, "tcp_pressure",
				    json_pack("{s:O, s:O}", "listener",
					      json_object_get(worst, "listener"), "state",
					      json_object_get(worst, "state")));
	json_decref(kept);
}

/* ---- ls --------------------------------------------------------------------------------------- */

static const struct dg_column alert_columns[] = {
	{ "alert", "ALERT", DG_AS_TEXT },     { "listener", "LISTENER", DG_AS_TEXT },
	{ "status", "STATUS", DG_AS_TEXT },   { "severity", "SEVERITY", DG_AS_TEXT },
	{ "since", "SINCE", DG_AS_WHEN },     { "last_message", "LAST MESSAGE", DG_AS_WHEN },
	{ "summary", "SUMMARY", DG_AS_TEXT }, { 0 },
};

static const struct dg_column sink_columns[] = {
	{ "sink", "RECEIVER", DG_AS_TEXT },
	{ "delivered", "DELIVERED", DG_AS_COUNT },
	{ "failed", "FAILED", DG_AS_COUNT },
	{ "queued", "QUEUED", DG_AS_COUNT },
	{ "last_message", "LAST", DG_AS_WHEN },
	{ "last_error", "ERROR", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_column listener_columns[] = {
	{ "listener", "LISTENER", DG_AS_TEXT }, { "state", "STATE", DG_AS_TEXT },
	{ "since", "SINCE", DG_AS_WHEN },	{ "quota", "QUOTA", DG_AS_COUNT },
	{ "resolver", "RESOLVER", DG_AS_TEXT }, { 0 },
};

static const struct dg_section ls_sections[] = {
	{ "warning", "warning", DG_AS_TEXT, NULL, NULL },
	{ "listeners", "listeners", DG_AS_TEXT, listener_columns, "no listener is watched" },
	{ "alerts", "alerts", DG_AS_TEXT, alert_columns, "nothing fires" },
	{ "sinks", "receivers", DG_AS_TEXT, sink_columns, "nobody is told" },
	{ 0 },
};

static json_t *when(json_int_t unix_sec)
{
	return unix_sec > 0 ? json_integer(unix_sec) : json_null();
}

static json_int_t number(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

static json_int_t last_message(const json_t *alert)
{
	json_t *told = json_object_get(alert, "told");
	json_int_t last = 0;
	const char *sink;
	json_t *knows;

	json_object_foreach(told, sink, knows)
	{
		last = number(knows, "at") > last ? number(knows, "at") : last;
	}
	return last;
}

/* Beside what the file has: words and times for people. */
static void alert_dress(json_t *alert)
{
	bool firing = json_is_true(json_object_get(alert, "firing"));

	json_object_set_new(alert, "status", json_string(firing ? "firing" : "resolved"));
	json_object_set_new(alert, "since", when(number(alert, firing ? "starts" : "ends")));
	json_object_set_new(alert, "last_message", when(last_message(alert)));
}

static json_t *ls_json(const struct dg_cli *cli, bool *ret_running)
{
	json_t *kept = dg_pressure_kept(cli, DG_ALERTS_FILE, ret_running);
	json_t *pressure = dg_pressure_kept(cli, DG_PRESSURE_FILE, ret_running);
	json_t *alerts = json_object_get(kept, "alerts"), *sinks = json_object_get(kept, "sinks");
	json_t *listeners = json_object_get(pressure, "listeners"), *row, *doc;
	size_t i;

	json_array_foreach(alerts, i, row)
	{
		alert_dress(row);
	}
	json_array_foreach(sinks, i, row)
	{
		json_object_set_new(row, "last_message", when(number(row, "last_message")));
	}
	json_array_foreach(listeners, i, row)
	{
		json_object_set_new(row, "since", when(number(row, "since")));
		json_object_set_new(row, "quota", when(number(row, "quota")));
	}
	doc = json_pack("{s:i, s:b, s:o, s:o, s:o}", "schema", 1, "running", *ret_running,
			"listeners", listeners ? json_incref(listeners) : json_array(), "alerts",
			alerts ? json_incref(alerts) : json_array(), "sinks",
			sinks ? json_incref(sinks) : json_array());
	json_decref(kept);
	json_decref(pressure);
	return doc;
}

/* Who may not look, and where the daemon's file is not to be read, must not be told that there is nothing. */
static int may_look(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };

	if (access(state_dir(cli), R_OK | X_OK) && errno != ENOENT)
		return dg_fail(err, -errno, DG_EXIT_FAILED,
			       "cannot look into %s: %s; run it as root, with sudo", state_dir(cli),
			       strerror(errno));
	return dg_alerts_load(state_dir(cli), &alerts, err);
}

static json_t *ls_warning(const struct dg_cli *cli, const json_t *doc)
{
	if (json_array_size(json_object_get(doc, "sinks")))
		return json_string(
			"dnsguardd is not running: nobody is told anything, and this is how things were");
	return json_sprintf("dnsguardd is not running, and has left nothing in %s", state_dir(cli));
}

int dg_alert_ls_run(const struct dg_cli *cli, struct dg_error *err)
{
	bool running = false;
	int status = may_look(cli, err);
	json_t *doc;

	if (status)
		return status;
	doc = ls_json(cli, &running);
	if (doc && !running)
		json_object_set_new(doc, "warning", ls_warning(cli, doc));
	status = dg_render(stdout, doc, ls_sections, cli->json);
	return status ? status : running ? DG_EXIT_OK : DG_EXIT_NOT_ATTACHED;
}

/* ---- test ------------------------------------------------------------------------------------- */

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

static int test_send(const struct dg_config *config, const struct dg_sink *sink,
		     const struct dg_message *message, struct dg_error *err)
{
	dg_scoped_fd int job = -1;
	int status;

	if (sink->kind == DG_SINK_LOG) {
		status = dg_send_log((enum dg_config_log)config->alerts_log, &dg_log_paths_default,
				     message, say);
		return status ? dg_fail(err, status, DG_EXIT_FAILED, "%s", strerror(-status)) : 0;
	}
	status = dg_send_job(sink, config, message, 1, &job);
	return status ? dg_fail(err, status, DG_EXIT_FAILED, "no message can be made: %s",
				strerror(-status)) :
			dg_send_wait(job, err);
}

static json_t *test_all(const struct dg_config *config, bool *ret_failed)
{
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };
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
					    .resend_sec = TEST_RESEND_SEC };
	json_t *list = json_array();

	dg_sinks_configure(&alerts, config);
	for (unsigned int i = 0; i < alerts.sinks; i++) {
		struct dg_error err = { .text = "" };
		int failed = test_send(config, &alerts.sink[i], &message, &err);

		*ret_failed |= failed != 0;
		json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "sink", alerts.sink[i].id,
						      "delivered", !failed, "error", err.text));
	}
	return list;
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
