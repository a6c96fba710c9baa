// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * feed_lines.c - the plain formats: hosts (an address, then names), domains and wildcard (one name a
 * line).
 *
 * A comment starts with '#', and a whole line of one also with ';', '!' or "//": feeds change their
 * tools more often than their format.
 */
#include "userspace/compile/feed.h"

static struct dg_span without_comment(struct dg_span line)
{
	line = dg_span_trim(dg_span_before(line, '#'));
	if (line.len && (*line.at == ';' || *line.at == '!' || dg_span_starts(line, DG_SPAN("//"))))
		line.len = 0;
	return line;
}

/* ---- domains, wildcard ---------------------------------------------------------------------- */

void dg_domains_line(struct dg_feed *feed, struct dg_span line)
{
	struct dg_span rest = without_comment(line), word = dg_span_word(&rest);
	struct dg_entry entry;

	if (!word.len)
		return;
	rest = dg_span_trim(rest);
	if (rest.len) {
		dg_feed_problem(feed, rest.at,
				"more than one word on the line: one name is expected");
		return;
	}
	entry.scope = 0;
	entry.say = DG_SAY_BLOCK;
	entry.stops = false;
	if (dg_span_starts(word, DG_SPAN("*."))) {
		entry.scope = DG_SCOPE_SUFFIX;
		word = dg_span_from(word, 2);
	}
	if (dg_feed_name(feed, word, &entry))
		feed->sink->entry(feed, &entry);
}

/* ---- hosts ---------------------------------------------------------------------------------- */

/* Names of the host itself that every hosts file carries along. */
static bool is_own_name(struct dg_span word)
{
	static const struct dg_span names[] = {
		{ "localhost", 9 },
		{ "localhost.localdomain", 21 },
		{ "local", 5 },
		{ "broadcasthost", 13 },
		{ "localhost4", 10 },
		{ "localhost4.localdomain4", 23 },
		{ "localhost6", 10 },
		{ "localhost6.localdomain6", 23 },
		{ "0.0.0.0", 7 },
		{ "ip6-localhost", 13 },
		{ "ip6-loopback", 12 },
		{ "ip6-localnet", 12 },
		{ "ip6-mcastprefix", 15 },
		{ "ip6-allnodes", 12 },
		{ "ip6-allrouters", 14 },
		{ "ip6-allhosts", 12 },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (dg_span_is_nocase(word, names[i]))
			return true;
	return false;
}

/* Addresses that lead nowhere: any other gives a name a meaning rather than taking it away. */
static bool leads_nowhere(const unsigned char *address, unsigned int octets)
{
	static const unsigned char zero[15];

	if (octets == 4)
		return address[0] == 127 || !memcmp(address, zero, 4);
	return !memcmp(address, zero, 15) && address[15] <= 1;
}

/* "fe80::1%lo0" is an address to a hosts file. */
static unsigned int host_address(struct dg_span word, unsigned char ret[16])
{
	return dg_span_address(dg_span_before(word, '%'), ret);
}

static void host_name(struct dg_feed *feed, struct dg_span word)
{
	struct dg_entry entry;

	entry.scope = 0;
	entry.say = DG_SAY_BLOCK;
	entry.stops = false;
	if (is_own_name(word))
		feed->sink->skip(feed);
	else if (dg_feed_name(feed, word, &entry))
		feed->sink->entry(feed, &entry);
}

void dg_hosts_line(struct dg_feed *feed, struct dg_span line)
{
	struct dg_span rest = without_comment(line), word = dg_span_word(&rest);
	unsigned char address[16];
	unsigned int octets;
	bool blocks;

	if (!word.len)
		return;
	octets = host_address(word, address);
	if (!octets) {
		dg_feed_problem(feed, word.at,
				"no address in front: \"ADDRESS NAME ...\" is expected");
		return;
	}
	blocks = leads_nowhere(address, octets);
	word = dg_span_word(&rest);
	if (!word.len)
		dg_feed_problem(feed, word.at, "no name behind the address");
	for (; word.len; word = dg_span_word(&rest)) {
		if (blocks || is_own_name(word))
			host_name(feed, word);
		else
			feed->sink->unsupported(
				feed, "hosts: an address that is neither null nor loopback");
	}
}
