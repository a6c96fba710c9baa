// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tool.c - a program of the system as a child: no shell, no environment, a deadline, an end to what it may say, and the
 * rights of whom it asks.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "userspace/lib/maps.h"
#include "userspace/tcp/quota.h"

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

struct user {
	uid_t uid;
	gid_t gid;
};

/* The user that a process runs as. Everybody may read that. */
static struct user user_of(pid_t pid)
{
	struct user user = { geteuid(), getegid() };
	dg_scoped_file FILE *file = NULL;
	char path[64], line[256];
	unsigned int id;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = pid ? fopen(path, "re") : NULL;
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Uid: %*u %u", &id) == 1)
			user.uid = id;
		if (sscanf(line, "Gid: %*u %u", &id) == 1)
			user.gid = id;
	}
	return user;
}

static int user_become(const struct user *user)
{
	if (user->uid == geteuid() || geteuid())
		return 0;
	return setgroups(0, NULL) || setresgid(user->gid, user->gid, user->gid) ||
	       setresuid(user->uid, user->uid, user->uid);
}

/* In the child. */
static void tool_exec(const char *path, const char *const argv[], const struct user *user, int out)
{
	static char language[] = "LC_ALL=C";
	char *const environment[] = { language, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0 ||
	    user_become(user))
		_exit(127);
	execve(path, (char *const *)argv, environment);
	_exit(127);
}

/* Until the end of what it says, also when we come too late to hear it. The last byte of buf is for the NUL. */
static int tool_hear(int fd, __u64 deadline_ns, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t got = 1;

	while (got > 0) {
		__u64 now = dg_now_ns();
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		if (poll(&ready, 1,
			 now < deadline_ns ? (int)((deadline_ns - now) / NS_PER_MS) + 1 : 0) == 0)
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

int dg_tool_run(const char *const argv[], pid_t as, __u64 deadline_ns, char *buf, size_t size)
{
	dg_scoped_fd int ours = -1, its = -1;
	const struct user user = user_of(as);
	char path[128];
	int ends[2], status = tool_find(argv[0], path, sizeof(path));
	pid_t pid;

	if (status)
		return status;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	ours = ends[0];
	its = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		tool_exec(path, argv, &user, its);
	dg_close_fd(&its);
	return tool_end(pid, tool_hear(ours, deadline_ns, buf, size));
}
