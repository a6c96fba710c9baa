// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * detect.c - which format a feed's first lines look like.
 *
 * Each line that is no comment votes for the format that it fits most narrowly; the most votes win.
 * A few marks decide alone, because no other format has them.
 */
#include "userspace/compile/feed.h"

#define LINES_SEEN 400

/* The type of a record, with its data behind it. */
static bool is_address_record(struct dg_span type, struct dg_span data)
{
	unsigned char address[16];

	return (dg_span_is_nocase(type, DG_SPAN("A")) ||
		dg_span_is_nocase(type, DG_SPAN("AAAA"))) &&
	       dg_span_address(dg_span_word(&data), address);
}

static bool is_rpz(struct dg_span line)
{
	struct dg_span rest = line, word;

	if (dg_span_starts(line, DG_SPAN("$ORIGIN")) || dg_span_starts(line, DG_SPAN("$TTL")))
		return true;
	dg_span_word(&rest);
	for (int i = 0; i < 4; i++) {
		word = dg_span_word(&rest);
		if (dg_span_is_nocase(word, DG_SPAN("CNAME")) ||
		    dg_span_is_nocase(word, DG_SPAN("SOA")) || is_address_record(word, rest))
			return true;
	}
	return false;
}

static bool is_dnsmasq(struct dg_span line)
{
	return dg_span_starts(line, DG_SPAN("local=/")) ||
	       dg_span_starts(line, DG_SPAN("address=/")) ||
	       dg_span_starts(line, DG_SPAN("server=/"));
}

static bool is_unbound(struct dg_span line)
{
	return dg_span_starts(line, DG_SPAN("local-zone:")) ||
	       dg_span_starts(line, DG_SPAN("local-data:")) || dg_span_is(line, DG_SPAN("server:"));
}

static bool is_adblock(struct dg_span line)
{
	return dg_span_starts(line, DG_SPAN("||")) || dg_span_starts(line, DG_SPAN("@@")) ||
	       dg_span_starts(line, DG_SPAN("[Adblock")) || dg_span_find(line, DG_SPAN("##")) ||
	       dg_span_find(line, DG_SPAN("#@#"));
}

static bool is_hosts(struct dg_span line)
{
	struct dg_span rest = line, word = dg_span_word(&rest);
	unsigned char address[16];

	return dg_span_address(dg_span_before(word, '%'), address) && dg_span_trim(rest).len;
}

static enum dg_format line_vote(struct dg_span line)
{
	if (is_adblock(line))
		return DG_FORMAT_ADBLOCK;
	if (is_unbound(line))
		return DG_FORMAT_UNBOUND;
	if (is_dnsmasq(line))
		return DG_FORMAT_DNSMASQ;
	if (is_rpz(line))
		return DG_FORMAT_RPZ;
	if (is_hosts(line))
		return DG_FORMAT_HOSTS;
	return dg_span_starts(line, DG_SPAN("*.")) ? DG_FORMAT_WILDCARD : DG_FORMAT_DOMAINS;
}

/* Comments of any format; "$" starts a directive, "[Adblock" a header. */
static bool is_comment(struct dg_span line)
{
	return !line.len || *line.at == '#' || *line.at == ';' || *line.at == '!';
}

enum dg_format dg_format_detect(struct dg_span head)
{
	unsigned int votes[DG_FORMAT_COUNT] = { 0 };
	enum dg_format best = DG_FORMAT_DOMAINS;

	for (int i = 0; i < LINES_SEEN && head.len; i++) {
		struct dg_span line = dg_span_part(&head, '\n');

		if (!i && dg_span_starts(line, DG_SPAN("\357\273\277")))
			line = dg_span_from(line, 3);
		line = dg_span_trim(line);
		if (!is_comment(line))
			votes[line_vote(line)]++;
	}
	/* A zone file's lines inside parentheses look like anything. */
	votes[DG_FORMAT_RPZ] *= 2;
	for (int format = 0; format < DG_FORMAT_COUNT; format++)
		if (votes[format] > votes[best])
			best = format;
	if (best == DG_FORMAT_DOMAINS && votes[DG_FORMAT_WILDCARD] >= votes[best] / 2 + 1)
		best = DG_FORMAT_WILDCARD;
	return best;
}
