// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * where.c - which lines of which lists cover one name: place and text, as `explain` shows them.
 *
 * Every entry that covers it is shown, whatever decides between them.
 */
#include "userspace/compile/plan.h"

#include <jansson.h>

struct search {
	struct dg_plan *plan;
	const struct dg_plan_list *list;
	json_t *found; /* NULL = text */
};

static enum dg_scope scope_of(const struct search *search, const struct dg_entry *entry)
{
	if (entry->scope)
		return entry->scope;
	return search->list->exact ? DG_SCOPE_SELF : DG_SCOPE_SUFFIX;
}

/* wanted is at or below the entry. */
static bool covers(const struct dg_name *wanted, const struct dg_entry *entry, enum dg_scope scope)
{
	const struct dg_name *name = &entry->name;
	__u32 at = 0;

	if (wanted->labels < name->labels)
		return false;
	for (__u32 skip = wanted->labels - name->labels; skip; skip--)
		at += 1u + wanted->wire[at];
	if (wanted->len - at != name->len || memcmp(wanted->wire + at, name->wire, name->len) != 0)
		return false;
	return scope & (at ? DG_SCOPE_BELOW : DG_SCOPE_SELF);
}

static const char *scope_text(enum dg_scope scope)
{
	return scope == DG_SCOPE_SUFFIX ? "suffix" : scope == DG_SCOPE_SELF ? "self" : "below";
}

/* In the list's terms: what the line says, else the list's own. */
static const char *answer_text(const struct search *search, const struct dg_entry *entry, char *buf,
			       size_t size)
{
	struct dg_answer answer = search->list->answer;

	if (entry->say == DG_SAY_KIND && entry->kind == DG_ANSWER_ALLOW)
		return "allow";
	if (entry->say == DG_SAY_BLOCK || search->list->answer_given ||
	    answer.kind == DG_ANSWER_OBSERVE)
		return dg_answer_text(&answer, buf, size);
	if (entry->say == DG_SAY_KIND)
		return dg_answer_kind_name(entry->kind);
	answer.kind = DG_ANSWER_ADDRESS;
	answer.flags = entry->octets == 4 ? DG_ANS_V4 : entry->octets ? DG_ANS_V6 : 0;
	memcpy(entry->octets == 4 ? answer.v4 : answer.v6, entry->address, entry->octets);
	return entry->octets ? dg_answer_text(&answer, buf, size) : "address";
}

static void found_show(const struct search *search, const struct dg_feed *feed,
		       const struct dg_entry *entry, const char *scope)
{
	char text[160], answer[128], name[1025];
	const char *says = answer_text(search, entry, answer, sizeof(answer));

	dg_line_show(feed->line, text, sizeof(text));
	dg_name_text(entry->name.wire, entry->name.len, name);
	if (!search->found) {
		printf("%s:%llu:%u: %s\t%s\t%s\t%.*s\t%s\n", feed->path,
		       (unsigned long long)dg_bytes_lines(feed->bytes), entry->column, name, scope,
		       says, search->list->answer.text_len, search->list->answer.text, text);
		return;
	}
	json_array_append_new(search->found,
			      json_pack("{s:s%, s:s, s:I, s:i, s:s, s:s, s:s, s:s}", "list",
					search->list->answer.text,
					(size_t)search->list->answer.text_len, "file", feed->path,
					"line", (json_int_t)dg_bytes_lines(feed->bytes), "column",
					(int)entry->column, "text", text, "name", name, "scope",
					scope, "answer", says));
}

static void take_entry(struct dg_feed *feed, struct dg_entry *entry)
{
	struct search *search = feed->sink->arg;
	enum dg_scope scope = scope_of(search, entry);

	if (!covers(&search->plan->where, entry, scope))
		return;
	search->plan->matches++;
	found_show(search, feed, entry, scope_text(scope));
}

static void take_source(struct dg_feed *feed, const struct dg_prefix *prefix, bool ban)
{
	(void)feed;
	(void)prefix;
	(void)ban;
}

static void take_problem(struct dg_feed *feed, const char *reason, unsigned int column)
{
	(void)feed;
	(void)reason;
	(void)column;
}

static void take_unsupported(struct dg_feed *feed, const char *reason)
{
	(void)feed;
	(void)reason;
}

static void take_nothing(struct dg_feed *feed)
{
	(void)feed;
}

int dg_plan_where(struct dg_plan *plan, struct dg_error *err)
{
	struct search search = { .plan = plan, .found = plan->json ? json_array() : NULL };
	struct dg_feed_sink sink = { take_entry,   take_source,	 take_problem, take_unsupported,
				     take_nothing, take_nothing, &search };
	struct dg_feed_read read;
	char name[1025];
	json_t *doc;
	int rc = 0;

	for (__u32 i = 0; !rc && i < plan->files; i++) {
		const struct dg_plan_file *file = plan->file + i;
		struct dg_feed_file feed = { file->fd, file->path, 0, plan->limits };

		search.list = plan->list + file->list;
		feed.format = search.list->format;
		rc = dg_feed_read(&feed, &sink, &read, err);
	}
	if (!plan->json)
		return rc;
	doc = json_pack("{s:i, s:s, s:o}", "schema", 1, "name",
			dg_name_text(plan->where.wire, plan->where.len, name), "where",
			search.found);
	if (doc && !rc)
		json_dumpf(doc, stdout, JSON_INDENT(2));
	if (!rc)
		putchar('\n');
	json_decref(doc);
	return rc;
}
