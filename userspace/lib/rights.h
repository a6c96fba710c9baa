/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rights.h - what each helper of the daemon gives up before it touches a stranger's octet.
 */
#ifndef DG_RIGHTS_H
#define DG_RIGHTS_H

#include "userspace/lib/scope.h"

/*
 * Becomes user and group nobody, in no other group, for good. 0 without root: there is nothing to give up but files. -errno: still
 * who it was, and CAP_SETUID and CAP_SETGID are what is missing.
 */
int dg_nobody_become(void);
/* Gives up all capabilities, and the way to any by starting a program (no_new_privs). The bounding set needs no lowering then. */
int dg_powers_drop(struct dg_error *err);
/* No other process of the same user may look into this one, and its memory is not written down when it dies. */
int dg_memory_hide(struct dg_error *err);

#endif
