/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * asking.h - a command asks the running daemon for something, and waits for its answer.
 */
#ifndef DG_ASKING_H
#define DG_ASKING_H

#include "userspace/config/reload.h"

/* What is asked, and of whom. */
struct dg_asked_daemon {
	const char *bpffs;
	pid_t pid;
	enum dg_asking what;
};
/*
 * Leaves the note, sends the signal, and waits until the answer carries our token; the caller drops *ret. -ESRCH: the
 * daemon ended meanwhile, -ETIMEDOUT: it did not answer within 60 s.
 */
int dg_daemon_ask(const struct dg_asked_daemon *asked, json_t **ret, struct dg_error *err);

#endif
