// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netwatch.c - the kernel's news of links and addresses, as a hint that something changed.
 *
 * News can be lost and come in bursts, so nothing is taken from them: what there is now is looked
 * up afresh by dg_guard_resync(), once, when the burst is over.
 */
#include <errno.h>
#include <string.h>

#include "userspace/dnsguardd/daemon.h"
#include "userspace/lib/netlink.h"

#define SETTLE_MS 20   /* a burst is over when nothing came for so long */
#define PROLONG_MAX 25 /* but after so many prolongations it is looked up all the same */

struct dg_netwatch {
	struct dg_daemon *daemon;
	int fd;
	uv_poll_t poll;
	uv_timer_t settle;
	unsigned int prolonged;
	int handles; /* not yet closed */
};

static void on_settled(uv_timer_t *timer)
{
	struct dg_netwatch *watch = timer->data;

	watch->prolonged = 0;
	dg_guard_resync(watch->daemon);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct dg_netwatch *watch = poll->data;

	(void)status;
	(void)events;
	dg_netlink_drain(watch->fd);
	if (watch->prolonged++ < PROLONG_MAX)
		uv_timer_start(&watch->settle, on_settled, SETTLE_MS, 0);
}

int dg_netwatch_start(struct dg_daemon *daemon, struct dg_netwatch **ret, struct dg_error *err)
{
	struct dg_netwatch *watch dg_scoped_free = calloc(1, sizeof(*watch));

	if (!watch)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "cannot watch devices: out of memory");
	watch->daemon = daemon;
	watch->fd = dg_netlink_subscribe();
	if (watch->fd < 0)
		return dg_fail(err, watch->fd, DG_EXIT_FAILED,
			       "cannot watch devices over netlink: %s", strerror(-watch->fd));
	uv_timer_init(&daemon->loop, &watch->settle);
	uv_poll_init(&daemon->loop, &watch->poll, watch->fd);
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
	dg_close_fd(&watch->fd);
	uv_close((uv_handle_t *)&watch->poll, on_closed);
	uv_close((uv_handle_t *)&watch->settle, on_closed);
}
