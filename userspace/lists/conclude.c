// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conclude.c - the second half of a run: all lists compiled at once, published, and the disk after that.
 *
 * All that can be refused is refused before anything is changed.
 */
#include <errno.h>
#include <string.h>

#include "userspace/lists/internal.h"

#define FILES_MAX 1024 /* as many as dnsguard-compile takes at once */

int dg_run_inputs(struct dg_run *run, struct dg_error *err)
{
	__u32 files = 0;
	int rc = 0;

	for (__u32 i = 0; !rc && i < run->count; i++) {
		if (!run->item[i].inputs.count)
			rc = dg_content_open(run->item + i, err);
		files += run->item[i].inputs.count;
	}
	if (!rc && files > FILES_MAX)
		rc = dg_fail(err, -E2BIG, DG_EXIT_UNSAFE,
			     "all lists together have %u files, at most %d are allowed", files,
			     FILES_MAX);
	return rc;
}

static bool any_inputs(const struct dg_run *run)
{
	for (__u32 i = 0; i < run->count; i++)
		if (run->item[i].inputs.count)
			return true;
	return false;
}

/* The one moment at which the kernel changes. Only an image of ours is taken away when no list is left. */
static int publish(struct dg_run *run, struct dg_error *err)
{
	struct dg_update_progress progress = { .phase = "publish" };
	int rc = 0;

	dg_run_tell(run, &progress);
	if (run->elements)
		rc = dg_image_publish(&run->maps, run->elements, run->elements_count, err);
	else if (dg_step_is_live(run))
		rc = dg_image_drop(&run->maps, err);
	run->published = !rc;
	return rc;
}

static int publish_locked(struct dg_run *run, struct dg_error *err)
{
	dg_scoped_fd int lock = -1;
	int rc;

	run->senders_pending = !run->attached && dg_senders_differ(run);
	if (!run->attached)
		return 0;
	rc = dg_lock(run->want->bpffs, &lock, err);
	if (!rc)
		rc = publish(run, err);
	return rc ? rc : dg_senders_apply(run, err);
}

/* The disk follows: contents, registry, the image for the next attach, and what it was made of. */
static int commit(struct dg_run *run, bool compiled, struct dg_error *err)
{
	int rc = 0;

	for (__u32 i = 0; !rc && i < run->count; i++)
		if (dg_item_meta(run->item + i) == &run->item[i].next)
			rc = dg_content_commit(run->item + i, err);
	if (!rc && run->registry_changed)
		rc = dg_registry_save(&run->lists, run->registry, err);
	if (!rc && compiled)
		rc = dg_image_keep(run->want->state_dir, run->elements, run->elements_count, err);
	if (!rc && compiled)
		rc = dg_step_write(run, err);
	return rc;
}

/* What was fetched and not taken over goes at once: it may be large. */
void dg_candidates_drop(struct dg_run *run)
{
	for (__u32 i = 0; i < run->count; i++)
		if (run->item[i].candidate)
			dg_content_sweep(&run->item[i].dir);
}

/* Everything as one image, if there is anything that the last one was not made of. */
static int compile(struct dg_run *run, bool *ret_needed, struct dg_error *err)
{
	int rc = 0;

	*ret_needed = !dg_step_is_kept(run);
	if (*ret_needed && any_inputs(run)) {
		rc = dg_memory_judge(run, err);
		if (!rc)
			rc = dg_compile_all(run, err);
		if (!rc)
			rc = dg_senders_judge(run, err);
	}
	return rc;
}

/* Of the lists with a new content the one that grew most: it is the likeliest not to fit. */
static struct dg_item *candidate_largest(struct dg_run *run)
{
	struct dg_item *largest = NULL;
	__s64 most = 0;

	for (__u32 i = 0; i < run->count; i++) {
		struct dg_item *item = run->item + i;
		__s64 growth = (__s64)(item->next.counts.accepted - item->meta.counts.accepted);

		if (!item->candidate || (largest && growth <= most))
			continue;
		largest = item;
		most = growth;
	}
	return largest;
}

/* This one's old content stays, for the reason given. */
static void item_leave(struct dg_item *item, const struct dg_error *why)
{
	item->err = *why;
	dg_item_stale(item);
}

static int compile_again(struct dg_run *run, bool *ret_needed, struct dg_error *err)
{
	int rc = dg_run_inputs(run, err);

	return rc ? rc : compile(run, ret_needed, err);
}

int dg_compile_without(struct dg_run *run, bool *ret_needed, struct dg_error *err)
{
	int rc = compile(run, ret_needed, err);
	struct dg_item *largest = rc ? candidate_largest(run) : NULL;
	struct dg_error why;

	/* What took all the time there is would most likely do so again. */
	if (largest && rc != -ETIME) {
		item_leave(largest, err);
		rc = compile_again(run, ret_needed, err);
	}
	if (!rc || !candidate_largest(run))
		return rc;
	why = *err;
	for (__u32 i = 0; i < run->count; i++)
		if (run->item[i].candidate)
			item_leave(run->item + i, &why);
	return compile_again(run, ret_needed, err);
}

int dg_conclude(struct dg_run *run, bool compiled, struct dg_error *err)
{
	int rc = compiled ? publish_locked(run, err) : 0;

	return rc ? rc : commit(run, compiled, err);
}

int dg_finish(struct dg_run *run, struct dg_error *err)
{
	bool compiled;
	int rc = dg_run_inputs(run, err);

	if (!rc)
		rc = compile(run, &compiled, err);
	if (!rc)
		rc = dg_conclude(run, compiled, err);
	dg_candidates_drop(run);
	return rc;
}
