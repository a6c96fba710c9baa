// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check.c - one check of the zone: the primary's serial, a transfer when it is newer, the zone file.
 *
 * Memory first, then the file: when the file cannot be written, the zone in memory is the newer one, and the next check
 * tries the file again.
 */
#include <errno.h>

#include "userspace/transfer/follow.h"
#include "userspace/transfer/serial.h"
#include "userspace/transfer/zone_file.h"

void dg_follow_reason(const struct dg_follow *follow, struct dg_error *err)
{
	struct dg_error plain = *err;

	dg_fail(err, 0, plain.status, "zone %s, primary %s: %.600s", follow->options->zone_text,
		follow->options->primary.text, plain.text);
}

static int zone_write(struct dg_follow *follow, struct dg_checked *checked, struct dg_error *err)
{
	FILE *out;
	int rc = dg_outlet_begin(&follow->outlet, &out, err);

	if (rc)
		return rc;
	rc = dg_zone_write(&follow->zone, out, follow->options->max_bytes, &checked->bytes, err);
	if (!rc)
		rc = dg_outlet_commit(&follow->outlet, err);
	dg_outlet_abandon(&follow->outlet);
	checked->written = !rc;
	follow->dirty = rc != 0;
	return rc;
}

/* Is there something to fetch? A zone that we do not have is fetched without asking for its serial. */
static int newer_find(struct dg_follow *follow, struct dg_checked *checked, bool *ret_newer,
		      struct dg_error *err)
{
	struct dg_zone *zone = &follow->zone;
	int rc;

	*ret_newer = true;
	if (!zone->soa)
		return 0;
	rc = dg_primary_serial(&follow->primary, zone->apex, &checked->primary_serial, err);
	if (!rc)
		*ret_newer = dg_serial_newer(checked->primary_serial, dg_zone_serial(zone));
	return rc;
}

static int zone_fetch(struct dg_follow *follow, struct dg_checked *checked, struct dg_error *err)
{
	int rc = dg_primary_transfer(&follow->primary, &follow->zone, &checked->change, err);

	if (rc)
		return rc;
	checked->primary_serial = checked->change.to;
	if (checked->change.kind == DG_KIND_NONE)
		return 0;
	follow->dirty = true;
	/* Only memory: without it the next removal tries again. */
	(void)dg_zone_pack(&follow->zone);
	return 0;
}

static void timers_take(const struct dg_zone *zone, struct dg_checked *checked)
{
	const knot_rdata_t *soa = dg_records_view(&zone->records, zone->soa).rrs.rdata;

	checked->refresh_s = knot_soa_refresh(soa);
	checked->retry_s = knot_soa_retry(soa);
	checked->expire_s = knot_soa_expire(soa);
}

int dg_follow_check(struct dg_follow *follow, struct dg_checked *ret, struct dg_error *err)
{
	struct dg_checked checked = { .written = false };
	bool newer;
	int rc = newer_find(follow, &checked, &newer, err);

	if (!rc && newer)
		rc = zone_fetch(follow, &checked, err);
	if (!rc && follow->dirty)
		rc = zone_write(follow, &checked, err);
	else if (!rc)
		rc = dg_outlet_touch(&follow->outlet, err);
	if (rc)
		return rc;
	checked.serial = dg_zone_serial(&follow->zone);
	checked.records = (__u64)follow->zone.count + 1;
	timers_take(&follow->zone, &checked);
	*ret = checked;
	return 0;
}
