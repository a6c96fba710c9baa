// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stage.c - brings a source's bytes into the list's directory as a candidate, whatever kind of source it is.
 */
#include <time.h>

#include "userspace/lists/internal.h"

#define NS_PER_SEC 1000000000ull

static int stage_source(const struct dg_run *run, struct dg_item *item)
{
	switch (dg_list_kind_of(&item->spec)) {
	case DG_LIST_PATH:
		return dg_stage_path(run, item);
	case DG_LIST_AXFR:
		return dg_stage_axfr(run, item);
	default:
		return dg_stage_remote(run, item);
	}
}

int dg_stage(const struct dg_run *run, struct dg_item *item)
{
	struct timespec now;
	int rc;

	clock_gettime(CLOCK_REALTIME, &now);
	item->next = item->meta;
	item->next.attempted = (__u64)now.tv_sec;
	rc = stage_source(run, item);
	if (rc || !item->candidate)
		return rc;
	item->next.content_inode = dg_dir_inode(&item->dir, dg_candidate_name(item));
	item->next.generation = (__u64)now.tv_sec * NS_PER_SEC + (__u64)now.tv_nsec;
	item->next.changed = item->next.attempted;
	return 0;
}
