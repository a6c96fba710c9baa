// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rights.c - the steps down, each for good.
 */
#include "userspace/lib/rights.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOBODY 65534 /* uid and gid of nobody, everywhere Linux is */

int dg_nobody_become(void)
{
	if (geteuid())
		return 0;
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	return 0;
}

int dg_powers_drop(struct dg_error *err)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_CAPS) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return dg_fail(err, -EPERM, DG_EXIT_FAILED, "cannot give up capabilities");
	return 0;
}

int dg_memory_hide(struct dg_error *err)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0) || setrlimit(RLIMIT_CORE, &none))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot hide the memory: %s",
			       strerror(errno));
	return 0;
}
