// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * record.c - what a device was before its trial, written down so that anybody can bring it back.
 *
 * A file in the run directory, and the program before it pinned as progs/before-<ifname>. The file stands as long as the
 * trial is open; it is locked as long as somebody holds the trial. A record without a holder is an orphan.
 * All of this is done under the guard's lock.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "loader/internal.h"

#define KIND "trial-"

static int record_path(const char *bpffs, const char *ifname, struct dg_path *ret)
{
	char kind[sizeof(KIND) + 16];

	snprintf(kind, sizeof(kind), KIND "%.15s", ifname);
	return dg_run_path(kind, bpffs, ret);
}

static int program_keep(const char *bpffs, const char *ifname, int prog_fd)
{
	struct dg_path path;
	int status = dg_before_path(bpffs, ifname, &path);

	if (status || prog_fd < 0)
		return status;
	unlink(path.text); /* of a trial that was killed */
	return bpf_obj_pin(prog_fd, path.text) ? -errno : 0;
}

int dg_record_write(const char *bpffs, const char *ifname, const struct dg_record *record,
		    int old_prog_fd, int *ret_fd)
{
	dg_scoped_fd int fd = -1;
	struct dg_path path;
	int status = record_path(bpffs, ifname, &path);

	if (!status)
		status = program_keep(bpffs, ifname, old_prog_fd);
	if (status)
		return status;
	unlink(path.text); /* one that was killed while writing: nothing was changed yet */
	fd = open(path.text, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		return -errno;
	if (write(fd, record, sizeof(*record)) != (ssize_t)sizeof(*record))
		return -EIO;
	*ret_fd = dg_take_fd(fd);
	return 0;
}

int dg_record_read(const char *bpffs, const char *ifname, struct dg_record *ret)
{
	dg_scoped_fd int fd = -1;
	struct dg_record record;
	struct dg_path path;
	int status = record_path(bpffs, ifname, &path);

	if (status)
		return status;
	fd = open(path.text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (read(fd, &record, sizeof(record)) != (ssize_t)sizeof(record) ||
	    record.abi_version != DG_ABI_VERSION)
		return -EPROTO;
	*ret = record;
	return 0;
}

void dg_record_remove(const char *bpffs, const char *ifname)
{
	struct dg_path path;

	if (!dg_before_path(bpffs, ifname, &path))
		unlink(path.text);
	if (!record_path(bpffs, ifname, &path))
		unlink(path.text);
}

bool dg_record_is_open(const char *bpffs, const char *ifname, int fd)
{
	struct stat ours, there;
	struct dg_path path;

	return !record_path(bpffs, ifname, &path) && !stat(path.text, &there) &&
	       !fstat(fd, &ours) && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

/* Is this file of the run directory a record of this bpffs directory? tail is what their names end in. */
static bool record_name(const char *file, const char *tail, char ifname[16])
{
	size_t len = strlen(file), head = strlen(KIND), end = strlen(tail);

	if (strncmp(file, KIND, head) || len <= head + end || len - head - end > 15 ||
	    strcmp(file + len - end, tail))
		return false;
	snprintf(ifname, 16, "%.*s", (int)(len - head - end), file + head);
	return true;
}

int dg_records_list(const char *bpffs, char ret[DG_IF_MAX][16])
{
	dg_scoped(dg_close_dir) DIR *dir = opendir(DG_RUN_DIR);
	const struct dirent *entry;
	struct dg_path path;
	int count = 0;

	if (!dir || dg_run_path("", bpffs, &path))
		return 0; /* no run directory, or not for us: no trial of ours */
	while (count < DG_IF_MAX && (entry = readdir(dir)))
		count += record_name(entry->d_name, path.text + strlen(DG_RUN_DIR "/"), ret[count]);
	return count;
}
