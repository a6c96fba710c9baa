/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zone.h - one zone in memory: a set of records, and its SOA apart.
 *
 * Records lie in one piece of memory (records.h); a table of references, hashed with a random key, finds one by owner,
 * type and data, in constant time. For a million records of an RPZ this is about 55 MB. Knows no messages and no files.
 */
#ifndef DG_TRANSFER_ZONE_H
#define DG_TRANSFER_ZONE_H

#include <stdbool.h>

#include "userspace/lib/scope.h"
#include "userspace/transfer/records.h"

struct dg_zone {
	knot_dname_storage_t apex; /* wire form, lower case */
	struct dg_records records;
	size_t dead;	    /* octets of records marked gone, until the zone is packed */
	dg_ref *table;	    /* open addressing, a power of two, at most three quarters full */
	__u32 slots, count; /* count: records in the set, the SOA not among them */
	dg_ref soa;	    /* 0 = no zone yet */
	__u64 key[4];
};

/* An empty zone whose records may take `limit` octets. */
int dg_zone_init(struct dg_zone *zone, const knot_dname_t *apex, size_t limit);
void dg_zone_clear(struct dg_zone *zone); /* frees; the zone is empty and usable again */
#define dg_scoped_zone dg_scoped(dg_zone_clear)

bool dg_zone_holds_name(const struct dg_zone *zone, const knot_dname_t *name);
/* A record that a zone file can hold: class IN, a data type, with data, at or below the apex. */
bool dg_zone_takes(const struct dg_zone *zone, const knot_rrset_t *rr);
/* 0, -EEXIST when it is there (its TTL stays), -EFBIG at the limit, -ENOMEM. *ret_ref: the record. */
int dg_zone_add(struct dg_zone *zone, const knot_rrset_t *rr, dg_ref *ret_ref);
/* 0 or -ENOENT. The record, whatever its TTL, leaves the set; *ret_ref can be given to restore. */
int dg_zone_remove(struct dg_zone *zone, const knot_rrset_t *rr, dg_ref *ret_ref);
/* Undoes dg_zone_remove. Never fails. */
void dg_zone_restore(struct dg_zone *zone, dg_ref removed);
/* Undoes dg_zone_add. Never fails. */
void dg_zone_withdraw(struct dg_zone *zone, dg_ref added);
/* Gives the zone this SOA instead of the one it has. */
int dg_zone_set_soa(struct dg_zone *zone, const knot_rrset_t *soa);
/* The SOA's serial; only with an SOA. */
__u32 dg_zone_serial(const struct dg_zone *zone);
/* The record behind `ref`, the SOA left out; 0 asks for the first. 0 = there is none. */
dg_ref dg_zone_next(const struct dg_zone *zone, dg_ref ref);
/*
 * Gives back the memory of removed records when they are more than a third. References end; on failure nothing changes.
 */
int dg_zone_pack(struct dg_zone *zone);

/* Is this a whole SOA at the apex? */
bool dg_soa_is_of(const knot_rrset_t *rr, const knot_dname_t *apex);

#endif
