// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * command.c - becomes the operator's command: nobody, without capabilities, and with no way to get any.
 *
 * Not fenced in beyond that: a command may send mail, start others, write where nobody may.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "userspace/lib/rights.h"
#include "userspace/notify/notify.h"

/* The message as standard input: whole, so a command that reads nothing holds nobody up. */
static int input_set(const char *text)
{
	size_t len = strlen(text);
	dg_scoped_fd int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) ||
	    dup2(fd, STDIN_FILENO) < 0)
		return -errno;
	return 0;
}

int dg_job_exec(const struct dg_job *job, struct dg_error *err)
{
	int rc = input_set(job->input);

	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "the message cannot be handed over: %s",
			       strerror(-rc));
	rc = dg_nobody_become();
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "cannot become nobody: %s", strerror(-rc));
	rc = dg_powers_drop(err);
	if (rc)
		return rc;
	setpgid(0, 0); /* whoever ends a command that hangs ends what it has started as well */
	execve(job->argv[0], (char *const *)job->argv, (char *const *)job->environment);
	return dg_fail(err, -errno, DG_EXIT_FAILED, "%s cannot be run as nobody: %s", job->argv[0],
		       strerror(errno));
}
