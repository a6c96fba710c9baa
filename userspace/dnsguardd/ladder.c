// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ladder.c - steps and shares: see ladder.h.
 */
#include "userspace/dnsguardd/ladder.h"

#define CLEAR_POINTS 0.10
#define BASE_LEAST 2 /* connections of one source at step 0, however small the quota is */
#define FAIR_FROM_STEP 3
#define WIDE_PERCENT 75 /* of the quota, for an IPv6 /48 */

/* Use of the quota at which a step begins. */
static const double begins[DG_PROTECT_STEPS + 1] = { 0, 0.50, 0.65, 0.80, 0.95 };

__u32 dg_ladder_step(struct dg_ladder *ladder, double use, __u64 now_ns)
{
	__u32 wanted = DG_PROTECT_STEPS;

	while (wanted && use < begins[wanted])
		wanted--;
	if (wanted >= ladder->step) {
		ladder->calm_since_ns = 0;
		ladder->step = wanted;
	} else if (use >= begins[ladder->step] - CLEAR_POINTS) {
		ladder->calm_since_ns = 0;
	} else if (!ladder->calm_since_ns) {
		ladder->calm_since_ns = now_ns;
	} else if (now_ns - ladder->calm_since_ns >= DG_LADDER_CALM_NS) {
		ladder->calm_since_ns = now_ns;
		ladder->step--;
	}
	return ladder->step;
}

static __u64 at_least(__u64 value, __u64 least)
{
	return value < least ? least : value;
}

static __u64 at_most(__u64 value, __u64 most)
{
	return value > most ? most : value;
}

static __u64 wide_share(const struct dg_ladder_given *given, __u64 percent)
{
	__u64 wide = at_least(given->quota * percent / 100, 1);
	__u64 reaped = (given->quota * given->reaped_from + 99) / 100;
	__u64 between = given->quota * (given->reaped_from + 100) / 200;

	return given->reaped_from ? at_least(wide, at_least(reaped, between)) : wide;
}

void dg_ladder_shares(const struct dg_ladder_given *given, struct dg_tcp_protect *ret)
{
	__u64 base = at_least(given->quota * given->percent / 100, BASE_LEAST);
	__u64 fair = given->quota * 4 / 5 / at_least(given->sources, 1);
	__u64 share = at_least(base >> given->step, 1);

	ret->base[0] = ret->base[1] = ret->share[0] = ret->share[1] = 0;
	ret->share_reaped = ret->share_wide4 = 0;
	if (!given->quota) {
		ret->share_reaped = ~0u;
		return;
	}
	if (given->step >= FAIR_FROM_STEP)
		share = at_most(share, at_least(fair, 1));
	ret->base[0] = (__u32)base;
	ret->share[0] = (__u32)share;
	ret->share_reaped = (__u32)at_most(share, fair);
	if (given->step == DG_PROTECT_STEPS)
		ret->share[1] = (__u32)wide_share(given, WIDE_PERCENT);
	if (given->step == DG_PROTECT_STEPS && given->percent_24 && given->percent_24 < 100)
		ret->share_wide4 = (__u32)wide_share(given, given->percent_24);
}
