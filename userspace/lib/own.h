/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * own.h - the operator's own entries: block and allow, each with an optional deadline.
 *
 * Keeps three things in step under the guard's lock: the kernel's hash, the filter in front of it, and the file in the
 * state directory from which the next attach restores them.
 */
#ifndef DG_OWN_H
#define DG_OWN_H

#include "userspace/lib/maps.h"
#include "userspace/lib/names.h"

/* Adds or replaces. -ENOSPC: table full. entry->name and name_len are filled from name. */
int dg_own_set(const struct dg_maps *maps, const struct dg_name *name, struct dg_own *entry, struct dg_error *err);
int dg_own_remove(const struct dg_maps *maps, const struct dg_name *name, struct dg_error *err); /* -ENOENT */
int dg_own_get(const struct dg_maps *maps, const struct dg_name *name, struct dg_own *ret); /* -ENOENT */
int dg_own_each(const struct dg_maps *maps, int (*visit)(const struct dg_own *entry, void *arg), void *arg);
/* Removes what is past its deadline, rebuilds the filter, corrects dg_settings.own_entries. Returns how many went. */
int dg_own_tidy(const struct dg_maps *maps, __u64 now_ns, struct dg_error *err);
/* The state file (text, one entry a line, deadlines as wall-clock): written whole and renamed; restored at attach. */
int dg_own_save(const struct dg_maps *maps, const char *state_dir, struct dg_error *err);
int dg_own_restore(const struct dg_maps *maps, const char *state_dir, struct dg_error *err);

#endif
