// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_own_file.c - any line as an entry of the state file: refused in words, or written back as a
 * line that is read as the same entry.
 */
#include <stdlib.h>
#include <string.h>

#include "userspace/lib/own.h"

#define OFFSET_NS 1700000000000000000ull

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void expect(int held)
{
	if (!held)
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *line = strndup((const char *)data, size), back[DG_OWN_LINE_MAX],
	     again_text[DG_OWN_LINE_MAX];
	struct dg_error err = { .text = "" };
	struct dg_own entry, again;
	struct dg_name name;

	if (dg_own_line_parse(line, OFFSET_NS, &name, &entry, &err)) {
		expect(err.text[0] && !strchr(err.text, '\n'));
	} else {
		dg_own_line_text(&entry, OFFSET_NS, back);
		expect(!strchr(back, '\n') &&
		       !dg_own_line_parse(back, OFFSET_NS, &name, &again, &err));
		expect(!strcmp(dg_own_line_text(&again, OFFSET_NS, again_text), back));
		expect(again.name_len == entry.name_len &&
		       !memcmp(again.name, entry.name, entry.name_len));
		expect(!memcmp(&again.answer, &entry.answer, sizeof(again.answer)));
	}
	free(line);
	return 0;
}
