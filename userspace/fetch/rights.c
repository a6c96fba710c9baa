// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rights.c - gives up what a download does not need, before its first byte.
 *
 * Whoever starts the process may have done it already; this holds also when nobody did.
 */
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "userspace/fetch/fetch.h"

#define NOBODY 65534 /* uid and gid of nobody, everywhere Linux is */
/* What comes is written as it comes; this is libcurl, TLS, and the stack of the thread that finds a host. */
#define MEMORY_MAX (128ull << 20)

int dg_fetch_rights_drop(struct dg_error *err)
{
	struct rlimit none = { 0, 0 }, memory = { MEMORY_MAX, MEMORY_MAX };
	int rc;

	if (!geteuid() && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
			   setresuid(NOBODY, NOBODY, NOBODY)))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot become nobody: %s",
			       strerror(errno));
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_CAPS))
		return dg_fail(err, -EPERM, DG_EXIT_FAILED, "cannot give up capabilities");
	/* Not dumpable: no other process of nobody's may look into this one. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0) ||
	    setrlimit(RLIMIT_CORE, &none))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot give up privileges: %s",
			       strerror(errno));
#ifndef __SANITIZE_ADDRESS__
	(void)!setrlimit(RLIMIT_DATA, &memory); /* whoever started us may have set a lower one */
#else
	(void)memory;
#endif
	rc = dg_fetch_fence();
	return rc ? dg_fail(err, rc, DG_EXIT_FAILED, "cannot restrict system calls: %s",
			    strerror(-rc)) :
		    0;
}
