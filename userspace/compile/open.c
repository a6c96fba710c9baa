// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * open.c - what a plan needs from the file system: opened before privileges go, closed at the end.
 */
#include "userspace/compile/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* "/dev/fd/N" was open before privileges went: it is of use to whoever may not open its file anew. */
static int inherited_open(const char *path)
{
	int number, fd;
	char more;

	if (sscanf(path, "/dev/fd/%d%c", &number, &more) != 1)
		return -1;
	fd = fcntl(number, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET); /* whoever handed it over may have read it */
	return fd;
}

static int file_open(struct dg_plan_file *file, struct dg_error *err)
{
	struct stat st;

	file->fd = strcmp(file->path, "-") ? open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY) :
					     dup(STDIN_FILENO);
	if (file->fd < 0 && errno == EACCES) {
		file->fd = inherited_open(file->path);
		errno = EACCES;
	}
	if (file->fd < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "%s: cannot open it: %s", file->path,
			       strerror(errno));
	if (!fstat(file->fd, &st) && S_ISREG(st.st_mode))
		file->bytes = (__u64)st.st_size;
	return 0;
}

/* Without the list of public suffixes the guard against slips is weaker: the report says so. */
static int protect_open(struct dg_plan *plan, struct dg_error *err)
{
	int rc = 0;

	plan->protect = dg_protect_new();
	if (!plan->protect)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED,
			       "not enough memory for the protected names");
	if (plan->force)
		return 0;
	if (!access(DG_PUBLIC_SUFFIXES, R_OK))
		rc = dg_protect_suffixes(plan->protect, DG_PUBLIC_SUFFIXES, err);
	if (!rc && plan->own_protected)
		rc = dg_protect_own(plan->protect, plan->own_protected, err);
	return rc;
}

int dg_plan_open(struct dg_plan *plan, struct dg_error *err)
{
	int rc = protect_open(plan, err);

	for (__u32 i = 0; !rc && i < plan->files; i++)
		rc = file_open(plan->file + i, err);
	return rc;
}

void dg_plan_close(struct dg_plan *plan)
{
	for (__u32 i = 0; i < plan->files; i++)
		dg_close_fd(&plan->file[i].fd);
	for (__u32 i = 0; i < plan->lists; i++)
		free(plan->list[i].source);
	dg_protect_free(&plan->protect);
}
