/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * latency.h - response times as Prometheus text.
 */
#ifndef DG_DAEMON_LATENCY_H
#define DG_DAEMON_LATENCY_H

#include <stdio.h>

#include "userspace/dnsguardd/metrics.h"
#include "userspace/lib/latency.h"

/* Of DG_LATENCY_KINDS views: three histograms, and what became of the UDP queries that were timed. */
void dg_latency_metrics_write(FILE *file, const struct dg_latency_view *view,
			      enum dg_metrics_format format);

#endif
