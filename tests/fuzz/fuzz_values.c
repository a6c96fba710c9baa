// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_values.c - any text as a duration, prefix, answer, count and type: refused in one sentence,
 * or written back in words that are read as the same value.
 */
#include <stdlib.h>
#include <string.h>

#include "userspace/lib/values.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void expect(int held)
{
	if (!held)
		abort();
}

/* 1 = read. A refusal is one line. */
static int was_read(int rc, const struct dg_error *err)
{
	expect(!rc || (err->status == DG_EXIT_USAGE && err->text[0] && !strchr(err->text, '\n')));
	return !rc;
}

static void duration(const char *text, struct dg_error *err)
{
	char back[64];
	__u64 ns, again = 0;

	if (!was_read(dg_duration_parse(text, &ns, err), err))
		return;
	/* The two largest units: never more than was said. */
	expect(ns && !dg_duration_parse(dg_duration_text(ns, back, sizeof(back)), &again, err));
	expect(again <= ns && again > ns / 2);
}

static void prefix(const char *text, struct dg_error *err)
{
	struct dg_prefix one, again = { 0 };
	char back[64];

	if (!was_read(dg_prefix_parse(text, &one, err), err))
		return;
	expect(!dg_prefix_parse(dg_prefix_text(&one, back, sizeof(back)), &again, err));
	expect(again.family == one.family && again.bits == one.bits &&
	       again.addr.hi == one.addr.hi && again.addr.lo == one.addr.lo);
}

static void answer(const char *text, struct dg_error *err)
{
	struct dg_answer one = { 0 }, again = { 0 };
	char back[128];

	if (!was_read(dg_answer_parse(text, &one, err), err))
		return;
	expect(!dg_answer_parse(dg_answer_text(&one, back, sizeof(back)), &again, err));
	expect(!memcmp(&one, &again, sizeof(one)));
}

static void type(const char *text, struct dg_error *err)
{
	__u16 one, again = 0;
	char back[16];

	if (!was_read(dg_qtype_parse(text, &one, err), err))
		return;
	expect(!dg_qtype_parse(dg_qtype_text(one, back, sizeof(back)), &again, err) &&
	       again == one);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct dg_error err = { .text = "" };
	__u64 count;

	duration(text, &err);
	prefix(text, &err);
	answer(text, &err);
	type(text, &err);
	if (was_read(dg_count_parse("count", text, 5, 1000, &count, &err), &err))
		expect(count >= 5 && count <= 1000);
	free(text);
	return 0;
}
