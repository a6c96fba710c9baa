/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp.h - what the daemon does for the counts of TCP connections: keeps them right, and shows them.
 */
#ifndef DG_DAEMON_TCP_H
#define DG_DAEMON_TCP_H

#include <stdio.h>
#include <uv.h>

#include "userspace/dnsguardd/metrics.h"
#include "userspace/tcp/tcp.h"

#define DG_TCP_CHECK_MS 5000
#define DG_TCP_CHECK_CALM_MS                                                                       \
	10000 /* after one that moved nothing: to the kernel a dump is a walk over all sockets */

/* First after DG_TCP_CHECK_MS; data is the struct dg_daemon. Holds the kernel's counts against a dump of the sockets. */
void dg_tcp_check(uv_timer_t *timer);

/* What a scrape shows; *ret is the caller's (dg_tcp_shown_close). NULL: nobody counts, so there is nothing to show. */
void dg_tcp_shown_read(const char *bpffs, const struct dg_maps *maps, struct dg_tcp_view **ret);
void dg_tcp_shown_close(struct dg_tcp_view **view); /* accepts NULL */

/* All of it as Prometheus text. */
void dg_tcp_metrics_write(FILE *file, const struct dg_tcp_view *view,
			  enum dg_metrics_format format);

#endif
