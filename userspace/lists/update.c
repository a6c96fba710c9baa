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
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "userspace/lib/quote.h"
#include "userspace/lists/internal.h"

#define FILES_MAX 1024 /* as many as dnsguard-compile takes at once */
#define BUSY_WAIT_MS 10000
#define BUSY_RETRY_MS 50

const struct dg_list_meta *dg_item_meta(const struct dg_item *item)
{
	return item->outcome == DG_OUTCOME_NONE || item->outcome == DG_OUTCOME_BUSY ? &item->meta :
										      &item->next;
}

/* ---- fetching, under the lock of the list alone --------------------------------------------- */

/* Lists on their way from the registry to the run that takes them over. */
struct staged {
	__u32 count;
	struct dg_item *item;
};

static void staged_free(struct staged *staged)
{
	for (__u32 i = 0; staged->item && i < staged->count; i++)
		dg_item_close(staged->item + i);
	free(staged->item);
}
#define scoped_staged dg_scoped(staged_free)

static int staged_make(struct staged *staged, __u32 room, struct dg_error *err)
{
	staged->item = calloc(room + 1, sizeof(*staged->item));
	return staged->item ? 0 : dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
}

/* Moves an item; its directory goes with it. */
static void staged_take(struct staged *staged, struct dg_item *item)
{
	staged->item[staged->count++] = *item;
	item->dir.fd = -1;
}

/* The directory's own descriptor carries the lock until it is closed. */
static int list_lock(struct dg_item *item)
{
	for (int waited = 0; flock(item->dir.fd, LOCK_EX | LOCK_NB); waited += BUSY_RETRY_MS) {
		if (errno != EWOULDBLOCK || waited >= BUSY_WAIT_MS) {
			item->outcome = DG_OUTCOME_BUSY;
			return dg_fail(&item->err, -EWOULDBLOCK, DG_EXIT_FAILED,
				       "list %s: another dnsguard is fetching it since 10 s",
				       item->spec.name);
		}
		poll(NULL, 0, BUSY_RETRY_MS);
	}
	return 0;
}

static void stage_all(const struct dg_update *want, struct staged *staged)
{
	const struct dg_run run = { .want = want };

	for (__u32 i = 0; i < staged->count; i++) {
		struct dg_item *item = staged->item + i;

		item->staged = list_lock(item);
		if (item->staged)
			continue;
		/* Whoever had the lock may have brought news. */
		dg_list_meta_read(&item->dir, "meta.json", &item->meta, &item->err);
		item->staged = dg_stage(&run, item);
	}
}

static bool same_spec(const struct dg_list_spec *one, const struct dg_list_spec *other)
{
	json_t *a = dg_list_spec_json(one), *b = dg_list_spec_json(other);
	bool same = json_equal(a, b);

	json_decref(a);
	json_decref(b);
	return same;
}

static bool same_directory(const struct dg_dir *one, const struct dg_dir *other)
{
	struct stat a, b;

	return !fstat(one->fd, &a) && !fstat(other->fd, &b) && a.st_ino == b.st_ino;
}

/* Puts what was fetched into its place in the run. What became of the list meanwhile counts more. */
static void item_adopt(struct dg_run *run, struct dg_item *staged)
{
	struct dg_item *item = dg_run_item(run, staged->spec.name);

	if (!item || !same_spec(&item->spec, &staged->spec) ||
	    !same_directory(&item->dir, &staged->dir)) {
		dg_stage_sweep(&staged->dir);
		return;
	}
	dg_dir_close(&item->dir);
	item->dir = staged->dir;
	staged->dir.fd = -1;
	item->selected = true;
	item->next = staged->next;
	item->candidate = staged->candidate;
	item->outcome = staged->outcome;
	item->staged = staged->staged;
	item->err = staged->err;
}

/* ---- one list's refresh --------------------------------------------------------------------- */

static void item_stale(struct dg_item *item)
{
	__u64 now = dg_unix_now();

	item->outcome = DG_OUTCOME_STALE;
	item->candidate = false;
	item->next = item->meta;
	item->next.attempted = now;
	item->next.failures++;
	if (!item->next.stale_since)
		item->next.stale_since = now;
	snprintf(item->next.error, sizeof(item->next.error), "%.600s", item->err.text);
	dg_inputs_close(&item->inputs);
	dg_stage_sweep(&item->dir);
}

static void item_fresh(struct dg_item *item)
{
	item->outcome = item->candidate ? DG_OUTCOME_UPDATED : DG_OUTCOME_SAME;
	item->next.fetched = item->next.attempted;
	item->next.stale_since = item->next.failures = 0;
	item->next.error[0] = '\0';
}

static void item_settle(struct dg_run *run, struct dg_item *item)
{
	int rc = item->staged;

	if (item->outcome == DG_OUTCOME_BUSY)
		return;
	if (!rc && item->candidate) {
		rc = dg_stage_inputs(item, &item->err);
		if (!rc)
			rc = dg_compile_check(run, item);
		if (!rc)
			rc = dg_judge(run, item);
	}
	if (rc)
		item_stale(item);
	else
		item_fresh(item);
}

static void settle_all(struct dg_run *run, struct staged *staged)
{
	for (__u32 i = 0; i < staged->count; i++)
		item_adopt(run, staged->item + i);
	for (__u32 i = 0; i < run->count; i++)
		if (run->item[i].selected)
			item_settle(run, run->item + i);
}

/* ---- all lists ------------------------------------------------------------------------------ */

static int inputs_open(struct dg_run *run, struct dg_error *err)
{
	__u32 files = 0;
	int rc = 0;

	for (__u32 i = 0; !rc && i < run->count; i++) {
		if (!run->item[i].inputs.count)
			rc = dg_stage_inputs(run->item + i, err);
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
			rc = dg_stage_commit(run->item + i, err);
	if (!rc && run->registry_changed)
		rc = dg_registry_save(&run->lists, run->registry, err);
	if (!rc && compiled)
		rc = dg_image_keep(run->want->state_dir, run->elements, run->elements_count, err);
	if (!rc && compiled)
		rc = dg_step_write(run, err);
	return rc;
}

/* What was fetched and not taken over goes at once: it may be large. */
static void candidates_drop(struct dg_run *run)
{
	for (__u32 i = 0; i < run->count; i++)
		if (run->item[i].candidate)
			dg_stage_sweep(&run->item[i].dir);
}

/* Everything as one image, if there is anything that the last one was not made of. */
static int compile(struct dg_run *run, bool *ret_needed, struct dg_error *err)
{
	int rc = 0;

	*ret_needed = !dg_step_is_kept(run);
	if (*ret_needed && any_inputs(run)) {
		rc = dg_judge_memory(run, err);
		if (!rc)
			rc = dg_compile_all(run, err);
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

/* What each list is good for by itself may be too much together: then it is the old content of one that stays. */
static int compile_without(struct dg_run *run, bool *ret_needed, struct dg_error *err)
{
	struct dg_item *item;
	int rc = compile(run, ret_needed, err);

	while (rc && (item = candidate_largest(run))) {
		item->err = *err;
		item_stale(item);
		rc = inputs_open(run, err);
		if (!rc)
			rc = compile(run, ret_needed, err);
	}
	return rc;
}

static int conclude(struct dg_run *run, bool compiled, struct dg_error *err)
{
	int rc = compiled ? publish_locked(run, err) : 0;

	return rc ? rc : commit(run, compiled, err);
}

static int finish(struct dg_run *run, struct dg_error *err)
{
	bool compiled;
	int rc = inputs_open(run, err);

	if (!rc)
		rc = compile(run, &compiled, err);
	if (!rc)
		rc = conclude(run, compiled, err);
	candidates_drop(run);
	return rc;
}

/* ---- refresh -------------------------------------------------------------------------------- */

/* Which lists are meant, each with its directory open. */
static int run_stage(const struct dg_update *want, struct staged *staged, struct dg_error *err)
{
	dg_scoped_run struct dg_run run;
	int rc = dg_run_open(&run, want, err);

	if (!rc)
		rc = dg_run_items(&run, err);
	if (!rc)
		rc = dg_run_select(&run, err);
	if (!rc)
		rc = staged_make(staged, run.count, err);
	for (__u32 i = 0; !rc && i < run.count; i++)
		if (run.item[i].selected)
			staged_take(staged, run.item + i);
	return rc;
}

int dg_update_run(const struct dg_update *want, json_t **ret_report, struct dg_error *err)
{
	scoped_staged struct staged staged = { 0 };
	dg_scoped_run struct dg_run run = DG_RUN_NONE;
	bool compiled = false;
	int rc = run_stage(want, &staged, err);

	*ret_report = NULL;
	if (rc)
		return rc;
	stage_all(want, &staged);
	rc = dg_run_open(&run, want, err);
	if (!rc)
		rc = dg_run_items(&run, err);
	if (rc)
		return rc;
	settle_all(&run, &staged);
	rc = inputs_open(&run, err);
	if (!rc)
		rc = compile_without(&run, &compiled, err);
	if (!rc)
		rc = conclude(&run, compiled, err);
	candidates_drop(&run);
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

		snprintf(err->text + used, sizeof(err->text) - used, "\n  %.120s:%lld:%lld: %.100s",
			 file ? file : "?",
			 (long long)json_integer_value(json_object_get(problem, "line")),
			 (long long)json_integer_value(json_object_get(problem, "column")),
			 reason ? reason : "?");
		used += strlen(err->text + used);
	}
}

/* Is there room for it? Then its directory is made, and is the only trace of it for now. */
static int add_stage(const struct dg_update *want, const struct dg_update_add *add,
		     struct staged *staged, struct dg_error *err)
{
	dg_scoped_run struct dg_run run;
	int rc = dg_run_open(&run, want, err);

	if (!rc)
		rc = dg_registry_add(run.registry, &add->spec, add->first, err);
	if (!rc)
		rc = staged_make(staged, 1, err);
	if (rc)
		return rc;
	staged->item[0].spec = add->spec;
	rc = dg_dir_enter(&run.lists, add->spec.name, true, &staged->item[0].dir, err);
	staged->count = !rc;
	return rc;
}

static int add_settle(struct dg_run *run, struct staged *staged, struct dg_error *err)
{
	const struct dg_item *item = dg_run_item(run, staged->item[0].spec.name);

	settle_all(run, staged);
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
		dg_run_orphan(&run->lists, name);
}

int dg_update_add(const struct dg_update *want, const struct dg_update_add *add,
		  json_t **ret_report, struct dg_error *err)
{
	scoped_staged struct staged staged = { 0 };
	dg_scoped_run struct dg_run run = DG_RUN_NONE;
	int rc = dg_list_spec_check(&add->spec, err);

	*ret_report = NULL;
	if (!rc)
		rc = add_stage(want, add, &staged, err);
	if (!rc && add->fetch)
		stage_all(want, &staged);
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
		rc = finish(&run, err);
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
		rc = finish(run, err);
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
		dg_run_orphan(&run.lists, name);
	return rc;
}
