// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * share.c - a week of hours, each with the share of TCP that is usual then.
 *
 * What is usual follows slowly (a quarter of the way each week). A week that is not known yet borrows from the same hour of
 * other days.
 */
#include "userspace/pressure/share.h"

#define HOUR_SEC 3600
#define MINUTE_SEC 60
#define SECOND_NS 1000000000ull
#define WEIGHT 0.25

const struct dg_share_rules dg_share_rules_default = {
	.factor = 2,
	.points = 0.05,
	.queries_min = 1000,
	.hold_ns = 300 * SECOND_NS,
	.clear_hold_ns = 300 * SECOND_NS,
};

static bool counts_went_back(const struct dg_share *share, struct dg_share_counts now)
{
	struct dg_share_counts last = share->look[share->minute % DG_SHARE_MINUTES];

	return share->minute && (now.all < last.all || now.tcp < last.tcp);
}

/* Hours that nobody watched to their end, or without enough queries, teach nothing. */
static void hour_end(struct dg_share *share, __u64 hour, struct dg_share_counts counts)
{
	__u64 all = counts.all - share->hour_began.all, tcp = counts.tcp - share->hour_began.tcp;
	struct dg_share_usual *usual = &share->usual[share->hour % DG_SHARE_HOURS];
	double was = all ? (double)tcp / (double)all : 0;

	if (hour != share->hour + 1 || all < dg_share_rules_default.queries_min)
		return;
	usual->share = usual->weeks ? usual->share + WEIGHT * (was - usual->share) : was;
	usual->weeks++;
}

void dg_share_note(struct dg_share *share, __u64 unix_sec, struct dg_share_counts counts)
{
	__u64 hour = unix_sec / HOUR_SEC, minute = unix_sec / MINUTE_SEC;

	if (counts_went_back(share, counts)) /* a new guard: its counters begin at 0 */
		share->hour = share->minute = 0;
	if (share->hour && hour != share->hour)
		hour_end(share, hour, counts);
	if (hour != share->hour)
		share->hour_began = counts;
	share->hour = hour;
	if (!share->minute || minute - share->minute >= DG_SHARE_MINUTES)
		share->minute = share->first_minute = minute;
	share->look[minute % DG_SHARE_MINUTES] = counts;
	for (__u64 at = share->minute + 1; at < minute;
	     at++) /* minutes without a look have this one */
		share->look[at % DG_SHARE_MINUTES] = counts;
	share->minute = minute;
}

static double window_share(const struct dg_share *share, __u64 queries_min)
{
	__u64 back = share->minute - share->first_minute;
	struct dg_share_counts now = share->look[share->minute % DG_SHARE_MINUTES], then;

	back = back < DG_SHARE_MINUTES ? back : DG_SHARE_MINUTES - 1;
	then = share->look[(share->minute - back) % DG_SHARE_MINUTES];
	if (now.all - then.all < queries_min || now.all == then.all)
		return -1;
	return (double)(now.tcp - then.tcp) / (double)(now.all - then.all);
}

static double usual_share(const struct dg_share *share)
{
	const struct dg_share_usual *this = &share->usual[share->hour % DG_SHARE_HOURS];
	double sum = 0;
	int days = 0;

	if (this->weeks)
		return this->share;
	for (int day = 0; day < 7; day++) {
		const struct dg_share_usual *other =
			&share->usual[(share->hour + (__u64)day * 24) % DG_SHARE_HOURS];

		sum += other->weeks ? other->share : 0;
		days += other->weeks != 0;
	}
	return days ? sum / days : -1;
}

struct dg_share_now dg_share_read(const struct dg_share *share, const struct dg_share_rules *rules)
{
	return (struct dg_share_now){ .share = window_share(share, rules->queries_min),
				      .usual = usual_share(share) };
}

bool dg_share_step(struct dg_share *share, const struct dg_share_rules *rules, __u64 now_ns)
{
	struct dg_share_now now = dg_share_read(share, rules);
	bool high = now.share >= 0 && now.usual >= 0 && now.share >= rules->factor * now.usual &&
		    now.share >= now.usual + rules->points;
	bool on = share->alarm.on;

	return dg_alarm_step(&share->alarm, on ? !high : high,
			     on ? rules->clear_hold_ns : rules->hold_ns, now_ns);
}
