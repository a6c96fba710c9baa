/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * protect.h - TCP protection in the daemon: tells the kernel how pressed the resolvers' quotas are and what a source may
 * hold, and closes idle connections of those who hold too many.
 */
#ifndef DG_DAEMON_PROTECT_H
#define DG_DAEMON_PROTECT_H

#include <stdio.h>

#include "userspace/dnsguardd/metrics.h"

struct dg_daemon;
struct dg_protecting;

int dg_protect_start(struct dg_daemon *daemon, struct dg_protecting **ret);

/* The loop must run once more, then it is freed. Accepts NULL. */
void dg_protect_stop(struct dg_protecting *protecting);
void dg_protect_free(struct dg_protecting *protecting); /* after that; accepts NULL */

/* Its metrics, as Prometheus text: from the kernel's tables alone. */
void dg_protect_metrics_write(FILE *file, const struct dg_metrics_view *view,
			      enum dg_metrics_format format);

#endif
