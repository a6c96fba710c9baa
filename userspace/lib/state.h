/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - files that are replaced whole: written beside, made durable, renamed over.
 *
 * A reader sees the old file or the new one, never half of either, also after a power cut.
 */
#ifndef DG_STATE_H
#define DG_STATE_H

#include <limits.h>

#include "userspace/lib/scope.h"

/*
 * A file being written. Until committed it is a temporary beside its path and goes with the scope.
 */
struct dg_state_file {
	FILE *file;
	char path[PATH_MAX];
	char temporary[PATH_MAX + 16];
};
#define DG_STATE_FILE_NONE ((struct dg_state_file){ .file = NULL })

/* Reads just `size` octets. -ENODATA: the file ends before. */
int dg_read_whole(int fd, void *buf, size_t size);
/* Makes a directory (mode 0755) unless it is there; its parent must be. */
int dg_state_dir_make(const char *dir, struct dg_error *err);
/* Starts the replacement of `path`, mode as of open(2). *ret is untouched on failure. */
int dg_state_begin(const char *path, unsigned int mode, struct dg_state_file *ret,
		   struct dg_error *err);
/* Puts what was written so far on the disk: a short one is found out, while nothing is replaced yet. */
int dg_state_flush(struct dg_state_file *state, struct dg_error *err);
/* Flushes, syncs and renames. The old file stays when anything fails, a short disk included. */
int dg_state_commit(struct dg_state_file *state, struct dg_error *err);
void dg_state_abandon(
	struct dg_state_file *state); /* accepts DG_STATE_FILE_NONE and a committed one */
#define dg_scoped_state dg_scoped(dg_state_abandon)

#endif
