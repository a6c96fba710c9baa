// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * feed_adblock.c - Adblock rules, as far as a name alone decides them: ||name^ blocks a name and all
 * below it, @@||name^ excepts them.
 *
 * A rule with anything more to it (a path, options, a pattern) is counted and left alone: applied
 * without its conditions it would block what its author did not mean to.
 */
#include "userspace/compile/feed.h"

static void unsupported(struct dg_feed *feed, const char *what)
{
	feed->sink->unsupported(feed, what);
}

/* Rules about the elements of a page: "##", "#@#", "#?#", "#$#", "#%#" and "$$". */
static bool is_cosmetic(struct dg_span rule)
{
	const char *hash = memchr(rule.at, '#', rule.len);

	while (hash) {
		size_t left = rule.len - (size_t)(hash + 1 - rule.at);

		if (left && strchr("#@?$%", hash[1]))
			return true;
		hash = left ? memchr(hash + 1, '#', left) : NULL;
	}
	return dg_span_find(rule, DG_SPAN("$$")) != NULL;
}

static bool is_comment(struct dg_span rule)
{
	if (!rule.len || *rule.at == '!' || *rule.at == '[')
		return true;
	/* "# text" as in other lists; without the blank it would be a rule for elements. */
	return *rule.at == '#' && (rule.len == 1 || dg_is_blank(rule.at[1]));
}

/* What keeps a rule from being one about a name; NULL = nothing. */
static const char *beyond_names(struct dg_span rule)
{
	if (is_cosmetic(rule))
		return "adblock: cosmetic rule";
	if (rule.len > 1 && *rule.at == '/' && memchr(rule.at + 1, '/', rule.len - 1))
		return "adblock: regular expression";
	if (memchr(rule.at, '$', rule.len))
		return "adblock: options";
	if (memchr(rule.at, '/', rule.len))
		return "adblock: path";
	if (!dg_span_starts(rule, DG_SPAN("||")) || rule.len < 4 || rule.at[rule.len - 1] != '^' ||
	    memchr(rule.at, '^', rule.len - 1) || memchr(rule.at, '*', rule.len) ||
	    memchr(rule.at, ':', rule.len) || memchr(rule.at + 2, '|', rule.len - 2))
		return "adblock: pattern that is more or less than a name";
	return NULL;
}

void dg_adblock_line(struct dg_feed *feed, struct dg_span line)
{
	struct dg_entry entry = { .scope = DG_SCOPE_SUFFIX, .say = DG_SAY_BLOCK };
	struct dg_span rule = dg_span_trim(line);
	const char *why;

	if (is_comment(rule))
		return;
	if (dg_span_starts(rule, DG_SPAN("@@"))) {
		rule = dg_span_from(rule, 2);
		entry.say = DG_SAY_KIND;
		entry.kind = DG_ANSWER_ALLOW;
		entry.raise = true;
	}
	why = beyond_names(rule);
	if (why) {
		unsupported(feed, why);
		return;
	}
	rule = (struct dg_span){ rule.at + 2, rule.len - 3 };
	if (dg_feed_name(feed, rule, &entry))
		feed->sink->entry(feed, &entry);
}
