/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share.h - the share of queries that come over TCP: of the last minutes, and what is usual at this hour of the week.
 *
 * Pure: counters and the time of day come in. Bounded: one figure for each of the 168 hours of a week (UTC).
 */
#ifndef DG_SHARE_H
#define DG_SHARE_H

#include "userspace/pressure/pressure.h"

#define DG_SHARE_HOURS (7 * 24)
#define DG_SHARE_MINUTES 16 /* power of two; the window is one less */

/* Since the guard was loaded. */
struct dg_share_counts {
	__u64 tcp, all;
};

struct dg_share_usual {
	double share;
	__u32 weeks; /* it was seen; 0 = never */
};

struct dg_share {
	struct dg_share_usual usual[DG_SHARE_HOURS];
	__u64 hour; /* Unix time / 3600 of the hour that is being counted, 0 = none */
	struct dg_share_counts hour_began;
	__u64 minute; /* Unix time / 60 of the latest look, 0 = none */
	struct dg_share_counts look[DG_SHARE_MINUTES]; /* by minute */
	__u64 first_minute;			       /* since when looks are there */
	struct dg_alarm alarm;
};

struct dg_share_rules {
	double factor;	   /* times the usual share */
	double points;	   /* and at least so much more of all queries, 0 to 1 */
	__u64 queries_min; /* in the window: of fewer no share is worth a word */
	__u64 hold_ns, clear_hold_ns;
};
extern const struct dg_share_rules dg_share_rules_default;

struct dg_share_now {
	double share; /* of the window, -1 = too few queries */
	double usual; /* -1 = nothing is usual yet */
};

/* Notes the counters; at the end of an hour what it was becomes part of what is usual. Once a minute or more often. */
void dg_share_note(struct dg_share *share, __u64 unix_sec, struct dg_share_counts counts);
struct dg_share_now dg_share_read(const struct dg_share *share, const struct dg_share_rules *rules);
/* Returns whether the alarm changed. */
bool dg_share_step(struct dg_share *share, const struct dg_share_rules *rules, __u64 now_ns);

#endif
