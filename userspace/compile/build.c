// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build.c - the walk of dnsguard-compile: read all lists, judge them, fold, and write, print or only
 * count.
 */
#include "userspace/compile/plan.h"

#include <errno.h>
#include <sys/random.h>

static int no_memory(struct dg_error *err)
{
	return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "image: not enough memory");
}

/* Counting and printing need a key, too, and nobody else need know it. */
static int key_make(struct dg_plan *plan, struct dg_error *err)
{
	if (plan->has_key)
		return 0;
	if (getrandom(plan->key, sizeof(plan->key), 0) != sizeof(plan->key))
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "no random numbers for a key");
	return 0;
}

static struct dg_image_builder *builder_make(struct dg_plan *plan)
{
	struct dg_image_builder *builder = dg_image_builder_new(plan->key, 0);

	for (__u32 i = 0; builder && i < plan->lists; i++)
		dg_image_add_list(builder, &plan->list[i].answer);
	return builder;
}

/* ---- judgement ------------------------------------------------------------------------------ */

static int list_refuse(const struct dg_plan_list *list, const char *what, struct dg_error *err)
{
	const struct dg_problem *first = list->problem;

	if (!list->problems)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "list \"%.*s\": %s",
			       list->answer.text_len, list->answer.text, what);
	return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
		       "list \"%.*s\": %s, the first at %s:%lu:%u: %s", list->answer.text_len,
		       list->answer.text, what, first->path, first->line, first->column,
		       first->reason);
}

/* A list that is mostly not names is some other file. A protected name is a name. */
static int list_judge(const struct dg_plan *plan, const struct dg_plan_list *list,
		      struct dg_error *err)
{
	__u64 bad = list->rejected - list->guarded, good = list->entries + list->sources;
	char what[192];

	snprintf(what, sizeof(what), "%llu lines are no names", (unsigned long long)list->rejected);
	if (plan->strict && list->rejected)
		return list_refuse(list, what, err);
	if (bad > good)
		return list_refuse(list, what, err);
	if (list->guarded != good || plan->force)
		return 0;
	if (!list->unsupported)
		return list_refuse(list, "there are no names in it", err);
	snprintf(what, sizeof(what), "nothing in it can be blocked by name (%s)",
		 list->reason[0].text);
	return list_refuse(list, what, err);
}

static int lists_judge(const struct dg_plan *plan, struct dg_error *err)
{
	int rc = 0;

	for (__u32 i = 0; !rc && i < plan->lists; i++)
		rc = list_judge(plan, plan->list + i, err);
	return rc;
}

/* ---- the walk ------------------------------------------------------------------------------- */

static void tell_fold(void *arg, __u64 done)
{
	dg_progress_tell(arg, "fold", NULL, done);
}

/* What is neither a name of its own nor anything else that is counted has been folded into one. */
static __u64 folded_of(const struct dg_plan_list *list)
{
	__u64 told = list->accepted + list->duplicate + list->shadowed + list->guarded;

	return list->entries > told ? list->entries - told : 0;
}

static int fold(struct dg_plan *plan, struct dg_image_builder *builder,
		struct dg_progress *progress, struct dg_error *err)
{
	struct dg_image_folded folded[DG_LISTS_MAX + 1] = { 0 };
	__u64 names[DG_LISTS_MAX + 1];

	if (dg_image_fold(builder, folded, tell_fold, progress))
		return no_memory(err);
	plan->names = dg_image_count(builder, names);
	/* Counting the homes takes a while: writing will tell, unless somebody must know before. */
	if (plan->mode != DG_PLAN_BUILD || plan->memory)
		plan->bytes = dg_image_bytes(builder);
	for (__u32 i = 0; i < plan->lists; i++) {
		plan->list[i].accepted = names[i + 1];
		plan->list[i].shadowed += folded[i + 1].shadowed;
		plan->list[i].folded = folded_of(plan->list + i);
	}
	if (plan->memory && plan->bytes > plan->memory)
		return dg_fail(
			err, -E2BIG, DG_EXIT_UNSAFE,
			"image of %llu names needs %llu bytes of kernel memory, %llu are allowed",
			(unsigned long long)plan->names, (unsigned long long)plan->bytes,
			(unsigned long long)plan->memory);
	return 0;
}

/* A zone that redirects and has no data: Unbound says NODATA. */
static void answers_complete(struct dg_image_builder *builder)
{
	struct dg_answer *answer;

	for (__u32 i = 1; (answer = dg_image_answer(builder, i)); i++)
		if (answer->kind == DG_ANSWER_ADDRESS && !(answer->flags & (DG_ANS_V4 | DG_ANS_V6)))
			answer->kind = DG_ANSWER_NODATA;
}

static int image_write(struct dg_plan *plan, struct dg_image_builder *builder,
		       struct dg_progress *progress, struct dg_error *err)
{
	const void *elements;
	__u64 count;
	int rc;

	dg_progress_tell(progress, "write", NULL, 0);
	rc = dg_image_finish(builder, &elements, &count, err);
	if (!rc)
		rc = dg_image_save(plan->output, elements, count, err);
	if (!rc)
		plan->bytes = count * sizeof(struct dg_image_bucket);
	return rc;
}

int dg_plan_run(struct dg_plan *plan, struct dg_error *err)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder = NULL;
	struct dg_progress progress;
	int rc = key_make(plan, err);

	dg_progress_begin(&progress, plan);
	if (rc)
		return rc;
	builder = builder_make(plan);
	if (!builder)
		return no_memory(err);
	rc = dg_intake_run(plan, builder, &progress, err);
	if (!rc)
		rc = lists_judge(plan, err);
	answers_complete(builder);
	if (!rc)
		rc = fold(plan, builder, &progress, err);
	if (!rc && plan->mode == DG_PLAN_BUILD)
		rc = image_write(plan, builder, &progress, err);
	if (!rc && plan->mode == DG_PLAN_DUMP)
		rc = dg_plan_dump(plan, builder, err);
	return rc;
}
