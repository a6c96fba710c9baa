/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * update.h - the one way by which lists reach the kernel: fetched, checked, judged, compiled together, published, kept.
 *
 * Whoever wants lists refreshed (an operator, the daemon's timers, a watched file) comes through here. Until everything
 * is known to be good nothing is changed; a list whose source has gone bad keeps what it had and is stale from then on.
 */
#ifndef DG_LISTS_UPDATE_H
#define DG_LISTS_UPDATE_H

#include "userspace/lists/lists.h"

#define DG_LIST_BYTES_MAX (1ull << 30) /* of one source */
#define DG_LIST_LINES_MAX 50000000ull
#define DG_LIST_FILES_MAX 256 /* in one directory */
/* What a name costs at most: in the kernel, and in the compiler while it works. */
#define DG_LIST_KERNEL_BYTES_PER_NAME 24
#define DG_LIST_COMPILE_BYTES_PER_NAME 100

/* Where a long run is. */
struct dg_update_progress {
	char phase[16]; /* fetch copy check read fold write publish */
	char list[DG_TEXT_MAX + 1];
	__u64 bytes, bytes_total; /* 0 total = unknown */
	__u64 lines, accepted, folded, rejected;
	__u64 memory_needed, memory_allowed; /* bytes, 0 = not known yet */
};

struct dg_update {
	const char *state_dir, *bpffs;
	const char *const *names; /* lists to refresh */
	__u32 count;		  /* 0 = every one */
	bool force; /* also what shrank by more than half, is empty, or names what is protected */
	__u64 memory_max; /* bytes the run may need, 0 = half of what is free */
	/* The key to compile with while no guard runs: the state directory's. */
	int (*key)(const char *state_dir, __u64 key[4], struct dg_error *err);
	void (*progress)(const struct dg_update_progress *progress, void *arg); /* may be NULL */
	void *arg;
};

/*
 * Refreshes lists. *ret_report (owned by the caller, also on failure if not NULL) says what came of each:
 *   {schema, attached, published, names, entries, bytes, memory {needed, allowed}, lists: [{name, outcome, error, exit_status,
 *    accepted, rejected, ..., problems [{file, line, column, reason, text}]}]}
 * outcome: "unchanged", "updated", "stale" (refused or not reachable; what was there stays), "busy" (somebody else is at
 * it), "gone" (it was removed meanwhile). 0 also when some lists are
 * stale; -errno when nothing could be done at all, or what was good could not be published (then nothing has changed).
 */
int dg_update_run(const struct dg_update *want, json_t **ret_report, struct dg_error *err);
/* Adds a list with all that goes with it, or changes nothing. fetch false: only the entry, for a later update. */
struct dg_update_add {
	struct dg_list_spec spec;
	bool first, fetch;
};
int dg_update_add(const struct dg_update *want, const struct dg_update_add *add,
		  json_t **ret_report, struct dg_error *err);
/* Takes one list away, and its names out of the kernel. -ENOENT (status DG_EXIT_NOT_FOUND). */
int dg_update_remove(const struct dg_update *want, const char *name, json_t **ret_report,
		     struct dg_error *err);

/* Gives a list another place in the order: 1 = before all others; what is beyond the last is the last. */
int dg_update_move(const struct dg_update *want, const char *name, __u32 position,
		   json_t **ret_report, struct dg_error *err);

/* ---- looking, without changing -------------------------------------------------------------- */

/* Checks a file, or the files of a directory, as an update would: report as above with one list. -EINVAL and the words when it is not good. */
int dg_update_check(const struct dg_list_spec *spec, bool force, json_t **ret_report,
		    struct dg_error *err);
/* Accepted names of the stored content, one a line, sorted, to a descriptor. -ENOENT: no such list, or no content. */
int dg_update_dump(const char *state_dir, const char *name, int out_fd, struct dg_error *err);
/* The same of what the source holds now; nothing is taken over. */
int dg_update_dump_source(const struct dg_update *want, const char *name, int out_fd,
			  struct dg_error *err);
/* Where the stored content lists a name or a parent of it: [{file, line, column, text}]. NULL = not found out. */
json_t *dg_update_where(const char *state_dir, const char *list, const char *name);

#endif
