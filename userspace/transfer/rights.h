/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rights.h - what the process may still do once everything is open: talk to the primary, and no more.
 *
 * Another user, no capabilities, no way to new ones, and a fence around the file system (Landlock) where the kernel has it.
 */
#ifndef DG_TRANSFER_RIGHTS_H
#define DG_TRANSFER_RIGHTS_H

#include <linux/types.h>
#include <stdbool.h>

#include "userspace/lib/scope.h"

/* Are there rights to give up? */
bool dg_rights_has_root(void);
/*
 * For the process that talks to the network. Root becomes `nobody`; where the service may not change users
 * (no CAP_SETUID), the fence must hold instead. `path`: the one file that it still replaces itself, NULL = none.
 */
int dg_rights_drop(const char *path, struct dg_error *err);
/*
 * A zone of at most max_bytes, a second one that is coming in and the text of both fit; more is a fault, or an attack, and
 * fails as memory that is not there. A lower bound that was set before stays.
 */
void dg_rights_memory(__u64 max_bytes);
/* For the keeper: the same user, no capabilities, only the directory of the file. */
int dg_rights_keep_file(const char *path, struct dg_error *err);

#endif
