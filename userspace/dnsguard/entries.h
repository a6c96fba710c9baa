/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * entries.h - what block, allow and unblock share: the names they are given, and one change for all
 * of them.
 *
 * Every name is read and judged before the first entry changes.
 */
#ifndef DG_ENTRIES_H
#define DG_ENTRIES_H

#include "userspace/dnsguard/options.h"
#include "userspace/lib/own.h"

struct dg_entry_names {
	struct dg_name *name;
	size_t count, room;
};
#define DG_ENTRY_NAMES_NONE ((struct dg_entry_names){ .name = NULL })
void dg_entry_names_free(struct dg_entry_names *names);
#define dg_scoped_names dg_scoped(dg_entry_names_free)

/*
 * The words of the command line, the lines of `file` (NULL = none), and of standard input when a
 * word is "-". A line holds one name; '#' starts a comment. No name at all is a matter of usage.
 */
int dg_entry_names_read(const struct dg_cli *cli, const char *file, struct dg_entry_names *ret,
			struct dg_error *err);
/*
 * -EPERM (status DG_EXIT_UNSAFE) for the first name that needs --force, and for the root, which no entry can stand for;
 * instead says what does for all names what the verb does for some.
 */
int dg_entry_names_judge(const struct dg_entry_names *names, bool force, const char *instead,
			 struct dg_error *err);

/* Sets the same entry for all names and saves; one lock, one save. */
int dg_entries_set(const struct dg_cli *cli, const struct dg_entry_names *names,
		   const struct dg_own *entry, struct dg_error *err);
/* Removes the entries of all names and saves; when one has none, nothing is removed. */
int dg_entries_remove(const struct dg_cli *cli, const struct dg_entry_names *names,
		      struct dg_error *err);

/* "blocked a.example (nxdomain) for 2h", or the JSON for it. entry NULL = nothing but the names. */
void dg_entries_report(const struct dg_cli *cli, const char *done,
		       const struct dg_entry_names *names, const struct dg_own *entry);

#endif
