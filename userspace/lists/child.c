// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * child.c - starts a helper program without privileges and listens to it until it ends.
 *
 * Knows nothing of lists. Between fork and exec only system calls are made.
 */
#include "userspace/lists/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "userspace/lib/maps.h"
#include "userspace/lib/quote.h"
#include "userspace/lib/rights.h"

#define SAID_MAX (32 << 20) /* a report tells every sender that zones speak of */
#define PROGRESS_MAX                                                                               \
	(128 << 10) /* a pipe full of lines that waited, and one that is not whole yet */
#define NS_PER_SEC 1000000000ull

int dg_child_word(struct dg_child *child, const char *format, ...)
{
	va_list args;
	int len;

	if (child->argc >= DG_CHILD_ARGS_MAX)
		return -ENOSPC;
	va_start(args, format);
	len = vasprintf(child->argv + child->argc, format, args);
	va_end(args);
	if (len < 0)
		return -ENOMEM;
	child->argc++;
	return 0;
}

void dg_child_free(struct dg_child *child)
{
	for (int i = 0; i < child->argc; i++)
		free(child->argv[i]);
	child->argc = 0;
	dg_free_ptr(&child->said);
}

int dg_child_find(const char *program, char ret[PATH_MAX], struct dg_error *err)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (len < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "/proc/self/exe: %s", strerror(errno));
	self[len] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	if (snprintf(ret, PATH_MAX, "%s/%s", self, program) < PATH_MAX && !access(ret, X_OK))
		return 0;
	if (snprintf(ret, PATH_MAX, "%s/%s", DG_LIBEXECDIR, program) < PATH_MAX &&
	    !access(ret, X_OK))
		return 0;
	return dg_fail(err, -ENOENT, DG_EXIT_FAILED,
		       "%s is neither in %s nor in %s: install dnsguard whole", program, self,
		       DG_LIBEXECDIR);
}

/* ---- in the child --------------------------------------------------------------------------- */

static void limit_set(int resource, __u64 value)
{
	struct rlimit limit = { value, value };

	if (value)
		setrlimit((__rlimit_resource_t)resource, &limit);
}

static void privileges_drop(void)
{
	int rc = dg_nobody_become();

	if (!rc)
		return;
	dprintf(2, "it cannot be started as nobody: %s: CAP_SETUID and CAP_SETGID are needed\n",
		strerror(-rc));
	_exit(127);
}

static void limits_set(const struct dg_child *child)
{
#ifndef __SANITIZE_ADDRESS__
	limit_set(RLIMIT_DATA, child->memory_max);
#endif
	limit_set(RLIMIT_FSIZE, child->file_max);
	limit_set(RLIMIT_CPU, child->seconds_max);
}

/* What parent and child share. */
struct pipes {
	int null, out[2], err[2], progress[2];
	pid_t parent;
};

/* The directory of a path, as a place to start from. */
static int home_open(const char *path)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void child_exec(const struct dg_child *child, const char *path, const struct pipes *pipes)
{
	char *const environment[] = { NULL };
	int out = child->stdout_fd >= 0 ? child->stdout_fd : pipes->out[1];
	int home;

	if (dup2(pipes->null, 0) < 0 || dup2(out, 1) < 0 || dup2(pipes->err[1], 2) < 0)
		return;
	/* Also what whoever started us left open. */
	if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC))
		return;
	for (const int *fd = child->keep; fd && *fd >= 0; fd++)
		fcntl(*fd, F_SETFD, 0);
	if (child->progress)
		fcntl(pipes->progress[1], F_SETFD, 0);
	if (child->cwd_fd >= 0 ? fchdir(child->cwd_fd) : chdir("/"))
		return;
	home = home_open(path);
	if (home < 0)
		return;
	limits_set(child);
	signal(SIGPIPE, SIG_DFL);
	privileges_drop();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL) ||
	    getppid() != pipes->parent)
		return;
	execve(path, child->argv, environment);
	/* Nobody has no way into a build below a home directory: from where our rights have found it. */
	if (errno == EACCES)
		execveat(home, child->program, child->argv, environment, 0);
}

/* ---- in the parent -------------------------------------------------------------------------- */

/* One descriptor that is read into a bounded buffer. */
struct stream {
	int fd;
	char *text;
	size_t len, max;
};

static void pipes_close(struct pipes *pipes)
{
	dg_close_fd(&pipes->null);
	for (int i = 0; i < 2; i++) {
		dg_close_fd(pipes->out + i);
		dg_close_fd(pipes->err + i);
		dg_close_fd(pipes->progress + i);
	}
}

static int pipes_make(struct pipes *pipes)
{
	*pipes = (struct pipes){ -1, { -1, -1 }, { -1, -1 }, { -1, -1 }, getpid() };
	pipes->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	return pipes->null < 0 || pipe2(pipes->out, O_CLOEXEC) || pipe2(pipes->err, O_CLOEXEC) ||
			       pipe2(pipes->progress, O_CLOEXEC) ?
		       -errno :
		       0;
}

/* Reads what is there; at the end of the stream its descriptor becomes -1. -EFBIG: more than allowed. */
static int stream_read(struct stream *stream)
{
	char chunk[65536];
	ssize_t n = read(stream->fd, chunk, sizeof(chunk));
	char *grown;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (!n) {
		stream->fd = -1;
		return 0;
	}
	if (stream->len + (size_t)n > stream->max)
		return -EFBIG;
	grown = realloc(stream->text, stream->len + (size_t)n + 1);
	if (!grown)
		return -ENOMEM;
	stream->text = grown;
	memcpy(grown + stream->len, chunk, (size_t)n);
	stream->len += (size_t)n;
	grown[stream->len] = '\0';
	return 0;
}

/* Hands over every whole line and keeps the rest. */
static void lines_tell(struct stream *stream, const struct dg_child *child)
{
	char *line = stream->text, *end;

	while (line && (end = strchr(line, '\n'))) {
		*end = '\0';
		child->progress(line, child->arg);
		line = end + 1;
	}
	if (!line || line == stream->text)
		return;
	stream->len -= (size_t)(line - stream->text);
	memmove(stream->text, line, stream->len + 1);
}

enum { OUT, ERR, PROGRESS, STREAMS };

static int streams_pump(const struct dg_child *child, struct stream *streams)
{
	__u64 deadline_ns = dg_now_ns() + child->seconds_max * NS_PER_SEC;
	struct pollfd fds[STREAMS];
	int rc = 0;

	while (!rc && (streams[OUT].fd >= 0 || streams[ERR].fd >= 0 || streams[PROGRESS].fd >= 0)) {
		for (int i = 0; i < STREAMS; i++)
			fds[i] = (struct pollfd){ .fd = streams[i].fd, .events = POLLIN };
		if (poll(fds, STREAMS, 1000) < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; !rc && i < STREAMS; i++)
			rc = fds[i].revents ? stream_read(streams + i) : 0;
		if (child->progress)
			lines_tell(streams + PROGRESS, child);
		if (!rc && dg_now_ns() > deadline_ns)
			rc = -ETIME;
	}
	return rc;
}

/* The last line, without "dnsguard-compile: " in front. */
static void complaint_take(struct dg_child *child, char *text)
{
	size_t len = text ? strlen(text) : 0, name = strlen(child->program);
	char *line;

	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	line = len ? strrchr(text, '\n') : NULL;
	line = line ? line + 1 : text;
	if (len && !strncmp(line, child->program, name) && !strncmp(line + name, ": ", 2))
		line += name + 2;
	/* The child reads what strangers wrote and may have been taken over by it. */
	snprintf(child->complaint, sizeof(child->complaint), "%s",
		 !len			? "" :
		 dg_text_is_clean(line) ? line :
					  DG_QUOTE(line));
}

static int ending_take(struct dg_child *child, pid_t pid, int rc, struct dg_error *err)
{
	int status = 0;

	if (rc)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	child->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (rc == -ETIME || (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU))
		return dg_fail(err, -ETIME, DG_EXIT_FAILED, "%s was not done within %u s",
			       child->program, child->seconds_max);
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "%s: cannot be listened to: %s",
			       child->program, strerror(-rc));
	/* Whoever read its output has enough, as `head` does: no fault of anybody's. */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE && child->stdout_fd >= 0) {
		child->exit_status = 0;
		return 0;
	}
	if (WIFSIGNALED(status))
		return dg_fail(err, -ECHILD, DG_EXIT_FAILED, "%s was killed by signal %d (%s)%s%s",
			       child->program, WTERMSIG(status), strsignal(WTERMSIG(status)),
			       child->complaint[0] ? ": " : "", child->complaint);
	return 0;
}

static int child_hear(struct dg_child *child, struct pipes *pipes, pid_t pid, struct dg_error *err)
{
	struct stream streams[STREAMS] = {
		[OUT] = { child->stdout_fd >= 0 ? -1 : pipes->out[0], NULL, 0, SAID_MAX },
		[ERR] = { pipes->err[0], NULL, 0, SAID_MAX },
		[PROGRESS] = { child->progress ? pipes->progress[0] : -1, NULL, 0, PROGRESS_MAX },
	};
	int rc;

	dg_close_fd(pipes->out + 1);
	dg_close_fd(pipes->err + 1);
	dg_close_fd(pipes->progress + 1);
	rc = streams_pump(child, streams);
	complaint_take(child, streams[ERR].text);
	child->said = dg_take_ptr(streams[OUT].text);
	free(streams[ERR].text);
	free(streams[PROGRESS].text);
	return ending_take(child, pid, rc, err);
}

int dg_child_run(struct dg_child *child, struct dg_error *err)
{
	dg_scoped(pipes_close) struct pipes pipes;
	char path[PATH_MAX];
	int rc = pipes_make(&pipes);
	pid_t pid;

	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "cannot make pipes: %s", strerror(-rc));
	rc = dg_child_find(child->program, path, err);
	if (rc)
		return rc;
	if (child->progress) {
		dg_child_word(child, "--progress-fd");
		dg_child_word(child, "%d", pipes.progress[1]);
	}
	if (child->argc >= DG_CHILD_ARGS_MAX)
		return dg_fail(err, -E2BIG, DG_EXIT_FAILED, "%s: too many lists or files at once",
			       child->program);
	child->argv[child->argc] = NULL;
	pid = fork();
	if (pid < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot start %s: %s", path,
			       strerror(errno));
	if (!pid) {
		child_exec(child, path, &pipes);
		dprintf(2, "cannot run it: %s\n", strerror(errno));
		_exit(127);
	}
	return child_hear(child, &pipes, pid, err);
}
