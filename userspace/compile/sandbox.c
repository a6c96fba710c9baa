// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sandbox.c - gives up what reading a list does not need, before its first byte is read.
 *
 * Whoever starts the process may have done more (another user, namespaces); this holds also when
 * nobody did.
 */
#include "userspace/compile/plan.h"

#include <cap-ng.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int dg_sandbox_enter(struct dg_error *err)
{
	struct rlimit none = { 0, 0 };

	/* Needs privilege; without it there is none to misuse either. */
	(void)!unshare(CLONE_NEWNET);
	capng_clear(CAPNG_SELECT_BOTH);
	/*
	 * -4 and below: the bounding set, which an unprivileged process cannot lower and need not.
	 */
	if (capng_apply(CAPNG_SELECT_CAPS))
		return dg_fail(err, -EPERM, DG_EXIT_FAILED, "cannot give up capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || setrlimit(RLIMIT_CORE, &none) ||
	    setrlimit(RLIMIT_NPROC, &none))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot give up privileges: %s",
			       strerror(errno));
	return 0;
}
