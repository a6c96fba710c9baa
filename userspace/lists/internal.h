/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - what the files of the update pipeline share; nobody else includes it.
 *
 * A run has one item a list. Stages fill items from the left: source -> candidate -> check -> judged; then all items are
 * compiled at once, published, and only then committed to the disk.
 */
#ifndef DG_LISTS_INTERNAL_H
#define DG_LISTS_INTERNAL_H

#include <sys/stat.h>

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
	json_t *gone;	      /* rows of lists that were fetched and are no more */
	__u64 names_total, memory_needed, memory_allowed;
};

#define DG_RUN_NONE                                                                                \
	((struct dg_run){ .lists = DG_DIR_NONE, .lock = -1, .protect = -1, .maps = DG_MAPS_NONE })

/*
 * The files from the bottom up; each calls only what stands above it here, lists.h and child.h.
 */

/* ---- item.c --------------------------------------------------------------------------------- */

__u64 dg_unix_now(void);
/* What is known of a list when this run is over. */
const struct dg_list_meta *dg_item_meta(const struct dg_item *item);
void dg_item_close(struct dg_item *item);
/* Names that a list means, however many entries they fold into. */
__u64 dg_counts_names(const struct dg_list_counts *counts);
void dg_run_tell(const struct dg_run *run, const struct dg_update_progress *progress);

/* ---- content.c ------------------------------------------------------------------------------ */

/* The names of a directory's files, sorted; hidden ones and editors' backups are left out. */
struct dg_file_names {
	__u32 count;
	char *name[DG_LIST_FILES_MAX];
};
int dg_file_names_read(int dir_fd, const char *path, struct dg_file_names *ret,
		       struct dg_error *err);
void dg_file_names_free(struct dg_file_names *names);
#define dg_scoped_file_names dg_scoped(dg_file_names_free)

const char *dg_candidate_name(const struct dg_item *item);
/* Opens what is to be compiled: of the candidate or of the content. */
int dg_content_open(struct dg_item *item, struct dg_error *err);
/* The candidate becomes the content. */
int dg_content_commit(struct dg_item *item, struct dg_error *err);
/* Finishes or takes back what a run that died left in a list's directory. */
void dg_content_sweep(const struct dg_dir *list);
/* Removes a list's directory that no registry names: half added, or half removed. */
void dg_content_remove(const struct dg_dir *lists, const char *name);

/* ---- copy.c --------------------------------------------------------------------------------- */

#define DG_MARK_BEGIN 0xcbf29ce484222325ull

/* What a file was when it was copied stands where a URL has its ETag. */
void dg_mark_add(const struct stat *st, __u64 *mark);
/* Was it this very content that was taken over last time? Then there is nothing to do. */
bool dg_mark_is_known(const struct dg_run *run, struct dg_item *item, __u64 mark);
int dg_bytes_copy(const struct dg_run *run, struct dg_item *item, int from, int to);
/* One file, which must be the same one after copying as before: it may be written right now. */
int dg_file_copy(const struct dg_run *run, struct dg_item *item, int from, int to,
		 const char *path);

/* ---- memory.c ------------------------------------------------------------------------------- */

/* Bytes that compiling and loading may take: as told, else half of what is free now. */
__u64 dg_memory_allowed(const struct dg_run *run);
/* The same for one helper, with a floor that the smallest one needs. */
__u64 dg_memory_max(const struct dg_run *run);
/* What compiling and loading all items needs, against what is allowed. */
int dg_memory_judge(struct dg_run *run, struct dg_error *err);

/* ---- stage_path.c, stage_remote.c, stage.c -------------------------------------------------- */

int dg_stage_path(const struct dg_run *run, struct dg_item *item);
int dg_stage_remote(const struct dg_run *run, struct dg_item *item);
int dg_stage_axfr(const struct dg_run *run, struct dg_item *item);
/* The source's bytes become a candidate, or the outcome is SAME. */
int dg_stage(const struct dg_run *run, struct dg_item *item);

/* ---- compile.c ------------------------------------------------------------------------------ */

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

/* ---- judge.c -------------------------------------------------------------------------------- */

/* Is the candidate fit to replace what is there? Fills next.counts and next.format. */
int dg_judge(const struct dg_run *run, struct dg_item *item);
/* The counts of a check's report. */
void dg_judge_counts(const json_t *list, struct dg_list_counts *ret);

/* ---- senders.c ------------------------------------------------------------------------------ */

/* Is there room for what the lists that were compiled say of senders? Nothing of it is left out in silence. */
int dg_senders_judge(const struct dg_run *run, struct dg_error *err);
/* What lists say of senders becomes source policy; what they no longer say goes. */
int dg_senders_apply(const struct dg_run *run, struct dg_error *err);
/* Was anything said of senders, or is it now? */
bool dg_senders_differ(const struct dg_run *run);

/* ---- step.c --------------------------------------------------------------------------------- */

bool dg_step_is_kept(const struct dg_run *run); /* nothing has to be compiled */
bool dg_step_is_live(const struct dg_run *run); /* the published image is one of ours */
int dg_step_write(const struct dg_run *run, struct dg_error *err);

/* ---- report.c ------------------------------------------------------------------------------- */

json_t *dg_run_report(const struct dg_run *run);

/* ---- run.c ---------------------------------------------------------------------------------- */

/* A run holds the lock of the lists from open to close. */
int dg_run_open(struct dg_run *run, const struct dg_update *want, struct dg_error *err);
void dg_run_close(struct dg_run *run); /* accepts DG_RUN_NONE, and what a failed open left */
#define dg_scoped_run dg_scoped(dg_run_close)
/* An item for each list of the registry. */
int dg_run_items(struct dg_run *run, struct dg_error *err);
int dg_run_select(struct dg_run *run, struct dg_error *err); /* marks those that are asked for */
struct dg_item *dg_run_item(const struct dg_run *run, const char *name); /* NULL = there is none */
int dg_run_unknown(const char *name, struct dg_error *err);

/* ---- refresh.c ------------------------------------------------------------------------------ */

/* Lists on their way from the registry to the run that takes them over. */
struct dg_staged {
	__u32 count;
	struct dg_item *item;
};
int dg_staged_make(struct dg_staged *staged, __u32 room, struct dg_error *err);
void dg_staged_free(struct dg_staged *staged);
#define dg_scoped_staged dg_scoped(dg_staged_free)
/* Moves an item; its directory goes with it. */
void dg_staged_take(struct dg_staged *staged, struct dg_item *item);
/* Fetches each, under the lock of its list alone. */
void dg_stage_all(const struct dg_update *want, struct dg_staged *staged);
/* Puts what was fetched into its place in the run and judges it. */
void dg_settle_all(struct dg_run *run, struct dg_staged *staged);
/* What it had stays; item->err says why. */
void dg_item_stale(struct dg_item *item);

/* ---- conclude.c ----------------------------------------------------------------------------- */

/* Opens every list's files that are not open yet. */
int dg_run_inputs(struct dg_run *run, struct dg_error *err);
/*
 * Everything as one image. What is too much together: the list that grew most keeps its old content, and if that does
 * not help every one does. So it is compiled three times at most, the last time most likely not at all.
 */
int dg_compile_without(struct dg_run *run, bool *ret_needed, struct dg_error *err);
/* Publishes what was compiled and lets the disk follow. */
int dg_conclude(struct dg_run *run, bool compiled, struct dg_error *err);
/* Compiles all, publishes, commits; all or nothing. */
int dg_finish(struct dg_run *run, struct dg_error *err);
/* What was fetched and not taken over goes at once: it may be large. */
void dg_candidates_drop(struct dg_run *run);

#endif
