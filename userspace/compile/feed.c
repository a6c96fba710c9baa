// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * feed.c - bytes from elsewhere, cut into lines and words that may be names.
 *
 * Tolerates what the wild has: a byte order mark, CRLF, blanks and tabs, comments behind a name, no
 * newline at the end. Everything else is told, with its place.
 */
#include "userspace/compile/feed.h"

#include <errno.h>
#include <string.h>

#define BLANKS " \t\v\f\r"
#define BYTE_ORDER_MARK "\357\273\277"

/* ---- domains: one name a line, '#' starts a comment ----------------------------------------- */

static void word_read(const char *word, unsigned int column, const struct dg_feed_sink *sink)
{
	struct dg_error err;
	struct dg_name name;

	if (dg_name_parse(word, &name, &err))
		sink->reject(sink->arg, err.text, column);
	else
		sink->name(sink->arg, &name, column);
}

static void domains_read(char *line, const struct dg_feed_sink *sink)
{
	char *word, *rest;

	line[strcspn(line, "#")] = '\0';
	word = line + strspn(line, BLANKS);
	rest = word + strcspn(word, BLANKS);
	if (word == rest)
		return;
	if (rest[strspn(rest, BLANKS)]) {
		rest += strspn(rest, BLANKS);
		sink->reject(sink->arg, "more than one word on the line: one name is expected",
			     (unsigned int)(rest - line) + 1);
		return;
	}
	*rest = '\0';
	word_read(word, (unsigned int)(word - line) + 1, sink);
}

static const struct dg_format formats[] = {
	{ "domains", domains_read },
};

const struct dg_format *dg_format_find(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strcmp(formats[i].name, name))
			return formats + i;
	return NULL;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static int looks_like_markup(const char *line)
{
	return line[strspn(line, BLANKS)] == '<';
}

/* One line of len octets; a NUL among them would hide the rest from every string function. */
static void line_read(char *line, size_t len, const struct dg_format *format,
		      const struct dg_feed_sink *sink)
{
	size_t seen = strlen(line);

	if (seen != len) {
		sink->reject(sink->arg, "a NUL octet", (unsigned int)seen + 1);
		return;
	}
	format->read(line, sink);
}

int dg_feed_read(FILE *file, const char *path, const struct dg_format *format,
		 const struct dg_feed_sink *sink, struct dg_error *err)
{
	dg_scoped_free char *line = NULL;
	unsigned long number = 0;
	size_t room = 0;
	ssize_t len;

	while (errno = 0, (len = getline(&line, &room, file)) >= 0) {
		char *text = line;

		if (!number++ && !strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)))
			text += strlen(BYTE_ORDER_MARK);
		if (number == 1 && looks_like_markup(text))
			return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
				       "%s:1:1: an HTML or XML page, not a list of names", path);
		len -= text - line;
		if (len && text[len - 1] == '\n')
			text[--len] = '\0';
		sink->line(sink->arg, number);
		line_read(text, (size_t)len, format, sink);
	}
	if (ferror(file) || errno)
		return dg_fail(err, errno ? -errno : -EIO, DG_EXIT_FAILED, "%s: cannot read it: %s",
			       path, strerror(errno ? errno : EIO));
	return 0;
}
