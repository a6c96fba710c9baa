// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * words.c - the words of a line. Stands below the formats; knows none of them.
 */
#include "userspace/compile/words.h"

#include <arpa/inet.h>
#include <strings.h>

struct dg_span dg_span_word(struct dg_span *rest)
{
	struct dg_span word;
	size_t at = 0;

	while (at < rest->len && dg_is_blank(rest->at[at]))
		at++;
	*rest = dg_span_from(*rest, at);
	for (at = 0; at < rest->len && !dg_is_blank(rest->at[at]);)
		at++;
	word = (struct dg_span){ rest->at, at };
	*rest = dg_span_from(*rest, at);
	return word;
}

struct dg_span dg_span_before(struct dg_span span, char octet)
{
	const char *found = memchr(span.at, octet, span.len);

	return found ? (struct dg_span){ span.at, (size_t)(found - span.at) } : span;
}

struct dg_span dg_span_part(struct dg_span *rest, char separator)
{
	struct dg_span part = dg_span_before(*rest, separator);

	*rest = dg_span_from(*rest, part.len + (part.len < rest->len));
	return part;
}

bool dg_span_is_nocase(struct dg_span span, struct dg_span text)
{
	return span.len == text.len && !strncasecmp(span.at, text.at, text.len);
}

const char *dg_span_find(struct dg_span span, struct dg_span text)
{
	return memmem(span.at, span.len, text.at, text.len);
}

unsigned int dg_span_address(struct dg_span span, unsigned char ret[16])
{
	char text[INET6_ADDRSTRLEN];

	if (!span.len || span.len >= sizeof(text))
		return 0;
	memcpy(text, span.at, span.len);
	text[span.len] = '\0';
	if (inet_pton(AF_INET, text, ret) == 1)
		return 4;
	return inet_pton(AF_INET6, text, ret) == 1 ? 16 : 0;
}
