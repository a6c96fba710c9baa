// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image.c - collects the names of the image of all lists: pure memory work, without privileges and
 * without the kernel.
 *
 * An entry is a name's hashes and the answers of its two scopes. Names come in any order and many
 * times; an index over the hashes finds repeats. Cache misses are the price of each name, so names
 * are added many at once, each asking for its memory before the ones in front of it are done.
 */
#include "userspace/lib/image_build.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define INTERNED_SLOTS 32768 /* twice the answers there can be; a power of two */

/*
 * Lists rank 3, 5, 7 ...; the number below each is for the answers that are raised. Lists that only
 * observe rank behind all others: they must not take a name from one that enforces.
 */
static __u16 list_rank(const struct dg_answer *list)
{
	__u32 observes = list->kind == DG_ANSWER_OBSERVE ? DG_LISTS_MAX + 1 : 0;

	return (__u16)(1 + 2 * (list->list + observes));
}

/* ---- memory --------------------------------------------------------------------------------- */

int dg_pages_grow(struct dg_pages *pages, size_t bytes)
{
	size_t room = bytes + (1 << 21) - 1;
	void *at;

	if (bytes <= pages->bytes)
		return 0;
	room -= room % (1 << 21);
	at = pages->at ?
		     mremap(pages->at, pages->bytes, room, MREMAP_MAYMOVE) :
		     mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return -ENOMEM;
	/* Only a matter of speed: without large pages every name costs a walk of the page tables. */
	(void)madvise(at, room, MADV_HUGEPAGE);
	*pages = (struct dg_pages){ at, room };
	return 0;
}

void dg_pages_free(struct dg_pages *pages)
{
	if (pages->at)
		munmap(pages->at, pages->bytes);
	*pages = (struct dg_pages){ 0 };
}

/* Grows by quarters, so that the kernel is not asked for every name. */
static int pages_reserve(struct dg_pages *pages, size_t bytes)
{
	return bytes <= pages->bytes ? 0 : dg_pages_grow(pages, bytes + bytes / 4);
}

/* ---- the index ------------------------------------------------------------------------------ */

/* A slot count that leaves a quarter of the index free for `names`; a power of two. */
static __u64 index_slots(__u64 names)
{
	__u64 slots = 1024;

	while (slots / 4 * 3 < names)
		slots *= 2;
	return slots;
}

static __u32 index_check(struct dg_hash hash)
{
	return (__u32)(hash.b >> 32);
}

/* The slot that holds this hash, or the free one where it belongs. */
static struct dg_index_slot *index_find(const struct dg_image_builder *b, struct dg_hash hash)
{
	struct dg_index_slot *first = b->index.at, *slot = dg_index_home(b, hash);
	const struct dg_entry_row *rows = dg_entry_rows(b);

	for (; slot->number; slot = first + ((__u64)(slot + 1 - first) & b->index_mask)) {
		const struct dg_entry_row *row = rows + slot->number - 1;

		if (slot->check == index_check(hash) && row->hash.a == hash.a &&
		    row->hash.b == hash.b)
			break;
	}
	return slot;
}

/* All names are different, so nothing need be compared. */
static void index_fill(struct dg_image_builder *b)
{
	const struct dg_entry_row *rows = dg_entry_rows(b);
	struct dg_index_slot *first = b->index.at;

	for (__u64 i = 0; i < b->names; i++) {
		struct dg_index_slot *slot = dg_index_home(b, rows[i].hash);

		if (i + DG_AHEAD < b->names)
			__builtin_prefetch(dg_index_home(b, rows[i + DG_AHEAD].hash), 1);
		while (slot->number)
			slot = first + ((__u64)(slot + 1 - first) & b->index_mask);
		*slot = (struct dg_index_slot){ (__u32)i + 1, index_check(rows[i].hash) };
	}
}

static int index_reserve(struct dg_image_builder *b, __u64 names)
{
	struct dg_pages index = { 0 };
	__u64 slots;

	if (b->index.at && names <= (b->index_mask + 1) / 4 * 3)
		return 0;
	slots = index_slots(names);
	if (dg_pages_grow(&index, slots * sizeof(struct dg_index_slot)))
		return -ENOMEM;
	dg_pages_free(&b->index);
	b->index = index;
	b->index_mask = slots - 1;
	index_fill(b);
	return 0;
}

static int room_make(struct dg_image_builder *b, __u64 names, __u64 wire_bytes)
{
	if (names > DG_ENTRIES_MAX)
		return -ENOSPC;
	if (pages_reserve(&b->entries, names * sizeof(struct dg_entry_row)) ||
	    pages_reserve(&b->wires, wire_bytes))
		return -ENOMEM;
	return index_reserve(b, names);
}

struct dg_entry_row *dg_entry_find(const struct dg_image_builder *b, struct dg_hash hash)
{
	__u32 number = index_find(b, hash)->number;

	return number ? dg_entry_rows(b) + number - 1 : NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct dg_image_builder *dg_image_builder_new(const __u64 key[4], __u64 names_hint)
{
	struct dg_image_builder *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	memcpy(b->key, key, sizeof(b->key));
	b->answers = calloc(DG_ANSWERS_MAX + 1, sizeof(*b->answers));
	b->rank = calloc(DG_ANSWERS_MAX + 1, sizeof(*b->rank));
	b->interned = calloc(INTERNED_SLOTS, sizeof(*b->interned));
	b->sets = calloc(DG_LIST_SETS_MAX, sizeof(*b->sets));
	b->set_count = 1;
	if (!b->answers || !b->rank || !b->interned || !b->sets ||
	    room_make(b, names_hint ? names_hint : 1, 1))
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
	free(b->rank);
	free(b->interned);
	free(b->sets);
	dg_pages_free(&b->entries);
	dg_pages_free(&b->wires);
	dg_pages_free(&b->index);
	dg_pages_free(&b->elements);
	free(b);
}

/* ---- lists and answers ---------------------------------------------------------------------- */

/* The slot of an equal answer, or the free one where it belongs. */
static __u16 *interned_find(const struct dg_image_builder *b, const struct dg_answer *answer)
{
	__u64 words[sizeof(*answer) / 8], hash = 0;

	memcpy(words, answer, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		hash = dg_mix64(hash ^ words[i]);
	for (;; hash++) {
		__u16 *slot = b->interned + hash % INTERNED_SLOTS;

		if (!*slot || !memcmp(b->answers + *slot, answer, sizeof(*answer)))
			return slot;
	}
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
	builder->rank[builder->lists] = list_rank(list);
	*interned_find(builder, list) = (__u16)builder->lists;
	return (int)list->list;
}

int dg_image_add_answer(struct dg_image_builder *builder, const struct dg_answer *answer)
{
	struct dg_answer wanted = *answer;
	__u16 *slot;

	if (!answer->list || answer->list > builder->lists)
		return -EINVAL;
	wanted.names = 0;
	slot = interned_find(builder, &wanted);
	if (*slot)
		return *slot;
	if (builder->answer_count >= DG_ANSWERS_MAX)
		return -ENOSPC;
	builder->answers[++builder->answer_count] = wanted;
	builder->rank[builder->answer_count] = list_rank(builder->answers + wanted.list);
	*slot = (__u16)builder->answer_count;
	return *slot;
}

struct dg_answer *dg_image_answer(struct dg_image_builder *builder, __u32 number)
{
	return number && number <= builder->answer_count ? builder->answers + number : NULL;
}

void dg_image_raise_answer(struct dg_image_builder *builder, __u32 number)
{
	if (number && number <= builder->answer_count)
		builder->rank[number] = builder->rank[builder->answers[number].list] - 1;
}

/* ---- names ---------------------------------------------------------------------------------- */

static void wire_keep(struct dg_image_builder *b, const struct dg_name *name)
{
	__u8 *wire = (__u8 *)b->wires.at + b->wire_bytes;

	wire[0] = name->len;
	memcpy(wire + 1, name->wire, name->len - 1u);
	b->wire_bytes += name->len;
}

/* The entry of this hash, made if there is none. -ENOSPC, -ENOMEM. */
static int entry_make(struct dg_image_builder *b, struct dg_hash hash, const struct dg_name *name,
		      struct dg_entry_row **ret)
{
	struct dg_index_slot *slot;
	int rc = room_make(b, b->names + 1, b->wire_bytes + DG_NAME_MAX + sizeof(__u64));

	if (rc)
		return rc;
	slot = index_find(b, hash);
	if (!slot->number) {
		wire_keep(b, name);
		dg_entry_rows(b)[b->names] =
			(struct dg_entry_row){ .hash = hash, .labels = name->labels };
		*slot = (struct dg_index_slot){ (__u32)++b->names, index_check(hash) };
	}
	*ret = dg_entry_rows(b) + slot->number - 1;
	return 0;
}

/* The set with one list more. With all sets taken it stays as it is: the list's wildcards go on. */
static __u16 set_with(struct dg_image_builder *b, __u32 set, __u32 list)
{
	struct dg_list_set wanted = b->sets[set];

	if (dg_set_has(b, set, list))
		return (__u16)set;
	wanted.bit[list / 64] |= 1ull << list % 64;
	for (__u32 i = 1; i < b->set_count; i++)
		if (!memcmp(b->sets + i, &wanted, sizeof(wanted)))
			return (__u16)i;
	if (b->set_count == DG_LIST_SETS_MAX)
		return (__u16)set;
	b->sets[b->set_count] = wanted;
	return (__u16)b->set_count++;
}

/* One scope of an entry: is it the answer's now? */
static bool scope_take(const struct dg_image_builder *b, __u16 *held, struct dg_image_item *item)
{
	if (*held && b->rank[*held] <= b->rank[item->answer]) {
		item->keeper = *held;
		return false;
	}
	if (*held)
		item->loser = *held;
	*held = (__u16)item->answer;
	return true;
}

static void item_add(struct dg_image_builder *b, struct dg_hash hash, struct dg_image_item *item)
{
	struct dg_entry_row *entry;

	item->added = entry_make(b, hash, item->name, &entry);
	if (item->added)
		return;
	item->joined = item->scope & DG_SCOPE_SELF ? entry->below : entry->self;
	if (item->scope & DG_SCOPE_SELF && scope_take(b, &entry->self, item))
		item->added |= DG_SCOPE_SELF;
	if (item->scope & DG_SCOPE_BELOW && scope_take(b, &entry->below, item))
		item->added |= DG_SCOPE_BELOW;
	if (item->stops)
		entry->stop = set_with(b, entry->stop, b->answers[item->answer].list);
	if (item->added & DG_SCOPE_BELOW || item->stops)
		b->below[(entry->labels - 1) / 64] |= 1ull << ((entry->labels - 1) % 64);
}

static bool item_is_sound(const struct dg_image_builder *b, const struct dg_image_item *item)
{
	return !b->finished && item->name->labels && item->answer &&
	       item->answer <= b->answer_count && (item->scope & DG_SCOPE_SUFFIX || item->stops);
}

/* At most DG_AHEAD items: hashes and homes first, then entries, then the work. */
static void items_add(struct dg_image_builder *b, struct dg_image_item *items, __u32 count)
{
	struct dg_hash hash[DG_AHEAD];

	for (__u32 i = 0; i < count; i++) {
		hash[i] = dg_name_hash(items[i].name, b->key);
		if (!b->finished)
			__builtin_prefetch(dg_index_home(b, hash[i]), 1);
	}
	for (__u32 i = 0; i < count; i++) {
		__u32 number = b->finished ? 0 : dg_index_home(b, hash[i])->number;

		if (number)
			__builtin_prefetch(dg_entry_rows(b) + number - 1, 1);
	}
	for (__u32 i = 0; i < count; i++) {
		items[i].keeper = items[i].loser = items[i].joined = 0;
		if (item_is_sound(b, items + i))
			item_add(b, hash[i], items + i);
		else
			items[i].added = -EINVAL;
	}
}

void dg_image_add_names(struct dg_image_builder *builder, struct dg_image_item *items, __u32 count)
{
	for (; count > DG_AHEAD; items += DG_AHEAD, count -= DG_AHEAD)
		items_add(builder, items, DG_AHEAD);
	items_add(builder, items, count);
}

int dg_image_add_name(struct dg_image_builder *builder, const struct dg_name *name, __u32 number,
		      enum dg_scope scope)
{
	struct dg_image_item item = { .name = name, .answer = number, .scope = scope };

	items_add(builder, &item, 1);
	return item.added;
}

static struct dg_entry_row *name_find(const struct dg_image_builder *b, const struct dg_name *name)
{
	return b->finished ? NULL : dg_entry_find(b, dg_name_hash(name, b->key));
}

__u32 dg_image_find_name(const struct dg_image_builder *builder, const struct dg_name *name,
			 enum dg_scope scope)
{
	const struct dg_entry_row *entry = name_find(builder, name);

	if (entry && scope & DG_SCOPE_SELF && entry->self)
		return entry->self;
	return entry && scope & DG_SCOPE_BELOW ? entry->below : 0;
}

int dg_image_replace_name(struct dg_image_builder *builder, const struct dg_name *name,
			  __u32 number, enum dg_scope scope)
{
	struct dg_entry_row *entry = name_find(builder, name);

	if (!entry)
		return -ENOENT;
	if (!number || number > builder->answer_count)
		return -EINVAL;
	if (scope & DG_SCOPE_SELF && entry->self)
		entry->self = (__u16)number;
	if (scope & DG_SCOPE_BELOW && entry->below)
		entry->below = (__u16)number;
	return 0;
}

int dg_image_each(const struct dg_image_builder *builder,
		  int (*visit)(void *arg, const struct dg_image_entry *entry), void *arg)
{
	const struct dg_entry_row *row = dg_entry_rows(builder);
	const __u8 *at = builder->wires.at;
	int rc = 0;

	for (__u64 i = 0; !rc && !builder->finished && i < builder->names;
	     i++, row++, at += at[0]) {
		__u8 wire[DG_NAME_MAX];

		if (!row->self && !row->below)
			continue;
		memcpy(wire, at + 1, at[0] - 1u);
		wire[at[0] - 1] = 0;
		rc = visit(arg, &(struct dg_image_entry){ wire, at[0], row->self, row->below });
	}
	return rc;
}
