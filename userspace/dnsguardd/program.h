/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * program.h - one of our own programs as a child on the event loop: heard, bounded in time, ended.
 *
 * The child has an empty environment, a file or /dev/null for input and two pipes to us, nothing else. Knows nothing of what the
 * programs do.
 */
#ifndef DG_PROGRAM_H
#define DG_PROGRAM_H

#include <uv.h>

#include "userspace/lib/scope.h"

struct dg_program;

/* How it ended. Texts are the callee's only while it is called. */
struct dg_program_end {
	int exit_status;       /* -1 = a signal ended it */
	int number;	       /* that signal */
	int late;	       /* it was ended because its time was over */
	const char *said;      /* standard output, "" when lines were taken from it */
	const char *complaint; /* last line of standard error without the program's name in front */
};

struct dg_program_want {
	const char *name;	  /* "dnsguard": beside us, or in the libexec directory */
	char **argv;		  /* ends with NULL */
	int input_fd;		  /* its standard input, which stays ours; 0 = /dev/null */
	unsigned int seconds_max; /* 0 = as long as it likes */
	void (*line)(void *arg,
		     const char *line); /* each line of its output; NULL: the whole at the end */
	void (*end)(void *arg,
		    const struct dg_program_end *end); /* once; it is forgotten after that */
	void *arg;
};

/* -ENOENT: the program is missing. Other -errno: it cannot be started. *want is copied, argv is not kept. */
int dg_program_start(uv_loop_t *loop, const struct dg_program_want *want, struct dg_program **ret,
		     struct dg_error *err);
/*
 * Ends it, by SIGTERM and by closing its pipes; neither callback is called any more. Accepts NULL; *program becomes
 * NULL. The loop must run until the program has ended, or once more behind dg_programs_let_go().
 */
void dg_program_stop(struct dg_program **program);
/* The loop's end: stopped programs are not waited for. */
void dg_programs_let_go(uv_loop_t *loop);

#endif
