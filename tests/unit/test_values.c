// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_values.c - the words of operators: read, refused with a sentence that quotes them, and
 * written back.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "userspace/lib/quote.h"
#include "userspace/lib/values.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SEC 1000000000ull

/* A refusal quotes the text and is a matter of usage. */
static void assert_refusal(int rc, const struct dg_error *err, const char *text)
{
	assert_int_equal(rc, -EINVAL);
	assert_int_equal(err->status, DG_EXIT_USAGE);
	assert_non_null(strstr(err->text, DG_QUOTE(text)));
}

static const struct {
	const char *text;
	__u64 sec; /* 0 = refused */
	const char *back;
} durations[] = {
	{ "90s", 90, "1m 30s" },
	{ "90", 90, "1m 30s" },
	{ "5m", 300, "5m" },
	{ "2h", 7200, "2h" },
	{ "7d", 7 * 86400, "1w" },
	{ "1h30m", 5400, "1h 30m" },
	{ "1h 30m", 5400, "1h 30m" },
	{ "1d1s", 86401, "1d" },
	{ "36600d", 36600ull * 86400, "5228w 4d" },
	{ "", 0, NULL },
	{ "0", 0, NULL },
	{ "0s", 0, NULL },
	{ "-5m", 0, NULL },
	{ "5x", 0, NULL },
	{ "5mm", 0, NULL },
	{ "m", 0, NULL },
	{ "1h30", 0, NULL },
	{ "1.5h", 0, NULL },
	{ "36601d", 0, NULL },
	{ "18446744073709551616s", 0, NULL },
	{ "30500568904944w", 0, NULL },
};

static void durations_both_ways(void **state)
{
	struct dg_error err;
	char back[32];
	__u64 ns;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(durations); i++) {
		int rc = dg_duration_parse(durations[i].text, &ns, &err);

		if (!durations[i].sec) {
			assert_refusal(rc, &err, durations[i].text);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(ns, durations[i].sec * SEC);
		assert_string_equal(dg_duration_text(ns, back, sizeof(back)), durations[i].back);
	}
	assert_int_equal(dg_duration_parse("0m", &ns, &err), -EINVAL);
	assert_string_equal(err.text, "duration \"0m\" is no time at all: at least 1s");
	assert_string_equal(dg_duration_text(0, back, sizeof(back)), "0s");
	assert_string_equal(dg_duration_text(SEC - 1, back, sizeof(back)), "<1s");
}

static const struct {
	const char *text, *back; /* back NULL = refused */
	enum dg_family family;
	unsigned int bits;
} prefixes[] = {
	{ "192.0.2.1", "192.0.2.1", DG_IPV4, 32 },
	{ "192.0.2.1/32", "192.0.2.1", DG_IPV4, 32 },
	{ "192.0.2.129/25", "192.0.2.128/25", DG_IPV4, 25 },
	{ "192.0.2.129/24", "192.0.2.0/24", DG_IPV4, 24 },
	{ "192.0.2.1/0", "0.0.0.0/0", DG_IPV4, 0 },
	{ "::ffff:192.0.2.1", "192.0.2.1", DG_IPV4, 32 },
	{ "2001:db8::1", "2001:db8::1", DG_IPV6, 128 },
	{ "2001:db8:ffff::/33", "2001:db8:8000::/33", DG_IPV6, 33 },
	{ "::/0", "::/0", DG_IPV6, 0 },
	{ "192.0.2.1/33", NULL, 0, 0 },
	{ "2001:db8::/129", NULL, 0, 0 },
	{ "192.0.2/24", NULL, 0, 0 },
	{ "192.0.2.0/", NULL, 0, 0 },
	{ "192.0.2.0/-1", NULL, 0, 0 },
	{ "192.0.2.0/8x", NULL, 0, 0 },
	{ "/8", NULL, 0, 0 },
	{ "", NULL, 0, 0 },
	{ "fe80::1%eth0", NULL, 0, 0 },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL, 0, 0 },
};

static void prefixes_both_ways(void **state)
{
	struct dg_prefix prefix;
	struct dg_error err;
	char back[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
		int rc = dg_prefix_parse(prefixes[i].text, &prefix, &err);

		if (!prefixes[i].back) {
			assert_refusal(rc, &err, prefixes[i].text);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(prefix.family, prefixes[i].family);
		assert_int_equal(prefix.bits, prefixes[i].bits);
		assert_string_equal(dg_prefix_text(&prefix, back, sizeof(back)), prefixes[i].back);
	}
}

/* IPv4 stands in the last four octets behind ::ffff: whatever the prefix length. */
static void prefix_keeps_the_mapped_form(void **state)
{
	static const __u8 want[16] = { [10] = 0xff, [11] = 0xff, [12] = 10 };
	struct dg_prefix prefix;
	struct dg_error err;

	(void)state;
	assert_int_equal(dg_prefix_parse("10.255.255.255/8", &prefix, &err), 0);
	assert_memory_equal(&prefix.addr, want, sizeof(want));
}

static const struct {
	const char *text;
	enum dg_answer_kind kind;
	unsigned int flags;
	const char *back; /* NULL = refused */
} answers[] = {
	{ "nxdomain", DG_ANSWER_NXDOMAIN, 0, "nxdomain" },
	{ "NODATA", DG_ANSWER_NODATA, 0, "nodata" },
	{ "null", DG_ANSWER_NULL, 0, "null" },
	{ "refused", DG_ANSWER_REFUSED, 0, "refused" },
	{ "truncate", DG_ANSWER_TRUNCATE, 0, "truncate" },
	{ "drop", DG_ANSWER_DROP, 0, "drop" },
	{ "observe", DG_ANSWER_OBSERVE, 0, "observe" },
	{ "192.0.2.1", DG_ANSWER_ADDRESS, DG_ANS_V4, "192.0.2.1" },
	{ "2001:db8::1", DG_ANSWER_ADDRESS, DG_ANS_V6, "2001:db8::1" },
	{ "2001:db8::1,192.0.2.1", DG_ANSWER_ADDRESS, DG_ANS_V4 | DG_ANS_V6,
	  "192.0.2.1,2001:db8::1" },
	{ "allow", 0, 0, NULL },   /* a verb of its own */
	{ "address", 0, 0, NULL }, /* says no address */
	{ "", 0, 0, NULL },
	{ ",", 0, 0, NULL },
	{ "192.0.2.1,", 0, 0, NULL },
	{ "192.0.2.1,192.0.2.2", 0, 0, NULL },
	{ "192.0.2.1/24", 0, 0, NULL },
	{ "nxdomain,192.0.2.1", 0, 0, NULL },
};

static void answers_both_ways(void **state)
{
	struct dg_error err;
	char back[128];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		struct dg_answer answer = { .ede = 17, .flags = DG_ANS_NO_EDE | DG_ANS_V4 };
		int rc = dg_answer_parse(answers[i].text, &answer, &err);

		if (!answers[i].back) {
			assert_refusal(rc, &err, answers[i].text);
			assert_int_equal(answer.flags, DG_ANS_NO_EDE | DG_ANS_V4);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(answer.kind, answers[i].kind);
		assert_int_equal(answer.flags, answers[i].flags | DG_ANS_NO_EDE);
		assert_int_equal(answer.ede, 17);
		assert_string_equal(dg_answer_text(&answer, back, sizeof(back)), answers[i].back);
	}
}

static void counts_stay_in_bounds(void **state)
{
	static const char *const bad[] = {
		"0", "11", "", "-1", "5 ", "0x5", "99999999999999999999"
	};
	struct dg_error err;
	__u64 count;

	(void)state;
	assert_int_equal(dg_count_parse("slip", "1", 1, 10, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(dg_count_parse("slip", "10", 1, 10, &count, &err), 0);
	assert_int_equal(count, 10);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_refusal(dg_count_parse("slip", bad[i], 1, 10, &count, &err), &err, bad[i]);
		assert_int_equal(count, 10);
	}
	assert_non_null(strstr(err.text, "from 1 to 10"));
}

static void types_both_ways(void **state)
{
	static const char *const bad[] = { "", "B", "TYPE", "TYPE65536", "TYPE1x", "1", "TYPE-1" };
	struct dg_error err;
	char back[16];
	__u16 type;

	(void)state;
	assert_int_equal(dg_qtype_parse("aaaa", &type, &err), 0);
	assert_int_equal(type, 28);
	assert_string_equal(dg_qtype_text(28, back, sizeof(back)), "AAAA");
	assert_int_equal(dg_qtype_parse("TYPE65535", &type, &err), 0);
	assert_int_equal(type, 65535);
	assert_string_equal(dg_qtype_text(65535, back, sizeof(back)), "TYPE65535");
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_refusal(dg_qtype_parse(bad[i], &type, &err), &err, bad[i]);
}

static void quotes_what_a_terminal_would_obey(void **state)
{
	char endless[2 * DG_QUOTE_MAX + 1];
	struct dg_quoted quoted;

	(void)state;
	assert_string_equal(dg_quote("a\033[2J\n", &quoted), "\"a\\x1b[2J\\x0a\"");
	assert_string_equal(dg_quote("\"", &quoted), "\"\\x22\"");
	/* UTF-8 stays; what is not UTF-8, or a control character in UTF-8, does not. */
	assert_string_equal(dg_quote("m\303\274", &quoted), "\"m\303\274\"");
	assert_string_equal(dg_quote("\303", &quoted), "\"\\xc3\"");
	assert_string_equal(dg_quote("\302\233", &quoted), "\"\\xc2\\x9b\"");
	assert_string_equal(dg_quote("\360\237\230\200\377", &quoted), "\"\360\237\230\200\\xff\"");
	memset(endless, '\001', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	dg_quote(endless, &quoted);
	assert_int_equal(strlen(quoted.text), 4 * DG_QUOTE_MAX + strlen("\"...\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_both_ways),
		cmocka_unit_test(prefixes_both_ways),
		cmocka_unit_test(prefix_keeps_the_mapped_form),
		cmocka_unit_test(answers_both_ways),
		cmocka_unit_test(counts_stay_in_bounds),
		cmocka_unit_test(types_both_ways),
		cmocka_unit_test(quotes_what_a_terminal_would_obey),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
