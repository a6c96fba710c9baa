/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sample.h - the kernel's tables as one sample of the history.
 */
#ifndef DG_HISTORY_SAMPLE_H
#define DG_HISTORY_SAMPLE_H

#include "userspace/history/history.h"
#include "userspace/lib/maps.h"
#include "userspace/tcp/tcp.h"

/* Listeners that draw on one quota: those of the same process. One that is not among them has a quota, and a peak, of its own. */
struct dg_quota_sharers {
	unsigned int count;
	struct {
		char listener[DG_TCP_KEY_TEXT];
		__s64 pid;
	} of[DG_TCP_LISTENERS_MAX];
};

/*
 * Reads counters, peaks and names. Allocates ret->name, which the caller frees. sharers NULL: the books
 * of connections are not kept (dg_tcpstate_runs()). The peak of a shared quota is that of the sum, second by
 * second. -errno.
 */
int dg_history_sample_read(const struct dg_maps *maps, const struct dg_quota_sharers *sharers,
			   struct dg_history_sample *ret);

#endif
