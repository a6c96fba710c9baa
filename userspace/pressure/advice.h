/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * advice.h - which setting of a resolver would keep its TCP quota from filling, and by how much: arithmetic.
 *
 * The quota bears quota / hold time new connections a second; so either it must be larger, or connections be held for less.
 */
#ifndef DG_ADVICE_H
#define DG_ADVICE_H

#include <linux/types.h>

#define DG_ADVICE_MAX 3

struct dg_advice_given {
	const char *program; /* of the resolver: "named", "unbound" */
	__u64 quota;	     /* 0 = not known: then nothing is advised on it */
	__u64 slots;	     /* of one thread, where the setting is for each; 0 = it is for all */
	__u64 peak;	     /* most connections at one time in the last minute */
	double new_per_second;
	double hold_mean_sec; /* -1 = not known */
	__u32 accept_queue_max;
};

struct dg_advice {
	char setting[64]; /* as it stands in the resolver's configuration */
	char why[200];
};

/* Fills ret from the most helpful one on. Returns how many; 0 = nothing would help, or nothing is known. */
int dg_advise(const struct dg_advice_given *given, struct dg_advice ret[DG_ADVICE_MAX]);

#endif
