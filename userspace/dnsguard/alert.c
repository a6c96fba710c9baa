// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * alert.c - dnsguard alert ls: what fires and who knows.
 *
 * Shows the files that the daemon keeps; without the daemon they say how things were.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "userspace/config/reload.h"
#include "userspace/dnsguard/alert.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"
#include "userspace/pressure/pressure.h"

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
	struct dg_error reason = { .text = "" };
	struct dg_path file;
	int failed;

	if (access(state_dir(cli), R_OK | X_OK) && errno != ENOENT)
		return dg_fail(err, -errno, DG_EXIT_FAILED,
			       "cannot look into %s: %s; run it as root, with sudo", state_dir(cli),
			       strerror(errno));
	snprintf(file.text, sizeof(file.text), "%.4000s/%s", state_dir(cli), DG_ALERTS_FILE);
	if (access(file.text, R_OK) && errno == EACCES)
		return dg_fail(err, -EACCES, DG_EXIT_FAILED,
			       "cannot read %.900s: %s; run it as root, with sudo", file.text,
			       strerror(EACCES));
	failed = dg_alerts_load(state_dir(cli), &alerts, &reason);
	return failed ? dg_fail(err, failed, DG_EXIT_FAILED,
				"%.900s; dnsguardd begins it anew when it starts", reason.text) :
			0;
}

static json_t *ls_warning(const struct dg_cli *cli, const json_t *doc)
{
	if (json_array_size(json_object_get(doc, "sinks")))
		return json_string(
			"dnsguardd is not running: nobody is told anything, and this is how things were");
	return json_sprintf(
		"dnsguardd is not running, and has left nothing in %s; start it: systemctl start dnsguardd",
		state_dir(cli));
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
