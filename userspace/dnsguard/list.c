// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * list.c - dnsguard list add, update, rm: what changes lists. All of it is done by the update pipeline.
 */
#include "userspace/dnsguard/list.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "loader/loader.h"
#include "userspace/lib/render.h"

enum {
	ADD_FORMAT,
	ADD_MATCH,
	ADD_ANSWER,
	ADD_EDE,
	ADD_REFRESH,
	ADD_OBSERVE,
	ADD_FIRST,
	ADD_NO_UPDATE,
	ADD_TSIG,
	ADD_FORCE,
	ADD_MEMORY
};
enum { UPDATE_FORCE, UPDATE_MEMORY };

#define MEMORY_MIN (1ull << 20)
#define MEMORY_MAX (1ull << 40)
#define NS_PER_SEC 1000000000ull

const struct dg_option dg_list_add_options[] = {
	[ADD_FORMAT] = { .name = "format",
			 .type = DG_OPT_CHOICE,
			 .arg = "F",
			 .help = "auto (default), hosts, domains, wildcard, adblock, dnsmasq, unbound, rpz",
			 .choices = dg_list_formats },
	[ADD_MATCH] = { .name = "match",
			.type = DG_OPT_CHOICE,
			.arg = "exact|suffix",
			.help = "the names alone, or all below them as well (default)",
			.choices = dg_list_matches },
	[ADD_ANSWER] = { .name = "answer",
			 .type = DG_OPT_TEXT,
			 .arg = "A",
			 .help = "as for block, or allow (default nxdomain); given, it goes before "
				 "the feed's own answers" },
	[ADD_EDE] = { .name = "ede",
		      .type = DG_OPT_TEXT,
		      .arg = "N",
		      .help = "EDE code of the answers: 15 (default), 16, 17 or none" },
	[ADD_REFRESH] = { .name = "refresh",
			  .type = DG_OPT_DURATION,
			  .arg = "D",
			  .help = "how often a URL is fetched (default: as it says itself, or 1d)" },
	[ADD_OBSERVE] = { .name = "observe",
			  .type = DG_OPT_FLAG,
			  .help = "count what it would answer, let everything pass" },
	[ADD_FIRST] = { .name = "first",
			.type = DG_OPT_FLAG,
			.help = "before all other lists; without it behind them" },
	[ADD_NO_UPDATE] = { .name = "no-update",
			    .type = DG_OPT_FLAG,
			    .help = "only note it down; \"list update\" fetches it later" },
	[ADD_TSIG] = { .name = "tsig-file",
		       .type = DG_OPT_TEXT,
		       .arg = "FILE",
		       .help = "the key of an axfr:// source" },
	[ADD_FORCE] = { .name = "force",
			.type = DG_OPT_FLAG,
			.help = "also an empty list, and protected names this once" },
	[ADD_MEMORY] = { .name = "memory",
			 .type = DG_OPT_BYTES,
			 .arg = "SIZE",
			 .help = "what it may need (default: half of what is free)",
			 .min = MEMORY_MIN,
			 .max = MEMORY_MAX },
	{ 0 },
};

const struct dg_option dg_list_update_options[] = {
	[UPDATE_FORCE] = { .name = "force",
			   .type = DG_OPT_FLAG,
			   .help = "also what is unchanged, empty, or has lost more than half, and protected "
				   "names this once" },
	[UPDATE_MEMORY] = { .name = "memory",
			    .type = DG_OPT_BYTES,
			    .arg = "SIZE",
			    .help = "what it may need (default: half of what is free)",
			    .min = MEMORY_MIN,
			    .max = MEMORY_MAX },
	{ 0 },
};

/* ---- what came of it ------------------------------------------------------------------------ */

static const struct dg_column list_columns[] = {
	{ "name", "LIST", DG_AS_TEXT },
	{ "outcome", "OUTCOME", DG_AS_TEXT },
	{ "accepted", "ACCEPTED", DG_AS_COUNT },
	{ "before", "BEFORE", DG_AS_COUNT },
	{ "folded", "FOLDED", DG_AS_COUNT },
	{ "rejected", "REJECTED", DG_AS_COUNT },
	{ "unsupported", "UNSUPPORTED", DG_AS_COUNT },
	{ "protected", "PROTECTED", DG_AS_COUNT },
	{ "stale_since", "STALE SINCE", DG_AS_WHEN },
	{ 0 },
};

static const struct dg_column complaint_columns[] = {
	{ "name", "REFUSED", DG_AS_TEXT },
	{ "error", "WHY", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_column problem_columns[] = {
	{ "file", "FILE", DG_AS_TEXT },
	{ "line", "LINE", DG_AS_COUNT },
	{ "column", "COLUMN", DG_AS_COUNT },
	{ "reason", "NOT TAKEN BECAUSE", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_column reason_columns[] = {
	{ "name", "LIST", DG_AS_TEXT },
	{ "count", "LINES", DG_AS_COUNT },
	{ "reason", "NOT SUPPORTED", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_section run_sections[] = {
	{ "lists", "", DG_AS_TEXT, list_columns,
	  "there is no list: dnsguard list add NAME SOURCE" },
	{ "refused", "", DG_AS_TEXT, complaint_columns, NULL },
	{ "problems", "", DG_AS_TEXT, problem_columns, NULL },
	{ "reasons", "", DG_AS_TEXT, reason_columns, NULL },
	{ "message", NULL, DG_AS_TEXT, NULL, NULL },
	{ "memory.needed", "memory needed", DG_AS_BYTES, NULL, NULL },
	{ "memory.allowed", "memory allowed", DG_AS_BYTES, NULL, NULL },
	{ 0 },
};

/* What a format has and we do not, by reason: the operator shall know how much of a list is not heard. */
static void reasons_gather(const json_t *list, json_t *ret)
{
	const json_t *count;
	const char *reason;

	json_object_foreach(json_object_get(list, "unsupported_reasons"), reason, count)
		json_array_append_new(ret, json_pack("{s:O, s:O, s:s}", "name",
						     json_object_get(list, "name"), "count", count,
						     "reason", reason));
}

/* Gathers what is wrong under its own heading, for people; returns the exit status of the worst list. */
static int complaints_gather(json_t *report)
{
	json_t *list, *refused = json_array(), *problems = json_array(), *reasons = json_array();
	int status = DG_EXIT_OK;
	size_t i;

	json_array_foreach(json_object_get(report, "lists"), i, list)
	{
		int one = (int)json_integer_value(json_object_get(list, "exit_status"));
		json_t *lines = json_object_get(list, "problems");

		status = status ? status : one;
		if (one)
			json_array_append(refused, list);
		if (json_is_array(lines))
			json_array_extend(problems, lines);
		reasons_gather(list, reasons);
	}
	json_object_set_new(report, "refused", refused);
	json_object_set_new(report, "problems", problems);
	json_object_set_new(report, "reasons", reasons);
	return status;
}

/* Where the names are now. */
static void message_set(const struct dg_cli *cli, json_t *report)
{
	bool attached = json_is_true(json_object_get(report, "attached"));
	bool compiled = json_is_true(json_object_get(report, "compiled"));
	json_t *names = json_object_get(report, "names"), *bytes = json_object_get(report, "bytes");
	const bool one = json_integer_value(names) == 1;
	char text[256], size[32], entries[64] = "";

	if (compiled && !json_equal(names, json_object_get(report, "entries")))
		snprintf(entries, sizeof(entries), " (%lld entries)",
			 (long long)json_integer_value(json_object_get(report, "entries")));
	if (compiled)
		snprintf(text, sizeof(text), "%lld name%s%s in %s %s %s",
			 (long long)json_integer_value(names), one ? "" : "s", entries,
			 dg_format_value(bytes, DG_AS_BYTES, size, sizeof(size)),
			 one ? "is" : "are",
			 attached ? "live" :
				    "compiled; no device is guarded (not attached): "
				    "they go live with the next attach");
	else
		snprintf(text, sizeof(text), "%s",
			 json_is_true(json_object_get(report, "published")) ?
				 "no listed name is left" :
			 attached ? "nothing new: what is live stays" :
				    "nothing new; no device is guarded (not attached)");
	json_object_set_new(report, "message", json_string(text));
	/* Nothing was compiled: what that would have needed is no news for people. */
	if (!cli->json &&
	    !json_integer_value(json_object_get(json_object_get(report, "memory"), "needed")))
		json_object_del(report, "memory");
}

static int report_show(const struct dg_cli *cli, json_t *report)
{
	int status = complaints_gather(report), rc;

	message_set(cli, report);
	if (cli->json) {
		json_object_del(report, "refused");
		json_object_del(report, "problems");
		json_object_del(report, "reasons");
	}
	rc = dg_render(stdout, report, run_sections, cli->json);
	return rc ? rc : status;
}

/* ---- the verbs ------------------------------------------------------------------------------ */

static void want_make(const struct dg_cli *cli, struct dg_progress *progress, struct dg_update *ret)
{
	dg_progress_begin(progress, stderr);
	*ret = (struct dg_update){ .state_dir = cli->state_dir,
				   .bpffs = cli->bpffs,
				   .key = dg_hash_key_read,
				   .progress = dg_progress_show,
				   .arg = progress };
}

static int ede_set(const struct dg_value *value, struct dg_list_spec *spec, struct dg_error *err)
{
	__u64 code = 15;
	int rc = 0;

	if (value->given && !strcmp(value->text, "none"))
		code = 0;
	else if (value->given)
		rc = dg_count_parse("--ede", value->text, 15, 17, &code, err);
	spec->ede = (int)code;
	return rc;
}

static int text_set(const char *what, const char *text, char *ret, size_t size,
		    struct dg_error *err)
{
	if ((size_t)snprintf(ret, size, "%s", text) < size)
		return 0;
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s is longer than %zu characters", what,
		       size - 1);
}

static int tsig_set(const struct dg_value *value, struct dg_list_spec *spec, struct dg_error *err)
{
	if (!value->given)
		return 0;
	if (value->text[0] != '/')
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "--tsig-file \"%.200s\": give the whole path, from /", value->text);
	return text_set("--tsig-file", value->text, spec->tsig_file, sizeof(spec->tsig_file), err);
}

static int spec_make(const struct dg_cli *cli, struct dg_list_spec *spec, struct dg_error *err)
{
	const struct dg_value *value = cli->value;
	int rc = dg_list_name_check(cli->arg[0], err);

	*spec = (struct dg_list_spec){ .observe = value[ADD_OBSERVE].given,
				       .override = value[ADD_ANSWER].given };
	if (!rc) {
		strcpy(spec->name, cli->arg[0]);
		rc = dg_list_source_set(spec, cli->arg[1], err);
	}
	strcpy(spec->format, dg_list_formats[value[ADD_FORMAT].number]);
	strcpy(spec->match, dg_list_matches[value[ADD_MATCH].number]);
	if (value[ADD_REFRESH].given)
		spec->refresh_sec = value[ADD_REFRESH].number / NS_PER_SEC;
	if (!rc)
		rc = text_set("--answer",
			      value[ADD_ANSWER].given ? value[ADD_ANSWER].text : "nxdomain",
			      spec->answer, sizeof(spec->answer), err);
	if (!rc)
		rc = ede_set(value + ADD_EDE, spec, err);
	if (!rc)
		rc = tsig_set(value + ADD_TSIG, spec, err);
	return rc ? rc : dg_list_spec_check(spec, err);
}

/* "www.host/list" is a path that is not there, and most likely the half of a URL. */
static void host_hint(const char *source, struct dg_error *err)
{
	size_t used = strlen(err->text), first = strcspn(source, "/");

	if (!strchr("./~", source[0]) && source[first] && memchr(source, '.', first) &&
	    !strstr(source, "://"))
		snprintf(err->text + used, sizeof(err->text) - used,
			 "; for a URL write https://%.200s", source);
}

int dg_list_add_run(const struct dg_cli *cli, struct dg_error *err)
{
	struct dg_update_add add = { .first = cli->value[ADD_FIRST].given,
				     .fetch = !cli->value[ADD_NO_UPDATE].given };
	struct dg_progress progress;
	struct dg_update want;
	json_t *report;
	int rc = spec_make(cli, &add.spec, err);

	if (rc)
		return rc;
	want_make(cli, &progress, &want);
	want.force = cli->value[ADD_FORCE].given;
	want.memory_max = cli->value[ADD_MEMORY].number;
	rc = dg_update_add(&want, &add, &report, err);
	dg_progress_end(&progress);
	if (rc && access(add.spec.source, F_OK))
		host_hint(cli->arg[1], err);
	return rc ? rc : report_show(cli, report);
}

int dg_list_update_run(const struct dg_cli *cli, struct dg_error *err)
{
	struct dg_progress progress;
	struct dg_update want;
	json_t *report = NULL;
	int rc;

	want_make(cli, &progress, &want);
	want.names = cli->arg;
	want.count = (__u32)cli->args;
	want.force = cli->value[UPDATE_FORCE].given;
	want.memory_max = cli->value[UPDATE_MEMORY].number;
	rc = dg_update_run(&want, &report, err);
	dg_progress_end(&progress);
	if (!rc)
		return report_show(cli, report);
	json_decref(report);
	return rc;
}

int dg_list_move_run(const struct dg_cli *cli, struct dg_error *err)
{
	struct dg_progress progress;
	struct dg_update want;
	json_t *report;
	__u64 position;
	int rc = dg_count_parse("POSITION", cli->arg[1], 1, DG_LISTS_MAX, &position, err);

	if (rc)
		return rc;
	want_make(cli, &progress, &want);
	rc = dg_update_move(&want, cli->arg[0], (__u32)position, &report, err);
	dg_progress_end(&progress);
	if (rc)
		return rc;
	message_set(cli, report);
	return dg_render(stdout, report, run_sections + 4, cli->json);
}

int dg_list_rm_run(const struct dg_cli *cli, struct dg_error *err)
{
	struct dg_progress progress;
	struct dg_update want;
	json_t *report;
	int rc;

	want_make(cli, &progress, &want);
	rc = dg_update_remove(&want, cli->arg[0], &report, err);
	dg_progress_end(&progress);
	if (rc)
		return rc;
	json_object_set_new(report, "removed", json_string(cli->arg[0]));
	message_set(cli, report);
	return dg_render(stdout, report, run_sections + 4, cli->json);
}
