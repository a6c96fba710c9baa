// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * runlock.c - one daemon for one bpffs directory.
 *
 * A bpffs cannot hold such a file, so it stands in /run/dnsguard under a hash of the directory's
 * name. flock(2), not the pid, decides: a pid may be somebody else's by now.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "userspace/dnsguardd/runlock.h"
#include "userspace/lib/maps.h"

static int fail_held(int fd, const char *bpffs, struct dg_error *err)
{
	char text[32] = "";
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
	long pid = got > 0 ? strtol(text, NULL, 10) : 0;

	if (pid <= 0) /* it holds the lock, but has not written yet */
		return dg_fail(err, -EBUSY, DG_EXIT_FAILED, "another dnsguardd is starting for %s",
			       bpffs);
	return dg_fail(err, -EBUSY, DG_EXIT_FAILED,
		       "dnsguardd runs already for %s: pid %ld; stop it first: kill %ld", bpffs,
		       pid, pid);
}

int dg_runlock(const char *bpffs, int *ret_fd, struct dg_error *err)
{
	int fd dg_scoped_fd = -1;
	struct dg_path path;
	char text[32];
	int failed, len;

	failed = dg_run_path("dnsguardd", bpffs, &path);
	if (failed)
		return dg_fail(err, failed, DG_EXIT_FAILED, "cannot make %s: %s", DG_RUN_DIR,
			       strerror(-failed));
	fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED,
			       "cannot open %s: %s; run it as root, with sudo", path.text,
			       strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB))
		return fail_held(fd, bpffs, err);
	len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)len, 0) != len)
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "cannot write %s: %s", path.text,
			       strerror(errno));
	*ret_fd = dg_take_fd(fd);
	return 0;
}
