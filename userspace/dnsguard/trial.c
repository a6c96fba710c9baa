// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * trial.c - the child that holds a guard on trial, the guardian behind it, and how others talk to it.
 *
 * The guardian sleeps until the child is dead. A child that ended its trial leaves nothing to do; after one that was killed
 * the guardian brings the device back (loader.h, dg_trials_recover()).
 */
#include "userspace/dnsguard/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define ANSWER_WAIT_SEC 15 /* the child may wait 10 s for the lock */
#define VISITORS 4	   /* of whom one more takes the place of another */
#define OVERTIME_MS 15000  /* the same, past the deadline: a child that lives on then hangs */

static int socket_name(const char *bpffs, const char *ifname, struct sockaddr_un *ret)
{
	struct dg_path path;
	char kind[32];
	int status;

	snprintf(kind, sizeof(kind), "try-%.15s", ifname);
	status = dg_run_path(kind, bpffs, &path);
	if (status)
		return status;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path.text) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	strcpy(ret->sun_path, path.text);
	return 0;
}

/* ---- the child ------------------------------------------------------------------------------ */

struct holder {
	const struct dg_trial *trial;
	struct sockaddr_un name;
	int listener, channel, signals;
	int visitor[VISITORS]; /* connected, and perhaps not yet got round to a word; -1 = nobody */
	unsigned int evicted;
};

/* Ends the trial one way or the other; what went wrong is in err. */
static int trial_end(const struct holder *holder, char word, struct dg_error *err)
{
	const struct dg_trial *trial = holder->trial;

	if (word == DG_TRIAL_KEEP)
		return dg_attach_keep(trial->bpffs, trial->ifname, trial->result, err);
	return dg_attach_undo(trial->bpffs, trial->ifname, trial->result, err);
}

/* The word of one who has come to speak or has gone, 0 when there is none. His answer is one line: empty, or what went wrong. */
static char visitor_serve(const struct holder *holder, int visitor)
{
	struct dg_error err = { .text = "" };
	char word = 0;

	if (recv(visitor, &word, 1, MSG_DONTWAIT) != 1 ||
	    (word != DG_TRIAL_KEEP && word != DG_TRIAL_DROP))
		return 0;
	if (trial_end(holder, word, &err))
		word = 0; /* the trial goes on */
	send(visitor, err.text, strlen(err.text) + 1, MSG_NOSIGNAL);
	return word;
}

/* Until then, at most an hour: poll(2) counts in an int, and who waits looks again. */
static int ms_left(__u64 deadline_ns)
{
	const __u64 most_ms = 3600000;
	__u64 now_ns = dg_now_ns(),
	      ms = now_ns < deadline_ns ? (deadline_ns - now_ns) / 1000000 + 1 : 0;

	return (int)(ms < most_ms ? ms : most_ms);
}

static int *visitor_place(struct holder *holder)
{
	for (unsigned int i = 0; i < VISITORS; i++)
		if (holder->visitor[i] < 0)
			return holder->visitor + i;
	return holder->visitor + holder->evicted++ % VISITORS;
}

static void visitor_accept(struct holder *holder)
{
	int *place = visitor_place(holder);

	dg_close_fd(place);
	*place = accept4(holder->listener, NULL, NULL, SOCK_CLOEXEC);
}

static char visitors_serve(struct holder *holder, const struct pollfd polled[VISITORS])
{
	char word = 0;

	for (unsigned int i = 0; !word && i < VISITORS; i++) {
		if (!polled[i].revents)
			continue;
		word = visitor_serve(holder, holder->visitor[i]);
		dg_close_fd(holder->visitor + i);
	}
	return word;
}

/* The starter speaks, or is gone: poll passes over it from then on. */
static char starter_serve(struct holder *holder, short revents)
{
	char word = visitor_serve(holder, holder->channel);

	if (!word && revents & POLLHUP)
		holder->channel = -1;
	return word;
}

enum { ON_SIGNAL, ON_VISIT, ON_STARTER, ON_VISITORS };

/*
 * Waits for one of: a visitor, the starter's word, a signal, the end of time. Returns the word that ended it. Time that is over
 * comes last: a word that was in time counts, however late we are ourselves.
 */
static char trial_wait(struct holder *holder)
{
	struct pollfd polled[ON_VISITORS + VISITORS] = {
		[ON_SIGNAL] = { .fd = holder->signals, .events = POLLIN },
		[ON_VISIT] = { .fd = holder->listener, .events = POLLIN },
		[ON_STARTER] = { .fd = holder->channel, .events = POLLIN },
	};
	int wait_ms = ms_left(holder->trial->deadline_ns), ready;

	for (unsigned int i = 0; i < VISITORS; i++)
		polled[ON_VISITORS + i] =
			(struct pollfd){ .fd = holder->visitor[i], .events = POLLIN };
	ready = poll(polled, ON_VISITORS + VISITORS, wait_ms);
	if (ready < 0 || (!ready && wait_ms))
		return 0;
	if (!ready || polled[ON_SIGNAL].revents) {
		trial_end(holder, DG_TRIAL_DROP, NULL);
		return DG_TRIAL_DROP;
	}
	if (polled[ON_STARTER].revents)
		return starter_serve(holder, polled[ON_STARTER].revents);
	if (polled[ON_VISIT].revents) {
		visitor_accept(holder);
		return 0; /* a word of his is heard at the next turn */
	}
	return visitors_serve(holder, polled + ON_VISITORS);
}

static void stdio_leave(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
}

/* Until the holder is dead, and its descriptors closed. One that hangs past its deadline is killed. */
static void holder_outlive(struct pollfd *holder, __u64 deadline_ns)
{
	const __u64 end_ns = deadline_ns + OVERTIME_MS * 1000000ull;

	for (int wait_ms; (wait_ms = ms_left(end_ns));)
		if (poll(holder, 1, wait_ms) > 0)
			return;
	pidfd_send_signal(holder->fd, SIGKILL, NULL, 0);
	poll(holder, 1, -1);
}

/* Never returns. Has nothing open but the holder: whoever holds the link or the record holds the trial. */
static void guard_holder(const struct dg_trial *trial, int holder_pidfd)
{
	struct pollfd holder = { .fd = 3, .events = POLLIN };
	sigset_t none;

	setsid();
	prctl(PR_SET_NAME, DG_TRIAL_GUARDIAN);
	sigemptyset(&none); /* it inherited what the holder blocks; the host may go down */
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(holder_pidfd, holder.fd);
	close_range((unsigned int)holder.fd + 1, ~0u, 0);
	holder_outlive(&holder, trial->deadline_ns);
	dg_trials_recover(trial->bpffs, NULL, NULL);
	_exit(0);
}

/* A grandchild, so that it is nobody's child. Without one a kill -9 waits for the next command or the daemon. */
static void guardian_start(const struct dg_trial *trial)
{
	dg_scoped_fd int self = pidfd_open(getpid(), 0);
	pid_t child = self < 0 ? -1 : fork();

	if (child == 0) {
		if (fork() == 0)
			guard_holder(trial, self);
		_exit(0);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void hold(struct holder *holder)
{
	int channel = holder->channel;
	char word = 0;

	setsid();
	stdio_leave();
	guardian_start(holder->trial);
	send(channel, "", 1, MSG_NOSIGNAL); /* out of the terminal's reach now */
	while (!word)
		word = trial_wait(holder);
	unlink(holder->name.sun_path);
	send(channel, &word, 1, MSG_NOSIGNAL);
	_exit(0);
}

/* ---- the starter ---------------------------------------------------------------------------- */

static int listener_open(struct holder *holder)
{
	dg_scoped_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(holder->name.sun_path); /* of one that was killed */
	if (fd < 0 || bind(fd, (struct sockaddr *)&holder->name, sizeof(holder->name)) ||
	    listen(fd, 4))
		return -errno;
	return dg_take_fd(fd);
}

/* Blocked before the fork, so that none is lost. */
static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int child_start(struct holder *holder, int channel)
{
	pid_t child;
	char ready;

	holder->signals = signals_open();
	if (holder->signals < 0)
		return -errno;
	holder->listener = listener_open(holder);
	if (holder->listener < 0)
		return holder->listener;
	child = fork();
	if (child == 0) {
		close(channel);
		hold(holder);
	}
	if (child < 0)
		return -errno;
	dg_close_fd(&holder->channel); /* else its end would not be seen */
	return read(channel, &ready, 1) == 1 ? 0 : -ECHILD;
}

static void holder_close(struct holder *holder)
{
	sigset_t none;

	dg_close_fd(&holder->listener);
	dg_close_fd(&holder->channel);
	dg_close_fd(&holder->signals);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int dg_trial_start(const struct dg_trial *trial, int *ret_channel, struct dg_error *err)
{
	dg_scoped(holder_close) struct holder holder = {
		.trial = trial, .listener = -1, .channel = -1, .signals = -1
	};
	int pair[2], status = socket_name(trial->bpffs, trial->ifname, &holder.name);

	for (unsigned int i = 0; i < VISITORS; i++)
		holder.visitor[i] = -1;
	if (!status && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		status = -errno;
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot start a trial: %s",
			       strerror(-status));
	holder.channel = pair[1];
	status = child_start(&holder, pair[0]);
	if (status) {
		close(pair[0]);
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot start a trial: %s",
			       strerror(-status));
	}
	*ret_channel = pair[0];
	return 0;
}

/* ---- the others ----------------------------------------------------------------------------- */

static int trial_connect(const char *bpffs, const char *ifname)
{
	struct sockaddr_un name;
	dg_scoped_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int status = socket_name(bpffs, ifname, &name);

	if (!status && (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof(name))))
		status = -errno;
	return status ? status : dg_take_fd(fd);
}

bool dg_trial_runs(const char *bpffs, const char *ifname)
{
	dg_scoped_fd int fd = trial_connect(bpffs, ifname);

	return fd >= 0;
}

int dg_trial_tell(const char *bpffs, const char *ifname, enum dg_trial_word word,
		  struct dg_error *err)
{
	const struct timeval patience = { .tv_sec = ANSWER_WAIT_SEC };
	dg_scoped_fd int fd = trial_connect(bpffs, ifname);
	char said = (char)word, answer[1024] = "";

	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_ATTACHED,
			       "no trial runs on \"%.15s\": see what does with: dnsguard status",
			       ifname);
	if (fd < 0)
		return dg_fail(err, fd, DG_EXIT_FAILED,
			       "cannot reach the trial on %s: %s; run it as root, with sudo",
			       ifname, strerror(-fd));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(fd, &said, 1, MSG_NOSIGNAL) != 1 || recv(fd, answer, sizeof(answer) - 1, 0) <= 0)
		return dg_fail(err, -EIO, DG_EXIT_FAILED,
			       "the trial on %s does not answer: see: dnsguard status", ifname);
	return answer[0] ? dg_fail(err, -EIO, DG_EXIT_FAILED, "%s", answer) : 0;
}
