/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * follow.h - the zone we have and the primary it comes from: one check, or checks for ever.
 *
 * Stands above primary.h, zone_file.h and outlet.h and joins them; says what happened to whoever reads the events.
 */
#ifndef DG_TRANSFER_FOLLOW_H
#define DG_TRANSFER_FOLLOW_H

#include "userspace/transfer/options.h"
#include "userspace/transfer/outlet.h"
#include "userspace/transfer/primary.h"

struct dg_follow {
	const struct dg_options *options;
	struct dg_loop loop;
	struct dg_primary primary;
	struct dg_zone zone;
	struct dg_outlet outlet;
	bool dirty;   /* the zone is newer than what was written */
	__u64 age_ns; /* of the zone that was loaded: since it was last found good */
};

/* What one check came to. */
struct dg_checked {
	bool written;
	struct dg_change change;
	__u32 serial, primary_serial;
	__u64 records;			    /* the SOA among them */
	__u32 refresh_s, retry_s, expire_s; /* the SOA's timers, as it says them */
	size_t bytes;			    /* of text, when written */
};

/*
 * One check: the primary's serial, a transfer when it is newer, the zone file. On failure what was written
 * before stays. The sentence does not name zone and primary: dg_follow_reason does.
 */
int dg_follow_check(struct dg_follow *follow, struct dg_checked *ret, struct dg_error *err);
/* "zone Z, primary P: " before the sentence. */
void dg_follow_reason(const struct dg_follow *follow, struct dg_error *err);

/* Until asked to stop; 0. Follows the SOA's timers (RFC 1035 section 3.3.13) and NOTIFY. */
int dg_follow_run(struct dg_follow *follow);

/* ---- events: a line of JSON on standard output each ------------------------------------------ */

void dg_event_loaded(const struct dg_follow *follow);
void dg_event_checked(const struct dg_follow *follow, const struct dg_checked *checked);
void dg_event_expired(const struct dg_follow *follow);
void dg_event_failed(const struct dg_follow *follow, const char *reason, __u64 retry_ns);

#endif
