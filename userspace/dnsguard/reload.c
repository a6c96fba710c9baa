// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reload.c - dnsguard reload: what would change, then the daemon is asked, then what it said.
 *
 * A configuration that this command cannot read is not put before the daemon. What the daemon
 * refuses nevertheless (a device that is not there) it refuses as a whole.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

#include "userspace/config/reload.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/config.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"

#define LOOK_MS 500 /* how soon a daemon that died meanwhile is noticed */

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
	struct dg_reload_note note;
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
	int status;

	if (!next || !before)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	status = dg_config_load(json_string_value(json_object_get(state, "config")), next, err);
	if (status)
		return status;
	after = dg_config_lines(next);
	if (!after)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	without_overridden(before, overridden);
	without_overridden(after, overridden);
	return dg_config_diff(before, after, collect, reload->changes) < 0 ?
		       dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory") :
		       0;
}

/* ---- asking, and the answer ----------------------------------------------------------------- */

static int token_make(struct dg_reload_note *note, struct dg_error *err)
{
	unsigned char random[DG_TOKEN_MAX / 2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "cannot draw a token: %s",
			       strerror(errno));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(note->token + 2 * i, 3, "%02x", random[i]);
	dg_who_text(note->who, sizeof(note->who));
	return 0;
}

/* 1: the daemon answered, *ret is its state. */
static int is_answered(const struct reload *reload, json_t **ret)
{
	const char *token;
	json_t *state;

	if (dg_reload_state(reload->cli->bpffs, &state, NULL))
		return 0;
	token = json_string_value(json_object_get(state, "token"));
	if (token && !strcmp(token, reload->note.token)) {
		*ret = state;
		return 1;
	}
	json_decref(state);
	return 0;
}

static int wait_for_answer(const struct reload *reload, int watch, json_t **ret,
			   struct dg_error *err)
{
	struct pollfd wake = { .fd = watch, .events = POLLIN };
	__u64 deadline = dg_now_ns() + DG_RELOAD_WAIT_NS;
	char news[4096];

	while (!is_answered(reload, ret)) {
		if (kill(reload->pid, 0) && errno == ESRCH)
			return dg_fail(err, -ESRCH, DG_EXIT_FAILED,
				       "dnsguardd (pid %ld) ended meanwhile; see why with: "
				       "journalctl -u dnsguardd",
				       (long)reload->pid);
		if (dg_now_ns() > deadline)
			return dg_fail(err, -ETIMEDOUT, DG_EXIT_FAILED,
				       "dnsguardd (pid %ld) has not answered for 60 s; see what "
				       "it does with: journalctl -u dnsguardd",
				       (long)reload->pid);
		poll(&wake, 1, LOOK_MS);
		while (read(watch, news, sizeof(news)) > 0)
			; /* which file it was, is_answered() finds out */
	}
	return 0;
}

static int ask(struct reload *reload, struct dg_error *err)
{
	json_t *state dg_scoped(dg_json_drop) = NULL;
	dg_scoped_fd int watch = -1;
	const char *message;
	int status = token_make(&reload->note, err);

	if (!status)
		status = dg_reload_watch(&watch, err); /* before the signal: no answer is missed */
	if (!status)
		status = dg_reload_ask(reload->cli->bpffs, &reload->note, err);
	if (status)
		return status;
	if (kill(reload->pid, SIGHUP))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot signal dnsguardd (pid %ld): %s",
			       (long)reload->pid, strerror(errno));
	status = wait_for_answer(reload, watch, &state, err);
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
		status = dg_reload_lock(cli->bpffs, &lock, err);
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
