/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.h - the one place where the program waits: for a socket, a moment, a NOTIFY, a signal.
 *
 * While it waits for the primary it serves the NOTIFY sockets, so a transfer of an hour does not make the
 * secondary deaf. One thread, no callbacks into a transfer.
 */
#ifndef DG_TRANSFER_LOOP_H
#define DG_TRANSFER_LOOP_H

#include <linux/types.h>
#include <stdbool.h>

struct dg_listener;

struct dg_loop {
	struct dg_listener *listener; /* NULL = none */
	int hearer;		      /* a pipe whose reader's end is ours too; -1 = none */
};

/*
 * Signals: TERM and INT ask to stop, HUP asks for a check of the zone now. They arrive only inside dg_loop_wait.
 */
void dg_loop_signals(void);
/*
 * Waits until fd is ready for `events` (poll(2)), or, with fd -1, until somebody asks for a check. 0, -ETIMEDOUT at the
 * deadline, -EINTR when asked to stop, or when the hearer is gone.
 */
int dg_loop_wait(struct dg_loop *loop, int fd, short events, __u64 deadline_ns);
/* Was a check asked for since the last call? By HUP or NOTIFY; the question is taken off. */
bool dg_loop_check_wanted(struct dg_loop *loop);

#endif
