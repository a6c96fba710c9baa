// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dir.c - directories of the state, entered one step at a time and judged before they are trusted.
 *
 * Knows nothing of lists. Every name given to it is one component; paths are for messages only.
 */
#include "userspace/lists/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace/lib/quote.h"
#include "userspace/lib/state.h"

#define OTHERS_WRITE (S_IWGRP | S_IWOTH)
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int refuse(struct dg_error *err, int error, const char *what, const struct dg_dir *at,
		  const char *name)
{
	char path[PATH_MAX + NAME_MAX + 2];

	snprintf(path, sizeof(path), "%s/%s", at->path, name);
	return dg_fail(err, -error, DG_EXIT_FAILED, "%s: cannot %s: %s", DG_QUOTE(path), what,
		       strerror(error));
}

static bool is_trusted(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & OTHERS_WRITE);
}

static int distrust(struct dg_error *err, const char *path, const struct stat *st)
{
	return dg_fail(
		err, -EPERM, DG_EXIT_UNSAFE,
		"%s belongs to user %u with mode %03o: it must be root's or ours and writable "
		"by nobody else",
		DG_QUOTE(path), st->st_uid, st->st_mode & 0777);
}

/* ---- directories ---------------------------------------------------------------------------- */

/* Judges an open directory and hands it over. */
static int dir_judge(int fd, const char *path, struct dg_dir *ret, struct dg_error *err)
{
	struct stat st;

	if (strlen(path) >= sizeof(ret->path))
		return dg_fail(err, -ENAMETOOLONG, DG_EXIT_USAGE, "%s is too long a path",
			       DG_QUOTE(path));
	if (fstat(fd, &st))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "directory %s: %s", DG_QUOTE(path),
			       strerror(errno));
	if (!is_trusted(&st))
		return distrust(err, path, &st);
	ret->fd = fd;
	strcpy(ret->path, path);
	return 0;
}

static int dir_refuse(struct dg_error *err, int error, const char *path)
{
	/* O_NOFOLLOW with O_DIRECTORY says "not a directory" of a link. */
	if (error == ELOOP || error == ENOTDIR)
		return dg_fail(err, -error, DG_EXIT_UNSAFE,
			       "%s is a symbolic link or no directory: put a directory there",
			       DG_QUOTE(path));
	return dg_fail(err, -error, DG_EXIT_FAILED, "directory %s: cannot open it: %s%s",
		       DG_QUOTE(path), strerror(error),
		       error == EACCES ? "; run it as root, with sudo" : "");
}

int dg_dir_open(const char *path, struct dg_dir *ret, struct dg_error *err)
{
	dg_scoped_fd int fd = open(path, DIR_FLAGS);
	int rc = fd < 0 ? dir_refuse(err, errno, path) : dir_judge(fd, path, ret, err);

	if (!rc)
		fd = -1;
	return rc;
}

int dg_dir_enter(const struct dg_dir *at, const char *name, bool make, struct dg_dir *ret,
		 struct dg_error *err)
{
	char path[PATH_MAX + NAME_MAX + 2];
	dg_scoped_fd int fd = -1;
	int rc;

	snprintf(path, sizeof(path), "%s/%s", at->path, name);
	if (make && mkdirat(at->fd, name, 0700) && errno != EEXIST)
		return refuse(err, errno, "make the directory", at, name);
	fd = openat(at->fd, name, DIR_FLAGS);
	rc = fd < 0 ? dir_refuse(err, errno, path) : dir_judge(fd, path, ret, err);
	if (!rc)
		fd = -1;
	return rc;
}

void dg_dir_close(struct dg_dir *dir)
{
	dg_close_fd(&dir->fd);
}

/* ---- files ---------------------------------------------------------------------------------- */

int dg_dir_file_open(const struct dg_dir *at, const char *name, int *ret_fd, struct dg_error *err)
{
	dg_scoped_fd int fd = openat(at->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char path[PATH_MAX + NAME_MAX + 2];
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : refuse(err, errno, "open it", at, name);
	if (fstat(fd, &st))
		return refuse(err, errno, "look at it", at, name);
	snprintf(path, sizeof(path), "%s/%s", at->path, name);
	if (!S_ISREG(st.st_mode))
		return dg_fail(err, -EINVAL, DG_EXIT_UNSAFE, "%s is no regular file",
			       DG_QUOTE(path));
	if (!is_trusted(&st))
		return distrust(err, path, &st);
	*ret_fd = dg_take_fd(fd);
	return 0;
}

int dg_dir_file_make(const struct dg_dir *at, const char *name, int *ret_fd, struct dg_error *err)
{
	int fd;

	dg_dir_remove(at, name);
	fd = openat(at->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return refuse(err, errno, "make it", at, name);
	fchmod(fd, 0644); /* whatever the umask: the readers without privileges open it anew */
	*ret_fd = fd;
	return 0;
}

int dg_dir_read(const struct dg_dir *at, const char *name, size_t max, char **ret,
		struct dg_error *err)
{
	dg_scoped_free char *text = NULL;
	dg_scoped_fd int fd = -1;
	struct stat st;
	int rc = dg_dir_file_open(at, name, &fd, err);

	if (rc)
		return rc;
	if (fstat(fd, &st) || (size_t)st.st_size > max)
		return refuse(err, EFBIG, "read it", at, name);
	text = malloc((size_t)st.st_size + 1);
	rc = text ? dg_read_whole(fd, text, (size_t)st.st_size) : -ENOMEM;
	if (rc)
		return refuse(err, -rc, "read it", at, name);
	text[st.st_size] = '\0';
	*ret = dg_take_ptr(text);
	return 0;
}

static int write_whole(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		text += n;
		size -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

int dg_dir_rename(const struct dg_dir *at, const char *from, const char *to, struct dg_error *err)
{
	if (renameat(at->fd, from, at->fd, to))
		return refuse(err, errno, "put the new one in its place", at, to);
	fsync(at->fd); /* the rename itself lasts only when the directory is on the disk */
	return 0;
}

int dg_dir_write(const struct dg_dir *at, const char *name, const char *text, struct dg_error *err)
{
	char beside[NAME_MAX + 8];
	dg_scoped_fd int fd = -1;
	int rc;

	snprintf(beside, sizeof(beside), "%s.new", name);
	rc = dg_dir_file_make(at, beside, &fd, err);
	if (rc)
		return rc;
	rc = write_whole(fd, text, strlen(text));
	if (!rc)
		return dg_dir_rename(at, beside, name, err);
	unlinkat(at->fd, beside, 0);
	return refuse(err, -rc, "write it", at, name);
}

/* ---- removing ------------------------------------------------------------------------------- */

static void files_remove(int dir_fd)
{
	DIR *dir = fdopendir(dir_fd);
	struct dirent *entry;

	if (!dir) {
		close(dir_fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
}

int dg_dir_remove(const struct dg_dir *at, const char *name)
{
	int fd;

	if (!unlinkat(at->fd, name, 0) || errno == ENOENT)
		return 0;
	fd = openat(at->fd, name, DIR_FLAGS);
	if (fd < 0)
		return -errno;
	files_remove(fd);
	return unlinkat(at->fd, name, AT_REMOVEDIR) ? -errno : 0;
}

ino_t dg_dir_inode(const struct dg_dir *at, const char *name)
{
	struct stat st;

	return fstatat(at->fd, name, &st, AT_SYMLINK_NOFOLLOW) ? 0 : st.st_ino;
}
