// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * quote.c - text from outside, made fit for one line of a message.
 *
 * Stands at the bottom of the house beside error.c. UTF-8 stays as it is, so that a name in another
 * script can be recognised; what could move a terminal's cursor does not.
 */
#include "userspace/lib/quote.h"

#include <stdio.h>

const char *dg_quote(const char *text, struct dg_quoted *buf)
{
	char *out = buf->text;
	int i;

	*out++ = '"';
	for (i = 0; text[i] && i < DG_QUOTE_MAX; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == 0x7f || c == '"')
			out += sprintf(out, "\\x%02x", c);
		else
			*out++ = (char)c;
	}
	sprintf(out, text[i] ? "...\"" : "\"");
	return buf->text;
}
