// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_collision.c - the keyed hash of names: no two of millions of names share fingerprint and tag,
 * be they random, alike in all but one octet, or made by somebody who knows the hash but not the key;
 * and what collides under one key does not under another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "userspace/lib/names.h"

#define NAMES 2000000u

static const __u64 keys[][4] = {
	{ 0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89 },
	{ 0x452821e638d01377, 0xbe5466cf34e90c6c, 0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917 },
	{ 0x9216d5d98979fb1b, 0xd1310ba698dfb5ac, 0x2ffd72dbd01adfb7, 0xb8e1afed6a267e96 },
	{ 0xba7c9045f12c7f99, 0x24a19947b3916cf7, 0x0801f2e2858efc16, 0x636920d871574e69 },
};

/* No key at all: what it makes of names that are alike shows that the tests would see it. */
static const __u64 no_key[4] = { 1, 2, 3, 4 };

/* The 80 bits that an image compares, and 16 of them that fit no more into one word. */
struct print {
	__u64 fp;
	__u32 tag, number;
};

static struct print *prints;

static int prints_make(void **state)
{
	(void)state;
	prints = malloc(NAMES * sizeof(*prints));
	return prints ? 0 : -1;
}

static int prints_free(void **state)
{
	(void)state;
	free(prints);
	return 0;
}

static int print_compare(const void *a, const void *b)
{
	const struct print *x = a, *y = b;

	if (x->fp != y->fp)
		return x->fp < y->fp ? -1 : 1;
	return x->tag < y->tag ? -1 : x->tag > y->tag;
}

/* Writes name number i of a family in wire form. */
typedef void family_fn(__u32 i, struct dg_name *name);

static void name_begin(struct dg_name *name)
{
	memset(name, 0, sizeof(*name));
}

static void label_add(struct dg_name *name, const void *octets, __u32 len)
{
	name->wire[name->len] = (__u8)len;
	memcpy(name->wire + name->len + 1, octets, len);
	name->len += 1 + len;
	name->labels++;
}

static void name_end(struct dg_name *name)
{
	name->wire[name->len++] = 0;
}

/* Octets of a number that folding leaves alone and that differ from all others' of its length. */
static __u64 octets_of(__u64 number)
{
	__u64 word = 0;

	for (int i = 0; i < 8; i++)
		word |= (0x80 | (number >> 4 * i & 15)) << 8 * i;
	return word;
}

static void random_names(__u32 i, struct dg_name *name)
{
	__u64 word[5] = { 0, 0, 0, 0, octets_of(i) };

	for (int k = 0; k < 4; k++)
		word[k] = octets_of(dg_mix64(i * 4ull + (unsigned int)k));
	name_begin(name);
	label_add(name, word, 1 + dg_mix64(i) % 31);
	label_add(name, word + 4, 8); /* so that no two are the same */
	label_add(name, "example", 7);
	name_end(name);
}

/* Consecutive numbers in one octet string: names that differ in few bits. */
static void neighbours(__u32 i, struct dg_name *name)
{
	__u64 word = octets_of(i);

	name_begin(name);
	label_add(name, &word, 8);
	label_add(name, "example", 7);
	name_end(name);
}

/* The same octets, cut into labels at every set bit of the number: only the label lengths differ. */
static void cuts(__u32 i, struct dg_name *name)
{
	__u32 from = 0;

	name_begin(name);
	for (__u32 at = 1; at <= 24; at++) {
		if (at < 24 && !(i >> (at - 1) & 1))
			continue;
		label_add(name, "aaaaaaaaaaaaaaaaaaaaaaaa", at - from);
		from = at;
	}
	name_end(name);
}

/* Two labels that change together: what cancels when the lanes are added or xored. */
static void twins(__u32 i, struct dg_name *name)
{
	__u64 low = octets_of(i & 0x7ff), high = octets_of(i >> 11);

	name_begin(name);
	label_add(name, &low, 8);
	label_add(name, &high, 8);
	label_add(name, &low, 8);
	label_add(name, &high, 8);
	name_end(name);
}

/* Differences in the highest bits only, where a multiplication mixes least. */
static void high_bits(__u32 i, struct dg_name *name)
{
	__u8 octets[62];

	memset(octets, 0x40, sizeof(octets));
	for (int bit = 0; bit < 21; bit++)
		octets[7 + 2 * bit] |= (i >> bit & 1) << 7;
	name_begin(name);
	label_add(name, octets, sizeof(octets));
	label_add(name, "example", 7);
	name_end(name);
}

/* Names of many labels, one octet each. */
static void deep(__u32 i, struct dg_name *name)
{
	name_begin(name);
	for (int bit = 0; bit < 21; bit++)
		label_add(name, i >> bit & 1 ? "x" : "y", 1);
	label_add(name, "example", 7);
	name_end(name);
}

static family_fn *const families[] = { random_names, neighbours, cuts, twins, high_bits, deep };
#define FAMILIES (sizeof(families) / sizeof(families[0]))

static void no_two_names_are_taken_for_one(void **state)
{
	struct dg_name name;

	(void)state;
	for (size_t family = 0; family < FAMILIES; family++) {
		const __u64 *key = keys[family % 4];

		for (__u32 i = 0; i < NAMES; i++) {
			struct dg_hash hash;

			families[family](i, &name);
			hash = dg_name_hash(&name, key);
			prints[i] = (struct print){ dg_hash_fp(hash), dg_hash_tag(hash), i };
		}
		qsort(prints, NAMES, sizeof(*prints), print_compare);
		for (__u32 i = 1; i < NAMES; i++)
			if (!print_compare(prints + i - 1, prints + i))
				fail_msg("family %zu: names %u and %u are one", family,
					 prints[i - 1].number, prints[i].number);
	}
}

/* How many of a family's names share half a fingerprint with the one before, in their order. */
static __u32 half_collisions(family_fn *family, const __u64 key[4])
{
	struct dg_name name;
	__u32 equal = 0;

	for (__u32 i = 0; i < NAMES; i++) {
		family(i, &name);
		prints[i] = (struct print){ dg_hash_fp(dg_name_hash(&name, key)) >> 32, 0, i };
	}
	qsort(prints, NAMES, sizeof(*prints), print_compare);
	for (__u32 i = 1; i < NAMES; i++)
		equal += prints[i - 1].fp == prints[i].fp;
	return equal;
}

/*
 * 32 bits of the fingerprint collide by chance, 466 times in two million names: far more would mean
 * that names alike hash alike, far fewer that the test sees nothing.
 */
static void half_a_fingerprint_collides_as_chance_has_it(void **state)
{
	(void)state;
	for (size_t family = 0; family < FAMILIES; family++)
		assert_in_range(half_collisions(families[family], keys[family % 4]), 466 - 120,
				466 + 120);
	for (size_t k = 0; k < 4; k++)
		assert_in_range(half_collisions(neighbours, keys[k]), 466 - 120, 466 + 120);
	assert_true(half_collisions(neighbours, no_key) > NAMES / 2);
}

/* Pairs that share a bucket of a small table under one key share it under another as chance has it. */
static void a_key_tells_nothing_of_another(void **state)
{
	struct dg_name name;
	__u32 both = 0, one = 0;

	(void)state;
	for (__u32 i = 0; i < 1000000; i++) {
		struct dg_hash a, b;

		neighbours(i, &name);
		a = dg_name_hash(&name, keys[0]);
		b = dg_name_hash(&name, keys[1]);
		assert_true(dg_hash_fp(a) != dg_hash_fp(b));
		if (dg_hash_bucket(a, 1000) != 7)
			continue;
		one++;
		both += dg_hash_bucket(b, 1000) == 7;
	}
	assert_in_range(one, 850, 1150);
	assert_in_range(both, 0, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_two_names_are_taken_for_one),
		cmocka_unit_test(half_a_fingerprint_collides_as_chance_has_it),
		cmocka_unit_test(a_key_tells_nothing_of_another),
	};

	return cmocka_run_group_tests(tests, prints_make, prints_free);
}
