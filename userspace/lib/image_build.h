/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_build.h - the inside of the builder, for the files that collect, fold and lay out; nobody
 * else includes it.
 */
#ifndef DG_IMAGE_BUILD_H
#define DG_IMAGE_BUILD_H

#include "userspace/lib/image.h"

/* Entries are numbered in 32 bits, in the index as number + 1. */
#define DG_ENTRIES_MAX 0xfffffff0u

/* How far ahead memory is asked for: a handful of cache misses in flight, none forgotten again. */
#define DG_AHEAD 16

struct dg_entry_row {
	struct dg_hash hash;
	__u16 self, below; /* answer numbers; 0 = not covered */
	__u16 stop;	   /* set of lists in which this name exists: their wildcards end here */
	__u8 labels;
	__u8 marks; /* of folding */
};
_Static_assert(sizeof(struct dg_entry_row) == 24, "24 bytes an entry");

/* A slot of the index: open addressing. check spares the look at an entry that is another. */
struct dg_index_slot {
	__u32 number; /* entry number + 1; 0 = free */
	__u32 check;
};

/* Lists by number. Entries name them by the sets' numbers: there are few different ones. */
#define DG_LIST_SETS_MAX 4096

struct dg_list_set {
	__u64 bit[(DG_LISTS_MAX + 64) / 64];
};

/* Memory that grows without being copied, in large pages where the kernel has them. */
struct dg_pages {
	void *at;
	size_t bytes;
};

struct dg_image_builder {
	__u64 key[4];
	struct dg_answer *answers; /* row 0 unused; room for DG_ANSWERS_MAX + 1 */
	__u16 *rank;		   /* of each answer; lower decides */
	__u16 *interned;	   /* answer numbers by content; 0 = free */
	__u32 lists, answer_count;
	struct dg_pages entries; /* struct dg_entry_row */
	struct dg_pages wires;	 /* each entry's name in wire form: length, then all but the root */
	struct dg_pages index;	 /* struct dg_index_slot */
	__u64 names, wire_bytes, index_mask;
	__u64 below[2];		  /* bit n-1: some entry of n labels matters for what is below it */
	struct dg_list_set *sets; /* row 0 = the empty one */
	__u32 set_count;	  /* 1 = no entry stops anything */
	bool finished;
	struct dg_pages elements; /* after dg_image_finish() */
};

static inline struct dg_entry_row *dg_entry_rows(const struct dg_image_builder *b)
{
	return b->entries.at;
}

static inline struct dg_index_slot *dg_index_home(const struct dg_image_builder *b,
						  struct dg_hash hash)
{
	return (struct dg_index_slot *)b->index.at + (dg_hash_fp(hash) & b->index_mask);
}

/* At least `bytes`, the old content kept, the rest 0. -ENOMEM: nothing has changed. */
int dg_pages_grow(struct dg_pages *pages, size_t bytes);
void dg_pages_free(struct dg_pages *pages);
static inline bool dg_set_has(const struct dg_image_builder *b, __u32 set, __u32 list)
{
	return b->sets[set].bit[list / 64] >> list % 64 & 1;
}

/* The entry of this hash, NULL = none. */
struct dg_entry_row *dg_entry_find(const struct dg_image_builder *b, struct dg_hash hash);

#endif
