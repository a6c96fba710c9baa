/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runlock.h - one daemon for one bpffs directory: a pid file that is locked as long as its owner
 * lives.
 */
#ifndef DG_RUNLOCK_H
#define DG_RUNLOCK_H

#include "userspace/lib/scope.h"

/*
 * Takes the lock and writes our pid. -EBUSY: *err names the daemon that holds it. The lock goes
 * with the descriptor, so a killed daemon leaves nothing that must be cleaned up.
 */
int dg_runlock(const char *bpffs, int *ret_fd, struct dg_error *err);

#endif
