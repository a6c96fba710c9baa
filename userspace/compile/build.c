// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build.c - reads the files of a plan into an image.
 *
 * Files that can be read twice are: the first pass learns every name, the second leaves out the
 * names that another name of the same list decides for. What comes through a pipe is read once and
 * not folded.
 */
#include "userspace/compile/plan.h"

#include <errno.h>
#include <string.h>

/* One pass over all files. */
struct pass {
	struct dg_plan *plan;
	struct dg_image_builder *into;
	const struct dg_image_builder
		*known;			 /* names of the first pass; NULL = this is the first */
	const struct dg_plan_file *file; /* being read */
	unsigned long line;
	int error; /* the first one of the builder */
};

static struct dg_plan_list *pass_list(const struct pass *pass)
{
	return pass->plan->list + pass->file->list;
}

static void at_line(void *arg, unsigned long line)
{
	((struct pass *)arg)->line = line;
}

/* Counted in the first pass only; the second sees the same lines. */
static void take_reject(void *arg, const char *reason, unsigned int column)
{
	struct pass *pass = arg;
	struct dg_plan_list *list = pass_list(pass);
	struct dg_problem *problem = list->problem + list->problems;

	if (pass->known)
		return;
	list->rejected++;
	if (list->problems == DG_PROBLEMS_MAX)
		return;
	*problem = (struct dg_problem){ pass->file->path, pass->line, column, "" };
	snprintf(problem->reason, sizeof(problem->reason), "%s", reason);
	list->problems++;
}

/* The nearest listed name above this one belongs to the same list: it decides the same way. */
static bool is_folded(const struct pass *pass, const struct dg_name *name)
{
	struct dg_name parent = *name;
	__u32 list;

	while (parent.labels > 1) {
		__u8 skip = 1 + parent.wire[0];

		memmove(parent.wire, parent.wire + skip, parent.len - skip);
		parent.len -= skip;
		parent.labels--;
		list = dg_image_find_name(pass->known, &parent, DG_SCOPE_BELOW);
		if (list)
			return list == pass->file->list + 1;
	}
	return false;
}

static void name_add(struct pass *pass, const struct dg_name *name)
{
	struct dg_plan_list *list = pass_list(pass);
	int rc = dg_image_add_name(pass->into, name, pass->file->list + 1, DG_SCOPE_SUFFIX);

	if (rc < 0 && !pass->error)
		pass->error = rc;
	list->accepted += rc > 0;
	list->duplicate += rc == 0;
}

static void take_name(void *arg, const struct dg_name *name, unsigned int column)
{
	struct pass *pass = arg;
	const char *why = pass->plan->force && name->labels ? NULL : dg_name_unsafe(name);
	char reason[640], text[1025];

	if (!why && pass->known && is_folded(pass, name))
		pass_list(pass)->folded++;
	else if (!why)
		name_add(pass, name);
	if (!why)
		return;
	snprintf(reason, sizeof(reason), "name \"%.60s\" is not listed: %s",
		 dg_name_text(name->wire, name->len, text), why);
	take_reject(pass, reason, column);
}

static int pass_run(struct pass *pass, struct dg_error *err)
{
	struct dg_feed_sink sink = { at_line, take_name, take_reject, pass };
	const struct dg_format *format = dg_format_find("domains");
	struct dg_plan *plan = pass->plan;
	int rc = 0;

	for (__u32 i = 0; i < plan->lists; i++)
		plan->list[i].accepted = plan->list[i].duplicate = plan->list[i].folded = 0;
	for (__u32 i = 0; !rc && i < plan->files; i++) {
		pass->file = plan->file + i;
		rc = dg_feed_read(pass->file->file, pass->file->path, format, &sink, err);
	}
	if (!rc && pass->error)
		rc = dg_fail(err, pass->error, DG_EXIT_FAILED, "image: %s", strerror(-pass->error));
	return rc;
}

static struct dg_image_builder *builder_make(struct dg_plan *plan, __u64 names)
{
	struct dg_image_builder *builder = dg_image_builder_new(plan->key, names);

	for (__u32 i = 0; builder && i < plan->lists; i++)
		dg_image_add_list(builder, &plan->list[i].answer);
	return builder;
}

static bool rewind_all(const struct dg_plan *plan)
{
	for (__u32 i = 0; i < plan->files; i++)
		if (fseek(plan->file[i].file, 0, SEEK_SET))
			return false;
	return true;
}

static __u64 accepted(const struct dg_plan *plan)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < plan->lists; i++)
		sum += plan->list[i].accepted;
	return sum;
}

/* Replaces *builder by one without the folded names. */
static int fold(struct dg_plan *plan, struct dg_image_builder **builder, struct dg_error *err)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *folded =
		builder_make(plan, accepted(plan));
	struct pass pass = { .plan = plan, .into = folded, .known = *builder };
	int rc;

	if (!folded)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "image: not enough memory");
	rc = pass_run(&pass, err);
	if (rc)
		return rc;
	dg_image_builder_free(builder);
	*builder = dg_take_ptr(folded);
	return 0;
}

/* A list that is mostly not names is some other file. */
static int lists_judge(const struct dg_plan *plan, struct dg_error *err)
{
	for (__u32 i = 0; i < plan->lists; i++) {
		const struct dg_plan_list *list = plan->list + i;
		__u64 good = list->accepted + list->duplicate;

		if (!list->rejected || (!plan->strict && list->rejected <= good))
			continue;
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
			       "list \"%.*s\": %llu lines are no names, the first at %s:%lu:%u: %s",
			       list->answer.text_len, list->answer.text,
			       (unsigned long long)list->rejected, list->problem[0].path,
			       list->problem[0].line, list->problem[0].column,
			       list->problem[0].reason);
	}
	return 0;
}

int dg_plan_build(struct dg_plan *plan, struct dg_error *err)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = builder_make(plan, 0);
	struct pass pass = { .plan = plan, .into = builder };
	const void *elements;
	__u64 count;
	int rc;

	if (!builder)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "image: not enough memory");
	rc = pass_run(&pass, err);
	if (!rc)
		rc = lists_judge(plan, err);
	if (!rc && rewind_all(plan))
		rc = fold(plan, &builder, err);
	if (!rc)
		rc = dg_image_finish(builder, &elements, &count, err);
	if (!rc)
		rc = dg_image_save(plan->output, elements, count, err);
	if (rc)
		return rc;
	plan->names = accepted(plan);
	plan->bytes = count * sizeof(struct dg_image_bucket);
	return 0;
}

int dg_plan_open(struct dg_plan *plan, struct dg_error *err)
{
	for (__u32 i = 0; i < plan->files; i++) {
		struct dg_plan_file *file = plan->file + i;

		file->file = strcmp(file->path, "-") ? fopen(file->path, "re") : stdin;
		if (!file->file)
			return dg_fail(err, -errno, DG_EXIT_FAILED, "%s: cannot open it: %s",
				       file->path, strerror(errno));
	}
	return 0;
}

void dg_plan_close(struct dg_plan *plan)
{
	for (__u32 i = 0; i < plan->files; i++)
		if (plan->file[i].file && plan->file[i].file != stdin)
			fclose(plan->file[i].file);
}
