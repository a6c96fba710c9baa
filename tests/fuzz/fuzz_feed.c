// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_feed.c - any bytes as a list, in any format: refused in one sentence, or entries that are
 * well-formed names with an answer, and lines whose place is inside the file.
 *
 * The first octet chooses the format (the number behind the last: detection); the rest is the file.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "userspace/compile/feed.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void expect(int held)
{
	if (!held)
		abort();
}

static void well_formed(const struct dg_name *name)
{
	unsigned int at = 0, labels = 0;

	for (; name->wire[at]; at += 1 + name->wire[at], labels++) {
		expect(name->wire[at] <= DG_LABEL_MAX && at + name->wire[at] + 1u < name->len);
		for (unsigned int i = 1; i <= name->wire[at]; i++)
			expect(name->wire[at + i] < 'A' || name->wire[at + i] > 'Z');
	}
	expect(at + 1 == name->len && labels == name->labels);
}

static void place_check(const struct dg_feed *feed, unsigned int column)
{
	expect(dg_bytes_lines(feed->bytes) > 0 && column >= 1);
	expect(column <= feed->line.len + 1);
}

static void take_entry(struct dg_feed *feed, struct dg_entry *entry)
{
	well_formed(&entry->name);
	place_check(feed, entry->column);
	expect(!(entry->scope & ~DG_SCOPE_SUFFIX));
	expect(entry->say <= DG_SAY_ADDRESS);
	expect(entry->say != DG_SAY_KIND || entry->kind < DG_ANSWER_KINDS);
	expect(entry->say != DG_SAY_ADDRESS || entry->octets == 0 || entry->octets == 4 ||
	       entry->octets == 16);
}

static void take_source(struct dg_feed *feed, const struct dg_prefix *prefix, bool ban)
{
	(void)feed;
	(void)ban;
	expect(prefix->bits <= (prefix->family == DG_IPV4 ? 32 : 128));
}

static void take_problem(struct dg_feed *feed, const char *reason, unsigned int column)
{
	(void)feed;
	expect(reason[0] && !strchr(reason, '\n') && column >= 1);
}

static void take_unsupported(struct dg_feed *feed, const char *reason)
{
	(void)feed;
	expect(reason[0] != '\0');
}

static void take_nothing(struct dg_feed *feed)
{
	(void)feed;
}

/* One descriptor for all inputs: its content is written anew each time. */
static int file_of(const unsigned char *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("feed", 0);
	expect(fd >= 0 && !ftruncate(fd, 0));
	expect(pwrite(fd, data, size, 0) == (ssize_t)size);
	expect(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const struct dg_feed_sink sink = { take_entry,	take_source,
						  take_problem, take_unsupported,
						  take_nothing, take_nothing,
						  NULL };
	struct dg_error err = { .text = "" };
	struct dg_feed_file file = { .path = "feed", .limits = { 8 << 20, 100000 } };
	struct dg_feed_read read;

	if (!size)
		return 0;
	file.format = data[0] % (DG_FORMAT_COUNT + 1);
	file.fd = file_of(data + 1, size - 1);
	if (dg_feed_read(&file, &sink, &read, &err))
		expect(err.text[0] && !strchr(err.text, '\n'));
	else
		expect(read.format < DG_FORMAT_COUNT);
	return 0;
}
