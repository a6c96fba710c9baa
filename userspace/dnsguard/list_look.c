// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * list_look.c - dnsguard list check, dump, diff: what stands in a file or a list. Changes nothing.
 */
#include <errno.h>
#include <string.h>

#include "loader/loader.h"
#include "userspace/dnsguard/list.h"
#include "userspace/lib/render.h"

enum { CHECK_FORMAT, CHECK_MATCH, CHECK_FORCE };

const struct dg_option dg_list_check_options[] = {
	[CHECK_FORMAT] = { .name = "format",
			   .type = DG_OPT_CHOICE,
			   .arg = "F",
			   .help = "auto (default), hosts, domains, wildcard, adblock, dnsmasq, unbound, rpz",
			   .choices = dg_list_formats },
	[CHECK_MATCH] = { .name = "match",
			  .type = DG_OPT_CHOICE,
			  .arg = "exact|suffix",
			  .help = "the names alone, or all below them as well (default)",
			  .choices = dg_list_matches },
	[CHECK_FORCE] = { .name = "force",
			  .type = DG_OPT_FLAG,
			  .help = "also an empty list and protected names" },
	{ 0 },
};

/* ---- check ---------------------------------------------------------------------------------- */

static const struct dg_column problem_columns[] = {
	{ "line", "LINE", DG_AS_COUNT },
	{ "column", "COLUMN", DG_AS_COUNT },
	{ "reason", "NOT TAKEN BECAUSE", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_section check_sections[] = {
	{ "verdict", "verdict", DG_AS_TEXT, NULL, NULL },
	{ "list.format", "format", DG_AS_TEXT, NULL, NULL },
	{ "list.lines", "lines", DG_AS_COUNT, NULL, NULL },
	{ "list.accepted", "accepted", DG_AS_COUNT, NULL, NULL },
	{ "list.folded", "folded", DG_AS_COUNT, NULL, NULL },
	{ "list.duplicate", "duplicate", DG_AS_COUNT, NULL, NULL },
	{ "list.rejected", "rejected", DG_AS_COUNT, NULL, NULL },
	{ "list.unsupported", "unsupported", DG_AS_COUNT, NULL, NULL },
	{ "list.skipped", "skipped", DG_AS_COUNT, NULL, NULL },
	{ "list.problems", "", DG_AS_TEXT, problem_columns, NULL },
	{ 0 },
};

/* The sentence without the name that the file has as a list for the moment. */
static const char *without_name(const char *sentence)
{
	static const char *const names[] = { "list \"checked\": ", "list checked: " };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(sentence, names[i], strlen(names[i])))
			return sentence + strlen(names[i]);
	return sentence;
}

int dg_list_check_run(const struct dg_cli *cli, struct dg_error *err)
{
	struct dg_list_spec spec = { .name = "checked", .answer = "nxdomain", .ede = 15 };
	json_t *report = NULL, *list;
	int rc = dg_list_source_set(&spec, cli->arg[0], err), shown;

	if (rc)
		return rc;
	if (dg_list_kind_of(&spec) != DG_LIST_PATH)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "%s is no file: fetch it first, or add it as a list", cli->arg[0]);
	strcpy(spec.format, dg_list_formats[cli->value[CHECK_FORMAT].number]);
	strcpy(spec.match, dg_list_matches[cli->value[CHECK_MATCH].number]);
	rc = dg_update_check(&spec, cli->value[CHECK_FORCE].given, &report, err);
	if (!report)
		return rc;
	list = json_incref(json_array_get(json_object_get(report, "lists"), 0));
	json_decref(report);
	report = json_pack("{s:i, s:s, s:o}", "schema", 1, "verdict",
			   rc ? without_name(err->text) : "good", "list", list);
	shown = dg_render(stdout, report, check_sections, cli->json);
	return shown ? shown : rc ? (int)err->status : DG_EXIT_OK;
}

/* ---- dump ----------------------------------------------------------------------------------- */

/* "NAME\tSCOPE\tANSWER" as an object; names and words are printable ASCII, and a '"' or '\' in them stands as \DDD. */
static void row_print(char *line, bool first)
{
	const char *name = strtok(line, "\t"), *scope = strtok(NULL, "\t"),
		   *answer = strtok(NULL, "\n");
	json_t *row = json_pack("{s:s, s:s, s:s}", "name", name ? name : "", "scope",
				scope ? scope : "", "answer", answer ? answer : "");

	fputs(first ? "\n    " : ",\n    ", stdout);
	if (row)
		json_dumpf(row, stdout, 0);
	json_decref(row);
}

/* One object a line, as it comes: ten million of them need no memory. */
static int rows_print(const char *list, FILE *names, struct dg_error *err)
{
	dg_scoped_free char *line = NULL;
	bool first = true;
	size_t room = 0;

	printf("{\n  \"schema\": 1,\n  \"list\": \"%s\",\n  \"names\": [", list);
	for (; getline(&line, &room, names) > 0; first = false)
		row_print(line, first);
	puts(first ? "]\n}" : "\n  ]\n}");
	return fflush(stdout) ? dg_fail(err, -EIO, DG_EXIT_FAILED, "cannot write the names") : 0;
}

int dg_list_dump_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_file FILE *names = cli->json ? tmpfile() : NULL;
	int rc;

	if (!cli->json)
		return dg_update_dump(cli->state_dir, cli->arg[0], STDOUT_FILENO, err);
	if (!names)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "no room for a temporary file: %s",
			       strerror(errno));
	rc = dg_update_dump(cli->state_dir, cli->arg[0], fileno(names), err);
	rewind(names);
	return rc ? rc : rows_print(cli->arg[0], names, err);
}

/* ---- diff ----------------------------------------------------------------------------------- */

/* One sorted dump, a line at a time. */
struct side {
	FILE *file;
	char *line;
	size_t room;
	bool ended;
};

static void side_free(struct side *side)
{
	dg_close_file(&side->file);
	dg_free_ptr(&side->line);
}

static void side_next(struct side *side)
{
	side->ended = getline(&side->line, &side->room, side->file) < 0;
}

struct difference {
	__u64 added, removed, same;
};

/* Two sorted sequences, read side by side: memory does not grow with them. */
static void sides_compare(struct side *before, struct side *after, FILE *out,
			  struct difference *ret)
{
	side_next(before);
	side_next(after);
	while (!before->ended || !after->ended) {
		int order = before->ended ? 1 :
			    after->ended  ? -1 :
					    strcmp(before->line, after->line);

		ret->same += !order;
		ret->removed += order < 0;
		ret->added += order > 0;
		if (order && out)
			fprintf(out, "%c%s", order < 0 ? '-' : '+',
				order < 0 ? before->line : after->line);
		if (order <= 0)
			side_next(before);
		if (order >= 0)
			side_next(after);
	}
}

static int sides_open(const struct dg_cli *cli, struct side *before, struct side *after,
		      struct dg_error *err)
{
	struct dg_progress progress;
	struct dg_update want = { .state_dir = cli->state_dir,
				  .bpffs = cli->bpffs,
				  .key = dg_hash_key_read,
				  .progress = dg_progress_show,
				  .arg = &progress };
	int rc;

	before->file = tmpfile();
	after->file = tmpfile();
	if (!before->file || !after->file)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "no room for temporary files: %s",
			       strerror(errno));
	dg_progress_begin(&progress, stderr);
	rc = dg_update_dump(cli->state_dir, cli->arg[0], fileno(before->file), err);
	if (!rc)
		rc = dg_update_dump_source(&want, cli->arg[0], fileno(after->file), err);
	dg_progress_end(&progress);
	rewind(before->file);
	rewind(after->file);
	return rc;
}

int dg_list_diff_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped(side_free) struct side before = { 0 }, after = { 0 };
	struct difference difference = { 0 };
	int rc = sides_open(cli, &before, &after, err);

	if (rc)
		return rc;
	sides_compare(&before, &after, cli->json ? NULL : stdout, &difference);
	if (!cli->json) {
		printf("%llu added, %llu removed, %llu stay\n",
		       (unsigned long long)difference.added, (unsigned long long)difference.removed,
		       (unsigned long long)difference.same);
		return 0;
	}
	return dg_render(stdout,
			 json_pack("{s:i, s:s, s:I, s:I, s:I}", "schema", 1, "list", cli->arg[0],
				   "added", (json_int_t)difference.added, "removed",
				   (json_int_t)difference.removed, "same",
				   (json_int_t)difference.same),
			 NULL, true);
}
