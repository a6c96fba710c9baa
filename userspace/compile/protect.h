/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * protect.h - names that no list may block unless it is forced to.
 *
 * The root, single labels and the names that hosts need (names.h); public suffixes, of both sections
 * of the list; the operator's own names, with what is below them and what is above.
 *
 * Why the private section, too: "github.io" on a feed means a slip, for whoever blocks it blocks
 * thousands of strangers' sites. A feed that lists names below one is untouched by this.
 */
#ifndef DG_PROTECT_H
#define DG_PROTECT_H

#include "userspace/lib/names.h"

#define DG_PUBLIC_SUFFIXES "/usr/share/publicsuffix/public_suffix_list.dat"

struct dg_protect;

struct dg_protect *dg_protect_new(void);
void dg_protect_free(struct dg_protect **protect);
/*
 * Reads a public suffix list (publicsuffix.org/list), or a file of the operator's names, one a line. A
 * bad line of the operator's is refused with its place. -ENOENT and the like: cannot be opened.
 */
int dg_protect_suffixes(struct dg_protect *protect, const char *path, struct dg_error *err);
int dg_protect_own(struct dg_protect *protect, const char *path, struct dg_error *err);
/* How many public suffixes, how many of the operator's names. */
unsigned int dg_protect_suffix_count(const struct dg_protect *protect);
unsigned int dg_protect_own_count(const struct dg_protect *protect);
/* NULL, or why the name must not be blocked in this scope. A static string. */
const char *dg_protect_reason(const struct dg_protect *protect, const struct dg_name *name,
			      enum dg_scope scope);

#endif
