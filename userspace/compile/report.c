// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report.c - what came of a plan: JSON for programs, sentences for people.
 *
 * A plan that failed is reported, too: what was read until then tells what is wrong with it.
 */
#include "userspace/compile/plan.h"

#include <jansson.h>
#include <sys/resource.h>

#include "userspace/lib/quote.h"

/* A path is any octets; JSON is UTF-8. */
static json_t *path_json(const char *path)
{
	return json_string(dg_text_is_clean(path) ? path : DG_QUOTE(path));
}

static json_t *problems_json(const struct dg_plan_list *list)
{
	json_t *problems = json_array();

	for (unsigned int i = 0; i < list->problems; i++) {
		const struct dg_problem *p = list->problem + i;

		json_array_append_new(
			problems, json_pack("{s:o, s:I, s:i, s:s, s:s}", "file", path_json(p->path),
					    "line", (json_int_t)p->line, "column", (int)p->column,
					    "reason", p->reason, "text", p->text));
	}
	return problems;
}

static json_t *unsupported_json(const struct dg_plan_list *list)
{
	json_t *reasons = json_object();

	for (int i = 0; i < DG_REASONS_MAX && list->reason[i].text; i++)
		json_object_set_new(reasons, list->reason[i].text,
				    json_integer((json_int_t)list->reason[i].count));
	return reasons;
}

static json_t *sources_json(const struct dg_plan_list *list)
{
	json_t *sources = json_array();
	char text[64];

	for (__u32 i = 0; i < list->sources; i++)
		json_array_append_new(
			sources,
			json_pack("{s:s, s:s}", "prefix",
				  dg_prefix_text(&list->source[i].prefix, text, sizeof(text)),
				  "action", list->source[i].ban ? "ban" : "exempt"));
	return sources;
}

static const char *found_name(const struct dg_plan_list *list)
{
	return list->mixed ? "mixed" : dg_format_name(list->found);
}

static json_t *list_json(const struct dg_plan_list *list)
{
	json_t *doc = json_pack("{s:s%, s:s, s:b}", "name", list->answer.text,
				(size_t)list->answer.text_len, "format", found_name(list),
				"observe", list->answer.kind == DG_ANSWER_OBSERVE);
	const struct {
		const char *key;
		__u64 value;
	} counts[] = {
		{ "lines", list->lines },	{ "bytes", list->bytes },
		{ "accepted", list->accepted }, { "duplicate", list->duplicate },
		{ "folded", list->folded },	{ "shadowed", list->shadowed },
		{ "rejected", list->rejected }, { "protected", list->guarded },
		{ "skipped", list->skipped },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		json_object_set_new(doc, counts[i].key, json_integer((json_int_t)counts[i].value));
	json_object_set_new(doc, "unsupported", unsupported_json(list));
	json_object_set_new(doc, "sources", sources_json(list));
	json_object_set_new(doc, "problems", problems_json(list));
	return doc;
}

static json_int_t peak_bytes(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) ? 0 : (json_int_t)usage.ru_maxrss * 1024;
}

static void report_json(const struct dg_plan *plan, const struct dg_error *error)
{
	json_t *lists = json_array(), *doc;

	for (__u32 i = 0; i < plan->lists; i++)
		json_array_append_new(lists, list_json(plan->list + i));
	doc = json_pack("{s:i, s:o, s:I, s:I, s:{s:I, s:o}, s:I, s:i, s:o}", "schema", 1, "image",
			plan->output && !error ? path_json(plan->output) : json_null(), "names",
			(json_int_t)plan->names, "bytes", (json_int_t)plan->bytes, "memory",
			"needed", (json_int_t)plan->bytes, "allowed",
			plan->memory ? json_integer((json_int_t)plan->memory) : json_null(),
			"peak_bytes", peak_bytes(), "public_suffixes",
			(int)dg_protect_suffix_count(plan->protect), "lists", lists);
	if (doc && error)
		json_object_set_new(doc, "error", path_json(error->text));
	if (doc)
		json_dumpf(doc, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(doc);
}

static void list_text(const struct dg_plan_list *list)
{
	printf("list %.*s (%s): %llu accepted, %llu duplicate, %llu folded, %llu shadowed, "
	       "%llu rejected, %llu unsupported, %llu sources\n",
	       list->answer.text_len, list->answer.text, found_name(list),
	       (unsigned long long)list->accepted, (unsigned long long)list->duplicate,
	       (unsigned long long)list->folded, (unsigned long long)list->shadowed,
	       (unsigned long long)list->rejected, (unsigned long long)list->unsupported,
	       (unsigned long long)list->sources);
	for (int i = 0; i < DG_REASONS_MAX && list->reason[i].text; i++)
		printf("    %llu unsupported: %s\n", (unsigned long long)list->reason[i].count,
		       list->reason[i].text);
	for (unsigned int i = 0; i < list->problems; i++)
		fprintf(stderr, "%s:%lu:%u: %s\n", list->problem[i].path, list->problem[i].line,
			list->problem[i].column, list->problem[i].reason);
}

static void report_text(const struct dg_plan *plan, const struct dg_error *error)
{
	for (__u32 i = 0; i < plan->lists; i++)
		list_text(plan->list + i);
	if (!plan->force && !dg_protect_suffix_count(plan->protect))
		fprintf(stderr, "%s is not there: public suffixes are not protected\n",
			DG_PUBLIC_SUFFIXES);
	if (!error)
		printf("%s: %llu names, %llu bytes\n",
		       plan->mode == DG_PLAN_BUILD ? plan->output : "checked",
		       (unsigned long long)plan->names, (unsigned long long)plan->bytes);
}

void dg_plan_report(const struct dg_plan *plan, const struct dg_error *error)
{
	if (plan->json)
		report_json(plan, error);
	else
		report_text(plan, error);
}
