/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * records.h - resource records one behind the other in one growing piece of memory.
 *
 * A record costs its owner and data, ten octets, and padding to four. Records are named by references that stay good
 * when the memory moves. Knows nothing of zones: zone.h keeps the set, intake.h the differences.
 */
#ifndef DG_TRANSFER_RECORDS_H
#define DG_TRANSFER_RECORDS_H

#include <libknot/rrset.h>
#include <linux/types.h>

/* What a record is marked as; its meaning is the owner's. */
enum dg_mark { DG_MARK_PLAIN, DG_MARK_GONE, DG_MARK_ADD, DG_MARK_DELETE };

/* Position in units of four octets, plus one; 0 = none. Reaches 16 GiB. */
typedef __u32 dg_ref;

struct dg_records {
	__u8 *bytes;
	size_t used, allocated;
	size_t limit; /* octets that `used` may reach */
};

/*
 * Appends a copy of the first record of a set, owner in lower case. 0, -EFBIG at the limit, or
 * -ENOMEM; *ret_ref is untouched on failure.
 */
int dg_records_put(struct dg_records *records, const knot_rrset_t *rr, enum dg_mark mark,
		   dg_ref *ret_ref);
/*
 * The record as libknot sees one. It points into the memory: good until the next put.
 */
knot_rrset_t dg_records_view(const struct dg_records *records, dg_ref ref);
/* The record behind `ref` in order of arrival; 0 asks for the first. 0 = there is none. */
dg_ref dg_records_next(const struct dg_records *records, dg_ref ref);
enum dg_mark dg_records_mark(const struct dg_records *records, dg_ref ref);
void dg_records_set_mark(struct dg_records *records, dg_ref ref, enum dg_mark mark);
/* Octets that the record takes. */
size_t dg_records_size(const struct dg_records *records, dg_ref ref);
void dg_records_clear(struct dg_records *records); /* keeps the limit; NULL-safe parts */

#endif
