// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image_layout.c - entries to the table that the kernel reads.
 *
 * The names and the index are let go of first: what is needed here is 24 bytes an entry, 20 for its
 * place in the image, and 5 for the order.
 */
#include "userspace/lib/image_build.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define ELEMENT_BYTES 64

/*
 * Home buckets for 7 names: 2, so 3.5 of 5 ways are used and a name costs 18.3 bytes. A bucket
 * overflows with probability 14 % then, 10 % at 3.2 names, 56 % at 5; with the filter in front few
 * queries but those for listed names come so far.
 */
#define NAMES_PER_STEP 7
#define BUCKETS_PER_STEP 2

/*
 * From here on the filter in front is a large one: the common one says maybe to 4.9 % of what is not listed then, the large
 * one to 0.5 %. Here both cost 5.2 bytes a name, 23.5 with the image; the more names, the less.
 */
#define LARGE_FROM 4000000

/* ---- counting ------------------------------------------------------------------------------- */

/* One way when one answer covers all that is covered, else one for each scope. */
static __u32 ways_of(const struct dg_entry_row *row)
{
	if (row->self == row->below)
		return row->self != 0;
	return (row->self != 0) + (row->below != 0);
}

__u64 dg_image_count(const struct dg_image_builder *builder, __u64 *ret)
{
	const struct dg_entry_row *row = dg_entry_rows(builder);
	const struct dg_answer *answers = builder->answers;
	__u64 ways = 0;

	memset(ret, 0, (DG_LISTS_MAX + 1) * sizeof(*ret));
	for (__u64 i = 0; i < builder->names; i++, row++) {
		__u32 self = answers[row->self].list, below = answers[row->below].list;

		ret[self]++;
		ret[below] += below != self;
		ways += ways_of(row);
	}
	ret[0] = 0;
	return ways;
}

/* ---- how large ------------------------------------------------------------------------------ */

static __u32 home_of(const struct dg_entry_row *row, __u32 buckets)
{
	return dg_hash_bucket(row->hash, buckets);
}

/* Ways at home in each bucket, as far as an octet counts: more than that fit nowhere anyway. */
static void homes_count(const struct dg_image_builder *b, __u32 buckets, __u8 *count)
{
	const struct dg_entry_row *rows = dg_entry_rows(b);

	for (__u64 i = 0; i < b->names; i++) {
		__u8 *home = count + home_of(rows + i, buckets);

		if (i + DG_AHEAD < b->names)
			__builtin_prefetch(count + home_of(rows + i + DG_AHEAD, buckets), 1);
		if (*home < 0xfe)
			*home += (__u8)ways_of(rows + i);
	}
}

/* Would every way lie near its home? Ways fill from front to back, as way_fill() does it. */
static bool homes_fit(const __u8 *count, __u32 buckets)
{
	__u64 next = 0; /* way, counted from the first of the first bucket */

	for (__u32 home = 0; home < buckets; home++) {
		__u64 first = (__u64)home * DG_IMAGE_WAYS;

		next = (next < first ? first : next) + count[home];
		if (next > first + (1 + DG_IMAGE_SPILL_MAX) * DG_IMAGE_WAYS)
			return false;
	}
	return true;
}

/*
 * The home buckets that this many ways need: one cluster among millions of names is enough to need a
 * few more. 0: no memory; DG_ENTRIES_MAX: no number would do.
 */
static __u32 buckets_choose(const struct dg_image_builder *b, __u64 ways)
{
	dg_scoped(dg_pages_free) struct dg_pages count = { 0 };
	__u64 buckets = ways * BUCKETS_PER_STEP / NAMES_PER_STEP + 1;
	__u64 most = 64 * buckets + 4096;

	for (; buckets < most && buckets < DG_ENTRIES_MAX; buckets += buckets / 64 + 1) {
		dg_pages_free(&count);
		if (dg_pages_grow(&count, buckets))
			return 0;
		homes_count(b, (__u32)buckets, count.at);
		if (homes_fit(count.at, (__u32)buckets))
			return (__u32)buckets;
	}
	return DG_ENTRIES_MAX;
}

bool dg_image_is_large(__u64 names)
{
	return names >= LARGE_FROM;
}

__u64 dg_image_bytes(const struct dg_image_builder *builder)
{
	__u64 names[DG_LISTS_MAX + 1];
	__u64 ways = dg_image_count(builder, names);
	__u64 buckets = buckets_choose(builder, ways);
	__u64 filter = dg_image_is_large(ways) * sizeof(struct dg_list_large);

	return (1 + builder->answer_count + buckets + DG_IMAGE_SPILL_MAX) * ELEMENT_BYTES + filter;
}

/* ---- order ---------------------------------------------------------------------------------- */

/* Where each bucket's entries start in the order: a counting sort's first half. */
static void starts_fill(const struct dg_image_builder *b, __u32 buckets, __u32 *start)
{
	const struct dg_entry_row *rows = dg_entry_rows(b);

	for (__u64 i = 0; i < b->names; i++) {
		if (i + DG_AHEAD < b->names)
			__builtin_prefetch(start + home_of(rows + i + DG_AHEAD, buckets) + 1, 1);
		start[home_of(rows + i, buckets) + 1]++;
	}
	for (__u32 i = 0; i < buckets; i++)
		start[i + 1] += start[i];
}

static void order_fill(const struct dg_image_builder *b, __u32 buckets, __u32 *start, __u32 *order)
{
	const struct dg_entry_row *rows = dg_entry_rows(b);

	for (__u64 i = 0; i < b->names; i++) {
		if (i + 2 * DG_AHEAD < b->names)
			__builtin_prefetch(start + home_of(rows + i + 2 * DG_AHEAD, buckets), 1);
		if (i + DG_AHEAD < b->names)
			__builtin_prefetch(order + start[home_of(rows + i + DG_AHEAD, buckets)], 1);
		order[start[home_of(rows + i, buckets)]++] = (__u32)i;
	}
}

/* Entry numbers in the order of their home buckets. *ret is the caller's to free. */
static int order_make(const struct dg_image_builder *b, __u32 buckets, struct dg_pages *ret)
{
	dg_scoped(dg_pages_free) struct dg_pages start = { 0 };

	if (dg_pages_grow(&start, ((size_t)buckets + 1) * sizeof(__u32)) ||
	    dg_pages_grow(ret, (b->names + 1) * sizeof(__u32)))
		return -ENOMEM;
	starts_fill(b, buckets, start.at);
	order_fill(b, buckets, start.at, ret->at);
	return 0;
}

/* ---- ways ----------------------------------------------------------------------------------- */

/* Where the next way goes. Names come by home bucket, so ways fill from front to back. */
struct cursor {
	struct dg_image_bucket *table;
	__u32 at, way;
	__u64 used;
	__u64 depths[2];
};

/* The first free way at or behind its home bucket. -EXFULL: it would lie too far from home. */
static int way_fill(struct cursor *cursor, __u32 home, struct dg_hash hash, __u32 covered)
{
	struct dg_image_bucket *table = cursor->table;

	if (cursor->way == DG_IMAGE_WAYS || cursor->at < home) {
		cursor->at = cursor->at < home ? home : cursor->at + 1;
		cursor->way = 0;
	}
	if (cursor->at - home > DG_IMAGE_SPILL_MAX)
		return -EXFULL;
	if (table[home].spill < cursor->at - home)
		table[home].spill = cursor->at - home;
	table[cursor->at].fp[cursor->way] = dg_hash_fp(hash);
	table[cursor->at].meta[cursor->way++] = dg_hash_tag(hash) << 16 | covered;
	cursor->used++;
	return 0;
}

static __u32 covered(enum dg_scope scope, __u32 answer)
{
	return (__u32)scope << DG_IMAGE_SCOPE_SHIFT | answer;
}

static int entry_fill(struct cursor *cursor, const struct dg_entry_row *row, __u32 buckets)
{
	__u32 home = home_of(row, buckets);
	int rc = 0;

	if (!row->self && !row->below)
		return 0;
	cursor->depths[(row->labels - 1) / 64] |= 1ull << (row->labels - 1) % 64;
	if (row->self == row->below)
		return way_fill(cursor, home, row->hash, covered(DG_SCOPE_SUFFIX, row->self));
	if (row->self)
		rc = way_fill(cursor, home, row->hash, covered(DG_SCOPE_SELF, row->self));
	if (!rc && row->below)
		rc = way_fill(cursor, home, row->hash, covered(DG_SCOPE_BELOW, row->below));
	return rc;
}

static int ways_fill(const struct dg_image_builder *b, const __u32 *order, __u32 buckets,
		     struct cursor *cursor)
{
	const struct dg_entry_row *rows = dg_entry_rows(b);
	int rc = 0;

	for (__u64 i = 0; !rc && i < b->names; i++) {
		if (i + DG_AHEAD < b->names)
			__builtin_prefetch(rows + order[i + DG_AHEAD]);
		rc = entry_fill(cursor, rows + order[i], buckets);
	}
	return rc;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static __u64 unix_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (__u64)now.tv_sec * 1000000000ull + (__u64)now.tv_nsec;
}

static void header_fill(const struct dg_image_builder *b, __u32 buckets,
			const struct cursor *cursor, struct dg_image_header *header)
{
	*header = (struct dg_image_header){
		.magic = DG_IMAGE_MAGIC,
		.names = cursor->used,
		.generation = unix_ns(),
		.key_check = dg_hash_key_check(b->key),
		.depths = { cursor->depths[0], cursor->depths[1] },
		.buckets = buckets,
		.first = 1 + b->answer_count,
		.lists = (__u16)b->lists,
		.answers = (__u16)b->answer_count,
		.abi_version = DG_ABI_VERSION,
	};
}

/* With this many home buckets, in which the ways are known to fit. */
static int lay_out(struct dg_image_builder *b, __u32 buckets, __u64 *ret_count)
{
	__u64 first = 1 + b->answer_count, count = first + buckets + DG_IMAGE_SPILL_MAX;
	dg_scoped(dg_pages_free) struct dg_pages order = { 0 };
	dg_scoped(dg_pages_free) struct dg_pages elements = { 0 };
	struct cursor cursor = { 0 };
	int rc;

	if (dg_pages_grow(&elements, count * ELEMENT_BYTES))
		return -ENOMEM;
	cursor.table = (struct dg_image_bucket *)elements.at + first;
	rc = order_make(b, buckets, &order);
	if (!rc)
		rc = ways_fill(b, order.at, buckets, &cursor);
	if (rc)
		return rc;
	header_fill(b, buckets, &cursor, elements.at);
	memcpy((char *)elements.at + ELEMENT_BYTES, b->answers + 1,
	       b->answer_count * sizeof(b->answers[0]));
	dg_pages_free(&b->elements);
	b->elements = elements;
	elements = (struct dg_pages){ 0 };
	*ret_count = count;
	return 0;
}

/* Names and index are worth 30 to 50 bytes an entry: they go before the table comes. */
static __u64 prepare(struct dg_image_builder *b)
{
	__u64 names[DG_LISTS_MAX + 1];
	__u64 ways = dg_image_count(b, names);

	for (__u32 list = 1; list <= b->lists; list++)
		b->answers[list].names =
			names[list] > 0xffffffffu ? 0xffffffffu : (__u32)names[list];
	dg_pages_free(&b->wires);
	dg_pages_free(&b->index);
	b->finished = true;
	return ways;
}

int dg_image_finish(struct dg_image_builder *builder, const void **ret_elements, __u64 *ret_count,
		    struct dg_error *err)
{
	__u64 ways = prepare(builder);
	__u32 buckets = buckets_choose(builder, ways);
	int rc = buckets == DG_ENTRIES_MAX ? -EXFULL : buckets ? 0 : -ENOMEM;

	if (!rc)
		rc = lay_out(builder, buckets, ret_count);
	if (rc == -EXFULL)
		return dg_fail(err, rc, DG_EXIT_FAILED,
			       "image of %llu names: some share one hash too often",
			       (unsigned long long)ways);
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED,
			       "image of %llu names: not enough memory to lay it out",
			       (unsigned long long)ways);
	*ret_elements = builder->elements.at;
	return 0;
}
