// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image_fold.c - takes away the entries that an entry above them decides anyway.
 *
 * Walks the names once, in the order they came, and for each its suffixes from the top down. What shall
 * go is only marked on the way, so that every judgement sees the lists as they are; a last pass takes
 * it away.
 */
#include "userspace/lib/image_build.h"

#include <errno.h>
#include <string.h>

#define TICK_EVERY (1 << 16) /* entries */

enum marks {
	GONE_SELF = 1 << 0,
	GONE_BELOW = 1 << 1,
	FILLED = 1
		 << 2, /* below is no claim of its list: it says who decides where another's ends */
};

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

/* The answers above that may decide, top down; of each list the nearest is what counts. */
struct claims {
	__u32 count;
	__u16 answer[DG_LABELS_MAX];
};

static __u32 list_of(const struct dg_image_builder *b, __u32 answer)
{
	return b->answers[answer].list;
}

/* The list's claims end here. */
static void claims_stop(const struct dg_image_builder *b, struct claims *claims, __u32 list)
{
	__u32 kept = 0;

	for (__u32 i = 0; i < claims->count; i++)
		if (list_of(b, claims->answer[i]) != list)
			claims->answer[kept++] = claims->answer[i];
	claims->count = kept;
}

static bool stops(const struct dg_image_builder *b, const struct dg_entry_row *row)
{
	return row->stop && !(row->below && list_of(b, row->below) == row->stop);
}

static void claims_collect(const struct dg_image_builder *b, const struct family *family,
			   struct claims *claims)
{
	claims->count = 0;
	for (__u32 i = 0; i < family->count; i++) {
		const struct dg_entry_row *row = dg_entry_find(b, family->above[i]);

		if (!row)
			continue;
		if (row->marks & FILLED || stops(b, row))
			claims_stop(b, claims, row->stop);
		if (row->below && !(row->marks & FILLED))
			claims->answer[claims->count++] = row->below;
	}
}

/* The highest rank decides, of equal ones the nearest. 0 = nobody. */
static __u32 decider(const struct dg_image_builder *b, const struct claims *claims)
{
	__u32 decides = 0;

	for (__u32 i = 0; i < claims->count; i++)
		if (!decides || b->rank[claims->answer[i]] <= b->rank[decides])
			decides = claims->answer[i];
	return decides;
}

/*
 * Where a list's claims end and it would decide all the same, being the nearest, an entry must say who
 * does: the next list, or nobody. Without room for another answer the list's claim goes on.
 */
static void stop_fill(struct dg_image_builder *b, struct dg_entry_row *row, __u32 next)
{
	struct dg_answer allow = b->answers[row->stop];
	int number = (int)next;

	allow.kind = DG_ANSWER_ALLOW;
	allow.flags &= ~(DG_ANS_V4 | DG_ANS_V6);
	memset(allow.v4, 0, sizeof(allow.v4));
	memset(allow.v6, 0, sizeof(allow.v6));
	if (!number)
		number = dg_image_add_answer(b, &allow);
	if (number <= 0)
		return;
	row->below = (__u16)number;
	row->marks = (row->marks & ~GONE_BELOW) | FILLED;
}

/* What befalls one scope of a name. */
enum fate { STAYS, FOLDED, SHADOWED };

static enum fate scope_judge(const struct dg_image_builder *b, __u32 held, __u32 above)
{
	if (!held || !above)
		return STAYS;
	if (b->rank[held] > b->rank[above])
		return SHADOWED;
	return held == above ? FOLDED : STAYS;
}

static void fate_count(const struct fold *fold, __u32 answer, enum fate fate)
{
	struct dg_image_folded *list = fold->ret + list_of(fold->b, answer);

	list->folded += fate == FOLDED;
	list->shadowed += fate == SHADOWED;
}

/* A name counts for a list once, and only when the list has nothing left there. */
static void fates_count(const struct fold *fold, const struct dg_entry_row *row, enum fate self,
			enum fate below)
{
	bool one = row->self && row->below &&
		   list_of(fold->b, row->self) == list_of(fold->b, row->below);

	if (!one) {
		fate_count(fold, row->self, self);
		fate_count(fold, row->below, below);
	} else if (self != STAYS && below != STAYS) {
		fate_count(fold, row->self, below == SHADOWED ? below : self);
	}
}

static void family_judge(const struct fold *fold, const struct family *family)
{
	struct dg_image_builder *b = fold->b;
	struct dg_entry_row *row = family->row;
	enum fate fate_self, fate_below;
	struct claims claims;
	__u32 above, under;

	claims_collect(b, family, &claims);
	above = under = decider(b, &claims);
	if (!above)
		return;
	if (stops(b, row)) {
		claims_stop(b, &claims, row->stop);
		under = decider(b, &claims);
	}
	fate_self = scope_judge(b, row->self, above);
	fate_below = scope_judge(b, row->below, under);
	fates_count(fold, row, fate_self, fate_below);
	row->marks |= (fate_self == STAYS ? 0 : GONE_SELF) | (fate_below == STAYS ? 0 : GONE_BELOW);
	if (under != above && (!row->below || fate_below != STAYS))
		stop_fill(b, row, under);
}

/* What is marked goes. */
static void sweep(struct dg_image_builder *b)
{
	struct dg_entry_row *row = dg_entry_rows(b);

	for (__u64 i = 0; i < b->names; i++, row++) {
		if (row->marks & GONE_SELF)
			row->self = 0;
		if (row->marks & GONE_BELOW)
			row->below = 0;
		row->marks = 0;
	}
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
	sweep(builder);
	return 0;
}
