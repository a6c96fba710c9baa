// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * scratch.c - a directory of its own for a test.
 */
#include "tests/unit/scratch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int dg_scratch_make(char *ret, size_t size, const char *what)
{
	return dg_scratch_make_in(ret, size, "/tmp", what);
}

int dg_scratch_make_in(char *ret, size_t size, const char *parent, const char *what)
{
	int len = snprintf(ret, size, "%s/dg-%s-XXXXXX", parent, what);

	if (len < 0 || (size_t)len >= size)
		return -ENAMETOOLONG;
	return mkdtemp(ret) ? 0 : -errno;
}
