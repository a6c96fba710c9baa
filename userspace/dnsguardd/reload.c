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

/* Keys whose text hides a part of the value: here the values themselves are compared. */
static int hidden_changes(const struct dg_config *a, const struct dg_config *b,
			  struct teller *teller)
{
	const struct {
		const char *change;
		int is_changed;
	} hidden[] = {
		{ "answers.cookie-secret: another one",
		  a->cookie_secret_set && b->cookie_secret_set &&
			  memcmp(a->cookie_secret, b->cookie_secret, sizeof(a->cookie_secret)) },
		{ "alerts.alertmanager: another one",
		  a->alertmanagers.count == b->alertmanagers.count &&
			  memcmp(&a->alertmanagers, &b->alertmanagers, sizeof(a->alertmanagers)) },
		{ "alerts.webhook: another one",
		  a->webhooks.count == b->webhooks.count &&
			  memcmp(&a->webhooks, &b->webhooks, sizeof(a->webhooks)) },
	};
	int changes = 0;

	for (unsigned int i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (hidden[i].is_changed) {
			log_change(hidden[i].change, teller);
			changes++;
		}
	return changes;
}

static void log_changes(const struct dg_config *before, const struct dg_config *now, const char *by)
{
	char *old dg_scoped_free = dg_config_lines(before);
	char *new dg_scoped_free = dg_config_lines(now);
	struct teller teller = { 0 };
	int changes = old && new ? dg_config_diff(old, new, log_change, &teller) : -1;

	if (changes < 0) {
		dg_log(DG_LOG_ERROR, "configuration applied%s; no memory to tell what changed", by);
		return;
	}
	changes += hidden_changes(before, now, &teller);
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
	char *lines dg_scoped_free = dg_config_lines(daemon->config);
	const char *path = daemon->options->config;
	struct dg_error err = { 0 };
	json_t *state =
		json_pack("{s:i, s:s, s:b, s:s, s:s?, s:s, s:o}", "schema", 1, "token", note->token,
			  "good", !reason, "message", reason ? reason->text : "", "config", path,
			  "lines", lines ? lines : "", "overridden", overridden(daemon->config));

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
