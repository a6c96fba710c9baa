// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop.c - the one place where the program waits: for a socket, a moment, a NOTIFY, a signal.
 *
 * poll(2) over one socket of the primary and the few of the listener.
 */
#include "userspace/transfer/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "userspace/transfer/clock.h"
#include "userspace/transfer/listener.h"

static volatile sig_atomic_t stop_asked, check_asked;

static void on_signal(int number)
{
	if (number == SIGHUP)
		check_asked = 1;
	else
		stop_asked = 1;
}

void dg_loop_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t held;

	sigemptyset(&held);
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaction(numbers[i], &action, NULL);
		sigaddset(&held, numbers[i]);
	}
	sigprocmask(SIG_BLOCK, &held, NULL);
}

bool dg_loop_check_wanted(struct dg_loop *loop)
{
	bool wanted = check_asked || (loop->listener && loop->listener->notified);

	check_asked = 0;
	if (loop->listener)
		loop->listener->notified = false;
	return wanted;
}

static bool check_pending(const struct dg_loop *loop)
{
	return check_asked || (loop->listener && loop->listener->notified);
}

static struct timespec span(__u64 ns)
{
	return (struct timespec){ (time_t)(ns / DG_NS_PER_S), (long)(ns % DG_NS_PER_S) };
}

enum { FD_WANTED, FD_HEARER, FD_LISTENER };

/* One poll. 0 = something may have happened. */
static int wait_once(struct dg_loop *loop, struct pollfd *fds, __u64 deadline_ns)
{
	unsigned int count = FD_LISTENER;
	__u64 now = dg_clock_ns(), until = deadline_ns;
	struct timespec left;
	sigset_t none;

	sigemptyset(&none);
	if (loop->listener)
		count += dg_listener_fill(loop->listener, fds + FD_LISTENER, &until);
	left = span(until > now ? until - now : 0);
	if (ppoll(fds, count, &left, &none) < 0) {
		fds[FD_WANTED].revents = fds[FD_HEARER].revents = 0;
		return errno == EINTR ? 0 : -errno;
	}
	if (fds[FD_HEARER].revents & (POLLERR | POLLHUP))
		stop_asked = 1;
	if (loop->listener)
		dg_listener_serve(loop->listener, fds + FD_LISTENER, count - FD_LISTENER);
	return 0;
}

int dg_loop_wait(struct dg_loop *loop, int fd, short events, __u64 deadline_ns)
{
	struct pollfd fds[FD_LISTENER + DG_LISTENER_FDS] = { { fd, events, 0 },
							     { loop->hearer, 0, 0 } };
	int rc;

	for (;;) {
		rc = wait_once(loop, fds, deadline_ns);
		if (rc)
			return rc;
		if (stop_asked)
			return -EINTR;
		if (fds[FD_WANTED].revents || (fd < 0 && check_pending(loop)))
			return 0;
		if (dg_clock_ns() >= deadline_ns)
			return -ETIMEDOUT;
	}
}
