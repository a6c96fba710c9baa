// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * quote.c - text from outside, made fit for one line of a message.
 *
 * Stands at the bottom of the house beside error.c. UTF-8 stays as it is, so that a name in another
 * script can be recognised; what could move a terminal's cursor does not.
 */
#include "userspace/lib/quote.h"

#include <stdio.h>
#include <string.h>

/*
 * Octets of the UTF-8 character (RFC 3629) that starts at p and is more than ASCII; 0 = it is none.
 */
static size_t character_bytes(const unsigned char *p)
{
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	/*
	 * 0xc2 0x80 .. 0x9f are control characters too; shorter forms than needed are not allowed.
	 */
	if (p[0] < 0xc2 || p[0] > 0xf4 || (p[0] == 0xc2 && p[1] < 0xa0) ||
	    (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* Octets at p that can be shown as they are. */
static size_t plain_bytes(const unsigned char *p)
{
	if (p[0] >= 0x80)
		return character_bytes(p);
	return p[0] >= ' ' && p[0] != 0x7f && p[0] != '"';
}

int dg_text_is_clean(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		size_t plain = *at == '"' ? 1 : plain_bytes(at);

		if (!plain)
			return 0;
		at += plain;
	}
	return 1;
}

const char *dg_quote(const char *text, struct dg_quoted *buf)
{
	const unsigned char *at = (const unsigned char *)text;
	const unsigned char *end = at + DG_QUOTE_MAX;
	char *out = buf->text;

	*out++ = '"';
	while (*at && at < end) {
		size_t plain = plain_bytes(at);

		if (!plain)
			out += sprintf(out, "\\x%02x", *at++);
		else if (at + plain > end)
			break;
		for (; plain; plain--)
			*out++ = (char)*at++;
	}
	strcpy(out, *at ? "...\"" : "\"");
	return buf->text;
}
