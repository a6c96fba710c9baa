// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tool.c - a program of the system as a child: no shell, no environment, a deadline, and an end to what it may say.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "userspace/lib/maps.h"
#include "userspace/lib/tcp_quota.h"

#define NS_PER_MS 1000000ull

static const char *const directories[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

static int tool_find(const char *name, char *ret, size_t size)
{
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(ret, size, "%s/%s", directories[i], name);
		if (!access(ret, X_OK))
			return 0;
	}
	return -ENOENT;
}

static int tool_start(const char *path, const char *const argv[], int out_fd, pid_t *ret)
{
	static char language[] = "LC_ALL=C";
	char *const environment[] = { language, NULL };
	posix_spawn_file_actions_t files;
	int status;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out_fd, 1);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	status = posix_spawn(ret, path, &files, NULL, (char *const *)argv, environment);
	posix_spawn_file_actions_destroy(&files);
	return -status;
}

/* Until the end of what it says. The last byte of buf is for the NUL. */
static int tool_hear(int fd, __u64 deadline_ns, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t got = 1;

	while (got > 0) {
		__u64 now = dg_now_ns();
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		if (now >= deadline_ns ||
		    poll(&ready, 1, (int)((deadline_ns - now) / NS_PER_MS) + 1) == 0)
			return -ETIME;
		if (len + 1 == size)
			return -EFBIG;
		got = read(fd, buf + len, size - 1 - len);
		len += got > 0 ? (size_t)got : 0;
	}
	buf[len] = '\0';
	return got < 0 ? -errno : 0;
}

/* These tools say all they have to say before they end: who has closed the output is as good as gone. */
static int tool_end(pid_t pid, int heard)
{
	int ended = 0;

	if (heard)
		kill(pid, SIGKILL);
	while (waitpid(pid, &ended, 0) < 0 && errno == EINTR)
		;
	if (heard)
		return heard;
	return WIFEXITED(ended) && !WEXITSTATUS(ended) ? 0 : -EIO;
}

int dg_tool_run(const char *const argv[], __u64 deadline_ns, char *buf, size_t size)
{
	dg_scoped_fd int ours = -1, its = -1;
	char path[128];
	int ends[2], status = tool_find(argv[0], path, sizeof(path));
	pid_t pid;

	if (status)
		return status;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	ours = ends[0];
	its = ends[1];
	status = tool_start(path, argv, its, &pid);
	if (status)
		return status;
	dg_close_fd(&its);
	return tool_end(pid, tool_hear(ours, deadline_ns, buf, size));
}
