// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * outlet.c - where the zone file goes: into a descriptor given, or over a file, whole or not at all.
 *
 * One socket joins the two processes: a word goes over, a verdict comes back, with the descriptor to write to behind "begin".
 */
#include "userspace/transfer/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "userspace/lib/quote.h"
#include "userspace/transfer/rights.h"

enum word { WORD_BEGIN = 'b', WORD_COMMIT = 'c', WORD_ABANDON = 'a', WORD_TOUCH = 't' };

/* What the keeper says back. */
struct verdict {
	int rc; /* 0 or -errno */
	char text[sizeof(((struct dg_error *)NULL)->text)];
};

static int file_touch(const char *path, struct dg_error *err)
{
	if (!utimensat(AT_FDCWD, path, NULL, 0))
		return 0;
	return dg_fail(err, -errno, DG_EXIT_FAILED, "file %s: cannot set its time: %s",
		       DG_QUOTE(path), strerror(errno));
}

/* ---- the keeper's side ---------------------------------------------------------------------- */

static void verdict_send(int socket, const struct verdict *verdict, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = { .room = "" };
	struct iovec part = { (void *)verdict, sizeof(*verdict) };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		header.msg_control = control.room;
		header.msg_controllen = sizeof(control.room);
		*CMSG_FIRSTHDR(&header) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
							    .cmsg_level = SOL_SOCKET,
							    .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), &fd, sizeof(fd));
	}
	(void)!sendmsg(socket, &header, MSG_NOSIGNAL);
}

static int keeper_do(char word, const char *path, struct dg_state_file *state, struct dg_error *err)
{
	switch (word) {
	case WORD_BEGIN:
		dg_state_abandon(state);
		return dg_state_begin(path, 0644, state, err);
	case WORD_COMMIT:
		if (state->file)
			return dg_state_commit(state, err);
		break;
	case WORD_ABANDON:
		dg_state_abandon(state);
		return 0;
	case WORD_TOUCH:
		return file_touch(path, err);
	}
	return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "the file's keeper was asked out of turn");
}

/* Until the other side is gone, however it went. */
static void keeper_serve(int socket, const char *path)
{
	dg_scoped_state struct dg_state_file state = DG_STATE_FILE_NONE;
	char word;

	while (recv(socket, &word, 1, 0) == 1) {
		struct dg_error err = { .text = "" };
		struct verdict verdict = { .rc = keeper_do(word, path, &state, &err) };
		bool begun = word == WORD_BEGIN && !verdict.rc;

		snprintf(verdict.text, sizeof(verdict.text), "%s", err.text);
		verdict_send(socket, &verdict, begun ? fileno(state.file) : -1);
	}
}

/* Nothing but the socket stays open: neither the caller's pipes nor the key. */
static int keeper_settle(int socket)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
	    dup2(socket, 3) < 0 || close_range(4, ~0u, 0))
		return -errno;
	return 0;
}

static void keeper_run(int socket, const char *path)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	struct dg_error err;

	/* A signal to the whole group must not come before the end of the process that it serves. */
	for (unsigned int i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	if (keeper_settle(socket) || dg_rights_keep_file(path, &err))
		_exit(1);
	keeper_serve(3, path);
	_exit(0);
}

int dg_outlet_keep(struct dg_outlet *outlet, struct dg_error *err)
{
	int pair[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot start the file's keeper: %s",
			       strerror(errno));
	child = fork();
	if (!child) {
		close(pair[0]);
		keeper_run(pair[1], outlet->path);
	}
	close(pair[1]);
	if (child < 0) {
		close(pair[0]);
		return dg_fail(err, -EAGAIN, DG_EXIT_FAILED, "cannot start the file's keeper");
	}
	outlet->keeper = pair[0];
	return 0;
}

/* ---- this side ------------------------------------------------------------------------------ */

static int verdict_receive(int socket, struct verdict *ret, int *ret_fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control;
	struct iovec part = { ret, sizeof(*ret) };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room) };
	struct cmsghdr *with;

	if (recvmsg(socket, &header, MSG_CMSG_CLOEXEC) != sizeof(*ret))
		return -EPIPE;
	with = CMSG_FIRSTHDR(&header);
	if (with && with->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(with), sizeof(*ret_fd));
	return 0;
}

/* *ret_fd stays -1 unless a descriptor came back. */
static int keeper_ask(const struct dg_outlet *outlet, enum word word, int *ret_fd,
		      struct dg_error *err)
{
	struct verdict verdict;
	char sent = (char)word;

	if (send(outlet->keeper, &sent, 1, MSG_NOSIGNAL) != 1 ||
	    verdict_receive(outlet->keeper, &verdict, ret_fd))
		return dg_fail(err, -EPIPE, DG_EXIT_FAILED, "file %s: its keeper is gone",
			       DG_QUOTE(outlet->path));
	if (verdict.rc)
		return dg_fail(err, verdict.rc, DG_EXIT_FAILED, "%s", verdict.text);
	return 0;
}

static int stream_of(struct dg_outlet *outlet, int fd, struct dg_error *err)
{
	outlet->file = fd < 0 ? NULL : fdopen(fd, "w");
	if (outlet->file)
		return 0;
	if (fd >= 0)
		close(fd);
	return dg_fail(err, -EBADF, DG_EXIT_FAILED, "cannot write to the descriptor of the zone");
}

int dg_outlet_begin(struct dg_outlet *outlet, FILE **ret, struct dg_error *err)
{
	int fd = -1, rc = 0;

	if (!outlet->path) {
		rc = stream_of(outlet, fcntl(outlet->fd, F_DUPFD_CLOEXEC, 3), err);
	} else if (outlet->keeper >= 0) {
		rc = keeper_ask(outlet, WORD_BEGIN, &fd, err);
		if (!rc)
			rc = stream_of(outlet, fd, err);
	} else {
		rc = dg_state_begin(outlet->path, 0644, &outlet->state, err);
		outlet->file = rc ? NULL : outlet->state.file;
	}
	if (!rc)
		*ret = outlet->file;
	return rc;
}

int dg_outlet_commit(struct dg_outlet *outlet, struct dg_error *err)
{
	FILE *file = dg_take_ptr(outlet->file);
	int unused = -1, failed;

	if (file == outlet->state.file)
		return dg_state_commit(&outlet->state, err);
	failed = ferror(file);
	if (fclose(file) || failed)
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "cannot write the zone: %s",
			       strerror(errno ? errno : EIO));
	return outlet->path ? keeper_ask(outlet, WORD_COMMIT, &unused, err) : 0;
}

void dg_outlet_abandon(struct dg_outlet *outlet)
{
	FILE *file = dg_take_ptr(outlet->file);
	struct dg_error unsaid;
	int unused = -1;

	if (!file)
		return;
	if (file == outlet->state.file) {
		dg_state_abandon(&outlet->state);
		return;
	}
	fclose(file);
	if (outlet->path)
		(void)keeper_ask(outlet, WORD_ABANDON, &unused, &unsaid);
}

int dg_outlet_touch(struct dg_outlet *outlet, struct dg_error *err)
{
	int unused = -1;

	if (!outlet->path)
		return 0;
	return outlet->keeper >= 0 ? keeper_ask(outlet, WORD_TOUCH, &unused, err) :
				     file_touch(outlet->path, err);
}
