/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - what the files of the update pipeline share; nobody else includes it.
 *
 * A run has one item a list. Stages fill items from the left: source -> candidate -> check -> judged; then all items are
 * compiled at once, published, and only then committed to the disk.
 */
#ifndef DG_LISTS_INTERNAL_H
#define DG_LISTS_INTERNAL_H

#include "userspace/lib/image.h"
#include "userspace/lists/update.h"
#include "userspace/lists/child.h"

enum dg_outcome {
	DG_OUTCOME_NONE, /* not asked for */
	DG_OUTCOME_SAME,
	DG_OUTCOME_UPDATED,
	DG_OUTCOME_STALE,
	DG_OUTCOME_BUSY, /* somebody else is at it: nothing is known, nothing is changed */
};

/* The open files of one list, with the words by which a person knows them. */
struct dg_inputs {
	__u32 count;
	int fd[DG_LIST_FILES_MAX];
	char *label[DG_LIST_FILES_MAX];
};
void dg_inputs_close(struct dg_inputs *inputs);
/* Takes the descriptor over, also on failure. */
int dg_inputs_add(struct dg_inputs *inputs, int fd, const char *label);

struct dg_item {
	struct dg_list_spec spec;
	struct dg_list_meta meta; /* as it is on the disk */
	struct dg_list_meta next; /* as it will be: see dg_item_meta() */
	struct dg_dir dir;
	bool selected;
	bool candidate; /* there is a new content, not taken over yet */
	bool linked;	/* a symbolic link led to what is being opened */
	int staged;	/* what fetching came to: 0 or -errno */
	enum dg_outcome outcome;
	struct dg_inputs inputs; /* the candidate's files, else the content's; count 0 = none yet */
	json_t *check;		 /* report of the check */
	struct dg_error err;	 /* why it is stale */
};

struct dg_run {
	const struct dg_update *want;
	struct dg_dir lists;
	int lock;
	int protect; /* <state dir>/protected, names that no list may block; -1 = there is none */
	struct dg_registry *registry; /* as it will be */
	bool registry_changed;
	__u32 count;
	struct dg_item *item; /* as the registry */
	struct dg_maps maps;  /* not open = no guard runs */
	bool attached;
	__u64 key[4];
	const void *elements; /* the new image */
	__u64 elements_count;
	bool compiled, published;
	bool senders_pending; /* lists speak of senders, and no guard runs that could be told */
	json_t *report;	      /* of the compile of all lists */
	__u64 names_total, memory_needed, memory_allowed;
};

#define DG_RUN_NONE                                                                                \
	((struct dg_run){ .lists = DG_DIR_NONE, .lock = -1, .protect = -1, .maps = DG_MAPS_NONE })

/* update.c: what is known of a list when this run is over. */
const struct dg_list_meta *dg_item_meta(const struct dg_item *item);

/* run.c. A run holds the lock of the lists from open to close. */
int dg_run_open(struct dg_run *run, const struct dg_update *want, struct dg_error *err);
void dg_run_close(struct dg_run *run); /* accepts DG_RUN_NONE, and what a failed open left */
#define dg_scoped_run dg_scoped(dg_run_close)
int dg_run_items(struct dg_run *run,
		 struct dg_error *err); /* an item for each list of the registry */
int dg_run_select(struct dg_run *run, struct dg_error *err); /* marks those that are asked for */
struct dg_item *dg_run_item(const struct dg_run *run, const char *name); /* NULL = there is none */
int dg_run_unknown(const char *name, struct dg_error *err);
/* Removes a list's directory that no registry names: half added, or half removed. */
void dg_run_orphan(const struct dg_dir *lists, const char *name);
void dg_item_close(struct dg_item *item);

/* step.c */
bool dg_step_is_kept(const struct dg_run *run); /* nothing has to be compiled */
bool dg_step_is_live(const struct dg_run *run); /* the published image is one of ours */
int dg_step_write(const struct dg_run *run, struct dg_error *err);

__u64 dg_unix_now(void);
void dg_run_tell(const struct dg_run *run, const struct dg_update_progress *progress);

/* stage.c: the source's bytes become a candidate, or outcome SAME. */
int dg_stage(const struct dg_run *run, struct dg_item *item);
/* Opens what is to be compiled: of the candidate or of the content. */
int dg_stage_inputs(struct dg_item *item, struct dg_error *err);
/* Finishes or takes back what a run that died left in a list's directory. */
void dg_stage_sweep(const struct dg_dir *list);
/* The candidate becomes the content. */
int dg_stage_commit(struct dg_item *item, struct dg_error *err);

/* compile.c */
int dg_compile_check(const struct dg_run *run, struct dg_item *item);
int dg_compile_all(struct dg_run *run, struct dg_error *err);
json_t *dg_report_list(const json_t *report, size_t at);
/* Runs the compiler in a mode of its own on one item's inputs. */
struct dg_compile_ask {
	const char *mode, *value; /* "--dump", or "--where" and a name */
	int out_fd; /* >= 0: what it says goes there, else into ret_said (malloc'ed) */
};
int dg_compile_ask(const struct dg_item *item, const struct dg_compile_ask *ask, char **ret_said,
		   struct dg_error *err);
/* Puts the operator's words where "/dev/fd/N" stands. Cut to size. */
void dg_labels_put(const struct dg_inputs *inputs, char *text, size_t size);

/* The same in each place's "file"; other texts in it become fit for a terminal. */
void dg_places_clean(json_t *places, const struct dg_inputs *inputs);

/* judge.c: is the candidate fit to replace what is there? Fills next.counts and next.format. */
int dg_judge(const struct dg_run *run, struct dg_item *item);
/* The counts of a check's report. */
void dg_judge_counts(const json_t *list, struct dg_list_counts *ret);
/* Bytes that compiling and loading may take: as told, else half of what is free now. */
__u64 dg_memory_allowed(const struct dg_run *run);
/* What compiling and loading all items needs, against what is allowed. */
int dg_judge_memory(struct dg_run *run, struct dg_error *err);

/* senders.c: what lists say of senders becomes source policy; what they no longer say goes. */
int dg_senders_apply(const struct dg_run *run, struct dg_error *err);
/* Was anything said of senders, or is it now? */
bool dg_senders_differ(const struct dg_run *run);

/* report.c */
json_t *dg_run_report(const struct dg_run *run);

#endif
