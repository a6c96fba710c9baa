// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * asking.c - a note, a signal, and the answer that carries the note's token.
 */
#include "userspace/dnsguard/asking.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "userspace/lib/maps.h"

#define LOOK_MS 500 /* how soon a daemon that died meanwhile is noticed */

static const struct {
	int number; /* of the signal */
	int (*answer)(const char *bpffs, json_t **ret, struct dg_error *err);
} ways[DG_ASKINGS] = {
	[DG_ASK_RELOAD] = { SIGHUP, dg_reload_state },
	[DG_ASK_ALERT_TEST] = { SIGUSR1, dg_alert_test_state },
};

static int note_make(struct dg_reload_note *note, struct dg_error *err)
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

/* 1: the daemon answered, *ret is its answer. */
static int is_answered(const struct dg_asked_daemon *asked, const char *wanted, json_t **ret)
{
	const char *token;
	json_t *state;

	if (ways[asked->what].answer(asked->bpffs, &state, NULL))
		return 0;
	token = json_string_value(json_object_get(state, "token"));
	if (token && !strcmp(token, wanted)) {
		*ret = state;
		return 1;
	}
	json_decref(state);
	return 0;
}

static int wait_for_answer(const struct dg_asked_daemon *asked, const char *token, int watch,
			   json_t **ret, struct dg_error *err)
{
	struct pollfd wake = { .fd = watch, .events = POLLIN };
	__u64 deadline = dg_now_ns() + DG_ASKING_WAIT_NS;
	char news[4096];

	while (!is_answered(asked, token, ret)) {
		if (kill(asked->pid, 0) && errno == ESRCH)
			return dg_fail(err, -ESRCH, DG_EXIT_FAILED,
				       "dnsguardd (pid %ld) ended meanwhile; see why with: "
				       "journalctl -u dnsguardd",
				       (long)asked->pid);
		if (dg_now_ns() > deadline)
			return dg_fail(err, -ETIMEDOUT, DG_EXIT_FAILED,
				       "dnsguardd (pid %ld) has not answered for 60 s; see what "
				       "it does with: journalctl -u dnsguardd",
				       (long)asked->pid);
		poll(&wake, 1, LOOK_MS);
		while (read(watch, news, sizeof(news)) > 0)
			; /* which file it was, is_answered() finds out */
	}
	return 0;
}

int dg_daemon_ask(const struct dg_asked_daemon *asked, json_t **ret, struct dg_error *err)
{
	struct dg_reload_note note;
	dg_scoped_fd int watch = -1;
	int status = note_make(&note, err);

	if (!status)
		status = dg_reload_watch(&watch, err); /* before the signal: no answer is missed */
	if (!status)
		status = dg_note_leave(asked->bpffs, asked->what, &note, err);
	if (status)
		return status;
	if (kill(asked->pid, ways[asked->what].number))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot signal dnsguardd (pid %ld): %s",
			       (long)asked->pid, strerror(errno));
	return wait_for_answer(asked, note.token, watch, ret, err);
}
