/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keep.h - a state file that is written off the loop: a slow disk holds nothing up.
 *
 * The text is made on the loop; a thread makes it durable. While one text is being written the next one waits.
 */
#ifndef DG_KEEP_H
#define DG_KEEP_H

#include <stdbool.h>
#include <uv.h>

#include "userspace/lib/scope.h"

struct dg_keep {
	uv_work_t work;
	const char *path; /* the caller's, for as long as this lives */
	char *text;	  /* being written */
	bool busy;
	int failed, failed_before; /* the last write, which is said once, and the one before */
	struct dg_error err;
};

/* Takes the text over (NULL: memory was short). Returns whether it will be written; else ask again later. */
bool dg_keep_write(struct dg_keep *keep, uv_loop_t *loop, char *text);
/* The same at once, at the end of the daemon, when no other is under way any more. */
void dg_keep_now(struct dg_keep *keep, char *text);

#endif
