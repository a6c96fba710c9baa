// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dump.c - prints the names that would stand in the image: name, scope and answer, sorted.
 */
#include "userspace/compile/plan.h"

#include <errno.h>

#define NAME_TEXT_MAX 1024

/* Lines of text behind each other, and where each starts. */
struct dump {
	struct dg_image_builder *builder;
	char *text;
	size_t len, room;
	size_t *start;
	size_t lines, line_room;
};

static void dump_free(struct dump *dump)
{
	free(dump->text);
	free(dump->start);
}

static int room_make(struct dump *dump, size_t more)
{
	size_t room = dump->room + dump->room / 2 + (1 << 16);
	size_t lines = dump->line_room + dump->line_room / 2 + 1024;
	void *grown;

	if (dump->len + more > dump->room) {
		grown = realloc(dump->text, room);
		if (!grown)
			return -ENOMEM;
		dump->text = grown;
		dump->room = room;
	}
	if (dump->lines == dump->line_room) {
		grown = realloc(dump->start, lines * sizeof(*dump->start));
		if (!grown)
			return -ENOMEM;
		dump->start = grown;
		dump->line_room = lines;
	}
	return 0;
}

static int line_add(struct dump *dump, const struct dg_image_entry *entry, const char *scope,
		    __u32 answer)
{
	char name[NAME_TEXT_MAX + 1], text[128];
	int rc = room_make(dump, sizeof(name) + sizeof(text) + 16);

	if (rc)
		return rc;
	dg_answer_text(dg_image_answer(dump->builder, answer), text, sizeof(text));
	dump->start[dump->lines++] = dump->len;
	dump->len += (size_t)sprintf(dump->text + dump->len, "%s\t%s\t%s",
				     dg_name_text(entry->wire, entry->len, name), scope, text) +
		     1;
	return 0;
}

static int entry_dump(void *arg, const struct dg_image_entry *entry)
{
	int rc = 0;

	if (entry->self == entry->below)
		return line_add(arg, entry, "suffix", entry->self);
	if (entry->self)
		rc = line_add(arg, entry, "self", entry->self);
	return !rc && entry->below ? line_add(arg, entry, "below", entry->below) : rc;
}

static int line_compare(const void *a, const void *b, void *text)
{
	return strcmp((char *)text + *(const size_t *)a, (char *)text + *(const size_t *)b);
}

int dg_plan_dump(struct dg_plan *plan, struct dg_image_builder *builder, struct dg_error *err)
{
	dg_scoped(dump_free) struct dump dump = { .builder = builder };

	(void)plan;
	if (dg_image_each(builder, entry_dump, &dump))
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory to sort the names");
	if (dump.lines)
		qsort_r(dump.start, dump.lines, sizeof(*dump.start), line_compare, dump.text);
	for (size_t i = 0; i < dump.lines; i++) {
		fputs(dump.text + dump.start[i], stdout);
		putchar('\n');
	}
	if (fflush(stdout))
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "cannot write the names");
	return 0;
}
