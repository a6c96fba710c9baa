/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * child.h - one of our helper programs as a child: without privileges, within limits, listened to until it ends.
 *
 * The child gets the descriptors it is told to have, an empty environment, a working directory and nothing else. What it
 * says is bounded. It dies with us.
 */
#ifndef DG_LISTS_CHILD_H
#define DG_LISTS_CHILD_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "bpf/abi.h"
#include "userspace/lib/scope.h"

#define DG_CHILD_ARGS_MAX 3072 /* 255 lists and 1024 files, each a word or two */

struct dg_child {
	const char *program; /* "dnsguard-compile": beside us, or in the libexec directory */
	int argc;
	char *argv[DG_CHILD_ARGS_MAX + 1];
	const int *keep; /* descriptors it inherits under their own numbers; ends with -1 */
	int cwd_fd;	 /* -1 = the root directory */
	int stdout_fd;	 /* >= 0: written to; -1: collected in `said` */
	__u64 memory_max, file_max; /* bytes, 0 = as ours */
	unsigned int seconds_max;
	void (*progress)(const char *line, void *arg); /* each line of its progress descriptor */
	void *arg;
	/* out: */
	char *said;	      /* standard output, NUL-terminated; malloc'ed */
	char complaint[1024]; /* last line of standard error without the program's name in front */
	int exit_status;      /* -1 = killed */
};

/*
 * Where a program of ours is: beside the program that runs now when built, in the libexec directory when installed.
 * -ENOENT.
 */
int dg_child_find(const char *program, char ret[PATH_MAX], struct dg_error *err);
/* Appends a word, formatted. -ENOSPC: too many; then everything that follows fails as well. */
int dg_child_word(struct dg_child *child, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Runs it to its end. "--progress-fd N" is put behind the words when progress is set. 0 whatever its exit status is;
 * -ENOENT the program is missing, -ETIME it took too long, -ECHILD it was killed by a signal, -EFBIG it said too much.
 */
int dg_child_run(struct dg_child *child, struct dg_error *err);
void dg_child_free(struct dg_child *child);
#define dg_scoped_child dg_scoped(dg_child_free)

#endif
