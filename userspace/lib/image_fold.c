// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image_fold.c - takes away the entries that an entry above them decides anyway.
 *
 * Walks the names once, in the order they came, and for each its suffixes from the top down. What is
 * taken away on the way changes no later judgement: an entry that was shadowed lies below one of a
 * higher rank, which shadows what lies further below just as well; one that was folded lies below
 * one that says the same.
 */
#include "userspace/lib/image_build.h"

#include <errno.h>

#define TICK_EVERY (1 << 16) /* entries */

/* An entry and the suffixes above it that may be listed, top down. */
struct family {
	struct dg_entry_row *row;
	__u32 count;
	struct dg_hash above[DG_LABELS_MAX];
};

struct fold {
	struct dg_image_builder *b;
	struct dg_image_folded *ret;
	const __u8 *at; /* the next name */
	__u64 next;
	struct family family[DG_AHEAD];
};

/* Reads the next entry; asks for the memory that its judgement needs. */
static void family_read(struct fold *fold, struct family *family)
{
	const struct dg_image_builder *b = fold->b;
	struct dg_hash suffix[DG_LABELS_MAX];
	__u32 labels;

	family->row = dg_entry_rows(b) + fold->next++;
	family->count = 0;
	labels = family->row->labels;
	for (__u32 depth = 1; depth < labels; depth++) {
		if (!(b->below[(depth - 1) / 64] >> (depth - 1) % 64 & 1))
			continue;
		if (!family->count)
			dg_wire_hashes(fold->at + 1, fold->at[0] - 1u, b->key, suffix);
		family->above[family->count] = suffix[depth - 1];
		__builtin_prefetch(dg_index_home(b, family->above[family->count++]));
	}
	fold->at += fold->at[0];
}

/* The answer that covers what is below: that of the nearest entry above that no higher rank overrules. */
static __u32 decider(const struct dg_image_builder *b, const struct family *family)
{
	__u32 decides = 0;

	for (__u32 i = 0; i < family->count; i++) {
		const struct dg_entry_row *row = dg_entry_find(b, family->above[i]);

		if (row && row->below && (!decides || b->rank[row->below] <= b->rank[decides]))
			decides = row->below;
	}
	return decides;
}

/* 0 = it stays. Of a list: what befell its scopes of one name. */
enum fate { STAYS, FOLDED, SHADOWED };

static enum fate scope_judge(const struct dg_image_builder *b, __u16 *held, __u32 above)
{
	enum fate fate = STAYS;

	if (*held && b->rank[*held] > b->rank[above])
		fate = SHADOWED;
	else if (*held == above)
		fate = FOLDED;
	if (fate != STAYS)
		*held = 0;
	return fate;
}

static void fate_count(const struct fold *fold, __u32 answer, enum fate fate)
{
	struct dg_image_folded *list = fold->ret + fold->b->answers[answer].list;

	list->folded += fate == FOLDED;
	list->shadowed += fate == SHADOWED;
}

/* A name counts for a list once, and only when the list has nothing left there. */
static void family_judge(const struct fold *fold, const struct family *family)
{
	const struct dg_image_builder *b = fold->b;
	struct dg_entry_row *row = family->row;
	__u32 self = row->self, below = row->below, above = decider(b, family);
	enum fate fate_self, fate_below;

	if (!above)
		return;
	fate_self = scope_judge(b, &row->self, above);
	fate_below = scope_judge(b, &row->below, above);
	if (self && below && b->answers[self].list == b->answers[below].list) {
		if (!row->self && !row->below)
			fate_count(fold, self, fate_below == SHADOWED ? fate_below : fate_self);
		return;
	}
	fate_count(fold, self, fate_self);
	fate_count(fold, below, fate_below);
}

int dg_image_fold(struct dg_image_builder *builder, struct dg_image_folded *ret,
		  void (*tick)(void *arg, __u64 done), void *arg)
{
	dg_scoped_free struct fold *fold = calloc(1, sizeof(*fold));

	if (!fold)
		return -ENOMEM;
	fold->b = builder;
	fold->ret = ret;
	fold->at = builder->wires.at;
	while (!builder->finished && fold->next < builder->names) {
		__u64 left = builder->names - fold->next;
		__u32 count = left < DG_AHEAD ? (__u32)left : DG_AHEAD;

		for (__u32 i = 0; i < count; i++)
			family_read(fold, fold->family + i);
		for (__u32 i = 0; i < count; i++)
			if (fold->family[i].count)
				family_judge(fold, fold->family + i);
		if (tick && fold->next % TICK_EVERY == 0)
			tick(arg, fold->next);
	}
	return 0;
}
