// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * state.c - files that are replaced whole: written beside, made durable, renamed over.
 *
 * Knows nothing of what stands in them.
 */
#include "userspace/lib/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace/lib/quote.h"

static int refuse(struct dg_error *err, int error, const char *what, const char *path)
{
	return dg_fail(err, -error, DG_EXIT_FAILED, "file %s: cannot %s: %s", DG_QUOTE(path), what,
		       strerror(error));
}

int dg_state_dir_make(const char *dir, struct dg_error *err)
{
	int error = mkdir(dir, 0755) ? errno : 0;

	if (!error || error == EEXIST)
		return 0;
	return dg_fail(err, -error, DG_EXIT_FAILED, "directory %s: cannot make it: %s%s",
		       DG_QUOTE(dir), strerror(error),
		       error == ENOENT ? "; make the one above it first, with mkdir -p" : "");
}

int dg_read_whole(int fd, void *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

int dg_state_begin(const char *path, unsigned int mode, struct dg_state_file *ret,
		   struct dg_error *err)
{
	struct dg_state_file state;
	int fd, error;

	if (strlen(path) >= sizeof(state.path))
		return refuse(err, ENAMETOOLONG, "write it", path);
	strcpy(state.path, path);
	snprintf(state.temporary, sizeof(state.temporary), "%s.XXXXXX", path);
	fd = mkostemp(state.temporary, O_CLOEXEC);
	if (fd < 0)
		return refuse(err, errno, "write beside it", path);
	state.file = fchmod(fd, mode) ? NULL : fdopen(fd, "w");
	error = errno;
	if (!state.file) {
		close(fd);
		unlink(state.temporary);
		return refuse(err, error, "write beside it", path);
	}
	*ret = state;
	return 0;
}

/* The rename itself lasts only when the directory is on the disk. */
static void directory_sync(const char *path)
{
	char dir[PATH_MAX];
	char *slash;
	dg_scoped_fd int fd = -1;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		fsync(fd);
}

int dg_state_flush(struct dg_state_file *state, struct dg_error *err)
{
	errno = 0;
	if (fflush(state->file) || ferror(state->file) || fsync(fileno(state->file)))
		return refuse(err, errno ? errno : EIO, "write it", state->path);
	return 0;
}

int dg_state_commit(struct dg_state_file *state, struct dg_error *err)
{
	int failed = dg_state_flush(state, err);

	if (failed)
		return failed;
	if (rename(state->temporary, state->path))
		return refuse(err, errno, "put the new one in its place", state->path);
	fclose(state->file);
	state->file = NULL;
	directory_sync(state->path);
	return 0;
}

void dg_state_abandon(struct dg_state_file *state)
{
	if (!state->file)
		return;
	fclose(state->file);
	state->file = NULL;
	unlink(state->temporary);
}
