/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reload.h - where a command and the daemon of one bpffs directory meet over a reload.
 *
 * A signal says nothing about its sender and brings no answer back. So the command leaves a note
 * (who asks, and a token), sends SIGHUP, and waits until the daemon's published state carries that
 * token. Both files stand in /run/dnsguard, which is root's alone, and are replaced whole.
 */
#ifndef DG_CONFIG_RELOAD_H
#define DG_CONFIG_RELOAD_H

#include <jansson.h>
#include <sys/types.h>

#include "userspace/lib/scope.h"
#include "userspace/lib/who.h"

#define DG_TOKEN_MAX 32
#define DG_RELOAD_WAIT_NS                                                                          \
	60000000000ull /* that a command waits for the daemon's answer, or for its turn */

struct dg_reload_note {
	char token[DG_TOKEN_MAX + 1]; /* hexadecimal */
	char who[DG_WHO_MAX];
};

/* The daemon that guards this bpffs directory. -ESRCH (status DG_EXIT_NOT_ATTACHED): none runs. */
int dg_daemon_pid(const char *bpffs, pid_t *ret, struct dg_error *err);

/*
 * One command at a time asks, for there is one note. Waits as long as for an answer; the descriptor lets go when closed. -EWOULDBLOCK:
 * another one still waits for its answer.
 */
int dg_reload_lock(const char *bpffs, int *ret_fd, struct dg_error *err);
/* Leaves a note for the daemon, which takes it away with its next reload. */
int dg_reload_ask(const char *bpffs, const struct dg_reload_note *note, struct dg_error *err);
/* Takes the note; without one *ret is empty. */
void dg_reload_asked(const char *bpffs, struct dg_reload_note *ret);

/*
 * What the daemon says of its configuration: {schema, token, good, message, config, lines,
 * overridden}. `lines` is what runs (dg_config_lines), `message` why the last reload was refused.
 */
int dg_reload_publish(const char *bpffs, const json_t *state, struct dg_error *err);
/* -ENOENT: nothing was published. The caller drops *ret. */
int dg_reload_state(const char *bpffs, json_t **ret, struct dg_error *err);
/* A descriptor to poll(2): readable when something in /run/dnsguard was replaced. */
int dg_reload_watch(int *ret_fd, struct dg_error *err);

#endif
