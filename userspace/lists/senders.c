// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * senders.c - what lists say of senders (rpz-client-ip) becomes source policy.
 *
 * Such an entry carries the reason "list NAME" and stands in lists/sources.json, so that it goes when the list no longer
 * says it. What an operator said of the same prefix is never touched. The caller holds the guard's lock.
 */
#include <errno.h>
#include <string.h>

#include "userspace/lib/sources.h"
#include "userspace/lists/internal.h"
#include "userspace/lib/values.h"

#define RECORD "sources.json"
#define RECORD_BYTES_MAX (1 << 20)

/* What one list says of one prefix. */
struct saying {
	struct dg_prefix prefix;
	char reason[sizeof(((struct dg_source *)0)->reason)];
	bool ban;
};

struct sayings {
	__u32 count, beyond; /* beyond: for which there was no room */
	struct saying saying[DG_LIST_SENDERS_MAX];
};

static bool same_prefix(const struct dg_prefix *a, const struct dg_prefix *b)
{
	return a->family == b->family && a->bits == b->bits && a->addr.hi == b->addr.hi &&
	       a->addr.lo == b->addr.lo;
}

static const struct saying *saying_find(const struct sayings *sayings,
					const struct dg_prefix *prefix)
{
	for (__u32 i = 0; i < sayings->count; i++)
		if (same_prefix(&sayings->saying[i].prefix, prefix))
			return sayings->saying + i;
	return NULL;
}

/* The first list in order that speaks of a prefix is heard. */
static void saying_take(struct sayings *sayings, const json_t *source, const char *list)
{
	const char *text = json_string_value(json_object_get(source, "prefix"));
	const char *action = json_string_value(json_object_get(source, "action"));
	struct saying *saying = sayings->saying + sayings->count;
	struct dg_prefix prefix;

	if (!text || !action || dg_prefix_parse(text, &prefix, NULL) ||
	    saying_find(sayings, &prefix))
		return;
	if (sayings->count == DG_LIST_SENDERS_MAX) {
		sayings->beyond++;
		return;
	}
	saying->ban = !strcmp(action, "ban");
	saying->prefix = prefix;
	snprintf(saying->reason, sizeof(saying->reason), "list %s", list);
	sayings->count++;
}

static void sayings_read(const json_t *lists, struct sayings *ret)
{
	const json_t *list, *source;
	size_t i, k;

	json_array_foreach(lists, i, list)
	{
		const char *name = json_string_value(json_object_get(list, "name"));

		json_array_foreach(json_object_get(list, "sources"), k, source)
			saying_take(ret, source, name ? name : "?");
	}
}

/* ---- what was said last time ---------------------------------------------------------------- */

static void record_read(const struct dg_run *run, struct sayings *ret)
{
	dg_scoped_free char *text = NULL;
	json_t *document;

	if (dg_dir_read(&run->lists, RECORD, RECORD_BYTES_MAX, &text, NULL))
		return;
	document = json_loads(text, 0, NULL);
	sayings_read(json_object_get(document, "lists"), ret);
	json_decref(document);
}

static void record_add(json_t *lists, const struct sayings *sayings)
{
	char prefix[64];

	for (__u32 i = 0; i < sayings->count; i++) {
		const struct saying *saying = sayings->saying + i;

		json_array_append_new(
			lists, json_pack("{s:s, s:[{s:s, s:s}]}", "name",
					 saying->reason + strlen("list "), "sources", "prefix",
					 dg_prefix_text(&saying->prefix, prefix, sizeof(prefix)),
					 "action", saying->ban ? "ban" : "exempt"));
	}
}

static int record_write(const struct dg_run *run, const struct sayings *one,
			const struct sayings *other, struct dg_error *err)
{
	json_t *lists = json_array(),
	       *document = json_pack("{s:i, s:o}", "schema", 1, "lists", lists);
	dg_scoped_free char *text = NULL;

	record_add(lists, one);
	if (other)
		record_add(lists, other);
	text = document ? json_dumps(document, JSON_INDENT(1)) : NULL;
	json_decref(document);
	return text ? dg_dir_write(&run->lists, RECORD, text, err) :
		      dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
}

/* ---- the difference ------------------------------------------------------------------------- */

static bool is_of_a_list(const struct dg_source *source)
{
	return !strncmp(source->reason, "list ", strlen("list "));
}

static bool is_said(const struct dg_source *source)
{
	return source->own_banned_until_ns ||
	       source->own_flags & (DG_SRC_NO_LIMIT | DG_SRC_NO_SINKHOLE);
}

static const struct dg_source *entry_find(const struct dg_source_entry *entries, int count,
					  const struct dg_prefix *prefix)
{
	for (int i = 0; i < count; i++)
		if (same_prefix(&entries[i].prefix, prefix))
			return &entries[i].source;
	return NULL;
}

/* What goes, then what comes, each in one stroke: the table is composed anew for every change. */
struct change {
	__u32 forgotten, said;
	struct dg_prefix forget[2 * DG_LIST_SENDERS_MAX];
	struct dg_source_entry say[DG_LIST_SENDERS_MAX];
};

/* The entries that a list made and no list wants any more. */
static void old_forget(struct change *change, const struct dg_source_entry *entries, int count,
		       const struct sayings *before, const struct sayings *now)
{
	for (int i = 0; i < count; i++)
		if (is_said(&entries[i].source) && is_of_a_list(&entries[i].source) &&
		    saying_find(before, &entries[i].prefix) &&
		    !saying_find(now, &entries[i].prefix) &&
		    change->forgotten < DG_LIST_SENDERS_MAX)
			change->forget[change->forgotten++] = entries[i].prefix;
}

static void saying_add(struct change *change, const struct saying *saying)
{
	struct dg_source_entry *entry = change->say + change->said++;

	*entry = (struct dg_source_entry){ .prefix = saying->prefix };
	if (saying->ban)
		entry->source.own_banned_until_ns = DG_FOR_GOOD;
	else
		entry->source.own_flags = DG_SRC_NO_LIMIT | DG_SRC_NO_SINKHOLE;
	snprintf(entry->source.reason, sizeof(entry->source.reason), "%s", saying->reason);
}

static void saying_apply(struct change *change, const struct saying *saying,
			 const struct dg_source *present)
{
	bool said = present && is_said(present);

	if (said && !is_of_a_list(present))
		return; /* the operator's own word */
	if (said && !strcmp(present->reason, saying->reason) &&
	    saying->ban == (present->own_banned_until_ns != 0))
		return;
	if (said)
		change->forget[change->forgotten++] = saying->prefix;
	saying_add(change, saying);
}

static int difference_apply(const struct dg_run *run, const struct sayings *before,
			    const struct sayings *now, struct dg_error *err)
{
	dg_scoped_free struct dg_source_entry *entries = NULL;
	dg_scoped_free struct change *change = calloc(1, sizeof(*change));
	int count = change ? dg_sources_list(&run->maps, &entries) : -ENOMEM, rc;

	if (count < 0)
		return dg_fail(err, count, DG_EXIT_FAILED, "the table of senders: %s",
			       strerror(-count));
	old_forget(change, entries, count, before, now);
	for (__u32 i = 0; i < now->count; i++)
		saying_apply(change, now->saying + i,
			     entry_find(entries, count, &now->saying[i].prefix));
	rc = dg_sources_forget(&run->maps, change->forget, change->forgotten, err);
	if (!rc && change->said)
		rc = dg_sources_say(&run->maps, change->say, change->said, err);
	return rc;
}

int dg_senders_apply(const struct dg_run *run, struct dg_error *err)
{
	dg_scoped_free struct sayings *before = calloc(1, sizeof(*before));
	dg_scoped_free struct sayings *now = calloc(1, sizeof(*now));
	int rc;

	if (!before || !now)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	record_read(run, before);
	sayings_read(json_object_get(run->report, "lists"), now);
	if (!before->count && !now->count)
		return 0;
	/* Both, before anything is done: whoever dies in between leaves nothing that nobody remembers. */
	rc = record_write(run, now, before, err);
	if (!rc)
		rc = difference_apply(run, before, now, err);
	if (!rc)
		rc = dg_sources_save(&run->maps, run->want->state_dir, err);
	return rc ? rc : record_write(run, now, NULL, err);
}

/* Is there room in the guard's table, before anything is changed? What lists said until now makes some. */
static int room_judge(const struct dg_run *run, const struct sayings *now, struct dg_error *err)
{
	dg_scoped_free struct dg_source_entry *entries = NULL;
	int count = run->attached && now->count ? dg_sources_list(&run->maps, &entries) : 0;
	__u32 taken[DG_FAMILY_COUNT] = { 0 };

	for (int i = 0; i < count; i++)
		taken[entries[i].prefix.family] +=
			!is_said(&entries[i].source) || !is_of_a_list(&entries[i].source);
	for (__u32 i = 0; i < now->count; i++)
		taken[now->saying[i].prefix.family]++;
	if (count < 0)
		return dg_fail(err, count, DG_EXIT_FAILED, "the table of senders: %s",
			       strerror(-count));
	if (taken[DG_IPV4] <= DG_SOURCES_MAX && taken[DG_IPV6] <= DG_SOURCES_MAX)
		return 0;
	return dg_fail(err, -ENOSPC, DG_EXIT_UNSAFE,
		       "the table of senders has no room for the %u that lists ban or exempt: %d "
		       "prefixes of each family are all it holds; see: dnsguard source show",
		       now->count, DG_SOURCES_MAX);
}

int dg_senders_judge(const struct dg_run *run, struct dg_error *err)
{
	dg_scoped_free struct sayings *now = calloc(1, sizeof(*now));

	if (!now)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	sayings_read(json_object_get(run->report, "lists"), now);
	if (!now->beyond)
		return room_judge(run, now, err);
	return dg_fail(
		err, -E2BIG, DG_EXIT_UNSAFE,
		"all lists together ban or exempt %u senders (rpz-client-ip), %d are allowed",
		now->count + now->beyond, DG_LIST_SENDERS_MAX);
}

bool dg_senders_differ(const struct dg_run *run)
{
	dg_scoped_free struct sayings *sayings = calloc(1, sizeof(*sayings));

	if (!sayings)
		return true;
	record_read(run, sayings);
	sayings_read(json_object_get(run->report, "lists"), sayings);
	return sayings->count;
}
