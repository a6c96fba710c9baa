/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan.h - what dnsguard-compile is asked to do, and what came of it.
 *
 * main.c fills the upper half from the command line, build.c the lower half of each list.
 */
#ifndef DG_PLAN_H
#define DG_PLAN_H

#include <stdbool.h>

#include "userspace/compile/feed.h"
#include "userspace/lib/image.h"

#define DG_FILES_MAX 1024
#define DG_PROBLEMS_MAX 5 /* told with their place, for each list; the rest are counted */

struct dg_problem {
	const char *path;
	unsigned long line;
	unsigned int column;
	char reason[640]; /* a quoted name and a sentence */
};

struct dg_plan_list {
	struct dg_answer answer;
	/* out: */
	__u64 accepted;	 /* names of this list in the image */
	__u64 duplicate; /* had been accepted, from this list or an earlier one */
	__u64 folded;	 /* below another name of this list, which decides for them */
	__u64 rejected;
	unsigned int problems;
	struct dg_problem problem[DG_PROBLEMS_MAX];
};

struct dg_plan_file {
	const char *path; /* "-" = standard input */
	__u32 list;	  /* index of lists[] */
	FILE *file;
};

struct dg_plan {
	const char *output;
	bool json, strict, force;
	__u64 key[4];
	__u32 lists, files;
	struct dg_plan_list list[DG_LISTS_MAX];
	struct dg_plan_file file[DG_FILES_MAX];
	/* out: */
	__u64 names, bytes;
};

/* Opens every file of the plan: before privileges go. */
int dg_plan_open(struct dg_plan *plan, struct dg_error *err);
void dg_plan_close(struct dg_plan *plan);
/* Reads the files and writes the image; nothing is written unless all of it is good. */
int dg_plan_build(struct dg_plan *plan, struct dg_error *err);
/* Gives up the network, every capability, new privileges and new processes. */
int dg_sandbox_enter(struct dg_error *err);

#endif
