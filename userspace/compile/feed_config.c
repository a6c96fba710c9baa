// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * feed_config.c - lists written as a resolver's own configuration: dnsmasq and Unbound.
 *
 * Only what takes a name away, excepts it or gives it one address is read; other directives are
 * counted. Nothing here opens what a directive points to.
 */
#include "userspace/compile/feed.h"

static void unsupported(struct dg_feed *feed, const char *what)
{
	feed->sink->unsupported(feed, what);
}

static bool is_null_address(const unsigned char *address, unsigned int octets)
{
	static const unsigned char zero[16];

	return !memcmp(address, zero, octets);
}

/* ---- dnsmasq: local=/NAME/.../, address=/NAME/.../[ADDRESS|#], server=/NAME/.../[SERVER|#] --- */

/* What stands behind the last '/'. NULL = *entry says what becomes of the names, else why nothing. */
static const char *dnsmasq_value(struct dg_span key, struct dg_span value, struct dg_entry *entry)
{
	bool server = !dg_span_is(key, DG_SPAN("address"));

	entry->say = DG_SAY_BLOCK;
	if (!value.len)
		return NULL;
	entry->say = DG_SAY_KIND;
	entry->kind = server ? DG_ANSWER_ALLOW : DG_ANSWER_NULL;
	if (dg_span_is(value, DG_SPAN("#")))
		return NULL;
	if (server)
		return "dnsmasq: names given to another server";
	entry->octets = dg_span_address(value, entry->address);
	if (!entry->octets)
		return "dnsmasq: an address that is none";
	if (!is_null_address(entry->address, entry->octets))
		entry->say = DG_SAY_ADDRESS;
	return NULL;
}

static bool dnsmasq_key(struct dg_span key)
{
	return dg_span_is(key, DG_SPAN("local")) || dg_span_is(key, DG_SPAN("address")) ||
	       dg_span_is(key, DG_SPAN("server"));
}

static void dnsmasq_name(struct dg_feed *feed, struct dg_span word, struct dg_entry *entry)
{
	if (dg_span_starts(word, DG_SPAN("*.")))
		word = dg_span_from(word, 2);
	else if (word.len > 1 && *word.at == '.')
		word = dg_span_from(word, 1);
	if (memchr(word.at, '*', word.len))
		unsupported(feed, "dnsmasq: pattern");
	else if (dg_span_is(word, DG_SPAN("#")) || !word.len)
		dg_feed_problem(feed, word.at,
				"every name, or every name without a dot: not listable");
	else if (dg_feed_name(feed, word, entry))
		feed->sink->entry(feed, entry);
}

static void dnsmasq_names(struct dg_feed *feed, struct dg_span key, struct dg_span rest)
{
	struct dg_entry entry = { .scope = DG_SCOPE_SUFFIX };
	struct dg_span value = rest;
	const char *why;

	while (memchr(value.at, '/', value.len))
		dg_span_part(&value, '/');
	rest.len -= value.len;
	why = dnsmasq_value(key, value, &entry);
	if (why) {
		unsupported(feed, why);
		return;
	}
	while (rest.len)
		dnsmasq_name(feed, dg_span_part(&rest, '/'), &entry);
}

void dg_dnsmasq_line(struct dg_feed *feed, struct dg_span line)
{
	struct dg_span rest = dg_span_trim(line), key, tail;

	/* '#' is a value, too: a comment is one at the start or behind a blank. */
	if (!rest.len || *rest.at == '#')
		return;
	tail = rest;
	rest = dg_span_word(&tail);
	tail = dg_span_trim(tail);
	if (tail.len && *tail.at != '#') {
		dg_feed_problem(feed, tail.at, "more than one word on the line");
		return;
	}
	key = dg_span_part(&rest, '=');
	if (!dnsmasq_key(key) || !rest.len)
		unsupported(feed, "dnsmasq: another directive");
	else if (*rest.at != '/' || !memchr(rest.at + 1, '/', rest.len - 1))
		unsupported(feed, "dnsmasq: a server for all names");
	else
		dnsmasq_names(feed, key, dg_span_from(rest, 1));
}

/* ---- Unbound: local-zone: "NAME" TYPE, local-data: "NAME [TTL] [IN] A ADDRESS" --------------- */

/* What unbound.conf(5) says of the types, in our words. kind DG_ANSWER_KINDS: its own data decide. */
static const struct {
	struct dg_span type;
	enum dg_answer_kind kind;
} zone_types[] = {
	{ { "always_nxdomain", 15 }, DG_ANSWER_NXDOMAIN },
	{ { "static", 6 }, DG_ANSWER_NXDOMAIN },
	{ { "always_nodata", 13 }, DG_ANSWER_NODATA },
	{ { "always_null", 11 }, DG_ANSWER_NULL },
	{ { "refuse", 6 }, DG_ANSWER_REFUSED },
	{ { "always_refuse", 13 }, DG_ANSWER_REFUSED },
	{ { "deny", 4 }, DG_ANSWER_DROP },
	{ { "always_deny", 11 }, DG_ANSWER_DROP },
	{ { "inform_deny", 11 }, DG_ANSWER_DROP },
	{ { "transparent", 11 }, DG_ANSWER_ALLOW },
	{ { "typetransparent", 15 }, DG_ANSWER_ALLOW },
	{ { "always_transparent", 18 }, DG_ANSWER_ALLOW },
	{ { "redirect", 8 }, DG_ANSWER_KINDS },
	{ { "inform_redirect", 15 }, DG_ANSWER_KINDS },
};

static bool zone_type(struct dg_span type, struct dg_entry *entry)
{
	for (size_t i = 0; i < sizeof(zone_types) / sizeof(zone_types[0]); i++) {
		if (!dg_span_is(type, zone_types[i].type))
			continue;
		entry->kind = zone_types[i].kind;
		entry->say = entry->kind == DG_ANSWER_KINDS ? DG_SAY_ADDRESS : DG_SAY_KIND;
		return true;
	}
	return false;
}

/* The next word; one in quotes may have blanks, and loses the quotes. */
static struct dg_span quoted_word(struct dg_span *rest)
{
	struct dg_span word;
	char quote;

	*rest = dg_span_trim(*rest);
	if (!rest->len || (*rest->at != '"' && *rest->at != '\''))
		return dg_span_word(rest);
	quote = *rest->at;
	*rest = dg_span_from(*rest, 1);
	word = dg_span_part(rest, quote);
	return word;
}

static void unbound_zone(struct dg_feed *feed, struct dg_span rest)
{
	struct dg_entry entry = { .scope = DG_SCOPE_SUFFIX };
	struct dg_span name = dg_span_trim(quoted_word(&rest)), type = quoted_word(&rest);

	if (!name.len || !type.len)
		dg_feed_problem(feed, rest.at, "local-zone without a name or a type");
	else if (!zone_type(type, &entry))
		unsupported(feed, "unbound: local-zone of another type");
	else if (dg_feed_name(feed, name, &entry))
		feed->sink->entry(feed, &entry);
}

static bool is_number(struct dg_span word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!dg_is_digit(word.at[i]))
			return false;
	return word.len != 0;
}

static void unbound_data(struct dg_feed *feed, struct dg_span rest)
{
	struct dg_entry entry = { .scope = DG_SCOPE_SELF, .say = DG_SAY_ADDRESS, .widen = true };
	struct dg_span record = quoted_word(&rest), name = dg_span_word(&record), word;
	unsigned int octets;

	word = dg_span_word(&record);
	if (is_number(word))
		word = dg_span_word(&record);
	if (dg_span_is_nocase(word, DG_SPAN("IN")))
		word = dg_span_word(&record);
	octets = dg_span_is_nocase(word, DG_SPAN("A"))	  ? 4 :
		 dg_span_is_nocase(word, DG_SPAN("AAAA")) ? 16 :
							    0;
	if (!octets) {
		unsupported(feed, "unbound: local-data other than A and AAAA");
		return;
	}
	word = dg_span_word(&record);
	entry.octets = dg_span_address(word, entry.address);
	if (entry.octets != octets)
		dg_feed_problem(feed, word.at, "no address where the record has its address");
	else if (dg_feed_name(feed, name, &entry))
		feed->sink->entry(feed, &entry);
}

void dg_unbound_line(struct dg_feed *feed, struct dg_span line)
{
	struct dg_span rest = dg_span_trim(line), key;

	if (!rest.len || *rest.at == '#' || dg_span_is(rest, DG_SPAN("server:")))
		return;
	key = dg_span_before(rest, ':');
	rest = dg_span_from(rest, key.len + (key.len < rest.len));
	if (dg_span_is(key, DG_SPAN("local-zone")))
		unbound_zone(feed, rest);
	else if (dg_span_is(key, DG_SPAN("local-data")))
		unbound_data(feed, rest);
	else
		unsupported(feed, "unbound: another directive");
}
