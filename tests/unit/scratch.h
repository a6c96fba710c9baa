/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scratch.h - a directory of its own for a test.
 */
#ifndef DG_TEST_SCRATCH_H
#define DG_TEST_SCRATCH_H

#include <stddef.h>

/* Makes a fresh directory below /tmp, named after what it is for; ret, of size octets, becomes its path. The caller
 * removes it. -errno. */
int dg_scratch_make(char *ret, size_t size, const char *what);
/* Likewise below another directory. */
int dg_scratch_make_in(char *ret, size_t size, const char *parent, const char *what);

#endif
