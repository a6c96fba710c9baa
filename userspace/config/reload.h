/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reload.h - where a command and the daemon of one bpffs directory meet: over a reload, over a test of alerts.
 *
 * A signal says nothing about its sender and brings no answer back. So the command leaves a note
 * (who asks, and a token), sends the signal, and waits until what the daemon publishes carries that
 * token. All files stand in /run/dnsguard, which is root's alone, and are replaced whole.
 */
#ifndef DG_CONFIG_RELOAD_H
#define DG_CONFIG_RELOAD_H

#include <jansson.h>
#include <linux/types.h>
#include <sys/types.h>

#include "userspace/lib/scope.h"
#include "userspace/lib/who.h"

#define DG_TOKEN_MAX 32
#define DG_ASKING_WAIT_NS                                                                          \
	60000000000ull /* that a command waits for the daemon's answer, or for its turn */

/* What a command asks for. */
enum dg_asking {
	DG_ASK_RELOAD,	   /* SIGHUP; answered by dg_reload_state() */
	DG_ASK_ALERT_TEST, /* SIGUSR1; answered by dg_alert_test_state() */
	DG_ASKINGS,
};

struct dg_reload_note {
	char token[DG_TOKEN_MAX + 1]; /* hexadecimal */
	char who[DG_WHO_MAX];
};

/* The daemon that guards this bpffs directory. -ESRCH (status DG_EXIT_NOT_ATTACHED): none runs. */
int dg_daemon_pid(const char *bpffs, pid_t *ret, struct dg_error *err);

/*
 * One command at a time asks for the same, for there is one note. Waits as long as for an answer; the descriptor lets go when closed. -EWOULDBLOCK:
 * another one still waits for its answer.
 */
int dg_asking_lock(const char *bpffs, enum dg_asking what, int *ret_fd, struct dg_error *err);
/* Leaves a note for the daemon, which takes it away with the signal. */
int dg_note_leave(const char *bpffs, enum dg_asking what, const struct dg_reload_note *note,
		  struct dg_error *err);
/* Takes the note; without one *ret is empty. */
void dg_note_take(const char *bpffs, enum dg_asking what, struct dg_reload_note *ret);

/*
 * What the daemon says of its configuration: {schema, token, good, message, config, lines,
 * mark_key, overridden, alert_test}. `lines` is what runs (dg_config_lines_marked() under
 * `mark_key`), `message` why the last reload was refused, `alert_test` that it can be asked for one.
 */
int dg_reload_publish(const char *bpffs, const json_t *state, struct dg_error *err);
/* -ENOENT: nothing was published. The caller drops *ret. */
int dg_reload_state(const char *bpffs, json_t **ret, struct dg_error *err);

/* The same of a test of alerts: {token, sinks: [{sink, delivered, error}]}. */
int dg_alert_test_publish(const char *bpffs, const json_t *state, struct dg_error *err);
int dg_alert_test_state(const char *bpffs, json_t **ret, struct dg_error *err);

/* The key of marks in `lines`: drawn, as hexadecimal text, and back. -errno, -EINVAL. */
#define DG_MARK_KEY_TEXT 65
int dg_mark_key_draw(__u64 ret[4]);
void dg_mark_key_text(const __u64 key[4], char ret[DG_MARK_KEY_TEXT]);
int dg_mark_key_read(const char *text, __u64 ret[4]);

/* A descriptor to poll(2): readable when something in /run/dnsguard was replaced. */
int dg_reload_watch(int *ret_fd, struct dg_error *err);

#endif
