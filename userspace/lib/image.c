// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image.c - builds the image of all lists: pure memory work, without privileges and without the
 * kernel.
 *
 * Names are not kept, only their hashes: 24 bytes a name and 6 for the index that finds repeats,
 * then 20 for the image and 5 for the order while it is laid out; about 56 bytes a name at the end.
 */
#include "userspace/lib/image.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define ELEMENT_BYTES 64

/*
 * Home buckets for 16 names: 5, so 3.2 of 5 ways are used and a name costs 20 bytes. Fuller saves
 * little memory and makes every lookup of a name that is not listed, the usual one, touch more
 * cache lines: a bucket overflows with probability 10 % at 3.2 names, 18 % at 3.75, 56 % at 5.
 */
#define NAMES_PER_STEP 16
#define BUCKETS_PER_STEP 5

/* Entries are numbered in 32 bits, in the index as number + 1. */
#define NAMES_MAX 0xfffffff0u

struct entry {
	struct dg_hash hash;
	__u32 list;
	__u32 labels;
};

struct dg_image_builder {
	__u64 key[4];
	struct dg_answer lists[DG_LISTS_MAX + 1]; /* row 0 unused */
	__u32 list_count;
	struct entry *entries;
	__u64 names, room;
	__u32 *index; /* open addressing; 0 = free, else entry number + 1 */
	__u64 index_mask;
	__u64 depths[2];
	void *elements; /* after dg_image_finish() */
};

/* ---- collecting ----------------------------------------------------------------------------- */

/* A slot count that leaves a quarter of the index free for `names`; a power of two. */
static __u64 index_slots(__u64 names)
{
	__u64 slots = 1024;

	while (slots / 4 * 3 < names)
		slots *= 2;
	return slots;
}

/* The slot that holds this hash, or the free one where it belongs. */
static __u32 *index_find(const struct dg_image_builder *b, struct dg_hash hash)
{
	__u64 slot = dg_hash_fp(hash) & b->index_mask;

	for (;; slot = (slot + 1) & b->index_mask) {
		__u32 number = b->index[slot];
		const struct entry *entry = b->entries + number - 1;

		if (!number || (entry->hash.a == hash.a && entry->hash.b == hash.b))
			return b->index + slot;
	}
}

static int index_grow(struct dg_image_builder *b, __u64 names)
{
	__u64 slots = index_slots(names);
	__u32 *index;

	if (b->index && slots <= b->index_mask + 1)
		return 0;
	index = calloc(slots, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(b->index);
	b->index = index;
	b->index_mask = slots - 1;
	for (__u64 i = 0; i < b->names; i++)
		*index_find(b, b->entries[i].hash) = (__u32)i + 1;
	return 0;
}

static int entries_grow(struct dg_image_builder *b, __u64 names)
{
	__u64 room = b->room + b->room / 2 + 1024;
	struct entry *entries;

	if (names <= b->room)
		return 0;
	if (room < names)
		room = names;
	entries = realloc(b->entries, room * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	b->entries = entries;
	b->room = room;
	return 0;
}

static int room_make(struct dg_image_builder *b, __u64 names)
{
	int rc = entries_grow(b, names);

	return rc ? rc : index_grow(b, names);
}

struct dg_image_builder *dg_image_builder_new(const __u64 key[4], __u64 names_hint)
{
	struct dg_image_builder *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	memcpy(b->key, key, sizeof(b->key));
	if (names_hint > NAMES_MAX || room_make(b, names_hint ? names_hint : 1))
		dg_image_builder_free(&b);
	return b;
}

void dg_image_builder_free(struct dg_image_builder **builder)
{
	struct dg_image_builder *b = *builder;

	*builder = NULL;
	if (!b)
		return;
	free(b->entries);
	free(b->index);
	free(b->elements);
	free(b);
}

int dg_image_add_list(struct dg_image_builder *builder, const struct dg_answer *answer)
{
	struct dg_answer *list;

	if (builder->list_count >= DG_LISTS_MAX)
		return -ENOSPC;
	list = &builder->lists[++builder->list_count];
	*list = *answer;
	list->list = builder->list_count;
	list->pad = 0;
	return (int)list->list;
}

int dg_image_add_name(struct dg_image_builder *builder, const struct dg_name *name, __u32 list)
{
	struct dg_hash hash = dg_name_hash(name, builder->key);
	__u32 *slot = index_find(builder, hash);
	int rc;

	if (!name->labels || !list || list > builder->list_count)
		return -EINVAL;
	if (*slot)
		return 0;
	if (builder->names >= NAMES_MAX)
		return -ENOSPC;
	rc = room_make(builder, builder->names + 1);
	if (rc)
		return rc;
	builder->entries[builder->names] = (struct entry){ hash, list, name->labels };
	*index_find(builder, hash) = (__u32)++builder->names;
	builder->depths[(name->labels - 1) / 64] |= 1ull << ((name->labels - 1) % 64);
	return 1;
}

int dg_image_has_name(const struct dg_image_builder *builder, const struct dg_name *name,
		      __u32 *ret_list)
{
	__u32 number = *index_find(builder, dg_name_hash(name, builder->key));

	if (number && ret_list)
		*ret_list = builder->entries[number - 1].list;
	return number != 0;
}

/* ---- laying out ----------------------------------------------------------------------------- */

/*
 * Entry numbers in the order of their home buckets: a counting sort. *ret is the caller's to free.
 */
static int order_make(const struct dg_image_builder *b, __u32 buckets, __u32 **ret)
{
	__u32 *order = malloc((b->names ? b->names : 1) * sizeof(*order));
	dg_scoped_free __u32 *start = calloc((size_t)buckets + 1, sizeof(*start));

	if (!order || !start) {
		free(order);
		return -ENOMEM;
	}
	for (__u64 i = 0; i < b->names; i++)
		start[dg_hash_bucket(b->entries[i].hash, buckets) + 1]++;
	for (__u32 i = 0; i < buckets; i++)
		start[i + 1] += start[i];
	for (__u64 i = 0; i < b->names; i++)
		order[start[dg_hash_bucket(b->entries[i].hash, buckets)]++] = (__u32)i;
	*ret = order;
	return 0;
}

static void way_fill(struct dg_image_bucket *bucket, __u32 way, const struct entry *entry)
{
	bucket->fp[way] = dg_hash_fp(entry->hash);
	bucket->meta[way] = dg_hash_tag(entry->hash) << 16 | entry->list;
}

/*
 * Puts every name into the first free way at or behind its home bucket. Names come by home bucket,
 * so ways fill from front to back and one cursor finds the free one. -EXFULL: a name would lie too
 * far from home.
 */
static int ways_fill(const struct dg_image_builder *b, const __u32 *order, __u32 buckets,
		     struct dg_image_bucket *table)
{
	__u32 at = 0, way = 0;

	for (__u64 i = 0; i < b->names; i++) {
		const struct entry *entry = b->entries + order[i];
		__u32 home = dg_hash_bucket(entry->hash, buckets);

		if (way == DG_IMAGE_WAYS || at < home) {
			at = at < home ? home : at + 1;
			way = 0;
		}
		if (at - home > DG_IMAGE_SPILL_MAX)
			return -EXFULL;
		if (table[home].spill < at - home)
			table[home].spill = at - home;
		way_fill(table + at, way++, entry);
	}
	return 0;
}

static __u64 unix_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (__u64)now.tv_sec * 1000000000ull + (__u64)now.tv_nsec;
}

static void header_fill(const struct dg_image_builder *b, __u32 buckets,
			struct dg_image_header *header)
{
	*header = (struct dg_image_header){
		.magic = DG_IMAGE_MAGIC,
		.names = b->names,
		.generation = unix_ns(),
		.key_check = dg_hash_key_check(b->key),
		.depths = { b->depths[0], b->depths[1] },
		.buckets = buckets,
		.first = 1 + b->list_count,
		.lists = b->list_count,
		.abi_version = DG_ABI_VERSION,
	};
}

/* One try with this many home buckets. */
static int lay_out(struct dg_image_builder *b, __u32 buckets, __u64 *ret_count)
{
	__u64 first = 1 + b->list_count, count = first + buckets + DG_IMAGE_SPILL_MAX;
	dg_scoped_free __u32 *order = NULL;
	dg_scoped_free char *elements = calloc(count, ELEMENT_BYTES);
	int rc;

	if (!elements)
		return -ENOMEM;
	rc = order_make(b, buckets, &order);
	if (!rc)
		rc = ways_fill(b, order, buckets, (void *)(elements + first * ELEMENT_BYTES));
	if (rc)
		return rc;
	header_fill(b, buckets, (void *)elements);
	memcpy(elements + ELEMENT_BYTES, b->lists + 1, b->list_count * sizeof(b->lists[0]));
	free(b->elements);
	b->elements = dg_take_ptr(elements);
	*ret_count = count;
	return 0;
}

int dg_image_finish(struct dg_image_builder *builder, const void **ret_elements, __u64 *ret_count,
		    struct dg_error *err)
{
	__u64 buckets = builder->names * BUCKETS_PER_STEP / NAMES_PER_STEP + 1;
	int rc;

	do {
		rc = lay_out(builder, (__u32)buckets, ret_count);
		buckets += buckets / 32 + 1;
	} while (rc == -EXFULL && buckets < NAMES_MAX);
	if (rc == -EXFULL)
		return dg_fail(err, rc, DG_EXIT_FAILED,
			       "image of %llu names: some share one hash too often",
			       (unsigned long long)builder->names);
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED,
			       "image of %llu names: not enough memory to lay it out",
			       (unsigned long long)builder->names);
	*ret_elements = builder->elements;
	return 0;
}
