// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * update.c - a run of the pipeline: refresh what is asked for, compile all lists at once, publish, commit.
 *
 * Order is what makes it safe. All that can be refused is refused before anything is changed; then the kernel's image is
 * swapped, then the disk follows by renames. Whoever dies in between leaves an old or a new image and old or new
 * contents, and the next run sees whether they belong together. Sources are fetched under the lock of their list alone,
 * so that a slow server holds up nobody else.
 */
#include <errno.h>
#include <string.h>

#include "userspace/lib/quote.h"
#include "userspace/lists/internal.h"

/* ---- refresh -------------------------------------------------------------------------------- */

/* Which lists are meant, each with its directory open. */
static int run_stage(const struct dg_update *want, struct dg_staged *staged, struct dg_error *err)
{
	dg_scoped_run struct dg_run run;
	int rc = dg_run_open(&run, want, err);

	if (!rc)
		rc = dg_run_items(&run, err);
	if (!rc)
		rc = dg_run_select(&run, err);
	if (!rc)
		rc = dg_staged_make(staged, run.count, err);
	for (__u32 i = 0; !rc && i < run.count; i++)
		if (run.item[i].selected)
			dg_staged_take(staged, run.item + i);
	return rc;
}

/* A run that fails as a whole, on a full disk for instance, must not hide why a list failed before. */
static void reasons_append(const struct dg_run *run, struct dg_error *err)
{
	size_t used = strlen(err->text);

	for (__u32 i = 0; i < run->count; i++) {
		const struct dg_item *item = run->item + i;

		if (item->outcome != DG_OUTCOME_STALE || !strcmp(item->err.text, err->text))
			continue;
		snprintf(err->text + used, sizeof(err->text) - used, "\n  before that: %.300s",
			 item->err.text);
		used += strlen(err->text + used);
	}
}

int dg_update_run(const struct dg_update *want, json_t **ret_report, struct dg_error *err)
{
	dg_scoped_staged struct dg_staged staged = { 0 };
	dg_scoped_run struct dg_run run = DG_RUN_NONE;
	bool compiled = false;
	int rc = run_stage(want, &staged, err);

	*ret_report = NULL;
	if (rc)
		return rc;
	dg_stage_all(want, &staged);
	rc = dg_run_open(&run, want, err);
	if (!rc)
		rc = dg_run_items(&run, err);
	if (rc)
		return rc;
	dg_settle_all(&run, &staged);
	rc = dg_run_inputs(&run, err);
	if (!rc)
		rc = dg_compile_without(&run, &compiled, err);
	if (!rc)
		rc = dg_conclude(&run, compiled, err);
	dg_candidates_drop(&run);
	if (rc)
		reasons_append(&run, err);
	*ret_report = dg_run_report(&run);
	return rc;
}

/* ---- add ------------------------------------------------------------------------------------ */

/* What the first five bad lines are, under the sentence that refuses the list. */
static void problems_append(const struct dg_item *item, struct dg_error *err)
{
	const json_t *problem,
		*problems = json_object_get(dg_report_list(item->check, 0), "problems");
	size_t i, used = strlen(err->text);

	json_array_foreach(problems, i, problem)
	{
		const char *file = json_string_value(json_object_get(problem, "file"));
		const char *reason = json_string_value(json_object_get(problem, "reason"));

		snprintf(err->text + used, sizeof(err->text) - used, "\n  %.120s:%lld:%lld: %.140s",
			 file ? file : "?",
			 (long long)json_integer_value(json_object_get(problem, "line")),
			 (long long)json_integer_value(json_object_get(problem, "column")),
			 reason ? reason : "?");
		used += strlen(err->text + used);
	}
}

/* Is there room for it? Then its directory is made, and is the only trace of it for now. */
static int add_stage(const struct dg_update *want, const struct dg_update_add *add,
		     struct dg_staged *staged, struct dg_error *err)
{
	dg_scoped_run struct dg_run run;
	int rc = dg_run_open(&run, want, err);

	if (!rc)
		rc = dg_registry_add(run.registry, &add->spec, add->first, err);
	if (!rc)
		rc = dg_staged_make(staged, 1, err);
	if (rc)
		return rc;
	staged->item[0].spec = add->spec;
	rc = dg_dir_enter(&run.lists, add->spec.name, true, &staged->item[0].dir, err);
	staged->count = !rc;
	return rc;
}

static int add_settle(struct dg_run *run, struct dg_staged *staged, struct dg_error *err)
{
	const struct dg_item *item = dg_run_item(run, staged->item[0].spec.name);

	dg_settle_all(run, staged);
	if (!item->selected)
		return dg_fail(err, -ESTALE, DG_EXIT_FAILED,
			       "list %s was removed while it was fetched: add it again",
			       item->spec.name);
	if (item->outcome != DG_OUTCOME_STALE && item->outcome != DG_OUTCOME_BUSY)
		return 0;
	*err = item->err;
	problems_append(item, err);
	return -EINVAL;
}

/* What was made for the list goes, unless somebody else is fetching into it. */
static void add_undo(struct dg_run *run, const char *name)
{
	const struct dg_item *item = dg_run_item(run, name);

	if (!item || item->outcome != DG_OUTCOME_BUSY)
		dg_content_remove(&run->lists, name);
}

int dg_update_add(const struct dg_update *want, const struct dg_update_add *add,
		  json_t **ret_report, struct dg_error *err)
{
	dg_scoped_staged struct dg_staged staged = { 0 };
	dg_scoped_run struct dg_run run = DG_RUN_NONE;
	int rc = dg_list_spec_check(&add->spec, err);

	*ret_report = NULL;
	if (!rc)
		rc = add_stage(want, add, &staged, err);
	if (!rc && add->fetch)
		dg_stage_all(want, &staged);
	if (!rc)
		rc = dg_run_open(&run, want, err);
	if (!rc)
		rc = dg_registry_add(run.registry, &add->spec, add->first, err);
	if (rc)
		return rc;
	run.registry_changed = true;
	rc = dg_run_items(&run, err);
	if (!rc && add->fetch)
		rc = add_settle(&run, &staged, err);
	if (!rc)
		rc = dg_finish(&run, err);
	if (rc)
		add_undo(&run, add->spec.name);
	else
		*ret_report = dg_run_report(&run);
	return rc;
}

/* ---- move and remove ------------------------------------------------------------------------ */

/* Opens a run for a change of one list that is there. */
static int change_open(struct dg_run *run, const struct dg_update *want, const char *name,
		       struct dg_error *err)
{
	int rc = dg_run_open(run, want, err);

	if (!rc && !dg_registry_find(run->registry, name))
		rc = dg_run_unknown(name, err);
	run->registry_changed = !rc;
	return rc;
}

static int change_finish(struct dg_run *run, json_t **ret_report, struct dg_error *err)
{
	int rc = dg_run_items(run, err);

	if (!rc)
		rc = dg_finish(run, err);
	if (!rc)
		*ret_report = dg_run_report(run);
	return rc;
}

int dg_update_move(const struct dg_update *want, const char *name, __u32 position,
		   json_t **ret_report, struct dg_error *err)
{
	dg_scoped_run struct dg_run run = DG_RUN_NONE;
	int rc = change_open(&run, want, name, err);

	*ret_report = NULL;
	if (rc)
		return rc;
	dg_registry_move(run.registry, name, position);
	return change_finish(&run, ret_report, err);
}

int dg_update_remove(const struct dg_update *want, const char *name, json_t **ret_report,
		     struct dg_error *err)
{
	dg_scoped_run struct dg_run run = DG_RUN_NONE;
	int rc = change_open(&run, want, name, err);

	*ret_report = NULL;
	if (rc)
		return rc;
	dg_registry_remove(run.registry, name);
	rc = change_finish(&run, ret_report, err);
	if (!rc)
		dg_content_remove(&run.lists, name);
	return rc;
}
