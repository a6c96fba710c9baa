/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ladder.h - how pressed TCP is, in steps, and what one source may hold at each: arithmetic, no map, no clock.
 *
 * Like Unbound's ladder of idle timeouts, but by source: an honest client with a connection or two never meets it.
 */
#ifndef DG_LADDER_H
#define DG_LADDER_H

#include "bpf/abi.h"

#define DG_LADDER_CALM_NS 5000000000ull /* so long below a step before it is left */

struct dg_ladder {
	__u32 step;	     /* 0 .. DG_PROTECT_STEPS */
	__u64 calm_since_ns; /* since when use is below what keeps the step; 0 = it is not */
};

/*
 * One look. use: connections / quota, may be above 1. Goes up at once, as far as it must; comes down one step when use has
 * been ten points below the step's threshold for DG_LADDER_CALM_NS. Returns the step.
 */
__u32 dg_ladder_step(struct dg_ladder *ladder, double use, __u64 now_ns);

struct dg_ladder_given {
	__u32 step;
	__u64 quota;	  /* of the listener that is pressed most; 0 = not known */
	__u64 percent;	  /* of it, for one source at step 0 */
	__u64 percent_24; /* of it, for an IPv4 /24 at the top; 0 or 100 = no bound */
	__u64 sources;	  /* that hold connections, or did until they were closed for them */
	__u64 reaped_from; /* per cent of the quota from which on idle connections are closed; 0 = none are */
};
/*
 * Fills base, share, share_reaped: half as much for a source at each step, from step 3 on no more than its fair share of
 * four fifths of the quota, never less than one connection. Where some were closed for it, its fair share may be none. At
 * the top an IPv6 /48 is bounded as well, to three quarters of the quota, so that something is left for the rest of the world, and
 * so is an IPv4 /24 to what is wanted. Where the reaper is at work a wide prefix may fill the quota a little further than
 * where that begins: one that is kept below would be left to those who came first. Quota not known: no bounds.
 */
void dg_ladder_shares(const struct dg_ladder_given *given, struct dg_tcp_protect *ret);

#endif
