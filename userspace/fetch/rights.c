// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rights.c - gives up what a download does not need, before its first byte.
 *
 * Whoever starts the process may have done it already; this holds also when nobody did.
 */
#include <string.h>
#include <sys/resource.h>

#include "userspace/fetch/fetch.h"
#include "userspace/lib/rights.h"

/* What comes is written as it comes; this is libcurl, TLS, and the stack of the thread that finds a host. */
#define MEMORY_MAX (128ull << 20)

int dg_fetch_rights_drop(struct dg_error *err)
{
	struct rlimit memory = { MEMORY_MAX, MEMORY_MAX };
	int rc = dg_nobody_become();

	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "cannot become nobody: %s", strerror(-rc));
	rc = dg_powers_drop(err);
	if (!rc)
		rc = dg_memory_hide(err);
	if (rc)
		return rc;
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
