/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * words.h - a line as a stretch of octets, and the words in it. Nothing is copied, nothing needs a
 * NUL.
 */
#ifndef DG_WORDS_H
#define DG_WORDS_H

#include <stdbool.h>
#include <string.h>

/* Octets of somebody else's buffer. */
struct dg_span {
	const char *at;
	size_t len;
};

#define DG_SPAN(text) ((struct dg_span){ text, sizeof(text) - 1 })

static inline bool dg_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

static inline bool dg_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline struct dg_span dg_span_from(struct dg_span span, size_t skip)
{
	return (struct dg_span){ span.at + skip, span.len - skip };
}

/* Without blanks on both sides. */
static inline struct dg_span dg_span_trim(struct dg_span span)
{
	while (span.len && dg_is_blank(span.at[span.len - 1]))
		span.len--;
	while (span.len && dg_is_blank(span.at[0]))
		span = dg_span_from(span, 1);
	return span;
}

static inline bool dg_span_is(struct dg_span span, struct dg_span text)
{
	return span.len == text.len && !memcmp(span.at, text.at, text.len);
}

static inline bool dg_span_starts(struct dg_span span, struct dg_span text)
{
	return span.len >= text.len && !memcmp(span.at, text.at, text.len);
}

/* Takes the next word, up to a blank, off the front; len 0 = there is none. */
struct dg_span dg_span_word(struct dg_span *rest);
/* Takes what stands before the separator off the front, and the separator; all when there is none. */
struct dg_span dg_span_part(struct dg_span *rest, char separator);
/* What stands before the first of these octets. */
struct dg_span dg_span_before(struct dg_span span, char octet);
/* Letters compare without case. */
bool dg_span_is_nocase(struct dg_span span, struct dg_span text);
/* Where the text stands in the span; NULL = nowhere. */
const char *dg_span_find(struct dg_span span, struct dg_span text);
/* An address of 4 or 16 octets; returns how many, 0 = it is none. */
unsigned int dg_span_address(struct dg_span span, unsigned char ret[16]);

#endif
