// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reload.c - what the daemon says of a change of its configuration.
 *
 * Changes nothing itself: main.c applies, this tells.
 */
#include "userspace/dnsguardd/reload.h"

#include <string.h>

#include "userspace/dnsguardd/log.h"

#define CHANGES_LOGGED 40

struct teller {
	int said;
};

static void log_change(const char *change, void *arg)
{
	struct teller *teller = arg;

	if (teller->said++ < CHANGES_LOGGED)
		dg_log(DG_LOG_NOTICE, "configuration: %s", change);
}

static void log_changes(const struct dg_config *before, const struct dg_config *now, const char *by)
{
	__u64 key[4];
	const __u64 *mark = dg_mark_key_draw(key) ? NULL : key;
	char *old dg_scoped_free = dg_config_lines_marked(before, mark);
	char *new dg_scoped_free = dg_config_lines_marked(now, mark);
	struct teller teller = { 0 };
	int changes = old && new ? dg_config_diff(old, new, log_change, &teller) : -1;

	if (changes < 0) {
		dg_log(DG_LOG_ERROR, "configuration applied%s; no memory to tell what changed", by);
		return;
	}
	if (teller.said > CHANGES_LOGGED)
		dg_log(DG_LOG_NOTICE, "configuration: and %d changes more",
		       teller.said - CHANGES_LOGGED);
	dg_log(DG_LOG_NOTICE, "configuration applied%s: %d change%s", by, changes,
	       changes == 1 ? "" : "s");
}

/* Keys that the command line decided: a file cannot change them. */
static json_t *overridden(const struct dg_config *config)
{
	json_t *paths = json_array();

	for (unsigned int i = 0; i < DG_KEY_COUNT; i++)
		if (config->origin[i].file == DG_CONFIG_FROM_COMMAND)
			json_array_append_new(paths, json_string(dg_config_keys[i].path));
	return paths;
}

static void publish(const struct dg_daemon *daemon, const struct dg_reload_note *note,
		    const struct dg_error *reason)
{
	__u64 key[4];
	const __u64 *mark = dg_mark_key_draw(key) ? NULL : key;
	char *lines dg_scoped_free = dg_config_lines_marked(daemon->config, mark);
	char mark_text[DG_MARK_KEY_TEXT] = "";
	const char *path = daemon->options->config;
	struct dg_error err = { 0 };
	json_t *state;

	if (mark)
		dg_mark_key_text(mark, mark_text);
	state = json_pack("{s:i, s:s, s:b, s:s, s:s?, s:s, s:s, s:o, s:b}", "schema", 1, "token",
			  note->token, "good", !reason, "message", reason ? reason->text : "",
			  "config", path, "lines", lines ? lines : "", "mark_key", mark_text,
			  "overridden", overridden(daemon->config), "alert_test", true);

	if (dg_reload_publish(daemon->options->bpffs, state, &err))
		dg_log(DG_LOG_ERROR, "cannot say what the configuration is: %s", err.text);
	json_decref(state);
}

void dg_reload_tell(const struct dg_daemon *daemon, const struct dg_config *before,
		    const struct dg_reload_note *note, const struct dg_error *reason)
{
	char by[DG_WHO_MAX + 8] = "";

	if (note->who[0])
		snprintf(by, sizeof(by), ", by %s", note->who);
	if (reason)
		dg_log(DG_LOG_ERROR, "configuration refused%s, nothing changed: %s", by,
		       reason->text);
	else if (before)
		log_changes(before, daemon->config, by);
	publish(daemon, note, reason);
}
