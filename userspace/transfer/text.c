// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * text.c - one record as a line of a master file that reads back as the same record.
 *
 * Owns a scanner for reading back; writing is libknot's.
 */
#include "userspace/transfer/text.h"

#include <errno.h>
#include <libknot/libknot.h>
#include <stdlib.h>
#include <string.h>

/* One label of 63 octets can take 252 characters, one octet of data at most four. */
#define LINE_BYTES (4 * (KNOT_DNAME_MAXLEN + 65535) + 256)

static int scanner_begin(zs_scanner_t *scanner)
{
	return zs_init(scanner, ".", KNOT_CLASS_IN, 0) ? -ENOMEM : 0;
}

int dg_text_begin(struct dg_text *text)
{
	*text = (struct dg_text){ .size = LINE_BYTES };
	text->line = malloc(text->size);
	text->scanner = malloc(sizeof(*text->scanner));
	if (text->scanner && scanner_begin(text->scanner)) {
		free(text->scanner);
		text->scanner = NULL;
	}
	return text->line && text->scanner ? 0 : -ENOMEM;
}

void dg_text_end(struct dg_text *text)
{
	if (text->scanner)
		zs_deinit(text->scanner);
	free(text->scanner);
	free(text->line);
	*text = (struct dg_text){ .line = NULL };
}

/* Names and numbers, whose lengths libknot has checked: nothing that text could lose. */
static bool is_plain(__u16 type)
{
	switch (type) {
	case KNOT_RRTYPE_A:
	case KNOT_RRTYPE_AAAA:
	case KNOT_RRTYPE_CNAME:
	case KNOT_RRTYPE_DNAME:
	case KNOT_RRTYPE_MX:
	case KNOT_RRTYPE_NS:
	case KNOT_RRTYPE_PTR:
	case KNOT_RRTYPE_SOA:
	case KNOT_RRTYPE_SRV:
		return true;
	}
	return false;
}

static bool scanned_equals(const zs_scanner_t *scanner, const knot_rrset_t *rr)
{
	const knot_rdata_t *rdata = rr->rrs.rdata;

	return scanner->state == ZS_STATE_DATA && scanner->r_type == rr->type &&
	       scanner->r_ttl == rr->ttl && scanner->r_data_length == rdata->len &&
	       !memcmp(scanner->r_data, rdata->data, rdata->len) &&
	       knot_dname_is_equal(scanner->r_owner, rr->owner);
}

/* Does the line say this record, all of it, and nothing else? */
static bool reads_back(struct dg_text *text, size_t len, const knot_rrset_t *rr)
{
	zs_scanner_t *scanner = text->scanner;
	bool same = !zs_set_input_string(scanner, text->line, len) && !zs_parse_record(scanner) &&
		    scanned_equals(scanner, rr) && !zs_parse_record(scanner) &&
		    scanner->state == ZS_STATE_EOF;

	/* After an error a scanner stands somewhere in the middle: a fresh one for the next record. */
	if (!same) {
		zs_deinit(scanner);
		(void)scanner_begin(scanner);
	}
	return same;
}

static int line_write(struct dg_text *text, const knot_rrset_t *rr, bool generic)
{
	knot_dump_style_t style = KNOT_DUMP_STYLE_DEFAULT;

	style.generic = generic;
	return knot_rrset_txt_dump(rr, &text->line, &text->size, &style);
}

int dg_text_record(struct dg_text *text, const knot_rrset_t *rr)
{
	int len = line_write(text, rr, false);

	if (len >= 0 && (is_plain(rr->type) || reads_back(text, (size_t)len, rr)))
		return len;
	len = line_write(text, rr, true);
	return len >= 0 && reads_back(text, (size_t)len, rr) ? len : -EINVAL;
}
