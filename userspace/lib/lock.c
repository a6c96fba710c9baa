// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lock.c - the guard's lock: one writer at a time for the maps of one bpffs directory.
 *
 * A bpf filesystem cannot hold ordinary files, so the lock is a file in /run/dnsguard named after the directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "userspace/lib/maps.h"

#define LOCK_RETRY_MS 20

int dg_run_path(const char *kind, const char *bpffs, struct dg_path *ret)
{
	dg_scoped_free char *real =
		realpath(bpffs, NULL);	    /* one lock, however the path is written */
	__u64 hash = 0xcbf29ce484222325ull; /* FNV-1a */

	for (const char *at = real ? real : bpffs; *at; at++)
		hash = (hash ^ (__u8)*at) * 0x100000001b3ull;
	snprintf(ret->text, sizeof(ret->text), "%s/%.200s-%016llx", DG_RUN_DIR, kind,
		 (unsigned long long)hash);
	return mkdir(DG_RUN_DIR, 0700) && errno != EEXIST ? -errno : 0;
}

int dg_flock_wait(int fd, __u64 wait_ns)
{
	__u64 deadline = dg_now_ns() + wait_ns;

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (dg_now_ns() > deadline)
			return -EWOULDBLOCK;
		poll(NULL, 0, LOCK_RETRY_MS);
	}
	return 0;
}

int dg_lock(const char *bpffs, int *ret_fd, struct dg_error *err)
{
	dg_scoped_fd int fd = -1;
	struct dg_path path;
	int status = dg_run_path("lock", bpffs, &path);

	if (!status) {
		fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		status = fd < 0 ? -errno : dg_flock_wait(fd, DG_LOCK_WAIT_NS);
	}
	if (status == -EWOULDBLOCK)
		return dg_fail(
			err, status, DG_EXIT_FAILED,
			"another dnsguard has held the lock for 10 s: see who with: fuser %s",
			path.text);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "cannot take the lock %s: %s; run it as root, with sudo", path.text,
			       strerror(-status));
	*ret_fd = dg_take_fd(fd);
	return 0;
}
