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

/* The claims of these lists end here. */
static void claims_stop(const struct dg_image_builder *b, struct claims *claims, __u32 set)
{
	__u32 kept = 0;

	for (__u32 i = 0; i < claims->count; i++)
		if (!dg_set_has(b, set, list_of(b, claims->answer[i])))
			claims->answer[kept++] = claims->answer[i];
	claims->count = kept;
}

static void claims_collect(const struct dg_image_builder *b, const struct family *family,
			   struct claims *claims)
{
	claims->count = 0;
	for (__u32 i = 0; i < family->count; i++) {
		const struct dg_entry_row *row = dg_entry_find(b, family->above[i]);

		if (!row)
			continue;
		if (row->stop)
			claims_stop(b, claims, row->stop);
		if (row->below && !(row->marks & FILLED))
			claims->answer[claims->count++] = row->below;
	}
}

/*
 * The highest rank decides, of equal ones the nearest; 0 = nobody. The claims of the lists in the set
 * do not count, but for those of list `keep`.
 */
static __u32 decider(const struct dg_image_builder *b, const struct claims *claims, __u32 set,
		     __u32 keep)
{
	__u32 decides = 0;

	for (__u32 i = 0; i < claims->count; i++) {
		__u32 claim = claims->answer[i], list = list_of(b, claim);

		if (dg_set_has(b, set, list) && list != keep)
			continue;
		if (!decides || b->rank[claim] <= b->rank[decides])
			decides = claim;
	}
	return decides;
}

/*
 * Where a list's claims end, nobody else has any, and it would decide all the same, being the nearest:
 * an answer that says so. 0: there is no room for another answer, the list's claim goes on.
 */
static __u16 allow_number(struct dg_image_builder *b, __u32 list)
{
	struct dg_answer allow = b->answers[list];
	int number;

	allow.kind = DG_ANSWER_ALLOW;
	allow.flags &= ~(DG_ANS_V4 | DG_ANS_V6);
	memset(allow.v4, 0, sizeof(allow.v4));
	memset(allow.v6, 0, sizeof(allow.v6));
	number = dg_image_add_answer(b, &allow);
	return number > 0 ? (__u16)number : 0;
}

/* What befalls one scope of a name. */
enum fate { STAYS, FOLDED, SHADOWED };

/* An entry under judgement: what is claimed above it, and who decides there. */
struct matter {
	const struct claims *claims;
	__u32 set;   /* of lists whose claims end at the name */
	__u32 above; /* what the nearest entry above will say */
};

/*
 * One scope of a name: who really decides, and need an entry say so? *ret = the answer that shall stand
 * there, 0 = none: the entry above says the same.
 */
static enum fate scope_judge(struct dg_image_builder *b, const struct matter *matter, __u16 held,
			     __u16 *ret)
{
	__u32 top = decider(b, matter->claims, matter->set, list_of(b, held));
	bool holds = held && (!top || b->rank[held] <= b->rank[top]);
	__u32 decided = holds ? held : top;

	*ret = 0;
	/* A scope that nobody holds is what it was above, unless somebody's claims end here. */
	if (decided != matter->above)
		*ret = decided ? (__u16)decided : allow_number(b, list_of(b, matter->above));
	if (!held || *ret == held)
		return STAYS;
	return holds ? FOLDED : SHADOWED;
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
	struct claims claims;
	struct matter matter = { .claims = &claims, .set = row->stop };
	enum fate fate_self, fate_below;
	__u16 self, below;

	claims_collect(b, family, &claims);
	matter.above = decider(b, &claims, 0, 0);
	if (!matter.above)
		return;
	fate_self = scope_judge(b, &matter, row->self, &self);
	fate_below = scope_judge(b, &matter, row->below, &below);
	fates_count(fold, row, fate_self, fate_below);
	if (self)
		row->self = self;
	else
		row->marks |= GONE_SELF;
	if (!below)
		row->marks |= GONE_BELOW;
	else if (below != row->below)
		row->marks |= FILLED;
	if (below)
		row->below = below;
}

/* ---- names that exist because others are below them ------------------------------------------- */

/* A name between a wildcard of its list and another of its names: it exists, and so stops it. */
static int between_add(struct dg_image_builder *b, const __u8 *wire, __u32 len, __u32 list)
{
	struct dg_name name = { .len = (__u8)(len + 1) };
	struct dg_image_item item = { .name = &name, .answer = list, .stops = true };

	memcpy(name.wire, wire, len);
	for (__u32 at = 0; at < len; at += 1u + wire[at])
		name.labels++;
	dg_image_add_names(b, &item, 1);
	return item.added < 0 ? item.added : 0;
}

/* An entry's name, and the hashes of its suffixes. */
struct lineage {
	__u8 wire[DG_NAME_MAX + 8];
	__u32 len, labels; /* len without the root label */
	struct dg_hash suffix[DG_LABELS_MAX];
};

/* The names between this one of a list and a wildcard of the same list. */
static int betweens_add(struct dg_image_builder *b, const struct lineage *lineage, __u32 list)
{
	bool claimed = false;
	int rc = 0;

	for (__u32 depth = 1; !rc && depth < lineage->labels; depth++) {
		const struct dg_entry_row *above = dg_entry_find(b, lineage->suffix[depth - 1]);
		__u32 skip = 0;

		if (claimed && !(above && dg_set_has(b, above->stop, list))) {
			for (__u32 label = lineage->labels - depth; label; label--)
				skip += 1u + lineage->wire[skip];
			rc = between_add(b, lineage->wire + skip, lineage->len - skip, list);
			above = dg_entry_find(b, lineage->suffix[depth - 1]);
		}
		claimed |= above && above->below && list_of(b, above->below) == list;
	}
	return rc;
}

/* Of the entry whose name stands at `wire`, its length first; for each list that it belongs to. */
static int entry_complete(struct dg_image_builder *b, const __u8 *wire, __u32 set)
{
	struct lineage lineage = { .len = wire[0] - 1u };
	int rc = 0;

	memcpy(lineage.wire, wire + 1, lineage.len);
	lineage.labels = dg_wire_hashes(lineage.wire, lineage.len, b->key, lineage.suffix);
	for (__u32 list = 1; !rc && list <= b->lists; list++)
		if (dg_set_has(b, set, list))
			rc = betweens_add(b, &lineage, list);
	return rc;
}

static int stops_complete(struct dg_image_builder *b)
{
	__u64 names = b->set_count > 1 ? b->names : 0;
	size_t at = 0;
	int rc = 0;

	for (__u64 i = 0; !rc && i < names; i++) {
		const struct dg_entry_row *row = dg_entry_rows(b) + i;
		const __u8 *wire = (const __u8 *)b->wires.at + at;

		at += wire[0];
		if (row->stop && row->labels > 2)
			rc = entry_complete(b, wire, row->stop);
	}
	return rc;
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

	if (!fold || stops_complete(builder))
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
