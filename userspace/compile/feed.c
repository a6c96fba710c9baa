// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * feed.c - reads a feed: refuses what is no text, finds out the format, and gives lines to it.
 *
 * Tolerates what the wild has: a byte order mark, CRLF, blanks and tabs, no newline at the end.
 */
#include "userspace/compile/feed.h"

#include <errno.h>

#include "userspace/lib/quote.h"

#define BYTE_ORDER_MARK DG_SPAN("\357\273\277")
#define PROGRESS_LINES 4096

#define FORMAT_NAME(id, name) name,
static const char *const format_names[] = { DG_FORMATS(FORMAT_NAME) };

static dg_line_fn *const line_readers[] = {
	[DG_FORMAT_HOSTS] = dg_hosts_line,	[DG_FORMAT_DOMAINS] = dg_domains_line,
	[DG_FORMAT_WILDCARD] = dg_domains_line, [DG_FORMAT_ADBLOCK] = dg_adblock_line,
	[DG_FORMAT_DNSMASQ] = dg_dnsmasq_line,	[DG_FORMAT_UNBOUND] = dg_unbound_line,
	[DG_FORMAT_RPZ] = dg_rpz_line,
};

enum dg_format dg_format_find(const char *name)
{
	int format = 0;

	while (format < DG_FORMAT_COUNT && strcmp(format_names[format], name) != 0)
		format++;
	return format;
}

const char *dg_format_name(enum dg_format format)
{
	return format < DG_FORMAT_COUNT ? format_names[format] : "auto";
}

/* ---- files that are no lists ---------------------------------------------------------------- */

static const struct {
	struct dg_span magic;
	const char *what;
} strangers[] = {
	{ { "PK\3\4", 4 }, "a zip archive" },
	{ { "%PDF-", 5 }, "a PDF document" },
	{ { "\xfd"
	    "7zXZ",
	    5 },
	  "an xz archive" },
	{ { "(\xb5/\xfd", 4 }, "a zstd archive" },
	{ { "BZh", 3 }, "a bzip2 archive" },
	{ { "\x7f"
	    "ELF",
	    4 },
	  "a program" },
	{ { "\x89PNG", 4 }, "a picture" },
	{ { "GIF8", 4 }, "a picture" },
	{ { "\xff\xd8\xff", 3 }, "a picture" },
};

static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && !dg_is_blank(c) && c != '\n') || c == 0x7f;
}

/* Where the octet stands: line and column from 1. */
static void place_of(struct dg_span head, size_t at, unsigned long *ret_line,
		     unsigned int *ret_column)
{
	size_t start = 0;

	*ret_line = 1;
	for (size_t i = 0; i < at; i++) {
		if (head.at[i] != '\n')
			continue;
		++*ret_line;
		start = i + 1;
	}
	*ret_column = (unsigned int)(at - start) + 1;
}

static int head_refuse(const struct dg_feed *feed, struct dg_span head, size_t at, const char *what,
		       struct dg_error *err)
{
	unsigned int column;
	unsigned long line;

	place_of(head, at, &line, &column);
	return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "%s:%lu:%u: %s, not a list of names",
		       feed->path, line, column, what);
}

/* More than one in ten of the first octets are controls: no text in any encoding that lists use. */
static int binary_check(const struct dg_feed *feed, struct dg_span head, struct dg_error *err)
{
	size_t seen = head.len < 4096 ? head.len : 4096, controls = 0, first = 0;

	for (size_t i = seen; i-- > 0;) {
		if (!is_control(head.at[i]))
			continue;
		controls++;
		first = i;
	}
	return controls * 10 > seen ? head_refuse(feed, head, first, "binary data", err) : 0;
}

static int head_check(const struct dg_feed *feed, struct dg_span head, struct dg_error *err)
{
	size_t at = 0;

	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		if (dg_span_starts(head, strangers[i].magic))
			return head_refuse(feed, head, 0, strangers[i].what, err);
	if (dg_span_starts(head, BYTE_ORDER_MARK))
		at = BYTE_ORDER_MARK.len;
	while (at < head.len && (dg_is_blank(head.at[at]) || head.at[at] == '\n'))
		at++;
	if (at < head.len && head.at[at] == '<')
		return head_refuse(feed, head, at, "an HTML or XML page", err);
	return binary_check(feed, head, err);
}

/* ---- reading -------------------------------------------------------------------------------- */

static void line_read(struct dg_feed *feed, struct dg_span line)
{
	const char *nul = memchr(line.at, '\0', line.len);

	feed->line = line;
	if (line.len > DG_LINE_MAX)
		dg_feed_problem(feed, line.at + DG_LINE_MAX, "more than 65536 octets in one line");
	else if (nul)
		dg_feed_problem(feed, nul, "a NUL octet");
	else
		line_readers[feed->format](feed, line);
}

static int lines_read(struct dg_feed *feed, struct dg_error *err)
{
	struct dg_span line;
	int rc;

	while ((rc = dg_bytes_line(feed->bytes, &line, err)) > 0) {
		__u64 number = dg_bytes_lines(feed->bytes);

		if (number == 1 && dg_span_starts(line, BYTE_ORDER_MARK))
			line = dg_span_from(line, BYTE_ORDER_MARK.len);
		if (number % PROGRESS_LINES == 0)
			feed->sink->progress(feed);
		line_read(feed, line);
	}
	return rc;
}

static int format_run(struct dg_feed *feed, struct dg_error *err)
{
	int rc;

	if (feed->format != DG_FORMAT_RPZ)
		return lines_read(feed, err);
	rc = dg_rpz_begin(feed);
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "%s: not enough memory to read it",
			       feed->path);
	rc = lines_read(feed, err);
	dg_rpz_end(feed);
	return rc;
}

int dg_feed_read(const struct dg_feed_file *file, const struct dg_feed_sink *sink,
		 struct dg_feed_read *ret, struct dg_error *err)
{
	dg_scoped(dg_bytes_close) struct dg_bytes *bytes = NULL;
	struct dg_feed feed = { .path = file->path, .format = file->format, .sink = sink };
	int rc = dg_bytes_open(file->fd, file->path, &file->limits, &bytes, err);

	*ret = (struct dg_feed_read){ .format = file->format };
	if (rc)
		return rc;
	feed.bytes = bytes;
	rc = head_check(&feed, dg_bytes_ahead(bytes), err);
	if (!rc && feed.format == DG_FORMAT_AUTO)
		feed.format = dg_format_detect(dg_bytes_ahead(bytes));
	if (!rc)
		rc = format_run(&feed, err);
	*ret = (struct dg_feed_read){ feed.format, dg_bytes_lines(bytes),
				      dg_bytes_unpacked(bytes) };
	return rc;
}
