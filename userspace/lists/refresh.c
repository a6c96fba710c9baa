// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * refresh.c - lists on their way from their sources into a run: fetched under the lock of their list alone, then judged.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "userspace/lists/internal.h"

#define BUSY_WAIT_MS 10000
#define BUSY_RETRY_MS 50

/* ---- fetching, under the lock of the list alone --------------------------------------------- */

void dg_staged_free(struct dg_staged *staged)
{
	for (__u32 i = 0; staged->item && i < staged->count; i++)
		dg_item_close(staged->item + i);
	free(staged->item);
}

int dg_staged_make(struct dg_staged *staged, __u32 room, struct dg_error *err)
{
	staged->item = calloc(room + 1, sizeof(*staged->item));
	return staged->item ? 0 : dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
}

/* Moves an item; its directory goes with it. */
void dg_staged_take(struct dg_staged *staged, struct dg_item *item)
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
			return dg_fail(
				&item->err, -EWOULDBLOCK, DG_EXIT_FAILED,
				"list %s: another dnsguard has been fetching it for 10 s: try "
				"again later",
				item->spec.name);
		}
		poll(NULL, 0, BUSY_RETRY_MS);
	}
	return 0;
}

void dg_stage_all(const struct dg_update *want, struct dg_staged *staged)
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

static void gone_note(struct dg_run *run, const struct dg_item *staged)
{
	struct dg_error err;

	dg_fail(&err, -ENOENT, DG_EXIT_NOT_FOUND,
		"list %s was removed, or is another one now: what was fetched for it is not taken",
		staged->spec.name);
	if (!run->gone)
		run->gone = json_array();
	json_array_append_new(run->gone, json_pack("{s:s, s:s, s:s, s:i}", "name",
						   staged->spec.name, "outcome", "gone", "error",
						   err.text, "exit_status", (int)err.status));
}

/* Puts what was fetched into its place in the run. What became of the list meanwhile counts more. */
static void item_adopt(struct dg_run *run, struct dg_item *staged)
{
	struct dg_item *item = dg_run_item(run, staged->spec.name);

	if (!item || !same_spec(&item->spec, &staged->spec) ||
	    !same_directory(&item->dir, &staged->dir)) {
		gone_note(run, staged);
		dg_content_sweep(&staged->dir);
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

void dg_item_stale(struct dg_item *item)
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
	dg_content_sweep(&item->dir);
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
		rc = dg_content_open(item, &item->err);
		if (!rc)
			rc = dg_compile_check(run, item);
		if (!rc)
			rc = dg_judge(run, item);
	}
	if (rc)
		dg_item_stale(item);
	else
		item_fresh(item);
}

void dg_settle_all(struct dg_run *run, struct dg_staged *staged)
{
	for (__u32 i = 0; i < staged->count; i++)
		item_adopt(run, staged->item + i);
	for (__u32 i = 0; i < run->count; i++)
		if (run->item[i].selected)
			item_settle(run, run->item + i);
}
