/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quote.h - text from outside, made fit for one line of a message.
 *
 * Every refusal quotes what it was given; what it was given may hold control characters and be
 * endless.
 */
#ifndef DG_QUOTE_H
#define DG_QUOTE_H

#define DG_QUOTE_MAX 120 /* octets of the text shown, the rest becomes "..." */

struct dg_quoted {
	char text[4 * DG_QUOTE_MAX + 6]; /* quotes, escapes and dots included */
};

/*
 * The text between double quotes, control characters as \xNN, cut after DG_QUOTE_MAX octets.
 * Returns buf->text.
 */
const char *dg_quote(const char *text, struct dg_quoted *buf);
/* Nothing in it but UTF-8 characters that are no controls: fit for a report as it is. */
int dg_text_is_clean(const char *text);
#define DG_QUOTE(text) dg_quote(text, &(struct dg_quoted){ "" })

#endif
