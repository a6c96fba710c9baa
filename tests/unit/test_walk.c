// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_walk.c - the program's own rooms bpf/sinkhole.bpf.h and bpf/reply.bpf.h, run natively against rules written down
 * once more here: of thousands of names in random scopes each question finds what the most specific entry says, and
 * the words of an answer and their checksum are right for every length.
 *
 * Where a map is, the addresses of the program's maps lead to memory of this test; filters are filled as hash.h says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "userspace/lib/image.h"
#include "userspace/lib/names.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpointer-arith"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("alignment"))), apply_to = function)
#endif
/* The helpers are what they are called; the library's own of the same names are not used here. */
#define bpf_map_lookup_elem kernel_map_lookup_elem
#define bpf_map_update_elem kernel_map_update_elem
#define bpf_map_delete_elem kernel_map_delete_elem
#define bpf_loop kernel_loop
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#undef bpf_map_lookup_elem
#undef bpf_map_update_elem
#undef bpf_map_delete_elem
#undef bpf_loop

static void *lookup(void *map, const void *key);
static long loop(__u32 turns, void *turn, void *arg, __u64 flags);
#define bpf_map_lookup_elem lookup
#define bpf_loop loop
#include "bpf/sinkhole.bpf.h"
#include "bpf/reply.bpf.h"
#undef bpf_map_lookup_elem
#undef bpf_loop
#ifdef __clang__
#pragma clang attribute pop
#endif
#pragma GCC diagnostic pop

static const __u64 key[4] = { 0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
			      0x082efa98ec4e6c89 };

/* ---- a guard of memory ---------------------------------------------------------------------- */

#define OWN_SLOTS 4096 /* a power of two, far more than entries */

struct own_slot {
	struct dg_hash hash;
	bool used;
	struct dg_own entry;
};

struct world {
	struct dg_settings settings;
	struct dg_scratch scratch;
	struct dg_own_filter own_filter;
	struct dg_list_filter list_filter;
	struct dg_list_large list_large;
	struct own_slot own[OWN_SLOTS];
	const struct dg_image_bucket *elements; /* any 64 octets */
	__u64 count;
};

static struct world *world;

static struct own_slot *own_slot(struct dg_hash hash)
{
	__u64 at = hash.a;

	while (world->own[at % OWN_SLOTS].used && (world->own[at % OWN_SLOTS].hash.a != hash.a ||
						   world->own[at % OWN_SLOTS].hash.b != hash.b))
		at++;
	return world->own + at % OWN_SLOTS;
}

static void *lookup_own(const struct dg_hash *hash)
{
	struct own_slot *slot = own_slot(*hash);

	return slot->used ? &slot->entry : NULL;
}

static void *element(__u64 at)
{
	return at < world->count ? (void *)(uintptr_t)(world->elements + at) : NULL;
}

/* The rows of the slot in use are the image's first elements; those of the other slot are nobody's. */
static void *lookup_row(__u32 row)
{
	__u32 used = DG_IMAGE_AT_SLOT(world->settings.image);

	return row / DG_LIST_ROWS == used ? element(row % DG_LIST_ROWS) : NULL;
}

static void *lookup(void *map, const void *at)
{
	__u32 number;

	if (map == &dg_own)
		return lookup_own(at);
	memcpy(&number, at, sizeof(number));
	if (map == &dg_own_filter)
		return number ? NULL : &world->own_filter;
	if (map == &dg_list_filter)
		return number ? NULL : &world->list_filter;
	if (map == &dg_list_large)
		return number == DG_IMAGE_AT_SLOT(world->settings.image) ? &world->list_large :
									   NULL;
	if (map == &world->list_large)
		return number ? NULL : map;
	if (map == &dg_lists)
		return lookup_row(number);
	if (map == &dg_image)
		return number == DG_IMAGE_AT_SLOT(world->settings.image) ? world : NULL;
	assert_ptr_equal(map, world); /* the image itself */
	return element(number);
}

static long loop(__u32 turns, void *turn, void *arg, __u64 flags)
{
	long (*call)(__u32, void *) = (long (*)(__u32, void *))turn;
	__u32 done = 0;

	(void)flags;
	while (done < turns)
		if (call(done++, arg))
			break;
	return done;
}

static int world_make(void **state)
{
	(void)state;
	world = calloc(1, sizeof(*world));
	memcpy(world->settings.hash_key, key, sizeof(key));
	world->settings.sinkhole_mode = DG_ENFORCE;
	return world ? 0 : -1;
}

static int world_end(void **state)
{
	(void)state;
	free(world);
	return 0;
}

/* Fills filter and settings for the image as its publication does. */
static void image_use(const void *elements, __u64 count, __u32 slot, bool large)
{
	const struct dg_image_header *header = elements;
	const struct dg_image_bucket *bucket = elements;
	__u32 words = large ? DG_LIST_LARGE_WORDS : DG_LIST_FILTER_WORDS;
	__u64 *filter = large ? world->list_large.word : world->list_filter.word;

	world->elements = elements;
	world->count = count;
	for (__u64 i = header->first; i < count; i++) {
		for (__u32 way = 0; way < DG_IMAGE_WAYS; way++) {
			__u64 mix = dg_hash_filter_mix(bucket[i].fp[way]);

			if (bucket[i].fp[way])
				filter[dg_hash_filter_word(mix, words)] |= dg_hash_filter_bits(mix);
		}
	}
	world->settings.image = DG_IMAGE_AT(slot, large, header->first, header->buckets);
	memcpy(world->settings.image_depths, header->depths, sizeof(header->depths));
}

static void own_add(const struct dg_name *name, __u8 kind, __u64 until_ns)
{
	struct dg_hash hash = dg_name_hash(name, key);
	__u32 bit = dg_hash_filter_bit(hash, DG_OWN_FILTER_WORDS * 64u);
	struct own_slot *slot = own_slot(hash);

	world->settings.own_entries += !slot->used;
	slot->hash = hash;
	slot->used = true;
	slot->entry = (struct dg_own){ .answer = { .kind = kind }, .until_ns = until_ns };
	world->own_filter.word[bit / 64] |= 1ull << (bit % 64);
}

/* ---- asking --------------------------------------------------------------------------------- */

struct found {
	enum dg_verdict verdict;
	__u32 labels, list, kind;
};

static struct found ask(const __u8 *wire, __u32 len, __u64 now_ns)
{
	struct dg_scratch *scratch = &world->scratch;
	struct labels labels = { scratch->label, scratch->label_at };
	struct packet pkt = { .set = &world->settings, .f = &scratch->facts };
	__u8 msg[12 + 255 + 4 + 1] = { [5] = 1 };
	struct message message = { msg, msg + 12 + len + 4, 12 + len + 4 };
	struct found found = { 0 };

	memcpy(msg + 12, wire, len);
	msg[12 + len + 1] = msg[12 + len + 3] = 1;
	memset(scratch, 0xa5, sizeof(*scratch)); /* what another packet left */
	scratch->facts = (struct facts){ .now_ns = now_ns, .list = DG_LIST_NONE };
	assert_int_equal(question_read(&message, key, &labels, &scratch->q), DG_NEXT);
	found.verdict = sinkhole_find(&pkt, scratch);
	if (!found.verdict)
		found = (struct found){ DG_NEXT, scratch->facts.match_labels, scratch->answer.list,
					scratch->answer.kind };
	return found;
}

/* ---- lists ---------------------------------------------------------------------------------- */

#define NAMES 100000
#define ASKED 400000
#define LISTS 5
#define EXTRA 700 /* answers of single names: more than the rows hold */
#define NOW (100 * 1000000000ull)

struct listed {
	struct dg_name name;
	__u32 self, below; /* answer numbers, 0 = not covered */
};

static struct listed *names;
static __u32 names_count, *by_hash; /* number + 1 in `names` */
#define HASH_SLOTS (1u << 20)

static __u64 random_seed = 1;

static __u32 chance(__u32 below)
{
	random_seed += 0x9e3779b97f4a7c15ull;
	return (__u32)((dg_mix64(random_seed) >> 32) * below >> 32);
}

/* Not dg_hash: what is examined must not be its own measure. */
static __u32 *slot_of(const __u8 *wire, __u32 len)
{
	__u64 at = 0xcbf29ce484222325ull;

	for (__u32 i = 0; i < len; i++)
		at = (at ^ wire[i]) * 0x100000001b3ull;
	for (at ^= at >> 29;; at++) {
		__u32 *slot = by_hash + at % HASH_SLOTS;

		if (!*slot || (names[*slot - 1].name.len == len &&
			       !memcmp(names[*slot - 1].name.wire, wire, len)))
			return slot;
	}
}

/* `parent` with one label in front: of one octet, or of many, or of any octets. False = too long. */
static bool name_under(const struct dg_name *parent, struct dg_name *ret)
{
	__u32 octets = chance(20) ? 1 + chance(6) : 1 + chance(63);

	if (parent->len + octets + 1 > DG_NAME_MAX)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->wire[0] = (__u8)octets;
	for (__u32 i = 1; i <= octets; i++)
		ret->wire[i] = (__u8)(chance(30) ? 'a' + chance(26) : (chance(256) & ~0x40u));
	memcpy(ret->wire + 1 + octets, parent->wire, parent->len);
	ret->len = (__u8)(parent->len + 1 + octets);
	ret->labels = parent->labels + 1;
	return true;
}

/* Half of the time below one of the latest names, so that chains of 127 labels come about. */
static void name_make(struct dg_name *ret)
{
	static const struct dg_name root = { .len = 1 };
	const struct dg_name *parent = &root;

	do {
		if (names_count && chance(50))
			parent = &names[chance(2) ?
						chance(names_count) :
						names_count - 1 -
							chance(names_count < 3 ? names_count : 3)]
					  .name;
	} while (!name_under(parent, ret));
}

/* One chain down to the longest name there is: 127 labels of one octet. */
static void chain_make(struct dg_name *ret)
{
	static const struct dg_name root = { .len = 1 };
	const struct dg_name *parent = names_count ? &names[names_count - 1].name : &root;

	memset(ret, 0, sizeof(*ret));
	ret->wire[0] = 1;
	ret->wire[1] = 'q';
	memcpy(ret->wire + 2, parent->wire, parent->len);
	ret->len = parent->len + 2;
	ret->labels = parent->labels + 1;
}

static void name_list(struct dg_image_builder *b, struct listed *listed)
{
	__u32 answer = 1 + chance(LISTS + EXTRA), scope = 1 + chance(3);

	if (scope & DG_SCOPE_SELF)
		listed->self = answer;
	if (scope & DG_SCOPE_BELOW)
		listed->below = answer;
	assert_int_equal(dg_image_add_name(b, &listed->name, answer, scope), scope);
	if (scope == DG_SCOPE_SUFFIX || chance(2))
		return;
	answer = 1 + chance(LISTS + EXTRA);
	*(scope == DG_SCOPE_SELF ? &listed->below : &listed->self) = answer;
	scope ^= DG_SCOPE_SUFFIX;
	assert_int_equal(dg_image_add_name(b, &listed->name, answer, scope), scope);
}

static struct dg_image_builder *lists_make(void)
{
	struct dg_image_builder *b = dg_image_builder_new(key, NAMES);
	struct dg_answer answer = { .kind = DG_ANSWER_NXDOMAIN };

	for (__u32 i = 0; i < LISTS; i++)
		assert_int_equal(dg_image_add_list(b, &answer), i + 1);
	for (__u32 i = 0; i < EXTRA; i++) {
		answer.kind = DG_ANSWER_ADDRESS;
		answer.flags = DG_ANS_V4;
		answer.list = 1 + i % LISTS;
		memcpy(answer.v4, &i, sizeof(i));
		assert_int_equal(dg_image_add_answer(b, &answer), LISTS + 1 + i);
	}
	names = calloc(NAMES, sizeof(*names));
	by_hash = calloc(HASH_SLOTS, sizeof(*by_hash));
	while (names_count < NAMES) {
		struct listed listed = { 0 };
		__u32 *slot;

		if (names_count < DG_LABELS_MAX)
			chain_make(&listed.name);
		else
			name_make(&listed.name);
		slot = slot_of(listed.name.wire, listed.name.len);
		if (*slot)
			continue;
		if (names_count % 3 != 1) /* every third is a parent that is not listed */
			name_list(b, &listed);
		names[names_count++] = listed;
		*slot = names_count;
	}
	return b;
}

/* The rule in words: the most specific entry, at the question's own depth one for itself, above it one for below. */
static __u32 rule(const struct dg_name *asked, __u32 *ret_labels)
{
	__u32 at = 0;

	for (__u32 labels = asked->labels; labels; labels--) {
		__u32 number = *slot_of(asked->wire + at, asked->len - at), answer = 0;

		if (number && labels == asked->labels)
			answer = names[number - 1].self;
		else if (number)
			answer = names[number - 1].below;
		*ret_labels = labels;
		if (answer)
			return answer;
		at += 1u + asked->wire[at];
	}
	return 0;
}

static void shout(struct dg_name *name)
{
	for (__u32 at = 0; name->wire[at]; at += 1u + name->wire[at])
		for (__u32 i = 1; i <= name->wire[at]; i++)
			if (name->wire[at + i] >= 'a' && name->wire[at + i] <= 'z' && chance(2))
				name->wire[at + i] -= 'a' - 'A';
}

static void asked_make(__u32 turn, struct dg_name *ret)
{
	*ret = names[turn % NAMES].name;
	if (turn >= NAMES && !name_under(&names[chance(NAMES)].name, ret))
		*ret = names[chance(NAMES)].name;
	for (struct dg_name parent = *ret; turn >= 2 * NAMES && chance(3); parent = *ret)
		if (!name_under(&parent, ret))
			break;
}

static void lists_ask(const void *elements)
{
	const struct dg_answer *answers = elements;
	__u32 hits = 0;

	for (__u32 turn = 0; turn < ASKED; turn++) {
		struct dg_name asked;
		struct found found;
		__u32 labels, answer;

		asked_make(turn, &asked);
		answer = rule(&asked, &labels);
		shout(&asked);
		found = ask(asked.wire, asked.len, NOW);
		assert_int_equal(found.verdict, answer ? DG_NEXT : DG_PASS_CLEAN);
		if (!answer)
			continue;
		hits++;
		assert_int_equal(found.labels, labels);
		assert_int_equal(found.list, answers[answer].list);
		assert_memory_equal(&world->scratch.answer, answers + answer, sizeof(*answers));
	}
	assert_in_range(hits, ASKED / 2, ASKED - 1000);
}

static void each_name_is_found_in_its_scope(void **state)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *b = lists_make();
	const void *elements;
	struct dg_error err;
	__u64 count;

	(void)state;
	assert_int_equal(dg_image_finish(b, &elements, &count, &err), 0);
	assert_int_equal(dg_image_check(elements, count, &err), 0);
	for (__u32 slot = 0; slot < DG_IMAGE_SLOTS; slot++) {
		/* once with each size of filter; the other one says no to all */
		image_use(elements, count, slot, slot == 1);
		lists_ask(elements);
		memset(&world->list_filter, 0, sizeof(world->list_filter));
	}
	free(names);
	free(by_hash);
}

/* ---- the operator's entries ----------------------------------------------------------------- */

#define CHAIN 127
#define IMAGES 200 /* each with so many states of the entries */
#define STATES 100

struct own_state {
	__u8 kind[CHAIN + 1]; /* at this depth, + 1; 0 = no entry */
	bool past[CHAIN + 1];
};

/* q.q.q ... of that many labels. */
static void chain_name(__u32 labels, struct dg_name *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (; ret->labels < labels; ret->len += 2, ret->labels++)
		memcpy(ret->wire + ret->len, "\1q", 2);
	ret->len++;
}

static void own_random(struct own_state *state)
{
	struct dg_name name;

	memset(world->own, 0, sizeof(world->own));
	memset(&world->own_filter, 0, sizeof(world->own_filter));
	memset(state, 0, sizeof(*state));
	world->settings.own_entries = 0;
	for (__u32 left = chance(6); left; left--) {
		__u32 depth = 1 + chance(CHAIN);

		state->kind[depth] = (__u8)(chance(3) ? 1 + DG_ANSWER_NXDOMAIN + chance(8) :
							1 + DG_ANSWER_ALLOW);
		state->past[depth] = !chance(4);
		chain_name(depth, &name);
		own_add(&name, state->kind[depth] - 1,
			state->past[depth] ? NOW :
			chance(2)	   ? 0 :
					     NOW + 1);
	}
}

/* An allow at any depth; else the deepest block; else the list's entry, which covers all names but its own. */
static struct found own_rule(const struct own_state *state, __u32 labels, __u32 listed)
{
	struct found found = { DG_PASS_CLEAN, 0, 0, 0 };

	if (listed && listed < labels)
		found = (struct found){ DG_NEXT, listed, 1, DG_ANSWER_REFUSED };
	for (__u32 depth = 1; depth <= labels; depth++)
		if (state->kind[depth] && !state->past[depth])
			found = (struct found){ DG_NEXT, depth, 0, state->kind[depth] - 1u };
	for (__u32 depth = 1; depth <= labels; depth++)
		if (state->kind[depth] == 1 + DG_ANSWER_ALLOW && !state->past[depth])
			found = (struct found){ DG_NEXT, 0, 0, DG_ANSWER_ALLOW };
	return found;
}

static struct dg_image_builder *one_listed(__u32 labels)
{
	struct dg_image_builder *b = dg_image_builder_new(key, 1);
	struct dg_answer answer = { .kind = DG_ANSWER_REFUSED };
	struct dg_name name;
	const void *elements;
	struct dg_error err;
	__u64 count;

	chain_name(labels, &name);
	assert_int_equal(dg_image_add_list(b, &answer), 1);
	assert_int_equal(dg_image_add_name(b, &name, 1, DG_SCOPE_BELOW), DG_SCOPE_BELOW);
	assert_int_equal(dg_image_finish(b, &elements, &count, &err), 0);
	memset(&world->list_filter, chance(2) ? 0xff : 0, sizeof(world->list_filter));
	image_use(elements, count, chance(2), false);
	return b;
}

static void own_ask(const struct own_state *state, __u32 listed)
{
	struct found want, got;
	struct dg_name name;

	for (int turn = 0; turn < 10; turn++) {
		chain_name(1 + chance(CHAIN), &name);
		want = own_rule(state, name.labels, listed);
		got = ask(name.wire, name.len, NOW);
		assert_int_equal(got.verdict, want.verdict);
		assert_int_equal(got.kind, want.kind);
		assert_int_equal(got.list, want.list);
		if (want.labels)
			assert_int_equal(got.labels, want.labels);
	}
}

/* Names of one chain, so that every entry is above every deeper question; 127 labels, and half of the time a full filter. */
static void the_operators_entries_go_first(void **state)
{
	struct own_state own;

	(void)state;
	for (__u32 turn = 0; turn < IMAGES; turn++) {
		__u32 listed = 1 + chance(CHAIN);
		struct dg_image_builder *b = one_listed(listed);

		for (__u32 again = 0; again < STATES; again++) {
			own_random(&own);
			own_ask(&own, listed);
		}
		dg_image_builder_free(&b);
	}
}

/* ---- words and their sum -------------------------------------------------------------------- */

/* RFC 1071, section 1, octet by octet. */
static __u16 sum_plain(const __u8 *at, __u32 len)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < len; i++)
		sum += i % 2 ? at[i] : at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

static void octets_make(__u8 *at, __u32 len, __u32 turn)
{
	for (__u32 i = 0; i < len; i++)
		at[i] = turn == 0 ? 0xff : turn == 1 ? 0 : (__u8)chance(256);
}

/* Of a tail: what write_tail() says where it writes it. A record has more than eight octets. */
static __u64 tail_written(__u8 *at, const __u8 *tail, __u32 len)
{
	struct dg_scratch scratch;
	__u64 sum = 0;

	memcpy(scratch.tail, tail, sizeof(scratch.tail));
	assert_true(write_tail(at, &scratch, len, at + len, &sum));
	return sum;
}

/* From the smallest question to the longest answer, each behind it at random; what stands around them does not count. */
static void the_sum_is_right_for_every_length(void **state)
{
	__u8 memory[16 + 512 + 16], tail[sizeof(((struct dg_scratch *)0)->tail)];

	(void)state;
	for (__u32 len = DG_HEADER_BYTES + 1 + 4; len <= DG_QUESTION_MAX; len++) {
		for (__u32 turn = 0; turn < 200; turn++) {
			__u32 behind = turn % 4 ? 8 + chance(DG_TAIL_MAX - 8 + 1) : 0;
			__u8 *msg = memory + chance(8) * 2;
			__u64 sum;

			octets_make(memory, sizeof(memory), 2);
			octets_make(msg, len, turn);
			octets_make(tail, sizeof(tail), turn);
			sum = sum_behind(tail_written(msg + len, tail, behind), len);
			sum += sum_question(msg, len, msg + len);
			assert_int_equal(bpf_ntohs((__u16)~sum_fold(sum)),
					 sum_plain(msg, len + behind));
		}
	}
}

static void a_sum_beyond_the_frame_is_not_read(void **state)
{
	__u8 *msg = malloc(40);

	(void)state;
	memset(msg, 0xff, 40);
	assert_int_equal(sum_question(msg, 41, msg + 40), 0);
	free(msg);
}

/* What an answer may have behind its question: none, an OPT, a record, a record and an OPT with its options. */
static void the_tail_is_written_for_every_length(void **state)
{
	__u8 frame[8 + DG_TAIL_MAX + 8], want[sizeof(frame)];
	struct dg_scratch scratch;
	__u64 sum;

	(void)state;
	for (__u32 len = 0; len <= DG_TAIL_MAX; len += len ? 1 : 8) {
		for (__u32 turn = 0; turn < 50; turn++) {
			octets_make(scratch.tail, sizeof(scratch.tail), 2);
			octets_make(frame, sizeof(frame), 2);
			memcpy(want, frame, sizeof(frame));
			memcpy(want + 8, scratch.tail, len);
			assert_true(write_tail(frame + 8, &scratch, len, frame + 8 + len, &sum));
			assert_memory_equal(frame, want, sizeof(frame));
			if (len)
				assert_false(write_tail(frame + 8, &scratch, len,
							frame + 8 + len - 1, &sum));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_name_is_found_in_its_scope, world_make,
						world_end),
		cmocka_unit_test_setup_teardown(the_operators_entries_go_first, world_make,
						world_end),
		cmocka_unit_test(the_sum_is_right_for_every_length),
		cmocka_unit_test(a_sum_beyond_the_frame_is_not_read),
		cmocka_unit_test(the_tail_is_written_for_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
