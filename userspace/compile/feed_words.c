// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * feed_words.c - what all formats need of a line: a word as a name, and where on the line something is wrong.
 *
 * Stands below the formats, as feed.c stands above them.
 */
#include <errno.h>
#include <idn2.h>

#include "userspace/compile/feed.h"
#include "userspace/lib/quote.h"

/* The longest text of a name: 255 octets, each as \DDD. */
#define NAME_TEXT_MAX 1024

unsigned int dg_feed_column(const struct dg_feed *feed, const char *at)
{
	return (unsigned int)(at - feed->line.at) + 1;
}

void dg_feed_problem(struct dg_feed *feed, const char *at, const char *reason)
{
	feed->sink->problem(feed, reason, dg_feed_column(feed, at));
}

static bool has_high_octet(const char *text)
{
	while (*text && (signed char)*text > 0)
		text++;
	return *text != '\0';
}

static bool is_digits(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!dg_is_digit(text[i]))
			return false;
	return len != 0;
}

/* Top-level domains are never numbers: such a name is an address, or a slip of the pen. */
static bool ends_in_number(const struct dg_name *name)
{
	__u32 last = 0;

	/* All but the root label, whose octet is the last: nearly every name leaves here. */
	if (name->len < 2 || !dg_is_digit((char)name->wire[name->len - 2]))
		return false;
	for (__u32 label = 1; label < name->labels; label++)
		last += 1u + name->wire[last];
	return is_digits((const char *)name->wire + last + 1, name->wire[last]);
}

/* text: with a NUL. Words of another script by UTS 46, as browsers do it. */
static int international(const char *text, struct dg_name *ret, struct dg_error *err)
{
	char *ascii = NULL;
	int rc = idn2_to_ascii_8z(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

	if (rc != IDN2_OK)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "name %s has no A-label form: %s",
			       DG_QUOTE(text), idn2_strerror(rc));
	rc = dg_name_parse(ascii, ret, err);
	idn2_free(ascii);
	return rc;
}

/* The rare ones: escapes, other scripts, and all that is wrong. */
static int name_convert(struct dg_span word, struct dg_name *ret, struct dg_error *err)
{
	char text[NAME_TEXT_MAX + 1];

	if (word.len > NAME_TEXT_MAX)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
			       "a word of %zu octets is no name: 1024 would be the longest",
			       word.len);
	memcpy(text, word.at, word.len);
	text[word.len] = '\0';
	return has_high_octet(text) ? international(text, ret, err) : dg_name_parse(text, ret, err);
}

bool dg_feed_name(struct dg_feed *feed, struct dg_span word, struct dg_entry *entry)
{
	struct dg_error err;

	entry->column = dg_feed_column(feed, word.at);
	if (dg_name_read(word.at, word.len, &entry->name) &&
	    name_convert(word, &entry->name, &err)) {
		dg_feed_problem(feed, word.at, err.text);
		return false;
	}
	if (!ends_in_number(&entry->name))
		return true;
	dg_feed_problem(feed, word.at, "an address or a number, not a name");
	return false;
}
