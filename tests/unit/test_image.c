// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_image.c - the image of all lists: every name is found by the kernel's rule, no other name
 * is, a million names stay within the memory promised, and nothing malformed passes the check.
 *
 * The lookup here is written from abi.h, not from the builder or the program.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "tests/unit/scratch.h"
#include "userspace/lib/image.h"

#define ELEMENT 64
#define MILLION 1000000

static const __u64 key[4] = { 0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
			      0x082efa98ec4e6c89 };

static struct dg_name name_of(const char *text)
{
	struct dg_error err;
	struct dg_name name;

	assert_int_equal(dg_name_parse(text, &name, &err), 0);
	return name;
}

static struct dg_name numbered(unsigned int i)
{
	char text[64];

	snprintf(text, sizeof(text), "host-%u.zone%u.example", i, i % 1000);
	return name_of(text);
}

/* The list of exactly this suffix, 0 = none; *ret_lines counts the buckets touched. */
static unsigned int lookup(const void *elements, const struct dg_name *name,
			   unsigned int *ret_lines)
{
	const struct dg_image_header *header = elements;
	const struct dg_image_bucket *bucket =
		(const struct dg_image_bucket *)elements + header->first;
	struct dg_hash hash = dg_name_hash(name, key);
	unsigned int depth = name->labels - 1u, left;

	*ret_lines = 0;
	if (!(header->depths[depth / 64] >> depth % 64 & 1))
		return 0;
	bucket += (__u64)dg_hash_place(hash) * header->buckets >> 32;
	left = bucket->spill;
	for (;; bucket++) {
		++*ret_lines;
		for (int way = 0; way < DG_IMAGE_WAYS; way++)
			if (bucket->fp[way] == dg_hash_fp(hash) &&
			    bucket->meta[way] >> 16 == (hash.b & 0xffff))
				return bucket->meta[way] & DG_ANSWERS_MAX;
		if (!left--)
			return 0;
	}
}

static struct dg_image_builder *builder_of(unsigned int lists)
{
	struct dg_image_builder *builder = dg_image_builder_new(key, 0);
	struct dg_answer answer = { .kind = DG_ANSWER_NXDOMAIN, .text = "list", .text_len = 4 };

	assert_non_null(builder);
	for (unsigned int i = 1; i <= lists; i++)
		assert_int_equal(dg_image_add_list(builder, &answer), i);
	return builder;
}

static void add(struct dg_image_builder *builder, const char *text, unsigned int list, int want)
{
	struct dg_name name = name_of(text);

	assert_int_equal(dg_image_add_name(builder, &name, list, DG_SCOPE_SUFFIX), want);
}

static void finds_names_and_nothing_else(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = builder_of(2);
	struct dg_name name, root = name_of(".");
	unsigned int lines;
	struct dg_error err;
	const void *image;
	__u64 count;

	(void)state;
	add(builder, "a.example", 1, DG_SCOPE_SUFFIX);
	add(builder, "b.a.example", 2, DG_SCOPE_SUFFIX);
	add(builder, "A.Example", 2, 0); /* the first list keeps it */
	add(builder, "c.example", 3, -EINVAL);
	add(builder, "c.example", 0, -EINVAL);
	assert_int_equal(dg_image_add_name(builder, &root, 1, DG_SCOPE_SUFFIX), -EINVAL);
	assert_int_equal(dg_image_finish(builder, &image, &count, &err), 0);
	assert_int_equal(dg_image_check(image, count, &err), 0);

	name = name_of("a.example");
	assert_int_equal(lookup(image, &name, &lines), 1);
	name = name_of("b.a.example");
	assert_int_equal(lookup(image, &name, &lines), 2);
	name = name_of("example");
	assert_int_equal(lookup(image, &name, &lines), 0);
	name = name_of("c.example");
	assert_int_equal(lookup(image, &name, &lines), 0);
	assert_int_equal(((const struct dg_image_header *)image)->depths[0], 1 << 1 | 1 << 2);
}

static void empty_and_crowded_images_hold(void **state)
{
	struct dg_error err;
	const void *image;
	__u64 count;

	(void)state;
	/* Around 16 names a bucket must be added for the first time, and a list may hold none. */
	for (unsigned int names = 0; names < 200; names++) {
		dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = builder_of(1);
		unsigned int lines;

		for (unsigned int i = 0; i < names; i++) {
			struct dg_name name = numbered(i);

			assert_int_equal(dg_image_add_name(builder, &name, 1, DG_SCOPE_SUFFIX),
					 DG_SCOPE_SUFFIX);
		}
		assert_int_equal(dg_image_finish(builder, &image, &count, &err), 0);
		assert_int_equal(dg_image_check(image, count, &err), 0);
		for (unsigned int i = 0; i < names; i++) {
			struct dg_name name = numbered(i);

			assert_int_equal(lookup(image, &name, &lines), 1);
			assert_in_range(lines, 1, 1 + DG_IMAGE_SPILL_MAX);
		}
	}
}

/* Names of one thirty-second of the table: only a much wider table keeps each near its home. */
static void crowded_places_widen_the_table(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = builder_of(1);
	struct dg_name name[100];
	unsigned int lines, names = 0;
	struct dg_error err;
	const void *image;
	__u64 count;

	(void)state;
	for (unsigned int i = 0; names < 100; i++) {
		name[names] = numbered(i);
		if (dg_hash_place(dg_name_hash(name + names, key)) >> 27 == 5)
			assert_int_equal(dg_image_add_name(builder, name + names++, 1,
							   DG_SCOPE_SUFFIX),
					 DG_SCOPE_SUFFIX);
	}
	assert_int_equal(dg_image_finish(builder, &image, &count, &err), 0);
	assert_int_equal(dg_image_check(image, count, &err), 0);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(lookup(image, name + i, &lines), 1);
}

static void lists_are_bounded(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder =
		builder_of(DG_LISTS_MAX);
	struct dg_answer answer = { .kind = DG_ANSWER_DROP };

	(void)state;
	assert_int_equal(dg_image_add_list(builder, &answer), -ENOSPC);
}

/* ---- scopes, answers, ranks ------------------------------------------------------------------ */

/* The meta of exactly this suffix in one of the scopes, 0 = none. */
static unsigned int way_of(const void *elements, struct dg_hash hash, unsigned int scope)
{
	const struct dg_image_header *header = elements;
	const struct dg_image_bucket *bucket =
		(const struct dg_image_bucket *)elements + header->first;
	unsigned int left;

	bucket += (__u64)dg_hash_place(hash) * header->buckets >> 32;
	left = bucket->spill;
	for (;; bucket++) {
		for (int way = 0; way < DG_IMAGE_WAYS; way++)
			if (bucket->fp[way] == dg_hash_fp(hash) &&
			    bucket->meta[way] >> 16 == (hash.b & 0xffff) &&
			    bucket->meta[way] >> DG_IMAGE_SCOPE_SHIFT & scope)
				return bucket->meta[way] & DG_ANSWERS_MAX;
		if (!left--)
			return 0;
	}
}

/* The answer that the rule of abi.h gives to a question, from its whole name upward. 0 = none. */
static unsigned int decides(const void *elements, const char *text)
{
	const struct dg_image_header *header = elements;
	struct dg_name name = name_of(text);
	struct dg_hash hash[DG_LABELS_MAX];
	unsigned int labels = dg_wire_hashes(name.wire, name.len - 1u, key, hash);

	for (unsigned int depth = labels; depth; depth--) {
		unsigned int found;

		if (!(header->depths[(depth - 1) / 64] >> (depth - 1) % 64 & 1))
			continue;
		found = way_of(elements, hash[depth - 1],
			       depth == labels ? DG_SCOPE_SELF : DG_SCOPE_BELOW);
		if (found)
			return found;
	}
	return 0;
}

static int add_in(struct dg_image_builder *builder, const char *text, unsigned int answer,
		  enum dg_scope scope)
{
	struct dg_name name = name_of(text);

	return dg_image_add_name(builder, &name, answer, scope);
}

static const void *finish(struct dg_image_builder *builder)
{
	struct dg_error err;
	const void *image;
	__u64 count;

	assert_int_equal(dg_image_finish(builder, &image, &count, &err), 0);
	assert_int_equal(dg_image_check(image, count, &err), 0);
	return image;
}

static unsigned int answer_of(struct dg_image_builder *builder, unsigned int list, __u8 kind)
{
	struct dg_answer answer = { .kind = kind, .text = "list", .text_len = 4, .list = list };

	return (unsigned int)dg_image_add_answer(builder, &answer);
}

static void scopes_cover_what_they_say(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = builder_of(3);
	const struct dg_image_header *header;

	(void)state;
	assert_int_equal(add_in(builder, "a.example", 1, DG_SCOPE_SELF), DG_SCOPE_SELF);
	assert_int_equal(add_in(builder, "b.example", 2, DG_SCOPE_BELOW), DG_SCOPE_BELOW);
	assert_int_equal(add_in(builder, "c.example", 3, DG_SCOPE_SUFFIX), DG_SCOPE_SUFFIX);
	header = finish(builder);
	assert_int_equal(decides(header, "a.example"), 1);
	assert_int_equal(decides(header, "x.a.example"), 0);
	assert_int_equal(decides(header, "b.example"), 0);
	assert_int_equal(decides(header, "x.b.example"), 2);
	assert_int_equal(decides(header, "y.x.b.example"), 2);
	assert_int_equal(decides(header, "c.example"), 3);
	assert_int_equal(decides(header, "x.c.example"), 3);
	assert_int_equal(decides(header, "example"), 0);
}

static void a_name_may_have_two_answers(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = builder_of(2);
	const struct dg_image_header *header;
	const struct dg_answer *lists;

	(void)state;
	assert_int_equal(add_in(builder, "a.example", 1, DG_SCOPE_SELF), DG_SCOPE_SELF);
	assert_int_equal(add_in(builder, "a.example", 2, DG_SCOPE_SUFFIX), DG_SCOPE_BELOW);
	assert_int_equal(add_in(builder, "a.example", 2, DG_SCOPE_BELOW), 0);
	assert_int_equal(add_in(builder, "b.example", 2, DG_SCOPE_SELF), DG_SCOPE_SELF);
	assert_int_equal(add_in(builder, "b.example", 2, DG_SCOPE_BELOW), DG_SCOPE_BELOW);
	header = finish(builder);
	assert_int_equal(decides(header, "a.example"), 1);
	assert_int_equal(decides(header, "x.a.example"), 2);
	/* Two ways for the first name, one for the second; each list counts a name once. */
	assert_int_equal(header->names, 3);
	lists = (const struct dg_answer *)header;
	assert_int_equal(lists[1].names, 1);
	assert_int_equal(lists[2].names, 2);
}

static void the_most_specific_entry_decides(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = builder_of(2);
	unsigned int allow = answer_of(builder, 1, DG_ANSWER_ALLOW);
	const void *image;

	(void)state;
	add_in(builder, "a.example", allow, DG_SCOPE_SUFFIX);
	add_in(builder, "b.a.example", 1, DG_SCOPE_SUFFIX);
	add_in(builder, "c.b.a.example", allow, DG_SCOPE_SELF);
	image = finish(builder);
	assert_int_equal(decides(image, "x.a.example"), allow);
	assert_int_equal(decides(image, "b.a.example"), 1);
	assert_int_equal(decides(image, "c.b.a.example"), allow);
	assert_int_equal(decides(image, "x.c.b.a.example"), 1);
}

static void equal_answers_are_one(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = builder_of(2);
	struct dg_answer answer = { .kind = DG_ANSWER_ADDRESS, .flags = DG_ANS_V4, .list = 1 };
	unsigned int first;

	(void)state;
	assert_int_equal(answer_of(builder, 1, DG_ANSWER_NXDOMAIN), 1); /* the list's own */
	first = answer_of(builder, 1, DG_ANSWER_DROP);
	assert_int_equal(first, 3);
	assert_int_equal(answer_of(builder, 2, DG_ANSWER_DROP), 4);
	assert_int_equal(answer_of(builder, 1, DG_ANSWER_DROP), first);
	assert_int_equal(answer_of(builder, 0, DG_ANSWER_DROP), (unsigned int)-EINVAL);
	assert_int_equal(answer_of(builder, 3, DG_ANSWER_DROP), (unsigned int)-EINVAL);
	/* All there can be; that each is found at once is what lets this end in time. */
	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int i = 5; i <= DG_ANSWERS_MAX; i++) {
			memcpy(answer.v4, &i, sizeof(answer.v4));
			assert_int_equal(dg_image_add_answer(builder, &answer), i);
		}
	}
	memset(answer.v4, 0xff, sizeof(answer.v4));
	assert_int_equal(dg_image_add_answer(builder, &answer), -ENOSPC);
	assert_int_equal(dg_image_answer(builder, first)->kind, DG_ANSWER_DROP);
	assert_null(dg_image_answer(builder, 0));
	assert_null(dg_image_answer(builder, DG_ANSWERS_MAX + 1));
}

/* Whatever the order in which they come. */
static void the_higher_rank_keeps_the_name(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder =
		dg_image_builder_new(key, 0);
	struct dg_answer watching = { .kind = DG_ANSWER_OBSERVE }, blocking = { .kind = 1 };
	struct dg_name name = name_of("a.example");
	struct dg_image_item item = { .name = &name, .answer = 3, .scope = DG_SCOPE_SUFFIX };
	unsigned int raised;

	(void)state;
	dg_image_add_list(builder, &watching);
	dg_image_add_list(builder, &blocking);
	dg_image_add_list(builder, &blocking);
	raised = answer_of(builder, 3, DG_ANSWER_ALLOW);
	dg_image_raise_answer(builder, raised);
	assert_int_equal(add_in(builder, "a.example", 1, DG_SCOPE_SUFFIX), DG_SCOPE_SUFFIX);
	dg_image_add_names(builder, &item, 1);
	assert_int_equal(item.added, DG_SCOPE_SUFFIX);
	assert_int_equal(item.loser, 1);
	assert_int_equal(item.keeper, 0);
	assert_int_equal(add_in(builder, "a.example", raised, DG_SCOPE_SELF), DG_SCOPE_SELF);
	item.answer = 1;
	dg_image_add_names(builder, &item, 1);
	assert_int_equal(item.added, 0);
	assert_int_equal(item.keeper, 3);
	assert_int_equal(add_in(builder, "a.example", 2, DG_SCOPE_SUFFIX), DG_SCOPE_SUFFIX);
	assert_int_equal(dg_image_find_name(builder, &name, DG_SCOPE_SELF), 2);
}

static void names_are_given_other_answers(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = builder_of(2);
	struct dg_name name = name_of("a.example"), other = name_of("b.example");

	(void)state;
	add_in(builder, "a.example", 1, DG_SCOPE_SELF);
	assert_int_equal(dg_image_replace_name(builder, &name, 2, DG_SCOPE_SUFFIX), 0);
	assert_int_equal(dg_image_replace_name(builder, &other, 2, DG_SCOPE_SELF), -ENOENT);
	assert_int_equal(dg_image_replace_name(builder, &name, 3, DG_SCOPE_SELF), -EINVAL);
	assert_int_equal(dg_image_find_name(builder, &name, DG_SCOPE_SELF), 2);
	assert_int_equal(dg_image_find_name(builder, &name, DG_SCOPE_BELOW), 0);
}

struct seen {
	unsigned int count;
	char text[4][64];
};

static int see(void *arg, const struct dg_image_entry *entry)
{
	struct seen *seen = arg;
	char name[1025];

	snprintf(seen->text[seen->count++], sizeof(seen->text[0]), "%s %u %u",
		 dg_name_text(entry->wire, entry->len, name), entry->self, entry->below);
	return seen->count == 4;
}

static void folding_takes_away_what_is_decided_above(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = builder_of(2);
	struct dg_image_folded folded[DG_LISTS_MAX + 1] = { 0 };
	__u64 names[DG_LISTS_MAX + 1], before;
	struct seen seen = { 0 };
	const void *image;

	(void)state;
	add_in(builder, "y.x.a.example", 1, DG_SCOPE_SUFFIX); /* folded, before what folds it */
	add_in(builder, "x.a.example", 2, DG_SCOPE_SUFFIX);   /* shadowed */
	add_in(builder, "a.example", 1, DG_SCOPE_SUFFIX);
	add_in(builder, "b.example", 2, DG_SCOPE_SUFFIX);
	add_in(builder, "x.b.example", 1, DG_SCOPE_SELF); /* ranks higher: stays */
	add_in(builder, "c.example", 1, DG_SCOPE_SELF);
	add_in(builder, "x.c.example", 1, DG_SCOPE_SELF); /* nothing covers it: stays */
	before = dg_image_bytes(builder);
	assert_int_equal(dg_image_fold(builder, folded, NULL, NULL), 0);
	assert_int_equal(folded[1].folded, 1);
	assert_int_equal(folded[1].shadowed, 0);
	assert_int_equal(folded[2].folded, 0);
	assert_int_equal(folded[2].shadowed, 1);
	assert_int_equal(dg_image_count(builder, names), 5);
	assert_int_equal(names[1], 4);
	assert_int_equal(names[2], 1);
	assert_true(dg_image_bytes(builder) <= before);
	assert_int_equal(dg_image_each(builder, see, &seen), 1);
	assert_string_equal(seen.text[0], "a.example 1 1");
	assert_string_equal(seen.text[1], "b.example 2 2");
	assert_string_equal(seen.text[2], "x.b.example 1 0");
	image = finish(builder);
	assert_int_equal(decides(image, "y.x.a.example"), 1);
	assert_int_equal(decides(image, "x.b.example"), 1);
	assert_int_equal(decides(image, "y.x.b.example"), 2);
	assert_int_equal(add_in(builder, "d.example", 1, DG_SCOPE_SELF), -EINVAL); /* too late */
}

/* As of a zone, where each name that has data exists. */
static void add_stop(struct dg_image_builder *builder, const char *text, unsigned int answer,
		     enum dg_scope scope)
{
	struct dg_name name = name_of(text);
	struct dg_image_item item = {
		.name = &name, .answer = answer, .scope = scope, .stops = true
	};

	dg_image_add_names(builder, &item, 1);
	assert_int_equal(item.added, scope);
}

/* A wildcard does not reach below a name that exists: RFC 4592. There the next list decides, or none. */
static void claims_end_where_a_name_stops_them(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = builder_of(2);
	struct dg_image_folded folded[DG_LISTS_MAX + 1] = { 0 };
	unsigned int allow = answer_of(builder, 1, DG_ANSWER_ALLOW);
	const void *image;

	(void)state;
	add_in(builder, "z.x.a.example", 2, DG_SCOPE_SELF); /* not shadowed: list 1 ends at x */
	add_stop(builder, "a.example", 1, DG_SCOPE_BELOW);
	add_stop(builder, "x.a.example", 1, DG_SCOPE_SELF);
	add_stop(builder, "b.example", 1, DG_SCOPE_BELOW);
	add_stop(builder, "x.b.example", 1, DG_SCOPE_SELF);
	add_in(builder, "x.b.example", 2, DG_SCOPE_BELOW);
	add_stop(builder, "c.example", 1, DG_SCOPE_BELOW);
	add_stop(builder, "x.c.example", 1, DG_SCOPE_SUFFIX); /* it goes on */
	add_in(builder, "z.x.c.example", 2, DG_SCOPE_SELF);
	add_stop(builder, "d.example", 1, DG_SCOPE_BELOW);
	add_stop(builder, "w.v.d.example", 1, DG_SCOPE_SELF); /* makes v.d exist */
	add_stop(builder, "u.d.example", 1, DG_SCOPE_BELOW);
	assert_int_equal(dg_image_fold(builder, folded, NULL, NULL), 0);
	assert_int_equal(folded[2].shadowed, 1);
	image = finish(builder);
	assert_int_equal(decides(image, "q.a.example"), 1);
	assert_int_equal(decides(image, "x.a.example"), 1);
	assert_int_equal(decides(image, "q.x.a.example"), allow);
	assert_int_equal(decides(image, "q.q.x.a.example"), allow);
	assert_int_equal(decides(image, "z.x.a.example"), 2);
	assert_int_equal(decides(image, "q.x.b.example"), 2);
	assert_int_equal(decides(image, "q.x.c.example"), 1);
	assert_int_equal(decides(image, "z.x.c.example"), 1);
	assert_int_equal(decides(image, "q.d.example"), 1);
	assert_int_equal(decides(image, "w.v.d.example"), 1);
	assert_int_equal(decides(image, "v.d.example"), allow);
	assert_int_equal(decides(image, "q.v.d.example"), allow);
	assert_int_equal(decides(image, "u.d.example"), allow);
	assert_int_equal(decides(image, "q.u.d.example"), 1);
}

/* Many at once are as one by one, also when the index grows in the midst of them. */
static void many_at_once_are_as_one_by_one(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = builder_of(2);
	static struct dg_image_item item[5000];
	static struct dg_name name[5000];

	(void)state;
	for (unsigned int i = 0; i < 5000; i++) {
		name[i] = numbered(i / 2);
		item[i] = (struct dg_image_item){ .name = name + i,
						  .answer = 1 + i % 2,
						  .scope = DG_SCOPE_SUFFIX };
	}
	dg_image_add_names(builder, item, 5000);
	for (unsigned int i = 0; i < 5000; i++) {
		assert_int_equal(item[i].added, i % 2 ? 0 : DG_SCOPE_SUFFIX);
		assert_int_equal(item[i].keeper, i % 2);
		assert_int_equal(dg_image_find_name(builder, name + i, DG_SCOPE_SELF), 1);
	}
}

/* One image of a million names, shared by the tests below. */
struct million {
	struct dg_image_builder *builder;
	const void *image;
	__u64 count;
};

static int million_make(void **state)
{
	struct million *m = calloc(1, sizeof(*m));
	struct dg_error err;

	m->builder = builder_of(3);
	for (unsigned int i = 0; i < MILLION; i++) {
		struct dg_name name = numbered(i);

		if (dg_image_add_name(m->builder, &name, 1 + i % 3, DG_SCOPE_SUFFIX) !=
		    DG_SCOPE_SUFFIX)
			return -1;
	}
	*state = m;
	return dg_image_finish(m->builder, &m->image, &m->count, &err);
}

static int million_free(void **state)
{
	struct million *m = *state;

	dg_image_builder_free(&m->builder);
	free(m);
	return 0;
}

static void million_names_are_found(void **state)
{
	const struct million *m = *state;
	unsigned int lines;
	struct dg_error err;

	assert_int_equal(dg_image_check(m->image, m->count, &err), 0);
	for (unsigned int i = 0; i < MILLION; i++) {
		struct dg_name name = numbered(i);

		assert_int_equal(lookup(m->image, &name, &lines), 1 + i % 3);
	}
}

static void million_strangers_are_not(void **state)
{
	const struct million *m = *state;
	unsigned int lines, sum = 0;

	for (unsigned int i = MILLION; i < 2 * MILLION; i++) {
		struct dg_name name = numbered(i);

		assert_int_equal(lookup(m->image, &name, &lines), 0);
		sum += lines;
	}
	/* A name that is not listed, the usual one, touches little more than one cache line. */
	assert_in_range(sum, MILLION, MILLION + MILLION / 4);
}

static void million_names_cost_24_bytes_each(void **state)
{
	const struct million *m = *state;
	double bytes = (double)m->count * ELEMENT / MILLION;

	print_message("%.2f bytes a name\n", bytes);
	assert_true(bytes <= 24);
}

/* ---- files ---------------------------------------------------------------------------------- */

struct on_disk {
	char dir[32], path[64];
	char *elements; /* a copy that may be spoiled */
	__u64 count;
};

static int on_disk_make(void **state)
{
	struct on_disk *d = calloc(1, sizeof(*d));
	struct dg_image_builder *builder = builder_of(2);
	struct dg_error err;
	const void *image;

	if (dg_scratch_make(d->dir, sizeof(d->dir), "image"))
		return -1;
	snprintf(d->path, sizeof(d->path), "%s/image", d->dir);
	for (unsigned int i = 0; i < 1000; i++) {
		struct dg_name name = numbered(i);

		dg_image_add_name(builder, &name, 1 + i % 2, DG_SCOPE_SUFFIX);
	}
	if (dg_image_finish(builder, &image, &d->count, &err))
		return -1;
	d->elements = malloc(d->count * ELEMENT);
	memcpy(d->elements, image, d->count * ELEMENT);
	dg_image_builder_free(&builder);
	*state = d;
	return 0;
}

static int on_disk_free(void **state)
{
	struct on_disk *d = *state;

	unlink(d->path);
	rmdir(d->dir);
	free(d->elements);
	free(d);
	return 0;
}

static void file_holds_what_was_saved(void **state)
{
	struct on_disk *d = *state;
	const void *back = NULL;
	struct dg_error err;
	__u64 count = 0;

	assert_int_equal(dg_image_save(d->path, d->elements, d->count, &err), 0);
	assert_int_equal(dg_image_map(d->path, &back, &count, &err), 0);
	assert_int_equal(count, d->count);
	assert_memory_equal(back, d->elements, count * ELEMENT);
	dg_image_unmap(back, count);
}

/* Overwrites one octet of the file, or cuts it to `at` when value is negative. */
static void file_spoil(const char *path, long at, int value)
{
	FILE *file;

	if (value < 0) {
		assert_int_equal(truncate(path, at), 0);
		return;
	}
	file = fopen(path, "r+");
	assert_non_null(file);
	fseek(file, at, SEEK_SET);
	fputc(value, file);
	fclose(file);
}

static void spoiled_files_are_refused(void **state)
{
	static const struct {
		long at;
		int value;
		const char *reason;
	} rows[] = {
		{ 0, 0, "not a dnsguard image" },
		{ offsetof(struct dg_image_file, abi_version), 99, "layout version 99" },
		{ offsetof(struct dg_image_file, elements), 1, "cut short" },
		{ offsetof(struct dg_image_file, elements) + 7, 0x40, "cut short" },
		{ offsetof(struct dg_image_file, digest), 0, "SHA-256" },
		{ 5000, 0x5a, "SHA-256" },
		{ 6400, -1, "cut short" },
		{ 10, -1, "not a dnsguard image" },
		{ 0, -1, "not a dnsguard image" },
	};
	struct on_disk *d = *state;
	const void *back = NULL;
	struct dg_error err;
	__u64 count = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(dg_image_save(d->path, d->elements, d->count, &err), 0);
		file_spoil(d->path, rows[i].at, rows[i].value);
		assert_true(dg_image_map(d->path, &back, &count, &err) < 0);
		assert_non_null(strstr(err.text, rows[i].reason));
		assert_non_null(strstr(err.text, d->path));
	}
	assert_null(back);
	assert_int_equal(dg_image_map("/nonexistent/image", &back, &count, &err), -ENOENT);
	assert_int_equal(err.status, DG_EXIT_NOT_FOUND);
}

/* ---- what a hostile builder might write ----------------------------------------------------- */

struct parts {
	struct dg_image_header *header;
	struct dg_answer *list;	      /* list 1 */
	struct dg_image_bucket *used; /* some bucket with a name in way 0 */
	struct dg_image_bucket *last;
};

typedef void spoil_fn(struct parts *p);

static void spoil_magic(struct parts *p)
{
	p->header->magic++;
}
static void spoil_abi(struct parts *p)
{
	p->header->abi_version++;
}
static void spoil_lists(struct parts *p)
{
	p->header->lists = DG_LISTS_MAX + 1;
}
static void spoil_answers(struct parts *p)
{
	p->header->answers = 0;
}
static void spoil_first(struct parts *p)
{
	p->header->first++;
}
static void spoil_buckets(struct parts *p)
{
	p->header->buckets++;
}
static void spoil_no_buckets(struct parts *p)
{
	p->header->buckets = 0;
}
static void spoil_names(struct parts *p)
{
	p->header->names++;
}
static void spoil_depth(struct parts *p)
{
	p->header->depths[1] = 1ull << 63;
}
static void spoil_no_depth(struct parts *p)
{
	p->header->depths[0] = 0;
}
static void spoil_kind(struct parts *p)
{
	p->list->kind = DG_ANSWER_KINDS;
}
static void spoil_flags(struct parts *p)
{
	p->list->flags = 0x80;
}
static void spoil_number(struct parts *p)
{
	p->list->list = 2;
}
static void spoil_address(struct parts *p)
{
	p->list->kind = DG_ANSWER_ADDRESS;
}
static void spoil_text_len(struct parts *p)
{
	p->list->text_len = DG_TEXT_MAX + 1;
}
static void spoil_text(struct parts *p)
{
	p->list->text[0] = '\n';
}
static void spoil_text_tail(struct parts *p)
{
	p->list->text[DG_TEXT_MAX - 1] = 'x';
}
static void spoil_way_list(struct parts *p)
{
	p->used->meta[0] |= DG_ANSWERS_MAX;
}
static void spoil_way_no_list(struct parts *p)
{
	p->used->meta[0] &= ~(__u32)DG_ANSWERS_MAX;
}
static void spoil_way_scope(struct parts *p)
{
	p->used->meta[0] &= ~(DG_SCOPE_SUFFIX << DG_IMAGE_SCOPE_SHIFT);
}
static void spoil_way_free(struct parts *p)
{
	p->used->fp[0] = 0;
}
static void spoil_spill(struct parts *p)
{
	p->used->spill = DG_IMAGE_SPILL_MAX + 1;
}
static void spoil_last_spill(struct parts *p)
{
	p->last->spill = 1;
}

static struct parts parts_of(char *elements, __u64 count)
{
	struct parts p = { .header = (void *)elements, .list = (void *)(elements + ELEMENT) };

	p.used = (void *)(elements + p.header->first * ELEMENT);
	while (!p.used->fp[0])
		p.used++;
	p.last = (void *)(elements + (count - 1) * ELEMENT);
	return p;
}

static void malformed_images_are_refused(void **state)
{
	static spoil_fn *const spoils[] = {
		spoil_magic,	spoil_abi,     spoil_lists,	 spoil_answers,	 spoil_way_scope,
		spoil_first,	spoil_buckets, spoil_no_buckets, spoil_names,	 spoil_depth,
		spoil_no_depth, spoil_kind,    spoil_flags,	 spoil_number,	 spoil_address,
		spoil_text_len, spoil_text,    spoil_text_tail,	 spoil_way_list, spoil_way_no_list,
		spoil_way_free, spoil_spill,   spoil_last_spill,
	};
	struct on_disk *d = *state;
	char *copy = malloc(d->count * ELEMENT);
	struct dg_error err;

	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		struct parts p;

		memcpy(copy, d->elements, d->count * ELEMENT);
		p = parts_of(copy, d->count);
		assert_int_equal(dg_image_check(copy, d->count, &err), 0);
		spoils[i](&p);
		assert_true(dg_image_check(copy, d->count, &err) < 0);
	}
	memcpy(copy, d->elements, d->count * ELEMENT);
	for (__u64 count = 0; count < d->count; count++)
		assert_true(dg_image_check(copy, count, &err) < 0);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_names_and_nothing_else),
		cmocka_unit_test(empty_and_crowded_images_hold),
		cmocka_unit_test(crowded_places_widen_the_table),
		cmocka_unit_test(lists_are_bounded),
		cmocka_unit_test(scopes_cover_what_they_say),
		cmocka_unit_test(a_name_may_have_two_answers),
		cmocka_unit_test(the_most_specific_entry_decides),
		cmocka_unit_test(equal_answers_are_one),
		cmocka_unit_test(the_higher_rank_keeps_the_name),
		cmocka_unit_test(names_are_given_other_answers),
		cmocka_unit_test(folding_takes_away_what_is_decided_above),
		cmocka_unit_test(claims_end_where_a_name_stops_them),
		cmocka_unit_test(many_at_once_are_as_one_by_one),
		cmocka_unit_test_setup_teardown(file_holds_what_was_saved, on_disk_make,
						on_disk_free),
		cmocka_unit_test_setup_teardown(spoiled_files_are_refused, on_disk_make,
						on_disk_free),
		cmocka_unit_test_setup_teardown(malformed_images_are_refused, on_disk_make,
						on_disk_free),
	};
	const struct CMUnitTest million[] = {
		cmocka_unit_test(million_names_are_found),
		cmocka_unit_test(million_strangers_are_not),
		cmocka_unit_test(million_names_cost_24_bytes_each),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	return failed + cmocka_run_group_tests(million, million_make, million_free);
}
