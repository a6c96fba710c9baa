/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * progress.h - how far a long command is: a line that renews itself on a terminal, else one line each 10 seconds.
 */
#ifndef DG_PROGRESS_H
#define DG_PROGRESS_H

#include "userspace/lists/update.h"

struct dg_progress {
	FILE *out; /* standard error: the result goes to standard output */
	bool terminal;
	__u64 started_ns, shown_ns, phase_ns;
	char phase[16], list[DG_TEXT_MAX + 1];
	int width; /* of the line that is shown now */
};

/* Nothing is shown of what takes less than a second. */
void dg_progress_begin(struct dg_progress *progress, FILE *out);
/* A struct dg_update's progress callback; arg is the struct dg_progress. */
void dg_progress_show(const struct dg_update_progress *now, void *arg);
/* Takes the line away. */
void dg_progress_end(struct dg_progress *progress);

/* For tests: the line itself, of at most size - 1 octets. */
char *dg_progress_text(const struct dg_update_progress *now, __u64 elapsed_ns, char *buf,
		       size_t size);

#endif
