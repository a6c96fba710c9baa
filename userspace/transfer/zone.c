// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * zone.c - one zone in memory: a set of records, and its SOA apart.
 *
 * Two records are the same when owner, type and data are; TTLs do not tell records apart (RFC 2181
 * section 5), and names in data are in canonical form before they come here.
 */
#include "userspace/transfer/zone.h"

#include <errno.h>
#include <libknot/libknot.h>
#include <string.h>
#include <sys/random.h>

#include "bpf/hash.h"

#define SLOTS_MIN 1024u

/* ---- the table ------------------------------------------------------------------------------ */

static void hash_octets(struct dg_hash *hash, const __u64 key[4], const __u8 *octets, size_t len)
{
	__u64 word;

	for (; len >= sizeof(word); octets += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, octets, sizeof(word));
		dg_hash_word(hash, key, word);
	}
	word = 0;
	if (len)
		memcpy(&word, octets, len);
	dg_hash_word(hash, key, word);
}

/* The owner is in lower case. */
static __u32 hash_of(const struct dg_zone *zone, const knot_rrset_t *rr)
{
	const knot_rdata_t *rdata = rr->rrs.rdata;
	struct dg_hash hash = dg_hash_start(zone->key);

	dg_hash_word(&hash, zone->key, (__u64)rr->type << 16 | rdata->len);
	hash_octets(&hash, zone->key, rr->owner, knot_dname_size(rr->owner));
	hash_octets(&hash, zone->key, rdata->data, rdata->len);
	return (__u32)(hash.a >> 32 ^ hash.b);
}

static bool same_record(const knot_rrset_t *a, const knot_rrset_t *b)
{
	return a->type == b->type && !knot_rdata_cmp(a->rrs.rdata, b->rrs.rdata) &&
	       knot_dname_is_equal(a->owner, b->owner);
}

/* The slot of the record, or the free one where it would go. */
static __u32 slot_find(const struct dg_zone *zone, const knot_rrset_t *rr)
{
	__u32 slot = hash_of(zone, rr) & (zone->slots - 1);

	for (; zone->table[slot]; slot = (slot + 1) & (zone->slots - 1)) {
		knot_rrset_t there = dg_records_view(&zone->records, zone->table[slot]);

		if (same_record(&there, rr))
			break;
	}
	return slot;
}

static __u32 slot_home(const struct dg_zone *zone, __u32 slot)
{
	knot_rrset_t rr = dg_records_view(&zone->records, zone->table[slot]);

	return hash_of(zone, &rr) & (zone->slots - 1);
}

/*
 * Empties a slot and moves up what probing would no longer reach behind it: no tombstones, so a table
 * under endless changes stays as fast as a fresh one.
 */
static void slot_empty(struct dg_zone *zone, __u32 hole)
{
	__u32 mask = zone->slots - 1, slot = hole;

	while (zone->table[slot = (slot + 1) & mask]) {
		__u32 home = slot_home(zone, slot);

		if (((slot - home) & mask) >= ((slot - hole) & mask)) {
			zone->table[hole] = zone->table[slot];
			hole = slot;
		}
	}
	zone->table[hole] = 0;
	zone->count--;
}

static void slot_fill(struct dg_zone *zone, __u32 slot, dg_ref ref)
{
	zone->table[slot] = ref;
	zone->count++;
}

/* A table twice as large, or the first. */
static int table_grow(struct dg_zone *zone)
{
	__u32 slots = zone->slots ? 2 * zone->slots : SLOTS_MIN;
	dg_ref *old = zone->table, *table;
	__u32 old_slots = zone->slots;

	if (!slots)
		return -EFBIG;
	table = calloc(slots, sizeof(*table));
	if (!table)
		return -ENOMEM;
	zone->table = table;
	zone->slots = slots;
	for (__u32 i = 0; i < old_slots; i++) {
		if (old[i]) {
			knot_rrset_t rr = dg_records_view(&zone->records, old[i]);

			table[slot_find(zone, &rr)] = old[i];
		}
	}
	free(old);
	return 0;
}

static int table_make_room(struct dg_zone *zone)
{
	return zone->count < zone->slots / 4 * 3 ? 0 : table_grow(zone);
}

/* ---- life ----------------------------------------------------------------------------------- */

int dg_zone_init(struct dg_zone *zone, const knot_dname_t *apex, size_t limit)
{
	*zone = (struct dg_zone){ .records.limit = limit };
	knot_dname_copy_lower(zone->apex, apex);
	/* Nobody outside may choose records that share a slot. */
	if (getrandom(zone->key, sizeof(zone->key), 0) != sizeof(zone->key))
		return -EIO;
	return table_grow(zone);
}

void dg_zone_clear(struct dg_zone *zone)
{
	dg_records_clear(&zone->records);
	free(zone->table);
	zone->table = NULL;
	zone->slots = zone->count = 0;
	zone->dead = 0;
	zone->soa = 0;
}

int dg_zone_pack(struct dg_zone *zone)
{
	struct dg_zone packed;
	knot_rrset_t rr;
	dg_ref ref, unused;
	int rc;

	if (zone->dead <= zone->records.used / 3)
		return 0;
	rc = dg_zone_init(&packed, zone->apex, zone->records.limit);
	if (!rc && zone->soa) {
		rr = dg_records_view(&zone->records, zone->soa);
		rc = dg_zone_set_soa(&packed, &rr);
	}
	for (ref = 0; !rc && (ref = dg_zone_next(zone, ref));) {
		rr = dg_records_view(&zone->records, ref);
		rc = dg_zone_add(&packed, &rr, &unused);
	}
	dg_zone_clear(rc ? &packed : zone);
	if (!rc)
		*zone = packed;
	return rc;
}

/* ---- the set -------------------------------------------------------------------------------- */

bool dg_zone_holds_name(const struct dg_zone *zone, const knot_dname_t *name)
{
	return knot_dname_in_bailiwick(name, zone->apex) >= 0;
}

bool dg_zone_takes(const struct dg_zone *zone, const knot_rrset_t *rr)
{
	/* RFC 6895 section 3.1: 128 to 255 are questions and metadata, as are 0 and OPT. */
	bool meta =
		!rr->type || rr->type == KNOT_RRTYPE_OPT || (rr->type >= 128 && rr->type <= 255);

	return !meta && rr->rclass == KNOT_CLASS_IN && rr->rrs.count == 1 &&
	       rr->rrs.rdata->len > 0 && dg_zone_holds_name(zone, rr->owner);
}

/* The same record with its owner in lower case, in the storage given. */
static knot_rrset_t lowered(const knot_rrset_t *rr, knot_dname_storage_t owner)
{
	knot_rrset_t lower = *rr;

	knot_dname_copy_lower(owner, rr->owner);
	lower.owner = owner;
	return lower;
}

int dg_zone_add(struct dg_zone *zone, const knot_rrset_t *rr, dg_ref *ret_ref)
{
	knot_dname_storage_t owner;
	knot_rrset_t lower = lowered(rr, owner);
	int rc = table_make_room(zone);
	__u32 slot;

	if (rc)
		return rc;
	slot = slot_find(zone, &lower);
	if (zone->table[slot])
		return -EEXIST;
	rc = dg_records_put(&zone->records, &lower, DG_MARK_PLAIN, ret_ref);
	if (!rc)
		slot_fill(zone, slot, *ret_ref);
	return rc;
}

static void mark_gone(struct dg_zone *zone, dg_ref ref)
{
	dg_records_set_mark(&zone->records, ref, DG_MARK_GONE);
	zone->dead += dg_records_size(&zone->records, ref);
}

int dg_zone_remove(struct dg_zone *zone, const knot_rrset_t *rr, dg_ref *ret_ref)
{
	knot_dname_storage_t owner;
	knot_rrset_t lower = lowered(rr, owner);
	__u32 slot = slot_find(zone, &lower);
	dg_ref ref = zone->table[slot];

	if (!ref)
		return -ENOENT;
	slot_empty(zone, slot);
	mark_gone(zone, ref);
	*ret_ref = ref;
	return 0;
}

void dg_zone_restore(struct dg_zone *zone, dg_ref removed)
{
	knot_rrset_t rr = dg_records_view(&zone->records, removed);

	/* The table was large enough when the record was in it, and never shrinks. */
	slot_fill(zone, slot_find(zone, &rr), removed);
	dg_records_set_mark(&zone->records, removed, DG_MARK_PLAIN);
	zone->dead -= dg_records_size(&zone->records, removed);
}

void dg_zone_withdraw(struct dg_zone *zone, dg_ref added)
{
	knot_rrset_t rr = dg_records_view(&zone->records, added);

	slot_empty(zone, slot_find(zone, &rr));
	mark_gone(zone, added);
}

int dg_zone_set_soa(struct dg_zone *zone, const knot_rrset_t *soa)
{
	dg_ref ref;
	int rc = dg_records_put(&zone->records, soa, DG_MARK_PLAIN, &ref);

	if (rc)
		return rc;
	if (zone->soa)
		mark_gone(zone, zone->soa);
	zone->soa = ref;
	return 0;
}

__u32 dg_zone_serial(const struct dg_zone *zone)
{
	return knot_soa_serial(dg_records_view(&zone->records, zone->soa).rrs.rdata);
}

dg_ref dg_zone_next(const struct dg_zone *zone, dg_ref ref)
{
	do
		ref = dg_records_next(&zone->records, ref);
	while (ref && (ref == zone->soa || dg_records_mark(&zone->records, ref) == DG_MARK_GONE));
	return ref;
}

bool dg_soa_is_of(const knot_rrset_t *rr, const knot_dname_t *apex)
{
	const knot_rdata_t *rdata = rr->rrs.rdata;

	/* The names in data were checked by whoever parsed it: the wire or the file. */
	return rr->type == KNOT_RRTYPE_SOA && rr->rclass == KNOT_CLASS_IN && rr->rrs.count == 1 &&
	       rdata->len >= 22 && rdata->len == knot_soa_names_len(rdata) + 20 &&
	       knot_dname_is_case_equal(rr->owner, apex);
}
