/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * own.h - the operator's own entries: block and allow, each with an optional deadline.
 *
 * Keeps three things in step under the guard's lock: the kernel's hash, the filter in front of it,
 * and the file in the state directory from which the next attach restores them.
 */
#ifndef DG_OWN_H
#define DG_OWN_H

#include "userspace/lib/maps.h"
#include "userspace/lib/names.h"

/*
 * A block entry as `block NAME` makes it: NXDOMAIN for good, EDE 15 with "operator" as its text,
 * added now.
 */
void dg_own_default(struct dg_own *ret);
/* -EINVAL: longer than the field or not one line. */
int dg_own_reason_set(struct dg_own *entry, const char *reason, struct dg_error *err);
/* Adds or replaces. -ENOSPC: table full. entry->name and name_len are filled from name. */
int dg_own_set(const struct dg_maps *maps, const struct dg_name *name, struct dg_own *entry,
	       struct dg_error *err);
int dg_own_remove(const struct dg_maps *maps, const struct dg_name *name,
		  struct dg_error *err); /* -ENOENT */
int dg_own_get(const struct dg_maps *maps, const struct dg_name *name,
	       struct dg_own *ret); /* -ENOENT */
int dg_own_each(const struct dg_maps *maps, int (*visit)(const struct dg_own *entry, void *arg),
		void *arg);
/*
 * Removes what is past its deadline, rebuilds the filter, corrects dg_settings.own_entries. Returns
 * how many went.
 */
int dg_own_tidy(const struct dg_maps *maps, __u64 now_ns, struct dg_error *err);
/*
 * The state file (text, one entry a line, deadlines as wall-clock): written whole and renamed;
 * restored at attach.
 */
int dg_own_save(const struct dg_maps *maps, const char *state_dir, struct dg_error *err);
int dg_own_restore(const struct dg_maps *maps, const char *state_dir, struct dg_error *err);
/*
 * One line of that file, both ways, without the line end: ANSWER EDE UNTIL ADDED NAME [REASON]. EDE
 * "-" = none; UNTIL and ADDED are Unix seconds, UNTIL 0 = for good. realtime_offset_ns is
 * CLOCK_REALTIME - CLOCK_MONOTONIC. -EINVAL says what is wrong with the line. buf holds
 * DG_OWN_LINE_MAX octets. Returns buf.
 */
#define DG_OWN_LINE_MAX 1400
int dg_own_line_parse(const char *line, __u64 realtime_offset_ns, struct dg_name *ret_name,
		      struct dg_own *ret, struct dg_error *err);
char *dg_own_line_text(const struct dg_own *entry, __u64 realtime_offset_ns, char *buf);

#endif
