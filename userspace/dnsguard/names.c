// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * names.c - dnsguard names: the operator's own entries, sorted by name. Reads only.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/own.h"
#include "userspace/lib/values.h"

#define NS_PER_SEC 1000000000ull

struct entries {
	struct dg_own *entry;
	size_t count, room;
	__u64 now_ns;
};

static void entries_free(struct entries *entries)
{
	free(entries->entry);
}

/* What is past its deadline is no entry any more, even before it is tidied away. */
static int entry_add(const struct dg_own *entry, void *arg)
{
	struct entries *entries = arg;

	if (entry->until_ns && entry->until_ns <= entries->now_ns)
		return 0;
	if (entries->count == entries->room) {
		size_t room = entries->room * 2 + 64;
		struct dg_own *grown = realloc(entries->entry, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		entries->entry = grown;
		entries->room = room;
	}
	entries->entry[entries->count++] = *entry;
	return 0;
}

/* By text, so that a person finds a name where an alphabet has it. */
static int entry_compare(const void *left, const void *right)
{
	const struct dg_own *a = left, *b = right;
	char a_text[1025], b_text[1025];

	return strcmp(dg_name_text(a->name, a->name_len, a_text),
		      dg_name_text(b->name, b->name_len, b_text));
}

static json_t *entry_json(const struct dg_own *entry, __u64 now_ns)
{
	char name[1025], answer[128];
	int allow = entry->answer.kind == DG_ANSWER_ALLOW;
	json_t *left = entry->until_ns ?
			       json_integer((json_int_t)((entry->until_ns - now_ns) / NS_PER_SEC)) :
			       json_null();

	return json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:I, s:s}", "name",
		dg_name_text(entry->name, entry->name_len, name), "action",
		allow ? "allow" : "block", "answer",
		allow ? json_null() :
			json_string(dg_answer_text(&entry->answer, answer, sizeof(answer))),
		"ede",
		allow || entry->answer.flags & DG_ANS_NO_EDE ? json_null() :
							       json_integer(entry->answer.ede),
		"remaining_seconds", left, "added", (json_int_t)entry->added_unix, "reason",
		entry->reason);
}

static void names_json(const struct entries *entries)
{
	json_t *array = json_array(), *doc;

	for (size_t i = 0; i < entries->count; i++)
		json_array_append_new(array, entry_json(entries->entry + i, entries->now_ns));
	doc = json_pack("{s:i, s:i, s:o}", "schema", 1, "max", DG_OWN_MAX, "names", array);
	if (doc)
		json_dumpf(doc, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(doc);
}

static void names_text(const struct entries *entries)
{
	char name[1025], answer[128], left[32] = "";

	if (!entries->count)
		printf("no entries: \"dnsguard block NAME\" adds one\n");
	else
		printf("%-40s %-16s %-8s %s\n", "NAME", "ANSWER", "LEFT", "REASON");
	for (size_t i = 0; i < entries->count; i++) {
		const struct dg_own *entry = entries->entry + i;

		dg_duration_text(entry->until_ns - entries->now_ns, left, sizeof(left));
		printf("%-40s %-16s %-8s %s\n", dg_name_text(entry->name, entry->name_len, name),
		       dg_answer_text(&entry->answer, answer, sizeof(answer)),
		       entry->until_ns ? left : "-", entry->reason);
	}
}

int dg_names_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped(entries_free) struct entries entries = { .now_ns = dg_now_ns() };
	int rc = dg_maps_open(cli->bpffs, &maps, err);

	if (rc)
		return rc;
	rc = dg_own_each(&maps, entry_add, &entries);
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "own entries cannot be read: %s",
			       strerror(-rc));
	if (entries.count)
		qsort(entries.entry, entries.count, sizeof(*entries.entry), entry_compare);
	if (cli->json)
		names_json(&entries);
	else
		names_text(&entries);
	return 0;
}
