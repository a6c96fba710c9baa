/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * full.h - when a TCP quota will be full, by the connections of all listeners that draw on it.
 *
 * Who draws on what is the caller's to know: from the resolvers themselves or from what the daemon has written down.
 */
#ifndef DG_FULL_H
#define DG_FULL_H

#include "userspace/tcp/tcp.h"

struct dg_full {
	const struct dg_tcp_view *view;
	__u64 now_ns;
	__u64 quota; /* 0 = not known */
	/* Does the listener at this place of view->dump draw on the quota? */
	bool (*shares)(const void *arg, __u32 listener);
	const void *arg;
};

/* Seconds until it is full; -1 = not foreseen, or not known. */
double dg_full_in(const struct dg_full *full);

#endif
