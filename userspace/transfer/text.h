/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * text.h - one record as a line of a master file that reads back as the same record.
 *
 * libknot writes text also for data that is not what its type promises, and not all of that can be read again. So what
 * is not plain is read back at once, and written as unknown data (RFC 3597) when it differs.
 */
#ifndef DG_TRANSFER_TEXT_H
#define DG_TRANSFER_TEXT_H

#include <libknot/rrset.h>
#include <libzscanner/scanner.h>
#include <linux/types.h>
#include <stdbool.h>

struct dg_text {
	char *line; /* the last record's, with its newline; not terminated by 0 */
	size_t size;
	zs_scanner_t *scanner;
};

int dg_text_begin(struct dg_text *text); /* 0 or -ENOMEM; to be ended in both cases */
void dg_text_end(struct dg_text *text);
/* Writes the one record into text->line: its length, -EINVAL when no text reads back, -ENOMEM. */
int dg_text_record(struct dg_text *text, const knot_rrset_t *rr);

#endif
