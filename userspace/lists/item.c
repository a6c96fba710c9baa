// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * item.c - one list on its way through a run: its open files, what is known of it, and who is told how far it is.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "userspace/lists/internal.h"

__u64 dg_unix_now(void)
{
	return (__u64)time(NULL);
}

void dg_run_tell(const struct dg_run *run, const struct dg_update_progress *progress)
{
	if (run->want->progress)
		run->want->progress(progress, run->want->arg);
}

void dg_inputs_close(struct dg_inputs *inputs)
{
	for (__u32 i = 0; i < inputs->count; i++) {
		close(inputs->fd[i]);
		free(inputs->label[i]);
	}
	inputs->count = 0;
}

int dg_inputs_add(struct dg_inputs *inputs, int fd, const char *label)
{
	char *copy = inputs->count < DG_LIST_FILES_MAX ? strdup(label) : NULL;

	if (!copy) {
		close(fd);
		return -ENOSPC;
	}
	inputs->fd[inputs->count] = fd;
	inputs->label[inputs->count++] = copy;
	return 0;
}

__u64 dg_counts_names(const struct dg_list_counts *counts)
{
	return counts->accepted + counts->folded;
}

void dg_item_close(struct dg_item *item)
{
	dg_inputs_close(&item->inputs);
	dg_dir_close(&item->dir);
	json_decref(item->check);
	item->check = NULL;
}

const struct dg_list_meta *dg_item_meta(const struct dg_item *item)
{
	return item->outcome == DG_OUTCOME_NONE || item->outcome == DG_OUTCOME_BUSY ? &item->meta :
										      &item->next;
}
