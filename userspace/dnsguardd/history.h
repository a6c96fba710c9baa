/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * history.h - the daemon writes its history once a minute, in a thread of libuv's.
 */
#ifndef DG_DAEMON_HISTORY_H
#define DG_DAEMON_HISTORY_H

#include "userspace/lib/scope.h"

struct dg_daemon;
struct dg_historian;

int dg_historian_start(struct dg_daemon *daemon, struct dg_historian **ret);
/* Accepts NULL. The loop must run once more, then dg_historian_free() writes the last minute. */
void dg_historian_stop(struct dg_historian *historian);
void dg_historian_free(struct dg_historian *historian);

#endif
