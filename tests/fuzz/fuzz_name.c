// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_name.c - any text as a name: refused in one sentence, or a well-formed name that comes back
 * from its text.
 */
#include <stdlib.h>
#include <string.h>

#include "userspace/lib/names.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void expect(int held)
{
	if (!held)
		abort();
}

/* Labels of 1 to 63 that end exactly at the length, none in upper case. */
static void well_formed(const struct dg_name *name)
{
	unsigned int at = 0, labels = 0;

	for (; name->wire[at]; at += 1 + name->wire[at], labels++) {
		expect(name->wire[at] <= DG_LABEL_MAX && at + name->wire[at] + 1 < name->len);
		for (unsigned int i = 1; i <= name->wire[at]; i++)
			expect(name->wire[at + i] < 'A' || name->wire[at + i] > 'Z');
	}
	expect(at + 1 == name->len && labels == name->labels);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const __u64 key[4] = { 1, 2, 3, 4 };
	char *text = strndup((const char *)data, size), back[1025];
	struct dg_error err = { .text = "" };
	struct dg_name name, again;

	/* The fast reader takes nothing that the careful one would not, and makes the same of it. */
	if (!dg_name_read(text, strlen(text), &again)) {
		expect(!dg_name_parse(text, &name, &err) && name.len == again.len);
		expect(name.labels == again.labels && !memcmp(name.wire, again.wire, name.len));
	}
	if (dg_name_parse(text, &name, &err)) {
		expect(err.status == DG_EXIT_USAGE && err.text[0] && !strchr(err.text, '\n'));
	} else {
		well_formed(&name);
		expect(!dg_name_parse(dg_name_text(name.wire, name.len, back), &again, &err));
		expect(again.len == name.len && !memcmp(again.wire, name.wire, name.len));
		expect(dg_name_hash(&again, key).a == dg_name_hash(&name, key).a);
		expect(name.labels > 1 || dg_name_unsafe(&name));
	}
	free(text);
	return 0;
}
