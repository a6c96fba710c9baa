/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan.h - what dnsguard-compile is asked to do, and what came of it.
 *
 * options.c fills the upper half of each struct from the command line; intake.c, build.c, where.c and
 * dump.c the lower half; report.c and progress.c show it.
 */
#ifndef DG_PLAN_H
#define DG_PLAN_H

#include <stdbool.h>

#include "userspace/compile/feed.h"
#include "userspace/compile/protect.h"
#include "userspace/lib/image.h"

#define DG_FILES_MAX 1024
#define DG_PROBLEMS_MAX 5 /* told with their place, for each list; the rest are counted */
#define DG_REASONS_MAX 32 /* there are fewer of them */
#define DG_PATH_FORMAT "%s"

enum dg_plan_mode {
	DG_PLAN_BUILD, /* write the image */
	DG_PLAN_CHECK, /* count */
	DG_PLAN_WHERE, /* find what covers one name */
	DG_PLAN_DUMP,  /* print the names */
};

struct dg_problem {
	const char *path;
	unsigned long line;
	unsigned int column;
	char reason[640]; /* a quoted name and a sentence */
	char text[160];	  /* of the line, fit to be shown */
};

struct dg_reason {
	const char *text;
	__u64 count;
};

struct dg_list_source {
	struct dg_prefix prefix;
	bool ban; /* else exempt */
};

struct dg_plan_list {
	struct dg_answer answer;
	enum dg_format format; /* may be DG_FORMAT_AUTO */
	bool exact;	       /* what the format leaves open covers the name alone */
	bool answer_given;     /* the operator's answer goes before what the feed says */
	/* out: */
	enum dg_format found; /* DG_FORMAT_COUNT = nothing read */
	bool mixed;	      /* files of several formats */
	__u64 lines, bytes, entries;
	__u64 accepted;	 /* names of this list in the image */
	__u64 duplicate; /* said before by this list */
	__u64 folded; /* joined with, or below another name of this list, which decides for them */
	__u64 shadowed; /* decided by a list of higher precedence */
	__u64 rejected; /* lines and names that are wrong */
	__u64 guarded;	/* of these: protected names */
	__u64 unsupported, skipped;
	struct dg_reason reason[DG_REASONS_MAX]; /* of what is unsupported */
	struct dg_list_source *source;
	__u32 sources, source_room;
	unsigned int problems;
	struct dg_problem problem[DG_PROBLEMS_MAX];
};

struct dg_plan_file {
	const char *path; /* "-" = standard input */
	__u32 list;	  /* index of lists[] */
	int fd;
	__u64 bytes; /* size, 0 = unknown */
};

struct dg_plan {
	enum dg_plan_mode mode;
	const char *output;
	const char *own_protected; /* --protect FILE */
	bool json, strict, force, has_key;
	__u64 key[4];
	int progress_fd; /* -1 = none */
	__u64 memory;	 /* bytes that the image may need; 0 = any */
	struct dg_bytes_limits limits;
	struct dg_name where;
	__u32 lists, files;
	struct dg_plan_list list[DG_LISTS_MAX];
	struct dg_plan_file file[DG_FILES_MAX];
	/* out: */
	struct dg_protect *protect;
	__u64 names, bytes; /* entries of the image, bytes it needs in the kernel */
	__u64 matches;	    /* of DG_PLAN_WHERE */
};

/* 1 = usage was asked for and printed. */
int dg_plan_parse(struct dg_plan *plan, int argc, char **argv, struct dg_error *err);
/* Opens and reads all that has a path: before privileges go. */
int dg_plan_open(struct dg_plan *plan, struct dg_error *err);
void dg_plan_close(struct dg_plan *plan);
/* Does it. Nothing is written unless all of it is good; the counts tell how far it came. */
int dg_plan_run(struct dg_plan *plan, struct dg_error *err);
int dg_plan_where(struct dg_plan *plan, struct dg_error *err);
/* Prints the builder's names, sorted. */
int dg_plan_dump(struct dg_plan *plan, struct dg_image_builder *builder, struct dg_error *err);
/* On stdout, problems as text on stderr. error: NULL, or why there is no image. */
void dg_plan_report(const struct dg_plan *plan, const struct dg_error *error);
/* Gives up the network, every capability, new privileges, new processes and other files: only output's directory stays. */
int dg_sandbox_enter(const char *output, struct dg_error *err);

/* ---- intake: entries of all lists into one builder ------------------------------------------- */

struct dg_progress;

/* Reads every file of the plan into the builder; lists that only observe come last. */
int dg_intake_run(struct dg_plan *plan, struct dg_image_builder *builder,
		  struct dg_progress *progress, struct dg_error *err);
/* The sink's halves that where.c shares: counts a problem and keeps the first few. */
void dg_problem_note(struct dg_plan_list *list, const struct dg_feed *feed,
		     const struct dg_problem *problem);
/* Text of a line, cut and cleaned, into a buffer of `size`. */
void dg_line_show(struct dg_span line, char *buf, size_t size);

/* ---- progress: one JSON object a line, five a second at most --------------------------------- */

struct dg_progress {
	const struct dg_plan *plan;
	__u64 told_ns;
	__u64 bytes_total, bytes_before; /* of all files; of those that are done */
};

void dg_progress_begin(struct dg_progress *progress, const struct dg_plan *plan);
/* phase: "read", "fold", "write"; list: whose files are being read, NULL = all. */
void dg_progress_tell(struct dg_progress *progress, const char *phase,
		      const struct dg_plan_list *list, __u64 bytes);

#endif
