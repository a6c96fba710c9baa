// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reload.c - dnsguard reload: what would change, then the daemon is asked, then what it said.
 *
 * A configuration that this command cannot read is not put before the daemon. What the daemon
 * refuses nevertheless (a device that is not there) it refuses as a whole.
 */
#include <errno.h>
#include <string.h>

#include "userspace/config/reload.h"
#include "userspace/dnsguard/asking.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/config.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"

enum { DRY_RUN };

const struct dg_option dg_reload_options[] = {
	[DRY_RUN] = { .name = "dry-run",
		      .type = DG_OPT_FLAG,
		      .help = "only show what would change" },
	{ 0 },
};

struct reload {
	const struct dg_cli *cli;
	pid_t pid;
	json_t *changes; /* array of strings */
};

/* ---- what would change ---------------------------------------------------------------------- */

static void collect(const char *change, void *arg)
{
	json_array_append_new(arg, json_string(change));
}

static int is_overridden(const json_t *paths, const char *line)
{
	size_t len = strcspn(line, ":[");
	size_t i;
	json_t *path;

	json_array_foreach(paths, i, path)
	{
		const char *text = json_string_value(path);

		if (text && strlen(text) == len && !strncmp(text, line, len))
			return 1;
	}
	return 0;
}

/* Without the keys that the daemon's command line decides: a file cannot change those. In place. */
static void without_overridden(char *lines, const json_t *paths)
{
	char *to = lines;

	for (char *line = lines, *end; (end = strchr(line, '\n')); line = end + 1) {
		size_t len = (size_t)(end - line) + 1;

		if (is_overridden(paths, line))
			continue;
		memmove(to, line, len);
		to += len;
	}
	*to = '\0';
}

static int changes_find(struct reload *reload, const json_t *state, struct dg_error *err)
{
	dg_scoped_free struct dg_config *next = malloc(sizeof(*next));
	const json_t *overridden = json_object_get(state, "overridden");
	const char *running = json_string_value(json_object_get(state, "lines"));
	dg_scoped_free char *before = strdup(running ? running : "");
	dg_scoped_free char *after = NULL;
	__u64 key[4];
	int status;

	if (!next || !before)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	status = dg_config_load(json_string_value(json_object_get(state, "config")), next, err);
	if (status)
		return status;
	after = dg_config_lines_marked(next, dg_running_mark(state, key));
	if (!after)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	without_overridden(before, overridden);
	without_overridden(after, overridden);
	return dg_config_diff(before, after, collect, reload->changes) < 0 ?
		       dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory") :
		       0;
}

/* ---- asking, and the answer ----------------------------------------------------------------- */

static int ask(const struct reload *reload, struct dg_error *err)
{
	const struct dg_asked_daemon asked = { reload->cli->bpffs, reload->pid, DG_ASK_RELOAD };
	json_t *state dg_scoped(dg_json_drop) = NULL;
	int status = dg_daemon_ask(&asked, &state, err);
	const char *message;

	if (status || json_is_true(json_object_get(state, "good")))
		return status;
	message = json_string_value(json_object_get(state, "message"));
	return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
		       "dnsguardd refused it, nothing changed: %.900s",
		       message ? message : "it did not say why");
}

/* ---- the command ---------------------------------------------------------------------------- */

static void changes_print(const json_t *changes)
{
	size_t i;
	json_t *change;

	json_array_foreach(changes, i, change) printf("%s\n", json_string_value(change));
	if (!json_array_size(changes))
		printf("nothing changes\n");
	fflush(stdout);
}

static int reload_run(struct reload *reload, struct dg_error *err)
{
	const struct dg_cli *cli = reload->cli;
	const int dry_run = cli->value[DRY_RUN].given;
	json_t *state dg_scoped(dg_json_drop) = NULL;
	dg_scoped_fd int lock = -1;
	int status = dg_daemon_pid(cli->bpffs, &reload->pid, err);

	/* Before the state is read: what is shown as changing is what this very reload changes. */
	if (!status && !dry_run)
		status = dg_asking_lock(cli->bpffs, DG_ASK_RELOAD, &lock, err);
	if (!status)
		status = dg_reload_state(cli->bpffs, &state, err);
	if (!status)
		status = changes_find(reload, state, err);
	if (status)
		return status;
	if (!cli->json)
		changes_print(reload->changes);
	if (!dry_run)
		status = ask(reload, err);
	if (status)
		return status;
	if (cli->json)
		return dg_render(stdout,
				 json_pack("{s:i, s:b, s:O}", "schema", 1, "applied", !dry_run,
					   "changes", reload->changes),
				 NULL, true);
	if (!dry_run)
		printf("applied\n");
	return DG_EXIT_OK;
}

int dg_reload_run(const struct dg_cli *cli, struct dg_error *err)
{
	struct reload reload = { .cli = cli, .changes = json_array() };
	int status = reload_run(&reload, err);

	json_decref(reload.changes);
	return status;
}
