// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * records.c - resource records one behind the other in one growing piece of memory.
 *
 * Copies in, gives views out; never looks into the data of a record.
 */
#include "userspace/transfer/records.h"

#include <errno.h>
#include <libknot/dname.h>
#include <stdlib.h>
#include <string.h>

#define UNIT sizeof(__u32)

/*
 * `data` is laid out as libknot's knot_rdata_t (length, then octets), so a view needs no copy. The
 * owner follows it, in wire form.
 */
struct record {
	__u32 ttl;
	__u16 type;
	__u8 mark;
	__u8 owner_len;
	__u16 data_len;
	__u8 data[];
};
_Static_assert(offsetof(struct record, data) - offsetof(struct record, data_len) ==
		       offsetof(knot_rdata_t, data),
	       "a record's data is a knot_rdata_t");
_Static_assert(KNOT_DNAME_MAXLEN <= 255, "an owner's length fits its octet");

static struct record *record_at(const struct dg_records *records, dg_ref ref)
{
	return (struct record *)(records->bytes + (size_t)(ref - 1) * UNIT);
}

static size_t record_size(size_t owner_len, size_t data_len)
{
	size_t size = offsetof(struct record, data) + data_len + owner_len;

	return (size + UNIT - 1) / UNIT * UNIT;
}

static int room_make(struct dg_records *records, size_t size)
{
	size_t wanted = records->used + size, allocated = records->allocated;
	__u8 *bytes;

	if (wanted > records->limit || wanted / UNIT >= UINT32_MAX)
		return -EFBIG;
	if (wanted <= allocated)
		return 0;
	allocated = allocated ? allocated + allocated / 2 : 1 << 16;
	if (allocated < wanted)
		allocated = wanted;
	bytes = realloc(records->bytes, allocated);
	if (!bytes)
		return -ENOMEM;
	records->bytes = bytes;
	records->allocated = allocated;
	return 0;
}

int dg_records_put(struct dg_records *records, const knot_rrset_t *rr, enum dg_mark mark,
		   dg_ref *ret_ref)
{
	size_t owner_len = knot_dname_size(rr->owner);
	const knot_rdata_t *rdata = rr->rrs.rdata;
	size_t size = record_size(owner_len, rdata->len);
	int rc = room_make(records, size);
	struct record *record;
	dg_ref ref = (dg_ref)(records->used / UNIT) + 1;

	if (rc)
		return rc;
	record = record_at(records, ref);
	*record = (struct record){ rr->ttl, rr->type, (__u8)mark, (__u8)owner_len, rdata->len };
	memcpy(record->data, rdata->data, rdata->len);
	knot_dname_copy_lower(record->data + rdata->len, rr->owner);
	records->used += size;
	*ret_ref = ref;
	return 0;
}

knot_rrset_t dg_records_view(const struct dg_records *records, dg_ref ref)
{
	struct record *record = record_at(records, ref);
	knot_rrset_t rr;

	knot_rrset_init(&rr, record->data + record->data_len, record->type, KNOT_CLASS_IN,
			record->ttl);
	rr.rrs.count = 1;
	rr.rrs.size = (__u32)knot_rdata_size(record->data_len);
	rr.rrs.rdata = (knot_rdata_t *)&record->data_len;
	return rr;
}

size_t dg_records_size(const struct dg_records *records, dg_ref ref)
{
	const struct record *record = record_at(records, ref);

	return record_size(record->owner_len, record->data_len);
}

dg_ref dg_records_next(const struct dg_records *records, dg_ref ref)
{
	dg_ref next = ref ? ref + (dg_ref)(dg_records_size(records, ref) / UNIT) : 1;

	return (size_t)(next - 1) * UNIT < records->used ? next : 0;
}

enum dg_mark dg_records_mark(const struct dg_records *records, dg_ref ref)
{
	return record_at(records, ref)->mark;
}

void dg_records_set_mark(struct dg_records *records, dg_ref ref, enum dg_mark mark)
{
	record_at(records, ref)->mark = (__u8)mark;
}

void dg_records_clear(struct dg_records *records)
{
	free(records->bytes);
	*records = (struct dg_records){ .limit = records->limit };
}
