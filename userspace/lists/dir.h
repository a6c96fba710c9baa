/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dir.h - directories of the state, entered one step at a time and judged before they are trusted.
 *
 * What others could write to, or lead elsewhere with a symbolic link, is refused: the lists decide what a resolver's
 * clients can reach. Everything below the state directory is opened relative to its directory, links never followed.
 */
#ifndef DG_LISTS_DIR_H
#define DG_LISTS_DIR_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "userspace/lib/scope.h"

struct dg_dir {
	int fd;		     /* -1 = not open */
	char path[PATH_MAX]; /* for messages */
};
#define DG_DIR_NONE ((struct dg_dir){ .fd = -1 })

/*
 * Opens a directory. It must belong to root or to us and be writable by nobody else; its last component is no link.
 * -ENOENT, -ELOOP, -ENOTDIR, -EPERM (status DG_EXIT_UNSAFE). *ret is untouched on failure.
 */
int dg_dir_open(const char *path, struct dg_dir *ret, struct dg_error *err);
/* The same for a directory inside one; make: made with mode 0700 when it is not there. */
int dg_dir_enter(const struct dg_dir *at, const char *name, bool make, struct dg_dir *ret,
		 struct dg_error *err);
void dg_dir_close(struct dg_dir *dir); /* accepts DG_DIR_NONE */
#define dg_scoped_dir dg_scoped(dg_dir_close)

/* A regular file that is ours, for reading. -ENOENT is not put into words: *err stays as it is. */
int dg_dir_file_open(const struct dg_dir *at, const char *name, int *ret_fd, struct dg_error *err);
/* A file that was not there a moment ago (what had the name is removed), for reading and writing, mode 0644. */
int dg_dir_file_make(const struct dg_dir *at, const char *name, int *ret_fd, struct dg_error *err);
/* The whole of a small file, NUL-terminated, malloc'ed. -ENOENT without words; -EFBIG above max. */
int dg_dir_read(const struct dg_dir *at, const char *name, size_t max, char **ret,
		struct dg_error *err);
/* Replaces a file whole: written beside, made durable, renamed over. */
int dg_dir_write(const struct dg_dir *at, const char *name, const char *text, struct dg_error *err);
int dg_dir_rename(const struct dg_dir *at, const char *from, const char *to, struct dg_error *err);
/* Removes a file, or a directory with the files in it. 0 also when it is not there. */
int dg_dir_remove(const struct dg_dir *at, const char *name);
ino_t dg_dir_inode(const struct dg_dir *at, const char *name); /* 0 = not there */

#endif
