// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_render.c - one document, two faces: the text holds what the JSON holds, in words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "userspace/lib/render.h"
#include "userspace/lib/scope.h"

static const struct dg_column columns[] = {
	{ "", "NAME", DG_AS_TEXT },
	{ "frames", "FRAMES", DG_AS_COUNT },
	{ "bytes", "BYTES", DG_AS_BYTES },
	{ 0 },
};

static const struct dg_section sections[] = {
	{ "limiter.bytes", "memory", DG_AS_BYTES, NULL, NULL },
	{ "note", "note", DG_AS_TEXT, NULL, NULL },
	{ "paused", "paused", DG_AS_SECONDS, NULL, NULL },
	{ "long", "a title that is longer", DG_AS_COUNT, NULL, NULL },
	{ "verdicts", "seen", DG_AS_TEXT, columns, "nothing seen" },
	{ 0 },
};

/* What dg_render() prints of a document given as JSON text. */
static char *rendered(const char *json, bool as_json)
{
	static char text[4096];
	dg_scoped_file FILE *out = fmemopen(text, sizeof(text), "w");
	json_t *doc = json_loads(json, 0, NULL);

	memset(text, 0, sizeof(text));
	assert_non_null(doc);
	assert_int_equal(dg_render(out, doc, sections, as_json), 0);
	return text;
}

static void test_lines_and_table(void **state)
{
	(void)state;
	assert_string_equal(
		rendered("{\"limiter\": {\"bytes\": 8388608}, \"note\": \"mind\", \"paused\": 5400,"
			 "\"verdicts\": {\"pass_clean\": {\"frames\": 12345, \"bytes\": 2048},"
			 "\"drop_limited\": {\"frames\": 7, \"bytes\": 0}}}",
			 false),
		"memory             8.0 MiB\n"
		"note               mind\n"
		"paused             1h 30m\n"
		"\nseen\n"
		"NAME          FRAMES    BYTES\n"
		"pass_clean     12345  2.0 KiB\n"
		"drop_limited       7      0 B\n");
}

/* A long title moves all values, one that is not printed moves none. */
static void test_values_stand_below_each_other(void **state)
{
	(void)state;
	assert_string_equal(rendered("{\"note\": \"mind\", \"long\": 7, \"verdicts\": {}}", false),
			    "note                   mind\n"
			    "a title that is longer 7\n"
			    "nothing seen\n");
	assert_string_equal(rendered("{\"note\": \"mind\", \"long\": null}", false),
			    "note               mind\n"
			    "nothing seen\n");
}

/* What is absent, null or empty takes no line; an empty table says so. */
static void test_nothing_to_say(void **state)
{
	(void)state;
	assert_string_equal(rendered("{\"note\": \"\", \"paused\": null, \"verdicts\": {}}", false),
			    "nothing seen\n");
}

static void test_json_is_the_document(void **state)
{
	const char *json = "{\"limiter\": {\"bytes\": 1}, \"elsewhere\": [true, null, 1.5]}";
	json_t *given = json_loads(json, 0, NULL),
	       *printed = json_loads(rendered(json, true), 0, NULL);

	(void)state;
	assert_non_null(printed);
	assert_true(json_equal(given, printed));
	json_decref(given);
	json_decref(printed);
}

static void test_rows_of_an_array(void **state)
{
	static const struct dg_column of_array[] = { { "a", "A", DG_AS_TEXT },
						     { "b", "B", DG_AS_YES_NO },
						     { 0 } };
	static const struct dg_section array[] = { { "rows", NULL, DG_AS_TEXT, of_array, NULL },
						   { 0 } };
	char text[256] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)state;
	dg_render(out,
		  json_loads("{\"rows\": [{\"a\": \"long word\", \"b\": true}, {\"a\": \"x\"}]}", 0,
			     NULL),
		  array, false);
	fclose(out);
	assert_string_equal(text, "A          B\nlong word  yes\nx          -\n");
}

static void formats_as(json_t *value, enum dg_format format, const char *text)
{
	char buf[128];

	assert_string_equal(dg_format_value(value, format, buf, sizeof(buf)), text);
	json_decref(value);
}

static void test_formats(void **state)
{
	(void)state;
	formats_as(json_integer(1023), DG_AS_BYTES, "1023 B");
	formats_as(json_integer(1536), DG_AS_BYTES, "1.5 KiB");
	formats_as(json_integer(5ll << 40), DG_AS_BYTES, "5.0 TiB");
	formats_as(json_integer(1234567), DG_AS_COUNT, "1234567");
	formats_as(json_real(12.54), DG_AS_RATE, "12.5/s");
	formats_as(json_integer(0), DG_AS_SECONDS, "0s");
	formats_as(json_integer(90), DG_AS_SECONDS, "1m 30s");
	formats_as(json_true(), DG_AS_YES_NO, "yes");
	formats_as(json_null(), DG_AS_SECONDS, "-");
	formats_as(json_pack("[s, s]", "a", "b"), DG_AS_LIST, "a, b");
}

static void test_no_document_is_a_failure(void **state)
{
	(void)state;
	assert_true(dg_render(stdout, NULL, sections, false) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_and_table),
		cmocka_unit_test(test_values_stand_below_each_other),
		cmocka_unit_test(test_nothing_to_say),
		cmocka_unit_test(test_json_is_the_document),
		cmocka_unit_test(test_rows_of_an_array),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_no_document_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
