// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netwatch.c - rtnetlink's news of links and addresses, as a hint that something changed.
 *
 * Messages can be lost (ENOBUFS) and come in bursts, so only one thing is taken from them: which
 * device went away. Everything else is looked up afresh by dg_guard_resync(), once, when the burst
 * is over.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "userspace/dnsguardd/daemon.h"

#define SETTLE_MS 20  /* a burst is over when nothing came for so long */
#define SETTLE_MAX 25 /* but it is looked up after so many prolongations at the latest */

struct dg_netwatch {
	struct dg_daemon *daemon;
	struct mnl_socket *socket;
	uv_poll_t poll;
	uv_timer_t settle;
	unsigned int prolonged;
	int handles; /* not yet closed */
};

static int on_message(const struct nlmsghdr *message, void *arg)
{
	struct dg_netwatch *watch = arg;
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type == RTM_DELLINK &&
	    mnl_nlmsg_get_payload_len(message) >= sizeof(*link) && link->ifi_family == AF_UNSPEC)
		dg_guard_forget(watch->daemon, (__u32)link->ifi_index);
	return MNL_CB_OK;
}

static void on_settled(uv_timer_t *timer)
{
	struct dg_netwatch *watch = timer->data;

	watch->prolonged = 0;
	dg_guard_resync(watch->daemon);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct dg_netwatch *watch = poll->data;
	char buffer[32 << 10] __attribute__((aligned(8)));
	ssize_t got;

	(void)status;
	(void)events;
	while ((got = mnl_socket_recvfrom(watch->socket, buffer, sizeof(buffer))) >= 0 ||
	       errno == ENOBUFS || errno == EINTR) {
		if (got > 0)
			mnl_cb_run(buffer, (size_t)got, 0, 0, on_message, watch);
	}
	if (watch->prolonged++ < SETTLE_MAX)
		uv_timer_start(&watch->settle, on_settled, SETTLE_MS, 0);
}

int dg_netwatch_start(struct dg_daemon *daemon, struct dg_netwatch **ret, struct dg_error *err)
{
	struct dg_netwatch *watch dg_scoped_free = calloc(1, sizeof(*watch));

	if (!watch)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "cannot watch devices: out of memory");
	watch->daemon = daemon;
	watch->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (!watch->socket ||
	    mnl_socket_bind(watch->socket, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
			    MNL_SOCKET_AUTOPID)) {
		int saved = errno;

		if (watch->socket)
			mnl_socket_close(watch->socket);
		return dg_fail(err, -saved, DG_EXIT_FAILED, "cannot watch devices over netlink: %s",
			       strerror(saved));
	}
	uv_timer_init(&daemon->loop, &watch->settle);
	uv_poll_init(&daemon->loop, &watch->poll, mnl_socket_get_fd(watch->socket));
	watch->settle.data = watch->poll.data = watch;
	watch->handles = 2;
	uv_poll_start(&watch->poll, UV_READABLE, on_readable);
	*ret = dg_take_ptr(watch);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct dg_netwatch *watch = handle->data;

	if (!--watch->handles)
		free(watch);
}

void dg_netwatch_stop(struct dg_netwatch **netwatch)
{
	struct dg_netwatch *watch = *netwatch;

	if (!watch)
		return;
	*netwatch = NULL;
	uv_poll_stop(&watch->poll);
	mnl_socket_close(watch->socket);
	uv_close((uv_handle_t *)&watch->poll, on_closed);
	uv_close((uv_handle_t *)&watch->settle, on_closed);
}
