// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * entries.c - what block, allow and unblock share.
 *
 * Reads and judges all names first, then takes the lock, changes the kernel's table, and saves it
 * once.
 */
#include "userspace/dnsguard/entries.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "userspace/dnsguard/common.h"
#include "userspace/lib/quote.h"
#include "userspace/lib/values.h"

#define BLANKS " \t\r\n\v\f"
#define NAMED_MAX 10 /* names told one by one */

/* ---- names ---------------------------------------------------------------------------------- */

void dg_entry_names_free(struct dg_entry_names *names)
{
	free(names->name);
	*names = DG_ENTRY_NAMES_NONE;
}

static int name_add(struct dg_entry_names *names, const struct dg_name *name, struct dg_error *err)
{
	if (names->count == DG_OWN_MAX)
		return dg_fail(
			err, -ENOSPC, DG_EXIT_FAILED,
			"more than %d names: put them into a list (dnsguard list add NAME FILE)",
			DG_OWN_MAX);
	if (names->count == names->room) {
		size_t room = names->room * 2 + 16;
		struct dg_name *grown = realloc(names->name, room * sizeof(*grown));

		if (!grown)
			return dg_fail(err, -ENOMEM, DG_EXIT_FAILED,
				       "not enough memory for the names");
		names->name = grown;
		names->room = room;
	}
	names->name[names->count++] = *name;
	return 0;
}

static int word_add(struct dg_entry_names *names, const char *word, struct dg_error *err)
{
	struct dg_name name;
	int rc = dg_name_parse(word, &name, err);

	return rc ? rc : name_add(names, &name, err);
}

static int line_add(struct dg_entry_names *names, char *line, struct dg_error *err)
{
	char *word = line + strspn(line, BLANKS);

	word[strcspn(word, "#")] = '\0';
	for (size_t len = strlen(word); len && strchr(BLANKS, word[len - 1]);)
		word[--len] = '\0';
	return *word ? word_add(names, word, err) : 0;
}

static int file_add(struct dg_entry_names *names, FILE *file, const char *path,
		    struct dg_error *err)
{
	dg_scoped_free char *line = NULL;
	struct dg_error inner = { .text = "" };
	size_t room = 0;
	int rc;

	for (unsigned long number = 1; getline(&line, &room, file) >= 0; number++) {
		rc = line_add(names, line, &inner);
		if (rc)
			return dg_fail(err, rc, inner.status, "%s:%lu: %.800s", path, number,
				       inner.text);
	}
	return ferror(file) ? dg_fail(err, -EIO, DG_EXIT_FAILED, "%s: cannot read it", path) : 0;
}

static int path_add(struct dg_entry_names *names, const char *path, struct dg_error *err)
{
	dg_scoped_file FILE *file = fopen(path, "re");

	if (!file)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "file %s: cannot open it: %s",
			       DG_QUOTE(path), strerror(errno));
	return file_add(names, file, path, err);
}

static int names_collect(const struct dg_cli *cli, const char *file, struct dg_entry_names *names,
			 struct dg_error *err)
{
	int rc = file ? path_add(names, file, err) : 0;

	for (int i = 0; !rc && i < cli->args; i++) {
		if (!strcmp(cli->arg[i], "-"))
			rc = file_add(names, stdin, "standard input", err);
		else
			rc = word_add(names, cli->arg[i], err);
	}
	if (!rc && !names->count)
		rc = dg_fail(err, -EINVAL, DG_EXIT_USAGE, "no name is given: dnsguard %s NAME...",
			     cli->verb->name);
	return rc;
}

int dg_entry_names_read(const struct dg_cli *cli, const char *file, struct dg_entry_names *ret,
			struct dg_error *err)
{
	dg_scoped_names struct dg_entry_names names = DG_ENTRY_NAMES_NONE;
	int rc = names_collect(cli, file, &names, err);

	if (rc)
		return rc;
	*ret = names;
	names = DG_ENTRY_NAMES_NONE;
	return 0;
}

int dg_entry_names_judge(const struct dg_entry_names *names, bool force, const char *instead,
			 struct dg_error *err)
{
	char text[1025];

	for (size_t i = 0; i < names->count; i++) {
		const struct dg_name *name = names->name + i;
		const char *why = dg_name_unsafe(name);

		if (!name->labels)
			return dg_fail(
				err, -EPERM, DG_EXIT_UNSAFE,
				"name \".\" is the root, which cannot be listed, not even with --force; "
				"%s",
				instead);
		if (why && !force)
			return dg_fail(err, -EPERM, DG_EXIT_UNSAFE,
				       "name %s is not changed: %s; --force overrides this",
				       DG_QUOTE(dg_name_text(name->wire, name->len, text)), why);
	}
	return 0;
}

/* ---- the change ----------------------------------------------------------------------------- */

/* The guard's tables with its lock held. */
struct held {
	struct dg_maps maps;
	int lock;
};

static void held_release(struct held *held)
{
	dg_maps_close(&held->maps);
	dg_close_fd(&held->lock);
}

static int held_open(const struct dg_cli *cli, struct held *held, struct dg_error *err)
{
	int rc = dg_lock(cli->bpffs, &held->lock, err);

	return rc ? rc : dg_maps_open(cli->bpffs, &held->maps, err);
}
#define scoped_held dg_scoped(held_release)
#define HELD_NONE ((struct held){ .maps = DG_MAPS_NONE, .lock = -1 })

/* Refuses before the first change what would not fit after the last. */
static int room_check(const struct dg_maps *maps, const struct dg_entry_names *names,
		      struct dg_error *err)
{
	struct dg_settings settings;
	struct dg_own old;
	size_t fresh = 0;
	int rc = dg_settings_read(maps, &settings);

	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "settings cannot be read: %s",
			       strerror(-rc));
	if (settings.own_entries + names->count <= DG_OWN_MAX)
		return 0;
	for (size_t i = 0; i < names->count; i++)
		fresh += dg_own_get(maps, names->name + i, &old) != 0;
	if (settings.own_entries + fresh <= DG_OWN_MAX)
		return 0;
	return dg_fail(err, -ENOSPC, DG_EXIT_FAILED,
		       "%zu new names do not fit: the table of own entries holds %u of %d; "
		       "unblock some, or use a list",
		       fresh, settings.own_entries, DG_OWN_MAX);
}

/* What is past its deadline makes room before a full table is a reason to refuse. */
static int room_make(const struct dg_maps *maps, const struct dg_entry_names *names,
		     struct dg_error *err)
{
	int rc = room_check(maps, names, err);

	if (rc != -ENOSPC)
		return rc;
	rc = dg_own_tidy(maps, dg_now_ns(), err);
	return rc < 0 ? rc : room_check(maps, names, err);
}

int dg_entries_set(const struct dg_cli *cli, const struct dg_entry_names *names,
		   const struct dg_own *entry, struct dg_error *err)
{
	scoped_held struct held held = HELD_NONE;
	int rc = held_open(cli, &held, err);

	if (!rc)
		rc = room_make(&held.maps, names, err);
	for (size_t i = 0; !rc && i < names->count; i++) {
		struct dg_own one = *entry;

		rc = dg_own_set(&held.maps, names->name + i, &one, err);
	}
	return rc ? rc : dg_change_saved(cli, dg_own_save(&held.maps, cli->state_dir, err), err);
}

static int all_there(const struct dg_maps *maps, const struct dg_entry_names *names,
		     struct dg_error *err)
{
	struct dg_own old;
	char text[1025];

	for (size_t i = 0; i < names->count; i++) {
		const struct dg_name *name = names->name + i;

		if (dg_own_get(maps, name, &old))
			return dg_fail(
				err, -ENOENT, DG_EXIT_NOT_FOUND,
				"name %s has no entry of its own: \"dnsguard names\" lists them",
				DG_QUOTE(dg_name_text(name->wire, name->len, text)));
	}
	return 0;
}

int dg_entries_remove(const struct dg_cli *cli, const struct dg_entry_names *names,
		      struct dg_error *err)
{
	scoped_held struct held held = HELD_NONE;
	int rc = held_open(cli, &held, err);

	if (!rc)
		rc = all_there(&held.maps, names, err);
	for (size_t i = 0; !rc && i < names->count; i++) {
		rc = dg_own_remove(&held.maps, names->name + i, err);
		/* The same name given twice is gone the second time. */
		rc = rc == -ENOENT ? 0 : rc;
	}
	return rc ? rc : dg_change_saved(cli, dg_own_save(&held.maps, cli->state_dir, err), err);
}

/* ---- the report ----------------------------------------------------------------------------- */

static json_t *names_json(const struct dg_entry_names *names)
{
	json_t *array = json_array();
	char text[1025];

	for (size_t i = 0; i < names->count; i++)
		json_array_append_new(array, json_string(dg_name_text(names->name[i].wire,
								      names->name[i].len, text)));
	return array;
}

static __u64 seconds_left(const struct dg_own *entry)
{
	__u64 now = dg_now_ns();

	return entry->until_ns > now ? (entry->until_ns - now + 999999999) / 1000000000 : 0;
}

static void report_json(const char *done, const struct dg_entry_names *names,
			const struct dg_own *entry)
{
	json_t *doc = json_pack("{s:i, s:s, s:I, s:o}", "schema", 1, "done", done, "count",
				(json_int_t)names->count, "names", names_json(names));
	char answer[128];

	if (doc && entry) {
		json_object_set_new(
			doc, "answer",
			json_string(dg_answer_text(&entry->answer, answer, sizeof(answer))));
		json_object_set_new(doc, "remaining_seconds",
				    entry->until_ns ?
					    json_integer((json_int_t)seconds_left(entry)) :
					    json_null());
	}
	if (doc)
		json_dumpf(doc, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(doc);
}

static void report_tail(const struct dg_own *entry)
{
	char answer[128], left[32];

	if (entry && entry->answer.kind != DG_ANSWER_ALLOW)
		printf(" (%s)", dg_answer_text(&entry->answer, answer, sizeof(answer)));
	if (entry && entry->until_ns)
		printf(" for %s",
		       dg_duration_text(seconds_left(entry) * 1000000000, left, sizeof(left)));
	putchar('\n');
}

void dg_entries_report(const struct dg_cli *cli, const char *done,
		       const struct dg_entry_names *names, const struct dg_own *entry)
{
	char text[1025];

	if (cli->json) {
		report_json(done, names, entry);
		return;
	}
	if (names->count > NAMED_MAX) {
		printf("%s %zu names", done, names->count);
		report_tail(entry);
		return;
	}
	for (size_t i = 0; i < names->count; i++) {
		printf("%s %s", done, dg_name_text(names->name[i].wire, names->name[i].len, text));
		report_tail(entry);
	}
}
