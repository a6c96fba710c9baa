/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sample.h - the kernel's tables as one sample of the history.
 */
#ifndef DG_HISTORY_SAMPLE_H
#define DG_HISTORY_SAMPLE_H

#include "userspace/history/history.h"
#include "userspace/lib/maps.h"

/*
 * Reads counters, peaks and names. Allocates ret->name, which the caller frees. with_tcp: the books
 * of connections are kept (dg_tcpstate_runs()). -errno.
 */
int dg_history_sample_read(const struct dg_maps *maps, bool with_tcp,
			   struct dg_history_sample *ret);

#endif
