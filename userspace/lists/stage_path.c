// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stage_path.c - a file or a directory of files on this host becomes a candidate.
 *
 * Opened with our rights, so what a symbolic link leads to is judged before anything of it is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "userspace/lib/quote.h"
#include "userspace/lists/internal.h"

#define SOURCE_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/*
 * Whoever may write where a source lies could put a link there, and its bad lines are told: behind a link only what
 * everybody may read is taken.
 */
static int source_judge(struct dg_item *item, const char *path, const struct stat *st)
{
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return dg_fail(&item->err, -EINVAL, DG_EXIT_FAILED,
			       "source %s is neither a file nor a directory", DG_QUOTE(path));
	if (item->linked && !(st->st_mode & S_IROTH))
		return dg_fail(&item->err, -EPERM, DG_EXIT_UNSAFE,
			       "source %s is behind a symbolic link, and not everybody may read "
			       "it: name the file itself",
			       DG_QUOTE(path));
	return 0;
}

static int source_open(struct dg_item *item, int at, const char *path, int *ret,
		       struct stat *ret_st)
{
	dg_scoped_fd int fd = openat(at, path, SOURCE_FLAGS | O_NOFOLLOW);
	int rc;

	if (fd < 0 && errno == ELOOP) {
		item->linked = true;
		fd = openat(at, path, SOURCE_FLAGS);
	}
	if (fd < 0 || fstat(fd, ret_st))
		return dg_fail(&item->err, -errno, DG_EXIT_FAILED, "source %s: cannot open it: %s",
			       DG_QUOTE(path), strerror(errno));
	rc = source_judge(item, path, ret_st);
	if (!rc)
		*ret = dg_take_fd(fd);
	return rc;
}

static int stage_file(const struct dg_run *run, struct dg_item *item, int from)
{
	dg_scoped_fd int to = -1;
	int rc = dg_dir_file_make(&item->dir, "candidate", &to, &item->err);

	item->next.directory = false;
	return rc ? rc : dg_file_copy(run, item, from, to, item->spec.source);
}

/* One file of a directory; what is no regular file is left out. */
static int member_copy(const struct dg_run *run, struct dg_item *item, int from_dir,
		       const struct dg_dir *to_dir, const char *name)
{
	dg_scoped_fd int from = -1, to = -1;
	bool linked = item->linked;
	struct stat st;
	int rc = source_open(item, from_dir, name, &from, &st);

	item->linked = linked; /* the next one may be none */
	if (rc || !S_ISREG(st.st_mode))
		return rc;
	rc = dg_dir_file_make(to_dir, name, &to, &item->err);
	return rc ? rc : dg_file_copy(run, item, from, to, name);
}

static int stage_directory(const struct dg_run *run, struct dg_item *item, int from,
			   const struct dg_file_names *names)
{
	dg_scoped_dir struct dg_dir to = DG_DIR_NONE;
	int rc;

	dg_dir_remove(&item->dir, "candidate.d");
	rc = dg_dir_enter(&item->dir, "candidate.d", true, &to, &item->err);
	for (__u32 i = 0; !rc && i < names->count; i++)
		rc = member_copy(run, item, from, &to, names->name[i]);
	if (!rc)
		fsync(to.fd);
	item->next.directory = true;
	return rc;
}

int dg_stage_path(const struct dg_run *run, struct dg_item *item)
{
	dg_scoped_file_names struct dg_file_names names = { 0 };
	__u64 mark = DG_MARK_BEGIN;
	dg_scoped_fd int from = -1;
	struct stat st;
	int rc = source_open(item, AT_FDCWD, item->spec.source, &from, &st);

	if (rc)
		return rc;
	dg_mark_add(&st, &mark);
	if (S_ISDIR(st.st_mode))
		rc = dg_file_names_read(from, item->spec.source, &names, &item->err);
	if (!rc && S_ISDIR(st.st_mode) && !names.count)
		rc = dg_fail(&item->err, -ENODATA, DG_EXIT_UNSAFE, "directory %s holds no file",
			     DG_QUOTE(item->spec.source));
	for (__u32 i = 0; !rc && i < names.count; i++)
		if (!fstatat(from, names.name[i], &st, 0))
			dg_mark_add(&st, &mark);
	if (rc)
		return rc;
	if (dg_mark_is_known(run, item, mark)) {
		item->outcome = DG_OUTCOME_SAME;
		return 0;
	}
	fstat(from, &st);
	rc = S_ISDIR(st.st_mode) ? stage_directory(run, item, from, &names) :
				   stage_file(run, item, from);
	item->candidate = !rc;
	return rc;
}
