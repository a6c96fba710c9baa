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
	__u16 self, below; /* answer numbers; 0 = not covered */
	__u32 labels;
};

struct dg_image_builder {
	__u64 key[4];
	struct dg_answer *answers; /* row 0 unused; room for DG_ANSWERS_MAX + 1 */
	__u32 lists, answer_count;
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
	b->answers = calloc(DG_ANSWERS_MAX + 1, sizeof(*b->answers));
	if (!b->answers || names_hint > NAMES_MAX || room_make(b, names_hint ? names_hint : 1))
		dg_image_builder_free(&b);
	return b;
}

void dg_image_builder_free(struct dg_image_builder **builder)
{
	struct dg_image_builder *b = *builder;

	*builder = NULL;
	if (!b)
		return;
	free(b->answers);
	free(b->entries);
	free(b->index);
	free(b->elements);
	free(b);
}

int dg_image_add_list(struct dg_image_builder *builder, const struct dg_answer *answer)
{
	struct dg_answer *list;

	if (builder->lists >= DG_LISTS_MAX || builder->lists < builder->answer_count)
		return -ENOSPC;
	builder->lists = ++builder->answer_count;
	list = builder->answers + builder->lists;
	*list = *answer;
	list->list = builder->lists;
	list->names = 0;
	return (int)list->list;
}

int dg_image_add_answer(struct dg_image_builder *builder, const struct dg_answer *answer)
{
	struct dg_answer wanted = *answer;

	if (!answer->list || answer->list > builder->lists)
		return -EINVAL;
	wanted.names = 0;
	for (__u32 i = builder->answer_count; i > builder->lists; i--)
		if (!memcmp(builder->answers + i, &wanted, sizeof(wanted)))
			return (int)i;
	if (builder->answer_count >= DG_ANSWERS_MAX)
		return -ENOSPC;
	builder->answers[++builder->answer_count] = wanted;
	return (int)builder->answer_count;
}

/* The entry of this hash, made if there is none. -ENOSPC, -ENOMEM. */
static int entry_make(struct dg_image_builder *b, struct dg_hash hash, __u32 labels,
		      struct entry **ret)
{
	__u32 number = *index_find(b, hash);
	int rc;

	if (!number) {
		if (b->names >= NAMES_MAX)
			return -ENOSPC;
		rc = room_make(b, b->names + 1);
		if (rc)
			return rc;
		b->entries[b->names] = (struct entry){ .hash = hash, .labels = labels };
		number = *index_find(b, hash) = (__u32)++b->names;
		b->depths[(labels - 1) / 64] |= 1ull << ((labels - 1) % 64);
	}
	*ret = b->entries + number - 1;
	return 0;
}

int dg_image_add_name(struct dg_image_builder *builder, const struct dg_name *name, __u32 number,
		      enum dg_scope scope)
{
	struct entry *entry;
	int rc, added = 0;

	if (!name->labels || !number || number > builder->answer_count)
		return -EINVAL;
	rc = entry_make(builder, dg_name_hash(name, builder->key), name->labels, &entry);
	if (rc)
		return rc;
	if (scope & DG_SCOPE_SELF && !entry->self) {
		entry->self = (__u16)number;
		added |= DG_SCOPE_SELF;
	}
	if (scope & DG_SCOPE_BELOW && !entry->below) {
		entry->below = (__u16)number;
		added |= DG_SCOPE_BELOW;
	}
	builder->answers[builder->answers[number].list].names += added != 0;
	return added;
}

__u32 dg_image_find_name(const struct dg_image_builder *builder, const struct dg_name *name,
			 enum dg_scope scope)
{
	__u32 number = *index_find(builder, dg_name_hash(name, builder->key));
	const struct entry *entry = builder->entries + number - 1;

	if (number && scope & DG_SCOPE_SELF && entry->self)
		return entry->self;
	return number && scope & DG_SCOPE_BELOW ? entry->below : 0;
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

/* Where the next way goes. Names come by home bucket, so ways fill from front to back. */
struct cursor {
	struct dg_image_bucket *table;
	__u32 at, way;
	__u64 used;
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

/* One way when one answer covers all that is covered, else one for each scope. */
static int entry_fill(struct cursor *cursor, const struct entry *entry, __u32 buckets)
{
	__u32 home = dg_hash_bucket(entry->hash, buckets);
	int rc = 0;

	if (entry->self == entry->below)
		return way_fill(cursor, home, entry->hash, covered(DG_SCOPE_SUFFIX, entry->self));
	if (entry->self)
		rc = way_fill(cursor, home, entry->hash, covered(DG_SCOPE_SELF, entry->self));
	if (!rc && entry->below)
		rc = way_fill(cursor, home, entry->hash, covered(DG_SCOPE_BELOW, entry->below));
	return rc;
}

static int ways_fill(const struct dg_image_builder *b, const __u32 *order, __u32 buckets,
		     struct cursor *cursor)
{
	int rc = 0;

	for (__u64 i = 0; !rc && i < b->names; i++)
		rc = entry_fill(cursor, b->entries + order[i], buckets);
	return rc;
}

static __u64 unix_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (__u64)now.tv_sec * 1000000000ull + (__u64)now.tv_nsec;
}

static void header_fill(const struct dg_image_builder *b, __u32 buckets, __u64 used,
			struct dg_image_header *header)
{
	*header = (struct dg_image_header){
		.magic = DG_IMAGE_MAGIC,
		.names = used,
		.generation = unix_ns(),
		.key_check = dg_hash_key_check(b->key),
		.depths = { b->depths[0], b->depths[1] },
		.buckets = buckets,
		.first = 1 + b->answer_count,
		.lists = (__u16)b->lists,
		.answers = (__u16)b->answer_count,
		.abi_version = DG_ABI_VERSION,
	};
}

/* One try with this many home buckets. */
static int lay_out(struct dg_image_builder *b, __u32 buckets, __u64 *ret_count)
{
	__u64 first = 1 + b->answer_count, count = first + buckets + DG_IMAGE_SPILL_MAX;
	dg_scoped_free __u32 *order = NULL;
	dg_scoped_free char *elements = calloc(count, ELEMENT_BYTES);
	struct cursor cursor = { .table = (void *)(elements + first * ELEMENT_BYTES) };
	int rc;

	if (!elements)
		return -ENOMEM;
	rc = order_make(b, buckets, &order);
	if (!rc)
		rc = ways_fill(b, order, buckets, &cursor);
	if (rc)
		return rc;
	header_fill(b, buckets, cursor.used, (void *)elements);
	memcpy(elements + ELEMENT_BYTES, b->answers + 1, b->answer_count * sizeof(b->answers[0]));
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
