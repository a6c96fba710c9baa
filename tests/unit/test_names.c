// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_names.c - names: what is read, what is refused and why, what is written back, what is
 * protected, and that the hash of a suffix is what the kernel computes for it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "userspace/lib/names.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *text;
	const char *wire; /* with its length in len: labels may hold NULs */
	size_t len;
	unsigned int labels;
	const char *back; /* NULL = as text */
} good[] = {
	{ ".", "", 1, 0, NULL },
	{ "com", "\3com", 5, 1, NULL },
	{ "a.example", "\1a\7example", 11, 2, NULL },
	{ "A.eXample.", "\1a\7example", 11, 2, "a.example" },
	{ "AZ.aZ", "\2az\2az", 7, 2, "az.az" },
	{ "*.a.example", "\1a\7example", 11, 2, "a.example" },
	{ "_dns.x-y.example", "\4_dns\3x-y\7example", 18, 3, NULL },
	{ "xn--mnchen-3ya.de", "\16xn--mnchen-3ya\2de", 19, 2, NULL },
	{ "a\\.b.c", "\3a.b\1c", 7, 2, "a\\046b.c" },
	{ "\\000\\255.c", "\2\0\377\1c", 6, 2, NULL },
	{ "\\065b.c", "\2ab\1c", 6, 2, "ab.c" },
	{ "\\*.c", "\1*\1c", 5, 2, "\\042.c" },
};

static void reads_names(void **state)
{
	struct dg_error err;
	struct dg_name name;
	char text[1025];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(dg_name_parse(good[i].text, &name, &err), 0);
		assert_int_equal(name.len, good[i].len);
		assert_int_equal(name.labels, good[i].labels);
		assert_memory_equal(name.wire, good[i].wire, good[i].len);
		assert_string_equal(dg_name_text(name.wire, name.len, text),
				    good[i].back ? good[i].back : good[i].text);
	}
}

static const struct {
	const char *text;
	const char *reason; /* part of the sentence */
} bad[] = {
	{ "", "is empty" },
	{ "*.", "is empty" },
	{ "*", "only \"*.\" in front" },
	{ "a.*.com", "only \"*.\" in front" },
	{ "..", "empty label" },
	{ ".com", "empty label" },
	{ "a..com", "empty label" },
	{ "a.com..", "empty label" },
	{ "m\303\274nchen.de", "A-label" },
	{ "a b.com", "\" \" at position 2" },
	{ "http://a.com/", "\":\" at position 5" },
	{ "a\n.com", "\"\\x0a\" at position 2" },
	{ "a\\", "backslash" },
	{ "a\\2.com", "three digits" },
	{ "a\\256.com", "above \\255" },
};

static void refuses_what_is_no_name(void **state)
{
	struct dg_name name, untouched;
	struct dg_error err;

	(void)state;
	memset(&name, 0x5a, sizeof(name));
	untouched = name;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		err.status = DG_EXIT_OK;
		assert_int_equal(dg_name_parse(bad[i].text, &name, &err), -EINVAL);
		assert_int_equal(err.status, DG_EXIT_USAGE);
		assert_non_null(strstr(err.text, bad[i].reason));
		assert_memory_equal(&name, &untouched, sizeof(name));
	}
}

/* n letters, then a dot. */
static char *label_write(char *at, size_t n)
{
	memset(at, 'a', n);
	at[n] = '.';
	return at + n + 1;
}

static void bounds_are_exact(void **state)
{
	char text[600], *at = text;
	struct dg_error err;
	struct dg_name name;

	(void)state;
	at = label_write(at, 64);
	*at = '\0';
	assert_int_equal(dg_name_parse(text, &name, &err), -EINVAL);
	assert_non_null(strstr(err.text, "63 octets"));

	/* 3 labels of 63 and one of 61 are 255 octets with the root; one more octet is too long. */
	at = label_write(label_write(label_write(text, 63), 63), 63);
	*label_write(at, 61) = '\0';
	assert_int_equal(dg_name_parse(text, &name, &err), 0);
	assert_int_equal(name.len, DG_NAME_MAX);
	*label_write(at, 62) = '\0';
	assert_int_equal(dg_name_parse(text, &name, &err), -EINVAL);
	assert_non_null(strstr(err.text, "255 octets"));

	at = text;
	for (int i = 0; i < DG_LABELS_MAX; i++)
		at = label_write(at, 1);
	*at = '\0';
	assert_int_equal(dg_name_parse(text, &name, &err), 0);
	assert_int_equal(name.labels, DG_LABELS_MAX);
	*label_write(at, 1) = '\0';
	assert_int_equal(dg_name_parse(text, &name, &err), -EINVAL);
}

/* The longest name of the worst octets: four characters for each. */
static void longest_text_fits(void **state)
{
	struct dg_name name = { .len = 0 }, back;
	char text[1025];
	struct dg_error err;

	(void)state;
	while (name.len + 2 < DG_NAME_MAX) {
		unsigned int n = DG_NAME_MAX - 2 - name.len;

		n = n > DG_LABEL_MAX ? DG_LABEL_MAX : n;
		name.wire[name.len] = (__u8)n;
		memset(name.wire + name.len + 1, 0xff, n);
		name.len += 1 + n;
		name.labels++;
	}
	name.wire[name.len++] = 0;
	assert_int_equal(name.len, DG_NAME_MAX);
	dg_name_text(name.wire, name.len, text);
	assert_int_equal(dg_name_parse(text, &back, &err), 0);
	assert_int_equal(back.len, name.len);
	assert_memory_equal(back.wire, name.wire, name.len);
}

static const struct {
	const char *text;
	const char *why; /* NULL = may be blocked */
} safety[] = {
	{ ".", "root" },
	{ "com", "single label" },
	{ "localhost", "localhost" },
	{ "a.localhost", "localhost" },
	{ "printer.local", "multicast" },
	{ "arpa", "arpa" },
	{ "10.in-addr.arpa", "arpa" },
	{ "8.b.d.0.1.0.0.2.ip6.arpa", "arpa" },
	{ "example.com", NULL },
	{ "ads.example", NULL },
	{ "notlocalhost.example", NULL },
	{ "localhost.example", NULL },
	{ "a.xarpa", NULL },
};

static void protects_names(void **state)
{
	struct dg_error err;
	struct dg_name name;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(safety); i++) {
		const char *why;

		assert_int_equal(dg_name_parse(safety[i].text, &name, &err), 0);
		why = dg_name_unsafe(&name);
		if (!safety[i].why)
			assert_null(why);
		else
			assert_non_null(strstr(why, safety[i].why));
	}
}

static const __u64 key[4] = { 0x0123456789abcdef, 0xfedcba9876543210, 0x1f83d9abfb41bd6b,
			      0x9b05688c2b3e6c1f };

/* hash.h's rule, read anew: each label alone in words, then from the root down. */
static struct dg_hash hash_by_hand(const char *const *labels, int count)
{
	struct dg_hash hash = { key[0], key[1] };

	for (int i = count - 1; i >= 0; i--) {
		struct dg_hash label = { key[0], key[1] };
		__u8 padded[72] = { (__u8)strlen(labels[i]) };
		__u64 word;

		memcpy(padded + 1, labels[i], strlen(labels[i]));
		for (size_t at = 0; at < 1 + strlen(labels[i]); at += 8) {
			memcpy(&word, padded + at, 8);
			dg_hash_word(&label, key, word);
		}
		hash = dg_hash_extend(hash, key, label);
	}
	return hash;
}

static void hashes_label_by_label(void **state)
{
	/* Labels of 7 and 8 octets stand on both sides of a word's end. */
	static const char *const labels[] = { "a", "1234567", "12345678", "example" };
	struct dg_hash want = hash_by_hand(labels, 4), got;
	struct dg_error err;
	struct dg_name name;

	(void)state;
	assert_int_equal(dg_name_parse("A.1234567.12345678.EXAMPLE", &name, &err), 0);
	got = dg_name_hash(&name, key);
	assert_true(got.a == want.a && got.b == want.b);
	assert_int_equal(dg_name_parse("a.1234567.12345679.example", &name, &err), 0);
	got = dg_name_hash(&name, key);
	assert_true(got.a != want.a && got.b != want.b);
}

/* What the fast reader takes is what the careful one makes of it; the rest it leaves to that. */
static void reads_plain_names_fast(void **state)
{
	static const char *const plain[] = { "a.example", "A.Example.", "_x-1.b", "com",
					     "1.2.3.4" };
	static const char *const left[] = { "",	   ".",	    "..",  ".a",      "a..b",
					    "*.a", "a\\.b", "a b", "b\xfc.de" };
	struct dg_name fast, careful;
	struct dg_error err;
	char text[300];

	(void)state;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		assert_int_equal(dg_name_read(plain[i], strlen(plain[i]), &fast), 0);
		assert_int_equal(dg_name_parse(plain[i], &careful, &err), 0);
		assert_int_equal(fast.labels, careful.labels);
		assert_int_equal(fast.len, careful.len);
		assert_memory_equal(fast.wire, careful.wire, fast.len);
	}
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		assert_int_equal(dg_name_read(left[i], strlen(left[i]), &fast), -EAGAIN);
	/* Only so many octets of a longer text. */
	assert_int_equal(dg_name_read("a.example tail", 9, &fast), 0);
	assert_int_equal(fast.len, 11);
	/* Labels of 63 and names of 255 octets are the longest. */
	for (size_t len = 1; len < sizeof(text); len++) {
		for (size_t i = 0; i < len; i++)
			text[i] = i % 50 == 49 ? '.' : 'x';
		text[len] = '\0';
		assert_int_equal(!dg_name_read(text, len, &fast),
				 !dg_name_parse(text, &careful, &err));
		memset(text, 'x', len);
		assert_int_equal(!dg_name_read(text, len, &fast), len <= 63);
	}
}

static void hashes_every_suffix(void **state)
{
	struct dg_hash suffix[DG_LABELS_MAX];
	struct dg_name name, above;
	struct dg_error err;
	const char *const texts[] = { "example", "b.example", "long-label-of-17.b.example" };

	(void)state;
	assert_int_equal(dg_name_parse(texts[2], &name, &err), 0);
	assert_int_equal(dg_wire_hashes(name.wire, name.len - 1u, key, suffix), 3);
	for (int i = 0; i < 3; i++) {
		struct dg_hash whole;

		assert_int_equal(dg_name_parse(texts[i], &above, &err), 0);
		whole = dg_name_hash(&above, key);
		assert_true(whole.a == suffix[i].a && whole.b == suffix[i].b);
	}
	assert_int_equal(dg_wire_hashes(name.wire, 0, key, suffix), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_names),
		cmocka_unit_test(refuses_what_is_no_name),
		cmocka_unit_test(bounds_are_exact),
		cmocka_unit_test(longest_text_fits),
		cmocka_unit_test(protects_names),
		cmocka_unit_test(hashes_label_by_label),
		cmocka_unit_test(reads_plain_names_fast),
		cmocka_unit_test(hashes_every_suffix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
