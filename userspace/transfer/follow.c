// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * follow.c - the life of a secondary: when to check, when to try again, when the zone is too old.
 *
 * RFC 1035 section 3.3.13 and RFC 1034 section 4.3.5 for the timers, RFC 1996 for NOTIFY.
 */
#include "userspace/transfer/follow.h"

#include <errno.h>
#include <libknot/libknot.h>
#include <sys/random.h>

#include "userspace/transfer/clock.h"
#include "userspace/transfer/listener.h"

/* Two checks are this far apart, however many NOTIFYs come. */
#define GAP_NS DG_NS_PER_S
/* As long as there is no zone, there is no SOA to say how often to try. */
#define FIRST_RETRY_NS (2 * DG_NS_PER_S)
#define FIRST_RETRY_MAX_NS (600 * DG_NS_PER_S)

struct schedule {
	__u64 next_ns;	  /* of the next check */
	__u64 expire_ns;  /* when the zone is too old */
	__u64 started_ns; /* of the last check */
	unsigned int failures;
	bool expired;
};

static __u64 sooner(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static __u64 later(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

/* Up to a tenth less: secondaries that were started together shall not ask together. */
static __u64 jittered(__u64 ns)
{
	__u64 random = 0;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return ns - random % (ns / 10 + 1);
}

/* An SOA timer; a zone that says 0 does not make us ask without end. */
static __u64 timer_ns(__u32 seconds)
{
	return (seconds ? seconds : 1) * DG_NS_PER_S;
}

static const knot_rdata_t *soa_of(const struct dg_follow *follow)
{
	return dg_records_view(&follow->zone.records, follow->zone.soa).rrs.rdata;
}

/* Found good at the primary `age_ns` ago. */
static void schedule_good(const struct dg_follow *follow, struct schedule *schedule, __u64 age_ns)
{
	__u64 now = dg_clock_ns();
	__u64 expire = timer_ns(knot_soa_expire(soa_of(follow)));

	schedule->failures = 0;
	schedule->expired = false;
	schedule->next_ns = now + jittered(timer_ns(knot_soa_refresh(soa_of(follow))));
	schedule->expire_ns = now + (expire > age_ns ? expire - age_ns : 0);
}

/* The wait doubles, from the SOA's retry up to its refresh. */
static __u64 retry_ns(const struct dg_follow *follow, unsigned int failures)
{
	__u64 first = FIRST_RETRY_NS, most = FIRST_RETRY_MAX_NS;

	if (follow->zone.soa) {
		first = timer_ns(knot_soa_retry(soa_of(follow)));
		most = later(first, timer_ns(knot_soa_refresh(soa_of(follow))));
	}
	while (failures-- > 1 && first < most)
		first *= 2;
	return jittered(sooner(first, most));
}

static void check_failed(struct dg_follow *follow, struct schedule *schedule, struct dg_error *err)
{
	__u64 wait = retry_ns(follow, ++schedule->failures);

	schedule->next_ns = dg_clock_ns() + wait;
	dg_follow_reason(follow, err);
	dg_event_failed(follow, err->text, wait);
}

static int check(struct dg_follow *follow, struct schedule *schedule)
{
	struct dg_error err;
	struct dg_checked checked;
	int rc;

	schedule->started_ns = dg_clock_ns();
	rc = dg_follow_check(follow, &checked, &err);
	if (rc == -EINTR)
		return rc;
	if (rc) {
		check_failed(follow, schedule, &err);
		return 0;
	}
	/* An expired zone that is good again is news, also with its old serial. */
	checked.written |= schedule->expired;
	schedule_good(follow, schedule, 0);
	dg_event_checked(follow, &checked);
	return 0;
}

static void expire(struct dg_follow *follow, struct schedule *schedule)
{
	if (!follow->zone.soa || schedule->expired || dg_clock_ns() < schedule->expire_ns)
		return;
	schedule->expired = true;
	dg_event_expired(follow);
}

/* The next moment at which there is something to do. */
static __u64 wake_ns(const struct dg_follow *follow, const struct schedule *schedule)
{
	if (!follow->zone.soa || schedule->expired)
		return schedule->next_ns;
	return sooner(schedule->next_ns, schedule->expire_ns);
}

int dg_follow_run(struct dg_follow *follow)
{
	struct schedule schedule = { .next_ns = dg_clock_ns() };
	int rc = 0;

	if (follow->zone.soa) {
		schedule_good(follow, &schedule, follow->age_ns);
		schedule.next_ns = dg_clock_ns();
	}
	while (rc != -EINTR) {
		expire(follow, &schedule);
		if (dg_loop_check_wanted(&follow->loop))
			schedule.next_ns = sooner(schedule.next_ns, schedule.started_ns + GAP_NS);
		if (dg_clock_ns() >= schedule.next_ns)
			rc = check(follow, &schedule);
		else
			rc = dg_loop_wait(&follow->loop, -1, 0, wake_ns(follow, &schedule));
	}
	return 0;
}
